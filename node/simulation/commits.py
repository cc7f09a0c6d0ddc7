"""The disk side of one process: group commit, by the rules of the real driver.

Persists gather while a commit runs and are committed together; an effect that names a persist waits until it is
durable; `Persisted` of the highest comes back. A crash leaves a prefix of the commit under way on the disk.
"""

from collections.abc import Callable

from node.protocol.effects import DiskState, Emit, Persist, Persisted, Reply, Send
from node.protocol.records import Record
from node.simulation.disk import Disk
from node.simulation.ground import Ground
from node.simulation.life import Life

Dependent = Send | Reply | Emit
"""Effects that may have to wait for a persist."""

SLOW_COMMIT_S = 1.0
RETRY_COMMIT_S = 0.5
ANSWER_WAIT_S = 0.050
"""How long an answer waits for the commit that its request caused."""


class Commits:
    """What one incarnation of a process has on its way to the disk.

    `written` hears which records are on the disk, `leave` carries out an effect that waits no more.
    """

    def __init__(
        self, life: Life, ground: Ground, disk: Disk, written: Callable[[tuple[Record, ...]], None],
        leave: Callable[[Dependent], None],
    ) -> None:  # fmt: skip
        self._life = life
        self._schedule = ground.schedule
        self._plan = ground.plan
        self._rng = ground.rng
        self._disk = disk
        self._written = written
        self._leave = leave
        self.durable = 0
        """The highest persist that is on the disk, as far as the process has heard."""
        self._gathered: list[Persist] = []
        self._committing: list[Persist] = []
        self._waiting: list[Dependent] = []
        self._answers: list[tuple[int, Callable[[], None]]] = []
        self._fault: str | None = None
        self._slow = False

    @property
    def owed(self) -> int:
        """How many effects and persists are held back: zero again whenever the disk has caught up."""
        return len(self._waiting) + len(self._gathered) + len(self._committing) + len(self._answers)

    def gather(self, persist: Persist) -> None:
        """Have this written with the next commit."""
        self._gathered.append(persist)

    def hold(self, effect: Dependent) -> None:
        """Let an effect wait for the persist that it names."""
        self._waiting.append(effect)

    def hold_answer(self, number: int, answer: Callable[[], None]) -> None:
        """Answer a peer's request once persist `number` is durable; soon, if that takes long."""
        self._answers.append((number, answer))
        self._schedule.after(ANSWER_WAIT_S, self._answer_late, number, answer)

    def _answer_late(self, number: int, answer: Callable[[], None]) -> None:
        if (number, answer) in self._answers:
            self._answers.remove((number, answer))
            answer()

    def begin(self) -> None:
        """Commit what has gathered, unless a commit is under way."""
        if not self._gathered or self._committing:
            return
        self._committing, self._gathered = self._gathered, []
        took_s = self._plan.fsync_s * (0.5 + self._rng.random()) + self._disk.slow_s
        self._schedule.after(took_s, self._committed, took_s)

    def crash(self) -> None:
        """The process ends: of a commit under way a prefix is on the disk, or nothing."""
        survives = self._rng.randrange(len(self._committing) + 1) if self._committing else 0
        for persist in self._committing[:survives] if self._disk.fault is None else ():
            self._write(persist)

    def _committed(self, took_s: float) -> None:
        if self._life.ended:
            return
        if self._disk.fault:
            self._faulty(self._disk.fault)
            self._schedule.after(RETRY_COMMIT_S, self._committed, took_s)
            return
        for persist in self._committing:
            self._write(persist)
        number = self._committing[-1].number
        self._committing = []
        self._report(number, took_s)

    def _faulty(self, fault: str) -> None:
        if not self._life.waits(self._faulty, fault) and self._fault is None:
            self._fault = fault
            self._life.step(DiskState(fault))

    def _write(self, persist: Persist) -> None:
        self._written(self._disk.write(persist.records))

    def _report(self, number: int, took_s: float) -> None:
        """A commit is durable: the core hears of it, and what waited leaves."""
        if self._life.ended or self._life.waits(self._report, number, took_s):
            return
        self.durable = number
        slow = took_s > SLOW_COMMIT_S
        if self._fault or slow != self._slow:
            self._fault, self._slow = None, slow
            self._life.step(DiskState(None, slow))
        if not self._life.ended:
            if self._plan.release_first:
                self._release()
            if not self._life.ended:
                self._life.step(Persisted(number))
            self._release()
        if not self._life.ended:
            self.begin()

    def _release(self) -> None:
        durable = self.durable
        if self._waiting:
            free = [e for e in self._waiting if e.after <= durable]
            self._waiting = [e for e in self._waiting if e.after > durable]
            for effect in free:
                if not self._life.ended:
                    self._leave(effect)
        if self._answers:
            answers = [a for a in self._answers if a[0] <= durable]
            self._answers = [a for a in self._answers if a[0] > durable]
            for _, answer in answers:
                answer()
