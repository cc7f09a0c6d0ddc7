"""Leadership weakened (E1-E7)."""

from collections.abc import Callable
from typing import Any

import pytest

from node.protocol import deliveries, quorum
from node.protocol.election import LEADER, Election
from node.protocol.events import LEADER_ELECTED
from node.protocol.handover import Handover
from node.protocol.messages import ControlAppend, ControlReset, VoteAnswer, VoteRequest
from node.protocol.parts import Parts
from node.protocol.peer import Peer
from node.protocol.ranking import outranks, ranking
from node.protocol.records import Durable, Vote
from tests.simulation.planted.bug import CUTS, MANY, STORM, bug
from tests.simulation.planted.patches import around, on_disk

Patch = pytest.MonkeyPatch


@bug("a term is forgotten in a restart", "E1")
def forgotten_term(patch: Patch) -> None:
    def forget(durable: Durable) -> None:
        durable.hard = Vote(0, None)

    on_disk(patch, forget)


@bug("a vote is forgotten in a restart", "E1", "restart_all", "partition", "crash", weather=STORM, nodes=5, rare=True)
def forgotten_vote(patch: Patch) -> None:
    def forget(durable: Durable) -> None:
        durable.hard = Vote(durable.hard.term, None)

    on_disk(patch, forget)


@bug("a vote for everybody who asks", "E1", rare=True)
def generous(patch: Patch) -> None:
    def vote(original: Callable[..., None], self: Election, peer: Peer, ask: VoteRequest) -> None:
        self.voted_for = None
        original(self, peer, ask)

    around(patch, Election, "on_vote_request", vote)


@bug("a restarted leader resumes its term", "E1", first=5)
def resumed(patch: Patch) -> None:
    def campaign(original: Callable[..., None], self: Election) -> None:
        again = self.voted_for == self._ctx.settings.id and self.term > 0 and self._rounds <= 1
        self.term -= again
        original(self)

    around(patch, Election, "_campaign", campaign)


@bug(
    "appends of a lower term are taken", "E1", "contest",
    think_s=0.2, clients=20, resources=MANY, fault_every_s=8.0, duration_s=60.0, first=3,
)  # fmt: skip
def lower_term_taken(patch: Patch) -> None:
    def take(original: Callable[..., None], parts: Parts, peer: Peer, message: Any, envelope: Any) -> None:
        if isinstance(message, ControlReset) and message.term < parts.election.term:
            parts.control.on_reset(peer, message, parts.members.can_vote)
        elif isinstance(message, ControlAppend) and message.term < parts.election.term:
            parts.control.on_append(peer, message, parts.members.can_vote)
        else:
            original(parts, peer, message, envelope)

    around(patch, deliveries, "take", take)


@bug("the shortest uptime leads", "E2", "crash", "pause", "isolate")
def youngest_first(patch: Patch) -> None:
    def candidate(original: Callable[..., Any], self: Handover) -> str | None:
        order = ranking(self._members.uptimes(), 0.0)
        youngest = order[-1] if order else self._ctx.settings.id
        if youngest == self._ctx.settings.id:
            youngest = order[0]
        return None if youngest == self._ctx.settings.id else youngest

    around(patch, Handover, "candidate", candidate)


@bug("votes are asked for without asking first", "E3", *CUTS)
def no_prevote(patch: Patch) -> None:
    patch.setattr(Election, "_ask", lambda self: self._campaign())


@bug("half of the voters elect", "E4", *CUTS, nodes=4)
def half_elects(patch: Patch) -> None:
    def enough(self: Election) -> bool:
        return len(self._yes) * 2 >= len(self._members.voters)

    patch.setattr(Election, "_enough", enough)


@bug("a new leader goes by its own control log alone", "E4", *CUTS, "crash_between_effects", "restart_all", first=5)
def own_log(patch: Patch) -> None:
    patch.setattr(Election, "_keep_greatest", lambda self, answer: None)


@bug("the log is chosen by length", "E4", "chase", think_s=0.2, clients=8, resources=MANY, fault_every_s=6.0)
def longest_log(patch: Patch) -> None:
    def keep(self: Election, answer: VoteAnswer) -> None:
        best = self._best[1] if self._best else self._control.index
        if answer.state is not None and answer.index > best:
            self._best = (answer.stamp, answer.index, answer.state)

    def vote(original: Callable[..., None], self: Election, peer: Peer, ask: VoteRequest) -> None:
        original(self, peer, VoteRequest(ask.term, self._control.stamp, ask.index))

    patch.setattr(Election, "_keep_greatest", keep)
    around(patch, Election, "on_vote_request", vote)


@bug("whoever hears of a leader announces it", "E4")
def third_party(patch: Patch) -> None:
    def told(original: Callable[..., None], self: Parts) -> None:
        original(self)
        leader = self.election.leader
        if leader not in (None, self.settings.id) and self.members.can_vote:
            self.replication.append(LEADER_ELECTED, {"leader": leader, "term": self.election.term}, "")

    around(patch, Parts, "_on_leader", told)


@bug(
    "the second best is handed to before the best",
    "E6",
    "restart_all",
    "isolate",
    nodes=7,
    fault_every_s=8.0,
    rare=True,
)
def by_way_of_the_second(patch: Patch) -> None:
    def candidate(original: Callable[..., Any], self: Handover) -> str | None:
        uptimes = self._members.uptimes()
        own = self._ctx.settings.id
        for name in ranking(uptimes, self._ctx.settings.timing.uptime_tolerance):
            if name == own:
                return None
            if outranks(name, own, uptimes, 1.0) and self._well_regarded(name):
                return name
        return None

    around(patch, Handover, "candidate", candidate)


@bug("a leader does not step down before a higher term", "E7", *CUTS, rare=True)
def stubborn(patch: Patch) -> None:
    def take(original: Callable[..., None], parts: Parts, peer: Peer, message: Any, envelope: Any) -> None:
        if parts.election.role != LEADER or getattr(message, "term", 0) <= parts.election.term:
            original(parts, peer, message, envelope)

    around(patch, deliveries, "take", take)


@bug("a strict majority is half", "E5", *CUTS, nodes=4)
def half_is_a_majority(patch: Patch) -> None:
    patch.setattr(quorum, "strict_majority", lambda total: max(1, total // 2))
