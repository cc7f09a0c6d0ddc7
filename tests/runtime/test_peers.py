"""Links: one envelope in flight, all that waits in the next; refusals are evidence; no peer delays another (H2)."""

import asyncio
import random
import time
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from node.protocol.effects import Called, Effect, Gathered, Input, LinkState, Persist, Persisted, Received, Send
from node.protocol.events import Event
from node.protocol.messages import Envelope, Message, Permit, Push, TimeProbe
from node.protocol.records import Vote
from node.protocol.requests import Elect
from node.protocol.settings import Member, Timing
from node.runtime import answering, driver, peers
from node.runtime.driver import Engine
from node.runtime.peers import Link
from tests.ports import claimed
from tests.runtime.scripted import (
    DEADLINE_S,
    FAST,
    MemoryJournal,
    PeerServer,
    delivered,
    engine,
    envelope,
    settings,
    until,
)


class Ends:
    """The node's side of a link."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.states: list[bool] = []
        self.outcomes: list[str] = []
        self.dropped = 0

    def envelope(self, to: str, messages: tuple[Message, ...], number: int) -> Envelope:
        return envelope("A", to, *messages, number=number)

    def received(self, envelope: Envelope) -> None:
        self.got.append(envelope)

    def link_changed(self, peer: str, refused: bool) -> None:
        self.states.append(refused)

    def exchanged(self, peer: str, outcome: str, dropped: int = 0) -> None:
        self.dropped += dropped
        if not dropped:
            self.outcomes.append(outcome)


def raw(message: Message) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(message))


PATIENT = replace(FAST, heartbeat_timeout=3 * DEADLINE_S)
"""A link waits for a connection and for an answer as long as a test does: what it gives up is lost."""


def link(ends: Ends, url: str, timing: Timing = PATIENT) -> Link:
    return Link(ends, Member("B", url), timing, random.Random(1))


def nested(depth: int) -> bytes:
    """An answer that carries an event with a list in a list in a list and so on."""
    payload: Any = msgspec.Raw(b"\x81\xa1x" + b"\x91" * depth + b"\x01")
    event = Event("b-1", "B", "b", 1, "X", 0, 0, "", payload)
    body = msgspec.msgpack.encode(envelope("B", "A", Push((event,))))
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def quiet(_: Envelope) -> None:
    return None


async def linked(node: Engine) -> None:
    """Start it, until its links are open: what is sent while one takes too long to open is dropped."""
    await node.start()
    await until(lambda: all(link.connected for link in node._links.values()), "connections")


def test_all_that_waits_goes_in_one_envelope_and_the_answer_comes_in() -> None:
    async def scenario() -> None:
        async def answer(got: Envelope) -> Envelope | None:
            return envelope("B", "A", Permit(len(got.messages)))

        ends, server = Ends(), await PeerServer(answer).start()
        wire = link(ends, server.url)
        for number in range(3):
            wire.send(raw(TimeProbe(number)), lazy=False)
        await until(lambda: bool(ends.got), "answer")
        assert [got.messages for got in server.got] == [(TimeProbe(0), TimeProbe(1), TimeProbe(2))]
        assert ends.got[0].messages == (Permit(3),)
        assert ends.outcomes == ["ok"]
        assert ends.states == []
        await wire.close()
        await server.stop()

    asyncio.run(scenario())


def test_one_delivery_in_flight_and_the_rest_follows_together() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def held(_: Envelope) -> None:
            await gate.wait()

        ends, server = Ends(), await PeerServer(held).start()
        wire = link(ends, server.url)
        wire.send(raw(TimeProbe(0)), lazy=False)
        await until(lambda: len(server.got) == 1, "first delivery")
        for number in range(1, 20):
            wire.send(raw(TimeProbe(number)), lazy=False)
            await asyncio.sleep(0)
        assert len(server.got) == 1
        gate.set()
        await until(lambda: ends.outcomes == ["ok", "ok"], "second delivery")
        assert len(server.got[1].messages) == 19
        assert server.connections == 1
        await wire.close()
        await server.stop()

    asyncio.run(scenario())


def test_a_lazy_message_waits_for_company_but_not_for_ever() -> None:
    async def scenario() -> None:
        ends, server = Ends(), await PeerServer(quiet).start()
        wire = link(ends, server.url)
        await until(lambda: wire.connected, "connection")
        started = time.monotonic()
        wire.send(raw(TimeProbe(1)), lazy=True)
        await until(lambda: len(server.got) == 1, "lazy message")
        assert time.monotonic() - started >= peers.LAZY_S / 2
        wire.send(raw(TimeProbe(2)), lazy=True)
        wire.send(raw(TimeProbe(3)), lazy=False)
        await until(lambda: len(server.got) == 2, "company")
        assert server.got[1].messages == (TimeProbe(2), TimeProbe(3))
        await wire.close()
        await server.stop()

    asyncio.run(scenario())


def test_an_envelope_is_bounded_and_a_message_larger_than_that_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(raw(TimeProbe(1)))
    monkeypatch.setattr(peers, "MAX_ENVELOPE_BYTES", 3 * size)

    async def scenario() -> None:
        ends, server = Ends(), await PeerServer(quiet).start()
        wire = link(ends, server.url)
        for number in range(8):
            wire.send(raw(TimeProbe(number)), lazy=False)
        wire.send(raw(Push((), answers=2**63)), lazy=False)
        await until(lambda: sum(len(got.messages) for got in server.got) == 9, "all messages")
        assert [len(got.messages) for got in server.got] == [3, 3, 2, 1]
        await wire.close()
        await server.stop()

    asyncio.run(scenario())


def test_the_oldest_is_dropped_when_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MAX_WAITING_MESSAGES", 5)

    async def scenario() -> None:
        ends, server = Ends(), await PeerServer(quiet).start()
        wire = link(ends, server.url)
        for number in range(8):
            wire.send(raw(TimeProbe(number)), lazy=False)
        await until(lambda: bool(server.got), "delivery")
        assert server.got[0].messages == tuple(TimeProbe(number) for number in range(3, 8))
        assert ends.dropped == 3
        await wire.close()
        await server.stop()

    asyncio.run(scenario())


def test_a_peer_that_dies_is_known_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after a pause: it would be the hour that lies between beats here."""
    monkeypatch.setattr(peers, "FIRST_RETRY_S", 3600.0)
    monkeypatch.setattr(peers, "MAX_RETRY_S", 3600.0)

    async def scenario() -> None:
        ends, server = Ends(), await PeerServer(quiet, port).start()
        wire = link(ends, server.url, Timing(heartbeat_interval=3600.0, heartbeat_timeout=7200.0))
        await until(lambda: wire.connected, "connection")
        wire.send(raw(TimeProbe(1)), lazy=False)
        await until(lambda: ends.outcomes == ["ok"], "exchange")
        await server.stop()
        await until(lambda: ends.states == [True], "refusal")
        await wire.close()

    with claimed(1) as [port]:
        asyncio.run(scenario())


def test_a_peer_that_dies_is_found_again() -> None:
    async def scenario() -> None:
        ends, server = Ends(), await PeerServer(quiet, port).start()
        wire = link(ends, server.url)
        await until(lambda: wire.connected, "connection")
        wire.send(raw(TimeProbe(1)), lazy=False)
        await until(lambda: ends.outcomes == ["ok"], "exchange")
        assert ends.states == []
        await server.stop()
        await until(lambda: ends.states == [True], "refusal")
        wire.send(raw(TimeProbe(2)), lazy=False)
        assert ends.dropped == 1
        await server.start()
        await until(lambda: ends.states == [True, False], "reconnection")
        wire.send(raw(TimeProbe(3)), lazy=False)
        await until(lambda: len(server.got) == 2, "exchange after it")
        assert server.got[1].messages == (TimeProbe(3),)
        await wire.close()
        await server.stop()

    with claimed(1) as [port]:
        asyncio.run(scenario())


def test_a_peer_that_was_never_there_is_refused() -> None:
    async def scenario() -> None:
        ends = Ends()
        wire = link(ends, PeerServer(quiet, port).url)
        await until(lambda: ends.states == [True], "refusal")
        assert not wire.connected
        await wire.close()

    with claimed(1) as [port]:
        asyncio.run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        nested(50_000),
    ],
    ids=["not an envelope", "not HTTP", "closes", "refuses", "answers twice", "nested too deep"],
)
def test_a_strange_answer_is_survived(answer: bytes) -> None:
    async def scenario() -> None:
        first, raised = True, list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))

        async def strange(_: Envelope) -> bytes | None:
            nonlocal first
            given, first = (answer if first else None), False
            return given

        ends, server = Ends(), await PeerServer(strange).start()
        wire = link(ends, server.url)
        wire.send(raw(TimeProbe(1)), lazy=False)
        await until(lambda: bool(ends.outcomes), "first outcome")
        seen = len(ends.outcomes)

        def again() -> bool:
            if len(server.got) < 2:
                wire.send(raw(TimeProbe(2)), lazy=False)
            return ends.outcomes[seen:].count("ok") > 0

        await until(again, "exchange after it")
        assert (ends.got, raised) == ([], [])
        await wire.close()
        await server.stop()

    asyncio.run(scenario())


def test_a_hung_peer_times_out_and_delays_nobody() -> None:
    async def scenario() -> None:
        async def never(_: Envelope) -> None:
            await asyncio.Event().wait()

        hung, well = await PeerServer(never).start(), await PeerServer(quiet).start()

        def script(input: Input) -> list[Effect]:
            calls = [input] if isinstance(input, Called) else input.calls if isinstance(input, Gathered) else ()
            return [Send(to, TimeProbe(each.call), 0) for each in calls for to in ("B", "C")]

        node, _ = engine(script, MemoryJournal(), settings("A", ("B", hung.url), ("C", well.url)))
        await linked(node)
        await node.call(Elect(), 0.01)
        await until(lambda: len(hung.got) == 1, "first delivery to the one that hangs")
        await asyncio.gather(*(node.call(Elect(), 0.01) for _ in range(19)))
        await until(lambda: sum(len(got.messages) for got in well.got) == 20, "deliveries to the one that is well")
        assert len(hung.got) == 1
        await until(lambda: len(hung.got) == 2, "second attempt")
        assert len(hung.got[1].messages) == 19
        await node.stop()
        await hung.stop()
        await well.stop()

    asyncio.run(scenario())


def test_a_delivery_is_answered_after_its_commit_with_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "DELIVERY_WAIT_S", DEADLINE_S)  # the commit's thread may be late on a busy machine

    async def scenario() -> None:
        sink = await PeerServer(quiet).start()

        def script(input: Input) -> list[Effect]:
            match input:
                case Received():
                    return [Persist(1, (Vote(1, "B"),)), Send("B", Permit(1), 1)]
                case Persisted():
                    return [Send("B", Permit(2), 0)]
            return []

        journal = MemoryJournal()
        node, core = engine(script, journal, settings("A", ("B", sink.url)))
        await linked(node)
        answer = await delivered(node, envelope("B", "A"))
        assert journal.batches == [[Vote(1, "B")]]
        decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Envelope)
        assert decoded.messages == (Permit(1), Permit(2))
        assert await delivered(node, envelope("stranger", "A")) is None
        assert not any(isinstance(input, LinkState) for input in core.inputs)
        await node.stop()
        await sink.stop()

    asyncio.run(scenario())


def test_a_delivery_does_not_wait_long_for_a_slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "DELIVERY_WAIT_S", 0.02)

    async def scenario() -> None:
        sink = await PeerServer(quiet).start()
        numbers = iter(range(1, 10))

        def script(input: Input) -> list[Effect]:
            if isinstance(input, Received):
                number = next(numbers)
                return [Persist(number, (Vote(number, "B"),)), Send("B", Permit(number), number)]
            return []

        journal = MemoryJournal()
        node, _ = engine(script, journal, settings("A", ("B", sink.url)))
        await linked(node)
        journal.gate.clear()
        assert await delivered(node, envelope("B", "A")) is None
        journal.gate.set()
        await until(lambda: bool(sink.got), "the vote on its own way")
        assert sink.got[0].messages == (Permit(1),)
        await node.stop()
        await sink.stop()

    asyncio.run(scenario())


def test_what_need_not_wait_for_the_commit_is_the_answer_and_the_rest_comes_by_itself() -> None:
    async def scenario() -> None:
        sink = await PeerServer(quiet).start()

        def script(input: Input) -> list[Effect]:
            if isinstance(input, Received):
                return [Persist(1, (Vote(1, "B"),)), Send("B", Permit(1), 0), Send("B", Permit(2), 1)]
            return []

        journal = MemoryJournal()
        node, _ = engine(script, journal, settings("A", ("B", sink.url)))
        await linked(node)
        journal.gate.clear()
        answer = await delivered(node, envelope("B", "A"))
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Envelope).messages == (Permit(1),)
        journal.gate.set()
        await until(lambda: bool(sink.got), "what waited for the record")
        assert [got.messages for got in sink.got] == [(Permit(2),)]
        await node.stop()
        await sink.stop()

    asyncio.run(scenario())


def test_a_node_that_stops_delivers_what_waits_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(driver, "LEAVE_S", DEADLINE_S)
        sink = await PeerServer(quiet).start()

        def script(input: Input) -> list[Effect]:
            if isinstance(input, Received):
                return [Persist(1, (Vote(1, "B"),)), Send("B", Permit(1), 1), Send("B", Permit(2), 1, lazy=True)]
            return []

        node, _ = engine(script, MemoryJournal(), settings("A", ("B", sink.url)))
        await linked(node)
        node.received(envelope("B", "A"))
        await node.stop()
        assert [message for got in sink.got for message in got.messages] == [Permit(1), Permit(2)]
        await sink.stop()

    asyncio.run(scenario())


def test_a_node_that_stops_waits_for_no_peer_that_hangs_or_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(driver, "LEAVE_S", 0.05)
        never = asyncio.Event()

        async def hang(_: Envelope) -> None:
            await never.wait()

        async def drop(_: Envelope) -> bytes:
            raise ConnectionError

        hung, dead = await PeerServer(hang).start(), await PeerServer(drop).start()
        node, _ = engine(
            lambda input: [Send("B", Permit(1), 0), Send("C", Permit(1), 0)] if isinstance(input, Received) else [],
            MemoryJournal(), settings("A", ("B", hung.url), ("C", dead.url)),
        )  # fmt: skip
        await linked(node)
        node.received(envelope("B", "A"))
        async with asyncio.timeout(DEADLINE_S):
            await node.stop()
        assert [len(server.got) for server in (hung, dead)] == [1, 1]
        await hung.stop()
        await dead.stop()

    asyncio.run(scenario())
