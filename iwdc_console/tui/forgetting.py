"""Letting go of what dialogs and notices leave behind, so that memory stays flat over a day.

They go as cycles, which Python finds only when it looks at everything, and it looks the less often the more there is.
Textual also remembers the last thousand widgets' borders together with all their painted lines, whether they are still
there or not.
"""

import contextlib
import ctypes
import gc
from typing import Any

from textual._styles_cache import StylesCache
from textual.screen import Screen
from textual.strip import Strip

from iwdc_console.tui.model import once

EVERY_S = 600.0
"""A look at all there is takes less than a tenth of a second, which a key may have to wait for."""
YOUNG, MIDDLE, OLD = 5_000, 80, 5
"""How many new objects, and looks at new ones, come before a look at more. Rows and observations go by themselves."""

ARENA_MAX, MMAP_THRESHOLD = -8, -3
"""glibc's names for the number of heaps, as one for each thread that records would keep megabytes that others need; and
for the size from which a piece is the system's again once it is free, which glibc raises with each large answer."""
LARGE_BYTES = 128 * 1024


def begin() -> None:
    """What is there now stays: no key waits for it to be searched for what can go."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    gc.enable()
    with contextlib.suppress(OSError, AttributeError):  # another C library has one heap, or ways of its own
        library = ctypes.CDLL(None)
        library.mallopt(ARENA_MAX, 1)
        library.mallopt(MMAP_THRESHOLD, LARGE_BYTES)


def left(screen: Screen[Any]) -> None:
    """Let go of how a screen that is not in front was painted: it is painted anew when it comes back."""
    for widget in (screen, *screen.query("*")):
        widget._styles_cache.clear()
    Strip.render_ansi.cache_clear()


def forget() -> None:
    """Let go of all that nobody can see any more."""
    once.forget()
    StylesCache.get_inner_outer.cache_clear()
    Strip.render_ansi.cache_clear()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
