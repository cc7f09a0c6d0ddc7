"""What the console knows and thinks. Pure: no Textual, no I/O, no clock; time comes in as a number."""
