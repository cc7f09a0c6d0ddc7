"""Events that come from outside the protocol: a client's own (V4), and those of v1.6 instances (V1, facts of v1.6)."""

import msgspec

from node.protocol import quorum
from node.protocol.context import Context
from node.protocol.events import RESERVED_TYPES
from node.protocol.membership import Membership
from node.protocol.replication import Replication
from node.protocol.requests import Accepted, Ingest, Publish, Published, Refusal


class Publishing:
    """Writes what others have to say into this node's own log."""

    def __init__(self, ctx: Context, members: Membership, replication: Replication) -> None:
        self._ctx = ctx
        self._members = members
        self._replication = replication

    def publish(self, call: int, ask: Publish) -> None:
        """A client's event; a repeated id changes nothing (V4)."""
        ctx = self._ctx
        refusal = self._flaw(ask)
        if refusal is not None:
            ctx.reply(call, refusal)
            return
        if ask.id is not None:
            known = self._replication.known(ask.id)
            if known is not None:
                ctx.reply(call, Published(ask.id, known[0], known[1], existing=True), ctx.persist_number)
                return
        event = self._replication.append(ask.type, ask.payload, ask.trace, ask.id)
        answer = Published(event.id, event.journal, event.seq)
        number = ctx.persist_number
        if not ask.quorum:
            ctx.reply(call, answer, number)
            return
        voters = len(self._members.voters)
        others = quorum.required(voters, ctx.settings.rule) - 1
        self._replication.when_held(call, event.seq, others, lambda: ctx.reply(call, answer, number))

    def ingest(self, call: int, ask: Ingest) -> None:
        """Events of a v1.6 instance, kept untouched; known ids are passed over (V1)."""
        ctx = self._ctx
        taken = 0
        for event in ask.events:
            if self._replication.known(event.id) is None:
                self._replication.append(
                    event.type, event.payload, event.trace, event.id, origin=event.origin,
                    timestamp_ms=event.timestamp_ms,
                )  # fmt: skip
                taken += 1
        ctx.count("distributed_sync_total", max(taken, 1), direction="legacy")
        ctx.reply(call, Accepted(f"{taken} of {len(ask.events)} events were new"), ctx.persist_number)

    def _flaw(self, ask: Publish) -> Refusal | None:
        limits = self._ctx.settings.limits
        if ask.quorum and self._replication.awaiting >= limits.max_pending_requests:
            return Refusal("too_many", "too many publishers wait for a quorum; try later")
        if not ask.type or len(ask.type) > limits.max_name_chars:
            return Refusal("bad_request", f"expected 1 to {limits.max_name_chars} characters", field="type")
        if ask.type in RESERVED_TYPES:
            return Refusal("bad_request", f"{ask.type} is written by the nodes themselves", field="type")
        if ask.id is not None:
            if not ask.id or len(ask.id) > limits.max_name_chars:
                return Refusal("bad_request", f"expected 1 to {limits.max_name_chars} characters", field="id")
            if any(ask.id.startswith(journal) for journal in self._replication.vector):
                return Refusal("bad_request", "ids that begin like a journal's are the nodes' own", field="id")
        try:
            size = len(msgspec.msgpack.encode(ask.payload))
        except (TypeError, OverflowError, ValueError, RecursionError) as error:
            return Refusal("bad_request", f"cannot be stored: {error}", field="payload")
        if size > limits.max_payload_bytes:
            return Refusal("bad_request", f"{size} bytes, expected at most {limits.max_payload_bytes}", field="payload")
        return None
