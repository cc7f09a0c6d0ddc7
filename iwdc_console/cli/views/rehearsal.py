"""What a rehearsal showed: a timeline, who led, who was without quorum, what clients felt, and a summary."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from iwdc_console.cli.table import GAP, Column
from iwdc_console.cli.text import cells, safe, wrap
from iwdc_console.cli.views.screen import Screen

if TYPE_CHECKING:
    from node.simulation.scenario.timeline import Spell, Timeline

_EVENTS = (Column("at", ">", least=8), Column("who", least=10), Column("what", least=20))
MAX_SUFFERED = 20


def rehearsal_table(timeline: "Timeline", screen: Screen) -> str:
    """The timeline, what it adds up to, and the summary."""
    from node.simulation.scenario.rehearsal import summary

    parts = []
    if timeline.happenings:
        parts.append(screen.table(_EVENTS, list(_wrapped(timeline, screen.width))))
    parts.append(screen.fields(_fields(timeline)))
    parts.append(screen.note(summary(timeline), tone="bad" if timeline.broken else "strong"))
    return "\n\n".join(parts)


def _wrapped(timeline: "Timeline", width: int) -> Iterator[list[str]]:
    """What happened, in as many rows as its words need; who it happened to has a third of the width at most."""
    told = [(f"{each.t_s:.1f} s", safe(", ".join(each.who)), safe(each.what)) for each in timeline.happenings]
    at_most = max(_EVENTS[1].least, (width - _EVENTS[0].least) // 3)
    names = [wrap(who, at_most) for _, who, _ in told]
    room = width - _EVENTS[0].least - max(cells(line) for lines in names for line in lines) - 2 * len(GAP)
    for (at, _, what), who in zip(told, names, strict=True):
        first, *rest = wrap(what, max(_EVENTS[2].least, room) - len(GAP))
        words = [first, *(GAP + line for line in rest)]
        for row in zip_longest([at], who, words, fillvalue=""):
            yield list(row)


def _fields(timeline: "Timeline") -> list[tuple[str, str]]:
    leaders = "; ".join(f"{each.who} term {each.what} {_span(each)}" for each in timeline.leaders)
    nobody = "; ".join(_span(each) for each in timeline.nobody)
    without = "; ".join(f"{each.who} {_span(each)}" for each in timeline.without_quorum)
    suffered = timeline.suffered[:MAX_SUFFERED]
    more = len(timeline.suffered) - len(suffered)
    down = f", {timeline.turned_down} turned down" if timeline.turned_down else ""
    fields = [
        ("cluster", f"{', '.join(timeline.members)}; rule {timeline.rule}, {timeline.strategy}"),
        ("leader", leaders or "nobody"),
        ("without leader", nobody or "never"),
        ("without quorum", without or "never, as far as it ran"),
        ("requests", f"{timeline.done} done{down}, {len(timeline.suffered)} suffered"),
    ]
    fields += [("", each) for each in suffered]
    return [*fields, ("", f"and {more} more")] if more else fields


def _span(spell: "Spell") -> str:
    return f"{spell.from_s:.1f}-{spell.to_s:.1f} s"


def rehearsal_rows(timeline: "Timeline") -> Iterable[tuple[object, ...]]:
    """at (ms), who, what."""
    return ((_ms(each.t_s), ",".join(each.who), each.what) for each in timeline.happenings)


def rehearsal_document(timeline: "Timeline") -> dict[str, Any]:
    """All of it, for programs. Times are ms since the rehearsal began."""
    from node.simulation.scenario.rehearsal import summary

    return {
        "members": list(timeline.members),
        "rule": timeline.rule,
        "strategy": timeline.strategy,
        "lastedMs": _ms(timeline.lasted_s),
        "timeline": [{"atMs": _ms(each.t_s), "who": each.who, "what": each.what} for each in timeline.happenings],
        "leaders": [{"leader": each.who, "term": each.what, **_times(each)} for each in timeline.leaders],
        "withoutLeader": [_times(each) for each in timeline.nobody],
        "withoutQuorum": [{"instance": each.who, **_times(each)} for each in timeline.without_quorum],
        "requestsDone": timeline.done,
        "requestsTurnedDown": timeline.turned_down,
        "requestsSuffered": timeline.suffered,
        "recoveredMs": None if timeline.recovered_s is None else _ms(timeline.recovered_s),
        "waitsFor": timeline.waits_for or None,
        "broken": timeline.broken or None,
        "summary": summary(timeline),
    }


def _times(spell: "Spell") -> dict[str, int]:
    return {"fromMs": _ms(spell.from_s), "toMs": _ms(spell.to_s)}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
