"""Locks (L1-L4): only the leader grants, any node takes the request.

The leader's half (`LockService`) turns calls into control entries and answers when a strict majority holds them. It
keeps deadlines and the waiting queue in memory only: deadlines are its own clock's, with a tenth more than the holder
was promised (clock rates may differ by that much), and a new leader gives every lock a whole lease again.
The forwarder's half is in `lock_calls.py`.
"""

from collections.abc import Callable

from node.protocol.context import Context
from node.protocol.control import Control
from node.protocol.membership import Membership
from node.protocol.messages import LockAnswer, LockCall
from node.protocol.records import Forget, Grant, LockRecord, Release, Renew

CLOCK_RATE_MARGIN = 1.1
"""The leader waits this much longer than the holder may count on (L4)."""
FORGET_BATCH = 256
ACQUIRE, RENEW, RELEASE, FORCE, CANCEL = "acquire", "renew", "release", "force", "cancel"
NOT_LEADER = "not_leader"


class Waiter:
    """One waiting acquire. `since` is when it began to wait, at whichever leader, on this leader's clock."""

    def __init__(self, instance: str, call: LockCall, mono: float) -> None:
        self.instance = instance
        self.call = call
        self.since = mono - call.waited_ms / 1000
        self.until = mono + max(0, call.wait_ms - call.waited_ms) / 1000


class LockService:
    """The leader's work on locks."""

    def __init__(self, ctx: Context, control: Control, members: Membership) -> None:
        self._ctx = ctx
        self._control = control
        self._members = members
        self.granting: Callable[[], bool] = lambda: False
        self.coming: Callable[[], bool] = lambda: False
        self.answer: Callable[[str, LockAnswer], None] = lambda instance, answer: None
        self._deadlines: dict[str, float] = {}
        self._queues: dict[str, list[Waiter]] = {}
        self._refused: dict[tuple[str, int], str] = {}
        """Acquires that were refused, by forwarder and number, and why; the newest of them."""
        self._early: dict[tuple[str, int], LockCall] = {}
        """Calls that came before this node serves the term that it has won (E4), by forwarder and number."""

    def begin(self) -> None:
        """This node starts to serve as leader: what it inherits gets a whole lease again (L4)."""
        locks = self._control.state.locks
        self._queues.clear()
        self._deadlines = {name: self._deadline(lock.ttl_ms) for name, lock in locks.items()}
        self._take_early()
        self._wake()

    def end(self) -> None:
        """This node leads no longer: the waiting are told to look for the next leader."""
        for queue in self._queues.values():
            for waiter in queue:
                self._answer(waiter.instance, waiter.call, NOT_LEADER)
        self._queues.clear()
        self._deadlines.clear()
        self._refused.clear()
        self._take_early()

    def remaining_ms(self, lock: LockRecord) -> int | None:
        """What is left of the holder's lease as this leader counts; None when it does not lead."""
        deadline = self._deadlines.get(lock.resource)
        if deadline is None:
            return None
        promised = deadline - lock.ttl_ms / 1000 * (CLOCK_RATE_MARGIN - 1)
        return max(0, int((promised - self._ctx.mono) * 1000))

    def waiters(self, resource: str) -> int:
        """How many wait for `resource` at this leader."""
        return len(self._queues.get(resource, ()))

    def handle(self, instance: str, call: LockCall) -> None:
        """A call that came from `instance` (this one or a forwarder)."""
        if call.action == CANCEL:
            self._early.pop((instance, call.number), None)
            self._cancel(call.resource, call.request_id, instance)
        elif not self.granting() or call.term not in (0, self._control.term):
            if self._comes_early(instance, call):
                self._early[instance, call.number] = call
            else:
                # Of another term: it may have been refused meanwhile, and its client have moved on (L2).
                self._answer(instance, call, NOT_LEADER)
        elif call.action == ACQUIRE:
            self._acquire(instance, call)
        elif call.action == RENEW:
            self._renew(instance, call)
        else:
            self._release(instance, call)

    def tick(self) -> None:
        """Expire leases and waits, forget old marks."""
        ctx = self._ctx
        if not self.granting():
            return
        for resource in [name for name, deadline in self._deadlines.items() if deadline <= ctx.mono]:
            lock = self._control.state.locks.get(resource)
            del self._deadlines[resource]
            if lock is not None:
                ctx.observe("LOCK_EXPIRED", level="warn", resource=resource, owner=lock.owner, token=lock.token)
                self._free(lock, "expire", None)
        for resource in list(self._queues):
            self._expire_waiters(resource)
        due = self._control.marks.due(ctx.mono, ctx.settings.timing.lock_ttl, FORGET_BATCH)
        if due:
            self._control.append(Forget(due))
        self._wake()

    # One by one

    def _comes_early(self, instance: str, call: LockCall) -> bool:
        """Whether to keep a call until this node serves or gives up: its forwarder would only ask again, and later.

        It heard of this leader with the state that a majority is to hold, and its call is here before its disk has it.
        Calls of this node's own clients are put again when it serves.
        """
        return (
            self.coming()
            and call.term == self._control.term
            and instance != self._ctx.settings.id
            and len(self._early) < self._ctx.settings.limits.max_pending_requests
        )

    def _take_early(self) -> None:
        early, self._early = self._early, {}
        for (instance, _), call in early.items():
            self.handle(instance, call)

    def _acquire(self, instance: str, call: LockCall) -> None:
        ctx, state = self._ctx, self._control.state
        lock = state.locks.get(call.resource)
        refused = self._refused.get((instance, call.number))
        if refused is not None:
            # Sent once more before the refusal was heard: its client has moved on, and must not be given the lock (L2).
            self._refuse(instance, call, refused)
        elif lock is not None and lock.request_id == call.request_id:
            # The same request again: same grant, same token (L2), once a strict majority is known to hold it.
            self._control.confirm(lambda: self._granted(instance, call, lock))
        elif call.request_id in state.marks:
            # Only then nothing of it can come back: its grant may be on more disks than its end.
            self._control.confirm(lambda: self._refuse(instance, call, "released"))
        elif lock is None:
            if len(state.locks) >= ctx.settings.limits.max_locks:
                self._refuse(instance, call, "too_many")
            else:
                self._grant(instance, call)
        elif call.wait_ms > call.waited_ms:
            self._enqueue(instance, call)
        else:
            self._cancel(call.resource, call.request_id, instance)
            self._refuse(instance, call, "held", lock)

    def _renew(self, instance: str, call: LockCall) -> None:
        lock = self._control.state.locks.get(call.resource)
        if lock is None:
            self._control.confirm(lambda: self._refuse(instance, call, "not_held"))
        elif lock.token != call.token or lock.owner != call.owner:
            self._refuse(instance, call, "wrong_token", lock)
        else:
            ttl_ms = call.ttl_ms or lock.ttl_ms
            self._lease(lock.resource, ttl_ms)
            renewed = LockRecord(lock.resource, lock.owner, lock.instance, lock.token, ttl_ms, lock.request_id)
            self._control.append(
                Renew(lock.resource, lock.token, ttl_ms), lambda: self._granted(instance, call, renewed), instance
            )

    def _release(self, instance: str, call: LockCall) -> None:
        lock = self._control.state.locks.get(call.resource)
        force = call.action == FORCE
        matches = lock is not None and (
            (force and call.token in (0, lock.token))
            or (lock.owner == call.owner and call.token == lock.token)
            or (call.request_id != "" and call.request_id == lock.request_id)
        )
        if lock is not None and matches:
            self._free(
                lock, "force" if force else "release", lambda: self._released(instance, call, lock.token), instance
            )
            return
        if call.request_id and self._cancel(call.resource, call.request_id, None):
            self._mark(instance, call)
        elif lock is not None and call.token:
            self._refuse(instance, call, "wrong_token", lock)
        elif call.request_id and call.request_id not in self._control.state.marks:
            self._mark(instance, call)
        else:
            self._control.confirm(lambda: self._released(instance, call, 0, already=True))

    def _mark(self, instance: str, call: LockCall) -> None:
        """A release by a request id that holds nothing: its acquire, should it still come, grants nothing (L2)."""
        self._control.append(
            Release(call.resource, 0, "release", call.request_id),
            lambda: self._released(instance, call, 0, already=True),
            instance,
        )
        self._wake_to_forget()

    def _grant(self, instance: str, call: LockCall) -> None:
        state = self._control.state
        lock = LockRecord(call.resource, call.owner, instance, state.token + 1, call.ttl_ms, call.request_id)
        self._lease(call.resource, call.ttl_ms)
        self._control.append(Grant(lock), lambda: self._granted(instance, call, lock), instance)

    def _free(self, lock: LockRecord, cause: str, done: Callable[[], None] | None, asked_by: str | None = None) -> None:
        self._deadlines.pop(lock.resource, None)
        self._control.append(Release(lock.resource, lock.token, cause, lock.request_id), done, asked_by)
        self._wake_to_forget()
        if lock.resource in self._queues:
            self._next(lock.resource)

    def _next(self, resource: str) -> None:
        """Give a free lock to who has waited longest (L3)."""
        self._expire_waiters(resource)
        queue = self._queues.get(resource)
        if queue:
            waiter = queue.pop(0)
            if not queue:
                del self._queues[resource]
            self._grant(waiter.instance, waiter.call)

    def _enqueue(self, instance: str, call: LockCall) -> None:
        queue = self._queues.setdefault(call.resource, [])
        queue[:] = [waiter for waiter in queue if waiter.call.request_id != call.request_id]
        if len(queue) >= self._ctx.settings.limits.max_waiters_per_lock:
            self._refuse(instance, call, "queue_full")
            return
        queue.append(Waiter(instance, call, self._ctx.mono))
        queue.sort(key=lambda waiter: waiter.since)
        self._ctx.wake(queue[-1].until)

    def _cancel(self, resource: str, request_id: str, instance: str | None) -> bool:
        """Drop a waiter; with `instance` only if it came from there: a client may have moved on to another node."""
        queue = self._queues.get(resource, [])
        kept = [w for w in queue if w.call.request_id != request_id or instance not in (None, w.instance)]
        found = len(kept) < len(queue)
        if kept:
            self._queues[resource] = kept
        else:
            self._queues.pop(resource, None)
        return found

    def _expire_waiters(self, resource: str) -> None:
        queue = self._queues.get(resource)
        if not queue:
            return
        lock = self._control.state.locks.get(resource)
        kept: list[Waiter] = []
        for waiter in queue:
            peer = self._members.peers.get(waiter.instance)
            if waiter.until <= self._ctx.mono:
                self._refuse(waiter.instance, waiter.call, "timeout", lock)
            elif peer is None or peer.alive:
                kept.append(waiter)
        if kept:
            self._queues[resource] = kept
        else:
            del self._queues[resource]

    def _granted(self, instance: str, call: LockCall, lock: LockRecord) -> None:
        held = self._control.state.locks.get(lock.resource)
        if held is None or held.token != lock.token:
            # It has ended meanwhile; told once its end is on as many disks as the grant.
            self._control.confirm(lambda: self._refuse(instance, call, "not_held"))
            return
        self._answer(instance, call, "", held)

    def _released(self, instance: str, call: LockCall, token: int, *, already: bool = False) -> None:
        self.answer(instance, LockAnswer(call.number, token=token, already=already, term=call.term))

    def _refuse(self, instance: str, call: LockCall, reason: str, lock: LockRecord | None = None) -> None:
        if call.action == ACQUIRE:
            self._refused[instance, call.number] = reason
            if len(self._refused) > self._ctx.settings.limits.max_pending_requests:
                del self._refused[next(iter(self._refused))]
        self._answer(instance, call, reason, lock)

    def _answer(self, instance: str, call: LockCall, reason: str, lock: LockRecord | None = None) -> None:
        """Say how a call ended, and who holds the lock, if that is known."""
        if lock is None:
            self.answer(instance, LockAnswer(call.number, reason, term=call.term))
            return
        self.answer(
            instance,
            LockAnswer(
                call.number, reason, lock.owner, lock.instance, lock.token, lock.ttl_ms, self.remaining_ms(lock) or 0,
                term=call.term,
            ),
        )  # fmt: skip

    def _wake_to_forget(self) -> None:
        ctx, oldest = self._ctx, self._control.marks.oldest()
        if oldest is not None:
            # Not in the past: what is due and found no room in this batch is for the next one.
            ctx.wake(max(oldest + ctx.settings.timing.lock_ttl, ctx.mono))

    def _lease(self, resource: str, ttl_ms: int) -> None:
        self._deadlines[resource] = deadline = self._deadline(ttl_ms)
        self._ctx.wake(deadline)

    def _deadline(self, ttl_ms: int) -> float:
        return self._ctx.mono + ttl_ms / 1000 * CLOCK_RATE_MARGIN

    def _wake(self) -> None:
        ctx = self._ctx
        if self._deadlines:
            ctx.wake(min(self._deadlines.values()))
        if self._queues:
            ctx.wake(min(waiter.until for queue in self._queues.values() for waiter in queue))
        self._wake_to_forget()
