"""The promises, watched while the world runs. Each check sees only what is on disks, on the wire and in answers.

1. One leader per term, elected by a strict majority; a grant that is answered lies on a strict majority of disks.
2. What clients were told of locks (`holdings`) is in what the leaders say.
3. What was acknowledged is never lost: grants are in every later leader's state, events on disks, verdicts stay.
4. Under `majority` no two contents are accepted in one slot.
5. (After the faults, see `settle`.)
Besides: terms never fall, one vote a term, control logs and event logs are contiguous and equal where they overlap.
"""

from collections.abc import Sequence

import msgspec

from node.protocol.effects import Emit, Reply, Send, Wanted
from node.protocol.events import LEADER_ELECTED, VOTES, Event, hlc_wall_ms
from node.protocol.messages import ControlAppend, ControlReset, PreVoteAnswer, VoteRequest
from node.protocol.quorum import required
from node.protocol.records import (
    Appended,
    ControlAppended,
    ControlReplaced,
    Floor,
    FloorReached,
    Grant,
    Record,
    Release,
    Vote,
)
from node.protocol.requests import Answers, LockGranted, ProposalAnswer, Published
from node.protocol.shapes import LockView, ProposalView
from node.simulation.ballots import Ballots
from node.simulation.ground import Ground
from node.simulation.holdings import Holdings
from node.simulation.process import Process
from node.simulation.violation import Violation

FINAL = ("accepted", "rejected")
_TELLING = frozenset({PreVoteAnswer, VoteRequest, ControlReset, ControlAppend})
"""Messages that say something of which promises are made; most others are beats and events."""
FLOOR_LOOKS_AT = 100
"""How many proposals, the newest, are looked at when a floor is in place: at most once in a `heartbeat_timeout`."""
_encoder = msgspec.msgpack.Encoder()


class Checkers:
    """One set of checkers for one world. Every method but the questions raises `Violation` when a promise is broken.

    `processes` are the world's own, as they come and go; `holdings` is what clients were told of locks.
    """

    def __init__(self, ground: Ground, processes: Sequence[Process], holdings: Holdings) -> None:
        self._schedule = ground.schedule
        self._plan = ground.plan
        self._processes = processes
        self._holdings = holdings
        self.disks_lost = 0
        """So many disks may lack what a majority is said to hold."""
        self._terms: dict[str, int] = {}
        self._votes: dict[tuple[str, int], str | None] = {}
        self._positions: dict[str, tuple[int, int]] = {}
        self._entries: dict[tuple[int, int], bytes] = {}
        self._leaders: dict[int, str] = {}
        self._encouraged: dict[tuple[str, int], set[str]] = {}
        self._announced: dict[int, str] = {}
        self._floors: dict[str, dict[str, int]] = {}
        self._events: dict[tuple[str, int], str] = {}
        self._published: dict[tuple[str, int], str] = {}
        self._lost: set[tuple[str, int]] = set()
        self._disks_lost: set[str] = set()
        self._ballots = Ballots(ground.plan.rule == "majority")
        self._verdicts: dict[str, tuple[str, str]] = {}
        self._refusals: set[tuple[str, str]] = set()
        """Process and proposal that it showed as rejected, by what is on its disk."""
        self._refusing: dict[str, set[tuple[str, str]]] = {}
        """The same of each process at the floor that is on its way to its disk."""
        self._looked: dict[str, float] = {}
        self._ended: set[int] = set()
        """Tokens of locks that a core has decided to end."""

    @property
    def leaders(self) -> dict[int, str]:
        """Who has led, by term."""
        return self._leaders

    def _fail(self, rule: str, where: str, story: str) -> None:
        raise Violation(rule, where, story)

    # Processes and disks.

    def started(self, process: Process) -> None:
        """A process begins on what its disk holds."""
        image = process.disk.now
        self._terms[process.name] = image.hard.term
        self._positions[process.name] = (image.stamp, image.index)
        self._floors[process.name] = dict(image.floor.vector) if image.floor else {}
        self._refusing.pop(process.name, None)

    def disk_lost(self, process: Process, before: dict[str, int]) -> None:
        """A disk was wiped or rolled back: what it alone held is gone, and is not demanded any more."""
        self._disks_lost.add(process.name)
        # It shows again as open what it has to hear the votes of again.
        self._refusals = {shown for shown in self._refusals if shown[0] != process.name}
        others = [p.disk.vector for p in self._processes if p is not process]
        for journal, seq in before.items():
            kept = max([process.disk.vector.get(journal, 0)] + [v.get(journal, 0) for v in others])
            for gone in range(kept + 1, seq + 1):
                self._lost.add((journal, gone))
                self._events.pop((journal, gone), None)
                self._ballots.forget((journal, gone))
        self._forget_candidacies(process)

    def _forget_candidacies(self, process: Process) -> None:
        """A vote for oneself counts with oneself alone: it is gone with the disk, unless others voted likewise."""
        name = process.name
        supported = {term for (voter, term), who in self._votes.items() if who == process.id and voter != name}
        for place in [p for p, who in self._votes.items() if p[0] == name and who == process.id]:
            if place[1] not in supported:
                del self._votes[place]

    def used(self, process: Process, content: Wanted) -> None:
        """A core wants content to stand for its version: it must be there (P3)."""
        if content.content.key not in process.disk.contents:
            self._fail("P3", process.name, f"{content.version} is to be used without its content")

    def intended(self, process: Process, records: tuple[Record, ...]) -> None:
        """A core has decided to write this: what it ends may from now on be missing elsewhere."""
        heard = process.hearing
        stranger = heard.sender if heard is not None and heard.digest != process.running.parts.members.digest else None
        for record in records:
            if isinstance(record, Appended) and record.event.journal == process.running.journal_id:
                ahead_ms = hlc_wall_ms(record.event.hlc) - process.now.wall_ms
                if ahead_ms > process.settings.limits.max_clock_lead_ms + 1:
                    self._fail("V2", process.name, f"writes an event {ahead_ms:.0f} ms ahead of its own wall clock")
                if record.event.type == VOTES:
                    self._seen(process, record.event)
            if isinstance(record, ControlAppended):
                match record.entry:
                    case Release(token=token):
                        self._ended.add(token)
                    case Floor(vector=vector) if self._leaders.get(record.stamp) == process.name:
                        self._lies_on_disk(process, vector)
            if stranger is not None:
                self._heeds(process, stranger, record)

    def _seen(self, process: Process, votes: Event) -> None:
        """What is shown as accepted to who looks rests on votes that are on disks: a crash takes none of them back."""
        for vote in votes.payload["votes"]:
            for view in process.running.view_proposal(process.now, vote["proposal"]):
                self._ballots.founded(view, process.name)

    def _lies_on_disk(self, process: Process, vector: dict[str, int]) -> None:
        """A floor is final for everyone: what a crash of its maker may still take back is not below it."""
        written = process.disk.vector
        lacking = {j: (written.get(j, 0), seq) for j, seq in vector.items() if written.get(j, 0) < seq}
        if lacking:
            self._fail("C1", process.name, f"chooses a floor above what is on its own disk: {lacking}")

    def _heeds(self, process: Process, sender: str, record: Record) -> None:
        """What a member said that runs another configuration has had this written."""
        taken = isinstance(record, ControlAppended) and self._leaders.get(record.stamp) != process.name
        if taken or (isinstance(record, Vote) and record.voted_for == sender):
            story = f"takes a {type(record).__name__} from {sender}, which runs another configuration"
            self._fail("M2", process.name, story)

    def committed(self, process: Process, records: tuple[Record, ...]) -> None:
        """A persist has become durable."""
        for record in records:
            match record:
                case Appended(event):
                    self._appended(process, event)
                case Vote():
                    self._voted(process, record)
                case ControlAppended(stamp, index, entry):
                    self._extended(process, stamp, index, _encoder.encode(entry))
                    if isinstance(entry, Grant):
                        self._given(process, stamp, entry)
                case FloorReached(floor):
                    self._rests_below(process, floor.vector)
                    self._refusals |= self._refusing.pop(process.name, set())
                case ControlReplaced(stamp, index):
                    position = self._positions[process.name]
                    if (stamp, index) < position:
                        self._fail("E4", process.name, f"control log goes back from {position} to {stamp, index}")
                    self._positions[process.name] = (stamp, index)
        if process.disk.gaps:
            journal, expected, found = process.disk.gaps[0]
            self._fail("V1", process.name, f"journal {journal}: expected {expected}, wrote {found}")

    def _rests_below(self, process: Process, vector: dict[str, int]) -> None:
        former = self._floors.get(process.name, {})
        back = {j: (seq, vector.get(j, 0)) for j, seq in former.items() if vector.get(j, 0) < seq}
        if back:
            self._fail("C1", process.name, f"its floor goes back: {back}")
        self._floors[process.name] = vector
        voters = process.settings.voters
        floors = [p.disk.now.control.floor for p in self._processes if p.id in voters]
        covering = sum(1 for f in floors if f and all(f.vector.get(j, 0) >= seq for j, seq in vector.items()))
        if covering + self.disks_lost <= len(voters) // 2:
            self._fail("C1", process.name, f"acts on a floor that {covering} of {len(voters)} control logs have")

    def _voted(self, process: Process, vote: Vote) -> None:
        name = process.name
        if vote.term < self._terms[name]:
            self._fail("E1", name, f"term falls from {self._terms[name]} to {vote.term}")
        self._terms[name] = vote.term
        if not process.ready:
            return  # A recovering disk counts terms as promised, to itself, without having voted (D1).
        former = self._votes.get((name, vote.term))
        if vote.voted_for is None and name in self._disks_lost:
            return  # A disk of before its vote hears of the term before others tell it so (D1).
        if former is not None and former != vote.voted_for:
            self._fail("E1", name, f"in term {vote.term} voted for {former}, then for {vote.voted_for}")
        self._votes[name, vote.term] = vote.voted_for

    def _extended(self, process: Process, stamp: int, index: int, entry: bytes) -> None:
        was = self._positions[process.name]
        if was != (stamp, index - 1):
            self._fail("L1", process.name, f"control log at {was} is extended by {stamp, index}")
        self._positions[process.name] = (stamp, index)
        if self._entries.setdefault((stamp, index), entry) != entry:
            self._fail("L1", process.name, f"two different control entries at {stamp, index}")

    def _given(self, process: Process, term: int, grant: Grant) -> None:
        lock, plan = grant.lock, self._plan
        if any(each.disk.now.stamp > term for each in self._processes):
            return  # Written by a leader that does not know yet that it was replaced: nobody confirms it (L1).
        gone_s = self._holdings.gone_s(lock.request_id, lock.token)
        # A mark is kept for one TTL by the leader's clock.
        if plan.clocks_agree and gone_s < plan.timing.lock_ttl / 2:
            self._fail("L2", process.name, f"{lock.request_id}, released {gone_s:.1f} s ago, gets #{lock.token}")

    def _appended(self, process: Process, event: Event) -> None:
        place = (event.journal, event.seq)
        if event.type == LEADER_ELECTED and place not in self._events and len(process.settings.voters) > 1:
            self._is_announced(process, event)
        known = self._events.setdefault(place, event.id)
        if known != event.id:
            self._fail("V1", process.name, f"{place} is event {event.id} here and {known} elsewhere")
        self._ballots.take(event)

    def _is_announced(self, process: Process, event: Event) -> None:
        term, leader = event.payload["term"], event.payload["leader"]
        if (
            event.origin != leader
            or self._leaders.get(term, leader) != leader
            or self._announced.get(term, event.id) != event.id
        ):
            by = self._announced.get(term, "no event")
            self._fail("E4", process.name, f"{event.id} says that {leader} leads term {term}; before it {by} did")
        voters = process.settings.voters
        stamped = sum(1 for p in self._processes if p.id in voters and p.disk.now.stamp >= term)
        if stamped + self.disks_lost <= len(voters) // 2:
            self._fail("E4", process.name, f"{leader} serves in term {term}, under which {stamped} disks hold the log")
        self._announced[term] = event.id

    # What leaves.

    def left(self, process: Process, effect: Send | Reply | Emit) -> None:
        """An effect leaves a process: from now on it may have consequences."""
        if isinstance(effect, Send):
            if type(effect.message) in _TELLING:
                self._told(process, effect)
            return
        match effect:
            case Reply(_, LockGranted() as granted):
                self._rests_on_majority(process, granted.lock)
            case Reply(_, ProposalAnswer() as answer):
                self._shown(process, answer.proposal)
            case Reply(_, Answers(answers)):
                for each in answers:
                    if isinstance(each, ProposalAnswer):
                        self._shown(process, each.proposal)
            case Reply(_, Published() as answer):
                if answer.seq > process.disk.vector.get(answer.journal, 0):
                    self._fail("V4", process.name, f"event {answer.id} is acknowledged before it is durable")
            case Emit(events):
                for event in events:
                    if event.seq > process.disk.vector.get(event.journal, 0):
                        self._fail("V4", process.name, f"event {event.id} is shown before it is durable")

    def _shown(self, process: Process, proposal: ProposalView) -> None:
        self._ballots.founded(proposal, process.name)
        # What it rests on may be on other disks alone: then it is heard again after a crash.
        if proposal.state == "rejected" and _is_on_disk(process):
            self._refusals.add((process.name, proposal.key))

    def _told(self, process: Process, send: Send) -> None:
        match send:
            case Send(to, PreVoteAnswer(term, True)):
                self._encouraged.setdefault((to, term), set()).add(process.id)
            case Send(_, VoteRequest(term)):
                yes = self._encouraged.get((process.id, term), set()) | {process.id}
                if len(yes) <= len(process.settings.voters) // 2:
                    self._fail(
                        "E3", process.name, f"stands for term {term} with the encouragement of {sorted(yes)} only"
                    )
            case Send(_, ControlReset() as reset):
                self._leads(process, reset.term)
                self._carries(process, reset)
            case Send(_, ControlAppend() as append):
                self._leads(process, append.term)

    def _leads(self, process: Process, term: int) -> None:
        leader = self._leaders.get(term)
        if leader == process.name:
            return
        if leader is not None:
            self._fail("promise 1", process.name, f"leads term {term}, which {leader} led")
        voters = process.settings.voters
        voted = sorted(n for (n, t), who in self._votes.items() if t == term and who == process.id and n in voters)
        if len(voted) <= len(voters) // 2:
            self._fail("promise 1", process.name, f"leads term {term} with votes of {voted} only")
        self._leaders[term] = process.name

    def _carries(self, process: Process, reset: ControlReset) -> None:
        if reset.term < max(self._leaders):
            return
        locks, told = reset.state.locks, self._holdings
        if reset.state.token < told.highest_token:
            self._fail(
                "promise 2",
                process.name,
                f"term {reset.term} begins at token {reset.state.token}, but {told.highest_token} was given",
            )
        for token in told.given.keys() - self._ended:
            resource, owner = told.given[token]
            lock = locks.get(resource)
            if lock is None or lock.token < token:
                self._fail("promise 3", process.name, f"term {reset.term} lost lock {resource} #{token} of {owner}")
        for lock in locks.values():
            if lock.token in told.ended:
                self._fail("promise 3", process.name, f"term {reset.term} holds released {lock.resource} #{lock.token}")

    def _rests_on_majority(self, process: Process, lock: LockView) -> None:
        voters = process.settings.voters
        disks = [p.disk.now.control for p in self._processes if p.id in voters]
        holding = sum(1 for control in disks if control.token >= lock.fencing_token)
        if holding + self.disks_lost <= len(voters) // 2:
            self._fail(
                "promise 1",
                process.name,
                f"answers a grant of {lock.resource} #{lock.fencing_token} that only {holding} disks hold",
            )

    # What clients were told.

    def published(self, answer: Published, quorum: bool = False) -> None:
        """An event was acknowledged, as being on a quorum of disks if so asked."""
        self._published[answer.journal, answer.seq] = answer.id
        if quorum and not answer.existing:
            processes = self._processes
            holding = sum(1 for p in processes if p.disk.vector.get(answer.journal, 0) >= answer.seq)
            need = required(len(processes), self._plan.rule)
            if holding + self.disks_lost < need and "members" not in self._plan.families:
                self._fail("V4", "client", f"event {answer.id} is called durable on {need} disks, {holding} hold it")

    def told(self, process: Process, proposal: ProposalView) -> None:
        """A verdict was shown to somebody: it must never be another one."""
        if proposal.state not in FINAL:
            return
        verdict, where = self._verdicts.setdefault(proposal.key, (proposal.state, process.name))
        if verdict != proposal.state and not self._ballots.maimed(proposal.key):
            self._fail(
                "promise 3", process.name, f"proposal {proposal.key} is {proposal.state} here, {verdict} at {where}"
            )

    def floor_reached(self, process: Process) -> None:
        """A floor is in place, and soon on the disk: what was rejected stays so, whatever its maker had heard (C1)."""
        t = self._schedule.t
        if t - self._looked.get(process.name, float("-inf")) < self._plan.timing.heartbeat_timeout:
            return
        self._looked[process.name] = t
        views = process.running.view_proposals(process.now, FLOOR_LOOKS_AT)
        for view in views:
            self._stays(process, view)
        self._refusing[process.name] = {(process.name, view.key) for view in views if view.state == "rejected"}

    def _stays(self, process: Process, view: ProposalView) -> None:
        if view.state != "rejected" and (process.name, view.key) in self._refusals:
            self._fail("C1", process.name, f"{view.key} is {view.state}, and was rejected before")

    # After the faults.

    def nothing_lost(self) -> None:
        """Everything that was acknowledged is on every live disk, and every verdict stands (promise 3)."""
        for process in self._processes:
            if not process.up:
                continue
            vector = process.disk.vector
            for place, event_id in self._published.items():
                if place[1] > vector.get(place[0], 0) and place not in self._lost:
                    self._fail("promise 3", process.name, f"acknowledged event {event_id} {place} is missing")
            for view in process.running.view_proposals(process.now, process.settings.limits.max_settled_kept):
                self.told(process, view)
                self._stays(process, view)
                self._ballots.agree(view, process.name)


def _is_on_disk(process: Process) -> bool:
    """Whether all events that a node goes by are on its own disk."""
    written = process.disk.vector
    return all(seq <= written.get(journal, 0) for journal, seq in process.running.vector.items())
