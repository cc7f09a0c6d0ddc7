"""The asyncio driver: clock, timers, group commit, peers over HTTP, event bus. It knows nothing of routes."""
