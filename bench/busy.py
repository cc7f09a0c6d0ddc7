"""A cluster that keeps a console busy: a hundred instances asked once a second, 500 new events a second, no part empty.

What it answers is decoded from the JSON that a node would send, as it comes, in the console's own loop.

`python -m bench.busy FD` shows it in this terminal and writes to the open file `FD` when a paint is out that a moved
cursor has caused, as nanoseconds of the monotonic clock.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from textual import events

from iwdc_console.tui.app import Console
from iwdc_console.tui.model.api import (
    AtInstance,
    Candidate,
    Conflict,
    Counts,
    Drift,
    DriftSample,
    Event,
    Instance,
    Leader,
    Lock,
    ObjectChanges,
    Proposal,
    Quorum,
    Span,
    Status,
    Summary,
    Trace,
    TraceSummary,
    Version,
    Vote,
)
from iwdc_console.tui.model.api import Comparison as Changes
from iwdc_console.tui.model.observation import Link, Observation, Part, PartName
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.source.answers import decode
from iwdc_console.tui.source.events import KEPT
from iwdc_console.tui.source.live import POLL_S, PUBLISH_S
from iwdc_console.tui.widgets.table import Table

INSTANCES: Final = 100
EVENTS_PER_S: Final = 500
MANY: Final = 200
"""Proposals, locks and traces: as many as a node lists."""
ANSWERS: Final = 5
"""So many that differ, of each part; the next one comes with each poll, which is every fourth observation."""
NODE: Final = "http://10.0.0.1:3000"
NAMES: Final = tuple(f"instance-{n:03d}" for n in range(INSTANCES))
TRACE: Final = "7f3a" * 8


class Busy:
    """Asked as `LiveSource` asks: the status and what the screen in front needs once a second, events as they come."""

    context = "busy"

    def __init__(self) -> None:
        self.number = 0
        self._wanted: frozenset[PartName] = frozenset()
        self._told: tuple[Event, ...] = ()
        self._answers = _answers()

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """For ever."""
        known = Observation(context=self.context, nodes=(NODE,))
        polled_s, wanted = 0.0, self._wanted
        while True:
            self.number += 1
            now_s, now_ms = time.monotonic(), int(time.time() * 1000)
            self._told = (*self._told, *self._fresh(now_ms))[-KEPT:]
            parts: dict[str, Any] = {"events": self._told}
            if now_s - polled_s >= POLL_S or self._wanted - wanted:
                polled_s, wanted = now_s, self._wanted
                for name in {"status", *self._wanted} & self._answers.keys():
                    answer = self._answers[name][self.number % ANSWERS]
                    parts[name] = decode(name, answer) if isinstance(answer, bytes) else answer
                    await asyncio.sleep(0)  # each answer comes by itself
            made = {name: Part(value, NODE, now_s, now_ms) for name, value in parts.items()}
            known = msgspec.structs.replace(known, link=Link(NODE, 0.5, now_s), **made)
            yield known
            await asyncio.sleep(PUBLISH_S)

    def _fresh(self, now_ms: int) -> Iterator[Event]:
        first = self.number * EVENTS_PER_S
        for n in range(first, first + int(EVENTS_PER_S * PUBLISH_S)):
            yield Event(str(n), NAMES[n % INSTANCES], n, "LOADED", now_ms, n, TRACE, {"n": n})

    def want(self, parts: frozenset[PartName]) -> None:
        """What the screen in front shows."""
        self._wanted = parts

    def retry(self) -> None:
        """Nothing to wait for."""

    def look_at_trace(self, trace: str) -> None:
        """There is one, whichever is looked at."""

    def look_at_version(self, version: str, base: str = "") -> None:
        """All have the same content."""

    async def journal(self) -> tuple[Event, ...]:
        """Nothing from before."""
        return ()


def _status(number: int, now_ms: int) -> Status:
    sees = dict.fromkeys(NAMES, "healthy")
    members = tuple(
        Instance(
            id=name, url=f"http://10.0.0.{place}:3000", status="healthy", uptime_ms=number * 250 + place,
            heartbeat_age_ms=(number * 37 + place * 91) % 1_000, rtt_ms=(number + place) % 9 / 3,
            drift_ms=float(place % 7), version="1.0.0", sees=sees,
        )
        for place, name in enumerate(NAMES)
    )  # fmt: skip
    leader = Leader(NAMES[0], 3, now_ms - 60_000, 9_000, tuple(Candidate(name, 1, "healthy") for name in NAMES))
    return Status(
        id=NAMES[1], cluster="busy", quorum=Quorum(INSTANCES, INSTANCES, 51, True), leader=leader, instances=members,
        events=number * int(EVENTS_PER_S * PUBLISH_S), current_version="1.0.0", open_proposals=2, locks=MANY,
    )  # fmt: skip


def _proposal(n: int, now_ms: int) -> Proposal:
    votes = {name: Vote("accept", None, now_ms - n * 1_000 - place) for place, name in enumerate(NAMES)}
    return Proposal(
        key=f"k{n}", id=f"snapshot-1.{n}.0", kind="snapshot", version=f"1.{MANY - n}.0", hash=f"{n:064x}",
        proposer=NAMES[n % INSTANCES], state="accepted" if n > 2 else "pending", created_at=now_ms - n * 1_000 - 500,
        deadline=now_ms + 9_000, decided_at=now_ms - n * 1_000, required=51, voters=NAMES, votes=votes, trace_id=TRACE,
    )  # fmt: skip


def _proposals(number: int, now_ms: int) -> tuple[Proposal, ...]:
    return tuple(_proposal(n, now_ms) for n in range(MANY))


def _locks(number: int, now_ms: int) -> tuple[Lock, ...]:
    return tuple(
        Lock(f"shelf-{n:03d}", f"builder-{n % 9}", NAMES[n % INSTANCES], n, 30_000, _left(number, n), n % 3)
        for n in range(MANY)
    )


def _left(number: int, n: int) -> int:
    return (number * 250 + n * 77) % 30_000


def _drift(number: int, now_ms: int) -> Drift:
    history = tuple(
        DriftSample(now_ms - ago * 1_000, (number + ago) % 11 - 5.0, 0.4, NAMES[0]) for ago in range(MANY, 0, -1)
    )
    peers: dict[str, float | None] = {name: float((number + n) % 13) for n, name in enumerate(NAMES)}
    return Drift(NAMES[1], NAMES[0], 1.0, 0.4, 1.5, 900, None, 1_000.0, peers, history)


def _conflicts(number: int, now_ms: int) -> tuple[Conflict, ...]:
    two = (_proposal(5, now_ms), _proposal(6, now_ms))
    return tuple(Conflict(f"version:1.{n}.0", two, "k5", "last-write-wins", "the later one") for n in range(30))


def _elections(number: int, now_ms: int) -> tuple[Event, ...]:
    return tuple(
        Event(f"l{n}", NAMES[n % INSTANCES], n, "LEADER_CHANGED", now_ms - (MANY - n) * 60_000, n, "",
              {"from": NAMES[n % 7], "to": NAMES[n % 5], "term": n, "reason": "refused"})
        for n in range(MANY)
    )  # fmt: skip


def _traces(number: int, now_ms: int) -> tuple[TraceSummary, ...]:
    return tuple(
        TraceSummary(f"{n:032x}", "PROPOSE_SNAPSHOT_API", f"snapshot-{n}", now_ms - n * 90.0, 7.4, 204, NAMES[:1])
        for n in range(MANY)
    )


def _trace(number: int, now_ms: int) -> Trace:
    spans = [Span(TRACE, "root", None, "PROPOSE_SNAPSHOT_API", NAMES[0], now_ms, 90.0)]
    spans += [Span(TRACE, f"s{n}", "root", "VOTE", NAMES[n % INSTANCES], now_ms + n / 4, 2.0) for n in range(MANY)]
    return Trace(TRACE, tuple(spans))


def _metrics(number: int, now_ms: int) -> str:
    lines = []
    for n in range(8):
        lines += [f"# HELP m{n}_total Counts what is counted.", f"# TYPE m{n}_total counter"]
        lines += [f'm{n}_total{{instance="{name}"}} {number * (n + 1) + place}' for place, name in enumerate(NAMES)]
    for n in range(12):
        lines += [f"# HELP h{n}_seconds How long it takes.", f"# TYPE h{n}_seconds histogram"]
        lines += [f'h{n}_seconds_bucket{{le="{bound}"}} {number * bound}' for bound in (1, 2, 5, 10, 20, 50, 100)]
        lines += [f'h{n}_seconds_bucket{{le="+Inf"}} {number * 200}', f"h{n}_seconds_count {number * 200}"]
        lines += [f"h{n}_seconds_sum {number * 3.5}"]
    return "\n".join(lines) + "\n"


def _versions(number: int, now_ms: int) -> tuple[Version, ...]:
    has, fetching = AtInstance("has", 100), AtInstance("fetching", number % 100)
    at = {name: fetching if place % 9 == 0 else has for place, name in enumerate(NAMES)}
    return tuple(
        Version(f"1.{40 - n}.0", "current" if n == 0 else "accepted", at, f"{n:064x}", f"{n:064x}", 400, 84_000)
        for n in range(40)
    )


def _summary(number: int, now_ms: int) -> Summary:
    return Summary("1.40.0", "5" * 64, "ab12", "2026-11-23T17:31:00.000Z", 406, 84_000, {"models": 25, "lengths": 375})


def _comparison(number: int, now_ms: int) -> Changes:
    gone = ObjectChanges(removed=tuple({"slug": f"model-{n}", "title": f"Model {n}"} for n in range(100)))
    return Changes("1.39.0", "1.40.0", {"models": Counts(0, 100, 0)}, {"models": gone})


PARTS: Final[Mapping[PartName, Callable[[int, int], Any]]] = {
    "status": _status, "proposals": _proposals, "locks": _locks, "drift": _drift, "conflicts": _conflicts,
    "elections": _elections, "traces": _traces, "trace": _trace, "metrics": _metrics, "versions": _versions,
    "summary": _summary, "comparison": _comparison,
}  # fmt: skip


def _answers() -> dict[PartName, list[Any]]:
    """Of each part some answers that differ, as bytes; a trace is put together from several by the source."""
    now_ms = int(time.time() * 1000)
    made = {name: [make(4 * number, now_ms) for number in range(ANSWERS)] for name, make in PARTS.items()}
    return {name: values if name == "trace" else list(map(_sent, values)) for name, values in made.items()}


def _sent(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else msgspec.json.encode({"success": True, "data": value})


class Watched(Console):
    """Tells when what a moved cursor has changed is painted."""

    def __init__(self, to: int) -> None:
        super().__init__(Busy(), Observation(context="busy"))
        self._to = to
        self._watched: set[View] = set()
        self._pressed = False

    def entered(self, needs: frozenset[PartName]) -> str:
        """The table of a screen that comes to the front for the first time is watched from then on."""
        view = self.view
        if view is not None and view not in self._watched:
            self._watched.add(view)
            self.watch(view.query(Table).first(), "cursor", partial(self._moved, view), init=False)
        return super().entered(needs)

    async def on_event(self, event: events.Event) -> None:
        """Only what a key moves counts: a cursor may follow the news as well."""
        self._pressed = self._pressed or isinstance(event, events.Key)
        await super().on_event(event)

    def _moved(self, view: View) -> None:
        if self._pressed:
            self._pressed = False
            view.call_after_refresh(self._painted)

    def _painted(self) -> None:
        os.write(self._to, b"%d\n" % time.monotonic_ns())


if __name__ == "__main__":
    Watched(int(sys.argv[1])).run()
