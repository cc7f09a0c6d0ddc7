"""Bounded rings of what was seen: numbers for sparklines and heartbeat history, changes for the timeline."""

from collections import deque
from collections.abc import Iterable
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
    """One instance's status became another, as the asked node saw it."""

    at_ms: int
    instance: str
    was: str
    status: str
    reasons: tuple[str, ...]


class History:
    """Samples by instance, and changes of status, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._samples: dict[str, deque[Sample]] = {}
        self._last_s = float("-inf")
        self.pulses: deque[Pulse] = deque(maxlen=kept)
        self.changes: deque[Change] = deque(maxlen=CHANGES_KEPT)

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
        known = {instance.id for instance in part.value.instances}
        for gone in self._samples.keys() - known:
            del self._samples[gone]
        for item in part.value.instances:
            ring = self._samples.setdefault(item.id, deque(maxlen=self._kept))
            if ring and ring[-1].status != item.status:
                self.changes.append(Change(part.at_ms, item.id, ring[-1].status, item.status, item.reasons))
            ring.append(Sample(part.at_ms, item.status, item.rtt_ms, item.drift_ms, item.heartbeat_age_ms))

    def samples(self, instance: str, count: int = KEPT) -> list[Sample]:
        """The newest `count` samples of an instance, oldest first."""
        ring = self._samples.get(instance)
        if ring is None:
            return []
        return [ring[place] for place in range(-min(count, len(ring)), 0)]
