"""Which paths a manifest may name: those that lead to one file below the version's folder, on any system.

Relative, with `/`, in Unicode's form NFC; no empty part, `.` or `..`; no control, format or private characters, no
`\\` or `:`; no part that ends in a dot or a space, or that some systems take for a device (`CON`, `NUL`, `COM1`, ...,
with any ending); at most `MAX_PARTS` parts of `MAX_PART_BYTES`, `MAX_PATH_BYTES` in all, counted in UTF-8. In one
manifest no two paths may be one where letters' case or Unicode's forms do not count, and none may be another's folder.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from node.artifacts.entries import folder_of
from node.artifacts.errors import BadPath
from node.artifacts.portions import portions

MAX_PATH_BYTES: Final = 1_024
MAX_PART_BYTES: Final = 255 - 32
"""A file name has at most 255 bytes on the usual systems; drafts need some of them."""
MAX_PARTS: Final = 16

_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?:\..*)?", re.IGNORECASE | re.DOTALL)
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}
)
"""Folded."""
_DEVICE_STARTS: Final = ("/con", "/prn", "/aux", "/nul", "/com", "/lpt")
_USUAL: Final = (string.ascii_letters + string.digits + "\n/-_. ()+,").encode()
_PORTION: Final = 512
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def check_path(path: str) -> None:
    """Raises BadPath unless a manifest may name `path`."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadPath(path, "it is not UTF-8") from None
    parts = path.split("/")
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


def check_paths(paths: Iterable[str]) -> set[str]:
    """`check_path` of each, and no two may clash; gives the outermost folders. Raises BadPath.

    They are gone through once more if a clash is suspected.
    """
    seen = SeenPaths()
    for portion in portions(paths, _PORTION):
        seen.add(portion, set(map(folder_of, portion)))
    seen.end(paths)
    return seen.outermost


class SeenPaths:
    """The same, as the paths come. Of each name only a number is kept, which `hash` keys anew in each process."""

    def __init__(self) -> None:
        self.outermost: set[str] = set()
        """The outermost folders."""
        self._folders: set[int] = set()
        """Folders, as they are spelled."""
        self._names: set[int] = set()
        """Folded files and folders."""
        self._count = 0

    def add(self, paths: list[str], folders: set[str]) -> None:
        """Some hundred more, and the folders that they stand in. Raises BadPath."""
        joined = "\n".join(paths)
        folded = fold(joined)
        if not _are_plain(paths, joined, folded):
            for path in paths:
                check_path(path)
        fresh: list[str] = []
        for folder in folders:
            for above in _folders(folder):
                if (number := hash(above)) not in self._folders:
                    self._folders.add(number)
                    fresh.append(above)
        self.outermost.update(folder for folder in fresh if "/" not in folder)
        self._count += len(paths) + len(fresh)
        self._names.update(map(hash, folded.split("\n")))
        self._names.update(map(hash, map(fold, fresh)))

    def end(self, paths: Iterable[str]) -> None:
        """All of `paths` have come. Raises BadPath if two clash."""
        if len(self._names) != self._count:
            _check_spelling(paths)


def _are_plain(paths: list[str], joined: str, folded: str) -> bool:
    """Whether `check_path` would take all: of letters, digits and usual signs, as most are, and no devices.

    They are joined, and folded, with a line's end between them.
    """
    unusual = joined.encode(errors="surrogatepass").translate(None, _USUAL).decode(errors="replace")
    framed = f"/{folded}/".replace("\n", "/")
    return (
        (not unusual or unusual.isalnum())
        and joined.count("\n") == len(paths) - 1
        and _are_short(paths, joined)
        and not any(fault in framed for fault in ("//", "./", " /", "/."))
        and not (any(start in framed for start in _DEVICE_STARTS) and _DEVICES & _stems(framed))
        and unicodedata.is_normalized("NFC", joined)
    )


def _are_short(paths: list[str], joined: str) -> bool:
    """Whether none is too long, however many bytes its letters have."""
    most = 1 if joined.isascii() else 4
    longest = max(map(len, paths))
    if most * longest > MAX_PART_BYTES and most * max(map(len, re.split("[/\n]", joined))) > MAX_PART_BYTES:
        return False
    few = longest < 2 * MAX_PARTS or max(path.count("/") for path in paths) < MAX_PARTS
    return few and most * longest <= MAX_PATH_BYTES


def _stems(joined: str) -> set[str]:
    """The names of parts, without what follows the first dot."""
    return {part.partition(".")[0] for part in joined.split("/")}


def _folders(folder: str) -> Iterator[str]:
    """`folder`, which ends in `/` or is empty, and all above it."""
    end = folder.find("/")
    while end >= 0:
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
