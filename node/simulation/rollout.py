"""An operator edits `instances.json` node by node: one member more or one less, with restarts in between (M3).

Sometimes the hand is too quick and changes two at once, or starts an edited node with the former file again. Then the
node must refuse to start, and is given the file that fits. The next change waits until all run the last.
"""

from collections.abc import Callable
from dataclasses import replace

from node.protocol.settings import Member
from node.simulation.disk import Disk
from node.simulation.plan import member, names
from node.simulation.process import Process
from node.simulation.world import World

MOST = 9
"""Voters, at most."""
TWO_AT_ONCE = 0.25
PUT_BACK = 0.2
"""Chance that a node just edited is started with the former file again."""


class Rollout:
    """One world's changes of members."""

    def __init__(self, world: World, pause_s: Callable[[], float], busy: set[str]) -> None:
        self._world = world
        self._rng = world.ground.random("rollout")
        self._pause_s = pause_s
        self._busy = busy
        self._fresh = iter(names(26)[world.plan.nodes :])
        self._former: tuple[Member, ...] = ()
        self._members: tuple[Member, ...] = ()
        self._left: list[Process] = []
        self._leaving: list[Process] = []
        self._serial = 0

    @property
    def under_way(self) -> bool:
        """Whether some nodes still wait for the file that others have."""
        return bool(self._left or self._leaving)

    def begin(self) -> str | None:
        """Begin a change; gives what it is, None when it is not the time for one."""
        world, rng = self._world, self._rng
        processes = world.processes
        if self.under_way or len(processes) < 2 or not all(p.up and p.ready and settled(p) for p in processes):
            return None
        self._former = members = processes[0].settings.members
        for _ in range(2 if rng.random() < TWO_AT_ONCE else 1):
            members = self._changed(members)
        self._members = members
        ids = {m.id for m in members}
        self._leaving = [p for p in processes if p.id not in ids]
        self._left = [p for p in processes if p.id in ids]
        rng.shuffle(self._left)
        self._next()
        return f"members become {', '.join(sorted(ids))}, node by node"

    def finish(self) -> None:
        """Bring what was begun to its end, at once; what nobody has noted yet is given up."""
        if not self._begun:
            self._left, self._leaving = [], []
        while self._left:
            self._restart(self._left.pop(0), self._members)
        self._part()

    @property
    def _begun(self) -> bool:
        return any(p.settings.members == self._members for p in self._world.processes)

    def _changed(self, members: tuple[Member, ...]) -> tuple[Member, ...]:
        voters = [m for m in members if m.votes]
        grows = len(voters) < 3 or (len(voters) < MOST and self._rng.random() < 0.6)
        name = next(self._fresh, None) if grows else None
        if name is not None:
            return (*members, member(name))
        gone = self._rng.choice(voters)
        return tuple(m for m in members if m != gone)

    def _next(self) -> None:
        self._serial += 1
        self._world.schedule.after(self._pause_s(), self._step, self._serial)

    def _step(self, serial: int) -> None:
        if serial != self._serial or not self.under_way:
            return
        if not self._left:
            self._part()
        elif self._left[0].up and self._left[0].name not in self._busy:
            self._edit(self._left.pop(0))
        if self.under_way:
            self._next()

    def _edit(self, process: Process) -> None:
        if not self._restart(process, self._members):
            # Nobody has the new file yet: it is given up.
            self._restart(process, self._former)
            self._left, self._leaving = [], []
            return
        for new in self._members:
            if new.votes and new.id not in self._world.hosts:
                self._world.join(replace(process.settings, id=new.id)).start()
        if self._left and self._rng.random() < PUT_BACK:
            if self._restart(process, self._former):
                self._left.append(process)  # It had not even noted the new one.
            else:
                self._restart(process, self._members)

    def _restart(self, process: Process, members: tuple[Member, ...]) -> bool:
        process.stop("is stopped, for another member list")
        process.settings = replace(process.settings, members=members)
        process.start()
        if not process.up:
            self._world.ground.count("a change of members was refused")
        return process.up

    def _part(self) -> None:
        """Who is no member any more is switched off."""
        for process in [p for p in self._leaving if p.name not in self._busy]:
            self._leaving.remove(process)
            process.stop("is no member any more")
            before, process.disk = dict(process.disk.vector), Disk()
            self._world.part(process)
            self._world.checkers.disk_lost(process, before)


def settled(process: Process) -> bool:
    """Whether it has noted that all run its member list, and have a leader (M3)."""
    configured = process.disk.now.configured
    return configured is not None and configured.settled and configured.digest == process.settings.digest
