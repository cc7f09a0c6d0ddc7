"""Random campaigns. A failing seed is replayed with `python -m node.simulation --seed S --minutes M --trace`."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from node.simulation import __main__ as command
from node.simulation.explore import Report, run, run_plan
from node.simulation.plan import draw_roomy
from node.simulation.violation import Violation


def check(seed: int, families: tuple[str, ...] | None = None, minutes: float = 2.0, nodes: int | None = None) -> Report:
    report = run(str(seed), nodes, minutes, families)
    size = "" if nodes is None else f" --nodes {nodes}"
    replay = f"python -m node.simulation --seed {seed}{size} --minutes {minutes:g} --trace"
    assert report.ok, f"{report.plan}\n{report.violation}\n{replay}"
    return report


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_a_slice_of_seeds(first: int) -> None:
    """Promises 1-5, under whatever the seeds draw."""
    for seed in range(first, first + 4):
        assert check(seed).steps > 0


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 11_000, 50))
def test_a_thousand_seeds_of_five_nodes_and_ten_minutes(first: int) -> None:
    """Promises 1-5."""
    for seed in range(first, first + 50):
        check(seed, minutes=10.0, nodes=5)


def test_a_second_process_under_one_id_changes_nothing() -> None:
    """D2: while the first is heard, the second's disk is noted by nobody."""
    for seed in range(6):
        check(seed, families=("duplicate",), minutes=1.0)


def test_floors_that_keep_next_to_nothing() -> None:
    """C1: what was told as rejected was expired again, once a floor had forgotten what it lost to."""
    families = ("partition", "isolate", "crash", "slow_link", "flap")
    drawn = draw_roomy("60", nodes=3, families=families)
    limits = replace(drawn.limits, retain_events=12, max_settled_kept=1, max_history_kept=0)
    report = run_plan(
        replace(
            drawn, rule="half", scale=0.2, duration_s=60.0, think_s=0.05, clients=6, fault_every_s=4.0, limits=limits
        )
    )
    assert report.ok, report.violation
    assert report.counts["observed FLOOR_CHOSEN"] > 10


def test_the_campaign_reaches_what_it_is_for() -> None:
    """Faults, refusals and repairs all happened, and under them most of what clients asked was done."""
    counts: Counter[str] = Counter()
    for seed in range(500, 504):
        counts += run(str(seed), nodes=5, minutes=2.0, families=("wipe", "partition", "crash")).counts
    for what in ("fault wipe", "fault partition", "observed RECOVERED", "observed LOCK_EXPIRED", "emitted VOTES"):
        assert counts[what], what
    assert counts["outcome Propose accepted"] > counts["outcome Propose maybe"]
    assert counts["outcome AcquireLock LockGranted"] > counts["outcome AcquireLock maybe"]


def test_a_seed_gives_the_same_trace_in_every_process() -> None:
    """Whatever the order of hashing is in a process."""
    line = [sys.executable, "-m", "node.simulation", "--seed", "5", "--minutes", "1", "--nodes", "5"]
    shown = {
        subprocess.run(
            line, env={**os.environ, "PYTHONHASHSEED": hashing}, capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
        for hashing in ("1", "2")
    }
    assert len(shown) == 1
    assert run("5", nodes=5, minutes=1.0).digest[:12] in shown.pop()


def test_a_failing_seed_prints_the_line_that_replays_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = run("5", nodes=3, minutes=0.5)
    broken = replace(sound, violation=Violation("promise 1", "A", "leads term 2, which B led"))
    monkeypatch.setattr(command, "run_plan", lambda *given: broken)
    monkeypatch.setattr(sys, "argv", ["simulation", "--seed", "5", "--nodes", "3", "--minutes", "0.5"])
    assert command.main() == 1
    shown = capsys.readouterr().out
    assert "promise 1: A: leads term 2, which B led" in shown
    assert "replay: python -m node.simulation --seed 5 --minutes 0.5 --nodes 3 --trace" in shown
