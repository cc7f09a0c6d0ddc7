"""What differs between the files of a folder and a version that a node holds: the next version follows from it."""

from collections.abc import Mapping, Sequence

from iwdc_console.tui import orders
from iwdc_console.tui.model.draft import Change, change_between
from node.artifacts.checks import parse_manifest
from node.artifacts.errors import ContentError
from node.artifacts.limits import ContentLimits


async def since(nodes: Sequence[str], version: str, files: Mapping[str, str]) -> Change | None:
    """How `files`, by path and hash, differ from that version; None where no node that is asked holds its content."""
    outcome = await orders.give(nodes, orders.manifest(version))
    if outcome.kind != "done":
        return None
    try:
        known = parse_manifest(str(outcome.data).encode(), ContentLimits())
    except ContentError:
        return None
    return change_between({entry.path: entry.hash for entry in known.files}, files)
