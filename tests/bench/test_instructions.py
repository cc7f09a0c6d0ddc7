"""What is counted is what it says: proposals that are accepted, locks that are granted and given back."""

from bench.instructions import NAMES, Trio
from node.protocol.requests import AcquireLock, LockGranted, LockReleased, ProposalAnswer, Propose, ReleaseLock


def test_three_cores_accept_what_any_of_them_proposes_alone_or_with_others() -> None:
    trio = Trio()
    for at, name in enumerate(NAMES):
        asked = [Propose("snapshot", f"1.{at}.{n}", "f" * 64, wait_s=20.0) for n in range(4)]
        answers = trio.ask(name, [*asked]) + trio.ask(name, [Propose("snapshot", f"1.{at}.4", "f" * 64, wait_s=20.0)])
        assert [isinstance(answer, ProposalAnswer) and answer.proposal.state for answer in answers] == ["accepted"] * 5


def test_three_cores_grant_a_lock_through_any_of_them_and_take_it_back() -> None:
    trio = Trio()
    for name in NAMES:
        (granted,) = trio.ask(name, [AcquireLock("r", "bench", name, 30.0)])
        assert isinstance(granted, LockGranted)
        (released,) = trio.ask(name, [ReleaseLock("r", "bench", granted.lock.fencing_token, name)])
        assert isinstance(released, LockReleased)
