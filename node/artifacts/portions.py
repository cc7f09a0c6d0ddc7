"""Many things, a few at a time: for threads, and without all of them in memory at once."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

WORKERS: Final = min(4, os.cpu_count() or 1)
_AHEAD: Final = 2 * WORKERS

T = TypeVar("T")
R = TypeVar("R")


def portions(things: Iterable[T], most: int) -> Iterator[list[T]]:
    """Lists of at most so many."""
    left = iter(things)
    while portion := list(islice(left, most)):
        yield portion


def in_threads(name: str, work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """What `work` makes of each, in order, by several threads. Things are taken as they come to their turn."""
    with ThreadPoolExecutor(WORKERS, name) as pool:
        under_way: deque[Future[R]] = deque()
        try:
            for thing in things:
                under_way.append(pool.submit(work, thing))
                if len(under_way) > _AHEAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for each in under_way:
                each.cancel()
