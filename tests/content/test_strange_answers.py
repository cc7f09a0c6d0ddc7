"""A peer whose answers cannot be read is named, whatever is wrong with them."""

import asyncio
from collections.abc import Callable

import pytest

from node.protocol.settings import Member
from node.runtime.content.asking import PeerFailed, ask_here, ask_standing
from node.runtime.content.peer import Peer
from node.runtime.content.shapes import CHANGES_TYPE
from tests.content.playing import played

KEY = "0" * 64
ANSWER_S = 60.0
NESTED = b'{"error":%b,"more":%b}' % ((b"[" * 100_000 + b"]" * 100_000,) * 2)


def _manifest(member: Member) -> object:
    with Peer(member) as peer:
        return peer.manifest(KEY, KEY, 1 << 20)


@pytest.mark.parametrize(
    "ask",
    [
        lambda member: asyncio.run(ask_here(member, ANSWER_S)),
        lambda member: asyncio.run(ask_standing(member, KEY, ANSWER_S)),
        _manifest,
    ],
    ids=["here", "standing", "manifest"],
)
@pytest.mark.parametrize(
    "body", [b"", b"[", b"\xff", b'{"data": 1}', NESTED], ids=["none", "half", "bytes", "other", "deep"]
)
def test_a_peer_whose_answer_cannot_be_read_is_named(ask: Callable[[Member], object], body: bytes) -> None:
    with (
        played("strange", lambda *_: (200, body), CHANGES_TYPE) as member,
        pytest.raises(PeerFailed, match=r"^strange: .* cannot be read"),
    ):
        ask(member)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", NESTED], ids=["none", "bytes", "list", "deep"])
def test_a_peer_that_refuses_without_words_is_named(body: bytes) -> None:
    with (
        played("strange", lambda *_: (500, body), CHANGES_TYPE) as member,
        pytest.raises(PeerFailed, match=r"^strange: .* no reason"),
    ):
        asyncio.run(ask_here(member, ANSWER_S))
