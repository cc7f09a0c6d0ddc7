"""Proposals at one node: put to the vote, voted on, decided, announced (P1-P7; seed 4 and 5).

Verdicts are the fold's; this part acts on them.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from node.protocol.announcements import ANNOUNCEMENTS, Announcements
from node.protocol.ballot import ProposalState
from node.protocol.callers import Caller, Callers, Waiter
from node.protocol.casting import Casting
from node.protocol.contents import Contents
from node.protocol.context import Context
from node.protocol.drafts import Drafts
from node.protocol.election import Election
from node.protocol.events import (
    CONFLICT_RESOLVED,
    ROUND_OPENED,
    SKIPPED_QUORUM,
    VOTES,
    Event,
    HybridClock,
    hlc_from_wall_ms,
)
from node.protocol.membership import Membership
from node.protocol.peer import UNREACHABLE
from node.protocol.promptness import Promptness
from node.protocol.proposal import EVENT_TYPE, proposal_key, to_event
from node.protocol.proposal_views import ProposalViews
from node.protocol.replication import Replication
from node.protocol.requests import (
    Accepted,
    Answers,
    Maybe,
    ProposalAnswer,
    Propose,
    ProposeMany,
    Refusal,
    ResolveConflict,
)
from node.protocol.shapes import ProposalKind, QuorumView
from node.protocol.state import Fold
from node.protocol.voting import ACCEPT, Verify, Voting

SPAN_OF: Final[dict[ProposalKind, str]] = {kind: f"PROPOSE_{kind.upper()}" for kind in EVENT_TYPE}
"""A client's wait for its verdict, as a span."""


class Proposals:
    """What this node does about proposals."""

    def __init__(
        self, ctx: Context, clock: HybridClock, members: Membership, prompt: Promptness, election: Election,
        replication: Replication, fold: Fold, contents: Contents, verify: Verify | None,
    ) -> None:  # fmt: skip
        self._ctx = ctx
        self._clock = clock
        self._members = members
        self._prompt = prompt
        self._election = election
        self._replication = replication
        self._fold = fold
        self._contents = contents
        self._voting = Voting(ctx, clock, members, fold, contents, verify)
        self._drafts = Drafts(ctx, clock, members, election, fold, self._voting)
        self._casting = Casting(ctx, members, replication, fold, self._voting)
        self.views = ProposalViews(ctx, clock, fold, self._casting.unfounded)
        self.restoring = False
        self._callers = Callers(ctx)
        self._announcements = Announcements(ctx, members, replication, fold)
        self._contested = False
        self._sent = {kind: ctx.counter("distributed_proposals_sent_total", type=kind) for kind in EVENT_TYPE}
        self._proposed = {
            type_: ctx.counter("distributed_proposals_total", type=kind) for kind, type_ in EVENT_TYPE.items()
        }
        self._repeated: dict[str, str] = {}
        """Idempotency keys -> proposals, of the last that came with one: floors forget them sooner (P6)."""
        self._skipped: set[tuple[str, str | None, str, str]] = set()
        """What was skipped since there last was a quorum: a client that tries again and again tells nothing new."""

    # Clients

    def propose(self, call: int, ask: Propose) -> None:
        """Put a version to the vote, or say why not (P1, P6)."""
        self._propose(Caller(self._ctx, call, ask.wait_s), 0, ask)

    def propose_many(self, call: int, many: ProposeMany) -> None:
        """Put several to the vote, one after another."""
        if not many.asks:
            self._ctx.reply(call, Answers(()))
            return
        caller = Caller(self._ctx, call, max(ask.wait_s for ask in many.asks), len(many.asks))
        for place, ask in enumerate(many.asks):
            self._propose(caller, place, ask)

    def _propose(self, caller: Caller, place: int, ask: Propose) -> None:
        ctx = self._ctx
        if not ask.dry_run:
            self._sent[ask.kind].n += 1
        flaw = self._voting.flaw(ask)
        if flaw is not None:
            self._failed(ask, "bad_request")
            caller.tell(place, flaw)
            return
        if ask.dry_run:
            found = self._voting.predict(ask)
            outcome = "would_pass" if found.would_accept else "would_fail"
            ctx.observe("DRY_RUN", ask.trace, "debug", kind=ask.kind, version=ask.version, outcome=outcome)
            caller.tell(place, found)
            return
        if not self._drafts.may_join(ask):
            self._write_drafts()
        existing = self._existing(ask)
        if existing is not None:
            self._answer_or_wait(caller, place, existing, ask.wait_s, existing=True)
            return
        sees = self._members.quorum()
        found_so = (("kind", ask.kind), ("healthy", sees.healthy), ("required", sees.required))
        ctx.observe_each(("QUORUM_CHECK", "debug", ctx.mono, "version", found_so), ((ask.trace, ask.version),))
        if not sees.sufficient:
            self._skip(caller, place, ask, sees)
            return
        self._skipped.clear()
        if self._fold.open_count + len(self._drafts.waiting) >= ctx.settings.limits.max_open_proposals:
            self._failed(ask, "too_many")
            caller.tell(place, Refusal("too_many", "too many proposals are open; wait for their verdicts"))
            return
        self._drafts.add(caller, place, ask)

    def resolve(self, call: int, ask: ResolveConflict) -> None:
        """A person settles a conflict (S1)."""
        conflict = next((c for c in self._fold.conflicts() if c.slot == ask.slot), None)
        if conflict is None:
            self._ctx.reply(call, Refusal("unknown_conflict", f"no conflict in slot {ask.slot}"))
            return
        if ask.key not in conflict.keys:
            detail = f"{ask.key} is not in this conflict; expected one of {', '.join(conflict.keys)}"
            self._ctx.reply(call, Refusal("unknown_proposal", detail))
            return
        self._replication.append(CONFLICT_RESOLVED, {"slot": ask.slot, "proposal": ask.key}, ask.trace)
        self._ctx.count("distributed_conflict_resolutions_total", strategy="manual", type=ask.slot.split(":", 1)[0])
        self._ctx.reply(call, Accepted(f"{ask.slot} goes to {ask.key}"), self._ctx.persist_number)

    def cancel(self, call: int) -> None:
        """The client has gone; its proposal stays."""
        self._callers.cancel(call)

    # Events

    def on_event(self, event: Event) -> None:
        """An event entered the log: what does it change?"""
        changed = self._fold.apply(event)
        kind, own = event.type, self._ctx.settings.id
        if self.restoring:
            if kind in ANNOUNCEMENTS:
                self._announcements.told(event)
            return
        if kind == VOTES:
            self._contested = True
        elif kind == ROUND_OPENED:
            key, round_ = event.payload.get("proposal"), event.payload.get("round")
            if isinstance(key, str) and isinstance(round_, int):
                self._casting.ballot[key, round_] = None
        elif kind in ANNOUNCEMENTS:
            self._announcements.told(event)
        for states, verdict, is_new in changed:
            if is_new:
                self._proposed[kind].n += len(states)
                for state in states:
                    self._casting.ballot[state.key, 0] = None
                    if state.payload.idempotency_key is not None:
                        self._repeat(state.payload.idempotency_key, state.key)
            self._contents.note(states)
            if verdict != "pending":
                if states[0].origin == own:
                    self._prompt.decided(event.origin)
                self._decided(states)
        if kind == CONFLICT_RESOLVED:
            self._contents.changed()
        if changed:
            self.retry()

    def restored(self) -> None:
        """All that the disk holds was read."""
        self.restoring = False
        self._announcements.restored()

    def retry(self) -> None:
        """What was held may be judged now."""
        self._casting.retry()

    def synced(self, number: int) -> None:
        """The disk has caught up to persist `number`: our votes in it are durable."""
        self._casting.synced(number)

    def flush(self) -> None:
        """End of a step: cast the votes it asked for as one event; the leader opens rounds where none can win (P5).

        What was proposed is written before, and what was accepted is announced, one event for all of a kind.
        """
        if self._drafts.waiting:
            self._write_drafts()
        self._casting.flush()
        if self._contested and self._election.leads:
            self._contested = False
            self._open_rounds()
        # An older image of this disk must not write where others may know more of its log (D1).
        if self._announcements.due and self._members.can_vote:
            self._announcements.flush()

    def tick(self) -> None:
        """Answer clients whose patience ended; vote on what was held for as long as it may be."""
        for key, (caller, place, existing) in self._callers.impatient():
            self._reply(caller, place, key, existing=existing)
        self._casting.tick()

    def look(self) -> None:
        """With every heartbeat: what was held or missed; as leader, announce for a proposer that is gone."""
        pending = [state for key in self._fold.open_keys if (state := self._fold.get(key)) is not None]
        self._contents.note(pending)
        self._casting.look(pending)
        self._contested = True
        self._announcements.tidy()
        if not self._election.leads:
            return
        self._announcements.look()
        self._close_expired()

    # Within

    def _close_expired(self) -> None:
        """Put what is past its deadline to the vote once more (P5): all abstain, and it is decided.

        Without this, voters bound to a rival would count as free for a later round for ever.
        """
        ctx, members = self._ctx, self._members
        margin_ms = ctx.settings.timing.heartbeat_timeout * 1000
        past = self._clock.read(ctx.wall_ms) - hlc_from_wall_ms(margin_ms)
        for key in self._fold.open_keys:
            state = self._fold.get(key)
            if state is None or state.payload.deadline_hlc >= past:
                continue
            last = state.round
            able = [v for v in state.payload.voters if members.sees.get(v, UNREACHABLE) != UNREACHABLE]
            if any(v not in state.hard and (v, last) in state.votes for v in able):
                self._open_round(state, last + 1, ())

    def _write_drafts(self) -> None:
        """What was proposed becomes an event; its clients are answered, or wait for the verdict."""
        drafts, proposals = self._drafts.take()
        payload, trace = to_event(proposals)
        accepts_missing = max(each.required - (each.vote == ACCEPT) for each in proposals)
        self._ctx.hurry()
        event = self._replication.append(
            EVENT_TYPE[drafts[0].ask.kind], payload, trace, urgent_to=self._prompt.first(accepts_missing)
        )
        for index, draft in enumerate(drafts):
            key = proposal_key(event.id, index)
            self._casting.written(key, self._ctx.persist_number)
            state = self._fold.get(key)
            if state is not None:
                self._casting.decided((state,))
            self._answer_or_wait(draft.caller, draft.place, key, draft.ask.wait_s, existing=False)

    def _skip(self, caller: Caller, place: int, ask: Propose, sees: QuorumView) -> None:
        """Not enough instances: nothing is sent, and that is said (seed 3.2)."""
        skipped = (ask.kind, ask.base, ask.version, ask.hash)
        # While there is no quorum nothing is compacted either: the journal must not grow with every attempt.
        if skipped not in self._skipped and len(self._skipped) < self._ctx.settings.limits.max_skipped_kept:
            self._skipped.add(skipped)
            payload: dict[str, Any] = {"kind": ask.kind, "hash": ask.hash, "quorum": msgspec.to_builtins(sees)}
            payload |= {"version": ask.version} if ask.kind == "snapshot" else {"from": ask.base, "to": ask.version}
            self._replication.append(SKIPPED_QUORUM, payload, ask.trace)
        self._ctx.count("distributed_quorum_skipped_total", type=ask.kind)
        self._failed(ask, "insufficient_quorum")
        self._ctx.observe(
            "QUORUM_DECISION", ask.trace, "warn", kind=ask.kind, version=ask.version, outcome="skipped"
        )  # fmt: skip
        detail = f"{sees.healthy} of {sees.total} instances are healthy, {sees.required} are required"
        if sees.healthy >= sees.required:
            detail += ", and not enough of them vote under this configuration"
        caller.tell(place, Refusal("insufficient_quorum", detail, quorum=sees), self._ctx.persist_number)

    def _failed(self, ask: Propose, reason: str) -> None:
        self._ctx.count("distributed_proposals_failed_total", type=ask.kind, reason=reason)

    def _answer_or_wait(self, caller: Caller, place: int, key: str, wait_s: float, *, existing: bool) -> None:
        state = self._fold.get(key)
        if wait_s > 0 and state is not None and state.verdict == "pending":
            self._callers.wait(key, Waiter(caller, place, existing))
        elif state is None or existing:
            self._reply(caller, place, key, existing=existing)
        else:  # It is new: nobody can have been told anything else of it.
            caller.tell(place, self._shown(state, existing=False), self._ctx.persist_number)

    def _reply(self, caller: Caller, place: int, key: str, *, existing: bool) -> None:
        state = self._fold.get(key)
        if state is None or self._fold.is_unsure(state):
            detail = f"what decided {key} lies behind the compaction floor; look which version is current"
            caller.tell(place, Maybe("forgotten", detail))
        else:
            caller.tell(place, self._shown(state, existing=existing), self._ctx.persist_number)

    def _shown(self, state: ProposalState, *, existing: bool) -> ProposalAnswer:
        return ProposalAnswer(state.payload.label, self._members.quorum(), self.views.show(state), existing)

    def _decided(self, states: Sequence[ProposalState]) -> None:
        """The fold reached a verdict, here and now: the same on all of these, which are of one event."""
        ctx, first = self._ctx, states[0]
        self._casting.decided(states)
        # Every instance reaches the verdict; the proposer's log tells of it.
        own, accepted = first.origin == ctx.settings.id, first.verdict == "accepted"
        level = "debug" if not own else "info" if accepted else "warn"
        reason = "" if accepted else first.reason or ""
        verdict, kind = ("verdict", first.verdict), first.payload.kind
        alike = ("QUORUM_DECISION", level, ctx.mono, "proposal", (verdict, ("reason", reason)))
        ctx.observe_each(alike, [(state.trace, state.payload.label) for state in states])
        if accepted:
            slots = self._fold.contended(first.key) if first.contested else ()
            if slots:
                self._conflicting(first, slots)
            self._announcements.accepted(states)
        elif own:
            ctx.count("distributed_proposals_failed_total", len(states), type=kind, reason=reason)
        for state, (caller, place, existing) in self._callers.take(states):
            # Others' votes were on their disks before they came; only our own may still be on its way.
            caller.tell(place, self._shown(state, existing=existing), self._casting.durable_with(state.key))
            ctx.observe_each((SPAN_OF[kind], "debug", caller.started, "", (verdict,)), ((state.trace, ""),))

    def _conflicting(self, state: ProposalState, slots: tuple[str, ...]) -> None:
        """Another content was accepted in the same slot (S1)."""
        ctx = self._ctx
        strategy, settled = ctx.settings.strategy, self._fold.settled(state.key)
        ctx.observe(
            "CONFLICT_DETECTED", state.trace, "warn", proposal=state.payload.label, slots=list(slots),
            strategy=strategy, open=settled is None,
        )  # fmt: skip
        if settled is not None:
            ctx.count("distributed_conflict_resolutions_total", strategy=strategy, type=state.payload.kind)

    def _open_rounds(self) -> None:
        for key, round_, slots in self._fold.stalled(self._clock.read(self._ctx.wall_ms)):
            state = self._fold.get(key)
            if state is not None:
                self._open_round(state, round_, slots)
        self._casting.flush()

    def _open_round(self, state: ProposalState, round_: int, slots: tuple[str, ...]) -> None:
        self._replication.append(
            ROUND_OPENED, {"proposal": state.key, "round": round_, "slots": list(slots)}, state.trace
        )
        self._ctx.observe("ROUND_OPENED", state.trace, proposal=state.payload.label, round=round_)

    def _repeat(self, idempotency_key: str, key: str) -> None:
        self._repeated.setdefault(idempotency_key, key)
        if len(self._repeated) > self._ctx.settings.limits.max_open_proposals:
            del self._repeated[next(iter(self._repeated))]

    def _existing(self, ask: Propose) -> str | None:
        if ask.idempotency_key is not None:
            known = self._fold.by_idempotency_key(ask.idempotency_key)
            key = self._repeated.get(ask.idempotency_key) if known is None else known
            if key is not None:
                return key
        return self._fold.find(ask.kind, ask.base, ask.version, ask.hash)
