"""A member that lies: it is named, nothing that it says is believed, and another gives the content (promise 7)."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from node.artifacts.entries import FileEntry, encode
from node.artifacts.intake import take_tree
from node.artifacts.manifest import END, OTHERS, Head
from node.artifacts.store import Holding, Store
from node.protocol.settings import Member
from node.runtime.content.asking import PeerFailed
from node.runtime.content.pace import Pace
from node.runtime.content.peer import Peer
from node.runtime.content.pull import Pull
from node.runtime.content.serving import pieces_of
from node.runtime.content.shapes import CHANGES_TYPE, MAX_CHANGES_BYTES
from tests.artifacts.trees import CREATED_AT, NEW, OLD, found_in, lay, store_at
from tests.content.playing import Answer, held_by, played

PATIENCE_S = 0.5


def document(*paths: str) -> bytes:
    """A manifest with these paths, whatever they are."""
    entries = [FileEntry(path, "0" * 64, 1, "series") for path in paths]
    return Head("1.0.0", CREATED_AT, "sha256", "1.0", "0" * 64).text + encode(entries)[1:-1] + OTHERS + END


def honest(store: Store, holding: Holding) -> Answer:
    manifest = store.manifest(holding)

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        if path.partition("?")[0].endswith("/manifest"):
            return 200, manifest.document
        if not body:
            standing = {"key": holding.key, "version": holding.version, "state": "held"}
            return 200, json.dumps({"success": True, "data": standing}).encode()
        pieces = pieces_of(manifest, json.loads(body)["parts"])
        return 200, b"".join(Path(holding.path(entry)).read_bytes() for _, entry in pieces)

    return answer


def lying(truth: Answer, manifest: bytes | None = None, parts: Callable[[bytes], bytes] = bytes) -> Answer:
    """Says that it holds the content, and then something else than it is."""

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        if manifest is not None and path.partition("?")[0].endswith("/manifest"):
            return 200, manifest
        status, told = truth(path, body)
        return status, parts(told) if body else told

    return answer


@pytest.fixture
def there(tmp_path: Path) -> tuple[Store, Holding]:
    """Where the content is."""
    store = store_at(tmp_path / "there")
    return store, take_tree(store, lay(tmp_path / "source", NEW), "1.0.0", CREATED_AT)


LIES = {
    "nothing": b"",
    "no manifest": b"[]" * 1_000,
    "the parent": document("series/../../../etc/passwd"),
    "absolute": document("/etc/passwd"),
    "case": document("series/A.json", "series/a.json"),
    "forms": document("series/\u0451.json", "series/\u0435\u0308.json"),
    "a device": document("series/NUL.json"),
    "many": document(*(f"series/{number:07}.json" for number in range(110_000))),
    "another": document("series/a.json"),
    "deep": b'{"version":' + b"[" * 100_000,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("kind", ["application/x-iwdc-manifest", CHANGES_TYPE], ids=["whole", "changes"])
def test_a_manifest_that_is_another_is_not_believed(
    tmp_path: Path, there: tuple[Store, Holding], lie: bytes, kind: str
) -> None:
    store, holding = there
    here, truth = store_at(tmp_path / "here"), honest(store, holding)
    take_tree(here, lay(tmp_path / "old", OLD), "0.9.0", CREATED_AT)
    with played("liar", lying(truth, lie), kind) as liar, played("honest", truth) as other:
        pull = Pull(here, holding.key, held_by(liar, other), Pace(None), lambda _peer, _path: None)
        got = pull.run(lambda manifest: None)
    assert got.key == holding.key
    assert found_in(got.files) == dict(NEW)
    assert "liar: " in pull.problems["liar"]


def changed(data: bytes) -> bytes:
    return bytes(each ^ 1 for each in data)


def test_wrong_bytes_are_named_and_come_from_another(tmp_path: Path, there: tuple[Store, Holding]) -> None:
    named, truth = list[tuple[str, str]](), honest(*there)
    here, key = store_at(tmp_path / "here"), there[1].key
    with played("liar", lying(truth, parts=changed)) as liar:
        alone = Pull(here, key, held_by(liar), Pace(None), lambda peer, path: named.append((peer, path)))
        with pytest.raises(Exception, match="files are still missing; liar: gave wrong bytes"):
            alone.run(lambda _manifest: None)
        assert {peer for peer, _ in named} == {"liar"}
        assert here.find(key) is None
        with played("honest", truth) as other:
            got = Pull(here, key, held_by(liar, other), Pace(None), lambda _peer, _path: None).run(
                lambda _manifest: None
            )
    assert found_in(got.files) == dict(NEW)


@pytest.mark.parametrize("parts", [lambda data: data[:-1], lambda data: data + b"x"], ids=["short", "long"])
def test_an_answer_of_another_length_is_refused(
    tmp_path: Path, there: tuple[Store, Holding], parts: Callable[[bytes], bytes]
) -> None:
    truth, here = honest(*there), store_at(tmp_path / "here")
    with played("liar", lying(truth, parts=parts)) as liar, played("honest", truth) as other:
        pull = Pull(here, there[1].key, held_by(liar, other), Pace(None), lambda _peer, _path: None)
        assert found_in(pull.run(lambda _manifest: None).files) == dict(NEW)
        with Peer(liar) as peer, pytest.raises(PeerFailed, match=r"liar: answered .* which is not what was asked for"):
            peer.parts(there[1].key, [(0, 0, 1)])


def test_changes_without_end_are_not_read(there: tuple[Store, Holding]) -> None:
    with (
        played("liar", lambda *_: (200, b" " * (MAX_CHANGES_BYTES + 1)), CHANGES_TYPE) as liar,
        Peer(liar) as peer,
        pytest.raises(PeerFailed, match="liar: gave changes where a manifest was asked for"),
    ):
        peer.manifest(there[1].key, "0" * 64, 1 << 30)


@contextmanager
def speaking(said: bytes, again: bytes) -> Iterator[Member]:
    """Says one thing when asked, and then the other again and again, a little at a time and for ever."""
    done = threading.Event()

    def speak(line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(65_536)
            line.sendall(said)
            while not done.wait(PATIENCE_S / 20):
                line.sendall(again)

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=speak, args=(server.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve, args=(server,))
        serving.start()
        try:
            yield Member("slow", f"http://127.0.0.1:{server.getsockname()[1]}/api/v1")
        finally:
            done.set()
            server.shutdown(socket.SHUT_RDWR)
            serving.join()


OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"
DRIPS = {
    "in the head": (b"HTTP/1.1 200 OK\r\n", b"x"),
    "in the body": (OK_HEAD + b"content-length: 1000000\r\n\r\n", b"x"),
    "without a length": (OK_HEAD + b"\r\n", b"x"),
    "in chunks": (OK_HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize(("said", "again"), DRIPS.values(), ids=DRIPS)
def test_one_that_gives_a_byte_now_and_then_is_not_waited_for(said: bytes, again: bytes) -> None:
    with (
        speaking(said, again) as slow,
        Peer(slow, answer_s=PATIENCE_S) as peer,
        pytest.raises(PeerFailed, match=r"slow: (gave .* bytes in|timed out)"),  # the latter on a busy machine
    ):
        peer.manifest("0" * 64, None, 1 << 30)


def test_an_answer_without_end_is_read_as_far_as_it_may_be_long() -> None:
    with (
        speaking(OK_HEAD + b"\r\n", b"x" * 100_000) as endless,
        Peer(endless) as peer,
        pytest.raises(PeerFailed, match="slow: answered more than 1,000,000 bytes"),
    ):
        peer.manifest("0" * 64, None, 1_000_000)
