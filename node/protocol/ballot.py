"""A proposal before its voters: slots, bindings, verdicts and dead rounds (P2, P4, P5).

Rules, for a proposal k of content c in slots S(k), and votes per key, never pooled:
- Accepted: in some round, accept votes of distinct voters reach `required`. Final.
- A voter is *lost* to k when it rejected k for a reason of its own or abstained (it says so again in every round,
  whatever its clock says by then), or accepted another content that was accepted in a slot of k. It is *elsewhere* in
  round r when it accepted another content in a slot of k in round r or later. Neither will accept k any more.
- Rejected: in no known round can accepts plus voters that may still accept reach `required`, nor in a further round.
  There is no further round when something was accepted in round 0 of every slot of k; else the voters not lost must
  be fewer than `required`.
- A slot is dead up to round r when no known key can be accepted in it in a round <= r, and too few voters are left
  that accepted nothing in round r or later, so an unknown key cannot be accepted either. Who finds the version stale is
  among them: the unknown key may be what made it so. Dead stays dead, whatever arrives later; that is what makes a
  further round safe.
- The opening of a round names slots and up to which round each is dead. A voter is bound by what it accepted in a
  slot: for the same round, for all lower ones, and for a higher one unless its opening says the slot is dead there.
  So a diff, which has two slots, is not let loose in one of them by what was proven of the other.
- A round is opened only for what could win it as far as is known, and never for two rivals at once, so that the same
  voters do not split for ever.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from node.protocol.proposal import (
    CONFLICTING_VOTE,
    Birth,
    Cast,
    Content,
    Opening,
    Proposal,
    Verdict,
)
from node.protocol.tally import Tally
from node.protocol.versions import VersionKey


class ProposalState:
    """A proposal and all that is known of it. Read it; only the fold writes it."""

    __slots__ = (
        "birth",
        "contested",
        "final",
        "final_reason",
        "hlc",
        "key",
        "mark",
        "openings",
        "order",
        "origin",
        "payload",
        "rooted",
        "round",
        "settled",
        "slots",
        "standing",
        "tally",
        "trace",
        "verdict",
    )

    def __init__(self, birth: Birth, order: VersionKey, tally: Tally) -> None:
        self.birth = birth
        self.tally = tally
        self.key = birth.key
        self.origin = birth.origin
        """The proposer."""
        self.trace = birth.trace
        """Trace id of the request that proposed it."""
        self.hlc = birth.hlc
        self.payload: Proposal = birth.payload
        self.order = order
        """The place of its version in the order of versions."""
        self.slots: tuple[Slot, ...] = ()
        self.contested = False
        """Whether another content competes for one of its slots: only then a voter can be bound to one."""
        self.openings: tuple[Opening, ...] = ()
        self.round = 0
        """The highest round opened for it."""
        self.verdict: Verdict = "pending"
        self.settled: bool | None = None
        """Whether it won its slots (S1); None while it is not accepted or its conflict is open."""
        self.final = False
        """Decided at or below the floor (C1): votes change nothing any more."""
        self.final_reason: str | None = None
        self.standing: bool | None = None
        """`settled` as the floor made it final; None while open."""
        self.rooted = False
        """Reachable at the floor, by a chain that is no longer kept."""
        self.mark = 0

    @property
    def content(self) -> Content:
        """What it would put in place."""
        return self.payload.content

    @property
    def votes(self) -> Mapping[tuple[str, int], Cast]:
        """(voter, round) -> vote."""
        return self.tally.votes

    @property
    def accepts(self) -> Mapping[int, int]:
        """Round -> how many accepted."""
        return self.tally.accepts

    @property
    def hard(self) -> frozenset[str]:
        """Voters that rejected it for a reason that no round lifts, or abstained."""
        return self.tally.hard

    @property
    def timestamp_ms(self) -> int:
        """The proposer's wall clock, unix ms."""
        return self.birth.timestamp_ms

    @property
    def reason(self) -> str | None:
        """Why it was rejected: the most frequent reason of the votes that are no accepts; None unless rejected."""
        if self.verdict != "rejected":
            return None
        if self.final_reason is not None:
            return self.final_reason
        reasons = Counter(v.reason for v in self.votes.values() if v.vote != "accept" and v.reason)
        return min(reasons, key=lambda word: (-reasons[word], word), default=CONFLICTING_VOTE)

    @property
    def decided_ms(self) -> int | None:
        """Timestamp of the vote that decided, unix ms; None while pending. A function of the votes alone."""
        if self.verdict == "pending":
            return None
        if self.verdict == "accepted":
            return min(self._reached_ms(round_) for round_ in self.winning_rounds())
        return max((v.timestamp_ms for v in self.votes.values() if v.vote != "accept"), default=self.timestamp_ms)

    def _reached_ms(self, round_: int) -> int:
        stamps = sorted(v.timestamp_ms for v in self.votes.values() if v.round == round_ and v.vote == "accept")
        return stamps[self.payload.required - 1]

    def winning_rounds(self) -> list[int]:
        """Rounds in which it was accepted."""
        return [round_ for round_, count in self.accepts.items() if count >= self.payload.required]

    def rounds(self) -> set[int]:
        """Rounds in which it was put to the vote, as far as known."""
        return {0, *(opening.round for opening in self.openings), *(round_ for _, round_ in self.votes)}

    def cast(self, vote: Cast) -> None:
        """Count a vote of a voter that has not voted in this round."""
        self.part()
        self.tally.cast(vote)

    def part(self) -> None:
        """Something sets it apart from those that share its votes: have them for itself."""
        if self.tally.sharers > 1:
            self.tally = self.tally.parted()

    def lasting(self, voter: str) -> Cast | None:
        """The vote of this voter that no round lifts. Others count on it: it says the same in every further round."""
        if voter not in self.hard:
            return None
        return next(
            vote
            for vote in self.votes.values()
            if vote.voter == voter and vote.vote != "accept" and vote.reason != CONFLICTING_VOTE
        )

    def recall(self, votes: Sequence[Cast], openings: Sequence[Opening]) -> bool:
        """These are its votes and openings, and no others. Whether that is news."""
        if len(votes) == len(self.votes) and len(openings) == len(self.openings):
            return False
        self.part()
        self.tally = Tally()
        self.openings, self.round = (), 0
        for vote in votes:
            self.cast(vote)
        for opening in openings:
            self.open(opening)
        return True

    def open(self, opening: Opening) -> None:
        """Note a round that was opened for it."""
        self.part()
        self.openings += (opening,)
        self.round = max(self.round, opening.round)

    def acceptors(self) -> Iterator[str]:
        """Voters of its winning rounds."""
        winning = self.winning_rounds()
        return (voter for (voter, round_), v in self.votes.items() if v.vote == "accept" and round_ in winning)


age: Callable[[ProposalState], tuple[int, str]] = attrgetter("hlc", "key")
"""The order of proposals: the earlier one is the lower."""


class Slot:
    """What competes for one place (P2)."""

    __slots__ = ("_bound", "accepted", "contested", "name", "proposals")

    def __init__(self, name: str, first: ProposalState) -> None:
        self.name = name
        self.proposals: tuple[ProposalState, ...] = (first,)
        self.accepted: tuple[ProposalState, ...] = ()
        self.contested = False
        """Whether two contents compete for it."""
        self._bound: dict[str, list[tuple[int, Content]]] | None = None
        """Voter -> what it accepted, once the slot is contested; most never are."""

    def add(self, proposal: ProposalState) -> None:
        """A further proposal competes for the slot."""
        first = self.proposals[0]
        self.proposals += (proposal,)
        if self.contested:
            self._index(proposal)
        elif first.content != proposal.content:
            self.contested, self._bound = True, {}
            for each in self.proposals:
                self._index(each)

    def _index(self, proposal: ProposalState) -> None:
        proposal.contested = True
        for vote in proposal.votes.values():
            self.bind(proposal, vote)

    def bind(self, proposal: ProposalState, vote: Cast) -> None:
        """Take note of a vote."""
        if self._bound is not None and vote.vote == "accept":
            self._bound.setdefault(vote.voter, []).append((vote.round, proposal.content))

    def bindings(self, voter: str) -> list[tuple[int, Content]]:
        """(round, content) of each accept vote of a voter in this slot."""
        if self._bound is not None:
            return self._bound.get(voter, [])
        return [
            (round_, each.content)
            for each in self.proposals
            for (who, round_), vote in each.votes.items()
            if who == voter and vote.vote == "accept"
        ]

    def elsewhere(self, voter: str, round_: int, content: Content) -> bool:
        """Whether a voter accepted another content in this or a later round, so it will not accept this one."""
        return any(bound >= round_ and other != content for bound, other in (self._bound or {}).get(voter, ()))

    def rivals(self, content: Content) -> Iterator[ProposalState]:
        """Accepted proposals of another content."""
        return (each for each in self.accepted if each.content != content)

    def dead_up_to(self) -> int:
        """The highest round up to which nothing can be accepted any more, -1 for none (P5)."""
        voters = {voter for p in self.proposals for voter in p.payload.voters}
        required = min(p.payload.required for p in self.proposals)
        for level in sorted({round_ for p in self.proposals for round_ in p.rounds()}, reverse=True):
            free = [v for v in voters if all(bound < level for bound, _ in self.bindings(v))]
            if len(free) < required and not any(can_win(p, level) for p in self.proposals):
                return level
        return -1


def judge(proposal: ProposalState) -> Verdict:
    """The verdict that follows from the votes known so far (P4)."""
    required = proposal.payload.required
    # Plain loops: this runs for every vote.
    for count in proposal.accepts.values():
        if count >= required:
            return "accepted"
    if not proposal.hard:
        for slot in proposal.slots:
            if slot.contested or slot.accepted:
                break
        else:
            return "pending"
    lost = lost_voters(proposal)
    if any(_reachable(proposal, round_, lost) for round_ in proposal.rounds()):
        return "pending"
    left = len(proposal.payload.voters) - len(lost)
    return "pending" if left >= required and _may_be_put_again(proposal) else "rejected"


def can_win(proposal: ProposalState, up_to: int | None = None) -> bool:
    """Whether accepts can still reach `required` in a round in which it was put to the vote, no higher than `up_to`."""
    if proposal.verdict == "rejected":
        return False
    lost = lost_voters(proposal)
    rounds = (round_ for round_ in proposal.rounds() if up_to is None or round_ <= up_to)
    return any(_reachable(proposal, round_, lost) for round_ in rounds)


def lost_voters(proposal: ProposalState) -> set[str]:
    """Voters that will not accept it in any round any more."""
    rivals = (rival for slot in proposal.slots for rival in slot.rivals(proposal.content))
    lost = set(proposal.hard).union(*(rival.acceptors() for rival in rivals))
    return lost.intersection(proposal.payload.voters)


def _reachable(proposal: ProposalState, round_: int, lost: set[str]) -> bool:
    missing = proposal.payload.required - proposal.accepts.get(round_, 0)
    if missing <= 0:
        return True
    for voter in proposal.payload.voters:
        if (
            voter not in lost
            and (voter, round_) not in proposal.votes
            and not any(slot.elsewhere(voter, round_, proposal.content) for slot in proposal.slots)
        ):
            missing -= 1
            if missing == 0:
                return True
    return False


def _may_be_put_again(proposal: ProposalState) -> bool:
    return not all(any(0 in each.winning_rounds() for each in slot.accepted) for slot in proposal.slots)


def bound_by(proposal: ProposalState, voter: str, round_: int) -> Slot | None:
    """The slot in which an earlier accept keeps this voter from accepting the proposal in this round (P3, P5)."""
    if not proposal.contested:
        return None
    dead: dict[str, int] = {}
    for opening in proposal.openings:
        if opening.round == round_:
            for name, level in opening.slots:
                dead[name] = max(level, dead.get(name, -1))
    return _binding_slot(proposal, voter, round_, dead)


def _binding_slot(proposal: ProposalState, voter: str, round_: int, dead: Mapping[str, int]) -> Slot | None:
    for slot in proposal.slots:
        for bound, content in slot.bindings(voter):
            if content != proposal.content and (bound >= round_ or bound > dead.get(slot.name, -1)):
                return slot
    return None


class Run(NamedTuple):
    """A proposal to put to the vote again: in which round, and which of its slots are dead up to which round."""

    proposal: ProposalState
    round: int
    dead: dict[str, int]


def front_runners(slots: Iterable[Slot], hlc: int) -> list[Run]:
    """What to put to the vote again of all that compete in these slots (P5).

    Most accepts in the last round come first, then most in all, then the earliest. Those whose deadline lies before
    `hlc` are past voting.
    """
    candidates = {p.key: p for slot in slots for p in slot.proposals if _is_open(p, hlc)}
    runs = [run for p in candidates.values() if (run := _next_run(p, hlc)) is not None]
    runs.sort(key=lambda run: _standing_of(run.proposal, run.round - 1))
    taken: set[str] = set()
    chosen: list[Run] = []
    for run in runs:
        names = {slot.name for slot in run.proposal.slots}
        if taken.isdisjoint(names):
            taken |= names
            chosen.append(run)
    return chosen


def _is_open(proposal: ProposalState, hlc: int) -> bool:
    return proposal.verdict == "pending" and proposal.payload.deadline_hlc >= hlc


def _standing_of(proposal: ProposalState, last: int) -> tuple[int, int, int, str]:
    return (-proposal.accepts.get(last, 0), -sum(proposal.accepts.values()), proposal.hlc, proposal.key)


def _next_run(proposal: ProposalState, hlc: int) -> Run | None:
    """The next round of a proposal that cannot win in those it had, if enough voters are free to accept it there."""
    if any(slot.accepted for slot in proposal.slots):
        return None
    others = [each for slot in proposal.slots for each in slot.proposals]
    if any(_is_open(each, hlc) and can_win(each) for each in others):
        return None
    dead = {slot.name: level for slot in proposal.slots if (level := slot.dead_up_to()) >= 0}
    if not dead:
        return None
    round_ = 1 + max(max(each.rounds()) for each in others)
    free = set(proposal.payload.voters) - lost_voters(proposal)
    able = [voter for voter in free if _binding_slot(proposal, voter, round_, dead) is None]
    return Run(proposal, round_, dead) if len(able) >= proposal.payload.required else None
