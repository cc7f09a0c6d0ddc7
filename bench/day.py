"""The console's memory over a day of virtual time: a cluster asked every two seconds, five events a second.

`python -m bench.day FD HOURS INSTANCES HOUR_S` shows it in this terminal. Every observation is shown, each decoded from
the JSON that a node would send; only the waiting in between is left out. Each hour of `HOUR_S` seconds a person goes
through all screens, travels back in time, opens help and palette, filters and sorts; then the bytes in memory are
written to the open file `FD`. `bench/memory.py` runs it.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.processes import PAGE_BYTES
from iwdc_console.tui.app import Console
from iwdc_console.tui.clock import Clock
from iwdc_console.tui.model.api import (
    Candidate,
    Event,
    Instance,
    Leader,
    Lock,
    Proposal,
    Quorum,
    Status,
    TraceSummary,
    Vote,
)
from iwdc_console.tui.model.observation import Link, Observation, Part, PartName
from iwdc_console.tui.screens.places import PLACES
from iwdc_console.tui.source.answers import decode
from iwdc_console.tui.source.events import KEPT

NODE: Final = "http://10.0.0.1:3000"
STEP_S: Final = 2
EVENTS_PER_STEP: Final = 10
BEGIN_MS: Final = 1_790_000_000_000
KEYS: Final = (
    *(key for place in PLACES if not place.demo for key in (place.key, "down", "enter", "down", "escape")),
    "1", "slash", "A", "enter", "escape", "s", "S", "t", "comma", "comma", "left", "shift+left", "t",
    "question_mark", "escape", "ctrl+p", "escape", "colon", "escape", "z", "escape", "space", "space", "y",
    "equals_sign",
)  # fmt: skip


class Day:
    """Whatever can change does: statuses, leaders, proposals, locks."""

    context = "day"

    def __init__(self, hours: int, instances: int, hour_s: int) -> None:
        self.now_s = 0.0
        self._names = tuple(f"instance-{n:03d}" for n in range(instances))
        self._required = instances // 2 + 1
        self.hour = asyncio.Event()
        """An hour has passed."""
        self.used = asyncio.Event()
        """The console was used for a while: the next hour may begin."""
        self._hours = hours
        self._steps_an_hour = hour_s // STEP_S
        self._random = random.Random(4)
        self._events: tuple[Event, ...] = ()

    def _name(self, n: int) -> str:
        return self._names[n % len(self._names)]

    def clock(self) -> Clock:
        """The clocks of this day."""
        return Clock(lambda: self.now_s, lambda: BEGIN_MS + self.now_s * 1000)

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """Until the last hour is over."""
        for step in range(self._hours * self._steps_an_hour):
            self.now_s = float(step * STEP_S)
            yield self._observation(step)
            await asyncio.sleep(0)
            if (step + 1) % self._steps_an_hour == 0:
                self.hour.set()
                await self.used.wait()
                self.used.clear()

    def _observation(self, step: int) -> Observation:
        now_s, now_ms = self.now_s, BEGIN_MS + int(self.now_s * 1000)
        self._events = (*self._events, *(self._event(step, n, now_ms) for n in range(EVENTS_PER_STEP)))[-KEPT:]
        node = self._name(0)
        parts = {
            "status": received("status", self._status(step, now_ms)),
            "events": self._events,
            "proposals": received("proposals", self._proposals(step, now_ms)),
            "locks": tuple(Lock(f"shelf-{n}", "builder", self._name(n), step, 30_000, step % 30_000) for n in range(5)),
            "traces": tuple(
                TraceSummary(f"{step + n:032x}", "PROPOSE_SNAPSHOT_API", f"snapshot-{n}", now_ms - n, 7.4, 6, (node,))
                for n in range(50)
            ),
            "metrics": "".join(f'm_total{{n="{n}"}} {step * n}\n' for n in range(60)),
        }  # fmt: skip
        told = {name: Part(value, NODE, now_s, now_ms) for name, value in parts.items()}
        return Observation(context="day", nodes=(NODE,), link=Link(NODE, 0.5, now_s), **told)  # type: ignore[arg-type]

    def _event(self, step: int, n: int, now_ms: int) -> Event:
        seq = step * EVENTS_PER_STEP + n
        kind = "LEADER_CHANGED" if seq % 3_001 == 0 else "LOADED"
        return Event(f"e{seq}", self._name(n), seq, kind, now_ms, now_ms << 16 | n, f"{seq:032x}", {"n": seq})

    def _status(self, step: int, now_ms: int) -> Status:
        gone = self._name(step // 600) if step % 600 > 500 else ""
        states = {name: "unreachable" if name == gone else "healthy" for name in self._names}
        members = tuple(
            Instance(
                id=name, url=NODE, status=states[name], reasons=("refused",) if name == gone else (),
                uptime_ms=int(self.now_s * 1000), heartbeat_age_ms=self._random.randrange(1_000),
                rtt_ms=self._random.random() * 3, drift_ms=self._random.random() * 9, version=f"1.{step // 900}.0",
                sees=states,
            )
            for name in self._names
        )  # fmt: skip
        leader = self._name(step // 3_000)
        healthy = len(members) - bool(gone)
        return Status(
            id=members[0].id, cluster="day", instances=members,
            quorum=Quorum(len(members), healthy, self._required, True),
            leader=Leader(leader, step // 3_000, 0, 0, tuple(Candidate(name, 1, states[name]) for name in self._names)),
            events=step * EVENTS_PER_STEP, current_version=f"1.{step // 900}.0", at=now_ms,
        )  # fmt: skip

    def _proposals(self, step: int, now_ms: int) -> tuple[Proposal, ...]:
        newest = step // 20
        votes = dict.fromkeys(self._names, Vote("accept", None, now_ms))
        return tuple(
            Proposal(
                key=f"k{n}", id=f"snapshot-{n}", kind="snapshot", version=f"1.{n}.0", hash=f"{n:064x}",
                state="accepted", proposer=self._name(n), created_at=now_ms - 500, decided_at=now_ms,
                required=self._required, voters=self._names, votes=votes,
            )
            for n in range(max(0, newest - 50), newest)
        )  # fmt: skip

    def want(self, parts: frozenset[PartName]) -> None:
        """All that there is comes anyway."""

    def retry(self) -> None:
        """Nothing to wait for."""

    def look_at_trace(self, trace: str) -> None:
        """None is gathered."""

    def look_at_version(self, version: str, base: str = "") -> None:
        """None is stored."""

    async def journal(self) -> tuple[Event, ...]:
        """What is remembered."""
        return self._events


class Lived(Console):
    """A console that is used for a while each hour."""

    def __init__(self, day: Day, to: int) -> None:
        super().__init__(day, Observation(context="day"), day.clock())
        self._day = day
        self._to = to

    def on_mount(self) -> None:
        """Begin the day."""
        super().on_mount()
        self.run_worker(self._be_used(), group="use")

    async def _be_used(self) -> None:
        while True:
            await self._day.hour.wait()
            self._day.hour.clear()
            for key in KEYS:
                self.simulate_key(key)
                await asyncio.sleep(0.05)
            os.write(self._to, b"%d\n" % resident())
            self._day.used.set()


def received(name: PartName, value: object) -> Any:
    """The value as it is after it came from a node: nothing in it is shared with what came before."""
    return decode(name, b'{"success":true,"data":%b}' % msgspec.json.encode(value))


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    told_to, *of_day = map(int, sys.argv[1:])
    day = Day(*of_day)
    Lived(day, told_to).run()
