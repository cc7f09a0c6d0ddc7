"""The client: whom it asks, what it makes of answers, and that maybe is never yes or no."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from iwdc_console.client import Client, node_root, segment
from iwdc_console.outcomes import (
    BadRequest,
    BadUrl,
    ClientError,
    ClusterRefused,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    ServerFault,
    Unreachable,
)
from tests.cli.fake import TRACE, Asked, FakeNode, Hang, Raw, Refuse, running
from tests.cli.samples import QUORUM


def refusing(error: Exception) -> Any:
    def answer(asked: Asked) -> Any:
        raise error

    return answer


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL where nothing listens while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with running({"GET distributed/quorum": QUORUM}) as fake:
        yield fake


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("http://a:3000", "http://a:3000"),
        ("a:3000", "http://a:3000"),
        ("http://a:3000/", "http://a:3000"),
        ("http://a:3000/api/v1", "http://a:3000"),
        ("http://a:3000/api/v1/distributed/sync", "http://a:3000"),
        ("http://a:3000/distributed/sync", "http://a:3000"),
        ("https://a", "https://a"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        (" http://a:1 ", "http://a:1"),
    ],
)
def test_urls_people_have_at_hand(given: str, root: str) -> None:
    assert node_root(given) == root


@pytest.mark.parametrize(
    "given",
    ["", "ftp://a", "http://", "http://a:x", "http://a:99999", "http://u:p@a:1", "http://a/other", "http://a\x00", "й"],
)
def test_urls_that_are_none(given: str) -> None:
    with pytest.raises(BadUrl, match="is not a node's URL"):
        node_root(given)


def test_an_answer(node: FakeNode) -> None:
    answer = Client([node.url]).get("distributed/quorum")
    assert answer.data == QUORUM
    assert answer.node == node.url
    assert answer.trace_id == TRACE
    assert 0 <= answer.age_ms < 10_000


def test_query_values_of_none_are_left_out_and_others_quoted(node: FakeNode) -> None:
    Client([node.url]).get("distributed/quorum", since=None, type="A&B")
    assert node.asked[0].query == "type=A%26B"


def test_reads_fail_over(node: FakeNode, nobody: str) -> None:
    said: list[tuple[str, str]] = []
    client = Client([nobody, node.url], on_failover=lambda url, why: said.append((url, why)))
    assert client.get("distributed/quorum").node == node.url
    assert said == [(nobody, "connection refused")]
    assert client.get("distributed/quorum").node == node.url
    assert len(said) == 1, "it stays with the node that answered"


def test_nobody_answers(nobody: str) -> None:
    with pytest.raises(Unreachable) as caught:
        Client([nobody]).get("distributed/quorum")
    assert caught.value.tried == ((nobody, "connection refused"),)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Refuse(400, None, "Missing required fields: hash"), BadRequest, "Missing required fields: hash"),
        (Refuse(401, None, "who are you"), NotAllowed, "who are you"),
        (Refuse(403, None, "not you"), NotAllowed, "not you"),
        (Refuse(404, {"reason": "unknown_proposal", "detail": "no such"}), NotFound, "no such"),
        (Refuse(409, {"reason": "held", "detail": "by ops"}), ClusterRefused, "by ops"),
        (Refuse(429, {"reason": "too_many"}), ClusterRefused, "too_many"),
        (Refuse(503, {"reason": "no_leader"}), ClusterRefused, "no_leader"),
        (Refuse(200, {"reason": "insufficient_quorum", "quorum": QUORUM}), ClusterRefused, "insufficient_quorum"),
        (Refuse(504, {"reason": "maybe", "detail": "nobody knows"}), OutcomeUnknown, "nobody knows"),
        (Refuse(500, None, "broken"), OutcomeUnknown, "broken"),
        (Hang(), OutcomeUnknown, "connection closed without an answer"),
    ],
)
def test_what_an_answer_to_a_write_means(answer: Exception, kind: type[ClientError], words: str) -> None:
    with running({"POST x": refusing(answer)}) as node, pytest.raises(kind, match=words):
        Client([node.url]).post("x", {"a": 1})


def test_a_reading_fault_is_a_fault() -> None:
    with running({"GET x": refusing(Refuse(500, None, "broken"))}) as node, pytest.raises(ServerFault, match="broken"):
        Client([node.url]).get("x")


@pytest.mark.parametrize("body", [b"<html>", b'"text"', b'{"data": 1}', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_node_is_not_reached(body: bytes) -> None:
    with running({"GET x": Raw(200, body)}) as node, pytest.raises(Unreachable) as caught:
        Client([node.url]).get("x")
    assert "is this an IWDC node?" in caught.value.tried[0][1]


def test_an_unanswered_write_is_repeated_elsewhere_only_with_an_id(node: FakeNode) -> None:
    with running({"POST x": refusing(Hang())}) as broken:
        node.routes["POST x"] = {"done": True}
        client = Client([broken.url, node.url])
        with pytest.raises(OutcomeUnknown):
            client.post("x", {})
        assert node.requests("POST x") == []
        assert client.post("x", {}, idempotency_key="k").data == {"done": True}
        assert node.requests("POST x")[0].headers["idempotency-key"] == "k"


def test_a_write_that_never_left_goes_elsewhere(node: FakeNode, nobody: str) -> None:
    node.routes["POST x"] = {"done": True}
    assert Client([nobody, node.url]).post("x", {}).data == {"done": True}


def test_once_a_write_may_have_happened_a_later_no_is_still_maybe(nobody: str) -> None:
    no_leader = refusing(Refuse(503, {"reason": "no_leader"}))
    with running({"POST x": refusing(Hang())}) as broken, running({"POST x": no_leader}) as leaderless:
        with pytest.raises(OutcomeUnknown):
            Client([broken.url, leaderless.url]).post("x", {}, repeatable=True)
        with pytest.raises(ClusterRefused, match="no_leader"):
            Client([nobody, leaderless.url]).post("x", {}, repeatable=True)


def test_a_slow_node_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(Unreachable) as caught:
            Client([url], timeout_s=0.1).get("x")
        assert caught.value.tried == ((url, "no answer within 0.1 s"),)
        with pytest.raises(OutcomeUnknown, match=r"no answer within 0.2 s"):
            Client([url], 0.1, 0.2).post("x", {}, repeatable=True)


def test_a_read_that_a_stopping_node_breaks_off_is_asked_of_the_next(node: FakeNode) -> None:
    with running(
        {"GET distributed/quorum": refusing(Refuse(504, {"reason": "maybe"}, "the node stopped"))}
    ) as stopping:
        assert Client([stopping.url, node.url]).get("distributed/quorum").data == QUORUM
        with pytest.raises(Unreachable) as caught:
            Client([stopping.url]).get("distributed/quorum")
        assert caught.value.tried == ((stopping.url, "the node stopped"),)


def test_what_changes_nothing_is_a_read_though_it_is_posted(node: FakeNode) -> None:
    """It waits no longer than one, goes on to the next node, and what was not answered has not happened."""
    node.routes["POST x"] = {"wouldAccept": True}
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(Unreachable, match="no node could be reached") as caught:
            Client([url], 0.1, 60.0).try_out("x", {})
        assert caught.value.tried == ((url, "no answer within 0.1 s"),)
        assert Client([url, node.url], 0.1, 60.0).try_out("x", {"a": 1}).data == {"wouldAccept": True}
    assert node.requests("POST x")[0].body == {"a": 1}


def test_an_order_goes_round_again_while_nodes_are_slow(node: FakeNode) -> None:
    """A node that was slow in the first round, as while a leader is replaced, is asked once more with the same id."""
    released = threading.Event()

    def late_once(asked: Asked) -> Any:
        if len(node.requests("POST x")) == 1:
            released.wait(10)
            raise Hang
        return {"done": True}

    node.routes["POST x"] = late_once
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        answer = Client([url, node.url], 0.2, 60.0).post("x", {"requestId": "r"}, repeatable=True)
        released.set()
    assert answer.data == {"done": True}
    bodies = [one.body for one in node.requests("POST x")]
    assert len(bodies) > 1
    assert all(body == {"requestId": "r"} for body in bodies)


def test_an_order_waits_longest_where_there_is_no_other_to_ask(node: FakeNode) -> None:
    node.routes["POST x"] = {"done": True}
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        assert Client([url, node.url], 0.1, 60.0).post("x", {}, repeatable=True).data == {"done": True}


def test_bytes_that_are_no_text_are_sent_as_they_are(node: FakeNode) -> None:
    with pytest.raises(NotFound):
        Client([node.url]).get(f"locks/{segment(chr(0xDCFF))}", type=chr(0xDCFF))
    assert node.asked[-1].path == "locks/%FF"
    assert node.asked[-1].query == "type=%FF"


STREAM = (
    b": alive\n\n"
    b'id: c1\nevent: SNAPSHOT_ACCEPT\ndata: {"id": "e1",\ndata: "seq": 1}\n\n'
    b'id: c2\r\nevent: X\r\ndata: {"id": "e2"}\r\n\r\n'
    b"id: c3\nevent: torn\ndata: {"
)


def test_a_stream_gives_events_with_cursors_and_ends_at_a_torn_one() -> None:
    with running({"GET distributed/events/stream": Raw(200, STREAM, "text/event-stream")}) as node:
        events = list(Client([node.url]).follow("c0", type=None))
        assert node.asked[0].query == "since=c0"
    assert [(event.name, event.data, event.cursor) for event in events] == [
        ("SNAPSHOT_ACCEPT", {"id": "e1", "seq": 1}, "c1"),
        ("X", {"id": "e2"}, "c2"),
    ]


def test_a_refused_stream_says_why() -> None:
    bad = refusing(Refuse(400, None, "since: not a cursor"))
    with running({"GET distributed/events/stream": bad}) as node, pytest.raises(BadRequest, match="not a cursor"):
        list(Client([node.url]).follow("junk"))


def test_a_stream_that_a_node_cannot_take_is_asked_of_the_next() -> None:
    full = refusing(Refuse(503, {"reason": "too_many"}, "4096 connections are open"))
    route = "GET distributed/events/stream"
    with (
        running({route: full}) as busy,
        running({route: Raw(200, b"id: c-1\ndata: {}\n\n", "text/event-stream")}) as node,
    ):
        assert [event.cursor for event in Client([busy.url, node.url]).follow(None)] == ["c-1"]
        with pytest.raises(Unreachable) as nobody:
            list(Client([busy.url]).follow(None))
        assert nobody.value.tried == ((busy.url, "4096 connections are open"),)


def test_a_node_names_itself_or_is_named_by_its_url(nobody: str) -> None:
    with running({}) as node:
        assert Client([node.url]).name_of(node.url) == "instance-A"
    assert Client([nobody]).name_of(nobody) == nobody
