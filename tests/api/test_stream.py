"""Server-sent events: in order, resumable, honest to who is too slow (V3)."""

import json

import pytest

from node.api import stream
from node.runtime import bus
from node.runtime.cursor import decode_cursor, encode_cursor
from tests.api.stand_in import event
from tests.api.wire import Client, Served, run, served, soon, until

TARGET = "/api/v1/distributed/events/stream"


async def follow(world: Served, query: str = "", last: str | None = None, version: str = "1.1") -> Client:
    """A connection that reads the stream."""
    client = await world.client()
    resume = "" if last is None else f"Last-Event-ID: {last}\r\n"
    client.send(f"GET {TARGET}{query} HTTP/{version}\r\nHost: x\r\n{resume}\r\n".encode())
    status, headers = await client.head()
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    assert "content-length" not in headers
    assert len(headers["x-trace-id"]) == 32
    return client


async def chunk(client: Client) -> bytes:
    """The next chunk, b"" for the last."""
    size = int(await soon(client.reader.readline()), 16)
    return (await soon(client.reader.readexactly(size + 2)))[:-2]


async def message(client: Client) -> dict[str, str]:
    """The next event's fields; beats are passed over."""
    while True:
        text = (await chunk(client)).decode()
        if not text.startswith(":"):
            return dict(line.split(": ", 1) for line in text.strip().split("\n"))


async def listening(world: Served) -> None:
    """Wait until the stream has subscribed."""
    await until(lambda: world.engine.bus.subscribers > 0)


def test_events_come_as_they_happen_with_their_cursor() -> None:
    async def body() -> None:
        async with served() as world:
            client = await follow(world)
            await listening(world)
            world.engine.publish(event(3))
            said = await message(client)
            assert said["event"] == "SNAPSHOT_CREATED"
            assert json.loads(said["data"])["id"] == "e-j-A-3"
            assert decode_cursor(said["id"]) == {"j-A": 3, "j-B": 1}

    run(body)


@pytest.mark.parametrize("by", ["since", "header"])
def test_a_stream_resumes_without_gap_or_repeat(by: str) -> None:
    async def body() -> None:
        async with served() as world:
            place = encode_cursor({"j-A": 1})
            client = await follow(world, f"?since={place}") if by == "since" else await follow(world, last=place)
            seen = [await message(client) for _ in range(2)]
            world.engine.publish(event(3))
            seen.append(await message(client))
            assert [json.loads(one["data"])["id"] for one in seen] == ["e-j-A-2", "e-j-B-1", "e-j-A-3"]
            again = await follow(world, "?since=" + encode_cursor({}), last=seen[1]["id"])
            assert json.loads((await message(again))["data"])["id"] == "e-j-A-3"

    run(body)


def test_a_stream_shows_only_what_is_asked_for() -> None:
    async def body() -> None:
        async with served() as world:
            client = await follow(world, "?type=DIFF_CREATED,X&origin=instance-A")
            await listening(world)
            world.engine.publish(event(3))
            world.engine.publish(event(2, "DIFF_CREATED", "j-B", "instance-B"))
            world.engine.publish(event(4, "X"))
            assert json.loads((await message(client))["data"])["id"] == "e-j-A-4"

    run(body)


def test_an_event_type_cannot_forge_fields() -> None:
    async def body() -> None:
        async with served() as world:
            client = await follow(world)
            await listening(world)
            world.engine.publish(event(3, "a\nid: forged\n\ndata: b"))
            said = await message(client)
            assert said["event"] == "a id: forged data: b"
            assert said["id"] != "forged"

    run(body)


def test_who_lags_is_told_where_it_stood_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "MAX_BEHIND", 3)

    async def body() -> None:
        async with served() as world:
            client = await follow(world)
            await listening(world)
            for seq in range(3, 8):
                world.engine.publish(event(seq))
            said = await message(client)
            assert said["event"] == "lagged"
            assert decode_cursor(said["id"]) == {"j-A": 2, "j-B": 1}
            assert json.loads(said["data"])["cursor"] == said["id"]
            assert await chunk(client) == b""
            assert (await client.ask("GET", "/api/v1/health")).status == 200

    run(body)


def test_a_quiet_stream_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 0.01)

    async def body() -> None:
        async with served() as world:
            client = await follow(world)
            assert [await chunk(client) for _ in range(3)] == [b": alive\n\n"] * 3

    run(body)


def test_who_goes_away_is_unsubscribed() -> None:
    async def body() -> None:
        async with served() as world:
            client = await follow(world)
            await listening(world)
            client.close()
            await until(lambda: world.engine.bus.subscribers == 0)

    run(body)


@pytest.mark.parametrize("by", ["bus", "server"])
def test_streams_end_in_good_order_when_the_node_stops(by: str) -> None:
    async def body() -> None:
        async with served() as world:
            client = await follow(world)
            await listening(world)
            if by == "bus":
                world.engine.bus.close()
            else:
                await soon(world.server.stop())
            while await chunk(client) != b"":
                continue
            assert world.engine.bus.subscribers == 0

    run(body)


def test_http_1_0_reads_the_stream_to_the_end_of_the_connection() -> None:
    async def body() -> None:
        async with served() as world:
            client = await follow(world, "?since=" + encode_cursor({"j-A": 1}), version="1.0")
            assert (await soon(client.reader.readline())).startswith(b"id: ")
            world.engine.bus.close()
            rest = await soon(client.reader.read())
            assert rest.count(b"data: ") == 2

    run(body)


def test_head_of_a_stream_has_no_body() -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            client.send(f"HEAD {TARGET} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert (await client.head())[0] == 200
            assert (await client.ask("GET", "/api/v1/health")).status == 200

    run(body)
