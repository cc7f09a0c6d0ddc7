"""A diagnosis in words, in the language that is spoken: the command speaks English, the console its person's."""

from collections.abc import Sequence
from typing import NamedTuple

from iwdc_console.diagnosis import Figure, Finding, Level, Phrase
from iwdc_console.locale import number, text
from iwdc_console.reasons import unanswered

SIGNED = "offset_s"
"""The figure whose sign says which way."""
WHY = "why"
"""The figure that says why nobody answered."""


class Told(NamedTuple):
    """A finding in words. `do` is empty where there is nothing to do."""

    level: Level
    about: str
    text: str
    do: str = ""


def told(found: Sequence[Finding]) -> list[Told]:
    """Every finding in words, in the same order."""
    return [
        Told(each.level, each.about, phrase(each.what), phrase(each.do) if each.do is not None else "")
        for each in found
    ]


def verdict(found: Sequence[Finding]) -> str:
    """All of it in a sentence."""
    bad = sum(finding.level == "bad" for finding in found)
    warn = sum(finding.level == "warn" for finding in found)
    broken, doubtful = text("finding.broken", count=bad), text("finding.doubtful", count=warn)
    if bad and warn:
        return text("finding.both", broken=broken, doubtful=doubtful)
    return text("finding.only", what=broken if bad else doubtful) if bad or warn else text("finding.well")


def phrase(said: Phrase) -> str:
    """A phrase in words."""
    return text(f"finding.{said.code}", **{name: _figure(name, figure) for name, figure in said.figures.items()})


def _figure(name: str, figure: Figure) -> object:
    match figure:
        case Phrase():
            return phrase(figure)
        case str():
            return unanswered(figure) if name == WHY else figure
        case float():
            return number(figure, 1, signed=name == SIGNED)
        case int():
            return figure
    words = [phrase(each) if isinstance(each, Phrase) else each for each in figure]
    return (", " if all(isinstance(each, str) for each in figure) else "; ").join(words)
