"""One fault, one change of leader (E6), and nothing grows though the load goes on (C1)."""

from functools import partial

import pytest

from node.protocol.records import Floor
from node.protocol.requests import Answer, Propose, Publish
from node.protocol.settings import Limits
from node.simulation.scenario.play import Play
from node.simulation.scenario.script import read_script
from node.simulation.weight import objects
from tests.simulation.stage import Stage

FAULTS = (
    "kill C",
    "split A B | C",
    "cut A -> C",
    "cut C -> A",
    "slow C -> A 3s",
    "disk of C full",
    "disk of C slower by 3s",
    "disk of C unreadable",
    "clock of C 1h",
    "time of C runs 0.5",
    "wipe C",
)
"""Each meets the leader."""


@pytest.mark.parametrize("fault", ["pause C 20s", "split A B | C; wait 40s; connect", "kill C; wait 40s; start C"])
def test_its_end_moves_leadership_once_at_most(fault: str) -> None:
    """Who was away leads again by its rank, or does not: uptimes decide (E2)."""
    script = f"nodes 3; form; expect leader C; wait 40s; {fault}; wait 90s"
    play = Play(read_script(script.replace("; ", "\n"), fault))
    play.run()
    assert len(play.stage.world.checkers.leaders) <= 3


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_moves_leadership_once(fault: str) -> None:
    play = Play(read_script(f"nodes 3\nform\nexpect leader C\nwait 40s\n{fault}\nwait 90s\n", fault))
    play.run()
    assert len(play.stage.world.checkers.leaders) <= 2


def test_nothing_grows_under_a_steady_load() -> None:
    """Events give way to floors, so twice the load leaves no more behind."""
    stage = Stage(3, limits=Limits(retain_events=30, max_settled_kept=20, max_history_kept=20))
    leader = stage.elect()
    held = []
    for turn in range(3):
        for number in range(40):
            stage.propose(leader, f"1.{turn}.{number}", "a")
            stage.lock(leader, f"lock-{turn}-{number}", ttl_s=0.5)
            stage.ask(leader, Publish("NOTE", {"n": number}))
        stage.settle()
        held.append(sum(objects(process.running) for process in stage.world.processes))
    assert held[2] - held[1] < 0.05 * held[1], held


def test_what_is_proposed_in_batches_does_not_gather_either() -> None:
    """An event carries many proposals then: a floor is due for what must be known, not for the events alone."""
    stage = Stage(3, limits=Limits(retain_events=200, max_settled_kept=20, max_history_kept=20))
    leader = stage.elect()
    held, known = [], []
    for turn in range(3):
        for batch in range(5):
            answers: list[Answer | None] = []
            for number in range(100):
                version = f"1.{turn}.{100 * batch + number}"
                stage.world.clients.call(
                    stage[leader], Propose("snapshot", version, "a", wait_s=10.0), 20.0, answers.append
                )
            stage.until(partial(_all_there, answers), 20.0)
            stage.world.run_for(stage.world.plan.timing.heartbeat_interval)
        stage.settle()
        held.append(sum(objects(process.running) for process in stage.world.processes))
        known.append(max(len(process.running.parts.fold.keys) for process in stage.world.processes))
    assert max(known) <= 300 + 20, "no more than three times what is retained, and what the floor keeps"
    assert held[2] - held[1] < 0.05 * held[1], held


def test_every_floor_takes_effect_everywhere_though_the_next_one_comes_with_the_next_heartbeat() -> None:
    stage = Stage(3, limits=Limits(retain_events=100, max_settled_kept=20, max_history_kept=20))
    leader = stage.elect()
    seen = []
    for turn in range(6):
        answers: list[Answer | None] = []
        for number in range(100):
            stage.world.clients.call(
                stage[leader], Propose("snapshot", f"1.{turn}.{number}", "a", wait_s=10.0), 20.0, answers.append
            )
        stage.until(partial(_all_there, answers), 20.0)
        stage.world.run_for(stage.world.plan.timing.heartbeat_interval)
        chosen = stage[leader].running.parts.control.state.floor
        if chosen is not None:
            stage.until(partial(_reached, stage, chosen), 1.0)
            seen.append(sum(chosen.vector.values()))
    assert len(set(seen)) > 2, seen


def _reached(stage: Stage, floor: Floor) -> bool:
    return all(process.running.parts.recovery.floor == floor for process in stage.world.processes)


def _all_there(answers: list[Answer | None]) -> bool:
    return len(answers) == 100
