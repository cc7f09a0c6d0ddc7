"""What is shown must be true now: statuses (H1, H2), the offset of clocks (T1), and each event once (V1).

Statuses are looked at with every heartbeat interval; what a core shows then must rest on what came lately.
"""

from collections.abc import Mapping, Sequence

from node.protocol.effects import Emit, Observe
from node.simulation.ground import Ground
from node.simulation.process import Process
from node.simulation.violation import Violation

RATE_ERROR = 0.25
"""A round trip is measured by a clock beside which the wall clocks may run too fast by so much; past it nothing is
promised.
"""


class Sights:
    """Watches what one world's nodes show. `processes` and `hosts` are the world's own, as they come and go."""

    def __init__(self, ground: Ground, processes: Sequence[Process], hosts: Mapping[str, Process]) -> None:
        self._schedule = ground.schedule
        self._processes = processes
        self._hosts = hosts
        self._heard: dict[tuple[str, str], float] = {}
        self._able: dict[str, float] = {}
        self._asleep: dict[str, float] = {}
        """When a process was last seen paused: what had come until then it reads after that, as if it came now."""
        self._doubted: set[tuple[str, str]] = set()
        self._shown: dict[str, set[str]] = {}
        timing = ground.plan.timing
        self._every_s = timing.heartbeat_interval
        self._old_s = timing.heartbeat_timeout + 2 * timing.heartbeat_interval

    def start(self) -> None:
        """Begin to look."""
        self._schedule.after(self._every_s, self._look)

    def heard(self, process: Process, sender: str) -> None:
        """A delivery of `sender` reached `process`."""
        self._heard[process.name, sender] = process.clocks.mono(self._schedule.t)

    def forgets(self, process: Process) -> None:
        """A process has begun, or reached a floor: ids of events at or below it are known no more (C1)."""
        self._shown[process.name] = set()

    def _look(self) -> None:
        t, doubted = self._schedule.t, set[tuple[str, str]]()
        for process in self._processes:
            if process.ready or not process.up:
                self._able[process.id] = t
        for process in self._processes:
            if process.paused:
                self._asleep[process.name] = t
            elif process.up and process.clocks.rate > 0:
                self._statuses(process, doubted)
        self._doubted = doubted
        self._schedule.after(self._every_s, self._look)

    def _statuses(self, process: Process, doubted: set[tuple[str, str]]) -> None:
        t, now = self._schedule.t, process.now
        awake_s = t - self._asleep.get(process.name, float("-inf"))
        for view in process.running.view_instances(now):
            if view.id == process.id or view.status != "healthy":
                continue
            silent_s = now.mono - self._heard.get((process.name, view.id), float("-inf"))
            if silent_s > self._old_s:
                raise Violation("H1", process.name, f"shows {view.id} healthy, not heard for {silent_s:.1f} s")
            unable_s = min(awake_s, t - self._able.get(view.id, t))
            if unable_s > 2 * self._old_s:
                # It may have told that it can, a moment before its disk has it.
                if (process.name, view.id) in self._doubted:
                    story = f"shows {view.id} healthy, which could not vote for {unable_s:.1f} s"
                    raise Violation("H2", process.name, story)
                doubted.add((process.name, view.id))

    def shows(self, process: Process, emit: Emit) -> None:
        """Events are shown to subscribers."""
        shown, floor = self._shown.setdefault(process.name, set()), process.running.parts.recovery.floor
        for event in emit.events:
            if event.id in shown:
                raise Violation("V1", process.name, f"shows event {event.id} twice")
            # On a slow disk an event may wait to be shown until a floor has passed it, and its id is forgotten.
            if floor is None or event.seq > floor.vector.get(event.journal, 0):
                shown.add(event.id)

    def measured(self, process: Process, observed: Observe) -> None:
        """A node says how far its wall clock is from the leader's, and how sure it is of it."""
        t = self._schedule.t
        leader = self._hosts.get(str(observed.fields["reference"]))
        took_s = process.clocks.mono(t) - observed.started
        if (
            leader is None
            or not process.clocks.rate
            or max(process.clocks.wall_rate, leader.clocks.wall_rate) > (1 + RATE_ERROR) * process.clocks.rate
            or process.clocks.bent(t - 2 * took_s - 1.0)
            or leader.clocks.bent(t - 2 * took_s - 1.0)
        ):
            return
        told_ms, error_ms = (float(str(observed.fields[name])) for name in ("offset_ms", "error_ms"))
        true_ms = (process.clocks.wall_offset_s(t) - leader.clocks.wall_offset_s(t)) * 1000
        drifted_ms = abs(process.clocks.wall_rate - leader.clocks.wall_rate) * took_s / process.clocks.rate * 1000
        if abs(told_ms - true_ms) > error_ms * (1 + RATE_ERROR) + drifted_ms + 0.01:
            raise Violation(
                "T1", process.name, f"is {true_ms:.3f} ms off {leader.id}, and says {told_ms:.3f} +- {error_ms:.3f}"
            )
