"""Bounded rings of what was seen: numbers for sparklines and heartbeat history, changes for the timeline."""

import sys
from collections import deque
from collections.abc import Iterable
from math import isnan, nan
from struct import Struct
from typing import NamedTuple

from iwdc_console.tui.model.observation import Observation

KEPT = 300
"""Samples per instance: five minutes at one a second."""
CHANGES_KEPT = 500


class Sample(NamedTuple):
    """One instance at one moment, as the asked node saw it."""

    at_ms: int
    status: str
    rtt_ms: float | None
    drift_ms: float | None
    beat_ms: int | None


class Pulse(NamedTuple):
    """The whole cluster at one moment. `events` counts all there ever were."""

    at_ms: int
    healthy: int
    total: int
    events: int
    worst_rtt_ms: float | None = None


class Change(NamedTuple):
    """One instance's status became another, as the asked node saw it, and when."""

    at_ms: int
    instance: str
    was: str
    status: str
    reasons: tuple[str, ...]


class Doubt(NamedTuple):
    """An instance's clock became suspect to the asked node, or was `cleared`."""

    at_ms: int
    instance: str
    cleared: bool


class _Samples:
    """The newest samples of one instance, packed. As objects among those that come and go with each answer, a hundred
    instances' would keep the memory around them as well.
    """

    _NUMBERS = Struct("<qddd")

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers = bytearray(most * self._NUMBERS.size)
        self._statuses: deque[str] = deque(maxlen=most)
        self._count = 0

    @property
    def status(self) -> str:
        """The newest; empty before there is any."""
        return self._statuses[-1] if self._statuses else ""

    @property
    def at_ms(self) -> int:
        """When the newest was taken; 0 before there is any."""
        return self.newest(1)[0].at_ms if self._statuses else 0

    def append(self, sample: Sample) -> None:
        """Keep it in the place of the oldest."""
        values = (nan if value is None else value for value in (sample.rtt_ms, sample.drift_ms, sample.beat_ms))
        self._NUMBERS.pack_into(self._numbers, self._at(self._count), sample.at_ms, *values)
        self._statuses.append(sys.intern(sample.status))
        self._count += 1

    def newest(self, count: int) -> list[Sample]:
        """As many as there are of the newest `count`, oldest first."""
        kept = min(count, len(self._statuses))
        found = []
        for back in range(kept, 0, -1):
            at_ms, rtt, drift, beat = self._NUMBERS.unpack_from(self._numbers, self._at(self._count - back))
            beat_ms = None if isnan(beat) else int(beat)
            found.append(Sample(at_ms, self._statuses[-back], _known(rtt), _known(drift), beat_ms))
        return found

    def _at(self, number: int) -> int:
        return number % self._most * self._NUMBERS.size


def _known(value: float) -> float | None:
    return None if isnan(value) else value


class History:
    """Samples by instance, changes of status and doubts of clocks, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._samples: dict[str, _Samples] = {}
        self._last_s = float("-inf")
        self.pulses: deque[Pulse] = deque(maxlen=kept)
        self.changes: deque[Change] = deque(maxlen=CHANGES_KEPT)
        self.doubts: deque[Doubt] = deque(maxlen=CHANGES_KEPT)
        self._suspect: str | None = None

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> "History":
        """The history that these observations, oldest first, add up to."""
        history = cls()
        for observation in observations:
            history.add(observation)
        return history

    def add(self, observation: Observation) -> None:
        """Take what `observation` says of each instance, if its status is a new one."""
        part = observation.status
        if part is None or part.at_s <= self._last_s:
            return
        self._last_s = part.at_s
        quorum = part.value.quorum
        rtts = [item.rtt_ms for item in part.value.instances if item.rtt_ms is not None]
        self.pulses.append(Pulse(part.at_ms, quorum.healthy, quorum.total, part.value.events, max(rtts, default=None)))
        self._doubt(part.value.suspect, part.at_ms)
        known = {instance.id for instance in part.value.instances}
        for gone in self._samples.keys() - known:
            del self._samples[gone]
        for item in part.value.instances:
            if item.id not in self._samples:
                self._samples[item.id] = _Samples(self._kept)
            ring = self._samples[item.id]
            if ring.status not in ("", item.status):
                # Told by another node, it may be said to be older than what was seen before.
                since_ms = max(ring.at_ms, part.at_ms - (item.status_age_ms or 0))
                self.changes.append(Change(since_ms, item.id, ring.status, item.status, item.reasons))
            ring.append(Sample(part.at_ms, item.status, item.rtt_ms, item.drift_ms, item.heartbeat_age_ms))

    def _doubt(self, suspect: str | None, at_ms: int) -> None:
        if suspect != self._suspect:
            moved = ((self._suspect, True), (suspect, False))
            self.doubts.extend(Doubt(at_ms, name, cleared) for name, cleared in moved if name is not None)
            self._suspect = suspect

    def samples(self, instance: str, count: int = KEPT) -> list[Sample]:
        """The newest `count` samples of an instance, oldest first."""
        ring = self._samples.get(instance)
        return [] if ring is None else ring.newest(count)
