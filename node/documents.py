"""Files that people write and name: settings, lists of members, keys. Bounded before they are read and parsed.

What would keep a reader waiting (a pipe), never ends (a device) or fills the memory is told at once: as an OSError
whose `strerror` says what was found, so that whoever reads tells it as any other file that cannot be read.
"""

import errno
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO, Final

MOST_BYTES: Final = 1 << 20
"""A thousand times what a person writes."""
MOST_PARTS: Final = 16
"""Of a TOML key, `security.keys.ops` has three. `tomllib` takes memory and time by the square of their number."""
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_NO_KEY = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?|#[^\n]*', re.DOTALL
)
"""Strings and comments: dots in them part nothing."""


class TooDeep(ValueError):
    """A key of more parts than a document may have."""

    def __init__(self, parts: int, line: int) -> None:
        super().__init__(f"a key of {parts} parts in line {line}, more than {MOST_PARTS}")


def open_file(path: Path) -> BinaryIO:
    """A file to be read. Raises OSError: also for what is no file."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((name for holds, name in _KINDS if holds(mode)), "something else")
        raise OSError(errno.EINVAL, f"{kind}, not a file")
    return open(path, "rb")


def read(path: Path) -> bytes:
    """All of a file. Raises OSError: also for what is no file, and for more than MOST_BYTES."""
    with open_file(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{path.stat().st_size} bytes, more than {MOST_BYTES}")
    return content


def read_text(path: Path) -> str:
    """All of a file in UTF-8. Raises OSError as `read` does, UnicodeDecodeError."""
    return read(path).decode("utf-8-sig")


def parse_toml(text: str) -> dict[str, Any]:
    """What a TOML text says. Raises ValueError, a TOMLDecodeError or TooDeep among them, and RecursionError."""
    line = 1
    for part in re.split(r"([=\n{},\[\]])", _NO_KEY.sub(_line_ends, text)):
        line += part == "\n"
        parts = part.count(".") + 1
        if parts > MOST_PARTS:
            raise TooDeep(parts, line)
    return tomllib.loads(text)


def fault(error: OSError | ValueError | RecursionError) -> str:
    """What hinders reading or writing a document, in a person's words: a system's number says nothing to them."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _line_ends(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")
