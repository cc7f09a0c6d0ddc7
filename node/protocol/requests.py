"""What clients ask of a node and what they are told. An outcome is done, refused with a reason, or *maybe*.

`Refusal.reason` is a stable word for scripts; `detail` is for people and says what to do next.
"""

from typing import Any

import msgspec

from node.protocol.events import Event
from node.protocol.shapes import ContentRef, LockView, ProposalKind, ProposalView, QuorumView


class Propose(msgspec.Struct, frozen=True):
    """Put a version to the vote (P1). `version` is a snapshot's version, a diff's or rollback's `to`.

    With `wait_s` > 0 the answer comes with the verdict, or after that many seconds with the state as it is then.
    """

    kind: ProposalKind
    version: str
    hash: str
    base: str | None = None
    """A diff's or rollback's `from`."""
    signature: str | None = None
    idempotency_key: str | None = None
    wait_s: float = 0.0
    dry_run: bool = False
    forwarded_by: str | None = None
    """The v1.6 instance this came from: a repeat of what is pending is the same proposal (P7)."""
    content: ContentRef | None = None
    """Content that voters must hold before they accept; None: the hash alone is voted on."""
    trace: str = ""


class ProposeMany(msgspec.Struct, frozen=True):
    """Put several versions to the vote, as if they came one after another; the answer is one, `Answers`.

    It comes with the last verdict, or when the longest wait has ended.
    """

    asks: tuple[Propose, ...]


class Publish(msgspec.Struct, frozen=True):
    """Write an event of a client's own type into the log (V4). `quorum`: answer when a quorum holds it."""

    type: str
    payload: dict[str, Any]
    id: str | None = None
    quorum: bool = False
    trace: str = ""


class AcquireLock(msgspec.Struct, frozen=True):
    """Take a lock, or wait up to `wait_s` seconds for it (L2, L3)."""

    resource: str
    owner: str
    request_id: str
    ttl_s: float
    wait_s: float = 0.0
    trace: str = ""


class RenewLock(msgspec.Struct, frozen=True):
    """Start a held lock's lease anew."""

    resource: str
    owner: str
    token: int
    ttl_s: float | None = None
    trace: str = ""


class ReleaseLock(msgspec.Struct, frozen=True):
    """Give a lock back, by token or by the request id of its acquire.

    `force` is an admin's act: whoever holds it loses it, with a token only that grant.
    """

    resource: str
    owner: str
    token: int | None = None
    request_id: str | None = None
    force: bool = False
    trace: str = ""


class StepDown(msgspec.Struct, frozen=True):
    """The leader hands over in good order (E6), to `to` if given. Refused on a node that does not lead."""

    to: str | None = None


class Elect(msgspec.Struct, frozen=True):
    """Look at once for a leader that outranks the present one, instead of at the next election interval (E6)."""


class Leave(msgspec.Struct, frozen=True):
    """The node itself: it is about to stop. It campaigns no more and, if it leads, hands over to the next by rank (E6).

    Answered once another leads, or at once where nobody can.
    """


class ResolveConflict(msgspec.Struct, frozen=True):
    """Settle a conflict: `key` is the event id of the proposal that shall win (S1)."""

    slot: str
    key: str
    trace: str = ""


class Ingest(msgspec.Struct, frozen=True):
    """Events from a v1.6 instance: appended to the local log unless their id is already known (V1)."""

    source: str
    events: tuple[Event, ...]


class GoOnWithout(msgspec.Struct, frozen=True):
    """An operator's word that these members' disks are lost: recover without their answers (D1)."""

    members: tuple[str, ...]


Request = (
    Propose
    | ProposeMany
    | Publish
    | AcquireLock
    | RenewLock
    | ReleaseLock
    | StepDown
    | Elect
    | Leave
    | ResolveConflict
    | Ingest
    | GoOnWithout
)


class Refusal(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The cluster or the node said no; nothing was changed.

    Reasons: `insufficient_quorum`, `no_leader`, `not_leader`, `held`, `wrong_token`, `not_held`, `queue_full`,
    `too_many`, `cannot_vote`, `recovering`, `bad_request` (with `field`), `unknown_conflict`, `unknown_proposal`,
    `released`, `stepping_down`, `stopping`, `no_candidate`, `timeout` (a wait ended and nothing was granted).

    `detail` is for people. Of what they are likely to get wrong, `problem` says it for readers that word it themselves:
    `too_long` and `too_large` (the bound is `expected`), `not_printable`, `bad_version`, `not_after`, `not_before`
    (`expected`), `no_hash`, `no_sha256`, `no_signature`, `not_absolute`.
    """

    reason: str
    detail: str = ""
    field: str | None = None
    quorum: QuorumView | None = None
    holder: LockView | None = None
    given: int | None = None
    """The fencing token the client gave, with `wrong_token`."""
    current: int | None = None
    """The fencing token in force, with `wrong_token`."""
    problem: str | None = None
    """What is wrong with `field`, with `bad_request`."""
    expected: str | None = None
    """The bound that `problem` speaks of."""


class Maybe(msgspec.Struct, frozen=True, rename="camel"):
    """The outcome is unknown: it may have happened. Ask again with the same request id or idempotency key."""

    reason: str
    detail: str


class ProposalAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Where a proposal stands. `existing`: an equal one was already there (P6)."""

    proposal_id: str
    quorum: QuorumView
    proposal: ProposalView
    existing: bool = False


class Prediction(msgspec.Struct, frozen=True, rename="camel"):
    """What a proposal would meet (`dry_run`): nothing was changed."""

    quorum: QuorumView
    would_accept: bool
    checks: dict[str, str]
    """Check -> "ok" or why not: `quorum`, `version`, `base`, `slots`, `signature`, `hash`."""
    votes: dict[str, str]
    """Instance -> predicted vote with reason; "unknown" where only that instance can tell."""


class Answers(msgspec.Struct, frozen=True):
    """What became of each of several proposals, in their order."""

    answers: tuple[Refusal | Maybe | ProposalAnswer | Prediction, ...]


class Published(msgspec.Struct, frozen=True, rename="camel"):
    """The event is durable here (or on a quorum, if asked). `existing`: the id was already known."""

    id: str
    journal: str
    seq: int
    existing: bool = False


class LockGranted(msgspec.Struct, frozen=True, rename="camel"):
    """The lock is held (acquire, renew)."""

    lock: LockView


class LockReleased(msgspec.Struct, frozen=True, rename="camel"):
    """The lock is free of this owner. `already`: it was free before (L2)."""

    resource: str
    fencing_token: int | None
    already: bool


class Accepted(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An order was taken (step-down, elect, leave, resolve, ingest).

    Whether leadership is handed over, `code` says for readers to word: `hands_over` to `instance`, or that one `stays`.
    """

    detail: str
    code: str = ""
    instance: str = ""


Answer = Refusal | Maybe | ProposalAnswer | Prediction | Answers | Published | LockGranted | LockReleased | Accepted
