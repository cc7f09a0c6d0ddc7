"""Observations kept: in memory since the console began, or in a file. Compressed in blocks, each whole in itself."""
