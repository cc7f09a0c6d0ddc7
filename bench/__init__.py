"""Measurements of this machine, side by side with etcd. Each module runs alone: `python -m bench.verdicts`."""
