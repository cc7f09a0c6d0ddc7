"""How this node judges a proposal (P2, P3): the request itself, and the vote with its reason."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final, get_args

from node.protocol import quorum
from node.protocol.ballot import ProposalState, bound_by
from node.protocol.bundle import Bundle
from node.protocol.canonical import SIGNATURE_FORM, read_signature, signed_bytes
from node.protocol.contents import Contents
from node.protocol.context import Context
from node.protocol.events import HybridClock, hlc_from_wall_ms, hlc_wall_ms
from node.protocol.membership import Membership
from node.protocol.proposal import CONFLICTING_VOTE, STALE_VERSION, VERSION_SLOT, Content, Proposal, VoteWord
from node.protocol.requests import Prediction, Propose, Refusal
from node.protocol.state import Fold
from node.protocol.versions import BadVersion, parse

Verify = Callable[[str, bytes, str], bool]
"""(proposing instance, signed bytes, signature) -> whether the signature is a configured key's."""

ACCEPT: Final = "accept"
REJECT: Final = "reject"
ABSTAIN: Final = "abstain"
SHA256_CHARS = 64
NEAR_DEADLINE = 0.1
"""A proposal whose base or content is not here is held until this share of `proposal_timeout` is left."""


class Voting:
    """This node's judgement, from its own state."""

    def __init__(
        self, ctx: Context, clock: HybridClock, members: Membership, fold: Fold, contents: Contents,
        verify: Verify | None,
    ) -> None:  # fmt: skip
        self._ctx = ctx
        self._clock = clock
        self._members = members
        self._fold = fold
        self._contents = contents
        self._verify = verify
        self.voted = {word: ctx.counter("distributed_votes_total", type=word) for word in get_args(VoteWord)}
        """Counts of this node's votes."""

    def flaw(self, ask: Propose) -> Refusal | None:
        """What is wrong with the request itself."""
        limits = self._ctx.settings.limits
        named = {"version": ask.version} if ask.kind == "snapshot" else {"to": ask.version, "from": ask.base or ""}
        for field, text in named.items():
            if len(text) > limits.max_version_chars:
                return _too_long(field, limits.max_version_chars)
            try:
                parse(text)
            except BadVersion as error:
                return Refusal("bad_request", str(error), field=field, problem="bad_version")
        if ask.kind == "diff" and parse(ask.version) <= parse(str(ask.base)):
            detail = f"expected a version after {ask.base}"
            return Refusal("bad_request", detail, field="to", problem="not_after", expected=ask.base)
        if ask.kind == "rollback" and parse(ask.version) >= parse(str(ask.base)):
            detail = f"expected a version before {ask.base}"
            return Refusal("bad_request", detail, field="to", problem="not_before", expected=ask.base)
        if not self._hash_allowed(ask.hash):
            any_token = self._ctx.settings.hash_format == "any"
            detail = f"expected {'a non-empty token' if any_token else '64 lower-case hex digits'} (hash_format)"
            return Refusal("bad_request", detail, field="hash", problem="no_hash" if any_token else "no_sha256")
        if len(ask.hash) > limits.max_hash_chars:
            return _too_long("hash", limits.max_hash_chars)
        if ask.signature is not None and len(ask.signature) > limits.max_signature_chars:
            return _too_long("signature", limits.max_signature_chars)
        # Where none is asked for it means nothing, and v1.6 clients send what they like.
        if self._ctx.settings.require_signatures and ask.signature is not None and not read_signature(ask.signature):
            detail = f"expected {SIGNATURE_FORM}"
            return Refusal("bad_request", detail, field="signature", problem="no_signature")
        if ask.idempotency_key is not None and len(ask.idempotency_key) > limits.max_name_chars:
            return _too_long("idempotencyKey", limits.max_name_chars)
        return None

    def predict(self, ask: Propose) -> Prediction:
        """What would happen (`dry_run`)."""
        ctx, fold = self._ctx, self._fold
        sees = self._members.quorum()
        proposal = Proposal(
            kind=ask.kind, version=ask.version, base=ask.base, hash=ask.hash, base_hash=None, label="",
            voters=self._members.voters, required=quorum.required(len(self._members.voters), ctx.settings.rule),
            deadline_hlc=self._clock.read(ctx.wall_ms) + hlc_from_wall_ms(60_000), digest=self._members.digest,
            restored=None if ask.base is None else fold.restored(ask.base),
            leader_term=0, signature=ask.signature, idempotency_key=None, vote=None, reason=None, carried=ask.content,
        )  # fmt: skip
        order = self._order_flaw(proposal)
        content = proposal.content
        taken = [s for s in proposal.slots if fold.binding(ctx.settings.id, s, 0) not in (None, content)]
        checks = {
            "quorum": "ok" if sees.sufficient else f"{sees.healthy} of {sees.required} needed are healthy",
            "version": "ok" if order not in (STALE_VERSION, "unknown_version") else order,
            "base": "ok" if order not in ("", "stale_base") else (order or "unknown_base"),
            "slots": "ok" if not taken else f"{CONFLICTING_VOTE}: {', '.join(taken)}",
            "signature": "ok" if self._signed(ctx.settings.id, proposal) else "bad_signature",
            "hash": "ok" if self._hash_allowed(ask.hash) else "bad_hash",
        }
        own = next((text for name, text in checks.items() if name != "quorum" and text != "ok"), None)
        votes: dict[str, str] = {}
        for name in self._members.voters:
            peer = self._members.peers.get(name)
            if peer is not None and not peer.alive:
                votes[name] = "no vote: unreachable"
            elif peer is not None and peer.digest != self._members.digest:
                votes[name] = "no vote: config_mismatch"
            else:
                votes[name] = ACCEPT if own is None else f"{REJECT}: {own}"
        accepts = sum(1 for vote in votes.values() if vote == ACCEPT)
        return Prediction(sees, sees.sufficient and accepts >= proposal.required, checks, votes)

    def judge(
        self,
        origin: str,
        proposal: Proposal,
        round_: int,
        hlc: int,
        state: ProposalState | None = None,
        planned: Mapping[str, Content] | None = None,
    ) -> tuple[VoteWord, str | None] | None:
        """This node's vote with its reason, or None to hold it (P3).

        `state`: what is known of the proposal, None before it is written. `planned`: slots bound by votes of this step.
        """
        wall_ms = self._ctx.wall_ms
        now_hlc = self._clock.read(wall_ms)
        if self._clock.is_ahead(hlc, wall_ms):
            return REJECT, "clock_ahead"
        if now_hlc > proposal.deadline_hlc:
            return ABSTAIN, "deadline"
        if proposal.digest != self._members.digest:
            return None
        if not self._hash_allowed(proposal.hash):
            return REJECT, "bad_hash"
        if not self._signed(origin, proposal):
            return REJECT, "bad_signature"
        reason = None if state is not None and self._made_current(state) else self._order_flaw(proposal)
        if reason == "":
            return (REJECT, "unknown_base") if now_hlc > self._near_deadline(proposal) else None
        if reason is not None:
            return REJECT, reason
        if self._bound(proposal, round_, state):
            return REJECT, CONFLICTING_VOTE
        if planned and any(planned.get(slot, proposal.content) != proposal.content for slot in proposal.slots):
            return REJECT, CONFLICTING_VOTE
        match self._contents.standing(proposal):
            case "bad":
                return REJECT, "bad_hash"
            case "missing":
                return (ABSTAIN, "no_content") if now_hlc > self._near_deadline(proposal) else None
        return ACCEPT, None

    def accepts_fresh(self, asks: Sequence[Propose]) -> bool:
        """Whether this node accepts each of these without a closer look: rising versions that it proposes now."""
        first, highest = asks[0], self._fold.highest_order
        return (
            not self._ctx.settings.require_signatures
            and (highest is None or highest < parse(first.version))
            and all(
                ask.kind == "snapshot" and ask.content is None and self._fold.is_free(f"{VERSION_SLOT}{ask.version}")
                for ask in asks
            )
        )

    def judge_all(self, bundle: Bundle) -> tuple[VoteWord, str | None] | None:
        """This node's vote on each of a bundle, where it is the same. None: they are to be judged one by one."""
        wall_ms, first = self._ctx.wall_ms, bundle.proposals[0]
        if first.verdict != "pending" or not bundle.is_open_to(self._ctx.settings.id):
            return None
        digest, now_hlc = self._members.digest, self._clock.read(wall_ms)
        signed = self._ctx.settings.require_signatures
        if self._clock.is_ahead(first.hlc, wall_ms) or not all(
            now_hlc <= body.deadline_hlc
            and body.digest == digest
            and body.carried is None
            and self._hash_allowed(body.hash)
            and (not signed or self._signed(first.origin, body))
            for body in [state.payload for state in bundle.proposals]
        ):
            return None
        highest, orders = self._fold.highest_order, [state.order for state in bundle.proposals]
        if highest is None or highest < min(orders):
            return ACCEPT, None
        return (REJECT, STALE_VERSION) if max(orders) <= highest else None

    def patience_s(self, proposal: Proposal) -> float:
        """How long a vote may be held before the deadline is near; infinite once it is."""
        left_ms = hlc_wall_ms(self._near_deadline(proposal)) - hlc_wall_ms(self._clock.read(self._ctx.wall_ms))
        return inf if left_ms < 0 else (left_ms + 1) / 1000

    def _near_deadline(self, proposal: Proposal) -> int:
        """The hybrid time from which on a proposal that waits for its base or its content waits no longer."""
        near_ms = self._ctx.settings.timing.proposal_timeout * 1000 * NEAR_DEADLINE
        return proposal.deadline_hlc - hlc_from_wall_ms(near_ms)

    def _bound(self, proposal: Proposal, round_: int, state: ProposalState | None) -> bool:
        """Whether an earlier accept of this node keeps it from accepting (P2)."""
        own = self._ctx.settings.id
        if state is not None:
            return bound_by(state, own, round_) is not None
        for slot in proposal.slots:
            bound = self._fold.binding(own, slot, round_)
            if bound is not None and bound != proposal.content:
                return True
        return False

    def _made_current(self, state: ProposalState) -> bool:
        """Whether others have accepted it meanwhile and it made the current version: it is not stale by itself."""
        return state.verdict == "accepted" and self._fold.current == (state.payload.version, state.payload.hash)

    def _order_flaw(self, proposal: Proposal) -> str | None:
        """Why the versions do not fit (P3), None when they do, "" when the base is not known here yet."""
        fold, base = self._fold, proposal.base
        if base is None:
            return STALE_VERSION if self._is_stale(proposal) else None
        current = fold.current
        if proposal.restored != fold.restored(base):
            # Its slot names the rollback that made the base current again; ours is another, or not known here yet.
            unknown = proposal.restored is not None and fold.get(proposal.restored) is None
            return "" if unknown else "stale_base"
        if proposal.kind == "rollback":
            if current is None or current[0] != base:
                return "" if not fold.known_version(base) else "stale_base"
            return None if fold.is_reachable(proposal.version) else "unknown_version"
        if self._is_stale(proposal):
            return STALE_VERSION
        if not fold.known_version(base):
            return ""
        if current is None or current[0] != base:
            return "stale_base"
        return None if proposal.base_hash in (None, current[1]) else "stale_base"

    def _is_stale(self, proposal: Proposal) -> bool:
        highest = self._fold.highest_order
        return highest is not None and parse(proposal.version) <= highest

    def _hash_allowed(self, text: str) -> bool:
        if self._ctx.settings.hash_format == "any":
            return bool(text.strip())
        return len(text) == SHA256_CHARS and not text.strip("0123456789abcdef")

    def _signed(self, origin: str, proposal: Proposal) -> bool:
        settings = self._ctx.settings
        if not settings.require_signatures:
            return True
        if proposal.signature is None or self._verify is None:
            return False
        content = proposal.carried.key if proposal.carried is not None else None
        message = signed_bytes(settings.cluster, proposal.kind, proposal.base, proposal.version, proposal.hash, content)
        return self._verify(origin, message, proposal.signature)


def _too_long(field: str, most: int) -> Refusal:
    detail = f"expected at most {most} characters"
    return Refusal("bad_request", detail, field=field, problem="too_long", expected=str(most))
