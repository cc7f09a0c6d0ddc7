"""A deterministic world of many cores: virtual time, a bad network, bad disks, bad clocks, and checkers that watch.

Everything follows from one seed. The cores are the very same that a node runs; the world stands in for the driver,
the journal, the network and the clients. Run `python -m node.simulation --seeds 100`, replay one with
`python -m node.simulation --seed S --trace`.
"""
