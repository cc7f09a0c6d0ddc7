"""The driver's rules: persist then send, group commit, faults of the disk, fail-stop, time."""

import asyncio
import time
from math import inf
from pathlib import Path

import pytest

from node.journal.errors import JournalCorrupt, JournalFault, JournalFull
from node.protocol.effects import (
    Called,
    Cancelled,
    DiskState,
    Effect,
    Emit,
    Gathered,
    Input,
    Observe,
    Persist,
    Persisted,
    Received,
    Reply,
    Send,
    Tick,
)
from node.protocol.events import Event
from node.protocol.messages import Permit
from node.protocol.records import Appended
from node.protocol.requests import Accepted, Answer, Elect, Maybe, Propose, Publish, Refusal, Request
from node.runtime import commits, driver
from node.runtime.awaited import Awaited
from tests.runtime.scripted import MemoryJournal, ScriptedCore, delivered, engine, envelope, settings, until

PUBLISH = Publish("T", {})
PROPOSE = Propose("snapshot", "1.0.0", "h")
ASKED = Called | Gathered


def asked(core: ScriptedCore) -> list[Request]:
    """The requests that reached the core."""
    calls = [each.calls if isinstance(each, Gathered) else (each,) for each in core.inputs if isinstance(each, ASKED)]
    return [called.request for several in calls for called in several]


def event(seq: int) -> Event:
    return Event(f"j-{seq}", "A", "j", seq, "T", 0, 0, "", {})


class Durable:
    """A core's script: every call persists an event and is answered once that is on disk."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, input: Input) -> list[Effect]:
        match input:
            case Gathered(calls):
                return [effect for called in calls for effect in self(called)]
            case Called(call, Publish() | Propose()):
                self.number += 1
                fresh = event(self.number)
                return [
                    Persist(self.number, (Appended(fresh),)),
                    Reply(call, Accepted(str(self.number)), self.number),
                    Emit((fresh,), self.number),
                ]
            case Called(call, Elect()):
                return [Reply(call, Accepted("at once"), 0)]
        return []


def test_an_answer_waits_for_its_record_and_others_do_not() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        node, core = engine(Durable(), journal)
        await node.start()
        journal.gate.clear()
        waiting = asyncio.create_task(node.call(PUBLISH, 5))
        await until(lambda: "Called" in core.kinds(), "call")
        assert await node.call(Elect(), 5) == Accepted("at once")
        assert not waiting.done()
        assert not journal.batches
        journal.gate.set()
        assert await waiting == Accepted("1")
        assert core.inputs[-1] == Persisted(1)
        await node.stop()
        assert journal.closed

    asyncio.run(scenario())


def test_who_waits_is_answered_before_anybody_only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        journal, order = MemoryJournal(), list[str]()

        def script(input: Input) -> list[Effect]:
            seen = Observe("seen", "info", "", 0.0, {})
            match input:
                case Called(call, Publish()):
                    fresh = event(1)
                    after: list[Effect] = [Emit((fresh,), 1), Send("B", Permit(1), 1), Reply(call, Accepted("1"), 1)]
                    return [seen, Persist(1, (Appended(fresh),)), *after]
                case Called(call, Elect()):
                    return [seen, Reply(call, Accepted("at once"), 0)]
            return []

        def noted(*_: object) -> str:
            order.append("noted")
            return ""

        def answered(answer: Answer) -> Answer:
            order.append("answered")
            return answer

        node, _ = engine(script, journal)
        await node.start()
        monkeypatch.setattr(node.traces, "record_observe", noted)
        monkeypatch.setattr(node.bus, "publish", lambda events: order.append("news"))
        for request in (Elect(), PUBLISH):
            answer = node.put(request, 5, answered)
            assert isinstance(answer, Awaited)
            await answer
        await until(lambda: "news" in order, "news")
        assert order == ["answered", "noted", "noted", "answered", "news"]
        await node.stop()

    asyncio.run(scenario())


def test_what_gathers_during_a_commit_is_committed_as_one() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        node, core = engine(Durable(), journal)
        await node.start()
        journal.gate.clear()
        first = asyncio.create_task(node.call(PUBLISH, 5))
        await until(lambda: node._disk.busy, "commit under way")
        others = [asyncio.create_task(node.call(PUBLISH, 5)) for _ in range(50)]
        await until(lambda: "Gathered" in core.kinds(), "calls")
        assert core.kinds().count("Called") == core.kinds().count("Gathered") == 1
        journal.gate.set()
        assert [await task for task in (first, *others)] == [Accepted(str(n)) for n in range(1, 52)]
        assert [len(batch) for batch in journal.batches] == [1, 50]
        assert [record.event.seq for batch in journal.batches for record in batch] == list(range(1, 52))  # type: ignore[union-attr]
        assert [input for input in core.inputs if isinstance(input, Persisted)] == [Persisted(1), Persisted(51)]
        await node.stop()

    asyncio.run(scenario())


def test_proposals_that_come_during_a_commit_are_one_step_of_the_next() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        node, core = engine(Durable(), journal)
        await node.start()
        journal.gate.clear()
        first = asyncio.create_task(node.call(PROPOSE, 5))
        await until(lambda: node._disk.busy, "commit under way")
        others = []
        for _ in range(3):
            others.append(asyncio.create_task(node.call(PROPOSE, 5)))
            assert await node.call(Elect(), 5) == Accepted("at once")
        gone = asyncio.create_task(node.call(PROPOSE, 5))
        assert await node.call(Elect(), 5) == Accepted("at once")
        gone.cancel()
        journal.gate.set()
        assert [await task for task in (first, *others)] == [Accepted(str(n)) for n in range(1, 5)]
        assert [len(each.calls) for each in core.inputs if isinstance(each, Gathered)][-1] == 3
        assert [len(batch) for batch in journal.batches] == [1, 3]
        await node.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("late", [False, True])
def test_no_proposal_waits_for_a_faulty_disk(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "FIRST_RETRY_S", 60.0)
    monkeypatch.setattr(commits, "MAX_RETRY_S", 60.0)

    async def scenario() -> None:
        journal = MemoryJournal()
        journal.faults = [JournalFull("full")]
        node, core = engine(Durable(), journal)
        await node.start()
        journal.gate.clear()
        tasks = [asyncio.create_task(node.call(PROPOSE, 5))]
        await until(lambda: node._disk.busy, "commit under way")
        if late:
            journal.gate.set()
            await until(lambda: DiskState("disk_full") in core.inputs, "fault")
        tasks.append(asyncio.create_task(node.call(PROPOSE, 5)))
        assert await node.call(Elect(), 5) == Accepted("at once")
        journal.gate.set()
        await until(lambda: asked(core).count(PROPOSE) == 2, "second proposal")
        for task in tasks:
            task.cancel()
        await node.stop()

    asyncio.run(scenario())


def test_requests_of_one_turn_share_a_commit() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        node, _ = engine(Durable(), journal)
        await node.start()
        await asyncio.gather(*(node.call(PUBLISH, 5) for _ in range(20)))
        assert [len(batch) for batch in journal.batches] == [20]
        await node.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(("fault", "word"), [(JournalFull("full"), "disk_full"), (JournalFault("bad"), "disk_fault")])
def test_a_faulty_disk_is_reported_and_retried_and_nothing_leaves_meanwhile(
    fault: Exception, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "FIRST_RETRY_S", 0.001)

    async def scenario() -> None:
        journal = MemoryJournal()
        journal.faults = [fault, fault, fault]
        node, core = engine(Durable(), journal)
        await node.start()
        answer: Answer | None = None

        def while_faulty(input: Input) -> list[Effect]:
            if isinstance(input, DiskState) and input.fault:
                assert answer is None
            return original(input)

        original, core.script = core.script, while_faulty
        answer = await node.call(PUBLISH, 5)
        assert answer == Accepted("1")
        await until(lambda: core.inputs[-1] == DiskState(None), "good disk again")
        assert [input for input in core.inputs if isinstance(input, DiskState)] == [DiskState(word), DiskState(None)]
        assert [len(batch) for batch in journal.batches] == [1]
        await node.stop()

    asyncio.run(scenario())


def test_a_slow_commit_is_reported_while_it_lasts_and_cleared_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "SLOW_COMMIT_S", 0.02)

    async def scenario() -> None:
        journal = MemoryJournal()
        node, core = engine(Durable(), journal)
        await node.start()
        journal.gate.clear()

        def ticking(input: Input) -> list[Effect]:
            core.wake_at = time.monotonic() + 0.01
            return original(input)

        original, core.script = core.script, ticking
        waiting = asyncio.create_task(node.call(PUBLISH, 5))
        await until(lambda: DiskState(None, slow=True) in core.inputs, "slow disk")
        journal.gate.set()
        await waiting
        await node.call(PUBLISH, 5)
        await until(lambda: DiskState(None, slow=False) in core.inputs, "quick disk")
        await node.stop()

    asyncio.run(scenario())


def test_a_corrupt_journal_stops_the_node_with_its_message() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        journal.faults = [JournalCorrupt(Path("journal.sqlite"), "row 7 is damaged")]
        node, _ = engine(Durable(), journal)
        await node.start()
        assert isinstance(await node.call(PUBLISH, 5), Maybe)
        assert "row 7 is damaged" in await node.stopped
        await node.stop()

    asyncio.run(scenario())


def test_a_bug_in_the_core_stops_the_node_and_says_where() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()

        def broken(input: Input) -> list[Effect]:
            if isinstance(input, Called):
                raise ZeroDivisionError("half way")
            return []

        node, core = engine(broken, journal)
        await node.start()
        assert isinstance(await node.call(PUBLISH, 5), Maybe)
        reason = await node.stopped
        assert "handling Called (ZeroDivisionError: half way)" in reason
        steps = len(core.inputs)
        refusal = await node.call(PUBLISH, 5)
        assert isinstance(refusal, Refusal)
        assert refusal.reason == "stopping"
        assert len(core.inputs) == steps
        await node.stop()

    asyncio.run(scenario())


def test_no_answer_in_time_is_a_maybe_and_the_core_hears_of_it() -> None:
    async def scenario() -> None:
        node, core = engine(lambda input: [], MemoryJournal())
        await node.start()
        answer = await node.call(PUBLISH, 0.01)
        assert isinstance(answer, Maybe)
        assert answer.reason == "timeout"
        assert core.inputs[-1] == Cancelled(1)
        await node.stop()

    asyncio.run(scenario())


def test_a_client_that_goes_is_cancelled_in_the_core() -> None:
    async def scenario() -> None:
        node, core = engine(lambda input: [], MemoryJournal())
        await node.start()
        client = asyncio.create_task(node.call(PUBLISH, 5))
        await until(lambda: "Called" in core.kinds(), "call")
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client
        assert core.inputs[-1] == Cancelled(1)
        await node.stop()

    asyncio.run(scenario())


def test_a_stop_commits_and_answers_what_was_gathered() -> None:
    async def scenario() -> None:
        journal = MemoryJournal()
        node, _ = engine(Durable(), journal)
        await node.start()
        calls = [asyncio.create_task(node.call(PUBLISH, 5)) for _ in range(3)]
        await until(lambda: node._disk.urgent > 0, "records")
        await node.stop()
        assert [await call for call in calls] == [Accepted("1"), Accepted("2"), Accepted("3")]
        await node.stop()

    asyncio.run(scenario())


def test_what_waits_for_an_earlier_envelope_is_heard_before_a_refusal_that_is_found_meanwhile() -> None:
    async def scenario() -> None:
        node, core = engine(lambda input: [], MemoryJournal(), settings("A", ("B", "http://127.0.0.1:1/api/v1")))
        await node.start()
        await until(lambda: core.kinds().count("LinkState") == 1, "refusal of a port where nobody listens")
        core.inputs.clear()
        for number in (1, 3):
            await delivered(node, envelope("B", "A", number=number))
        node.link_changed("B", refused=True)
        assert core.kinds() == ["Received", "Received", "LinkState"]
        await node.stop()

    asyncio.run(scenario())


def test_ticks_come_when_wanted_and_an_idle_core_gets_none() -> None:
    async def scenario() -> None:
        wanted = [0.01, 0.03, inf]
        ticks: list[tuple[float, float]] = []

        def script(input: Input) -> list[Effect]:
            if isinstance(input, Tick):
                now = time.monotonic()
                ticks.append((now, core.wake_at))
                core.wake_at = now + wanted.pop(0)
            return []

        node, core = engine(script, MemoryJournal())
        await node.start()
        await until(lambda: not wanted, "third tick")
        assert len(ticks) == 3
        assert all(now >= due for now, due in ticks[1:])
        assert node._timer is None
        await node.stop()

    asyncio.run(scenario())


def test_a_blocked_loop_is_reported_as_lag_and_then_as_over() -> None:
    async def scenario() -> None:
        lags: list[float] = []

        def script(input: Input) -> list[Effect]:
            core.wake_at = time.monotonic() + 0.005
            if type(input).__name__ == "LoopLag":
                lags.append(input.seconds)  # type: ignore[union-attr]
            return []

        node, core = engine(script, MemoryJournal())
        await node.start()
        time.sleep(0.2)  # noqa: ASYNC251 - what is tested is a loop that is held up
        await until(lambda: lags[-1:] == [0.0], "lag and its end")
        assert lags[0] > 0.1
        await node.stop()

    asyncio.run(scenario())


def test_a_hung_disk_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "MAX_UNWRITTEN_RECORDS", 10)

    async def scenario() -> None:
        journal, numbers = MemoryJournal(), iter(range(1, 100))

        def script(input: Input) -> list[Effect]:
            if isinstance(input, Received):
                number = next(numbers)
                return [Persist(number, tuple(Appended(event(number * 4 + at)) for at in range(4)))]
            return []

        node, core = engine(script, journal)
        await node.start()
        journal.gate.clear()
        await delivered(node, envelope("B", "A"))
        await until(lambda: node._disk.busy, "commit under way")
        for _ in range(10):
            await delivered(node, envelope("B", "A"))
        assert core.kinds().count("Received") == 1 + 3
        journal.gate.set()
        await until(lambda: len(journal.batches) == 2, "all on disk")
        await delivered(node, envelope("B", "A"))
        assert core.kinds().count("Received") == 1 + 3 + 1
        await node.stop()

    asyncio.run(scenario())
