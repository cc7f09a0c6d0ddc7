"""Content brought to voters before the vote: each is asked at its own pace, and one that hangs holds up nobody."""

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence

import pytest

from node.protocol.effects import Wanted
from node.protocol.settings import Member
from node.protocol.shapes import ContentRef
from node.runtime.content.staging import NotStaged, Staging
from tests.content.playing import Answer, played, stalled
from tests.runtime.scripted import until

FOR_EVER_S = 3600.0
KEY = "0" * 64
WANTED = Wanted("snapshot", "1.0.0", None, "1" * 64, ContentRef(KEY, 1_000, 3), "trace")


def saying(*said: Mapping[str, object]) -> Answer:
    """Says one thing after another, and the last again and again."""
    left = list(said)

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        assert path.endswith(f"/snapshots/contents/{KEY}/stage"), path
        assert json.loads(body)["version"] == "1.0.0"
        told = left.pop(0) if len(left) > 1 else left[0]
        return 200, json.dumps({"success": True, "data": {"key": KEY, "version": "1.0.0", **told}}).encode()

    return answer


HELD = {"state": "held", "doneBytes": 1_000, "totalBytes": 1_000}
HALF = {"state": "fetching", "doneBytes": 500, "totalBytes": 1_000}
BAD = {"state": "bad", "totalBytes": 1_000, "problem": "the root is another"}
FULL = {"state": "waiting", "totalBytes": 1_000, "problem": "the disk is full, 9 bytes are missing"}


def staged(members: Sequence[Member], needed: int) -> list[Mapping[str, str]]:
    """All that was shown until enough held it. Raises what staging does."""
    shown: list[Mapping[str, str]] = []

    async def story() -> None:
        try:
            await Staging(members, WANTED, needed, shown.append, FOR_EVER_S, FOR_EVER_S).run()
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}, "nobody is asked any more"

    asyncio.run(story())
    return shown


def test_it_goes_on_as_soon_as_enough_hold_it_though_one_hangs() -> None:
    with stalled() as (still, _), played("well", saying(HALF, HELD)) as well:
        shown = staged([still, well], 2)
    assert [each["well"] for each in shown if each["well"] != "asked"][-1] == "100 %"
    assert all("%" not in each["stalled"] for each in shown)


def test_a_member_that_does_not_answer_is_shown_as_such_while_another_goes_on() -> None:
    shown: list[Mapping[str, str]] = []

    async def story() -> None:
        with stalled() as (still, _), played("well", saying(HALF)) as well:
            task = asyncio.create_task(Staging([still, well], WANTED, 3, shown.append, FOR_EVER_S).run())
            await until(lambda: bool(shown) and shown[-1]["stalled"].startswith("no answer (for "), "silence is shown")
            assert shown[-1]["well"] == "50 %"
            task.cancel()
            await asyncio.wait((task,))

    asyncio.run(story())


def test_the_last_answer_of_one_that_went_away_is_kept_beside_why() -> None:
    def answers(served: list[int]) -> Answer:
        truth = saying(HALF)

        def answer(path: str, body: bytes) -> tuple[int, bytes]:
            served.append(1)
            return truth(path, body) if len(served) == 1 else (503, b'{"error": "not now"}')

        return answer

    shown: list[Mapping[str, str]] = []

    async def story() -> None:
        with played("gone", answers([])) as gone:
            task = asyncio.create_task(Staging([gone], WANTED, 2, shown.append).run())
            await until(lambda: bool(shown) and "503" in shown[-1]["gone"], "the refusal is shown")
            task.cancel()
            await asyncio.wait((task,))

    asyncio.run(story())
    assert shown[-1]["gone"].endswith("not now (for 0 s; before, 50 %)")


def _ended(line: socket.socket) -> bool:
    """Whether the other end closed the connection; what it sent before is read."""
    try:
        while line.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("end", ["enough", "cancelled"])
def test_nobody_is_being_asked_afterwards(end: str) -> None:
    async def story() -> None:
        with stalled() as (still, server), played("well", saying(HELD if end == "enough" else HALF)) as well:
            task = asyncio.create_task(Staging([still, well], WANTED, 2, lambda _: None, FOR_EVER_S).run())
            line, _ = await asyncio.to_thread(server.accept)
            with line:
                line.setblocking(False)
                if end == "cancelled":
                    task.cancel()
                await asyncio.wait((task,))
                assert task.cancelled() == (end == "cancelled")
                await until(lambda: _ended(line), "the connection is closed")
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "needed", "told"),
    [
        ([BAD, BAD], 2, "one: bad: the root is another; two: bad: the root is another"),
        ([BAD, HALF], 3, "one: bad: the root is another"),
    ],
    ids=["all refuse", "too few are left"],
)
def test_what_is_wrong_with_it_is_told_when_too_many_refuse(
    said: list[Mapping[str, object]], needed: int, told: str
) -> None:
    with (
        played("one", saying(said[0])) as one,
        played("two", saying(said[1])) as two,
        pytest.raises(NotStaged, match="voters must hold") as problem,
    ):
        staged([one, two], needed)
    assert problem.value.reason == "bad_content"
    assert told in str(problem.value)


def stuck(members: Sequence[Member], told: Mapping[str, str]) -> str:
    """What is said when it gets nowhere, once this is what is shown of each."""
    shown: list[Mapping[str, str]] = []

    async def story() -> str:
        staging = Staging(members, WANTED, 2, shown.append, FOR_EVER_S, stall_s=FOR_EVER_S)
        task = asyncio.create_task(staging.run())
        await until(lambda: bool(shown) and all(how in shown[-1][name] for name, how in told.items()), str(told))
        staging._moved -= 2 * FOR_EVER_S
        with pytest.raises(NotStaged, match="nothing has moved") as problem:
            await task
        assert problem.value.reason == "not_staged"
        return str(problem.value)

    return asyncio.run(story())


def test_what_each_said_is_told_when_it_gets_nowhere() -> None:
    with played("one", saying(FULL)) as one, played("two", saying(HALF)) as two:
        told = stuck([one, two], {"one": "disk is full", "two": "50 %"})
    assert "one: waiting: the disk is full, 9 bytes are missing; two: 50 %" in told


def test_one_that_refuses_connections_is_named_with_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    gone = Member("gone", f"http://127.0.0.1:{port}/api/v1")
    assert "gone: Connection refused (for " in stuck([gone], {"gone": "refused"})


def test_one_that_hangs_does_not_hide_that_too_many_refuse() -> None:
    with stalled() as (still, _), played("one", saying(BAD)) as one, pytest.raises(NotStaged, match="they refuse"):
        staged([still, one], 3)


def test_where_this_node_alone_is_enough_nobody_is_waited_for() -> None:
    with stalled() as (still, _):
        assert staged([still], 1)[-1] == {"stalled": "asked"}
