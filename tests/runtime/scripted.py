"""A core that does what a test says, a journal in memory, and a peer's end of the wire."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any, cast

import msgspec

from node.observability.log import EventLog
from node.observability.metrics import Metrics
from node.observability.traces import TraceRing
from node.protocol.effects import Effect, Input, Now
from node.protocol.events import Event
from node.protocol.messages import Envelope, Mark, Message
from node.protocol.records import FORMAT, Record
from node.protocol.settings import Member, Settings, Timing
from node.runtime.awaited import Awaited
from node.runtime.driver import Engine

DEADLINE_S = 60.0
"""Longer than anything takes on a machine that is busy with ten other things."""
FAST = Timing(heartbeat_interval=0.1, heartbeat_timeout=1.0)


def envelope(sender: str, to: str, *messages: Message, number: int = 0) -> Envelope:
    """An envelope with nothing special in its head."""
    mark = Mark(0, 0, 0, 0)
    return Envelope(FORMAT, "test", "digest", sender, to, "boot", "journal", 1, mark, None, messages, number=number)


async def delivered(node: Engine, envelope: Envelope) -> Envelope | None:
    """Deliver as a peer does, and give the answer."""
    answer = node.deliver(envelope, lambda waiting: waiting)
    return await answer if isinstance(answer, Awaited) else answer


class ScriptedCore:
    """Answers every input with what `script` says and remembers the inputs."""

    def __init__(self, local: str, script: Callable[[Input], list[Effect]]) -> None:
        self.local = local
        self.script = script
        self.inputs: list[Input] = []
        self.wake_at = inf
        self.vector: dict[str, int] = {}

    def step(self, now: Now, input: Input) -> list[Effect]:
        self.inputs.append(input)
        return self.script(input)

    def envelope(self, to: str, messages: tuple[Message, ...], number: int) -> Envelope:
        return envelope(self.local, to, *messages, number=number)

    def kinds(self) -> list[str]:
        return [type(input).__name__ for input in self.inputs]


class MemoryJournal:
    """Keeps batches; `gate` holds commits up, `faults` makes the next ones fail."""

    def __init__(self) -> None:
        self.batches: list[list[Record]] = []
        self.events: list[Event] = []
        self.gate = threading.Event()
        self.gate.set()
        self.faults: list[Exception] = []
        self.closed = False

    def is_brief(self, records: Sequence[Record]) -> bool:
        return False

    def commit(self, records: Sequence[Record]) -> None:
        if not self.gate.wait(DEADLINE_S):
            raise TimeoutError("the test never opened the gate")
        if self.faults:
            raise self.faults.pop(0)
        self.batches.append(list(records))

    def read(self, have: dict[str, int], limit: int, max_bytes: int) -> tuple[list[Event], bool]:
        lacking = [event for event in self.events if event.seq > have.get(event.journal, inf)]
        return lacking[:limit], len(lacking) > limit

    def list(self, *, since: dict[str, int] | None = None, limit: int, **_: Any) -> list[Event]:
        return [event for event in self.events if event.seq > (since or {}).get(event.journal, 0)][:limit]

    def close(self) -> None:
        self.closed = True


def settings(local: str, *urls: tuple[str, str]) -> Settings:
    """Fast settings of a cluster of `local` and peers by (id, url)."""
    members = tuple(sorted(Member(id, url) for id, url in (*urls, (local, "http://127.0.0.1:1/api/v1"))))
    return Settings(id=local, cluster="test", members=members, timing=FAST)


def engine(
    script: Callable[[Input], list[Effect]], journal: MemoryJournal, given: Settings | None = None
) -> tuple[Engine, ScriptedCore]:
    """An engine around a scripted core, not started."""
    given = given or settings("A")
    core = ScriptedCore(given.id, script)
    log = EventLog(given.id, "error")
    return Engine(given, cast(Any, core), cast(Any, journal), TraceRing(), Metrics(), log), core


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition that other tasks and threads bring about."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"in {DEADLINE_S:g} s there was no {what}"
        await asyncio.sleep(0.002)


class PeerServer:
    """The receiving end of a link: decodes envelopes, answers with what `answer` gives (bytes go out as they are)."""

    def __init__(self, answer: Callable[[Envelope], Awaitable[Envelope | bytes | None]], port: int = 0) -> None:
        self.answer = answer
        self.port = port
        self.got: list[Envelope] = []
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    async def start(self) -> "PeerServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                assert head.startswith("POST /api/v1/distributed/peer HTTP/1.1\r\n"), head
                assert "content-type: application/x-iwdc-envelope\r\n" in head, head
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                got = msgspec.msgpack.decode(await reader.readexactly(length), type=Envelope)
                self.got.append(got)
                answer = await self.answer(got)
                if isinstance(answer, bytes):
                    writer.write(answer)
                elif answer is None:
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                else:
                    body = msgspec.msgpack.encode(answer)
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)
