"""Guarantee 7 at the door: no input kills the server, changes state, or goes without a reason."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.api.connection import BODY as BODY_PART
from node.api.connection import HEAD, IDLE
from node.api.exchange import ApiLimits
from tests.api.stand_in import StandIn
from tests.api.wire import Client, Served, run, served, soon, until

D = b"/api/v1/distributed"
QUORUM = b"GET " + D + b"/quorum HTTP/1.1\r\nHost: x\r\n\r\n"
BODY = b'{"version":"1.2.0","hash":"abc123"}'
PROPOSE = b"POST " + D + b"/propose-snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\n\r\n" + BODY
CHUNKED = (
    b"POST " + D + b"/propose-snapshot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n" + BODY[:5] + b"\r\n1e;ext=1\r\n" + BODY[5:] + b"\r\n0\r\nTrailer: t\r\n\r\n"
)
# Longer than any test takes: what passes of them is the test's.
LIMITS = ApiLimits(head_timeout_s=200, request_timeout_s=300, idle_timeout_s=400, write_timeout_s=300, linger_s=200)


async def alive(world: Served) -> bool:
    """Whether a new client is served."""
    return (await world.ask("GET", (D + b"/quorum").decode())).status == 200


@pytest.mark.parametrize("request_", [QUORUM, PROPOSE, CHUNKED], ids=["get", "post", "chunked"])
def test_split_at_every_byte(request_: bytes) -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            for at in range(1, len(request_)):
                client.send(request_[:at])
                await client.writer.drain()
                await asyncio.sleep(0)
                client.send(request_[at:])
                assert (await client.answer()).status == 200

    run(body)


def test_one_byte_at_a_time() -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            for request in (PROPOSE, CHUNKED):
                for at in range(len(request)):
                    client.send(request[at : at + 1])
                    await client.writer.drain()
                    await asyncio.sleep(0)
                assert (await client.answer()).status == 200
            assert len(world.engine.asked) == 2

    run(body)


def test_pipelined_requests_are_answered_in_order() -> None:
    """A slow one holds back the quick ones behind it."""

    async def body() -> None:
        async with served() as world:
            client = await world.client()
            info = QUORUM.replace(b"quorum", b"info")
            client.send(PROPOSE + QUORUM + CHUNKED + info + QUORUM.replace(b"quorum", b"nowhere"))
            answers = [await client.answer() for _ in range(5)]
            assert [answer.status for answer in answers] == [200, 200, 200, 200, 404]
            assert ["proposalId" in answer.data for answer in answers[:3]] == [True, False, True]
            assert answers[3].data["id"] == "instance-A"

    run(body)


def test_a_flood_of_pipelined_requests_is_answered_to_the_last() -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            count = 3_000
            client.send((PROPOSE + QUORUM) * (count // 2))
            for _ in range(count):
                assert (await client.answer()).status == 200
            assert len(world.engine.asked) == count // 2

    run(body)


REFUSED: list[tuple[str, bytes, int, str]] = [
    ("garbage", b"\x00\xff\x16\x03\x01garbage\r\n\r\n", 400, "malformed HTTP"),
    ("tls hello", bytes.fromhex("16030100b8010000b40303") + b"\x00" * 40, 400, "malformed HTTP"),
    ("no method", b" / HTTP/1.1\r\n\r\n", 400, "malformed HTTP"),
    ("unknown method", b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed HTTP"),
    ("no version", b"GET /\r\n\r\n", 505, "HTTP/0.9 is not served"),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""),
    ("HTTP/3.7", b"GET / HTTP/3.7\r\nHost: x\r\n\r\n", 400, "malformed HTTP"),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "HTTP/2.0 is not served"),
    ("no host", b"GET / HTTP/1.1\r\n\r\n", 400, "without a Host"),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "host is given twice"),
    ("NUL in a header", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400, "malformed HTTP"),
    ("bare CR", b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400, "malformed HTTP"),
    ("space before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed HTTP"),
    ("folded header", b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, ""),
    ("NUL in the target", b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed HTTP"),
    (
        "length and chunked",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "malformed HTTP",
    ),
    (
        "chunked and length",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        400,
        "malformed HTTP",
    ),
    (
        "two lengths",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        400,
        "",
    ),
    ("length list", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd", 400, "malformed HTTP"),
    ("signed length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd", 400, "malformed HTTP"),
    ("negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "malformed HTTP"),
    (
        "endless length",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        400,
        "malformed",
    ),
    ("gzip", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer encoding"),
    ("odd chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", 400, "malformed HTTP"),
    (
        "chunked twice",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        400,
        "malformed HTTP",
    ),
    ("bad chunk", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed HTTP"),
    (
        "chunk too long for its size",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n",
        400,
        "malformed HTTP",
    ),
    ("one huge header", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431, "exceed 16384 bytes"),
    ("endless header", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 400_000, 431, "16384 bytes"),
    ("endless target", b"GET /" + b"a" * 400_000, 431, "16384 bytes"),
    ("many headers", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431, "more than 100 headers"),
    ("huge body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413, "at most 1048576"),
    (
        "huge chunked body",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"20000\r\n"
        + b"a" * 0x20000
        + b"\r\n" * 1,
        413,
        "1048576",
    ),
    ("odd expectation", b"POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", 417, "100-continue"),
    ("endless trailer", CHUNKED[: CHUNKED.index(b"0\r\nTrailer")] + b"0\r\nT: " + b"a" * 400_000, 431, "16384 bytes"),
    ("endless chunk extension", CHUNKED[: CHUNKED.index(b"1e;")] + b"1e;" + b"a" * 400_000, 431, "16384 bytes"),
]


@pytest.mark.parametrize(("sent", "status", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_bad_http_is_refused_and_the_connection_ends(sent: bytes, status: int, said: str) -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            if b"20000\r\n" in sent:
                head, chunk = sent.split(b"20000\r\n")
                client.send(head + (b"20000\r\n" + chunk) * 9)
            else:
                client.send(sent)
            answer = await client.answer()
            assert answer.status == status, answer.body
            assert said in answer.json["error"]
            assert answer.json["success"] is False
            assert answer.data["reason"]
            assert answer.headers["connection"] == "close"
            client.send(PROPOSE)
            assert await client.closed()
            assert world.engine.asked == []
            assert await alive(world)

    run(body)


def test_nothing_behind_a_bad_request_is_served() -> None:
    """No smuggling: after a framing error the rest of the connection is not a request."""

    async def body() -> None:
        async with served() as world:
            client = await world.client()
            client.send(
                QUORUM
                + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                + PROPOSE
            )
            assert [(await client.answer()).status for _ in range(2)] == [200, 400]
            assert await client.closed()
            assert world.engine.asked == []

    run(body)


@pytest.mark.parametrize("head", [b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
def test_nothing_behind_the_last_request_is_served(head: bytes) -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            client.send(QUORUM.replace(b"Host: x\r\n", b"Host: x\r\n" + head) + PROPOSE)
            answer = await client.answer()
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
            assert await client.closed()
            assert world.engine.asked == []

    run(body)


def test_http_1_0_is_answered_and_closed() -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            client.send(b"GET " + D + b"/quorum HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await client.answer()).status == 200
            assert await client.closed()

    run(body)


@pytest.mark.parametrize("root", [b"http://node:3000", b"HTTP://node", b"https://[::1]:3000"])
def test_a_target_with_its_host_is_taken(root: bytes) -> None:
    """RFC 9112, 3.2.2."""

    async def body() -> None:
        async with served() as world:
            client = await world.client()
            client.send(PROPOSE.replace(b"POST ", b"POST " + root))
            assert (await client.answer()).status == 200
            client.send(QUORUM.replace(b"quorum", b"events?limit=0").replace(b"GET ", b"GET " + root))
            assert (await client.answer()).data["field"] == "limit"
            for bare in (root, root + b"?x=1"):
                client.send(b"GET " + bare + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                assert "there is nothing at /" in (await client.answer()).json["error"]

    run(body)


def test_a_large_body_is_taken_where_the_target_takes_it_though_it_names_its_host() -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            content = b" " * 2_000_000 + b"[]"
            target = b"http://node" + D + b"/propose"
            client.send(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (target, len(content)))
            client.send(content)
            assert (await client.answer()).status != 413

    run(body)


def test_an_expected_continue_is_given() -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            head = PROPOSE[: -len(BODY)].replace(b"Host: x\r\n", b"Host: x\r\nExpect: 100-continue\r\n")
            client.send(head)
            assert (await client.head())[0] == 100
            client.send(BODY)
            assert (await client.answer()).status == 200

    run(body)


@pytest.mark.parametrize(
    ("sent", "phase", "limit_s", "status"),
    [
        (b"GET / HT", HEAD, LIMITS.head_timeout_s, 408),
        (PROPOSE[:-5], BODY_PART, LIMITS.request_timeout_s, 408),
        (b"", IDLE, LIMITS.idle_timeout_s, None),
        (QUORUM, IDLE, LIMITS.idle_timeout_s, None),
    ],
    ids=["slow head", "slow body", "silent", "idle after a request"],
)
def test_slow_clients_are_let_go(sent: bytes, phase: int, limit_s: float, status: int | None) -> None:
    """Once their time has passed, and not before."""

    async def body() -> None:
        async with served(limits=LIMITS) as world:
            client = await world.client()
            client.send(sent)
            if sent == QUORUM:
                assert (await client.answer()).status == 200
            await until(lambda: any(c.phase == phase for c in world.server.connections))
            (connection,) = world.server.connections
            connection.sweep(connection.since + limit_s - 1)
            assert not connection.deaf
            assert not connection.transport.is_closing()
            connection.sweep(connection.since + limit_s + 1)
            if status is not None:
                assert (await client.answer()).status == status
            assert await client.closed()
            assert world.engine.asked == []
            assert await alive(world)

    run(body)


def test_who_was_answered_for_the_last_time_and_does_not_go_is_cut_off() -> None:
    async def body() -> None:
        async with served(limits=LIMITS) as world:
            client = await world.client()
            client.send(b"garbage\r\n\r\n")
            assert (await client.answer()).status == 400
            (connection,) = world.server.connections
            connection.sweep(connection.since + LIMITS.linger_s - 1)
            assert not connection.transport.is_closing()
            connection.sweep(connection.since + LIMITS.linger_s + 1)
            assert connection.transport.is_closing()

    run(body)


def test_limits_are_looked_after_while_there_are_clients() -> None:
    """Nobody asks the server to."""

    async def body() -> None:
        async with served(limits=replace(LIMITS, idle_timeout_s=0.0)) as world:
            for _ in range(2):
                client = await world.client()
                assert await client.closed()
                await until(lambda: not world.server.connections)

    run(body)


def test_a_client_that_does_not_read_is_not_read_and_then_let_go() -> None:
    """Answers pile up to a bound, not beyond; other clients do not notice."""

    async def body() -> None:
        async with served(limits=LIMITS) as world:
            client = await world.client()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            openapi = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
            for _ in range(2_000):
                client.send(openapi)
            (connection,) = world.server.connections
            await until(lambda: connection.unread_since is not None)
            assert connection.transport.get_write_buffer_size() < 1024 * 1024
            assert not connection.reading
            assert await alive(world)
            since = connection.unread_since
            assert since is not None
            connection.sweep(since + LIMITS.write_timeout_s - 1)
            assert not connection.transport.is_closing()
            connection.sweep(since + LIMITS.write_timeout_s + 1)
            assert connection.transport.is_closing()
            assert await alive(world)

    run(body)


def test_a_client_that_reads_slowly_is_served_to_the_end() -> None:
    """What counts is when it last read something, not since when something waits for it."""

    async def body() -> None:
        async with served(limits=LIMITS) as world:
            client = await world.client()
            await client.ask("GET", (D + b"/quorum").decode())
            (connection,) = world.server.connections
            answer = b"x" * 32 * 1024 * 1024
            connection.transport.write(answer)
            await until(lambda: connection.unread_since is not None)
            began = now = connection.unread_since
            assert began is not None
            assert now is not None
            got = 0
            while connection.unread_since is not None:
                left = connection.transport.get_write_buffer_size()
                while connection.transport.get_write_buffer_size() == left:
                    got += len(await soon(client.reader.read(1024 * 1024)))
                if connection.unread_since is not None:  # else it has become idle, for which there is another limit
                    now += LIMITS.write_timeout_s - 1
                    connection.sweep(now)
                    assert not connection.transport.is_closing()
            assert now - began > 3 * LIMITS.write_timeout_s
            while got < len(answer):
                got += len(await soon(client.reader.read(1024 * 1024)))
            assert got == len(answer)

    run(body)


def test_connections_are_bounded_and_idle_ones_make_room() -> None:
    async def body() -> None:
        engine = StandIn()
        engine.never = True
        async with served(engine, replace(ApiLimits(), max_connections=2)) as world:
            busy = await world.client()
            busy.send(PROPOSE)
            await soon(engine.asked_now.wait())
            idle = await world.client()
            idle.send(QUORUM)
            assert (await idle.answer()).status == 200
            third = await world.client()
            third.send(PROPOSE)
            assert await idle.closed()
            await until(lambda: len(engine.asked) == 2)
            fourth = await world.client()
            answer = await fourth.answer()
            assert (answer.status, answer.data["reason"]) == (503, "too_many")
            assert await fourth.closed()

    run(body)


def test_a_client_that_goes_away_cancels_what_runs_for_it() -> None:
    """L3: a waiter whose client has gone is dropped."""

    async def body() -> None:
        engine = StandIn()
        engine.never = True
        async with served(engine) as world:
            client = await world.client()
            client.send(PROPOSE + PROPOSE)
            await soon(engine.asked_now.wait())
            client.close()
            await soon(engine.cancelled.wait())
            assert len(engine.asked) == 1

    run(body)


def test_stopping_answers_what_runs_and_closes_what_is_idle() -> None:
    async def body() -> None:
        engine = StandIn()
        engine.never = True
        async with served(engine, replace(ApiLimits(), stop_grace_s=0.1)) as world:
            idle, busy = await world.client(), await world.client()
            idle.send(QUORUM)
            assert (await idle.answer()).status == 200
            busy.send(PROPOSE)
            await soon(engine.asked_now.wait())
            await soon(world.server.stop())
            assert await idle.closed()
            answer = await busy.answer()
            assert (answer.status, answer.data["reason"], answer.data["cause"]) == (504, "maybe", "stopping")
            assert await busy.closed()
            with pytest.raises(OSError, match=r"(?i)connect"):
                await world.client()

    run(body)


def test_stopping_leaves_members_their_links_until_it_hangs_up() -> None:
    async def body() -> None:
        async with served() as world:
            member = await world.client()
            await member.ask(
                "POST", "/api/v1/distributed/peer", b"no envelope", content_type="application/x-iwdc-envelope"
            )
            await soon(world.server.stop())
            again = await member.ask(
                "POST", "/api/v1/distributed/peer", b"no envelope", content_type="application/x-iwdc-envelope"
            )
            assert again.status == 400
            world.server.hang_up()
            assert await member.closed()

    run(body)


async def _any_outcome(client: Client) -> None:
    """Read whatever comes until the server ends the connection or it is our turn to."""
    client.writer.write_eof()
    try:
        await soon(client.reader.read())
    except ConnectionError:
        return


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from(
                [QUORUM, PROPOSE, CHUNKED, b"\r\n", b"\r\n\r\n", BODY, b"Content-Length: 5\r\n", b"GET / HTTP/1.1\r\n"]
            ),
        ),
        max_size=8,
    )
)
def test_any_bytes_leave_the_server_alive(parts: list[bytes]) -> None:
    async def body() -> None:
        async with served() as world:
            client = await world.client()
            for part in parts:
                client.send(part)
            await _any_outcome(client)
            assert await alive(world)

    run(body)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_body_is_taken_or_refused_with_a_reason(sent: bytes) -> None:
    async def body() -> None:
        async with served() as world:
            for path in ("propose-snapshot", "propose", "events", "sync", "heartbeat", "locks/a/acquire", "peer"):
                answer = await world.ask("POST", f"/api/v1/distributed/{path}", sent)
                assert 400 <= answer.status < 500 or answer.json["success"]
            assert await alive(world)

    run(body)
