"""How a line becomes a call: each command is known by its usage, and from that its pattern and its errors are made.

In a usage, words in lower case stand for themselves, words in capitals are slots, `a|b` is a choice, and what stands in
brackets may be left out. A slot's name says what it takes: see `_SLOTS`; a choice fills the slot `choice`. Commas in a
line are blanks.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class ScriptError(Exception):
    """A line of a script that cannot be taken: where, what was found, what was expected."""

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"{where}: {found}: expected {expected}")


class Unfit(Exception):
    """A value that does not fit its slot: what was found, what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found, expected)
        self.found = found
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a language. `do` is called with the subject (a setup or a stage) and the slots by name."""

    usage: str
    do: Callable[..., Any]
    pattern: re.Pattern[str]

    @property
    def name(self) -> str:
        """The first word."""
        return self.usage.split()[0]


@dataclass(frozen=True, slots=True)
class Call:
    """A line that was understood."""

    do: Callable[..., Any]
    values: Mapping[str, Any]

    def __call__(self, subject: object) -> Any:
        """Do it."""
        return self.do(subject, **self.values)


LONGEST_S = 36_000.0
"""The longest duration: a rehearsal takes a second for each minute of it."""
FARTHEST_S = 3.6e9
"""How far a clock may be set, a hundred years or so."""
MOST = 100_000
"""The greatest number of anything."""
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([+-]?\d+(?:\.\d+)?)(ms|s|min|h)")


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise Unfit(f"{text!r} is no duration", "one such as 20s, 0.5s, 200ms or 3min")
    return float(found[1]) * _UNITS_S[found[2]]


def _duration(text: str) -> float:
    seconds = _seconds(text)
    if seconds < 0:
        raise Unfit(f"{text!r} is in the past", "a duration of 0s or more")
    if seconds > LONGEST_S:
        raise Unfit(f"{text!r} is too long", f"at most {LONGEST_S / 3600:g}h")
    return seconds


def _offset(text: str) -> float:
    seconds = _seconds(text)
    if abs(seconds) > FARTHEST_S:
        raise Unfit(f"{text!r} is too far", f"at most {FARTHEST_S / 3600:.0f}h, in either direction")
    return seconds


def _number(text: str) -> int:
    if not text.isdecimal():
        raise Unfit(f"{text!r} is no number", "a whole number such as 3")
    if len(text.lstrip("0")) > len(str(MOST)) or int(text) > MOST:
        raise Unfit(f"{text!r} is too many", f"at most {MOST}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 10:
        raise Unfit(f"{text!r} is no rate", "a rate between 0 and 10, 1 being true time")
    return rate


_SLOTS: Mapping[str, Callable[[str], Any]] = {
    "DURATION": _duration,
    "PATIENCE": _duration,
    "TTL": _duration,
    "OFFSET": _offset,
    "COUNT": _number,
    "TOKEN": _number,
    "RATE": _rate,
    "NODES": str.split,
    "OTHERS": str.split,
}
"""Slots that take more than a word, or not any word."""
_MANY = ("NODES", "OTHERS", "SIDES", "CONDITION", "CALL")


def command(usage: str, do: Callable[..., Any]) -> Command:
    """A command from its usage."""
    return Command(usage, do, re.compile(_pattern(usage)))


def _pattern(usage: str) -> str:
    parts = []
    for token in re.findall(r"\[[^]]*\]|\S+", usage):
        if token.startswith("["):
            parts.append(f"(?: {_pattern(token[1:-1])})?")
            continue
        blank = " " if parts else ""
        if token in _MANY:
            parts.append(rf"{blank}(?P<{token.lower()}>\S+(?: \S+)*?)")
        elif token.isupper():
            parts.append(rf"{blank}(?P<{token.lower()}>\S+)")
        else:
            parts.append(blank + (f"(?P<choice>{token})" if "|" in token else re.escape(token)))
    return "".join(parts)


class Language:
    """A set of commands. `slots` are taken besides those that every language has."""

    def __init__(self, **slots: Callable[[str], Any]) -> None:
        self.commands: list[Command] = []
        self._slots = {**_SLOTS, **slots}

    def add(self, usage: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates what a command does; its parameters are the usage's slots, in lower case."""

        def adding(do: Callable[..., Any]) -> Callable[..., Any]:
            self.commands.append(command(usage, do))
            return do

        return adding

    def knows(self, line: str) -> bool:
        """Whether any command begins with the line's first word."""
        return any(each.name == line.split()[0] for each in self.commands)

    def read(self, line: str) -> Call:
        """Understand a line. Raises `Unfit`."""
        words = " ".join(line.replace(",", " ").split())
        unfit = None
        for each in self.commands:
            found = each.pattern.fullmatch(words)
            if found is None:
                continue
            try:
                return Call(each.do, {name: self._value(name, text) for name, text in found.groupdict().items()})
            except Unfit as why:
                unfit = unfit or why
        raise unfit or Unfit(repr(line.strip()), self._expected(words))

    def _expected(self, words: str) -> str:
        first = words.partition(" ")[0]
        usages = [each.usage for each in self.commands if each.name == first]
        if usages:
            return " or ".join(usages)
        names = sorted({each.name for each in self.commands})
        close = difflib.get_close_matches(first, names, n=1, cutoff=0.7)
        return f"{close[0]} (did you mean that?)" if close else "one of " + ", ".join(names)

    def _value(self, name: str, text: str | None) -> Any:
        convert = self._slots.get(name.upper())
        return text if convert is None or text is None else convert(text)
