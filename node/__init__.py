"""The embedded engine: a full node of the distributed data layer. It knows nothing of terminals."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from node.embedded import Node

__all__ = ["Node"]


def __getattr__(name: str) -> object:
    # Loaded when asked for: whoever wants one module of the engine must not pay for all of it.
    if name == "Node":
        from node.embedded import Node

        return Node
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
