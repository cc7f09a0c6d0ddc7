"""One incarnation of a process: how it takes a step, and what waits until it goes on."""

from collections.abc import Callable
from typing import Any

from node.protocol.effects import Input


class Life:
    """From a start to its end. `step` gives the core an input."""

    def __init__(self, step: Callable[[Input], int]) -> None:
        self.step = step
        self.ended = False
        self.paused = False
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def waits(self, do: Callable[..., None], *args: object) -> bool:
        """Whether the process is paused: then `do(*args)` is done when it goes on."""
        if self.paused:
            self._inbox.append((do, args))
        return self.paused

    def read_inbox(self) -> None:
        """Do what has waited."""
        waiting, self._inbox = self._inbox, []
        for do, args in waiting:
            do(*args)
