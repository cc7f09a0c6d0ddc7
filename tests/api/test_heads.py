"""A head that came before is looked up and not parsed again: whoever asks notices nothing of it."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from node.api.connection import Connection
from node.api.exchange import ApiLimits, Request, Response
from node.api.heads import END, MAX_HEADS, Heads
from tests.api.wire import run, served

POST = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
REQUESTS = [
    POST + b"abc",
    POST + b"xyz",
    POST.replace(b"/a", b"/b") + b"abc",
    POST.replace(b"3", b"4") + END,
    CHUNKED,
    b"GET /c HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /c HTTP/1.0\r\n\r\n",
    b"HEAD /c HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"GET /c HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    POST.replace(b"Host: h\r\n", b"Host: h\r\nExpect: 100-continue\r\n") + b"abc",
    b"GET http://other/d HTTP/1.1\r\nHost: h\r\n\r\n",
    b"\r\n" + POST + b"abc",
    b"GET /c HTTP/1.1\r\n\r\n",
    POST.replace(b"3", b"999999999"),
    b"P",
    b"\r\n",
    b"no HTTP\r\n\r\n",
]


class Forgetful(Heads):
    """Knows no head: all is parsed."""

    def note(self, data: bytes, request: Request) -> None:
        pass


class Side:
    """A connection whose app and transport note what they are given, and the server it is one of."""

    def __init__(self, loop: asyncio.AbstractEventLoop, heads: Heads) -> None:
        self.app: Any = self
        self.limits = ApiLimits(max_body_bytes=100)
        self.loop = loop
        self.stopping = False
        self.date = b"now"
        self.heads = heads
        self.senders: Any = None
        self.handled: list[tuple[object, ...]] = []
        self.written: list[bytes] = []
        self.closing = False
        self.connection = Connection(self)
        self.connection.connection_made(self)  # type: ignore[arg-type]

    def opened(self, connection: Connection) -> None: ...
    def closed(self, connection: Connection) -> None: ...
    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "10.0.0.1", 1

    def handle(self, request: Request) -> Response:
        values = (request.method, request.target, request.headers, request.body, request.keep_alive, request.version)
        self.handled.append((*values, request.client))
        return Response(200, b"done")

    def max_body(self, target: bytes) -> int:
        return self.limits.max_body_bytes

    def is_link(self, target: bytes) -> bool:
        return False

    def reject(self, status: int, detail: str) -> Response:
        return Response(status, detail.encode())

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def set_write_buffer_limits(self, high: int) -> None: ...
    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None:
        self.closing = True


SENT = st.tuples(
    st.sampled_from(REQUESTS), st.sampled_from([0, 0, 0, 1, 20, 60, 70]), st.sampled_from([False, False, True])
)
"""A request, where it is cut in two, and whether it comes together with what was sent before. Mostly as one piece."""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(SENT, max_size=8), max_size=4))
def test_looked_up_or_parsed_it_is_the_same(clients: list[list[tuple[bytes, int, bool]]]) -> None:
    loop, known = asyncio.new_event_loop(), Heads()
    try:
        for sent in clients:
            looked_up, parsed = Side(loop, known), Side(loop, Forgetful())
            chunks: list[bytes] = []
            for request, cut, joined in sent:
                before = chunks.pop() if joined and chunks else b""
                chunks += [before + request[:cut], request[cut:]] if cut else [before + request]
            for chunk in filter(None, chunks):
                looked_up.connection.data_received(chunk)
                parsed.connection.data_received(chunk)
                assert looked_up.handled == parsed.handled
                assert b"".join(looked_up.written) == b"".join(parsed.written)
                for name in ("phase", "url", "deaf", "lingering", "served", "unproductive"):
                    assert getattr(looked_up.connection, name) == getattr(parsed.connection, name), name
    finally:
        loop.close()


def test_what_came_before_is_not_parsed() -> None:
    async def body() -> None:
        side = Side(asyncio.get_running_loop(), Heads())
        side.connection.data_received(POST + b"abc")
        other = Side(asyncio.get_running_loop(), side.heads)
        other.connection.parser = None  # type: ignore[assignment]
        other.connection.data_received(POST + b"xyz")
        assert [values[3] for values in side.handled + other.handled] == [b"abc", b"xyz"]

    run(body)


def test_what_is_not_one_whole_request_is_not_known() -> None:
    heads = Heads()
    request = Request("POST", b"/a", {}, b"abc", True, "1.1")
    heads.note(POST + b"abc", request)
    assert heads.find(POST + b"xyz", "") is not None
    for other in (POST, POST + b"ab", POST + b"abcd", POST + b"abc" + POST + b"abc", b"", b"\r\n" + POST + b"abc"):
        assert heads.find(other, "") is None


def test_heads_are_bounded_the_oldest_goes_and_a_long_one_is_not_kept() -> None:
    def get(number: int, more: bytes = b"") -> bytes:
        return b"GET /%d HTTP/1.1\r\nHost: h\r\n%b\r\n" % (number, more)

    async def body() -> None:
        async with served() as world:
            client = await world.client()
            for number in range(MAX_HEADS + 1):
                client.send(get(number))
                assert (await client.answer()).status == 404
            heads = world.server.heads
            assert heads.find(get(0), "") is None
            assert heads.find(get(1), "") is not None
            client.send(get(0, b"X: %b\r\n" % (b"x" * 2000)))
            assert (await client.answer()).status == 404
            assert heads.find(get(0, b"X: %b\r\n" % (b"x" * 2000)), "") is None
            assert heads.find(get(1), "") is not None

    run(body)
