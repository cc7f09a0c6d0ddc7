"""Coverage marks: rare turns of the protocol that a campaign must have taken, or it proves little about them.

They are counted under these names, from what leaves a core and what reaches a disk.
"""

from collections.abc import Iterator

from node.protocol.effects import Send
from node.protocol.events import ROUND_OPENED, VOTES
from node.protocol.locks import ACQUIRE
from node.protocol.messages import (
    ControlAck,
    ControlReset,
    LockCall,
    PreVote,
    RecoverAnswer,
    VoteAnswer,
)
from node.protocol.records import Appended, Record

MARKS = (
    "a candidate campaigns by the leader's permit (E6)",
    "a voter's greater log goes to the candidate (E4)",
    "a follower lacks the beginning of the log (L1)",
    "a lock is carried over to a new leader (L4)",
    "an acquire that waited is submitted again (L3)",
    "a recovering disk is told of a floor (D1, C1)",
    "a vote in a further round (P5)",
    "a round is opened over dead slots (P5)",
    "a round is opened to close what expired (P5)",
    "reject conflicting_vote (P3)",
    "reject stale_version (P3)",
    "reject stale_base (P3)",
    "reject clock_ahead (V2)",
    "abstain deadline (P3)",
    "a change of members was refused",
    "crash between effects",
    "observed CONFLICT_DETECTED",
    "observed FLOOR_CHOSEN",
    "observed FLOOR_REACHED",
    "observed JOURNAL_REPLACED",
    "observed LEADER_HANDOVER",
    "observed LEADER_HANDOVER_FAILED",
    "observed LEADER_RESIGNED",
    "observed LOCK_EXPIRED",
    "observed MEMBERS_SETTLED",
    "observed RECOVERED",
    "observed RECOVERY_REFUSED",
    "outcome AcquireLock timeout",
    "outcome AcquireLock maybe",
    "outcome Propose insufficient_quorum",
)
"""What a campaign must have reached."""


_TELLING = frozenset({PreVote, VoteAnswer, ControlAck, ControlReset, LockCall, RecoverAnswer})
"""Messages that may show something; most are of other kinds."""


def of_message(send: Send) -> str | None:
    """What a message on its way shows."""
    if type(send.message) not in _TELLING:
        return None
    match send.message:
        case PreVote(permit=permit) if permit is not None:
            return "a candidate campaigns by the leader's permit (E6)"
        case VoteAnswer(state=state) if state is not None:
            return "a voter's greater log goes to the candidate (E4)"
        case ControlAck(gap=True):
            return "a follower lacks the beginning of the log (L1)"
        case ControlReset(state=state) if state.locks:
            return "a lock is carried over to a new leader (L4)"
        case LockCall(action=action, waited_ms=waited_ms) if action == ACQUIRE and waited_ms:
            return "an acquire that waited is submitted again (L3)"
        case RecoverAnswer(floor=floor) if floor is not None:
            return "a recovering disk is told of a floor (D1, C1)"
        case _:
            return None


def of_record(record: Record) -> Iterator[str]:
    """What a record that is durable shows."""
    if not isinstance(record, Appended):
        return
    payload = record.event.payload
    if record.event.type == ROUND_OPENED:
        yield (
            "a round is opened over dead slots (P5)"
            if payload["slots"]
            else "a round is opened to close what expired (P5)"
        )
    elif record.event.type == VOTES:
        for vote in payload["votes"]:
            if vote["round"]:
                yield "a vote in a further round (P5)"
            if vote["vote"] != "accept":
                rule = "V2" if vote["reason"] == "clock_ahead" else "P3"
                yield f"{vote['vote']} {vote['reason']} ({rule})"
