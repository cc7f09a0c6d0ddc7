"""Who sees whom: one line per observer, one column per instance seen."""

from typing import NamedTuple

from iwdc_console.cli.text import wrap
from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Instance, Status
from iwdc_console.tui.model.marks import HEALTHY, UNREACHABLE, shape, tone
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.words import clean, fitted

Line = list[tuple[str, str]]
NAME = 14
UNSAID = "·"


def short_names(names: list[str], width: int) -> dict[str, str]:
    """The ends of names, without the beginning that all share, each at most `width` long."""
    ends = {name: name.rpartition("-")[2] or name for name in names}
    if len(set(ends.values())) < len(names):
        ends = {name: name for name in names}
    return {name: fitted(end[-width:], width, right=True) for name, end in ends.items()}


def matrix_lines(moment: Moment, width: int, most: int) -> list[Line]:
    """The matrix, as much of it as fits, and what disagrees in it."""
    part = moment.observation.status
    if part is None or moment.observation.retold:
        return [[(text(moment.unknown), "text-muted")]]
    return _matrix(part.value, width, most, language())


@once
def _matrix(status: Status, width: int, most: int, spoken: str) -> list[Line]:
    """In the language `spoken`."""
    names = [item.id for item in status.instances]
    cell = min(5, max(2, (width - NAME) // max(1, len(names))))
    fitting = names[: max(1, (width - NAME) // cell)]
    short = short_names(names, cell - 1)
    lines: list[Line] = [[(" " * NAME, ""), *((" " + short[name], "text-muted") for name in fitting)]]
    for item in status.instances[: max(1, most - 1)]:
        line: Line = [(fitted(item.id, NAME - 1) + " ", "" if item.status == HEALTHY else tone(item.status))]
        line += (_cell(_said(item, name), cell) for name in fitting)
        lines.append(line)
    return [*lines, *_wrapped(_disagreements(status), width)][:most]


def seen(status: Status, observer: str, name: str) -> str | None:
    """How `observer` sees `name`; None when it did not say, or is itself out of sight."""
    item = next((one for one in status.instances if one.id == observer), None)
    return None if item is None else _said(item, name)


class Blind(NamedTuple):
    """`one` does not see `other`; whether that is `mutual`."""

    one: str
    other: str
    mutual: bool


def link_words(link: Blind) -> str:
    """A broken link in words."""
    return text("matrix.blind_both" if link.mutual else "matrix.blind", one=link.one, other=link.other)


def broken_links(status: Status) -> list[Blind]:
    """Who does not see whom, though the asked node sees both; each pair once."""
    there = [item for item in status.instances if item.status != UNREACHABLE]
    blind = {(one.id, other.id) for one in there for other in there if one.sees.get(other.id) == UNREACHABLE}
    return [
        Blind(one, other, (other, one) in blind)
        for one, other in sorted(blind)
        if one < other or (other, one) not in blind
    ]


def _said(observer: Instance, name: str) -> str | None:
    return None if observer.status == UNREACHABLE else observer.sees.get(name)


def _cell(said: str | None, width: int) -> tuple[str, str]:
    if said is None:
        return f"{UNSAID:>{width}}", "text-muted"
    return f"{shape(said):>{width}}", tone(said)


def _wrapped(sentences: list[str], width: int) -> list[Line]:
    return [[(line, "status-degraded")] for words in sentences for line in wrap(clean(words), width)]


def _disagreements(status: Status) -> list[str]:
    """Instances that some see and others do not: a link is broken, not a node."""
    observers = [item for item in status.instances if item.status != UNREACHABLE]
    unseen = {name for one in observers for name, said in one.sees.items() if said == UNREACHABLE}
    sentences: list[str] = []
    for item in status.instances:
        if item.id not in unseen:
            continue
        blind = [one.id for one in observers if one.id != item.id and one.sees.get(item.id) == UNREACHABLE]
        if not blind:
            continue
        sighted = [
            one.id for one in observers if one.id != item.id and one.sees.get(item.id, UNREACHABLE) != UNREACHABLE
        ]
        if sighted:
            words = text("matrix.disagree", instance=item.id, blind=", ".join(blind), sighted=", ".join(sighted))
            sentences.append(words)
    return sentences
