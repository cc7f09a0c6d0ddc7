"""The driver: gives a core its time, its disk and its network.

One loop, no locks: an input goes into `core.step`, its effects are carried out in order. What depends on a record waits
until that record is on disk (`after`); everything else leaves at once. Records gather while a commit runs and are then
committed as one (group commit). A fault of the disk is reported to the core and retried; nothing that depends on it
leaves meanwhile. An exception out of the core is our own bug: the node stops, for a half-done step is no state to go on
from.
"""

import asyncio
import contextlib
import math
import random
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from node.journal.errors import JournalCorrupt
from node.observability.log import EventLog
from node.observability.metrics import Metrics
from node.observability.traces import TraceRing
from node.protocol.effects import (
    Apply,
    DiskState,
    Emit,
    Fetch,
    Input,
    Install,
    LinkState,
    LoopLag,
    Now,
    Observe,
    ObserveEach,
    Persist,
    Persisted,
    Received,
    Reply,
    Send,
    Ship,
    Tick,
)
from node.protocol.messages import Envelope, Message
from node.protocol.requests import Answer, Leave, Maybe, Refusal, Request
from node.protocol.settings import Settings
from node.runtime.answering import Deliveries
from node.runtime.arrivals import Arrivals
from node.runtime.awaited import Awaited
from node.runtime.bus import Bus
from node.runtime.calls import Calls
from node.runtime.commits import GroupCommit
from node.runtime.content.contract import ContentKeeper
from node.runtime.legacy import LegacyMember
from node.runtime.noting import Noting
from node.runtime.old_events import OldEvents
from node.runtime.peers import Link

if TYPE_CHECKING:
    from node.journal import Journal
    from node.protocol.core import Core

LAG_SHARE = 0.1
"""A timer later than this share of `heartbeat_interval` is a lag worth reporting (H1)."""
MIN_LAG_S = 0.05
MAX_UNWRITTEN_RECORDS = 100_000
"""Records that wait for the disk before deliveries are left unread; as lost messages they are repaired later."""
LEAVE_S = 0.5
"""How long a node that stops waits for another leader, and then for the answers to its last deliveries."""

Dependent = Send | Reply | Emit | Install | Apply
"""Effects that wait for the disk."""

AnswerT = TypeVar("AnswerT")

_message_encoder = msgspec.msgpack.Encoder()


class Engine:
    """One node at work. The core is whole before `start`, so that views answer; it acts only from `start` on.

    `stopped` is done when the engine ends by itself, with the reason for people; `stop` ends it from outside.
    """

    def __init__(
        self, settings: Settings, core: "Core", journal: "Journal", traces: TraceRing, metrics: Metrics, log: EventLog
    ) -> None:
        self.settings = settings
        self.core = core
        self.journal = journal
        self.traces = traces
        self.metrics = metrics
        self.log = log
        self.content: ContentKeeper | None = None
        """Set before `start`; without it content is asked for in vain."""
        self._old_events = OldEvents(
            journal, settings.limits.max_events_per_push, log, self._send, self._spawn, self._end
        )
        self.bus = Bus(self._old_events.page, core.vector)
        self._replicated = metrics.histogram("distributed_replication_latency_seconds")
        self.stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._running = False
        self._closed = False
        self._links: dict[str, Link] = {}
        self._arrivals: dict[str, Arrivals] = {}
        self._calls = Calls(self._loop, self.step, lambda: self._disk.busy)
        self._tasks: set[asyncio.Task[None]] = set()
        self._disk = GroupCommit(
            journal, self._loop, self._calls.take_held, self._durable_to, self._disk_is, self._journal_failed
        )
        self._waiting: list[Dependent] = []
        self._deliveries = Deliveries(self._loop)
        self._noting = Noting(settings.id, traces, metrics, log, self._loop, self._nudge_content)
        self._outcomes: dict[tuple[str, str], Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._lag_s = max(MIN_LAG_S, LAG_SHARE * settings.timing.heartbeat_interval)
        self._lagged_at: float | None = None
        self._last_message: Message | None = None
        self._last_raw = msgspec.Raw()
        self._let_go: dict[type, Callable[[Any], None]] = {
            Send: self._send, Reply: self._reply, Emit: self._emit, Install: self._install, Apply: self._apply,
        }  # fmt: skip
        self._perform: dict[type, Callable[[Any, Now], None]] = {
            Observe: self._noting.note, ObserveEach: self._noting.note, Persist: self._persist, Ship: self._ship,
            Fetch: self._fetch,
            **dict.fromkeys(self._let_go, self._hold),
        }  # fmt: skip

    def now(self) -> Now:
        """The time of this moment, as steps and views take it."""
        return Now(time.monotonic(), time.time() * 1000)

    async def start(self) -> None:
        """Open the links and let the core act. The API must be bound by now: from here on this node votes."""
        self._running = True
        for peer in self.settings.peers:
            if peer.votes:
                self._links[peer.id] = Link(self, peer, self.settings.timing, random.Random())
                self._arrivals[peer.id] = Arrivals(self._loop, lambda envelope: self.step(Received(envelope)))
            else:
                self._spawn(LegacyMember(self, peer).run())
        self.step(Tick())

    async def leave(self) -> None:
        """Prepare to stop: hand leadership over, while clients and members are still served."""
        await self.call(Leave(), LEAVE_S)

    async def fall_silent(self) -> None:
        """Commit what is gathered, deliver it, answer who waits, and say nothing more, in answers neither.

        Only then may the port be closed and the members be hung up on: whoever finds it closed and hears from the node
        once more takes it for alive again, until its silence tells (H2).
        """
        if self._running:
            await self._disk.flush()
            # It may never come back, as a build that was a member while it ran.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await asyncio.gather(*(link.drain() for link in self._links.values()))
        self._end("the node was stopped")
        await asyncio.gather(*(link.close() for link in self._links.values()))
        self._links.clear()

    async def stop(self) -> None:
        """Fall silent, then close the journal. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await self.fall_silent()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._disk.close()
        await self._loop.run_in_executor(None, self._close_disk)

    async def call(self, request: Request, timeout_s: float) -> Answer:
        """Put a client's request to the core; `Maybe` when `timeout_s` or the node ends before there is an answer."""
        answer: Answer | Awaited[Answer] = self.put(request, timeout_s, lambda answer: answer)
        return await answer if isinstance(answer, Awaited) else answer

    def put(
        self, request: Request, timeout_s: float, answered: Callable[[Answer], AnswerT]
    ) -> AnswerT | Awaited[AnswerT]:
        """Put a request to the core: what `answered` makes of its answer, or where that will be.

        To cancel it takes the request back.
        """
        if not self._running:
            return answered(Refusal("stopping", "the node does not serve; ask another one"))
        return self._calls.put(request, timeout_s, answered)

    def deliver(self, envelope: Envelope, answered: Callable[[Envelope | None], AnswerT]) -> AnswerT | Awaited[AnswerT]:
        """Take in a peer's delivery and give what waits for that peer: at once, or after the commit this caused.

        What is in a hurry and need not wait for that commit is the answer: it would need a delivery of its own.
        `answered` makes the answer of what waits. Its messages are already encoded (`msgspec.Raw`): encode the
        envelope, do not read it.
        """
        if not self._running:
            return answered(None)
        link = self._links.get(envelope.sender)
        if link is None:
            self.received(envelope)
            return answered(None)
        urgent, pressing = self._disk.urgent, link.pressing
        link.heard()
        try:
            self.received(envelope)
        finally:
            link.answering = False
        if self._disk.urgent == urgent or link.pressing > pressing or not self._running:
            return answered(link.take())
        return self._deliveries.hold(link, self._disk.urgent, answered)

    def step(self, input: Input) -> None:
        """Give the core an input and carry out what follows."""
        if not self._running:
            return
        now = self.now()
        try:
            effects = self.core.step(now, input)
            wake_at = self.core.wake_at
        except Exception as bug:  # noqa: BLE001 - whatever it is, it is ours, and the state is no longer to be trusted
            self._fail(f"the protocol core, handling {type(input).__name__}", bug)
            return
        perform = self._perform
        for effect in effects:
            perform[type(effect)](effect, now)
        if self._running and (self._timer is None or wake_at < self._timer_at):
            self._arm(wake_at)

    # What a link needs of its node.

    def envelope(self, to: str, messages: tuple[Message, ...], number: int) -> Envelope:
        """Address messages to a peer."""
        return self.core.envelope(to, messages, number)

    def received(self, envelope: Envelope) -> None:
        """Take in what a peer delivered or answered."""
        if self._disk.unwritten_records > MAX_UNWRITTEN_RECORDS:
            self.exchanged(envelope.sender, "disk_behind", dropped=len(envelope.messages))
            return
        arrivals = self._arrivals.get(envelope.sender)
        if arrivals is None:
            self.step(Received(envelope))
        else:
            arrivals.arrive(envelope)

    def link_changed(self, peer: str, refused: bool) -> None:
        """Take in evidence about a peer (H2)."""
        self.log.info("link_refused" if refused else "link_open", peer=peer)
        if refused and peer in self._arrivals:
            # What still waits for an earlier envelope was said before, and must not look as if it came after.
            self._arrivals[peer].close()
        self.step(LinkState(peer, refused))

    def exchanged(self, peer: str, outcome: str, dropped: int = 0) -> None:
        """Count an exchange with a peer, or messages that were dropped."""
        if dropped:
            self.metrics.count("distributed_sync_errors_total", dropped, type=outcome)
            return
        count = self._outcomes.get((peer, outcome))
        if count is None:
            count = self.metrics.counter("distributed_remote_sync_requests_total", instance=peer, status=outcome)
            self._outcomes[peer, outcome] = count
        count()

    # Effects

    def _persist(self, persist: Persist, now: Now) -> None:
        self._disk.add(persist)

    def _hold(self, effect: Dependent, now: Now) -> None:
        if effect.after > self._disk.durable:
            self._waiting.append(effect)
        else:
            self._let_go[type(effect)](effect)

    def _ship(self, ship: Ship, now: Now) -> None:
        self._old_events.ship(ship)

    def _nudge_content(self) -> None:
        if self.content is not None:
            self.content.nudge()

    def _fetch(self, fetch: Fetch, now: Now) -> None:
        if self.content is not None:
            self.content.fetch(fetch.wanted)

    def _send(self, send: Send) -> None:
        link = self._links.get(send.to)
        if link is None:
            return
        # The same message usually goes to every peer in turn.
        message = send.message
        if message is not self._last_message:
            self._last_message, self._last_raw = message, msgspec.Raw(_message_encoder.encode(message))
        link.send(self._last_raw, send.lazy)

    def _reply(self, reply: Reply) -> None:
        self._calls.answer(reply.call, reply.answer)

    def _emit(self, emit: Emit) -> None:
        own, now_ms = self.settings.id, time.time() * 1000
        for event in emit.events:
            if event.origin != own:
                took_ms = now_ms - event.timestamp_ms
                self._replicated(took_ms / 1000 if took_ms > 0 else 0.0)
            elif self.content is not None:
                self.content.seen(event)
        self.bus.publish(emit.events)

    def _install(self, install: Install) -> None:
        if self.content is not None:
            self.content.install(install.content)

    def _apply(self, apply: Apply) -> None:
        if self.content is not None:
            self.content.apply(apply.content, apply.back)

    # Disk

    def _durable_to(self, number: int) -> None:
        """What clients and members wait for leaves first, with what comes of it; what is news here can wait."""
        let_go, later, news = self._let_go, list[Dependent](), list[Dependent]()
        for effect in self._waiting:
            if effect.after > number:
                later.append(effect)
            elif type(effect) is Send or type(effect) is Reply:
                let_go[type(effect)](effect)
            else:
                news.append(effect)
        self._waiting = later
        self.step(Persisted(number))
        self._deliveries.durable_to(number)
        for link in self._links.values():
            link.press()
        for effect in news:
            let_go[type(effect)](effect)

    def _disk_is(self, state: DiskState, why: str) -> None:
        if state.fault is None and not state.slow:
            self.log.info("disk_well")
        else:
            self.log.warn("disk_unwell", state=state.fault or "slow", why=why)
        self.step(state)
        if state.fault is not None:
            self._calls.take_held()

    def _journal_failed(self, error: Exception) -> None:
        if isinstance(error, JournalCorrupt):
            self._end(str(error))
        else:
            self._fail("the journal", error)

    def _close_disk(self) -> None:
        self._old_events.close()
        self.journal.close()

    # Time

    def _arm(self, wake_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = wake_at
        if wake_at < math.inf:
            # Up to a whole millisecond, the loop's own step, so that it does not fire just before the time.
            wait_ms = math.ceil((wake_at - time.monotonic()) * 1000)
            self._timer = self._loop.call_later(max(0, wait_ms) / 1000, self._wake)

    def _wake(self) -> None:
        now = time.monotonic()
        late_s = now - self._timer_at
        self._timer = None
        self._disk.look()
        if late_s > self._lag_s:
            self._lagged_at = now
            self.step(LoopLag(late_s))
        elif self._lagged_at is not None and now - self._lagged_at > self.settings.timing.heartbeat_interval:
            # Not at the first timer on time: every change of ours is told to all members at once, which is more load.
            self._lagged_at = None
            self.step(LoopLag(0.0))
        wake_at = self.core.wake_at
        if now < wake_at:
            self._arm(wake_at)
        else:
            self.step(Tick())

    # Tasks

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(bug := task.exception(), Exception):
            self._fail(task.get_name(), bug)

    # The end

    def _fail(self, where: str, bug: Exception) -> None:
        self.log.error("internal_error", where=where, traceback="".join(traceback.format_exception(bug)))
        self._end(
            f"internal error in {where} ({type(bug).__name__}: {bug}); the node stopped rather than go on half-way. "
            "All it acknowledged is on disk: restart it, and report this with its event log"
        )

    def _end(self, reason: str) -> None:
        if not self._running:
            return
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        self._calls.end(Maybe("stopping", "the node stopped before it could tell; ask another one"))
        self._deliveries.end()
        self.bus.close()
        if not self.stopped.done():
            self.stopped.set_result(reason)
