"""Prometheus' text format, read again and again: what names a series stays the same, and is read once.

`prometheus_client` reads it as well, at some forty times the cost: with a hundred instances it would hold up the keys.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]
PARTS = ("_bucket", "_sum", "_count", "_created", "_total")
"""Ends of the names of samples whose type and help stand under the name without them."""

_SERIES = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})?")
_LABEL = re.compile(r'\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPED = re.compile(r'\\([\\n"])')


class BadText(Exception):
    """The text is not in Prometheus' format; the message says where."""


class Sample(NamedTuple):
    """One line: `family` is the name its type and help stand under."""

    name: str
    labels: Labels
    value: float
    family: str
    kind: str
    help: str


def samples(text: str) -> Iterator[Sample]:
    """Every sample, in the order of the text. Raises `BadText`."""
    kinds: dict[str, str] = {}
    helps: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            _, what, name, rest = (*line.split(None, 3), "", "", "")[:4]
            if what == "TYPE":
                kinds[name] = rest.strip()
            elif what == "HELP":
                helps[name] = _unescaped(rest)
        elif line and not line.isspace():
            try:
                name, labels, value = _sample(line.strip())
            except ValueError:
                raise BadText(f"the metrics are not in Prometheus' text format: line {number}: {line[:80]}") from None
            family = name if name in kinds else _family(name)
            family = family if family in kinds else name
            yield Sample(name, labels, value, family, kinds.get(family, "unknown"), helps.get(family, ""))


def _sample(line: str) -> tuple[str, Labels, float]:
    series, _, value = line.rpartition(" ")
    if (found := _series(series.rstrip())) is None:  # a time may stand behind the value
        series, _, value = series.rstrip().rpartition(" ")
        found = _series(series.rstrip())
    if found is None:
        raise ValueError(line)
    return *found, float(value)


@lru_cache(maxsize=16_384)
def _series(words: str) -> tuple[str, Labels] | None:
    found = _SERIES.fullmatch(words)
    if found is None:
        return None
    labels, at, inside = [], 0, (found[2] or "").strip()
    while at < len(inside):
        label = _LABEL.match(inside, at)
        if label is None:
            return None
        labels.append((label[1], _unescaped(label[2])))
        at = label.end()
    return found[1], tuple(sorted(labels))


def _unescaped(words: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], words) if "\\" in words else words


@lru_cache(maxsize=16_384)
def _family(name: str) -> str:
    return next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
