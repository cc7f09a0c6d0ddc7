"""The network that can fail, before nodes that are played by bare servers."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator

import pytest

from iwdc_console.demo.network import Network
from iwdc_console.demo.ports import HOST

DEADLINE_S = 60.0
NODE = "instance-A"
REQUEST = b"GET /api/v1/distributed/info HTTP/1.1\r\n\r\n"


class Node:
    """Answers what it is sent with the same bytes; on the same port after every death."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        self._open.discard(writer)
        writer.transport.abort()


@contextlib.asynccontextmanager
async def played() -> AsyncIterator[tuple[Node, Network]]:
    node = Node()
    await node.start()
    async with Network({NODE: node.port, "instance-B": node.port}) as network:
        yield node, network
    await node.die()


async def called(network: Network) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through the proxy that the node has answered."""
    reader, writer = await asyncio.open_connection(HOST, network.ports[NODE])
    writer.write(REQUEST)
    assert await reader.readexactly(len(REQUEST)) == REQUEST
    return reader, writer


async def refuses(network: Network) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, network.ports[NODE])
    except ConnectionRefusedError:
        return True
    writer.transport.abort()
    return False


def test_a_node_that_many_were_connected_to_is_refused_at_every_death() -> None:
    """However many find it gone at once, one door shuts, and one opens when it is back."""

    async def through() -> None:
        async with played() as (node, network):
            for _ in range(3):
                callers = [await called(network) for _ in range(5)]
                await node.die()
                assert [await reader.read() for reader, _ in callers] == [b""] * 5
                assert await refuses(network)
                await node.start()
                async with asyncio.timeout(DEADLINE_S):
                    while await refuses(network):  # noqa: ASYNC110 (a port opens without an event)
                        await asyncio.sleep(0.005)
                for _, writer in callers:
                    writer.close()

    asyncio.run(through())


@pytest.mark.parametrize("turns", range(6))
def test_when_it_ends_nothing_of_it_is_left(turns: int) -> None:
    """Whatever a connection has come to by then, that many turns of the loop after it was opened."""

    async def through(node: socket.socket) -> None:
        with contextlib.ExitStack() as ends:
            async with Network({NODE: node.getsockname()[1]}) as network:
                for sent in (b"", REQUEST[:10], REQUEST):
                    caller = ends.enter_context(socket.create_connection((HOST, network.ports[NODE])))
                    caller.sendall(sent)
                for _ in range(turns):
                    await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with socket.create_server((HOST, 0)) as silent:
        asyncio.run(through(silent))
    gc.collect()  # what is unclosed says so when it goes, and that is an error here
