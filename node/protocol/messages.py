"""What instances say to one another. Everything that waits for a peer travels in one `Envelope`.

Encoded as msgpack arrays with a one-letter tag; new fields go last and have defaults, so nodes one version apart
understand each other (F1). Every message may be lost, doubled or late: each is idempotent or carries a term, a number
or a sequence that says how old it is.
"""

import msgspec

from node.protocol.events import Event
from node.protocol.records import ControlEntry, ControlState, Floor


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a journal has come, durably: last event, term, and control log position.

    A peer quotes the highest mark it has seen; a journal behind a quote of itself was rolled back (D1).
    """

    seq: int
    term: int
    stamp: int
    index: int


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="h"):
    """Liveness and what others need to see of us (H1). `number` grows with every beat of one boot.

    `sees` and `vector` travel when they changed since this peer last confirmed them, else only their hashes do.
    """

    number: int
    uptime_ms: int
    status: str
    reasons: tuple[str, ...]
    term: int
    leader: str | None
    commit: int
    sees_hash: int
    vector_hash: int
    sees: dict[str, str] | None = None
    vector: dict[str, int] | None = None
    refused: tuple[str, ...] = ()
    """Peers whose host refuses this instance's connections right now (H2)."""
    drift_ms: float | None = None
    drift_error_ms: float | None = None
    version: str | None = None
    """Current catalogue version, as this instance knows it."""
    in_answer: bool = False
    """It goes along with the confirmation of the receiver's own beat: to be confirmed with the receiver's next one."""


class HeartbeatAck(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="k"):
    """Confirms beat `number`, and the hashes of what the receiver now holds of the sender."""

    number: int
    sees_hash: int
    vector_hash: int
    held_ms: float = 0.0
    """How long it waited for company: no part of the round trip."""


class ConfigView(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """The digest's parts, sent to a peer whose digest differs, so that it can name the difference (M2)."""

    entries: dict[str, str]


class PreVote(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="p"):
    """Would you vote for me in `term`? Raises no terms (E3). `permit` is the term of the leader that sent one."""

    term: int
    permit: int | None = None


class PreVoteAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="q"):
    """`term` repeats the question's; `current` is the answerer's own."""

    term: int
    granted: bool
    current: int


class VoteRequest(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="v"):
    """Vote for me in `term`. `stamp`, `index`: my control log, so that you send yours only if it is greater (E4)."""

    term: int
    stamp: int
    index: int


class VoteAnswer(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """`state` comes with a grant when the voter's control log is greater than the candidate's (E4)."""

    term: int
    granted: bool
    stamp: int
    index: int
    state: ControlState | None = None


class ControlReset(msgspec.Struct, frozen=True, array_like=True, tag="R"):
    """The control log as a checkpoint: a new leader's re-stamp, or what fills a follower's gap (E4, L1)."""

    term: int
    index: int
    state: ControlState
    commit: int


class ControlAppend(msgspec.Struct, frozen=True, array_like=True, tag="A"):
    """Entries `first .. first+len-1` of the leader of `term`. Without entries it confirms leadership and `commit`."""

    term: int
    first: int
    entries: tuple[ControlEntry, ...]
    commit: int
    round: int = 0
    """Grows with every confirmation the leader asks for; the ack repeats it (E5)."""


class ControlAck(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="a"):
    """The sender holds, durably, the log of `term` up to `index`. `gap`: it needs a checkpoint first."""

    term: int
    index: int
    gap: bool = False
    round: int = 0


class Permit(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="m"):
    """The leader of `term` asks the receiver to campaign now (E6)."""

    term: int


class Push(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """Events, contiguous per journal and in order. `more`: this answers a pull and there is more to fetch."""

    events: tuple[Event, ...]
    more: bool = False
    answers: int = 0
    """The pull this answers, 0 for none."""
    confirm: bool = False
    """Answer with `Held` when these are on disk."""


class Held(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="H"):
    """The sender holds the receiver's journal, durably, up to `seq` (V4)."""

    journal: str
    seq: int


class Pull(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """Send me what you hold beyond `have` of the journals named in it; an empty journal is 0."""

    number: int
    have: dict[str, int]


class LockCall(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="l"):
    """A client's lock request, forwarded to the leader. `number` is the forwarder's own. Durations in ms."""

    number: int
    action: str
    """`acquire`, `renew`, `release`, `force` or `cancel` (the client of a waiting acquire has gone)."""
    resource: str
    owner: str
    request_id: str = ""
    token: int = 0
    ttl_ms: int = 0
    wait_ms: int = 0
    waited_ms: int = 0
    """How long it already waited at former leaders: the queue orders by it (L3)."""
    trace: str = ""
    term: int = 0
    """Of the leader that it is for: under another term that one does not take a late copy (L2). 0: not said."""


class LockAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="L"):
    """`reason` is empty on success; `not_leader` makes the forwarder look for the leader again."""

    number: int
    reason: str = ""
    owner: str = ""
    instance: str = ""
    token: int = 0
    ttl_ms: int = 0
    remaining_ms: int = 0
    already: bool = False
    term: int = 0
    """The call's."""


class Recover(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="x"):
    """My disk is new: note `journal` and tell me what you know (D1)."""

    journal: str


class RecoverAnswer(msgspec.Struct, frozen=True, array_like=True, tag="X"):
    """`journal` repeats the one now durably noted. `vector` is what the recovering node must hold before it votes.

    `ready`: the answerer itself may vote; `known`: it knew a former journal of the asker; `floor`: the one it applied.
    `refusal` says why the journal was not noted: the old one is still heard (duplicate id, D2). `replaced_by`, to a
    node that recovers no more: the journal noted in place of its own, and not heard any more.
    """

    journal: str
    ready: bool
    known: bool
    term: int
    stamp: int
    index: int
    state: ControlState
    vector: dict[str, int]
    floor: Floor | None = None
    refusal: str = ""
    replaced_by: str = ""


class TimeProbe(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="t"):
    """What does your wall clock say? (T1)"""

    number: int


class TimeAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="T"):
    """The answerer's wall clock when it answered, unix ms."""

    number: int
    wall_ms: float


Message = (
    Heartbeat
    | HeartbeatAck
    | ConfigView
    | PreVote
    | PreVoteAnswer
    | VoteRequest
    | VoteAnswer
    | ControlReset
    | ControlAppend
    | ControlAck
    | Permit
    | Push
    | Held
    | Pull
    | LockCall
    | LockAnswer
    | Recover
    | RecoverAnswer
    | TimeProbe
    | TimeAnswer
)


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """One delivery from `sender` to `to`: who speaks, from which boot and journal, and all that waited."""

    format: int
    cluster: str
    digest: str
    sender: str
    to: str
    boot: str
    journal: str
    hlc: int
    mark: Mark
    quote: Mark | None
    """The highest mark the sender has seen of the receiver's journal `quoted`."""
    messages: tuple[Message, ...]
    quoted: str = ""
    number: int = 0
    """Grows by one with each envelope of one boot to one peer."""
    start: int = 0
    """Which start of the sender on this journal's disk this boot is, as far as its disk has it."""
