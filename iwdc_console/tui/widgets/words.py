"""Pieces of text with their tones as Textual content: never markup."""

from textual.content import Content

from iwdc_console.tui.model.words import clean

Piece = tuple[str, str]
"""A text and its tone: the name of a theme variable, or nothing."""


def toned(tone: str) -> str:
    """A tone as a style; one that begins with a style word (`bold`, `dim`) stands as it is."""
    return tone if not tone or " " in tone or tone in ("bold", "dim", "reverse") else f"${tone}"


OLD = "$text-muted"
"""What may no longer be so is shown without colours: none of them is claimed to be true still."""


def content(*pieces: Piece) -> Content:
    """Pieces side by side."""
    return Content.assemble(*((clean(words), toned(tone)) if tone else clean(words) for words, tone in pieces))
