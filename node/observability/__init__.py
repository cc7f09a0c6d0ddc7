"""What a node shows of itself: metrics, traces, event log."""
