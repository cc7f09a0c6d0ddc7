"""A peer whose answers cannot be read is named, whatever is wrong with them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from node.protocol.settings import Member
from node.runtime.content.peer import Peer, PeerFailed
from node.runtime.content.shapes import CHANGES_TYPE

KEY = "0" * 64
NESTED = b'{"error":%b,"more":%b}' % ((b"[" * 100_000 + b"]" * 100_000,) * 2)


@contextmanager
def _answering(status: int, body: bytes) -> Iterator[Member]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", CHANGES_TYPE)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield Member("strange", f"http://127.0.0.1:{server.server_address[1]}/api/v1")
        finally:
            server.shutdown()
            serving.join()


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
        _answering(200, body) as member,
        Peer(member) as peer,
        pytest.raises(PeerFailed, match=r"^strange: .* cannot be read"),
    ):
        ask(peer)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", NESTED], ids=["none", "bytes", "list", "deep"])
def test_a_peer_that_refuses_without_words_is_named(body: bytes) -> None:
    with (
        _answering(500, body) as member,
        Peer(member) as peer,
        pytest.raises(PeerFailed, match=r"^strange: .* no reason"),
    ):
        peer.here()
