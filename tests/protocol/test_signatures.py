"""A text that can be no signature is bad input where one is required; elsewhere it means nothing (P3, P7)."""

import base64
import random

import pytest

from node.protocol.canonical import Signature, read_signature
from node.protocol.core import Core
from node.protocol.effects import Called, Now, Reply
from node.protocol.records import Durable
from node.protocol.requests import Answer, Propose, Refusal
from node.protocol.settings import Member, Settings

RAW = bytes(range(64))
TEXT = base64.b64encode(RAW).decode()
FORGED = ("", "def456", "ops:", base64.b64encode(RAW[:32]).decode(), f"{TEXT}:ops", "ops:\N{SNOWMAN}")


def answered(signature: str | None, *, required: bool) -> Answer:
    """What a node that is alone says at once to a proposal with this signature."""
    settings = Settings("A", "c", (Member("A", "http://a/api/v1"),), require_signatures=required)
    core = Core(settings, Durable(), random.Random(1), Now(0.0, 1e12), "boot", lambda *asked: False, new_cluster=True)
    effects = core.step(Now(0.0, 1e12), Called(1, Propose("snapshot", "1.0.0", "abc", signature=signature)))
    [answer] = [effect.answer for effect in effects if isinstance(effect, Reply)]
    return answer


@pytest.mark.parametrize("text", FORGED)
def test_p3_what_can_be_no_signature_is_told_at_once_where_one_is_required(text: str) -> None:
    answer = answered(text, required=True)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.field, answer.problem) == ("bad_request", "signature", "no_signature")
    assert "64 bytes in base64" in answer.detail


@pytest.mark.parametrize("text", [None, TEXT, f"ops:{TEXT}"])
def test_p3_none_and_a_foreign_one_are_for_the_voters(text: str | None) -> None:
    assert not isinstance(answered(text, required=True), Refusal)


def test_p7_where_none_is_required_any_token_passes_as_the_seed_s_own_does() -> None:
    assert not isinstance(answered("def456...", required=False), Refusal)


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("="), base64.urlsafe_b64encode(RAW).decode()])
def test_the_forms_of_a_signature(text: str) -> None:
    assert read_signature(text) == Signature(None, RAW)
    assert read_signature(f"ops:2026:{text}") == Signature("ops:2026", RAW)
