"""What the core's steps observed, for those who look at a node: spans, log and metrics.

It is noted in the loop's next turn. By then a step's answers have left and the disk has been given what it is to write,
so that nobody waits for it who waits for the cluster.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

from node.observability.log import EventLog
from node.observability.metrics import Metrics
from node.observability.traces import TIME_DRIFT_MEASURE, TraceRing
from node.protocol.effects import Now, Observe, ObserveEach
from node.protocol.peer import HEALTHY, INSTANCE_STATUS


class Noting:
    """Notes what the instance `own` observed. `on_healthy` hears whenever another instance has turned healthy."""

    def __init__(
        self,
        own: str,
        traces: TraceRing,
        metrics: Metrics,
        log: EventLog,
        loop: AbstractEventLoop,
        on_healthy: Callable[[], None],
    ) -> None:
        self._own = own
        self._traces = traces
        self._metrics = metrics
        self._log = log
        self._loop = loop
        self._on_healthy = on_healthy
        self._later: list[tuple[Observe | ObserveEach, Now]] = []
        self._look_at: dict[type, Callable[[Any, Now], None]] = {Observe: self._one, ObserveEach: self._each}

    def note(self, observed: Observe | ObserveEach, now: Now) -> None:
        """Note what was observed at `now`."""
        if not self._later:
            self._loop.call_soon(self._look)
        self._later.append((observed, now))

    def _look(self) -> None:
        later, self._later = self._later, []
        for observed, now in later:
            self._look_at[type(observed)](observed, now)

    def _one(self, observe: Observe, now: Now) -> None:
        if observe.name == TIME_DRIFT_MEASURE:
            self._metrics.observe("distributed_clock_drift_total", float(str(observe.fields["offset_ms"])))
        elif observe.name == INSTANCE_STATUS and observe.fields["status"] == HEALTHY:
            self._on_healthy()
        trace = self._traces.record_observe(observe, now, self._own)
        if observe.level in self._log.levels:
            self._log.observe(observe, trace)

    def _each(self, observed: ObserveEach, now: Now) -> None:
        traces = self._traces.record_each(observed, now, self._own)
        if observed.level in self._log.levels:
            for observe, trace in zip(observed.all(), traces, strict=True):
                self._log.observe(observe, trace)
