"""What is wrong with a configuration, said so that it can be mended: where, what was found, what was expected."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from node.documents import TooDeep

MOST_PROBLEMS: Final = 100
"""Told at one time. With more of them the file is probably another one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `where` is a file with its line or entry, a variable of the environment, or a flag."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}: expected {self.expected}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds what is wrong with it; as text one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(islice(problems, MOST_PROBLEMS))
        super().__init__("\n".join(map(str, self.problems)))


def under_its_name(problems: Iterable[Problem], draft: Path, path: Path) -> list[Problem]:
    """Problems that a draft of a file has, told of the file itself."""
    return [replace(each, where=each.where.replace(str(draft), str(path))) for each in problems]


def unreadable(error: ValueError | RecursionError) -> str:
    """Why a parser gave a document up, where that is no mistake in its form."""
    if isinstance(error, TooDeep):
        return str(error)
    return "nested too deeply" if isinstance(error, RecursionError) else "a number with too many digits"


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably meant, or else all that is possible: the `expected` of a problem with an unknown word."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    return f"{close[0]} (did you mean that?)" if close else "one of " + ", ".join(words)


def resembles(word: str, known: Iterable[str]) -> bool:
    """Whether a word is so like a known one that it can hardly be anything but a slip."""
    return bool(difflib.get_close_matches(word, list(known), n=1, cutoff=0.8))


def shown(value: object) -> str:
    """A value as its file would write it, cut to what fits a line."""
    if isinstance(value, bool):
        return str(value).lower()
    return short(f'"{value}"' if isinstance(value, str) else str(value))


def short(text: str) -> str:
    """A text cut to what fits a line."""
    return text if len(text) <= 80 else text[:77] + "..."
