"""The current version as it is shown: once what it follows from is on this node's own disk (S2)."""

from collections import deque
from collections.abc import Mapping

from node.protocol.ballot import ProposalState
from node.protocol.state import Fold

Version = tuple[str, str]
"""A version and the hash that settled it."""


class Current:
    """Follows the fold. `unfounded`: decided by a vote of this node that a crash may still take back -> its persist."""

    def __init__(self, fold: Fold, unfounded: Mapping[str, int]) -> None:
        self._fold = fold
        self._unfounded = unfounded
        self._head: ProposalState | None = None
        self._coming: deque[tuple[int, Version | None]] = deque()
        """What will be shown -> once the disk has caught up to which persist."""
        self.shown: Version | None = None

    def look(self) -> None:
        """End of a step: where has the fold gone?"""
        head = self._fold.head
        if head is self._head:
            return
        self._head = head
        # Which of them it rests on (a diff's base, a rollback) is not worth a look: all are there one commit later.
        number = max(self._unfounded.values(), default=0)
        self._coming.append((number, self._fold.current))
        if not number:
            self._show(number)

    def synced(self, number: int) -> None:
        """The disk has caught up to persist `number`."""
        if self._coming:
            self._show(number)

    def _show(self, number: int) -> None:
        while self._coming and self._coming[0][0] <= number:
            self.shown = self._coming.popleft()[1]
