"""Questions to nodes over HTTP: connections that are kept, answers in every form, and what is no answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from iwdc_console.tui.source.http import Connections, Failed

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-mark: a\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"
TO_THE_END = b"HTTP/1.0 200 OK\r\n\r\nbody"
SILENCE_S = 20.0


class Server:
    """Answers each question on a connection with the next of `answers`; None closes it instead."""

    def __init__(self, *answers: bytes | None) -> None:
        self._answers = list(answers)
        self.connections = self.open = 0
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections, self.open = self.connections + 1, self.open + 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self.talk(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.open -= 1

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the connection is to be closed."""
        while self._answers:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            answer = self._answers.pop(0)
            if answer is None:
                return
            writer.write(answer)
            if not answer.startswith(b"HTTP/1.1"):
                return


def run(server: Server, act: Callable[[Connections, str], Awaitable[None]]) -> None:
    async def serve() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        connections = Connections()
        async with asyncio.timeout(60):
            await act(connections, f"http://127.0.0.1:{port}/api?x=1")
            await connections.close()
            while server.open:  # noqa: ASYNC110 (it has no event)
                await asyncio.sleep(0.001)
        listening.close()
        await listening.wait_closed()

    asyncio.run(serve())


async def body(connections: Connections, url: str, most: int = 100) -> bytes:
    async with connections.get(url, SILENCE_S, {"x-own": "1"}) as answer:
        return await answer.body(most)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED, TO_THE_END], ids=["whole", "chunked", "to the end"])
def test_a_body_is_read_in_whatever_form_it_comes(answer: bytes) -> None:
    server = Server(answer)

    async def act(connections: Connections, url: str) -> None:
        assert await body(connections, url) == b"body"

    run(server, act)
    [asked] = server.asked
    assert asked.startswith(b"GET /api?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nx-own: 1\r\n" in asked


def test_a_connection_is_used_again_and_replaced_when_it_was_closed() -> None:
    server = Server(WHOLE, CHUNKED, None, WHOLE)

    async def act(connections: Connections, url: str) -> None:
        assert [await body(connections, url) for _ in range(2)] == [b"body", b"body"]
        assert server.connections == 1
        assert await body(connections, url) == b"body", "asked again, on a new connection"
        assert server.connections == 2

    run(server, act)


def test_a_stream_comes_piece_by_piece_and_leaving_it_closes_its_connection() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nbo\r\n", WHOLE)

    async def act(connections: Connections, url: str) -> None:
        async with connections.get(url, SILENCE_S) as answer:
            assert await anext(answer.chunks()) == b"bo"
        assert await body(connections, url) == b"body"
        assert server.connections == 2

    run(server, act)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "this is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + b"x" * 200, "more than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"x-y: %b\r\n" % (b"z" * 500) * 300, "headers"),
    ],
)
def test_what_is_no_answer_fails_with_the_reason(answer: bytes | None, why: str) -> None:
    async def act(connections: Connections, url: str) -> None:
        with pytest.raises(Failed, match=why):
            await body(connections, url)

    run(Server(answer) if answer is None or why != "closed without an answer" else _Cut(answer), act)


class _Cut(Server):
    """Says this much and closes."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answers[0] or b"")


def test_a_body_that_is_cut_short_is_no_body() -> None:
    async def act(connections: Connections, url: str) -> None:
        with pytest.raises(Failed, match="closed"):
            await body(connections, url)

    run(_Cut(WHOLE[:-1]), act)


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_said() -> None:
    class Mute(Server):
        async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

    async def act(connections: Connections, url: str) -> None:
        with pytest.raises(TimeoutError):
            async with connections.get(url, 0.05):
                raise AssertionError("there is an answer")

    run(Mute(), act)


def test_nobody_there_is_the_systems_word() -> None:
    async def act(connections: Connections, url: str) -> None:
        with pytest.raises(ConnectionRefusedError):
            await body(connections, "http://127.0.0.1:1/")

    run(Server(), act)
