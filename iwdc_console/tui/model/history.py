"""Bounded rings of what the numbers were, one sample per status received: for sparklines and heartbeat history."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from iwdc_console.tui.model.observation import Observation

KEPT = 300
"""Samples per instance: five minutes at one a second."""


class Sample(NamedTuple):
    """One instance at one moment, as the asked node saw it."""

    at_ms: int
    status: str
    rtt_ms: float | None
    drift_ms: float | None
    beat_ms: int | None


class History:
    """Samples by instance, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._samples: dict[str, deque[Sample]] = {}
        self._last_s = float("-inf")

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
        known = {instance.id for instance in part.value.instances}
        for gone in self._samples.keys() - known:
            del self._samples[gone]
        for item in part.value.instances:
            ring = self._samples.setdefault(item.id, deque(maxlen=self._kept))
            ring.append(Sample(part.at_ms, item.status, item.rtt_ms, item.drift_ms, item.heartbeat_age_ms))

    def samples(self, instance: str, count: int = KEPT) -> list[Sample]:
        """The newest `count` samples of an instance, oldest first."""
        ring = self._samples.get(instance)
        if ring is None:
            return []
        return list(ring)[-count:]
