"""Content of snapshots and diffs on the disk: manifests, versions, diffs, and the switch of the working data.

Files and bytes only: no network, no asyncio. Calls block; a node makes them from threads.
"""
