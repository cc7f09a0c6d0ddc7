"""The disk side of one process: group commit, by the rules of the real driver.

Persists gather while a commit runs and are committed together; an effect that names a persist waits until it is
durable; `Persisted` of the highest comes back. A crash leaves a prefix of the commit under way on the disk.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from node.protocol.effects import DiskState, Emit, Persist, Persisted, Reply, Send
from node.simulation import marks

if TYPE_CHECKING:
    from node.simulation.process import Process

SLOW_COMMIT_S = 1.0
RETRY_COMMIT_S = 0.5
ANSWER_WAIT_S = 0.050
"""How long an answer waits for the commit that its request caused."""


class Commits:
    """What one incarnation of a process has on its way to the disk; a restarted process gets a new one."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._world = process.world
        self._disk = process.disk
        self.durable = 0
        """The highest persist that is on the disk, as far as the process has heard."""
        self._gathered: list[Persist] = []
        self._committing: list[Persist] = []
        self._waiting: list[Send | Reply | Emit] = []
        self._answers: list[tuple[int, Callable[[], None]]] = []
        self._fault: str | None = None
        self._slow = False

    @property
    def owed(self) -> int:
        """How many effects and persists are held back: zero again whenever the disk has caught up."""
        return len(self._waiting) + len(self._gathered) + len(self._committing) + len(self._answers)

    @property
    def _ended(self) -> bool:
        return self._process.commits is not self

    def gather(self, persist: Persist) -> None:
        """Have this written with the next commit."""
        self._gathered.append(persist)

    def hold(self, effect: Send | Reply | Emit) -> None:
        """Let an effect wait for the persist that it names."""
        self._waiting.append(effect)

    def hold_answer(self, number: int, answer: Callable[[], None]) -> None:
        """Answer a peer's request once persist `number` is durable; soon, if that takes long."""
        self._answers.append((number, answer))
        self._world.schedule.after(ANSWER_WAIT_S, self._answer_late, number, answer)

    def _answer_late(self, number: int, answer: Callable[[], None]) -> None:
        if (number, answer) in self._answers:
            self._answers.remove((number, answer))
            answer()

    def begin(self) -> None:
        """Commit what has gathered, unless a commit is under way."""
        if not self._gathered or self._committing:
            return
        self._committing, self._gathered = self._gathered, []
        took_s = self._world.plan.fsync_s * (0.5 + self._world.rng.random()) + self._disk.slow_s
        self._world.schedule.after(took_s, self._committed, took_s)

    def crash(self) -> None:
        """The process ends: of a commit under way a prefix is on the disk, or nothing."""
        survives = self._world.rng.randrange(len(self._committing) + 1) if self._committing else 0
        for persist in self._committing[:survives] if self._disk.fault is None else ():
            self._write(persist)

    def _committed(self, took_s: float) -> None:
        if self._ended:
            return
        if self._disk.fault:
            self._faulty(self._disk.fault)
            self._world.schedule.after(RETRY_COMMIT_S, self._committed, took_s)
            return
        for persist in self._committing:
            self._write(persist)
        number = self._committing[-1].number
        self._committing = []
        self._report(number, took_s)

    def _faulty(self, fault: str) -> None:
        process = self._process
        if process.paused:
            process.inbox.append((self._faulty, (fault,)))
        elif self._fault is None:
            self._fault = fault
            process.step(DiskState(fault))

    def _write(self, persist: Persist) -> None:
        process, world = self._process, self._world
        records = self._disk.write(persist.records)
        for record in records:
            world.histories.written(process.name, record)
            for mark in marks.of_record(record):
                world.count(mark)
        world.checkers.committed(process, records)

    def _report(self, number: int, took_s: float) -> None:
        """A commit is durable: the core hears of it, and what waited leaves."""
        process = self._process
        if self._ended:
            return
        if process.paused:
            process.inbox.append((self._report, (number, took_s)))
            return
        self.durable = number
        slow = took_s > SLOW_COMMIT_S
        if self._fault or slow != self._slow:
            self._fault, self._slow = None, slow
            process.step(DiskState(None, slow))
        if not self._ended:
            if self._world.plan.release_first:
                self._release()
            if not self._ended:
                process.step(Persisted(number))
            self._release()
        if not self._ended:
            self.begin()

    def _release(self) -> None:
        durable = self.durable
        if self._waiting:
            free = [e for e in self._waiting if e.after <= durable]
            self._waiting = [e for e in self._waiting if e.after > durable]
            for effect in free:
                if not self._ended:
                    self._process.leave(effect)
        if self._answers:
            answers = [a for a in self._answers if a[0] <= durable]
            self._answers = [a for a in self._answers if a[0] > durable]
            for _, answer in answers:
                answer()
