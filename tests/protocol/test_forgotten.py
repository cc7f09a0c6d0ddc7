"""What a client is told of a proposal when floors forgot what it may have lost to (C1, P6)."""

import dataclasses
import random

from msgspec.structs import replace

from node.protocol.core import Core
from node.protocol.effects import Called, Effect, Now, Received, Reply, Tick
from node.protocol.messages import Push
from node.protocol.records import Durable, Floor
from node.protocol.requests import Answer, Maybe, ProposalAnswer, Propose
from node.protocol.settings import Limits, Member, Settings
from tests.protocol.catalogue import Writer

MEMBERS = tuple(Member(name, f"http://{name.lower()}/api/v1") for name in "ABCD")
LATE = Propose("snapshot", "1.0.0", "y", idempotency_key="once")


def answers(effects: list[Effect]) -> list[Answer]:
    return [effect.answer for effect in effects if isinstance(effect, Reply)]


class Restarted:
    """A node of four on a disk whose floor forgot what `late` had lost to, before its votes came."""

    def __init__(self) -> None:
        self.writer = writer = Writer()
        writer.vote("A", writer.snapshot("B", "1.0.0", "x"))
        writer.vote("A", writer.snapshot("B", "1.1.0"))
        self.vector = dict(writer.vector)
        limits = dataclasses.replace(Limits(), max_settled_kept=1, max_history_kept=0)
        state = writer.fold(limits=limits).checkpoint(self.vector)
        self.late = writer.snapshot("D", "1.0.0", "y", voters=tuple("ABCD"), required=3, idempotency_key="once")
        disk = Durable()
        disk.floor, disk.events = Floor(self.vector, state), [self.late]
        self.now = Now(0.0, 1e12)
        self.core = Core(
            Settings("A", "c", MEMBERS, limits=limits), disk, random.Random(1), self.now, "boot", new_cluster=True
        )

    def ask(self, ask: Propose) -> list[Answer]:
        return answers(self.core.step(self.now, Called(1, ask)))

    def wait(self, seconds: float) -> list[Answer]:
        self.now = Now(self.now.mono + seconds, self.now.wall_ms + seconds * 1000)
        return answers(self.core.step(self.now, Tick()))


def test_c1_who_asks_again_is_not_told_that_it_is_open() -> None:
    (answer,) = Restarted().ask(LATE)
    assert isinstance(answer, Maybe)
    assert answer.reason == "forgotten"


def test_c1_who_waits_for_it_is_not_told_so_either() -> None:
    node = Restarted()
    assert node.ask(replace(LATE, wait_s=5.0)) == []
    (answer,) = node.wait(5.0)
    assert isinstance(answer, Maybe)
    assert answer.reason == "forgotten"


def test_c1_who_waits_is_told_once_its_own_votes_decide() -> None:
    node = Restarted()
    assert node.ask(replace(LATE, wait_s=5.0)) == []
    rejects = tuple(node.writer.vote(voter, node.late, "reject", "stale_version") for voter in "BC")
    delivery = replace(
        node.core.envelope("A", (Push(rejects),), 1), sender="D", boot="another", journal="jD", start=1, quote=None
    )
    (answer,) = answers(node.core.step(node.now, Received(delivery)))
    assert isinstance(answer, ProposalAnswer)
    assert answer.proposal.state == "rejected"
