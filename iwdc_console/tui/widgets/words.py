"""Words as Textual content: never markup, never more cells than there are, nothing that could move the cursor."""

from textual.content import Content

from iwdc_console.cli.text import ELLIPSIS, cells, fit, pad, safe

Piece = tuple[str, str]
"""A text and its tone: the name of a theme variable, or nothing."""
LONGEST = 2_000
"""Characters of one value that are looked at: names of any length may come in."""


def clean(value: str) -> str:
    """`value` on one line, safe to show."""
    return safe(value[:LONGEST] + (ELLIPSIS if len(value) > LONGEST else ""))


def toned(tone: str) -> str:
    """A tone as a style; one that begins with a style word (`bold`, `dim`) stands as it is."""
    return tone if not tone or " " in tone or tone in ("bold", "dim", "reverse") else f"${tone}"


def content(*pieces: Piece) -> Content:
    """Pieces side by side."""
    return Content.assemble(*((clean(words), toned(tone)) if tone else clean(words) for words, tone in pieces))


def fitted(words: str, width: int, right: bool = False) -> str:
    """`words` made safe and cut or filled to exactly `width` cells."""
    return pad(clean(words), width, ">" if right else "<")


def cut(words: str, width: int) -> str:
    """`words` made safe and cut to at most `width` cells."""
    return fit(clean(words), width)


__all__ = ["Piece", "cells", "clean", "content", "cut", "fitted", "toned"]
