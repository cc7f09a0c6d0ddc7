"""The forwarder's half of locks: a client's call, kept alive from leader to leader (L2, L3).

A call goes to whoever leads, again after a change of leader and when no answer comes; request ids and tokens make a
repetition harmless. It ends with the leader's answer, or `no_leader` when it was never sent, or *maybe*.
"""

import msgspec

from node.protocol.context import Context
from node.protocol.election import Election
from node.protocol.locks import ACQUIRE, CANCEL, FORCE, NOT_LEADER, RELEASE, RENEW, LockService
from node.protocol.messages import LockAnswer, LockCall
from node.protocol.requests import (
    AcquireLock,
    Answer,
    LockGranted,
    LockReleased,
    Maybe,
    Refusal,
    ReleaseLock,
    RenewLock,
)
from node.protocol.shapes import LockView

DETAILS = {
    "held": "the lock is held; wait for it or try later",
    "timeout": "the lock was not free within the time given; {owner} has it",
    "queue_full": "too many wait for this lock; try later",
    "too_many": "the cluster holds as many locks as it may; release some",
    "wrong_token": "fencing token {given} was given, {current} is in force for this lock",
    "not_held": "nobody holds this lock; it may have expired",
    "released": "this request id was released already; acquire with a new one",
}


class Pending:
    """A client's call on its way."""

    def __init__(self, client: int, call: LockCall, mono: float, until: float, leader_until: float) -> None:
        self.client = client
        self.call = call
        """As it was sent last."""
        self.started = mono
        self.until = until
        self.leader_until = leader_until
        """Until then a leader may still appear; without one it ends as `no_leader`."""
        self.sent_to: str | None = None
        self.sent_at = 0.0
        self.was_sent = False


class LockCalls:
    """Clients' lock calls at this node."""

    def __init__(self, ctx: Context, election: Election, service: LockService) -> None:
        self._ctx = ctx
        self._election = election
        self._service = service
        self._number = ctx.first_number
        self._pending: dict[int, Pending] = {}
        timing = ctx.settings.timing
        self._resend_s = min(max(timing.heartbeat_interval, 0.2), 1.0)
        self._leader_patience_s = min(max(timing.heartbeat_timeout, 0.5), 2.0)
        self._answer_patience_s = max(timing.heartbeat_timeout, 1.0)
        service.answer = self._deliver

    def __len__(self) -> int:
        return len(self._pending)

    def acquire(self, client: int, ask: AcquireLock) -> None:
        """Take a lock for a client."""
        call = LockCall(
            self._next(), ACQUIRE, ask.resource, ask.owner, ask.request_id,
            ttl_ms=int(ask.ttl_s * 1000), wait_ms=int(ask.wait_s * 1000), trace=ask.trace, term=self._election.term,
        )  # fmt: skip
        self._begin(client, call, ask.wait_s)

    def renew(self, client: int, ask: RenewLock) -> None:
        """Renew a lock for a client."""
        ttl_ms = 0 if ask.ttl_s is None else int(ask.ttl_s * 1000)
        call = LockCall(
            self._next(), RENEW, ask.resource, ask.owner, token=ask.token, ttl_ms=ttl_ms, trace=ask.trace,
            term=self._election.term,
        )  # fmt: skip
        self._begin(client, call, 0.0)

    def release(self, client: int, ask: ReleaseLock) -> None:
        """Release a lock for a client, or by force for an admin."""
        call = LockCall(
            self._next(), FORCE if ask.force else RELEASE, ask.resource, ask.owner, ask.request_id or "",
            token=ask.token or 0, trace=ask.trace, term=self._election.term,
        )  # fmt: skip
        self._begin(client, call, 0.0)

    def cancel(self, client: int) -> None:
        """The client has gone: a waiting acquire is withdrawn, anything else takes its course (L3)."""
        for number, pending in list(self._pending.items()):
            if pending.client == client:
                del self._pending[number]
                if pending.call.action == ACQUIRE and pending.sent_to is not None:
                    cancel = msgspec.structs.replace(pending.call, action=CANCEL, waited_ms=0, term=0)
                    self._send(pending.sent_to, cancel)

    def leader_changed(self) -> None:
        """Send everything that waits to the new leader."""
        for pending in list(self._pending.values()):
            pending.sent_to = None
            self._dispatch(pending)

    def on_answer(self, instance: str, answer: LockAnswer) -> None:
        """The answer of `instance`.

        What a majority holds stands, whoever tells it. But a no is the word of one leader in one term: one asked before
        may not know that it is replaced, and says nothing of what the present one does (L2).
        """
        pending = self._pending.get(answer.number)
        if pending is None:
            return
        if answer.reason and (pending.sent_to not in (instance, None) or answer.term not in (0, pending.call.term)):
            return
        if answer.reason == NOT_LEADER:
            pending.sent_to = None
            self._ctx.wake(self._ctx.mono + self._resend_s / 10)
            return
        del self._pending[answer.number]
        self._finish(pending, answer)

    def tick(self) -> None:
        """Send again, give up."""
        mono = self._ctx.mono
        for number, pending in list(self._pending.items()):
            if mono >= (pending.until if pending.was_sent else pending.leader_until):
                del self._pending[number]
                self._give_up(pending)
                continue
            if pending.sent_to is None or mono - pending.sent_at >= self._resend_s:
                self._dispatch(pending)
            self._wake(pending)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _begin(self, client: int, call: LockCall, wait_s: float) -> None:
        if len(self._pending) >= self._ctx.settings.limits.max_pending_requests:
            self._ctx.reply(client, Refusal("too_many", "too many lock calls wait here; try later"))
            return
        mono = self._ctx.mono
        leader_until = mono + max(wait_s, self._leader_patience_s)
        pending = Pending(client, call, mono, mono + wait_s + self._answer_patience_s, leader_until)
        self._pending[call.number] = pending
        self._dispatch(pending)
        self._wake(pending)

    def _wake(self, pending: Pending) -> None:
        ctx = self._ctx
        ctx.wake(pending.until)
        ctx.wake(ctx.mono + self._resend_s / 10 if pending.sent_to is None else pending.sent_at + self._resend_s)

    def _dispatch(self, pending: Pending) -> None:
        leader = self._election.leader
        if leader is None:
            pending.sent_to = None
            return
        mono, term, call = self._ctx.mono, self._election.term, pending.call
        pending.sent_to, pending.sent_at, pending.was_sent = leader, mono, True
        waited_ms = int((mono - pending.started) * 1000)
        if waited_ms != call.waited_ms or term != call.term:
            pending.call = call = msgspec.structs.replace(call, waited_ms=waited_ms, term=term)
        self._send(leader, call)

    def _send(self, leader: str, call: LockCall) -> None:
        if leader == self._ctx.settings.id:
            self._service.handle(leader, call)
        else:
            self._ctx.send(leader, call)

    def _deliver(self, instance: str, answer: LockAnswer) -> None:
        """The local service answers: to a client here, or to the forwarder that asked."""
        if instance == self._ctx.settings.id:
            self.on_answer(instance, answer)
        else:
            self._ctx.send(instance, answer)

    def _give_up(self, pending: Pending) -> None:
        ctx, call = self._ctx, pending.call
        answer: Answer
        if not pending.was_sent:
            answer = Refusal("no_leader", "no leader is known here; see `iwdc-distributed leader`")
        else:
            again = "ask again with the same request id" if call.request_id else "ask again; it does nothing twice"
            answer = Maybe("no_answer", f"the leader did not answer in time; {again}")
        ctx.count("distributed_locks_failed_total", resource=call.resource, reason=answer.reason)
        ctx.reply(pending.client, answer)

    def _finish(self, pending: Pending, got: LockAnswer) -> None:
        ctx, call = self._ctx, pending.call
        releasing = call.action in (RELEASE, FORCE)
        span = "LOCK_RELEASE" if releasing else "LOCK_ACQUIRE"
        outcome = got.reason or "done"
        ctx.observe(
            span, call.trace, "info" if outcome == "done" else "warn", pending.started,
            resource=call.resource, owner=call.owner, action=call.action, outcome=outcome, token=got.token,
        )  # fmt: skip
        answer: Answer
        if got.reason:
            ctx.count("distributed_locks_failed_total", resource=call.resource, reason=got.reason)
            answer = _refusal(call, got)
        elif releasing:
            ctx.count("distributed_locks_released_total", resource=call.resource)
            answer = LockReleased(call.resource, got.token or None, got.already)
        else:
            if call.action == ACQUIRE:
                ctx.count("distributed_locks_acquired_total", resource=call.resource)
            answer = LockGranted(_view(call.resource, got))
        ctx.reply(pending.client, answer)


def _refusal(call: LockCall, got: LockAnswer) -> Refusal:
    return Refusal(
        got.reason,
        DETAILS.get(got.reason, "").format(given=call.token, current=got.token, owner=got.owner),
        holder=_view(call.resource, got) if got.owner else None,
        given=call.token if got.reason == "wrong_token" else None,
        current=got.token if got.reason == "wrong_token" else None,
    )


def _view(resource: str, got: LockAnswer) -> LockView:
    return LockView(resource, got.owner, got.instance, got.token, got.ttl_ms, got.remaining_ms, 0)
