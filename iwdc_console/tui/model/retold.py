"""What the events of the journal tell of a time nobody watched: who led, what was proposed, votes, versions, conflicts.

Statuses, locks and clocks leave no events: of them nothing is said, and `Observation.retold` marks what is shown.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from iwdc_console.tui.model.api import Conflict, Event, Leader, Proposal, Status, Vote
from iwdc_console.tui.model.milestones import Milestone, of_event
from iwdc_console.tui.model.observation import Observation, Part
from iwdc_console.tui.model.succession import ELECTED
from iwdc_console.tui.model.timeline import announced, proposed

HLC_COUNTER_BITS = 16
KINDS = {"SNAPSHOT_PROPOSAL": "snapshot", "DIFF_PROPOSAL": "diff", "ROLLBACK_PROPOSAL": "rollback"}
ACCEPTS = ("SNAPSHOT_ACCEPT", "DIFF_ACCEPT", "ROLLBACK_ACCEPT")
TELLING = (*KINDS, *ACCEPTS, "VOTES", ELECTED, "CONFLICT_RESOLVED", "SKIPPED_QUORUM")
"""The types of events that are read here."""


def time_of(event: Event) -> int:
    """When an event was, unix ms: its hybrid stamp, which follows cause and effect where clocks do not."""
    return event.hlc >> HLC_COUNTER_BITS or event.timestamp


class Retold:
    """Events in causal order, and what they add up to at any moment."""

    def __init__(self, events: Iterable[Event], context: str = "", node: str = "") -> None:
        unique = {event.id: event for event in events}
        self._events = tuple(sorted(unique.values(), key=lambda event: (event.hlc, event.origin, event.seq)))
        self._times_ms = [time_of(event) for event in self._events]
        self._context = context
        self._node = node

    @property
    def first_ms(self) -> int | None:
        """When the first event was that is known here."""
        return self._times_ms[0] if self._times_ms else None

    def milestones(self, before_ms: float) -> Iterator[Milestone]:
        """What stands out among the events before a moment."""
        for event, at_ms in zip(self._events, self._times_ms, strict=True):
            mark = of_event(event, at_ms) if at_ms < before_ms else None
            if mark is not None:
                yield mark

    def observation(self, at_ms: int) -> Observation:
        """What was so at this moment, as far as events tell."""
        known = self._events[: bisect_right(self._times_ms, at_ms)]
        told = _Told()
        for event in known:
            told.take(event)
        proposals = tuple(told.proposal(key, at_ms) for key in told.proposals)
        status = Status(
            cluster=self._context, leader=told.leader, current_version=told.version, current_hash=told.hash,
            open_proposals=sum(item.state == "pending" for item in proposals), events=len(known), at=at_ms,
        )  # fmt: skip

        def part(value: Any) -> Part[Any]:
            return Part(value, self._node, at_ms / 1000, at_ms)

        return Observation(
            context=self._context, retold=True, status=part(status), proposals=part(proposals[::-1]),
            conflicts=part(tuple(told.conflicts(proposals))), events=part(known),
            elections=part(tuple(event for event in known if event.type == ELECTED)),
        )  # fmt: skip


class _Told:
    """The facts of the events taken so far."""

    def __init__(self) -> None:
        self.leader = Leader()
        self.version: str | None = None
        self.hash: str | None = None
        self.proposals: dict[str, Proposal] = {}
        self._votes: dict[str, dict[str, Vote]] = {}
        self._decided_ms: dict[str, int] = {}
        self._winners: dict[str, str] = {}

    def take(self, event: Event) -> None:
        payload = event.payload
        if event.type == ELECTED:
            term = payload.get("term")
            if isinstance(term, int) and term >= self.leader.term:
                self.leader = Leader(str(payload.get("leader", "")) or None, term, time_of(event))
        elif event.type in KINDS:
            for key, body in proposed(event):
                self._propose(key, event, body)
        elif event.type == "VOTES":
            for vote in _items(payload.get("votes")):
                self._vote(str(vote.get("proposal", "")), event, vote)
        elif event.type in ACCEPTS:
            for item in announced(event):
                self._accept(str(item.get("proposal", "")), time_of(event))
        elif event.type == "CONFLICT_RESOLVED":
            self._winners[str(payload.get("slot", ""))] = str(payload.get("proposal", ""))

    def _propose(self, key: str, event: Event, payload: Mapping[str, Any]) -> None:
        kind, voters = KINDS[event.type], payload.get("voters")
        base, version = _word(payload, "base"), _word(payload, "version")
        self.proposals[key] = Proposal(
            key=key, id=str(payload.get("label", "")), kind=kind, hash=str(payload.get("hash", "")),
            proposer=event.origin, created_at=time_of(event), trace_id=event.trace_id,
            deadline=_number(payload, "deadlineHlc") >> HLC_COUNTER_BITS, required=_number(payload, "required"),
            voters=tuple(map(str, voters)) if isinstance(voters, list) else (),
            version=version if base is None else None, from_=base, to=version if base is not None else None,
        )  # fmt: skip
        if payload.get("vote"):
            self._vote(key, event, payload)

    def _vote(self, key: str, event: Event, vote: Mapping[str, Any]) -> None:
        votes = self._votes.setdefault(key, {})
        votes[event.origin] = Vote(
            str(vote.get("vote", "")), _word(vote, "reason"), time_of(event), _number(vote, "round")
        )
        proposal = self.proposals.get(key)
        accepts = sum(one.vote == "accept" for one in votes.values())
        if proposal is not None and accepts >= proposal.required > 0:
            self._accept(key, time_of(event))

    def _accept(self, key: str, at_ms: int) -> None:
        proposal = self.proposals.get(key)
        if key in self._decided_ms or proposal is None:
            return
        self._decided_ms[key] = at_ms
        self.version, self.hash = proposal.to or proposal.version, proposal.hash

    def proposal(self, key: str, now_ms: int) -> Proposal:
        """A proposal with its votes, and what had become of it by then."""
        proposal, votes = self.proposals[key], self._votes.get(key, {})
        against = sum(vote.vote == "reject" for vote in votes.values())
        decided_ms: int | None = self._decided_ms.get(key)
        if decided_ms is not None:
            state = "accepted"
        elif proposal.voters and len(proposal.voters) - against < proposal.required:
            state, decided_ms = "rejected", max((vote.at for vote in votes.values()), default=None)
        elif proposal.deadline and now_ms > proposal.deadline:
            state, decided_ms = "expired", proposal.deadline
        else:
            state = "pending"
        return msgspec.structs.replace(proposal, votes=votes, state=state, decided_at=decided_ms)

    def conflicts(self, proposals: Sequence[Proposal]) -> Iterator[Conflict]:
        """Versions for which different contents were accepted; a winner only where a person chose one."""
        by_slot: dict[str, list[Proposal]] = {}
        for proposal in proposals:
            if proposal.state == "accepted":
                by_slot.setdefault(f"version:{proposal.to or proposal.version}", []).append(proposal)
        for slot, candidates in by_slot.items():
            if len({candidate.hash for candidate in candidates}) > 1:
                yield Conflict(slot=slot, candidates=tuple(candidates), winner=self._winners.get(slot))


def _items(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _word(payload: Mapping[str, Any], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) else None


def _number(payload: Mapping[str, Any], name: str) -> int:
    value = payload.get(name)
    return value if isinstance(value, int) else 0
