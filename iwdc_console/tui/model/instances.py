"""What the Instances screen says: the detail of one instance, with the evidence for its status."""

from iwdc_console.cli.text import wrap
from iwdc_console.locale import text
from iwdc_console.tui.model.api import Instance, Status
from iwdc_console.tui.model.bars import sparkline
from iwdc_console.tui.model.evidence import proof, reason, status_word, telling
from iwdc_console.tui.model.history import Sample
from iwdc_console.tui.model.marks import DEGRADED, HEALTHY, UNREACHABLE, mark, shape, tone
from iwdc_console.tui.model.matrix import seen
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.quantity import NONE, age, milliseconds
from iwdc_console.tui.model.words import clean

Line = list[tuple[str, str]]
LABEL = 14
SEVERITY = {HEALTHY: 0, UNREACHABLE: 2}
"""How bad it is to be so; anything between, 1."""


def detail_lines(moment: Moment, instance: str, width: int, most: int) -> list[Line]:
    """Everything about one instance: what it is, why, who says so, what it was."""
    part = moment.observation.status
    if part is None:
        return [[(text(moment.unknown), "text-muted")]]
    item = next((one for one in part.value.instances if one.id == instance), None)
    if item is None:
        return [[(text("instances.none"), "text-muted")]]
    aged_ms = 0.0 if moment.past else max(0.0, moment.now_s - part.at_s) * 1000
    lines = [
        _head(item, part.value, aged_ms),
        *_why(item, part.value, aged_ms, width),
        *_witnesses(item, part.value),
        [],
        *_history(moment.history.samples(item.id), width, own=item.id == part.value.id),
        [],
        _pair("column.url", item.url),
        _pair("column.protocol", item.protocol or NONE),
    ]
    return lines[:most]


def to_look_at(moment: Moment, seen: str) -> str:
    """The instance that is worst off; "" where all are well, or where `seen`, which is looked at already, is not."""
    part = moment.observation.status
    if part is None or moment.observation.retold:
        return ""
    unwell = {each.id: each.status for each in part.value.instances if each.status != HEALTHY}
    if part.value.suspect is not None:
        unwell.setdefault(part.value.suspect, HEALTHY)
    return "" if seen in unwell else max(unwell, key=lambda name: SEVERITY.get(unwell[name], 1), default="")


def _head(item: Instance, status: Status, aged_ms: float) -> Line:
    sign, shade = mark(item, status.leader.id)
    line: Line = [(f"{sign} ", shade), (item.id, "bold"), (f"  {status_word(item.status)}", tone(item.status))]
    if item.status_age_ms is not None:
        line.append((" " + text("instances.for", age=age(item.status_age_ms + aged_ms)), "text-muted"))
    if item.id == status.leader.id:
        line.append((" " + text("instances.leads"), "status-leader"))
    return line


def _why(item: Instance, status: Status, aged_ms: float, width: int) -> list[Line]:
    """Each reason on lines of its own, with its evidence."""
    lines: list[Line] = []
    for word in telling(item.reasons):
        lines += _indented(reason(word), tone(item.status), width)
        lines[-1].append((f"  {proof(word, item, aged_ms)}", "text-muted"))
    if item.id == status.suspect:
        lines += _indented(text("reason.suspect"), tone(DEGRADED), width)
    if not lines:
        words = text("instances.no_reason") if item.status == HEALTHY else text("reason.no_answer")
        lines.append([(f"  {words}", "text-muted")])
    return lines


def _indented(words: str, tone: str, width: int) -> list[Line]:
    return [[(f"  {line}", tone)] for line in wrap(clean(words), max(20, width - 2))]


def _pair(key: str, value: str) -> Line:
    return [(f"{text(key):<{LABEL}}", "text-muted"), (value, "")]


def _witnesses(item: Instance, status: Status) -> list[Line]:
    """Who sees it how: the evidence beyond the asked node's own."""
    line: Line = [(f"{text('instances.seen_by'):<{LABEL}}", "text-muted")]
    for other in status.instances:
        if other.id != item.id:
            said = seen(status, other.id, item.id)
            line.append((f"{shape(said) if said else '·'} {other.id}  ", tone(said) if said else "text-muted"))
    lines = [line]
    if item.refused_by:
        lines.append(_pair("instances.refused_by", ", ".join(item.refused_by)))
    return lines


def _history(samples: list[Sample], width: int, own: bool) -> list[Line]:
    """Statuses and numbers since the console looks, newest at the right; the asked node sends itself no heartbeats."""
    newest = samples[-max(10, width - LABEL - 12) :]
    room = len(newest)
    if not newest:
        return []
    strip: Line = [(f"{text('column.status'):<{LABEL}}", "text-muted")]
    strip += [(shape(one.status), tone(one.status)) for one in newest]
    if own:
        return [strip]
    return [
        strip,
        _plot("column.beat", [one.beat_ms for one in newest], room, age),
        _plot("column.rtt", [one.rtt_ms for one in newest], room, milliseconds),
    ]


def _plot(key: str, values: list[float | None] | list[int | None], room: int, form: object) -> Line:
    known = [value for value in values if value is not None]
    top = max(known, default=None)
    words = form(top) if callable(form) else ""
    return [
        (f"{text(key):<{LABEL}}", "text-muted"),
        (sparkline(list(values), room), "proposal-pending"),
        (" " + text("instances.most", value=words) if known else "", "text-muted"),
    ]
