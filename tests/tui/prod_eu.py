"""A cluster to look at: five instances of which one is weak and one is gone, votes under way, locks, events."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import msgspec

from iwdc_console import locale
from iwdc_console.tui.app import ALONE, Console
from iwdc_console.tui.clock import Clock
from iwdc_console.tui.company import Company
from iwdc_console.tui.model.api import (
    Candidate,
    Event,
    Instance,
    Leader,
    Lock,
    Proposal,
    Quorum,
    Status,
    Vote,
)
from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.moment import Mode, Moment
from iwdc_console.tui.model.observation import Link, Observation, Part, PartName
from iwdc_console.tui.settings import Settings

NODE = "http://10.0.0.1:3000"
NOW_S = 50_000.0
NOW_MS = int(datetime(2026, 11, 23, 20, 31, 48).timestamp() * 1000)  # noqa: DTZ001 (local time is what screens show)
NAMES = ("instance-A", "instance-B", "instance-C", "instance-D", "instance-E")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
UPTIME_MS = 12 * DAY_MS + 4 * HOUR_MS


def instance(name: str, **changes: object) -> Instance:
    """A healthy member that sees all the others."""
    base = Instance(
        id=name, url=f"http://10.0.0.{ord(name[-1]) - 64}:3000", status="healthy", uptime_ms=UPTIME_MS,
        heartbeat_age_ms=300, rtt_ms=1.1, drift_ms=3.0, version="1.4.2", protocol="2",
        sees=dict.fromkeys(NAMES, "healthy"), status_age_ms=2 * DAY_MS,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def instances() -> tuple[Instance, ...]:
    """Five members as instance-A sees them: D is degraded, E is gone."""
    sees = {**dict.fromkeys(NAMES, "healthy"), "instance-D": "degraded", "instance-E": "unreachable"}
    a, b, c, d, e = NAMES
    return (
        instance(a, heartbeat_age_ms=0, rtt_ms=0.0, sees=sees),
        instance(b, heartbeat_age_ms=1_200, rtt_ms=0.8, uptime_ms=31 * DAY_MS + 11 * HOUR_MS, drift_ms=0.0, sees=sees),
        instance(c, drift_ms=-11.0, sees=sees),
        instance(
            d, status="degraded", reasons=("drift",), heartbeat_age_ms=4_900, rtt_ms=7.2, drift_ms=1_204.0,
            uptime_ms=3 * DAY_MS + 3_600_000, version="1.4.1", sees=sees, status_age_ms=53_000,
        ),
        instance(
            e, status="unreachable", reasons=("refused",), heartbeat_age_ms=41_000, rtt_ms=None, drift_ms=None,
            sees={}, status_age_ms=41_000, refused_by=(a, b, c, d),
        ),
    )  # fmt: skip


def status(**changes: object) -> Status:
    """What instance-A says."""
    members = instances()
    candidates = tuple(Candidate(item.id, item.uptime_ms, item.status) for item in members)
    base = Status(
        id="instance-A", cluster="prod-eu", status="healthy", uptime_ms=DAY_MS, protocol="2", rule="majority",
        strategy="last-write-wins", quorum=Quorum(5, 4, 3, True), instances=members,
        leader=Leader("instance-B", 14, NOW_MS - DAY_MS, 0, candidates), current_version="1.4.2",
        current_hash="9f2c3e1f00aa", open_proposals=1, locks=2, events=4_812, at=NOW_MS,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def all_well() -> Status:
    """Five of five healthy."""
    members = tuple(instance(name, drift_ms=0.0 if name == "instance-B" else 3.0) for name in NAMES)
    candidates = tuple(Candidate(item.id, item.uptime_ms, item.status) for item in members)
    return status(
        instances=members, quorum=Quorum(5, 5, 3, True), leader=Leader("instance-B", 14, NOW_MS, 0, candidates)
    )


def proposals() -> tuple[Proposal, ...]:
    """One under vote, two decided."""
    a, b, c, d, _ = NAMES
    accept = Vote("accept", None, NOW_MS - 900, 0)
    votes = {a: accept, b: accept, d: Vote("reject", "stale_version", NOW_MS - 800, 0)}
    return (
        Proposal(
            key="k3", id="snapshot-1.5.0-1", kind="snapshot", version="1.5.0", hash="9f2c3e1f00aa", proposer=a,
            state="pending", created_at=NOW_MS - 1_000, deadline=NOW_MS + 11_000, required=3, voters=NAMES, votes=votes,
            trace_id="7f3a",
        ),
        Proposal(
            key="k2", id="diff-1.4.2", kind="diff", from_="1.4.1", to="1.4.2", hash="aa12", proposer=c, required=3,
            state="accepted", created_at=NOW_MS - 250_000, decided_at=NOW_MS - 240_000, voters=NAMES,
            votes={a: accept, b: accept, c: accept},
        ),
        Proposal(
            key="k1", id="snapshot-1.4.0", kind="snapshot", version="1.4.0", hash="bb34", proposer=b, required=3,
            state="accepted", created_at=NOW_MS - 7_300_000, decided_at=NOW_MS - 7_290_000, voters=NAMES, votes={},
        ),
    )  # fmt: skip


def locks() -> tuple[Lock, ...]:
    """One with time to spare and two waiting for it, one about to expire."""
    return (
        Lock("catalogue", "build-7", "instance-A", 60_129, 30_000, 24_000, 2),
        Lock("reindex", "ops", "instance-C", 60_131, 20_000, 4_000, 0),
    )


ACCEPTED = {"proposalId": "diff-1.4.2", "kind": "diff", "from": "1.4.1", "to": "1.4.2", "hash": "aa12"}


def events() -> tuple[Event, ...]:
    """A leader elected, a proposal, an attempt without quorum."""

    def event(seq: int, ago_ms: int, origin: str, type_: str, **payload: object) -> Event:
        return Event(f"e{seq}", origin, seq, type_, NOW_MS - ago_ms, (NOW_MS - ago_ms) << 16, f"{seq:032x}", payload)

    return (
        event(1, 340_000, "instance-B", "LEADER_CHANGED", **{"from": "instance-E", "to": "instance-B", "term": 14}),
        event(2, 300_000, "instance-D", "SKIPPED_QUORUM", kind="snapshot", hash="cc", version="1.4.2"),
        event(3, 240_000, "instance-C", "DIFF_ACCEPT", accepted=[ACCEPTED]),
        event(
            4,
            1_000,
            "instance-A",
            "SNAPSHOT_PROPOSAL",
            kind="snapshot",
            version="1.5.0",
            label="s-1",
            hash="9f2c3e1f00aa",
        ),
        event(5, 900, "instance-B", "VOTES", votes=[{"proposal": "k3", "vote": "accept"}]),
    )


def observation(known: Status | None = None, at_s: float = NOW_S - 0.4) -> Observation:
    """All parts, received a moment ago."""

    def part(value: object) -> Part:  # type: ignore[type-arg]
        return Part(value, NODE, at_s, NOW_MS - int((NOW_S - at_s) * 1000))

    return Observation(
        context="prod-eu", nodes=(NODE,), link=Link(node=NODE, rtt_ms=0.8, answered_s=at_s),
        status=part(known or status()), locks=part(locks()), proposals=part(proposals()), conflicts=part(()),
        events=part(events()),
    )  # fmt: skip


@cache
def watched(seconds: int = 60) -> tuple[Observation, ...]:
    """What was observed in the seconds before now: E answered until 41 s ago, D was well until 53 s ago."""
    found = []
    for ago in range(seconds, 0, -1):
        members = [
            msgspec.structs.replace(item, rtt_ms=None if item.rtt_ms is None else item.rtt_ms + (ago * 7 % 5) * 0.2)
            for item in instances()
        ]
        if ago > 41:
            members[4] = instance("instance-E", rtt_ms=2.0)
        if ago > 53:
            members[3] = instance("instance-D", rtt_ms=2.0)
        found.append(observation(status(instances=tuple(members)), NOW_S - ago))
    return tuple(found)


def moment(known: Observation | None = None, now_s: float = NOW_S, mode: Mode = "live") -> Moment:
    """What a screen is shown, a minute after the console began to look."""
    history = History.of(watched())
    return Moment(known or observation(), history, now_s, NOW_MS + int((now_s - NOW_S) * 1000), mode)


@dataclass
class Script:
    """A source that gives these observations and then what it is told to."""

    told: Sequence[Observation] = ()
    context: str = "prod-eu"
    wanted: frozenset[PartName] = frozenset()
    retries: int = 0
    past: tuple[Event, ...] = ()
    trace: str = ""
    looked_at: tuple[str, str] = ("", "")
    seen: bool = False
    """Whether the console has taken in all there is and, where it shows the present, shown it."""
    _news: asyncio.Queue[Observation] = field(default_factory=asyncio.Queue)

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """What was told, then all news."""
        for one in self.told:
            yield one
        while True:
            self.seen = self._news.empty()
            yield await self._news.get()

    def tell(self, one: Observation) -> None:
        """There is news."""
        self.seen = False
        self._news.put_nowait(one)

    def want(self, parts: frozenset[PartName]) -> None:
        """Remember what the screen needs."""
        self.wanted = parts

    def look_at_trace(self, trace: str) -> None:
        """Remember which trace is looked at."""
        self.trace = trace

    async def journal(self) -> tuple[Event, ...]:
        """The events of the observations, and of the day before."""
        return self.past

    def look_at_version(self, version: str, base: str = "") -> None:
        """Remember which version is looked at."""
        self.looked_at = (version, base)

    def retry(self) -> None:
        """Count."""
        self.retries += 1


FIXED = Clock(lambda: NOW_S, lambda: NOW_MS)


def console(
    known: Observation | None = None, *, history: bool = True, company: Company = ALONE, language: str = locale.DEFAULT
) -> Console:
    """The console on a script, at a clock that stands still, a minute after it began to look."""
    start = Observation(context="prod-eu", nodes=(NODE,))
    app = Console(Script([known or observation()]), start, FIXED, company=company, settings=Settings(language=language))
    if history:
        app._history = History.of(watched())
    return app
