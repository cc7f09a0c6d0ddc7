"""What can go wrong with content. Every message says what and where, what was expected, and what to do next.

ContentError
  BadPath            a path that no manifest may have
  BadManifest        a manifest that is not in our form, or contradicts itself
  TooMuch            a limit of `[content]` would be passed
  NoSpace            the disk has not enough room; `missing_bytes` and `missing_files` say what is missing
  BadContent         bytes that are not what their hash says
  BadBlocks          the same of a large file; `blocks` names the parts that are wrong
  ContentMissing     content that is not here, or not whole
  BadDiff            a diff that cannot be used
  WrongBase          a diff for another base
  OlderVersion       older than what is applied, and no rollback
  BuilderKeeps       the working data belongs to a pipeline: role "builder"
  Vetoed             the hook before the switch said no
  ContentFault       the disk refused to read or write
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class ContentError(Exception):
    """Anything that keeps content from being stored, verified or applied."""


def reason_of(problem: Exception) -> str:
    """The word for scripts of what is wrong with content: `no_space`, `bad_path`, `too_much`, ..."""
    name = type(problem).__name__
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def told(problem: Exception | None) -> tuple[str | None, str | None]:
    """What is wrong for people, and its word; None twice when nothing is."""
    return (None, None) if problem is None else (str(problem), reason_of(problem))


class BadPath(ContentError):
    """`path` cannot stand in a manifest."""

    def __init__(self, path: str, why: str, advice: str = "rename the file") -> None:
        super().__init__(f"{path[:200]!r}: {why}; {advice}")
        self.path = path
        self.why = why


class BadManifest(ContentError):
    """The document is no manifest of ours, or its parts do not fit together."""


class TooMuch(ContentError):
    """`what` is beyond the limit `key` of `[content]`."""

    def __init__(self, what: str, amount: int, key: str, most: int) -> None:
        super().__init__(f"{what}: {amount:,}, at most {most:,} are taken; raise [content] {key} if this is wanted")
        self.key = key


class NoSpace(ContentError):
    """The file system at `path` lacks `missing_bytes`, or room for `missing_files` of those that it can have at most.
    Nothing that is visible was changed.
    """

    def __init__(self, path: Path, missing_bytes: int, missing_files: int = 0) -> None:
        what = f"{missing_bytes:,} bytes are missing"
        if missing_files:
            what = f"it has no room for {missing_files:,} more files (inodes), however small"
        super().__init__(f"{path}: the disk is full, {what}; free them, or drop old versions with prune")
        self.path = path
        self.missing_bytes = missing_bytes
        self.missing_files = missing_files


class BadContent(ContentError):
    """The bytes of `path` have another hash than expected."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(f"{path}: its SHA-256 is {found}, expected {expected}; it has to be fetched again")
        self.path = path


class BadBlocks(ContentError):
    """Parts of a large file are wrong. They were dropped: fetch `blocks` again, elsewhere."""

    def __init__(self, path: str, blocks: Sequence[int]) -> None:
        super().__init__(f"{path}: {len(blocks)} blocks are not what was hashed, the first is {blocks[0]}")
        self.path = path
        self.blocks = tuple(blocks)


class ContentMissing(ContentError):
    """Content is not here, or not whole."""


class BadDiff(ContentError):
    """A diff that cannot be read or applied."""


class WrongBase(BadDiff):
    """The diff was made from other content than the version it names has here."""


class OlderVersion(ContentError):
    """A version older than the applied one is applied by a rollback alone."""


class BuilderKeeps(ContentError):
    """The pipeline of this instance writes the working data; it is never switched."""


class Vetoed(ContentError):
    """The hook before the switch ended otherwise than with 0; `reason` is what it said."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command}: refused the version: {reason}")
        self.reason = reason


class ContentFault(ContentError):
    """The file system failed. The same call may be repeated once it works."""


@contextmanager
def typed(path: Path) -> Iterator[None]:
    """Turn what the system says of a full or broken disk at `path` into the errors above."""
    try:
        yield
    except OSError as error:
        raise fault(path, error, 0) from error


def fault(path: Path, error: OSError, wanted_bytes: int) -> ContentError:
    """What a failed call of the system at `path` means, where `wanted_bytes` were still to be written."""
    at = Path(str(error.filename)) if error.filename is not None else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        found = os.statvfs(path)
        if found.f_files and not found.f_favail:
            return NoSpace(path, 0, 1)
        return NoSpace(path, max(wanted_bytes - found.f_bavail * found.f_frsize, found.f_bsize))
    return ContentFault(f"{at}: {error.strerror or error}; check the disk, its mount and who may write")
