"""The driver's rules as the world keeps them, with a core that plays a written part."""

from collections.abc import Callable
from random import Random
from typing import Any, cast

from node.protocol.core import Core
from node.protocol.effects import (
    Called,
    DiskState,
    Effect,
    Input,
    LinkState,
    LoopLag,
    Now,
    Persist,
    Persisted,
    Received,
    Reply,
    Send,
    Tick,
)
from node.protocol.messages import Envelope, Mark, Message, TimeProbe
from node.protocol.records import FORMAT, Durable, Vote
from node.protocol.requests import Accepted, Answer, Elect
from node.protocol.settings import Settings
from node.simulation.plan import Plan
from node.simulation.world import World

Part = Callable[["ScriptedCore", Now, Input], list[Effect]]


class ScriptedCore:
    """Does what `part` says, and remembers what it was given."""

    wake_at = float("inf")

    def __init__(self, part: Part, settings: Settings, durable: Durable) -> None:
        self.part = part
        self.settings = settings
        self.term = durable.hard.term
        self.given: list[Input] = []

    def step(self, now: Now, given: Input) -> list[Effect]:
        self.given.append(given)
        return self.part(self, now, given)

    def envelope(self, to: str, messages: tuple[Message, ...]) -> Envelope:
        mark = Mark(0, self.term, 0, 0)
        return Envelope(FORMAT, "sim", "digest", self.settings.id, to, "boot", "journal", 0, mark, None, messages)


def world(part: Part, nodes: int = 2, **plan: Any) -> World:
    """A world of scripted cores, started."""

    def make(settings: Settings, durable: Durable, rng: Random, now: Now, boot: str) -> Core:
        return cast(Core, ScriptedCore(part, settings, durable))

    made = World(Plan(seed="scripted", nodes=nodes, **plan), make_core=make)
    made.start()
    made.run_for(1.0)
    return made


def core(of: World, name: str) -> ScriptedCore:
    return cast(ScriptedCore, of.hosts[name].running)


def writes_then_answers(self: ScriptedCore, now: Now, given: Input) -> list[Effect]:
    """Each call raises the term, tells B, and is answered, all after the term is on disk."""
    if not isinstance(given, Called):
        return []
    self.term += 1
    return [
        Persist(given.call, (Vote(self.term, None),)),
        Send("B", TimeProbe(self.term), given.call),
        Reply(given.call, Accepted(str(self.term)), given.call),
    ]


def test_what_depends_on_a_persist_leaves_once_it_is_durable() -> None:
    made, answers = world(writes_then_answers, fsync_s=1.0), list[Answer | None]()
    process = made.hosts["A"]
    process.calls.take(Elect(), answers.append)
    made.run_for(0.4)
    assert (answers, process.disk.writes, process.commits.owed) == ([], 0, 3)
    made.run_for(2.0)
    assert (answers, process.disk.now.hard.term, process.commits.owed) == ([Accepted("1")], 1, 0)
    (delivery,) = [g for g in core(made, "B").given if isinstance(g, Received)]
    assert delivery.envelope.messages == (TimeProbe(1),)


def test_persists_gather_while_a_commit_runs() -> None:
    made = world(writes_then_answers, fsync_s=1.0)
    process = made.hosts["A"]
    for _ in range(5):
        process.calls.take(Elect(), lambda answer: None)
        made.run_for(0.01)  # those of one moment would make one step
    made.run_for(5.0)
    reported = [g.number for g in core(made, "A").given if isinstance(g, Persisted)]
    assert reported == [1, 5], "the first alone, the other four together"


def test_a_crash_loses_what_was_not_durable_and_breaks_the_call() -> None:
    made, answers = world(writes_then_answers, fsync_s=1.0), list[Answer | None]()
    process = made.hosts["A"]
    process.calls.take(Elect(), answers.append)
    made.run_for(3.0)
    process.calls.take(Elect(), answers.append)
    process.calls.take(Elect(), answers.append)
    made.run_for(0.1)
    process.stop("is killed")
    made.run_for(5.0)
    process.start()
    made.run_for(1.0)
    assert answers == [Accepted("1"), None, None]
    assert core(made, "A").term in (1, 2), "of the commit under way a prefix may be there, of what gathered nothing"


def test_a_crash_may_fall_between_two_effects() -> None:
    made, answers = world(writes_then_answers), list[Answer | None]()
    process = made.hosts["A"]
    process.crash_in = 1
    process.calls.take(Elect(), answers.append)
    made.run_for(1.0)
    assert not process.up
    assert answers == [None]
    assert not any(isinstance(g, Received) for g in core(made, "B").given)


def test_a_paused_process_gets_everything_afterwards() -> None:
    made, answers = world(writes_then_answers), list[Answer | None]()
    paused = made.hosts["B"]
    before = len(core(made, "B").given)
    paused.pause()
    made.hosts["A"].calls.take(Elect(), answers.append)
    paused.calls.take(Elect(), answers.append)
    made.run_for(3.0)
    assert len(core(made, "B").given) == before
    paused.resume(3.0)
    made.run_for(1.0)
    kinds = {type(g) for g in core(made, "B").given[before:]}
    assert {Received, Called, LoopLag, Tick, Persisted} <= kinds
    assert answers == [Accepted("1"), Accepted("1")]


def test_a_full_disk_holds_everything_back_until_there_is_room() -> None:
    made, answers = world(writes_then_answers), list[Answer | None]()
    process = made.hosts["A"]
    process.disk.fault = "disk_full"
    process.calls.take(Elect(), answers.append)
    made.run_for(5.0)
    assert answers == []
    assert DiskState("disk_full") in core(made, "A").given
    process.disk.fault = None
    made.run_for(2.0)
    assert answers == [Accepted("1")]
    assert [g for g in core(made, "A").given if isinstance(g, DiskState)] == [DiskState("disk_full"), DiskState(None)]


def test_a_crash_is_seen_by_the_peers_as_refused_connections_until_it_is_back() -> None:
    made = world(writes_then_answers, nodes=3)
    made.network.cut([("C", "A")])
    made.hosts["A"].stop("is killed")
    made.run_for(0.1)
    assert LinkState("A", True) in core(made, "B").given
    assert LinkState("A", True) not in core(made, "C").given, "a cut link shows nothing"
    made.hosts["A"].start()
    made.run_for(3.0)
    assert core(made, "B").given[-1] == LinkState("A", False)


def test_an_answer_carries_what_waits_for_the_asker() -> None:
    def probes(self: ScriptedCore, now: Now, given: Input) -> list[Effect]:
        match given:
            case Called():
                return [Send("B", TimeProbe(1), 0), Send("B", TimeProbe(2), 0)]
            case Received(envelope) if self.settings.id == "B":
                return [Send(envelope.sender, TimeProbe(10 + len(envelope.messages)), 0)]
            case _:
                return []

    made = world(probes)
    made.hosts["A"].calls.take(Elect(), lambda answer: None)
    made.run_for(1.0)
    got = [g.envelope.messages for g in core(made, "A").given if isinstance(g, Received)]
    assert got == [(TimeProbe(12),)], "both probes came in one envelope, and were answered in one"
