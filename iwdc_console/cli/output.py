"""Where a command's words go: data to stdout as a table, JSON or plain lines; messages to stderr.

Plain is for `cut` and `awk`: one item per line, fields separated by one tab, no headings, stable order.
"""

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

from iwdc_console.cli.text import safe

DEFAULT_WIDTH = 80
_SPELT = {"…": "~", "±": "+-"}
"""Our own signs where an encoding lacks them; shapes have a view's own."""


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    PLAIN = "plain"


class ReaderGone(Exception):
    """Whoever read our stdout has closed it: nothing more needs to be printed."""


def write(text: str) -> None:
    """Print `text` and a line end to stdout at once. Raises `ReaderGone` when the pipe is closed, OSError."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as error:
        drop_unwritable()
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        raise OSError(error.errno, error.strerror, "stdout") from error


def drop_unwritable() -> None:
    """What stdout cannot take would fail again when the interpreter closes it, with an exit code of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def replace_closed() -> None:
    """Where whoever started us has closed a stream (`>&-`), what is written to it goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  open as long as the process


def escape_unwritable() -> None:
    """What a stream's encoding has no sign for (a name in another script) is escaped, and not the command's end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            codecs.register_error("spelt", _spelt)
            stream.reconfigure(errors="spelt")


def _spelt(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unwritable = error.object[error.start : error.end]
    spelt = (_SPELT.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in unwritable)
    return "".join(spelt), error.end


def say(text: str) -> None:
    """A message for people: stderr, made safe line by line."""
    lines = "\n".join(safe(line) for line in text.split("\n"))
    print(lines, file=sys.stderr, flush=True)


def is_terminal() -> bool:
    """Whether stdout is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def is_coloured() -> bool:
    """Whether colour may underline what words say (`NO_COLOR`, pipes and `TERM=dumb` say no)."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def width(descriptor: int = 1) -> int:
    """Columns to use: the terminal's at this descriptor or `COLUMNS`, else 80."""
    try:
        given = int(os.environ.get("COLUMNS", "0"))
    except ValueError:
        given = 0
    if given > 0:
        return given
    try:
        return os.get_terminal_size(descriptor).columns or DEFAULT_WIDTH
    except OSError:
        return DEFAULT_WIDTH


def json_text(data: Any, indent: int | None = 2) -> str:
    """`data` as JSON that is safe to print: non-ASCII stays readable, but nothing in it can steer a terminal.

    Without `indent` it is one line, for streams of documents.
    """
    import json

    text = json.dumps(data, ensure_ascii=False, indent=indent)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c.isprintable() or c in "\n " else _json_escape(c) for c in text)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))


def plain_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as tab-separated lines; None is empty, tabs and line ends inside a field are escaped."""
    return "\n".join("\t".join("" if field is None else safe(str(field)) for field in row) for row in rows)


def show(
    data: Any,
    output: Format,
    table: Callable[[], str],
    plain: Callable[[], Iterable[Sequence[object]]],
) -> None:
    """Print one answer in the format asked for. `table` and `plain` are called only when they are wanted."""
    if output is Format.JSON:
        write(json_text(data))
    elif output is Format.PLAIN:
        text = plain_text(plain())
        if text:
            write(text)
    else:
        write(table())
