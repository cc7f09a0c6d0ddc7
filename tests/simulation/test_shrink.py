"""A failing seed shrinks to one that a person can read, and the line that replays it does."""

import shlex
import sys

import pytest

from node.simulation import __main__ as command
from node.simulation.explore import run_plan
from node.simulation.shrink import Case, shrink
from tests.simulation.planted.elections import generous

CASE = Case("7", 0.3, nodes=3, families=("crash", "partition", "isolate", "restart_all"))


@pytest.fixture(scope="module")
def failing() -> Case:
    """A seed that finds a planted bug."""
    with pytest.MonkeyPatch.context() as patch:
        generous(patch)
        for seed in range(60):
            case = Case(str(seed), CASE.minutes, CASE.nodes, CASE.families)
            if run_plan(case.plan()).violation:
                return case
    raise AssertionError("no seed found the planted bug")


def test_a_failing_seed_shrinks_and_still_breaks_the_same_promise(
    failing: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    generous(monkeypatch)
    first = run_plan(failing.plan())
    small, report = shrink(failing, first)
    assert first.violation is not None
    assert report.violation is not None
    assert report.violation.rule == first.violation.rule
    assert report.events <= first.events
    sizes = [(len(plan.families), plan.nodes, plan.clients, plan.duration_s) for plan in (first.plan, report.plan)]
    assert any(now < was for was, now in zip(*sizes, strict=True)), sizes
    again = run_plan(small.plan())
    assert again.digest == report.digest


def test_the_command_shrinks_and_prints_a_line_that_replays(
    failing: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generous(monkeypatch)
    line = shlex.split(failing.command().removesuffix(" --trace"))[3:]
    monkeypatch.setattr(sys, "argv", ["simulation", *line, "--shrink"])
    assert command.main() == 1
    shown = capsys.readouterr().out
    assert "shrunk to seed" in shown
    replay = shlex.split(shown.splitlines()[-2].split("replay: ")[1])[3:]
    monkeypatch.setattr(sys, "argv", ["simulation", *replay])
    assert command.main() == 1


def test_a_sound_seed_does_not_shrink() -> None:
    sound = run_plan(Case("5", 0.2, nodes=3, families=()).plan())
    with pytest.raises(AssertionError, match="failing"):
        shrink(CASE, sound)
