"""What is let go of is freed at once, unless it goes round in a circle: then only a search for garbage finds it."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unlooked_for() -> Iterator[Counter[str]]:
    """How many of each class of ours go round in circles that were let go of in here, counted at the end."""
    gc.collect()
    gc.disable()
    left: Counter[str] = Counter()
    try:
        yield left
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left.update(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage if _is_ours(type(each)))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("node", "tests")
