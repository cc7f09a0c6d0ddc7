"""The commands of `iwdc-distributed`, one module per family. `main.py` loads a family only when it is called."""
