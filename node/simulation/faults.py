"""Faults: drawn one by one from the plan's families, each with its own end.

A fault belongs to a machine or to some links. One machine has at most one process fault at a time; cuts overlap freely.
A disk is lost only while every other one is whole and ready: what a minority's loss may cost is D1's business, more is
the operator's. It is rolled back only while others can tell it (see guarantees.md), and until they have told it nothing
new breaks.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import permutations
from math import exp, log
from typing import TYPE_CHECKING

from node.protocol.reconfiguration import MembersRefused, check_step
from node.protocol.settings import Settings
from node.simulation.disk import Disk
from node.simulation.network import Link
from node.simulation.plan import STRATEGIES
from node.simulation.rollout import Rollout
from node.simulation.strangers import accost

if TYPE_CHECKING:
    from node.simulation.process import Process
    from node.simulation.world import World

SLOW_LEADER = 0.4
"""Seconds that pass for a slow leader in one second: it trusts in its lease longer than others wait."""


class Faults:
    """The nemesis of one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = world.random("faults")
        self._busy: set[str] = set()
        self._open = True
        self._quiet_until = 0.0
        self.rollout = Rollout(world, lambda: self._last(1, 20), self._busy)

    def start(self) -> None:
        """Let the faults begin."""
        if self._world.plan.families:
            self._later()

    def close(self) -> None:
        """No new fault begins; those that run are ended by `World.heal`."""
        self._open = False
        self._busy.clear()

    def _later(self) -> None:
        self._world.schedule.after(self._rng.expovariate(1 / self._world.plan.fault_every_s), self._next)

    def _next(self) -> None:
        if not self._open:
            return
        family = self._rng.choice(self._world.plan.families)
        begin: Callable[[], None] = getattr(self, f"_{family}")
        if self._world.schedule.t >= self._quiet_until:
            begin()
        self._later()

    def _begin(self, family: str, what: str) -> None:
        self._world.count(f"fault {family}")
        self._world.trace.note(self._world.schedule.t, "fault", what)
        self._world.happened("fault", what)

    def _last(self, low_s: float, high_s: float) -> float:
        """How long a fault lasts: durations are at the seed's timings, and spread evenly over their magnitudes."""
        return self._world.plan.scale * exp(self._rng.uniform(log(low_s), log(high_s)))

    def _until(self, seconds: float, end: Callable[[], None]) -> None:
        def ended() -> None:
            if self._open:
                end()

        self._world.schedule.after(seconds, ended)

    def _victim(self) -> "Process | None":
        free = [p for p in self._world.processes if p.up and p.name not in self._busy]
        return self._rng.choice(free) if free else None

    def _occupy(self, process: "Process", seconds: float, end: Callable[[], None]) -> None:
        def ended() -> None:
            self._busy.discard(process.name)
            end()

        self._busy.add(process.name)
        self._until(seconds, ended)

    # Processes.

    def _crash(self) -> None:
        process = self._victim()
        if process:
            self._begin("crash", f"{process.name} is killed")
            process.stop("is killed")
            self._occupy(process, self._last(0.05, 120), process.start)

    def _crash_between_effects(self) -> None:
        process = self._victim()
        if process:
            process.crash_in = self._rng.randrange(12)
            self._begin("crash_between_effects", f"{process.name} will crash after {process.crash_in} effects")

            def restart() -> None:
                process.crash_in = None
                if not process.up:
                    process.start()

            self._occupy(process, self._last(1, 60), restart)

    def _restart_all(self) -> None:
        self._begin("restart_all", "everything is killed at once")
        for process in self._world.processes:
            if process.up:
                process.stop("is killed")
                if process.name not in self._busy:
                    self._occupy(process, self._last(0.05, 20), process.start)

    def _pause(self) -> None:
        process = self._victim()
        if process:
            seconds = self._last(1, 120)
            self._begin("pause", f"{process.name} is paused for {seconds:.1f} s")
            process.pause()
            self._occupy(process, seconds, lambda: process.resume(seconds))

    # The network.

    def _cut(self, family: str, what: str, links: Iterable[Link], seconds: float) -> None:
        if self._world.schedule.t < self._quiet_until:
            return
        cut = list(links)
        self._begin(family, f"{what} for {seconds:.1f} s")
        self._world.network.cut(cut)
        self._until(seconds, lambda: self._world.network.mend(cut))

    def _partition(self) -> None:
        ids = list(self._world.hosts)
        sides = {name: self._rng.randrange(self._rng.choice((2, 3))) for name in ids}
        cut = [(a, b) for a, b in permutations(ids, 2) if sides[a] != sides[b]]
        self._cut("partition", f"split {sides}", cut, self._last(2, 120))

    def _isolate(self) -> None:
        name = self._rng.choice(list(self._world.hosts))
        cut = [link for link in permutations(self._world.hosts, 2) if name in link]
        self._cut("isolate", f"{name} is cut off", cut, self._last(2, 120))

    def _one_way(self) -> None:
        links = list(permutations(self._world.hosts, 2))
        if links:
            cut = self._rng.sample(links, self._rng.randint(1, max(1, len(links) // 2)))
            text = ", ".join(f"{a}->{b}" for a, b in cut)
            self._cut("one_way", f"one-way cuts {text}", cut, self._last(2, 120))

    def _flap(self) -> None:
        pairs = list(permutations(self._world.hosts, 2))
        if not pairs:
            return
        a, b = self._rng.choice(pairs)
        for turn in range(self._rng.randint(2, 8)):
            at = turn * self._last(2, 20)
            self._until(at, lambda: self._cut("flap", f"{a}<->{b}", [(a, b), (b, a)], self._last(0.5, 10)))

    def _slow_link(self) -> None:
        links = list(permutations(self._world.hosts, 2))
        if not links:
            return
        slowed = self._rng.sample(links, self._rng.randint(1, len(links)))
        extra_s, seconds = self._last(0.05, 8), self._last(5, 120)
        self._begin("slow_link", f"{len(slowed)} links slower by {extra_s:.2f} s for {seconds:.1f} s")
        self._slow(slowed, extra_s, seconds)

    def _slow(self, links: list[Link], extra_s: float, seconds: float) -> None:
        self._world.network.slow(links, extra_s)
        self._until(seconds, lambda: self._world.network.slow(links, -extra_s))

    # The leader.

    def _serving(self, but: "Process | None" = None) -> "Process | None":
        for process in self._world.processes:
            if process.up and process is not but:
                seen = process.running.view_leader(process.now)
                if seen.id == process.id and seen.lease_remaining_ms:
                    return process
        return None

    def _contest(self) -> None:
        """The leader, whose clocks run slow, is cut off until another is voted for; then it reaches the voter again.

        It still takes itself for the leader, and its word comes before its successor's.
        """
        leader, world = self._serving(), self._world
        if leader is None:
            return
        timeout_s = world.plan.timing.heartbeat_timeout
        term, ends = leader.disk.now.hard.term, world.schedule.t + 3 * timeout_s
        links = list(permutations(world.hosts, 2))
        cut, others = [k for k in links if leader.id in k], [k for k in links if leader.id not in k]
        self._begin("contest", f"{leader.id} leads, is slow and cut off until another is voted for")
        self._run_at(leader, SLOW_LEADER, 3 * timeout_s)
        world.network.cut(cut)

        def look() -> None:
            votes = [p.disk.now.hard for p in world.processes if p.disk.now.hard.term > term]
            if len(votes) < 2 and world.schedule.t < ends:
                self._until(timeout_s / 1000, look)
                return
            rivals = {vote.voted_for for vote in votes}
            kept = [link for link in cut if rivals & set(link)]
            world.network.mend(set(cut) - set(kept))
            self._until(timeout_s, partial(world.network.mend, kept))
            self._slow(others, timeout_s / 2, timeout_s)

        look()

    def _chase(self) -> None:
        """The leader is cut off until another serves; then that one is, and the former is back among the others."""
        former = self._serving()
        if former is None:
            return
        world, timeout_s = self._world, self._world.plan.timing.heartbeat_timeout
        cut = [link for link in permutations(world.hosts, 2) if former.id in link]
        ends = world.schedule.t + 4 * timeout_s
        self._begin("chase", f"{former.id} leads and is cut off until another does")
        world.network.cut(cut)

        def look() -> None:
            heir = self._serving(but=former)
            if heir is None and world.schedule.t < ends:
                self._until(timeout_s / 50, look)
                return
            world.network.mend(cut)
            if heir is not None:
                links = [link for link in permutations(world.hosts, 2) if heir.id in link]
                self._cut("chase", f"{heir.id} leads now and is cut off in its turn", links, 2 * timeout_s)

        look()

    # Disks.

    def _disk_full(self) -> None:
        process = self._victim()
        if process and process.disk.fault is None:
            disk = process.disk
            disk.fault = "disk_full"
            self._begin("disk_full", f"{process.name}'s disk is full")

            def free() -> None:
                disk.fault = None

            self._until(self._last(1, 60), free)

    def _disk_slow(self) -> None:
        process = self._victim()
        if process and not process.disk.slow_s:
            disk = process.disk
            disk.slow_s = self._last(0.05, 5)
            self._begin("disk_slow", f"{process.name}'s disk takes {disk.slow_s:.2f} s longer")

            def mend() -> None:
                disk.slow_s = 0.0

            self._until(self._last(5, 60), mend)

    def _disk_unreadable(self) -> None:
        process = self._victim()
        if process is None:
            return
        self._begin("disk_unreadable", f"{process.name}'s disk cannot be read")
        process.disk.unreadable = True
        if self._rng.random() < 0.5:
            process.stop("is killed")
            process.start()

        def readable() -> None:
            process.disk.mend()
            if not process.up:
                process.start()

        self._occupy(process, self._last(1, 60), readable)

    def _lose_disk(self, family: str, process: "Process", left: Disk, what: str, longest_s: float) -> None:
        """Kill a process and let it start again, some time later, with what is left of its disk."""
        self._begin(family, f"{process.name} is killed and its disk {what}")
        process.stop("is killed")
        before = dict(process.disk.vector)
        process.disk = left
        self._world.disks_lost += 1
        self._world.checkers.disk_lost(process, before)
        self._occupy(process, self._last(0.5, longest_s), process.start)

    def _others_whole(self, process: "Process") -> bool:
        others = [p for p in self._world.processes if p is not process]
        return bool(others) and all(map(self._sound, self._world.processes)) and not self.rollout.under_way

    def _sound(self, process: "Process") -> bool:
        return process.ready and not process.disk.unreadable and not self._config_is_old(process)

    def _at_peace(self) -> bool:
        """Whether nothing is wrong with anybody, and packets arrive."""
        return not self._busy and self._world.network.whole and not self._world.plan.weather.loss

    def _wipe(self) -> None:
        process = self._victim()
        if process and self._others_whole(process):
            self._lose_disk("wipe", process, Disk(), "is replaced by an empty one", 60)

    def _roll_back(self) -> None:
        process = self._victim()
        if process is None or not self._others_whole(process) or not self._world.network.whole:
            return
        others = [p for p in self._world.processes if p is not process]
        journal, older = process.running.journal_id, process.disk.older(self._rng.random())
        seen = max(p.disk.vector.get(journal, 0) for p in others)
        steady = all(p.up and not p.paused and p.crash_in is None and not p.disk.fault for p in others)
        identity = older.now.identity
        same = identity is not None and identity.journal == journal
        if steady and same and seen > older.vector.get(journal, 0):
            try:
                check_step(older.now.configured, process.settings, force=False)
            except MembersRefused:
                # From before the last changes of members: it would not start on it, and who sees that empties the disk.
                self._world.count("an image from before a change of members was refused")
                self._lose_disk("roll_back", process, Disk(), "is emptied: its older image is refused", 60)
                return
            self._lose_disk("roll_back", process, older, "is rolled back to an older image", 5)
            scale, timeout_s = self._world.plan.scale, self._world.plan.timing.heartbeat_timeout
            self._quiet_until = self._world.schedule.t + 5 * scale + timeout_s

    def _duplicate(self) -> None:
        """While the original is heard: started while that is silent, it is a lost disk's replacement to all (D2)."""
        original = self._rng.choice(self._world.processes)
        if not self._at_peace() or not self._others_whole(original) or original.paused or not original.up:
            return
        seconds = self._last(5, 60)
        double = self._world.double_of(original)
        self._begin("duplicate", f"{double.name} starts under {original.id}'s id on a disk of its own")
        double.start()
        self._quiet_until = self._world.schedule.t + seconds
        self._until(seconds, lambda: double.stop("is killed"))

    def _stranger(self) -> None:
        running = [p for p in self._world.processes if p.up and not p.paused]
        if running:
            process, member = self._rng.choice(running), self._rng.choice(running)
            self._begin("stranger", f"{process.name} is accosted by a stranger")
            process.note(f"was told a {accost(process, member, self._rng)}")

    # The operator.

    def _members(self) -> None:
        change = self.rollout.begin()
        if change is not None:
            self._begin("members", change)

    def _old_config(self) -> None:
        """Started once more with a `node.toml` of before: another strategy, or the rule before it was made weaker."""
        process = self._victim()
        if process is None or self.rollout.under_way:
            return
        old = replace(process.settings, strategy=self._rng.choice(STRATEGIES))
        if old.rule == "half" and self._rng.random() < 0.5:
            old = replace(old, rule="majority")
        self._begin("old_config", f"{process.name} starts with an old configuration: {old.rule}, {old.strategy}")
        self._reconfigure(process, old)
        self._occupy(process, self._last(1, 60), lambda: self._put_config_right(process))

    def put_configs_right(self) -> None:
        """Whoever runs an old configuration is started with the right one."""
        for process in filter(self._config_is_old, self._world.processes):
            self._put_config_right(process)

    def _put_config_right(self, process: "Process") -> None:
        plan = self._world.plan
        self._reconfigure(process, replace(process.settings, rule=plan.rule, strategy=plan.strategy))

    def _config_is_old(self, process: "Process") -> bool:
        settings, plan = process.settings, self._world.plan
        return (settings.rule, settings.strategy) != (plan.rule, plan.strategy)

    def _reconfigure(self, process: "Process", settings: Settings) -> None:
        process.stop("is stopped, for another configuration")
        process.settings = settings
        process.start()

    # Clocks.

    def _wall_step(self) -> None:
        process = self._rng.choice(self._world.processes)
        step_s = self._rng.choice((-1, 1)) * self._last(0.1, 3600)
        self._begin("wall_step", f"{process.name}'s wall clock steps by {step_s:.1f} s")
        process.clocks.step_wall(self._world.schedule.t, step_s)

    def _wall_drift(self) -> None:
        process = self._rng.choice(self._world.processes)
        rate = self._rng.choice((0.0, self._rng.uniform(0.5, 2.0), self._rng.uniform(0.999, 1.001)))
        self._begin("wall_drift", f"{process.name}'s wall clock runs at {rate:.4f}")
        process.clocks.set_wall_rate(self._world.schedule.t, rate)
        self._until(
            self._last(5, 120), lambda: process.clocks.set_wall_rate(self._world.schedule.t, process.clocks.rate)
        )

    def _clock_rate(self) -> None:
        process = self._rng.choice(self._world.processes)
        rate = self._rng.choice((0.0, self._rng.uniform(0.5, 2.0)))
        self._begin("clock_rate", f"{process.name}'s clocks run at {rate:.4f}")
        self._run_at(process, rate, self._last(1, 60))

    def _run_at(self, process: "Process", rate: float, seconds: float) -> None:
        process.clocks.set_rate(self._world.schedule.t, rate)
        process.rearm()

        def mend() -> None:
            process.clocks.set_rate(self._world.schedule.t, 1.0)
            process.rearm()

        self._until(seconds, mend)
