"""What happened: events, traces as waterfalls, metrics."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from iwdc_console.cli.table import Cell, Column
from iwdc_console.cli.text import cells, duration, fit, pad, safe
from iwdc_console.cli.views.screen import Screen, count, short_hash

Row = Sequence[object]

_EVENTS = (
    Column("when", ">", least=8),
    Column("origin", least=10),
    Column("type", least=12),
    Column("what", least=20),
    Column("trace", drop=1, least=8),
)


def events_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """One line per event."""
    if not data:
        return "No events."
    rows: list[list[Cell]] = [
        [
            screen.age(item.get("timestamp")),
            item["origin"],
            item["type"],
            event_text(item),
            str(item.get("traceId") or ""),
        ]
        for item in data
    ]
    return screen.table(_EVENTS, rows)


def events_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """timestamp, origin, seq, type, id, trace id, payload as `name=value`s."""
    names = ("timestamp", "origin", "seq", "type", "id", "traceId")
    return [[*(item.get(name) for name in names), event_text(item)] for item in data]


def event_text(event: dict[str, Any]) -> str:
    """The payload in one line: `version=1.2.0 hash=abc123`; of proposals and votes what people look for."""
    payload = event.get("payload") or {}
    if payload.get("label"):
        return _labelled(payload["label"], payload)
    if isinstance(payload.get("proposals"), list):
        return ", ".join(_labelled(each.get("label"), each) for each in payload["proposals"])
    if isinstance(payload.get("accepted"), list):
        return ", ".join(_labelled(each.get("proposalId"), each) for each in payload["accepted"])
    if event["type"] == "VOTES" and isinstance(payload.get("votes"), list):
        return ", ".join(_vote(vote) for vote in payload["votes"])
    return " ".join(f"{name}={_value(value)}" for name, value in payload.items() if value is not None)


def _labelled(label: object, payload: dict[str, Any]) -> str:
    return f"{label} hash={short_hash(str(payload.get('hash')))}"


def _vote(vote: dict[str, Any]) -> str:
    reason = f" ({vote['reason']})" if vote.get("reason") else ""
    return f"{vote.get('vote')} {vote.get('proposal')}{reason}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + " ".join(f"{name}={_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(_value(item) for item in value) + "]"
    return str(value)


def event_line(event: dict[str, Any], screen: Screen, clock: str) -> str:
    """An event as one line of a stream that goes on: columns of fixed width, so that lines stand under one another."""
    kind = pad(safe(str(event["type"])), 18)
    head = f"{clock}  {pad(safe(str(event['origin'])), 14)}  {screen.paint(kind, 'strong')}  "
    used = cells(clock) + 2 + 14 + 2 + 18 + 2
    return (head + fit(safe(event_text(event)), max(20, screen.width - used))).rstrip()


_TRACES = (
    Column("when", ">", least=8),
    Column("name", least=16),
    Column("about", drop=2, least=12),
    Column("took", ">", least=7),
    Column("spans", ">", drop=1, least=5),
    Column("trace", least=32),
)


def traces_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """The latest traces the asked node knows."""
    if not data:
        return "No traces."
    rows: list[list[Cell]] = [
        [
            screen.age(item.get("startMs")),
            item["name"],
            item.get("about", ""),
            duration(item.get("durationMs")),
            str(item.get("spans", "")),
            item["id"],
        ]
        for item in data
    ]
    return screen.table(_TRACES, rows)


def traces_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """id, name, start ms, duration ms, spans, instances."""
    return [
        [item["id"], item["name"], item.get("startMs"), item.get("durationMs"), item.get("spans"), *item["instances"]]
        for item in data
    ]


def ordered(spans: Sequence[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Spans with their depth, children under their parents, each level by start; what lost its parent stands on top."""
    known = {span["id"] for span in spans}
    children: dict[str | None, list[dict[str, Any]]] = {}
    for span in sorted(spans, key=lambda item: (item["startMs"], -item["durationMs"], item["id"])):
        parent = span.get("parent")
        children.setdefault(parent if parent in known and parent != span["id"] else None, []).append(span)
    out: list[tuple[int, dict[str, Any]]] = []
    pending = [(0, span) for span in reversed(children.get(None, []))]
    while pending:
        depth, span = pending.pop()
        out.append((depth, span))
        pending += [(depth + 1, child) for child in reversed(children.pop(span["id"], []))]
    shown = {id(span) for _, span in out}
    return [*out, *((0, span) for span in spans if id(span) not in shown)]


def waterfall(trace_id: str, spans: Sequence[dict[str, Any]], screen: Screen) -> str:
    """Every span as a bar on one time axis, by instance and depth.

    Starts come from each instance's own wall clock; bars of different instances are as true as their clocks agree.
    """
    first = min(span["startMs"] for span in spans)
    total = max(0.001, max(span["startMs"] + span["durationMs"] for span in spans) - first)
    lines = ordered(spans)
    instances = sorted({str(span["instance"]) for span in spans})
    name_width = min(30, max(cells(safe(str(span["name"]))) + 2 * min(depth, 4) for depth, span in lines))
    who_width = min(14, max(cells(safe(name)) for name in instances))
    bar_width = max(10, screen.width - name_width - who_width - 9 - 6)
    head = f"trace {trace_id}: {count(len(spans), 'span')} on {', '.join(instances)}, {duration(total)}"
    out = [screen.note(head), ""]
    for depth, span in lines:
        offset = min(bar_width - 1, int((span["startMs"] - first) / total * bar_width))
        length = min(bar_width - offset, max(1, round(span["durationMs"] / total * bar_width)))
        bar = " " * offset + ("█" if screen.shapes else "#") * length
        name = pad("  " * min(depth, 4) + safe(str(span["name"])), name_width)
        who = pad(safe(str(span["instance"])), who_width)
        took = pad(duration(span["durationMs"]), 9, ">")
        out.append(f"{name}  {who}  {took}  {bar}")
    return "\n".join(out)


def waterfall_rows(spans: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """depth, name, instance, start ms, duration ms, id, parent."""
    return [
        [depth, *(span.get(name) for name in ("name", "instance", "startMs", "durationMs", "id", "parent"))]
        for depth, span in ordered(spans)
    ]


_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_UNESCAPE = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def samples(text: str) -> list[dict[str, Any]]:
    """Prometheus text as `{"name", "labels", "value"}`s; comments are left out."""
    out = []
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.fullmatch(line.strip())
        if match:
            labels = {
                name: re.sub(r"\\[n\"\\]", lambda m: _UNESCAPE[m[0]], value)
                for name, value in _LABEL.findall(match[2] or "")
            }
            out.append({"name": match[1], "labels": labels, "value": _number(match[3])})
    return out


def _number(text: str) -> float | int | str:
    try:
        value = float(text)
    except ValueError:
        return text
    if value != value or value in (float("inf"), float("-inf")):
        return text
    return int(value) if value.is_integer() else value


def metrics_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """Names, labels, values."""
    columns = (Column("metric", least=30), Column("labels", least=12), Column("value", ">", least=6))
    rows: list[list[Cell]] = [
        [item["name"], " ".join(f"{k}={v}" for k, v in item["labels"].items()), str(item["value"])] for item in data
    ]
    return screen.table(columns, rows)


def metrics_rows(data: Sequence[dict[str, Any]]) -> Iterable[Row]:
    """name, value, then label=value each."""
    return [[item["name"], item["value"], *(f"{k}={v}" for k, v in item["labels"].items())] for item in data]
