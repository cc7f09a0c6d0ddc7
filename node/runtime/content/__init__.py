"""Content between nodes: who has what, pulling it, publishing it, and the switch of the working data."""
