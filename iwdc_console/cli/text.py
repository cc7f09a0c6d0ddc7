"""Text for terminals: made safe, measured in cells, cut to fit, and durations as people say them. Pure."""

import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
_ZERO_WIDTH = ("Mn", "Me")
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_MAX_MARKS = 2
"""Combining marks kept on one character: enough for any script, too few to climb over other lines."""


def safe(text: str) -> str:
    """`text` with everything that could move the cursor, hide or reorder text written as a visible escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_safe_characters(text))


def _safe_characters(text: str) -> Iterator[str]:
    marks = _MAX_MARKS
    for character in text:
        category = unicodedata.category(character)
        if category in _ZERO_WIDTH:
            marks += 1
            if marks <= _MAX_MARKS:
                yield character
            continue
        marks = 0
        if category in _UNSAFE:
            yield character.encode("unicode_escape", "surrogatepass").decode("ascii")
            marks = _MAX_MARKS
        elif category == "Zs":
            yield " "
        else:
            yield character


def cells(text: str) -> int:
    """How many terminal cells `text` takes. Expects text made `safe`."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """`text` cut to at most `width` cells, with an ellipsis where something is missing. Expects text made `safe`."""
    if cells(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _cells_of(character)
        if used > width - 1:
            break
        kept += character
    return (kept + ELLIPSIS) if width > 0 else ""


def pad(text: str, width: int, align: str = "<") -> str:
    """`text` cut or filled with spaces to exactly `width` cells; `align` is `<` or `>`."""
    text = fit(text, width)
    space = " " * (width - cells(text))
    return space + text if align == ">" else text + space


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces. Expects text made `safe`."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while cells(line) > width:
            head = fit(line, width + 1)[:-1]
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line] if line or not lines else lines


_UNITS = (("d", 86_400_000, "h", 3_600_000), ("h", 3_600_000, "min", 60_000), ("min", 60_000, "s", 1_000))


def duration(ms: float | None) -> str:
    """Milliseconds as people say them: `12 ms`, `0.4 s`, `41 s`, `3 min 20 s`, `12 d 4 h`; `-` for None."""
    if ms is None:
        return "-"
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    if ms < 100:
        return f"{sign}{ms:.1f}".removesuffix(".0") + " ms"
    if round(ms / 1000, 1) < 10:
        return f"{sign}{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    for unit, size, lesser, lesser_size in _UNITS:
        whole, rest = divmod(seconds * 1000, size)
        if whole:
            part = rest // lesser_size
            return f"{sign}{whole} {unit} {part} {lesser}" if part else f"{sign}{whole} {unit}"
    return f"{sign}{seconds} s"


def age(then_ms: float | None, now_ms: float) -> str:
    """How long ago `then_ms` was, both unix ms: `3 min 20 s ago`; a time ahead of ours is said to be so."""
    if then_ms is None:
        return "-"
    if then_ms > now_ms + 1_000:
        return f"in {duration(then_ms - now_ms)}"
    return ago(max(0.0, now_ms - then_ms))


def ago(ms: float) -> str:
    """An age: `0.4 s ago`, `3 min 20 s ago`; ages under ten seconds keep to tenths of seconds."""
    return f"{ms / 1000:.1f} s ago" if ms < 9_950 else f"{duration(ms)} ago"


def size(count: int) -> str:
    """Bytes as people say them: `312 B`, `4.0 KiB`, `1.5 GiB`."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount:,.1f} TiB"
