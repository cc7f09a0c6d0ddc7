"""The embedded engine: a full node of the distributed data layer. It knows nothing of terminals."""
