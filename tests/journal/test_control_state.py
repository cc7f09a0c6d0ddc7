"""What entries of the control log do to its state (L1, L2)."""

from copy import deepcopy

import pytest

from node.protocol.control_state import apply_entry
from node.protocol.records import ControlEntry, ControlState, Forget, Grant, LockRecord, Release, Renew
from tests.journal.samples import floor

HELD = LockRecord("build", "alice", "A", 7, 30_000, "q1")
OTHER = LockRecord("deploy", "bob", "B", 8, 5_000, "q2")
FLOOR = floor({"j": 3}, current="1.0.0")


def state() -> ControlState:
    return ControlState(7, {"build": HELD}, {"q0": ("build", 6)})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Grant(OTHER), ControlState(8, {"build": HELD, "deploy": OTHER}, {"q0": ("build", 6)})),
        (
            Renew("build", 7, 60_000),
            ControlState(7, {"build": LockRecord("build", "alice", "A", 7, 60_000, "q1")}, {"q0": ("build", 6)}),
        ),
        (Renew("build", 6, 60_000), state()),
        (Renew("nothing", 7, 60_000), state()),
        (Release("build", 7, "release"), ControlState(7, {}, {"q0": ("build", 6), "q1": ("build", 7)})),
        (Release("build", 7, "expire"), ControlState(7, {}, {"q0": ("build", 6), "q1": ("build", 7)})),
        (Release("build", 6, "release"), state()),
        (Release("nothing", 7, "force"), state()),
        (
            Release("build", 0, "release", "q9"),
            ControlState(7, {"build": HELD}, {"q0": ("build", 6), "q9": ("build", 0)}),
        ),
        (Release("build", 0, "release"), state()),
        (Forget(("q0", "unknown")), ControlState(7, {"build": HELD}, {})),
        (FLOOR, ControlState(7, {"build": HELD}, {"q0": ("build", 6)}, FLOOR)),
    ],
)
def test_entry_on_a_held_lock(entry: ControlEntry, expected: ControlState) -> None:
    found = state()
    apply_entry(found, entry)
    assert found == expected


def test_a_release_keeps_the_token_counter() -> None:
    found = ControlState()
    for entry in (Grant(HELD), Release("build", 7, "release"), Forget(("q1",))):
        apply_entry(found, entry)
    assert found == ControlState(7)


def test_entries_do_not_share_state() -> None:
    first, second = state(), state()
    before = deepcopy(second)
    apply_entry(first, Release("build", 7, "force"))
    assert second == before
