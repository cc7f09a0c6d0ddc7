"""An answer that will come. Who waits for it is told the moment it is there, not when the loop next comes round.

A future tells by `call_soon`: after all that came in the same moment, which a client or a member would wait for.
"""

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Awaited(Generic[T]):
    """Answered once with `set`, or taken back with `cancel`; the first of both counts, and only that one is told."""

    __slots__ = ("_cancelled", "_tell", "_value", "done")

    def __init__(self, cancelled: Callable[[], None] | None = None) -> None:
        """`cancelled` hears that nobody waits any more."""
        self.done = False
        self._cancelled = cancelled
        self._tell: Callable[[T], None] | None = None
        self._value: list[T] = []

    def then(self, tell: Callable[[T], None]) -> None:
        """Have the one who waits told. It hears it in the midst of a step and must not ask the node for anything."""
        if self._value:
            tell(self._value[0])
        else:
            self._tell = tell

    def set(self, value: T) -> None:
        """It is there."""
        if self.done:
            return
        self.done = True
        if self._tell is None:
            self._value.append(value)
        else:
            self._tell(value)

    def cancel(self) -> None:
        """Nobody waits any more."""
        if not self.done:
            self.done = True
            if self._cancelled is not None:
                self._cancelled()

    def __await__(self) -> Generator[Any, None, T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        # A task that was cancelled takes it back only when it next runs; until then the answer may come.
        self.then(lambda value: None if future.done() else future.set_result(value))
        try:
            return (yield from future.__await__())
        finally:
            self.cancel()
