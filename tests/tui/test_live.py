"""The live source against nodes that fail, lie and come back."""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from iwdc_console.tui.model.observation import Observation, PartName
from iwdc_console.tui.source import live
from iwdc_console.tui.source.answers import BadAnswer, decode
from iwdc_console.tui.source.events import MAX_MESSAGE_BYTES, messages
from iwdc_console.tui.source.live import PUBLISH_S, LiveSource
from tests.cli.fake import Asked, FakeNode, Hang, Raw, Refuse, running

DEADLINE_S = 60.0
STATUS = {
    "id": "instance-A", "cluster": "prod", "quorum": {"total": 3, "healthy": 3, "required": 2, "sufficient": True},
    "leader": {"id": "instance-A", "term": 4}, "instances": [{"id": "instance-A", "status": "healthy"}],
}  # fmt: skip
EVENTS = "GET distributed/events"
STREAM = "GET distributed/events/stream"


def event(number: int) -> dict[str, Any]:
    return {"id": f"e{number}", "origin": "A", "seq": number, "type": "X", "timestamp": number, "payload": {}}


def sse(*numbers: int) -> bytes:
    return b"".join(b"id: c%d\nevent: X\ndata: %b\n\n" % (n, json.dumps(event(n)).encode()) for n in numbers)


def node(**routes: Any) -> dict[str, Any]:
    """Routes of a node that works; `status` and the like stand for their paths."""
    base: dict[str, Any] = {"GET distributed/status": STATUS, EVENTS: [event(1)], STREAM: Raw(200, b"", "x")}
    return base | {f"GET distributed/{name}": value for name, value in routes.items()}


def until(source: LiveSource, met: Callable[[Observation], bool]) -> Observation:
    """The first observation that meets a condition."""

    async def look() -> Observation:
        async with asyncio.timeout(DEADLINE_S), aclosing(source.observations()) as observations:
            async for one in observations:
                if met(one):
                    return one
        raise AssertionError("the source ended")

    return asyncio.run(look())


def test_a_node_tells_and_its_cluster_gives_the_name() -> None:
    with running(node()) as fake:
        source = LiveSource([fake.url])
        seen = until(source, lambda one: one.status is not None and one.events is not None)
    assert seen.link.up
    assert seen.status is not None
    assert seen.status.node == fake.url
    assert (seen.link.rtt_ms or 0) > 0
    assert source.context == "prod"


def test_the_next_node_is_asked_when_one_does_not_answer() -> None:
    with running(node()) as good:
        seen = until(LiveSource(["http://127.0.0.1:1", good.url]), lambda one: one.link.up)
    assert seen.link.node == good.url
    assert seen.link.error == ""


def test_the_node_beside_the_console_is_asked_again_once_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HOME_S", 0.1)
    starting = [True]

    def starts(asked: Asked) -> Any:
        return _hang() if starting[0] else STATUS

    with running(node(status=starts)) as own, running(node()) as other:
        source = LiveSource([own.url, other.url], poll_s=0.05, home=own.url)

        def moved(seen: Observation) -> bool:
            if seen.link.up and seen.link.node == other.url:
                starting[0] = False
            return seen.link.up and not starting[0] and seen.link.node == own.url

        assert until(source, moved).link.node == own.url


def test_members_that_the_cluster_named_are_asked_when_the_given_nodes_are_gone() -> None:
    with running(node()) as second:
        members = [{"id": "B", "url": f"{second.url}/api/v1"}, {"id": "C", "url": "not a url"}]
        answers = iter([STATUS | {"instances": members}])

        def once(asked: Asked) -> Any:
            return next(answers, None) or _hang()

        with running(node(status=once)) as first:
            seen = until(LiveSource([first.url]), lambda one: one.link.node == second.url and one.link.up)
    assert seen.status is not None


def _hang() -> Any:
    raise Hang


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Raw(200, b"<html>hello</html>"), "not what a node answers"),
        (Raw(200, b'{"success": true, "data": {"quorum": 7}, "meta": {}}'), "not what a node answers"),
        (Raw(200, b"\xff\xfe"), "not what a node answers"),
        (Raw(200, b"[" * 100_000), "not what a node answers"),
        (Raw(200, b""), "not what a node answers"),
        (Raw(503, b"{}"), "answered 503"),
        (Raw(302, b""), "answered 302"),
        (lambda asked: _hang(), "closed without an answer"),
    ],
)
def test_a_broken_answer_is_a_sentence_and_the_next_try_is_counted(answer: Any, why: str) -> None:
    with running(node(status=answer)) as fake:
        seen = until(LiveSource([fake.url]), lambda one: one.link.next_try_s is not None)
    assert why in seen.link.error
    assert seen.link.tried == (fake.url,)
    assert seen.status is None


def test_what_was_known_stays_when_all_nodes_are_gone() -> None:
    with running(node()) as fake:
        answers = iter([STATUS])
        fake.routes["GET distributed/status"] = lambda asked: next(answers, None) or _hang()
        seen = until(LiveSource([fake.url]), lambda one: one.status is not None and one.link.next_try_s is not None)
    assert seen.status is not None
    assert seen.status.value.cluster == "prod"
    assert not seen.link.up


def test_one_part_that_fails_leaves_the_others_alone() -> None:
    locks = [{"resource": "r", "owner": "o", "fencingToken": 1, "brandNew": {"field": 1}}]
    with running(node(locks=locks, drift=Raw(200, b'{"success": true, "data": 5}'))) as fake:
        source = LiveSource([fake.url])
        source.want(frozenset({"locks", "drift", "conflicts"}))
        seen = until(source, lambda one: one.locks is not None and len(one.troubles) == 2)
    assert seen.link.up
    assert seen.locks is not None
    assert seen.locks.value[0].resource == "r"
    assert seen.troubles.keys() == {"conflicts", "drift"}


def test_what_differs_is_asked_for_once_and_again_when_it_failed_and_one_wants_it() -> None:
    changes = "GET snapshots/1.5.0/changes"
    summary, told = {"version": "1.5.0", "files": 3}, {"from": "1.4.0", "to": "1.5.0", "summary": {"models": {}}}

    def refuse(asked: Asked) -> Any:
        raise Refuse(409, {"reason": "content_fault"}, "too much")

    routes = {"GET snapshots": [], "GET snapshots/1.5.0/summary": summary, changes: refuse}
    with running(node() | routes) as fake:
        source = LiveSource([fake.url], poll_s=0.05)
        source.want(frozenset({"versions", "summary", "comparison"}))
        source.look_at_version("1.5.0", "1.4.0")

        async def look() -> Observation:
            async with asyncio.timeout(DEADLINE_S), aclosing(source.observations()) as observations:
                async for one in observations:
                    if len(fake.requests("GET snapshots/1.5.0/summary")) > 5 and "comparison" in one.troubles:
                        assert len(fake.requests(changes)) == 1
                        fake.routes[changes] = told
                        source.retry()
                    if one.comparison is not None:
                        return one
            raise AssertionError("the source ended")

        seen = asyncio.run(look())
    assert seen.summary is not None
    assert seen.comparison is not None
    assert (seen.summary.value.files, seen.comparison.value.from_) == (3, "1.4.0")
    assert "comparison" not in seen.troubles
    assert fake.requests(changes)[0].query == "base=1.4.0"


def test_every_member_is_asked_for_its_clock_and_the_leader_for_its_lease() -> None:
    leads = {"id": "instance-B", "term": 4, "leaseRemainingMs": 900, "leaseMs": 1_500}
    with running(node(drift={"instance": "instance-B"}, leader=leads)) as second:
        members = [
            {"id": "instance-A", "url": "http://127.0.0.1:1", "status": "healthy"},
            {"id": "instance-B", "url": second.url, "status": "healthy"},
            {"id": "instance-C", "url": second.url, "status": "unreachable"},
        ]
        told = STATUS | {"instances": members, "leader": {"id": "instance-B", "term": 4}}
        own = node(drift={"instance": "instance-A"}, leader=leads | {"leaseRemainingMs": 0})
        with running(own | {"GET distributed/status": told}) as fake:
            source = LiveSource([fake.url])
            source.want(frozenset({"leader", "clocks"}))
            seen = until(source, lambda one: one.clocks is not None and one.leader is not None)
    assert seen.clocks is not None
    assert [each.instance for each in seen.clocks.value] == ["instance-B"], "A cannot be reached, C is not asked"
    assert seen.leader is not None
    assert (seen.leader.value.lease_remaining_ms, seen.leader.value.lease_ms) == (900, 1_500)


@pytest.mark.parametrize("part", ["trace", "clocks"])
def test_a_member_that_hangs_is_not_waited_for(part: PartName) -> None:
    over, began = threading.Event(), list[int]()

    def hang(asked: Asked) -> Any:
        began.append(len(fake.requests("GET distributed/status")))
        over.wait(DEADLINE_S)
        raise Hang

    spans = [{"id": "s1", "instance": "instance-A", "name": "VOTE", "startMs": 1.0, "durationMs": 2.0}]
    path = {"trace": "GET distributed/traces/t1", "clocks": "GET distributed/drift"}[part]
    with running({path: hang}) as hanging:
        members = [{"id": "instance-C", "url": hanging.url, "status": "healthy"}]
        told = STATUS | {"instances": members}
        answers: dict[str, Any] = {"GET distributed/status": told, "GET distributed/traces/t1": spans}
        with running(node() | answers) as fake:
            members.append({"id": "instance-A", "url": fake.url, "status": "healthy"})
            source = LiveSource([fake.url], poll_s=0.01)
            source.want(frozenset({part}))
            source.look_at_trace("t1")

            def goes_on(one: Observation) -> bool:
                begun = bool(began) and (part == "clocks" or one.trace is not None)
                return begun and len(fake.requests("GET distributed/status")) - began[-1] > 3

            seen = until(source, goes_on)
            assert seen.link.up
            if seen.trace is not None:
                assert [span.id for span in seen.trace.value.spans] == ["s1"]
                assert seen.trace.value.missing == ("instance-C",)
            over.set()


def test_a_node_that_asks_the_others_for_long_is_not_waited_for() -> None:
    over, began = threading.Event(), list[int]()

    def slow(asked: Asked) -> Any:
        began.append(len(fake.requests("GET distributed/status")))
        over.wait(DEADLINE_S)
        return []

    with running(node() | {"GET snapshots": slow}) as fake:
        source = LiveSource([fake.url], poll_s=0.01)
        source.want(frozenset({"versions"}))

        def goes_on(one: Observation) -> bool:
            return bool(began) and len(fake.requests("GET distributed/status")) - began[-1] > 3

        until(source, goes_on)
        over.set()


def test_only_what_the_screen_needs_is_asked() -> None:
    with running(node(locks=[])) as fake:
        source = LiveSource([fake.url])
        until(source, lambda one: one.status is not None and one.events is not None)
        assert {one.path for one in fake.asked} <= {
            "distributed/status", "distributed/events", "distributed/events/stream"
        }  # fmt: skip


def test_events_go_on_where_the_stream_was_torn() -> None:
    streams = iter([Raw(200, sse(2, 3), "text/event-stream"), Raw(200, sse(4), "text/event-stream")])
    with running(node()) as fake:
        fake.routes[STREAM] = lambda asked: next(streams, Raw(200, b"", "text/event-stream"))
        seen = until(LiveSource([fake.url]), lambda one: one.events is not None and len(one.events.value) == 4)
        assert seen.events is not None
        assert [one.id for one in seen.events.value] == ["e1", "e2", "e3", "e4"]
        assert fake.requests(STREAM)[1].headers["last-event-id"] == "c3"
        assert len(fake.requests(EVENTS)) == 1, "the tail is asked for once"


def test_a_lagging_reader_takes_up_where_it_was_told_to() -> None:
    lagged = b'id: c9\nevent: lagged\ndata: {"cursor": "c9", "detail": "slow"}\n\n'
    streams = iter([Raw(200, sse(2) + lagged, "x"), Raw(200, sse(10), "x")])
    with running(node()) as fake:
        fake.routes[STREAM] = lambda asked: next(streams, Raw(200, b"", "x"))
        until(LiveSource([fake.url]), lambda one: one.events is not None and one.events.value[-1].id == "e10")
        assert fake.requests(STREAM)[1].headers["last-event-id"] == "c9"


def test_refused_events_leave_the_rest_alone() -> None:
    def refuse(asked: Asked) -> Any:
        raise Refuse(400, {"reason": "bad_request"}, "no")

    with running(node() | {EVENTS: refuse}) as fake:
        source = LiveSource([fake.url])
        until(source, lambda one: one.status is not None and len(fake.requests(EVENTS)) > 1)


def test_messages_may_come_in_any_pieces() -> None:
    whole = b": alive\n\n" + sse(1, 2, 3)

    async def read(size: int) -> list[str]:
        async def chunks() -> Any:
            for start in range(0, len(whole), size):
                yield whole[start : start + size]

        return [one.cursor async for batch in messages(chunks()) for one in batch]

    for size in (1, 7, 50, 10_000):
        assert asyncio.run(read(size)) == ["c1", "c2", "c3"]


def test_a_message_without_end_is_cut_off() -> None:
    async def endless() -> Any:
        while True:
            yield b"data: " + b"x" * 1_000_000

    async def read() -> None:
        async for _ in messages(endless()):
            raise AssertionError("nothing is whole")

    with pytest.raises(BadAnswer, match=str(MAX_MESSAGE_BYTES)):
        asyncio.run(read())


def test_retry_does_not_wait_for_the_next_try() -> None:
    async def look(fake: FakeNode) -> float:
        source = LiveSource([fake.url])
        async with asyncio.timeout(DEADLINE_S), aclosing(source.observations()) as observations:
            async for one in observations:
                if one.link.next_try_s is not None:
                    break
            asked = len(fake.asked)
            source.retry()
            async for _ in observations:
                if len(fake.asked) > asked:
                    break
            return source._pause_s

    with running(node(status=Raw(500, b""))) as fake:
        assert asyncio.run(look(fake)) <= 1.0


def test_metrics_are_text() -> None:
    assert decode("metrics", b"a 1\n\xff") == "a 1\n�"


def test_a_quiet_cluster_is_asked_for_its_status_alone_and_r_asks_for_all() -> None:
    async def run(fake: FakeNode) -> tuple[int, int]:
        source = LiveSource([fake.url], poll_s=0.01)
        source.want(frozenset({"locks", "proposals"}))
        async with asyncio.timeout(DEADLINE_S), aclosing(source.observations()) as observations:
            async for _ in observations:
                if len(fake.requests("GET distributed/status")) > 5:
                    break
            before = len(fake.requests("GET distributed/locks"))
            source.retry()
            async for _ in observations:
                if len(fake.requests("GET distributed/locks")) > before:
                    break
        return before, len(fake.requests("GET distributed/locks"))

    with running(node(status=STATUS | {"events": 3}, locks=[], proposals=[])) as fake:
        assert asyncio.run(run(fake)) == (1, 2)
        assert len(fake.requests("GET distributed/proposals")) <= 2


def test_however_much_happens_observations_are_far_enough_apart() -> None:
    async def run(fake: FakeNode) -> list[float]:
        times: list[float] = []
        source = LiveSource([fake.url], poll_s=0.001)
        async with asyncio.timeout(DEADLINE_S), aclosing(source.observations()) as observations:
            async for _ in observations:
                times.append(asyncio.get_running_loop().time())
                if len(times) == 4:
                    return times
        raise AssertionError("the source ended")

    with running(node()) as fake:
        times = asyncio.run(run(fake))
    assert all(later - earlier >= PUBLISH_S * 0.99 for earlier, later in pairwise(times))
