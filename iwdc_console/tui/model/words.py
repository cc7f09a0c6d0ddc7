"""Words that came from elsewhere: made safe to show, on one line, cut or filled to a number of cells."""

from functools import lru_cache

from iwdc_console.cli.text import ELLIPSIS, fit, pad, safe

LONGEST = 2_000
"""Characters of one value that are looked at: names of any length may come in."""
REMEMBERED = 200
"""What is no longer than this is made safe and fitted once: most cells say what they said a moment ago."""
KNOWN = 1024
"""So many of them: more than there are cells on a large screen."""


def clean(words: str) -> str:
    """`words` on one line, with nothing in it that could move the cursor or reorder text."""
    if len(words) <= REMEMBERED:
        return words if words.isascii() and words.isprintable() else _safe(words)
    return safe(words[:LONGEST] + (ELLIPSIS if len(words) > LONGEST else ""))


@lru_cache(maxsize=KNOWN)
def _safe(words: str) -> str:
    return safe(words)


def fitted(words: str, width: int, right: bool = False) -> str:
    """`words` cut or filled to exactly `width` cells."""
    return _fitted(words, width, right) if len(words) <= REMEMBERED else _fitted.__wrapped__(words, width, right)


@lru_cache(maxsize=KNOWN)
def _fitted(words: str, width: int, right: bool) -> str:
    return pad(clean(words), width, ">" if right else "<")


def cut(words: str, width: int) -> str:
    """`words` cut to at most `width` cells."""
    return fit(clean(words), width)
