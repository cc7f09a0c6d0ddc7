"""Marks of releases are kept for one TTL, and no longer, however often the leader changes (L2)."""

from node.protocol.requests import AcquireLock, LockReleased, Refusal, ReleaseLock, StepDown
from tests.simulation.stage import Stage

ROUNDS = 20
PER_ROUND = 5
ROUND_S = 10.0


def cycle(stage: Stage, asked: str, name: str) -> None:
    """Take a lock and give it back."""
    held = stage.lock(asked, name)
    released = stage.ask(asked, ReleaseLock(name, "owner", held.fencing_token))
    assert isinstance(released, LockReleased)


def lead_next(stage: Stage, leader: str) -> str:
    """Hand over to the next one."""
    names = sorted(stage.world.hosts)
    other = names[(names.index(leader) + 1) % len(names)]
    stage.ask(leader, StepDown(other))
    stage.until(lambda: stage.leader_of(names) == other, 30)
    return other


def marks(stage: Stage, name: str) -> list[str]:
    """The request ids that `name` remembers as released."""
    return list(stage[name].running.parts.control.state.marks)


def test_l2_marks_do_not_pile_up_while_leaders_change_faster_than_a_ttl() -> None:
    """Each leader kept what it inherited for a whole TTL more: none was ever forgotten."""
    stage = Stage(3)
    leader = stage.elect()
    ttl_s = stage[leader].settings.timing.lock_ttl
    most = 0
    for round_ in range(ROUNDS):
        began = stage.t
        for n in range(PER_ROUND):
            cycle(stage, leader, f"build-{round_}-{n}")
        most = max(most, *(len(marks(stage, name)) for name in stage.world.hosts))
        leader = lead_next(stage, leader)
        stage.world.run_for(max(0.0, began + ROUND_S - stage.t))
    assert 5 * ttl_s < ROUNDS * ROUND_S
    assert most <= PER_ROUND * (ttl_s / ROUND_S + 2)


def test_l2_a_mark_outlives_the_leader_that_made_it_by_what_is_left_of_its_ttl() -> None:
    stage = Stage(3)
    leader = stage.elect()
    ttl_s = stage[leader].settings.timing.lock_ttl
    cycle(stage, leader, "build")
    released = stage.t
    while stage.t < released + ttl_s - 5:
        leader = lead_next(stage, leader)
        stage.world.run_for(3.0)
        again = stage.ask(leader, AcquireLock("build", "owner", "build/owner", 30.0))
        assert isinstance(again, Refusal)
        assert again.reason == "released"
    stage.world.run_for(released + ttl_s + 5 - stage.t)
    assert all(marks(stage, name) == [] for name in stage.world.hosts)
