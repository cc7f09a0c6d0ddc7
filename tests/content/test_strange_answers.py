"""A peer whose answers cannot be read is named, whatever is wrong with them."""

from collections.abc import Callable

import pytest

from node.runtime.content.peer import Peer, PeerFailed
from node.runtime.content.shapes import CHANGES_TYPE
from tests.content.playing import played

KEY = "0" * 64
NESTED = b'{"error":%b,"more":%b}' % ((b"[" * 100_000 + b"]" * 100_000,) * 2)


@pytest.mark.parametrize(
    "ask",
    [lambda peer: peer.here(), lambda peer: peer.standing(KEY), lambda peer: peer.manifest(KEY, KEY, 1 << 20)],
    ids=["here", "standing", "manifest"],
)
@pytest.mark.parametrize(
    "body", [b"", b"[", b"\xff", b'{"data": 1}', NESTED], ids=["none", "half", "bytes", "other", "deep"]
)
def test_a_peer_whose_answer_cannot_be_read_is_named(ask: Callable[[Peer], object], body: bytes) -> None:
    with (
        played("strange", lambda *_: (200, body), CHANGES_TYPE) as member,
        Peer(member) as peer,
        pytest.raises(PeerFailed, match=r"^strange: .* cannot be read"),
    ):
        ask(peer)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", NESTED], ids=["none", "bytes", "list", "deep"])
def test_a_peer_that_refuses_without_words_is_named(body: bytes) -> None:
    with (
        played("strange", lambda *_: (500, body), CHANGES_TYPE) as member,
        Peer(member) as peer,
        pytest.raises(PeerFailed, match=r"^strange: .* no reason"),
    ):
        peer.here()
