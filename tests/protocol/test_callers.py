"""Several proposals of one call: each has an answer of its own, and they leave together (P1, P6)."""

from msgspec.structs import replace

from node.protocol.effects import Called, Cancelled, ContentIs, Effect, Now, Reply, Tick
from node.protocol.requests import Answers, Maybe, Prediction, ProposalAnswer, Propose, ProposeMany, Refusal
from node.protocol.shapes import ContentRef
from tests.protocol.alone import Alone

CALL = 7
ABSENT = ContentRef("c" * 64, 1, 1)
"""Content that is not here: the vote on what it comes with is held back."""
Said = tuple[Refusal | Maybe | ProposalAnswer | Prediction, ...]


def snapshot(version: str, hash_: str = "h", wait_s: float = 5.0, key: str | None = None) -> Propose:
    return Propose("snapshot", version, hash_, idempotency_key=key, wait_s=wait_s, trace="t")


def told(effects: list[Effect]) -> list[tuple[int, Said]]:
    """Each answer that is to leave: the persist that it waits for, and what it says."""
    replies = [effect for effect in effects if isinstance(effect, Reply)]
    assert all(reply.call == CALL and isinstance(reply.answer, Answers) for reply in replies)
    return [(reply.after, reply.answer.answers) for reply in replies if isinstance(reply.answer, Answers)]


def states(answers: Said) -> list[str]:
    return [
        each.proposal.state if isinstance(each, ProposalAnswer) else getattr(each, "reason", "") for each in answers
    ]


def later(alone: Alone, seconds: float) -> list[Effect]:
    """Time passes, and the node looks."""
    alone.now = Now(alone.now.mono + seconds, alone.now.wall_ms + seconds * 1000)
    effects = alone.core.step(alone.now, Tick())
    alone.step(effects)
    return effects


def ask(alone: Alone, *asks: Propose) -> list[Effect]:
    return alone.core.step(alone.now, Called(CALL, ProposeMany(asks)))


def test_all_are_answered_at_once_in_their_order() -> None:
    alone = Alone()
    effects = ask(alone, snapshot("1.0.0"), snapshot("1.2.0"), snapshot("1.1.0"), snapshot("none"), snapshot("1.0.0"))
    [(after, answers)] = told(effects)
    assert states(answers) == ["accepted", "accepted", "rejected", "bad_request", "accepted"]
    assert [each.existing for each in answers if isinstance(each, ProposalAnswer)] == [False, False, False, True]
    assert after > 0, "what was decided by votes that are not on the disk yet waits for them"


def test_p6_an_idempotency_key_that_comes_twice_in_a_call_is_one_proposal() -> None:
    [(_, answers)] = told(ask(Alone(), snapshot("1.0.0", key="k"), snapshot("1.1.0", key="k")))
    first, second = (each.proposal.key for each in answers if isinstance(each, ProposalAnswer))
    assert first == second


def test_nothing_proposed_is_nothing_answered() -> None:
    assert told(ask(Alone())) == [(0, ())]


def test_what_is_open_when_the_wait_ends_is_told_as_it_stands() -> None:
    alone = Alone()
    effects = ask(alone, snapshot("1.0.0"), replace(snapshot("1.1.0"), content=ABSENT), snapshot("none"))
    assert told(effects) == []
    alone.step(effects)
    assert told(later(alone, 4.9)) == []
    [(_, answers)] = told(later(alone, 0.1))
    assert states(answers) == ["accepted", "pending", "bad_request"]
    assert told(later(alone, 10.0)) == []


def test_who_does_not_wait_is_told_at_once_how_it_stands() -> None:
    asks = snapshot("1.0.0", wait_s=0), replace(snapshot("1.1.0", wait_s=0), content=ABSENT)
    [(after, answers)] = told(ask(Alone(), *asks))
    assert states(answers) == ["accepted", "pending"]
    assert after > 0


def test_the_answer_comes_with_the_last_verdict() -> None:
    alone = Alone()
    alone.step(ask(alone, snapshot("1.0.0"), replace(snapshot("1.1.0"), content=ABSENT)))
    [(_, answers)] = told(alone.core.step(alone.now, ContentIs(ABSENT.key, "held")))
    assert states(answers) == ["accepted", "accepted"]


def test_p6_who_waits_for_what_was_proposed_before_is_told_so() -> None:
    alone = Alone()
    same = replace(snapshot("1.0.0"), content=ABSENT)
    alone.step(ask(alone, same, same, replace(same, wait_s=9.0)))
    [(_, answers)] = told(alone.core.step(alone.now, ContentIs(ABSENT.key, "held")))
    assert [each.existing for each in answers if isinstance(each, ProposalAnswer)] == [False, True, True]

    alone = Alone()
    alone.step(ask(alone, same, same))
    [(_, answers)] = told(later(alone, 5.0))
    assert states(answers) == ["pending", "pending"]
    assert [each.existing for each in answers if isinstance(each, ProposalAnswer)] == [False, True]


def test_a_client_that_has_gone_is_told_nothing() -> None:
    alone = Alone()
    alone.step(ask(alone, replace(snapshot("1.0.0"), content=ABSENT), replace(snapshot("1.1.0"), content=ABSENT)))
    alone.step(alone.core.step(alone.now, Cancelled(CALL)))
    assert told(later(alone, 5.0)) == []
