"""A peer's delivery: whether it is taken, and which part each of its messages is for.

A message is taken only from a listed member, under the journal noted for it (D1); promises, acks and votes only between
equal configs (M2).
"""

from collections.abc import Callable
from typing import Any

from node.protocol.checkpoint import is_readable
from node.protocol.messages import (
    ConfigView,
    ControlAck,
    ControlAppend,
    ControlReset,
    Envelope,
    Heartbeat,
    HeartbeatAck,
    Held,
    LockAnswer,
    LockCall,
    Mark,
    Message,
    Permit,
    PreVote,
    PreVoteAnswer,
    Pull,
    Push,
    Recover,
    RecoverAnswer,
    TimeAnswer,
    TimeProbe,
    VoteAnswer,
    VoteRequest,
)  # fmt: skip
from node.protocol.parts import Parts
from node.protocol.peer import Peer
from node.protocol.records import Floor

NEEDS_EQUAL_CONFIG = (
    PreVote, PreVoteAnswer, VoteRequest, VoteAnswer, ControlReset, ControlAppend, ControlAck, Permit,
    LockCall, LockAnswer, Recover, RecoverAnswer,
)  # fmt: skip
"""Promises, acks, votes and what leads to them (M2)."""
_BRING_FLOORS = frozenset({ControlAppend, ControlReset, VoteAnswer, RecoverAnswer})


def receive(parts: Parts, envelope: Envelope) -> None:
    """Take in what a peer sent, or say why not."""
    ctx, members = parts.ctx, parts.members
    peer = members.peers.get(envelope.sender)
    if peer is None or envelope.to != parts.settings.id or envelope.cluster != parts.settings.cluster:
        ctx.count("distributed_sync_errors_total", type="stranger")
        return
    # Even of a journal that is not the one noted: an older image of our disk may not know the peer's new one.
    if envelope.quoted == parts.journal_id and envelope.quote is not None and rolled_back(parts, envelope.quote):
        parts.begin_anew(f"{peer.member.id} has seen more of this disk than it holds")
        return
    if parts.recovery.is_late(peer, envelope.journal, envelope.start):
        ctx.count("distributed_sync_errors_total", type="former_boot")
        return
    if not parts.recovery.accepts(peer, envelope.journal, envelope.boot):
        members.heard_stranger(peer)
        for message in envelope.messages:
            if envelope.digest == members.digest:
                if isinstance(message, Recover):
                    parts.recovery.on_recover(peer, message, envelope.boot)
                elif isinstance(message, Heartbeat):
                    parts.recovery.on_replaced(peer, envelope.journal)
                elif isinstance(message, RecoverAnswer):
                    _give_way(parts, peer, message)
        return
    members.heard(peer, envelope.boot, envelope.digest, envelope.quoted)
    peer.start = (envelope.journal, envelope.start)
    parts.clock.receive(envelope.hlc, ctx.wall_ms)
    if envelope.mark != peer.mark and (peer.mark is None or _further(envelope.mark, peer.mark)):
        peer.mark = envelope.mark
    parts.recovery.heard(peer.member.id)
    equal = envelope.digest == members.digest
    for message in envelope.messages:
        if equal or not isinstance(message, NEEDS_EQUAL_CONFIG):
            take(parts, peer, message, envelope)
    members.judge(peer)


def _give_way(parts: Parts, peer: Peer, answer: RecoverAnswer) -> None:
    """Go on under a new journal id where a member has taken another disk for this one's replacement (D2)."""
    if parts.recovery.is_replaced(peer, answer):
        parts.begin_anew(f"{peer.member.id} has taken another disk for this one's replacement")


def take(parts: Parts, peer: Peer, message: Message, envelope: Envelope) -> None:
    """One message, to the part it is for; nothing of one that brings a floor which says nothing (C1)."""
    kind = type(message)
    if kind in _BRING_FLOORS and not all(map(is_readable, _floors(message))):
        parts.ctx.count("distributed_sync_errors_total", type="bad_floor")
        return
    _TAKE[kind](parts, peer, message, envelope)


def _push(parts: Parts, peer: Peer, message: Push, envelope: Envelope) -> None:
    if not parts.replication.on_push(peer, message, envelope.journal):
        parts.begin_anew(f"{peer.member.id} holds more of this journal than its own disk")


def _heartbeat(parts: Parts, peer: Peer, message: Heartbeat, envelope: Envelope) -> None:
    if peer.digest == parts.members.digest:
        parts.election.on_heartbeat(peer, message)
    if parts.members.on_heartbeat(peer, message):
        parts.replication.on_vector(peer)
    parts.reconfiguration.look()


def _control(parts: Parts, peer: Peer, message: ControlAppend | ControlReset, envelope: Envelope) -> None:
    election, control, may_ack = parts.election, parts.control, parts.members.can_vote
    if message.term < election.term:
        parts.ctx.send(peer.member.id, ControlAck(election.term, 0, gap=True), parts.ctx.persist_number)
        return
    election.see_term(message.term)
    election.accept_leader(peer.member.id)
    if isinstance(message, ControlAppend):
        control.on_append(peer, message, may_ack)
    else:
        control.on_reset(peer, message, may_ack)


def _control_ack(parts: Parts, peer: Peer, message: ControlAck, envelope: Envelope) -> None:
    if not message.gap:
        peer.mark = _shown(peer.mark, message.term, (message.term, message.index))
    if message.term > parts.election.term:
        parts.election.see_term(message.term)
    else:
        parts.control.on_ack(peer, message)
        parts.election.handover.acked(peer.member.id)


def _vote_request(parts: Parts, peer: Peer, message: VoteRequest, envelope: Envelope) -> None:
    peer.mark = _shown(peer.mark, message.term, (0, 0))
    parts.election.on_vote_request(peer, message)


def _vote(parts: Parts, peer: Peer, message: VoteAnswer, envelope: Envelope) -> None:
    if message.granted:
        peer.mark = _shown(peer.mark, message.term, (0, 0))
    parts.election.on_vote(peer, message)


def _config(parts: Parts, peer: Peer, message: ConfigView, envelope: Envelope) -> None:
    peer.entries = message.entries


def _recover_answer(parts: Parts, peer: Peer, message: RecoverAnswer, envelope: Envelope) -> None:
    _give_way(parts, peer, message)
    parts.recovery.on_answer(peer, message)


_TAKE: dict[type[Message], Callable[[Parts, Peer, Any, Envelope], None]] = {
    Push: _push,
    Heartbeat: _heartbeat,
    HeartbeatAck: lambda parts, peer, message, envelope: parts.members.on_ack(peer, message),
    ControlAppend: _control,
    ControlReset: _control,
    ControlAck: _control_ack,
    LockCall: lambda parts, peer, message, envelope: parts.lock_service.handle(peer.member.id, message),
    LockAnswer: lambda parts, peer, message, envelope: parts.locks.on_answer(peer.member.id, message),
    Held: lambda parts, peer, message, envelope: parts.replication.on_held(peer, message),
    Pull: lambda parts, peer, message, envelope: parts.replication.on_pull(peer, message),
    PreVote: lambda parts, peer, message, envelope: parts.election.on_prevote(peer, message),
    PreVoteAnswer: lambda parts, peer, message, envelope: parts.election.on_prevote_answer(peer, message),
    VoteRequest: _vote_request,
    VoteAnswer: _vote,
    Permit: lambda parts, peer, message, envelope: parts.election.on_permit(peer, message),
    ConfigView: _config,
    Recover: lambda parts, peer, message, envelope: parts.recovery.on_recover(peer, message, envelope.boot),
    RecoverAnswer: _recover_answer,
    TimeProbe: lambda parts, peer, message, envelope: parts.timesync.on_probe(peer, message),
    TimeAnswer: lambda parts, peer, message, envelope: parts.timesync.on_answer(peer, message),
}
"""Looked up rather than matched: every class that does not match costs as much as two calls (msgspec's metaclass)."""


def _floors(message: Message) -> list[Floor]:
    if type(message) is ControlAppend:
        return [entry for entry in message.entries if type(entry) is Floor]
    match message:
        case ControlReset(state=state) | VoteAnswer(state=state):
            return [state.floor] if state is not None and state.floor is not None else []
        case RecoverAnswer(state=state, floor=floor):
            return [each for each in (state.floor, floor) if each is not None]
    return []


def rolled_back(parts: Parts, quote: Mark) -> bool:
    """Whether a peer has seen more of this disk than there is on it (D1)."""
    return (
        quote.seq > parts.replication.seq
        or quote.term > parts.election.term
        or quote.stamp > parts.control.stamp
        or (quote.stamp == parts.control.stamp and quote.index > parts.control.index)
    )


def _further(mark: Mark, than: Mark) -> bool:
    return (mark.seq, mark.term, mark.stamp, mark.index) > (than.seq, than.term, than.stamp, than.index)


def _shown(mark: Mark | None, term: int, position: tuple[int, int]) -> Mark:
    """The mark that a vote or an ack proves: it left once it was durable, perhaps before the mark did (D1)."""
    known = mark or Mark(0, 0, 0, 0)
    if term <= known.term and position <= (known.stamp, known.index):
        return known
    stamp, index = max((known.stamp, known.index), position)
    return Mark(known.seq, max(known.term, term), stamp, index)
