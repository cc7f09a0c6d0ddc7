"""An admin's forced release (L1): of whoever holds the lock, or of one grant and none made since."""

from node.protocol.requests import LockReleased, Refusal, ReleaseLock
from tests.simulation.stage import Stage


def test_a_forced_release_with_a_token_takes_only_that_grant() -> None:
    stage = Stage(3)
    stage.settle()
    first = stage.lock("A", "catalogue", "build-7")
    assert isinstance(stage.ask("B", ReleaseLock("catalogue", "admin", first.fencing_token, force=True)), LockReleased)
    second = stage.lock("A", "catalogue", "build-8")
    late = stage.ask("B", ReleaseLock("catalogue", "admin", first.fencing_token, force=True))
    assert isinstance(late, Refusal)
    assert (late.reason, late.given, late.current) == ("wrong_token", first.fencing_token, second.fencing_token)
    assert isinstance(stage.ask("C", ReleaseLock("catalogue", "admin", force=True)), LockReleased)
