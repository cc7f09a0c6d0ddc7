"""Three bare processes that do what a durable verdict needs at least, and nothing of a protocol."""
