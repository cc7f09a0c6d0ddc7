"""The demo's host: a process that runs the nodes and the network between them, apart from whatever shows them.

`python -m iwdc_console.demo.host FOLDER NODES` takes orders (`faults`) as JSON lines on standard input and answers each
on standard output; the first line it writes answers its own start. It ends, with every node and with the folder, when
its input ends, however that came about, and on TERM, INT and HUP.
"""

import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path

import msgspec

from iwdc_console.demo import ports
from iwdc_console.demo.faults import (
    BEAT_S,
    SILENCE_S,
    Answer,
    Condition,
    Cut,
    Delay,
    Heal,
    Impaired,
    Kill,
    Look,
    Member,
    Mend,
    Orders,
    Pause,
    Restart,
    Resume,
    Skew,
    Split,
    Start,
    State,
    Wipe,
)
from iwdc_console.demo.network import Network, Way
from iwdc_console.demo.ports import HOST
from iwdc_console.demo.removal import remove

CLUSTER = "demo"
SETTINGS = (
    f"node.cluster={CLUSTER}",
    f"timing.heartbeat_interval={BEAT_S}",
    f"timing.heartbeat_timeout={SILENCE_S}",
    "timing.election_interval=2",
    "timing.drift_interval=1",
    "timing.uptime_tolerance=30",
)
LETTERS = "ABCDEFG"
STOP_S = 5.0
"""What a node gets to stop in good order."""
MAX_ORDER_BYTES = 65536


class Unable(Exception):
    """An order that cannot be carried out; the text says why, and what to do instead."""


class Host:
    """The nodes, their network, and what has been done to them."""

    def __init__(self, folder: Path, ids: Sequence[str], listening: Sequence[int]) -> None:
        self._folder = folder
        self._listening = dict(zip(ids, listening, strict=True))
        self._network = Network(self._listening)
        self._processes: dict[str, Process] = {}
        self._conditions: dict[str, tuple[Condition, float]] = {}
        self._skews: dict[str, tuple[float, float]] = {}
        self._impaired_since: dict[Way, float] = {}

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Start all nodes, then carry out orders until there are no more."""
        api = "api/v1/distributed/sync"
        members = [{"id": id_, "url": f"http://{HOST}:{port}/{api}"} for id_, port in self._network.ports.items()]
        (self._folder / "instances.json").write_text(json.dumps(members, indent=2))
        try:
            async with self._network:
                for id_ in self._listening:
                    await self._start(id_)
                _write(Answer(self.state()))
                while line := await orders.readline():
                    _write(await self._answer(line))
        finally:
            await self._kill_all()

    async def _answer(self, line: bytes) -> Answer:
        try:
            await self.carry_out(msgspec.json.decode(line, type=Orders))
        except (Unable, msgspec.MsgspecError) as problem:
            return Answer(self.state(), str(problem))
        return Answer(self.state())

    async def carry_out(self, order: Orders) -> None:
        """Do what an order says. Raises Unable; nothing is changed then."""
        match order:
            case Look():
                return
            case Kill() | Start() | Restart() | Wipe() | Pause() | Resume() | Skew():
                self._known(order.node)
                await self._to_node(order)
            case Cut() | Delay() | Mend():
                self._known(order.source, order.target)
                self._to_link(order)
            case Split():
                self._known(*(name for group in order.groups for name in group))
                self._network.split(order.groups)
            case Heal():
                await self._heal()
        ways = {*self._network.cuts, *self._network.delays_s}
        self._impaired_since = {way: self._impaired_since.get(way, _now_ms()) for way in ways}

    def state(self) -> State:
        """How everything stands."""
        return State(tuple(map(self._member, self._listening)), tuple(self._impaired()))

    async def _to_node(self, order: Kill | Start | Restart | Wipe | Pause | Resume | Skew) -> None:
        id_ = order.node
        condition = self._condition(id_)
        match order:
            case Kill():
                await self._kill(id_)
            case Start():
                if condition != "down":
                    raise Unable(f"{id_} runs; restart it instead")
                await self._start(id_)
            case Restart():
                await self._stop(id_)
                await self._start(id_)
            case Wipe():
                if condition != "down":
                    await self._kill(id_)
                # In a thread: the links go on meanwhile.
                await asyncio.to_thread(remove, self._folder / id_)
                await self._start(id_)
            case Pause():
                if condition != "running":
                    raise Unable(f"{id_} is {condition}; only a running node can be paused")
                self._processes[id_].send_signal(signal.SIGSTOP)
                self._became(id_, "paused")
            case Resume():
                if condition != "paused":
                    raise Unable(f"{id_} is {condition}, not paused")
                self._processes[id_].send_signal(signal.SIGCONT)
                self._became(id_, "running")
            case Skew():
                self._skew(id_, order.offset_ms)

    def _to_link(self, order: Cut | Delay | Mend) -> None:
        if order.source == order.target:
            raise Unable(f"a link joins two nodes, and {order.source} was named twice")
        match order:
            case Cut():
                self._network.cut(order.source, order.target)
            case Delay():
                self._network.delay(order.source, order.target, order.delay_ms / 1000)
            case Mend():
                self._network.mend(order.source, order.target)

    async def _heal(self) -> None:
        self._network.heal()
        for id_ in self._listening:
            if id_ in self._skews:
                self._skew(id_, 0.0)
            match self._condition(id_):
                case "paused":
                    await self._to_node(Resume(id_))
                case "down":
                    await self._start(id_)

    async def _start(self, id_: str) -> None:
        """Start a node in a process group of its own: ctrl-c is for whoever shows the demo."""
        listen = f"{HOST}:{self._listening[id_]}"
        line = [sys.executable, "-m", "iwdc_console.demo.member", id_, listen, str(self._folder / id_)]
        with (self._folder / f"{id_}.log").open("ab") as log:
            self._processes[id_] = await asyncio.create_subprocess_exec(
                *line, str(self._folder / "instances.json"), *SETTINGS,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, process_group=0,
            )  # fmt: skip
        self._tell_offset(id_)
        said = self._processes[id_].stdout
        assert said is not None
        # Its word that it dies with us: stopped (SIGSTOP) before that, it would outlive us. Nothing if it has ended.
        await said.readline()
        self._became(id_, "running")

    async def _kill(self, id_: str) -> None:
        if self._condition(id_) == "down":
            raise Unable(f"{id_} is down already; start it first")
        self._processes[id_].kill()
        await self._processes[id_].wait()
        self._became(id_, "down")

    async def _stop(self, id_: str) -> None:
        """In good order; a node that does not end is killed."""
        process = self._processes[id_]
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            await self._kill(id_)

    async def _kill_all(self) -> None:
        # The disks go with the demo: nothing is gained by an end in good order.
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.wait() for process in self._processes.values()))

    def _skew(self, id_: str, offset_ms: float) -> None:
        if offset_ms:
            self._skews[id_] = (offset_ms, _now_ms())
        else:
            self._skews.pop(id_, None)
        if self._condition(id_) != "down":
            self._tell_offset(id_)

    def _tell_offset(self, id_: str) -> None:
        stdin = self._processes[id_].stdin
        assert stdin is not None
        stdin.write(f"{self._skews.get(id_, (0.0, 0.0))[0]}\n".encode())

    def _known(self, *ids: str) -> None:
        for id_ in ids:
            if id_ not in self._listening:
                raise Unable(f"there is no {id_}; the nodes are {', '.join(self._listening)}")

    def _became(self, id_: str, condition: Condition) -> None:
        self._conditions[id_] = (condition, _now_ms())

    def _condition(self, id_: str) -> Condition:
        condition, _ = self._conditions[id_]
        if condition != "down" and self._processes[id_].returncode is not None:
            # It ended by itself, or somebody else ended it.
            self._became(id_, "down")
            return "down"
        return condition

    def _member(self, id_: str) -> Member:
        condition = self._condition(id_)
        skew_ms, skewed_at_ms = self._skews.get(id_, (0.0, 0.0))
        url = f"http://{HOST}:{self._listening[id_]}"
        return Member(id_, url, condition, self._conditions[id_][1], skew_ms, skewed_at_ms)

    def _impaired(self) -> list[Impaired]:
        return [
            Impaired(*way, self._network.is_cut(way), self._network.delay_s(way) * 1000, since_ms)
            for way, since_ms in sorted(self._impaired_since.items())
        ]


def _now_ms() -> float:
    return time.time() * 1000


def _write(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


async def _run(folder: Path, nodes: int) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    orders = asyncio.StreamReader(MAX_ORDER_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    ids = [f"instance-{letter}" for letter in LETTERS[:nodes]]
    try:
        with ports.claimed(nodes) as listening:
            await Host(folder, ids, listening).run(orders)
    except asyncio.CancelledError:
        return
    finally:
        remove(folder)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2])))
