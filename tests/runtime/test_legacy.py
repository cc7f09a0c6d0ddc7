"""A member that still runs v1.6: counted, told, asked, and never a voter (M4)."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node import Node
from node.config import Config, Content, Observability
from node.embedded import Refused
from node.protocol.events import Event
from node.protocol.requests import Accepted, Ingest
from node.protocol.settings import LEGACY_PROTOCOL, Member, Settings
from node.runtime.legacy import LegacyFailed, call
from tests.ports import claimed
from tests.runtime.scripted import FAST, until


class OldInstance:
    """Answers as a v1.6 instance does and remembers what it was told."""

    def __init__(self, journal: object, port: int = 0) -> None:
        self.journal = journal
        self.told: list[tuple[str, Any]] = []
        self.port = port
        self.raw: bytes | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> "OldInstance":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def calls(self, path: str) -> list[Any]:
        return [body for told, body in self.told if told == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1].removeprefix("/api/v1/distributed/")
        length = int(head.split("content-length: ")[1].split("\r\n")[0]) if "content-length" in head else 0
        body = json.loads(await reader.readexactly(length)) if length else None
        self.told.append((path, body))
        answer = json.dumps({"success": True, "data": self.journal if path == "journal" else {}}).encode()
        ok = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer)
        writer.write(ok if self.raw is None else self.raw)
        writer.close()


def config(root: Path, port: int, old: OldInstance, *others: Member) -> Config:
    members = (
        Member("instance-A", f"http://127.0.0.1:{port}/api/v1"),
        Member("old", f"http://127.0.0.1:{old.port}/api/v1", LEGACY_PROTOCOL),
        *others,
    )
    return Config(
        settings=Settings(id="instance-A", cluster="test", members=members, timing=FAST),
        listen_host="127.0.0.1",
        listen_port=port,
        data_dir=root / "A",
        instances_path=root / "instances.json",
        content=Content(root / "content"),
        observability=Observability(log_level="warn", log_file=root / "A.log"),
    )


def test_it_is_counted_told_and_asked(tmp_path: Path) -> None:
    entry = {"id": "old-1", "type": "PLUGIN_INSTALLED", "timestamp": 1700000000000, "sourceInstance": "old"}

    async def scenario() -> None:
        old = await OldInstance({"events": [{**entry, "payloadHash": "ff"}]}, its_port).start()
        async with Node(config(tmp_path, port, old)) as node:
            await until(lambda: node.quorum().healthy == 2, "two healthy")
            beat = old.calls("heartbeat")[0]
            assert beat["instanceId"] == "instance-A"
            assert set(beat) == {"instanceId", "timestamp", "uptime", "status"}
            found: list[Any] = []
            while not found:
                found = node.engine.journal.list(types=("PLUGIN_INSTALLED",), limit=5)
                await asyncio.sleep(0.01)
            assert [(e.id, e.origin, e.payload) for e in found] == [("old-1", "old", {"payloadHash": "ff"})]

            answer = await node.propose_snapshot("1.2.0", "abc123", wait_s=5)
            assert answer.proposal.state == "accepted"
            assert answer.proposal.voters == ("instance-A",)
            await until(lambda: bool(old.calls("propose-snapshot")), "plain proposal")
            await node.publish("SNAPSHOT_CREATED", {"version": "1.2.0"}, id="build-7")
            await until(lambda: "build-7" in sent(old), "event")
            assert old.calls("propose-snapshot") == [{"version": "1.2.0", "hash": "abc123", "signature": None}]
            assert sent(old)["build-7"] == ("SNAPSHOT_CREATED", {"version": "1.2.0"}, "instance-A")
            assert not {"VOTES", "PLUGIN_INSTALLED"} & {kind for kind, *_ in sent(old).values()}

            await old.stop()
            await until(lambda: node.quorum().healthy == 1, "its absence")
            await node.publish("NOTE", {}, id="build-8")
            await old.start()
            await until(lambda: "build-8" in sent(old), "what it missed")
        await old.stop()

    with claimed(2) as [port, its_port]:
        asyncio.run(scenario())


def sent(old: OldInstance) -> dict[str, tuple[str, Any, str]]:
    return {
        event["id"]: (event["type"], event["payload"], event["sourceInstance"])
        for body in old.calls("sync")
        for event in body["events"]
    }


def test_what_its_journal_lists_without_a_payload_is_not_taken_for_what_it_sends(tmp_path: Path) -> None:
    late = {"id": "old-1", "type": "PLUGIN_INSTALLED", "timestamp": 1700000000000, "sourceInstance": "old"}
    never = late | {"id": "old-2"}

    async def scenario() -> None:
        old = await OldInstance({"events": [late, never]}).start()
        async with Node(config(tmp_path, port, old)) as node:

            def known() -> dict[str, Any]:
                return {e.id: e.payload for e in node.engine.journal.list(types=("PLUGIN_INSTALLED",), limit=5)}

            await until(lambda: bool(old.calls("journal")), "first look")
            sent = Event("old-1", "old", "", 0, "PLUGIN_INSTALLED", 1700000000000, 0, "", {"name": "units"})
            assert isinstance(await node.engine.call(Ingest("old", (sent,)), 5), Accepted)
            assert known()["old-1"] == {"name": "units"}
            await until(lambda: "old-2" in known(), "what was never sent")
            assert len(old.calls("journal")) > 1, "not before the second look"
            assert known() == {"old-1": {"name": "units"}, "old-2": {}}
        await old.stop()

    with claimed(1) as [port]:
        asyncio.run(scenario())


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"],
    ids=["closes", "not HTTP", "fails"],
)
def test_a_strange_answer_is_a_failed_call(raw: bytes) -> None:
    async def scenario() -> None:
        old = await OldInstance({}).start()
        old.raw = raw
        with pytest.raises(LegacyFailed, match=f"GET http://127.0.0.1:{old.port}/api/v1/distributed/journal"):
            await call(f"http://127.0.0.1:{old.port}/api/v1", "GET", "/distributed/journal")
        await old.stop()

    asyncio.run(scenario())


VOTE = {"votes": [{"proposal": "k-1", "hash": "abc", "round": 0, "vote": "accept"}]}
UNFIT: dict[str, dict[str, Any]] = {
    "no id": {"id": 7},
    "an empty id": {"id": ""},
    "a long type": {"type": "X" * 1000},
    "a type in two lines": {"type": "A\nB"},
    "another time": {"timestamp": 1e300},
    "a number beyond 64 bits": {"payload": {"n": 2**70}},
    "deep": {"payload": {"n": json.loads("[" * 100 + "]" * 100)}},
    "large": {"payload": {"n": "x" * 400_000}},
    "a voter's vote": {"type": "VOTES", "sourceInstance": "instance-B", "payload": VOTE},
    "a stranger's": {"sourceInstance": "instance-Q", "payload": {}},
}


def test_of_what_its_journal_lists_only_what_is_fit_and_its_own_is_taken(tmp_path: Path) -> None:
    fit = {"id": "old-1", "type": "NOTE", "timestamp": 1700000000000, "sourceInstance": "old", "payload": {"n": 1}}
    listed = [fit | {"id": f"bad-{at}"} | unfit for at, unfit in enumerate(UNFIT.values())]

    async def scenario() -> None:
        old = await OldInstance({"events": [*listed, fit]}).start()
        other = Member("instance-B", "http://127.0.0.1:9/api/v1")
        async with Node(replace(config(tmp_path, port, old, other), new_cluster=True)) as node:

            def known() -> list[Any]:
                return [(e.id, e.origin) for e in node.engine.journal.list(limit=50) if e.origin != "instance-A"]

            await until(lambda: bool(known()), "what is fit")
            looks = len(old.calls("journal"))
            await until(lambda: len(old.calls("journal")) > looks + 1, "two more looks")
            assert known() == [("old-1", "old")]
            assert not node.engine.stopped.done()
        await old.stop()

    with claimed(1) as [port]:
        asyncio.run(scenario())
    told = (tmp_path / "A.log").read_text().splitlines()
    refused = [line for line in told if "legacy_event_refused" in line]
    assert len(refused) == len(UNFIT) - 2, "each once; what others said is no fault"


def test_a_journal_that_is_none_is_survived(tmp_path: Path) -> None:
    async def scenario() -> None:
        old = await OldInstance({"events": [{"id": 7}]}).start()
        async with Node(config(tmp_path, port, old)) as node:
            await until(lambda: len(old.calls("heartbeat")) > 2, "heartbeats")
            with pytest.raises(Refused):
                await node.publish("VOTES", {})
            assert not node.engine.stopped.done()
        await old.stop()

    with claimed(1) as [port]:
        asyncio.run(scenario())
