"""The checkers can fail: every planted bug is found, and the sound core is not found guilty where they were found."""

import pytest

from node.protocol.control import Control
from node.simulation.explore import run_plan
from tests.simulation.planted.all_bugs import BUGS
from tests.simulation.planted.bug import MOST_SEEDS, Bug, hunt, plan_of

QUICK_SEEDS = 12


def _named(planted: Bug) -> str:
    return f"{planted.rule} {planted.name}"


@pytest.mark.parametrize("planted", [b for b in BUGS if not b.rare], ids=_named)
def test_a_planted_bug_is_found_at_once(planted: Bug) -> None:
    """All promises."""
    assert hunt(planted, QUICK_SEEDS, planted.first)


@pytest.mark.slow
@pytest.mark.parametrize("planted", [b for b in BUGS if b.rare], ids=_named)
def test_a_rare_planted_bug_is_found(planted: Bug) -> None:
    """All promises."""
    assert hunt(planted, MOST_SEEDS)


@pytest.mark.parametrize("planted", BUGS[::6], ids=_named)
def test_the_sound_core_is_not_found_guilty(planted: Bug) -> None:
    """Promises 1-5, in the very plans that find the planted bugs."""
    assert run_plan(plan_of(planted, 0)).violation is None


def test_a_bug_that_is_not_planted_right_is_not_found() -> None:
    """It raises in the core as well, which any change of a signature there would bring about."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Control, "append", lambda self, entry: None)

    with pytest.raises(AssertionError, match="is not planted right"):
        hunt(Bug("appends nothing", "L1", plant, ()), QUICK_SEEDS)


def test_there_is_a_bug_for_every_rule_that_a_simulated_world_can_see_broken() -> None:
    """M4, V3, P7 and F1 are held by tests of cursors, v1.6 and formats."""
    rules = {f"{part}{n}" for part, last in {"H": 2, "E": 7, "L": 4, "P": 6, "S": 3, "C": 1, "D": 2}.items()
             for n in range(1, last + 1)}  # fmt: skip
    assert {b.rule for b in BUGS} >= rules | {"M1", "M2", "M3", "V1", "V2", "V4", "T1"}
    assert len({b.name for b in BUGS}) == len(BUGS) >= 25


def test_floors_of_successive_leaders_only_rise() -> None:
    """C1: a new leader chose a floor from what it had before it learned of the last one's."""
    planted = next(b for b in BUGS if b.name.startswith("a new leader's floor"))
    found = [seed for seed in (0, 3) if run_plan(plan_of(planted, seed)).violation]
    assert found == []
