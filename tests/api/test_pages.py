"""Web pages in a browser on the node's machine: they change nothing, and a name of their own opens nothing."""

import socket
from dataclasses import replace
from typing import Any

import pytest

from node.api.server import ApiServer
from node.protocol.settings import Member
from tests.api.stand_in import StandIn, engine_of
from tests.api.wire import Served, run, served

D = "/api/v1/distributed"
BODY = '{"version":"1.2.0","hash":"abc123"}'


async def _asked(world: Served, host: str, **more: Any) -> tuple[int, Any]:
    client = await world.client()
    lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
    client.send(f"GET {D}/quorum HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
    answer = await client.answer()
    return answer.status, answer.data


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:3000", "http://node"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_web_page_changes_nothing(host: str, origin: str) -> None:
    """Nor one that says it is the node's own: a node has none, and a name can be made to point here."""

    async def body() -> None:
        async with served(host=host) as world:
            client = await world.client()
            client.send(
                f"POST {D}/propose-snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\n"
                f"Content-Type: text/plain\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
            )
            answer = await client.answer()
            assert (answer.status, answer.data["reason"]) == (403, "web_page")
            assert origin in answer.json["error"]
            client.send(f"POST {D}/peer HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {origin}\r\n\r\n".encode())
            assert (await client.answer()).status == 403
            assert world.engine.asked == []
            assert world.engine.delivered == []
            assert (await _asked(world, "127.0.0.1:3000", Origin=origin))[0] == 200

    run(body)


OURS = [
    "127.0.0.1",
    "127.0.0.1:3000",
    "[::1]:3000",
    "10.1.2.3",
    "localhost:81",
    "LocalHost.",
    "a.localhost:3000",
    socket.gethostname(),
]


@pytest.mark.parametrize("name", OURS)
def test_a_node_on_loopback_answers_to_names_that_no_stranger_can_hold(name: str) -> None:
    async def body() -> None:
        async with served(host="127.0.0.1") as world:
            assert (await _asked(world, name))[0] == 200

    run(body)


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil", "", "["]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_node_on_loopback_answers_to_no_other_name(host: str, name: str) -> None:
    """A page may make its own name point here, and would read what it is answered (DNS rebinding)."""

    async def body() -> None:
        async with served(host=host) as world:
            status, data = await _asked(world, name)
            assert (status, data["reason"]) == (421, "other_host")
            client = await world.client()
            client.send(f"GET http://evil.example{D}/quorum HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert (await client.answer()).status == 421

    run(body)


def test_a_node_that_others_reach_answers_to_any_name() -> None:
    async def body() -> None:
        async with served(host="10.0.0.1") as world:
            assert (await _asked(world, "whatever.example"))[0] == 200

    run(body)


def test_a_listening_node_goes_by_where_it_listens_and_by_its_members() -> None:
    async def body() -> None:
        engine = StandIn()
        members = (*engine.settings.members, Member("instance-D", "http://hostD:3000/api/v1"))
        engine.settings = replace(engine.settings, members=members)
        server = ApiServer(engine_of(engine), "127.0.0.1", 0)
        await server.start()
        try:
            async with served() as world:
                world.port = server.port
                assert (await _asked(world, "evil.example"))[0] == 421
                assert (await _asked(world, "hostd:3000"))[0] == 200
        finally:
            await server.stop()

    run(body)
