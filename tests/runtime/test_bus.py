"""The bus: journal first, then live, no gap, no repeat; a slow subscriber is cut off with its cursor (V3)."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.protocol.effects import Effect, Input, Received, Ship
from node.protocol.events import Event, VersionVector
from node.protocol.messages import Envelope, Push
from node.runtime import bus as bus_module
from node.runtime.bus import Bus, BusClosed, Lagged
from node.runtime.cursor import decode_cursor
from tests.runtime.scripted import MemoryJournal, PeerServer, delivered, engine, envelope, settings, until


def event(journal: str, seq: int) -> Event:
    return Event(f"{journal}-{seq}", journal, journal, seq, "T", 0, 0, "", {})


class Log:
    """A journal that a bus reads, one page at a time; `between` counts events that come while a page is read."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.between: list[int] = []
        self.bus = Bus(self.page, {})

    async def page(self, since: VersionVector, limit: int) -> list[Event]:
        await asyncio.sleep(0)
        page = [held for held in self.events if held.seq > since.get(held.journal, 0)][:limit]
        await asyncio.sleep(0)
        for _ in range(self.between.pop(0) if self.between else 0):
            self.append(event("a", len(self.events) + 1))
        return page

    def append(self, event: Event) -> None:
        self.events.append(event)
        self.bus.publish((event,))


async def take(stream: AsyncGenerator[tuple[Event, str], None], count: int) -> list[str]:
    return [(await anext(stream))[0].id for _ in range(count)]


def test_live_events_come_with_their_cursor() -> None:
    async def scenario() -> None:
        log = Log()
        log.append(event("a", 1))
        stream = log.bus.subscribe()
        first = asyncio.create_task(anext(stream))
        await until(lambda: log.bus.subscribers == 1, "subscriber")
        log.append(event("a", 2))
        log.append(event("b", 1))
        assert (await first)[0].id == "a-2"
        seen, cursor = await anext(stream)
        assert seen.id == "b-1"
        assert decode_cursor(cursor) == {"a": 2, "b": 1}
        await stream.aclose()
        assert log.bus.subscribers == 0

    asyncio.run(scenario())


@given(
    before=st.integers(0, 12),
    between=st.lists(st.integers(0, 4), max_size=6),
    after=st.integers(0, 6),
    since=st.integers(0, 12),
    page=st.integers(1, 5),
    behind=st.integers(1, 4),
)
def test_resumption_has_no_gap_and_no_repeat(
    before: int, between: list[int], after: int, since: int, page: int, behind: int
) -> None:
    async def scenario() -> None:
        log = Log()
        for seq in range(1, before + 1):
            log.append(event("a", seq))
        log.between = list(between)
        start = min(since, before)
        stream = log.bus.subscribe({"a": start})
        got: list[str] = []
        while len(got) < len(log.events) - start:
            got += await take(stream, 1)
        if got:
            for _ in range(min(after, behind)):
                log.append(event("a", len(log.events) + 1))
        while len(got) < len(log.events) - start:
            got += await take(stream, 1)
        assert got == [held.id for held in log.events[start:]]
        await stream.aclose()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bus_module, "PAGE_EVENTS", page)
        patch.setattr(bus_module, "MAX_BEHIND", behind)
        asyncio.run(scenario())


def test_a_slow_subscriber_is_told_and_can_go_on_from_its_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "MAX_BEHIND", 3)

    async def scenario() -> None:
        log = Log()
        stream = log.bus.subscribe({})
        first = asyncio.create_task(anext(stream))
        await until(lambda: log.bus.subscribers == 1, "subscriber")
        log.append(event("a", 1))
        assert (await first)[0].id == "a-1"
        for seq in range(2, 9):
            log.append(event("a", seq))
        with pytest.raises(Lagged) as lagged:
            await anext(stream)
        again = log.bus.subscribe(decode_cursor(lagged.value.cursor))
        assert await take(again, 7) == [f"a-{seq}" for seq in range(2, 9)]
        await again.aclose()

    asyncio.run(scenario())


def test_a_stopping_node_ends_its_subscriptions() -> None:
    async def scenario() -> None:
        log = Log()
        waiting = asyncio.create_task(anext(log.bus.subscribe()))
        await until(lambda: log.bus.subscribers == 1, "subscriber")
        log.bus.close()
        with pytest.raises(BusClosed):
            await waiting

    asyncio.run(scenario())


def test_what_a_peer_lacks_is_read_from_the_journal_and_sent() -> None:
    async def scenario() -> None:
        async def quiet(_: Envelope) -> None:
            return None

        sink = await PeerServer(quiet).start()
        journal = MemoryJournal()
        journal.events = [event("a", seq) for seq in range(1, 6)]
        pulls = iter((7, 8, 9))

        def script(input: Input) -> list[Effect]:
            return [Ship("B", next(pulls), {"a": 2})] if isinstance(input, Received) else []

        node, _ = engine(script, journal, settings("A", ("B", sink.url)))
        await node.start()
        for _ in range(3):
            await delivered(node, envelope("B", "A"))
        await until(lambda: sum(len(got.messages) for got in sink.got) == 2, "answers to the first and the last pull")
        pushes = [message for got in sink.got for message in got.messages]
        lacking = tuple(journal.events[2:])
        assert pushes == [Push(lacking, False, 7), Push(lacking, False, 9)]
        await node.stop()
        await sink.stop()

    asyncio.run(scenario())
