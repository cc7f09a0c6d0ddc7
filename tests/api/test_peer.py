"""The members' endpoint: an envelope in, an envelope or nothing out, and no other's (F1)."""

from typing import Any

import msgspec
import pytest

from node.protocol.messages import Envelope, Mark, TimeProbe
from node.protocol.records import FORMAT
from tests.api.wire import run, served, soon, until

TARGET = "/api/v1/distributed/peer"
KIND = "application/x-iwdc-envelope"
MARK = Mark(1, 1, 0, 0)
ENVELOPE = Envelope(FORMAT, "catalogue", "d", "instance-B", "instance-A", "boot", "j-B", 5, MARK, None, (TimeProbe(1),))
changed = msgspec.structs.replace
pack = msgspec.msgpack.encode
DELIVERY = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
    TARGET.encode(), KIND.encode(), len(pack(ENVELOPE)), pack(ENVELOPE),
)  # fmt: skip


def test_a_delivery_is_answered_with_what_waits_or_with_nothing() -> None:
    async def body() -> None:
        async with served() as world:
            back = changed(ENVELOPE, sender="instance-A", to="instance-B")
            world.engine.replies = [None, back]
            client = await world.client()
            nothing = await client.ask("POST", TARGET, pack(ENVELOPE), Content_Type=KIND)
            assert (nothing.status, nothing.body) == (204, b"")
            assert not {"content-length", "content-type"} & set(nothing.headers)
            answer = await client.ask("POST", TARGET, pack(ENVELOPE), Content_Type=KIND)
            assert (answer.status, answer.headers["content-type"]) == (200, KIND)
            assert msgspec.msgpack.decode(answer.body, type=Envelope) == back
            assert world.engine.delivered == [ENVELOPE, ENVELOPE]

    run(body)


def test_deliveries_that_come_at_once_are_answered_in_their_order() -> None:
    async def body() -> None:
        async with served() as world:
            world.engine.replies = [changed(ENVELOPE, number=number) for number in (1, 2, 3)]
            client = await world.client()
            client.send(3 * DELIVERY)
            answers = [await client.answer() for _ in range(3)]
            assert [msgspec.msgpack.decode(each.body, type=Envelope).number for each in answers] == [1, 2, 3]

    run(body)


def test_a_member_that_goes_away_is_not_waited_for() -> None:
    async def body() -> None:
        async with served() as world:
            world.engine.never = True
            client = await world.client()
            client.send(DELIVERY)
            await until(lambda: world.engine.delivered == [ENVELOPE])
            client.close()
            await soon(world.engine.cancelled.wait())

    run(body)


WRONG: list[tuple[Any, int, str]] = [
    (changed(ENVELOPE, cluster="other"), 400, "this is cluster 'catalogue', the delivery is for 'other'"),
    (
        changed(ENVELOPE, format=FORMAT + 2),
        400,
        f"the delivery has format {FORMAT + 2}, this node speaks format {FORMAT}",
    ),
    (
        [FORMAT + 5, "catalogue", "what", "comes", "later"],
        400,
        f"format {FORMAT + 5}, this node speaks format {FORMAT}",
    ),
    (changed(ENVELOPE, to="instance-C"), 409, "this is 'instance-A', the delivery is for 'instance-C'"),
    (changed(ENVELOPE, sender="stranger"), 403, "'stranger' is no other member here"),
    (changed(ENVELOPE, sender="instance-A"), 403, "'instance-A' is no other member here"),
    ([FORMAT, "catalogue", "short"], 400, f"not an envelope of format {FORMAT}"),
    ({"format": 1}, 400, f"not an envelope of format {FORMAT}"),
    (7, 400, f"not an envelope of format {FORMAT}"),
]


@pytest.mark.parametrize(("sent", "status", "error"), WRONG, ids=[w[2][:40] for w in WRONG])
def test_what_is_not_for_us_is_refused_by_name(sent: Any, status: int, error: str) -> None:
    async def body() -> None:
        async with served() as world:
            answer = await world.ask("POST", TARGET, pack(sent), Content_Type=KIND)
            assert answer.status == status
            assert error in answer.json["error"]
            assert world.engine.delivered == []

    run(body)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xc1",
        pack(ENVELOPE)[:-1],
        pack(ENVELOPE) + b"x",
        b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        pack([FORMAT, "catalogue", "d", "instance-B", "instance-A", "b", "j", 5, [1, 1, 0, 0], None, [["Z", 1]]]),
        pack([FORMAT, "catalogue", "d", "instance-B", "instance-A", "b", "j", "5", [1, 1, 0, 0], None, []]),
    ],
)
def test_no_bytes_pass_for_an_envelope(sent: bytes) -> None:
    async def body() -> None:
        async with served() as world:
            answer = await world.ask("POST", TARGET, sent, Content_Type=KIND)
            assert answer.status == 400
            assert answer.data["reason"] == "bad_request"
            assert world.engine.delivered == []

    run(body)


def test_another_content_type_is_refused() -> None:
    async def body() -> None:
        async with served() as world:
            answer = await world.ask("POST", TARGET, pack(ENVELOPE), Content_Type="application/json")
            assert answer.status == 415
            assert KIND in answer.json["error"]

    run(body)


def test_deliveries_may_be_larger_than_other_bodies() -> None:
    async def body() -> None:
        async with served() as world:
            answer = await world.ask("POST", TARGET, b"\xc1" * 2_000_000, Content_Type=KIND)
            assert answer.status == 400
            answer = await world.ask("POST", "/api/v1/distributed/sync", b"[" * 2_000_000)
            assert answer.status == 400
            assert answer.json["error"].startswith(("Invalid JSON", "Expected object"))

    run(body)
