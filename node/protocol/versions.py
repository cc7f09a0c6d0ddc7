"""The order of catalogue versions: semantic versions first, time stamps after them.

A version is either semver-like (`1.2.0`, `1.2.0-rc.1`) in the precedence of Semantic Versioning 2.0.0, or a stamp
`YYYYMMDD-HHMMSS` in the order of time. Any stamp is greater than any semver: the pipeline moved from one to the other.
Build metadata (`1.2.0+x`) is refused: it would give two names one place in the order (P2).
"""

import re
from functools import lru_cache
from typing import Final

from node.protocol.settings import Limits

VersionKey = tuple[int | str | tuple[tuple[int, int, str], ...], ...]
"""Compares as the versions do. Equal keys mean equal texts."""

EXPECTED: Final = "a version like 1.2.0 or 1.2.0-rc.1, or a stamp YYYYMMDD-HHMMSS"

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?")
_STAMP = re.compile(r"[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]")

_STAMP_CHARS: Final = len("YYYYMMDD-HHMMSS")
_RELEASE: Final = 1
_PRERELEASE: Final = 0
_MAX_CHARS: Final = Limits().max_version_chars


class BadVersion(ValueError):
    """`text` is no version; `expected` says what would be."""

    def __init__(self, text: str, expected: str = EXPECTED) -> None:
        super().__init__(f"not a version: {text[:_MAX_CHARS]!r}; expected {expected}")
        self.text = text
        self.expected = expected


@lru_cache(maxsize=Limits().max_open_proposals)
def parse(text: str) -> VersionKey:
    """The place of a version in the order, as a comparable key (P2). Raises `BadVersion`."""
    if len(text) > _MAX_CHARS:
        raise BadVersion(text, f"at most {_MAX_CHARS} characters")
    if len(text) == _STAMP_CHARS and _STAMP.fullmatch(text):
        return (1, text)
    if "+" in text:
        raise BadVersion(text, f"{EXPECTED}, without build metadata")
    match = _SEMVER.fullmatch(text)
    if match is None:
        raise BadVersion(text)
    major, minor, patch, prerelease = match.groups()
    numbers = (int(major), int(minor), int(patch))
    if prerelease is None:
        return (0, *numbers, _RELEASE, ())
    return (0, *numbers, _PRERELEASE, tuple(_identifier(part) for part in prerelease.split(".")))


def _identifier(part: str) -> tuple[int, int, str]:
    """Numeric identifiers compare as numbers and come before the others (Semantic Versioning 11.4)."""
    return (0, int(part), "") if part.isdecimal() else (1, 0, part)
