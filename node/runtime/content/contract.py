"""What an engine asks of whoever sees to content."""

from collections.abc import Sequence
from typing import Protocol

from node.protocol.effects import Wanted
from node.protocol.events import Event


class ContentKeeper(Protocol):
    """What sees to content. None of its functions may wait; it reports by `Engine.step(ContentIs(...))`."""

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """Get what is wanted, and give up what is no longer."""

    def install(self, content: Wanted) -> None:
        """Let held content stand for its version."""

    def apply(self, content: Wanted, back: bool) -> None:
        """Make held content the working data; `back`: the cluster decided to go back to it."""

    def nudge(self) -> None:
        """A peer is healthy again: it may have what nobody else had."""

    def seen(self, event: Event) -> None:
        """An event of this instance's own is on its disk."""
