"""What a quiet cluster is not asked for again."""

from collections.abc import Mapping

import msgspec
import pytest

from iwdc_console.tui.model.api import Drift
from iwdc_console.tui.model.observation import Observation, Part, PartName
from iwdc_console.tui.source.thrift import DRIFT_S, worth_asking
from tests.tui import prod_eu
from tests.tui.prod_eu import NOW_S

QUIET = prod_eu.status(locks=0, open_proposals=0, events=9)


def known(**changes: object) -> Observation:
    return prod_eu.observation(msgspec.structs.replace(QUIET, **changes), NOW_S)


@pytest.mark.parametrize("name", ["locks", "proposals"])
def test_where_nothing_is_open_nothing_is_asked_again(name: PartName) -> None:
    assert not worth_asking(name, known(), QUIET, NOW_S)
    assert worth_asking(name, known(), None, NOW_S), "never received, or from another node"


@pytest.mark.parametrize(
    ("name", "then", "now"),
    [
        ("locks", {}, {"locks": 1}),
        ("locks", {"locks": 1}, {}),
        ("locks", {"locks": 1}, {"locks": 1}),
        ("proposals", {}, {"open_proposals": 1}),
        ("proposals", {"open_proposals": 1}, {}),
        ("proposals", {"open_proposals": 1}, {"open_proposals": 1}),
        ("proposals", {}, {"events": 10}),
        ("proposals", {"events": 0}, {"events": 0}),
        ("conflicts", {}, {}),
        ("metrics", {}, {}),
    ],
)
def test_what_is_open_or_was_is_asked_every_time(
    name: PartName, then: Mapping[str, object], now: Mapping[str, object]
) -> None:
    assert worth_asking(name, known(**now), msgspec.structs.replace(QUIET, **then), NOW_S)


def test_clocks_are_asked_now_and_then() -> None:
    drift = Part(Drift(), "n", NOW_S, 0)
    seen = msgspec.structs.replace(known(), drift=drift)
    assert not worth_asking("drift", seen, QUIET, NOW_S + DRIFT_S - 0.1)
    assert worth_asking("drift", seen, QUIET, NOW_S + DRIFT_S)
