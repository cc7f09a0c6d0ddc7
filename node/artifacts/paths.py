"""Which paths a manifest may name: those that lead to one file below the version's folder, on any system.

Relative, with `/`, in Unicode's form NFC; no empty part, `.` or `..`; no control, format or private characters, no
`\\` or `:`; no part that ends in a dot or a space, or that some systems take for a device (`CON`, `NUL`, `COM1`, ...,
with any ending); at most `MAX_PARTS` parts of `MAX_PART_BYTES`, `MAX_PATH_BYTES` in all, counted in UTF-8. In one
manifest no two paths may be one where letters' case or Unicode's forms do not count, and none may be another's folder.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from node.artifacts.errors import BadPath

MAX_PATH_BYTES: Final = 1_024
MAX_PART_BYTES: Final = 255 - 32
"""A file name has at most 255 bytes on the usual systems; drafts need some of them."""
MAX_PARTS: Final = 16

_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(name + number for name in ("COM", "LPT") for number in "0123456789¹²³")}
)
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def check_path(path: str) -> None:
    """Raises BadPath unless a manifest may name `path`."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadPath(path, "it is not UTF-8") from None
    parts = path.split("/")
    if size <= MAX_PART_BYTES and len(parts) <= MAX_PARTS and all(map(_is_plain, parts)):
        return
    if not path:
        raise BadPath(path, "it is empty")
    if size > MAX_PATH_BYTES:
        raise BadPath(path, f"it has {size} bytes in UTF-8, more than {MAX_PATH_BYTES}")
    if not unicodedata.is_normalized("NFC", path):
        raise BadPath(path, "it is not in Unicode's form NFC")
    if len(parts) > MAX_PARTS:
        raise BadPath(path, f"it has {len(parts)} parts, more than {MAX_PARTS}")
    for part in parts:
        why = _fault(part)
        if why is not None:
            raise BadPath(path, why)


def _is_plain(part: str) -> bool:
    """Whether a part is letters, digits, `_`, `-` and dots within, and no device: as most are, which need no closer
    look then.
    """
    return (
        part.replace("-", "").replace("_", "").replace(".", "").isalnum()
        and part[0] != "."
        and part[-1] != "."
        and part.partition(".")[0].upper() not in _DEVICES
        and unicodedata.is_normalized("NFC", part)
    )


def _fault(part: str) -> str | None:
    if not part:
        return "it is absolute or has an empty part"
    if part in (".", ".."):
        return f"it has a part {part!r}"
    if len(part) > MAX_PART_BYTES or len(part.encode()) > MAX_PART_BYTES:
        return f"a part has more than {MAX_PART_BYTES} bytes in UTF-8"
    if _DEVICE.fullmatch(part):
        return f"{part!r} is a device on some systems"
    if part[-1] in ". ":
        return f"{part!r} ends in a dot or a space"
    for char in part:
        if char in "\\:" or unicodedata.category(char) in _REFUSED_CATEGORIES:
            return f"it has the character U+{ord(char):04X}"
    return None


def check_paths(paths: Iterable[str]) -> None:
    """`check_path` of each; raises BadPath for the first that clashes with another as well.

    Sorted paths take least time. They are gone through once more if a clash is suspected: of names that were seen only
    a number each is remembered.
    """
    seen: set[int] = set()
    last = folded = ""
    for path in paths:
        end = path.rfind("/") + 1
        folder, name = path[:end], path[end:]
        if folder != last or len(path) > MAX_PART_BYTES // 4 or not _is_plain(name):
            check_path(path)
        if folder != last:
            new, last, folded = _folders(folder, last), folder, fold(folder)
            numbers = [hash(fold(each)) for each in new]
        else:
            numbers = []
        for number in (hash(folded + fold(name)), *numbers):
            if number in seen:
                _check_spelling(paths)
                return
            seen.add(number)


def _folders(folder: str, known: str) -> Iterator[str]:
    """`folder` and all above it, without those above `known`."""
    end = folder.find("/")
    while end >= 0:
        if not known.startswith(folder[: end + 1]):
            yield folder[:end]
        end = folder.find("/", end + 1)


def _check_spelling(paths: Iterable[str]) -> None:
    """The same with all names in memory, to tell a clash from two names that share a number."""
    spelled: dict[str, str] = {}
    """Folded path of every folder (with a final `/`) and file -> how it is spelled."""
    known: set[str] = set()
    for path in paths:
        folder, slash, _ = path.rpartition("/")
        folder += slash
        check_path(path)
        if folder not in known:
            _claim_folders(folder, spelled)
            known.add(folder)
        folded = fold(path)
        other = spelled.setdefault(folded, path) if folded not in spelled else spelled[folded]
        if other != path or path in known:
            raise BadPath(path, f"on some systems it is the same as {other!r}")
        known.add(path)
        if folded + "/" in spelled:
            raise BadPath(path, f"it is also the folder of other files, {spelled[folded + '/']!r}")


def _claim_folders(folder: str, spelled: dict[str, str]) -> None:
    end = folder.find("/")
    while end >= 0:
        outer = folder[: end + 1]
        folded = fold(outer)
        other = spelled.setdefault(folded, outer)
        if other != outer:
            raise BadPath(outer, f"on some systems it is the same folder as {other!r}")
        if folded[:-1] in spelled:
            raise BadPath(outer, f"it is also a file, {spelled[folded[:-1]]!r}")
        end = folder.find("/", end + 1)


def fold(path: str) -> str:
    """What `path` is where neither case nor Unicode's forms count."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
