"""One node of the world: a core, driven by the rules of the real driver, that can be killed, paused and restarted.

The rules: effects leave in order; one that names a persist in `after` waits until it is durable (`commits`). A crash
may fall between any two effects and into any commit.
"""

import traceback
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any
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
from node.protocol.settings import Settings
from node.simulation import marks
from node.simulation.calls import Calls
from node.simulation.clocks import Clocks
from node.simulation.commits import Commits
from node.simulation.disk import Disk
from node.simulation.story import tell_effect, tell_input
from node.simulation.transport import Transport, received
from node.simulation.violation import Violation

if TYPE_CHECKING:
    from node.simulation.world import World

TICK_LATE_S = 1e-6
"""A timer fires this much after its time, never before, whatever the rounding."""
FETCH_S = 5.0
"""Content that can be had is here within this time."""
LOST_CONTENT = "lost"
"""Keys that begin so name content that nobody has."""
_DEPENDENT = (Send, Reply, Emit)
"""Effects that may have to wait for a persist."""


class Process:
    """A node process on a machine with its own clocks and disk."""

    def __init__(self, world: "World", settings: Settings, disk: Disk, clocks: Clocks, name: str) -> None:
        self.world = world
        self.settings = settings
        self.id = settings.id
        self.name = name
        self.disk = disk
        self.clocks = clocks
        self.core: Core | None = None
        self.transport: Transport | None = None
        self.paused = False
        self.inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.boots = 0
        self.crash_in: int | None = None
        """Crash after so many more effects."""
        self.hearing: Envelope | None = None
        """The delivery that it takes in this step."""
        self._clear()

    def _clear(self) -> None:
        self.commits = Commits(self)
        self.calls = Calls(self)
        self._tick_at = float("inf")
        self._tick = 0
        self._stepping = False

    @property
    def up(self) -> bool:
        """Whether the process runs (it may be paused)."""
        return self.core is not None

    @property
    def running(self) -> Core:
        """The core of a process that is up."""
        assert self.core is not None, f"{self.name} is down"
        return self.core

    @property
    def now(self) -> Now:
        """What this machine's clocks show."""
        return self.clocks.now(self.world.schedule.t)

    @property
    def ready(self) -> bool:
        """Whether its disk says that it may vote, promise and ack (D1)."""
        identity = self.disk.now.identity
        return identity is not None and identity.ready

    # Life and death.

    def start(self) -> None:
        """Start on what the disk holds."""
        self._clear()
        self.boots += 1
        self.crash_in, self.paused = None, False
        self.inbox.clear()
        world = self.world
        if self.disk.unreadable:
            self._not_started("it cannot read its disk")
            return
        boot = f"{self.name}-{self.boots}"
        rng = Random(f"{world.plan.seed}/{boot}")
        self.note(f"starts as {boot}")
        self.transport = Transport(self, world.plan.exchange)
        try:
            self.core = world.make_core(self.settings, self.disk.image(), rng, self.now, boot)
        except MembersRefused as refusal:
            self.transport = None
            self._not_started(str(refusal))
            return
        world.happened(self.name, "starts" if self.boots == 1 else "starts again")
        world.checkers.started(self)
        world.sights.forgets(self)
        self._arm()

    def _not_started(self, why: str) -> None:
        self.note(f"does not start: {why}")
        self.world.happened(self.name, f"does not start: {why}")

    def stop(self, why: str) -> None:
        """End at once: what was not durable is lost, save a prefix of a commit under way."""
        if self.core is None:
            return
        self.note(why)
        self.commits.crash()
        calls = self.calls
        self.core = self.transport = None
        self.paused = False
        self.inbox.clear()
        self._clear()
        self.world.ended(self)
        calls.break_off()

    def pause(self) -> None:
        """Stop the process without ending it; the world goes on around it."""
        if self.up:
            self.paused = True
            self.note("is paused")

    def resume(self, paused_s: float) -> None:
        """Let a paused process go on: its timer is late and its sockets are full, in either order."""
        if not self.paused:
            return
        self.paused = False
        self.note("goes on")
        self.world.happened(self.name, "goes on")
        life = self.boots
        if self.world.rng.random() < 0.5:
            self._read_inbox()
        if self.up and self.boots == life:
            self.step(LoopLag(paused_s * self.clocks.rate))
        if self.up and self.boots == life:
            self.step(Tick())
        self._read_inbox()
        self.world.schedule.after(self.settings.timing.heartbeat_interval, self._on_time_again, life)

    def _on_time_again(self, life: int) -> None:
        if self.up and self.boots == life and not self.paused:
            self.step(LoopLag(0.0))

    def _read_inbox(self) -> None:
        waiting, self.inbox = self.inbox, []
        for do, args in waiting:
            do(*args)

    # Inputs.

    def step(self, given: Input) -> int:
        """Give the core an input and do what it says. Returns the number of the last persist it caused, 0 for none."""
        core = self.running
        world, life = self.world, self.boots
        if world.trace.show or type(given) is not Received:
            self.note(tell_input(given))
        assert not self._stepping, "a step within a step"
        self._stepping = True
        try:
            effects = core.step(self.now, given)
        except Exception as error:
            story = f"step raised on {tell_input(given)}:\n{traceback.format_exc()}"
            raise Violation("core", self.name, story) from error
        self._stepping = False
        world.steps += 1
        last = 0
        for effect in effects:
            if type(effect) is Persist:
                last = effect.number
            self._perform(effect)
            if self.core is not core:
                return 0
        self.commits.begin()
        if self.boots == life:
            self._arm()
        return last

    def _arm(self) -> None:
        t = self.world.schedule.t
        at = self.clocks.true_time_of(self.running.wake_at, t)
        if at >= self._tick_at:
            return
        self._tick_at = at
        self._tick += 1
        self.world.schedule.after(at - t + TICK_LATE_S, self._ticked, self.boots, self._tick)

    def rearm(self) -> None:
        """The monotonic clock has changed its rate: the timer falls due at another true time."""
        if self.up:
            self._tick_at = float("inf")
            self._arm()

    def _ticked(self, life: int, tick: int) -> None:
        if self.core is None or self.boots != life or self._tick != tick:
            return
        self._tick_at = float("inf")
        if self.paused:
            return
        if self.clocks.mono(self.world.schedule.t) >= self.core.wake_at:
            self.step(Tick())
        else:
            self._arm()

    def receive(self, data: bytes) -> int:
        """A delivery of a peer reaches the core."""
        if not self.world.trace.show:
            self.note(f"< {crc32(data):08x}")
        given = received(data)
        self.world.sights.heard(self, given.envelope.sender)
        self.hearing = given.envelope
        last = self.step(given)
        self.hearing = None
        return last

    def packet(self, data: bytes) -> None:
        """A datagram arrives."""
        if self.paused:
            self.inbox.append((self.packet, (data,)))
        elif self.up:
            self.receive(data)

    def request(self, data: bytes, asker: Transport, number: int) -> None:
        """A peer's request arrives; a dead process's host refuses it."""
        world = self.world
        peer = asker.owner
        if not self.up:
            for delay in world.network.delays(self.id, peer)[:1]:
                world.schedule.after(delay, asker.refused, self.id, number)
            return
        if self.paused:
            self.inbox.append((self.request, (data, asker, number)))
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
        world = self.world
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                world.count("crash between effects")
                world.happened(self.name, "crashes between two effects")
                self.stop("crashes between two effects")
                return
        if isinstance(effect, _DEPENDENT):
            if effect.after > self.commits.durable:
                self.commits.hold(effect)
            else:
                self.leave(effect)
            return
        match effect:
            case Persist(_, records):
                world.checkers.intended(self, records)
                self.commits.gather(effect)
            case Observe(name):
                world.count(f"observed {name}")
                if name == "TIME_DRIFT_MEASURE":
                    world.sights.measured(self, effect)
                elif name == "FLOOR_REACHED":
                    world.sights.forgets(self)
                    world.checkers.floor_reached(self)
                world.happened(self.name, effect)
            case Fetch(wanted):
                for each in wanted:
                    self._fetch(each)
                return
            case Install(content) | Apply(content):
                world.checkers.used(self, content)
                world.count(f"content {type(effect).__name__}")
            case Ship(to, number, have):
                delay = world.rng.random() * 0.005
                world.schedule.after(delay, self._ship, self.boots, to, number, have)
                return
        if world.trace.show:
            self.note(tell_effect(effect))

    def leave(self, effect: Send | Reply | Emit) -> None:
        """An effect that waits for nothing more has its consequences."""
        world = self.world
        world.checkers.left(self, effect)
        if world.trace.show:
            self.note(tell_effect(effect))
        if isinstance(effect, Send):
            mark = marks.of_message(effect)
            if mark:
                world.count(mark)
            if self.transport:
                self.transport.send(effect.to, effect.message, effect.lazy)
        elif isinstance(effect, Reply):
            self.calls.answer(effect.call, effect.answer)
        else:
            world.sights.shows(self, effect)
            for event in effect.events:
                world.count(f"emitted {event.type}")
                world.happened(self.name, event)

    def _ship(self, life: int, to: str, number: int, have: dict[str, int]) -> None:
        if not self.up or self.boots != life:
            return
        if self.paused:
            self.inbox.append((self._ship, (life, to, number, have)))
            return
        if self.disk.unreadable:
            self.world.count("a read that failed")
            return  # The node logs it; who asked asks again.
        events, more = self.disk.read(have, self.settings.limits.max_events_per_push)
        self.leave(Send(to, Push(events, more, number), 0))

    # Content: held some time after it was wanted, or never.

    def _fetch(self, wanted: Wanted) -> None:
        key = wanted.content.key
        if key in self.disk.contents:
            self.world.schedule.after(0.0001, self._fetched, self.boots, key)
        elif not key.startswith(LOST_CONTENT):
            share = crc32(f"{self.name}/{key}".encode()) / 2**32
            self.world.schedule.after(share * FETCH_S, self._fetched, self.boots, key)

    def _fetched(self, life: int, key: str) -> None:
        if not self.up or self.boots != life:
            return
        if self.paused:
            self.inbox.append((self._fetched, (life, key)))
            return
        self.disk.contents.add(key)
        self.step(ContentIs(key, "held"))

    def note(self, what: str) -> None:
        """A line in the trace."""
        self.world.trace.note(self.world.schedule.t, self.name, what)
