"""A cluster of real nodes on this machine, and every fault it can be given while it runs."""
