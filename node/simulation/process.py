"""One node of the world: a core, driven by the rules of the real driver, that can be killed, paused and restarted.

The rules: effects leave in order; one that names a persist in `after` waits until it is durable (`commits`). A crash
may fall between any two effects and into any commit.
"""

import traceback
from collections.abc import Iterator, Mapping
from random import Random
from typing import Protocol, get_args
from zlib import crc32

from node.protocol.core import Core
from node.protocol.effects import (
    Apply,
    ContentIs,
    Effect,
    Emit,
    Fetch,
    Input,
    Install,
    LoopLag,
    Now,
    Observe,
    ObserveEach,
    Persist,
    Received,
    Reply,
    Send,
    Ship,
    Tick,
    Wanted,
)
from node.protocol.messages import Envelope, Push
from node.protocol.reconfiguration import MembersRefused
from node.protocol.records import Record
from node.protocol.settings import Settings
from node.simulation import marks
from node.simulation.calls import Calls
from node.simulation.clocks import Clocks
from node.simulation.commits import Commits, Dependent
from node.simulation.disk import Disk
from node.simulation.ground import Ground
from node.simulation.life import Life
from node.simulation.story import tell_effect, tell_input
from node.simulation.transport import Transport, received
from node.simulation.violation import Violation

TICK_LATE_S = 1e-6
"""A timer fires this much after its time, never before, whatever the rounding."""
FETCH_S = 5.0
"""Content that can be had is here within this time."""
LOST_CONTENT = "lost"
"""Keys that begin so name content that nobody has."""
_DEPENDENT = get_args(Dependent)


class Witness(Protocol):
    """Who watches a process. What breaks a promise raises `Violation`."""

    def started(self, process: "Process") -> None:
        """It begins on what its disk holds."""
        ...

    def ended(self, process: "Process") -> None:
        """It has died."""
        ...

    def heard(self, process: "Process", sender: str) -> None:
        """A delivery of `sender` is read."""
        ...

    def intended(self, process: "Process", records: tuple[Record, ...]) -> None:
        """The core has decided to write this."""
        ...

    def committed(self, process: "Process", records: tuple[Record, ...]) -> None:
        """This is on the disk."""
        ...

    def left(self, process: "Process", effect: Dependent) -> None:
        """An effect leaves: from now on it may have consequences."""
        ...

    def shows(self, process: "Process", emit: Emit) -> None:
        """Events are shown to subscribers."""
        ...

    def measured(self, process: "Process", observed: Observe) -> None:
        """It says how far its wall clock is off."""
        ...

    def floor_reached(self, process: "Process") -> None:
        """A floor is in place."""
        ...

    def used(self, process: "Process", content: Wanted) -> None:
        """Content is to stand for its version."""
        ...


class Process:
    """A node process on a machine with its own clocks and disk, among the `hosts` of its world."""

    def __init__(
        self, ground: Ground, witness: Witness, hosts: Mapping[str, "Process"], settings: Settings, disk: Disk,
        clocks: Clocks, name: str,
    ) -> None:  # fmt: skip
        self._ground = ground
        self._witness = witness
        self._hosts = hosts
        self.settings = settings
        self.id = settings.id
        self.name = name
        self.disk = disk
        self.clocks = clocks
        self.core: Core | None = None
        self.transport: Transport | None = None
        self.boots = 0
        self.crash_in: int | None = None
        """Crash after so many more effects."""
        self.hearing: Envelope | None = None
        """The delivery that it takes in this step."""
        self._life = Life(self.step)
        self._begin()

    def _begin(self) -> None:
        self._life.ended = True
        self._life = life = Life(self.step)
        self.commits = Commits(life, self._ground, self.disk, self._written, self._leave)
        self.calls = Calls(life, self._ground.schedule)
        self._tick_at = float("inf")
        self._tick = 0
        self._stepping = False

    @property
    def up(self) -> bool:
        """Whether the process runs (it may be paused)."""
        return self.core is not None

    @property
    def paused(self) -> bool:
        """Whether the process stands still."""
        return self._life.paused

    @property
    def running(self) -> Core:
        """The core of a process that is up."""
        assert self.core is not None, f"{self.name} is down"
        return self.core

    @property
    def now(self) -> Now:
        """What this machine's clocks show."""
        return self.clocks.now(self._ground.schedule.t)

    @property
    def ready(self) -> bool:
        """Whether its disk says that it may vote, promise and ack (D1)."""
        identity = self.disk.now.identity
        return identity is not None and identity.ready

    # Life and death.

    def start(self) -> None:
        """Start on what the disk holds."""
        self._begin()
        self.boots += 1
        self.crash_in = None
        ground = self._ground
        if self.disk.unreadable:
            self._not_started("it cannot read its disk")
            return
        boot = f"{self.name}-{self.boots}"
        rng = Random(f"{ground.plan.seed}/{boot}")
        self.note(f"starts as {boot}")
        try:
            core = ground.make_core(self.settings, self.disk.image(), rng, self.now, boot)
        except MembersRefused as refusal:
            self._not_started(str(refusal))
            return
        self.core = core
        self.transport = Transport(
            self._life, ground, self.id, self._hosts, self.settings.timing, core.envelope, self.receive
        )
        ground.happened(self.name, "starts" if self.boots == 1 else "starts again")
        self._witness.started(self)
        self._arm()

    def _not_started(self, why: str) -> None:
        self.note(f"does not start: {why}")
        self._ground.happened(self.name, f"does not start: {why}")

    def stop(self, why: str) -> None:
        """End at once: what was not durable is lost, save a prefix of a commit under way."""
        if self.core is None:
            return
        self.note(why)
        self.commits.crash()
        calls = self.calls
        self.core = self.transport = None
        self._begin()
        self._witness.ended(self)
        calls.break_off()

    def pause(self) -> None:
        """Stop the process without ending it; the world goes on around it."""
        if self.up:
            self._life.paused = True
            self.note("is paused")

    def resume(self, paused_s: float) -> None:
        """Let a paused process go on: its timer is late and its sockets are full, in either order."""
        if not self.paused:
            return
        life = self._life
        life.paused = False
        self.note("goes on")
        self._ground.happened(self.name, "goes on")
        if self._ground.rng.random() < 0.5:
            life.read_inbox()
        if not life.ended:
            self.step(LoopLag(paused_s * self.clocks.rate))
        if not life.ended:
            self.step(Tick())
        life.read_inbox()
        self._ground.schedule.after(self.settings.timing.heartbeat_interval, self._on_time_again, life)

    def _on_time_again(self, life: Life) -> None:
        if not life.ended and not life.paused:
            self.step(LoopLag(0.0))

    # Inputs.

    def step(self, given: Input) -> int:
        """Give the core an input and do what it says. Returns the number of the last persist it caused, 0 for none."""
        core, life = self.running, self._life
        if self._ground.trace.show or type(given) is not Received:
            self.note(tell_input(given))
        assert not self._stepping, "a step within a step"
        self._stepping = True
        try:
            effects = core.step(self.now, given)
        except Exception as error:
            story = f"step raised on {tell_input(given)}:\n{traceback.format_exc()}"
            raise Violation("core", self.name, story) from error
        self._stepping = False
        self._ground.steps += 1
        last = 0
        for effect in _singly(effects):
            if type(effect) is Persist:
                last = effect.number
            self._perform(effect)
            if self.core is not core:
                return 0
        self.commits.begin()
        if not life.ended:
            self._arm()
        return last

    def _arm(self) -> None:
        t = self._ground.schedule.t
        at = self.clocks.true_time_of(self.running.wake_at, t)
        if at >= self._tick_at:
            return
        self._tick_at = at
        self._tick += 1
        self._ground.schedule.after(at - t + TICK_LATE_S, self._ticked, self._life, self._tick)

    def rearm(self) -> None:
        """The monotonic clock has changed its rate: the timer falls due at another true time."""
        if self.up:
            self._tick_at = float("inf")
            self._arm()

    def _ticked(self, life: Life, tick: int) -> None:
        if life.ended or self._tick != tick:
            return
        self._tick_at = float("inf")
        if life.paused:
            return
        if self.clocks.mono(self._ground.schedule.t) >= self.running.wake_at:
            self.step(Tick())
        else:
            self._arm()

    def receive(self, data: bytes) -> int:
        """A delivery of a peer reaches the core."""
        if not self._ground.trace.show:
            self.note(f"< {crc32(data):08x}")
        given = received(data)
        self._witness.heard(self, given.envelope.sender)
        self.hearing = given.envelope
        last = self.step(given)
        self.hearing = None
        return last

    def packet(self, data: bytes) -> None:
        """A datagram arrives."""
        if not self._life.waits(self.packet, data) and self.up:
            self.receive(data)

    def request(self, data: bytes, asker: Transport, number: int) -> None:
        """A peer's request arrives; a dead process's host refuses it."""
        ground, peer = self._ground, asker.owner
        if not self.up:
            for delay in ground.network.delays(self.id, peer)[:1]:
                ground.schedule.after(delay, asker.refused, self.id, number)
            return
        if self._life.waits(self.request, data, asker, number):
            return
        transport = self.transport
        last = self.receive(data)
        if self.transport is not transport or transport is None:
            return

        def answer() -> None:
            transport.answer(peer, asker, number)

        if last <= self.commits.durable:
            answer()
        else:
            self.commits.hold_answer(last, answer)

    # Effects.

    def _perform(self, effect: Effect) -> None:
        ground, witness = self._ground, self._witness
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                ground.count("crash between effects")
                ground.happened(self.name, "crashes between two effects")
                self.stop("crashes between two effects")
                return
        if isinstance(effect, _DEPENDENT):
            if effect.after > self.commits.durable:
                self.commits.hold(effect)
            else:
                self._leave(effect)
            return
        match effect:
            case Persist(_, records):
                witness.intended(self, records)
                self.commits.gather(effect)
            case Observe(name):
                ground.count(f"observed {name}")
                if name == "TIME_DRIFT_MEASURE":
                    witness.measured(self, effect)
                elif name == "FLOOR_REACHED":
                    witness.floor_reached(self)
                ground.happened(self.name, effect)
            case Fetch(wanted):
                for each in wanted:
                    self._fetch(each)
                return
            case Install(content) | Apply(content):
                witness.used(self, content)
                ground.count(f"content {type(effect).__name__}")
            case Ship(to, number, have):
                delay = ground.rng.random() * 0.005
                ground.schedule.after(delay, self._ship, self._life, to, number, have)
                return
        if ground.trace.show:
            self.note(tell_effect(effect))

    def _written(self, records: tuple[Record, ...]) -> None:
        for record in records:
            for mark in marks.of_record(record):
                self._ground.count(mark)
        self._witness.committed(self, records)

    def _leave(self, effect: Dependent) -> None:
        # It waits for nothing more.
        ground = self._ground
        self._witness.left(self, effect)
        if ground.trace.show:
            self.note(tell_effect(effect))
        if isinstance(effect, Send):
            mark = marks.of_message(effect)
            if mark:
                ground.count(mark)
            if self.transport:
                self.transport.send(effect.to, effect.message, effect.lazy)
        elif isinstance(effect, Reply):
            self.calls.answer(effect.call, effect.answer)
        else:
            self._witness.shows(self, effect)
            for event in effect.events:
                ground.count(f"emitted {event.type}")
                ground.happened(self.name, event)

    def _ship(self, life: Life, to: str, number: int, have: dict[str, int]) -> None:
        if life.ended or life.waits(self._ship, life, to, number, have):
            return
        if self.disk.unreadable:
            self._ground.count("a read that failed")
            return  # The node logs it; who asked asks again.
        events, more = self.disk.read(have, self.settings.limits.max_events_per_push)
        self._leave(Send(to, Push(events, more, number), 0))

    # Content: held some time after it was wanted, or never.

    def _fetch(self, wanted: Wanted) -> None:
        key = wanted.content.key
        if key in self.disk.contents:
            self._ground.schedule.after(0.0001, self._fetched, self._life, key)
        elif not key.startswith(LOST_CONTENT):
            share = crc32(f"{self.name}/{key}".encode()) / 2**32
            self._ground.schedule.after(share * FETCH_S, self._fetched, self._life, key)

    def _fetched(self, life: Life, key: str) -> None:
        if life.ended or life.waits(self._fetched, life, key):
            return
        self.disk.contents.add(key)
        self.step(ContentIs(key, "held"))

    def note(self, what: str) -> None:
        """A line in the trace."""
        self._ground.note(self.name, what)


def _singly(effects: list[Effect]) -> Iterator[Effect]:
    """Each by itself, as a crash may come between any two."""
    for effect in effects:
        if isinstance(effect, ObserveEach):
            yield from effect.all()
        else:
            yield effect
