"""A network that can fail: every node's address is a proxy that knows who calls and cuts or slows single directions.

A cut direction holds what is sent until it is mended, as TCP does with lost packets; new connections open and stay
silent. A node that is down refuses connections here too, for a refused connection is evidence (H2): its proxy stops
listening before the connections it carried are broken, and listens again when the node does. Only where no other member
could hear the refusal, all ways being cut, does it go on listening in silence.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from iwdc_console.demo.ports import HOST
from node.protocol.messages import Envelope

CHUNK_BYTES = 65536
MAX_UNDER_WAY = 256
"""Chunks of one direction of a connection that are held back or on their way."""
PROBE_S = 0.02
"""How often a node that is down is tried."""
BROKEN = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, msgspec.MsgspecError)
"""What ends a connection through a proxy, and no more."""


class Way(NamedTuple):
    """One direction between two members."""

    source: str
    target: str


class Network:
    """Proxies for a cluster. `targets`: name -> the port that the node listens on; `ports`: what the others use.

    An async context manager; the faults may be called from its loop alone, and take effect at once.
    """

    def __init__(self, targets: Mapping[str, int]) -> None:
        self._doors = {name: _Door(self, name, port) for name, port in targets.items()}
        self.ports = {name: door.port for name, door in self._doors.items()}
        self._cut: dict[Way, asyncio.Event] = {}
        self._delays_s: dict[Way, float] = {}

    async def __aenter__(self) -> Self:
        for door in self._doors.values():
            door.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for door in self._doors.values():
            await door.end()

    @property
    def cuts(self) -> list[Way]:
        """The directions that are cut."""
        return sorted(self._cut)

    @property
    def delays_s(self) -> Mapping[Way, float]:
        """The directions that are slow, and by how many seconds."""
        return self._delays_s

    def cut(self, source: str, target: str) -> None:
        """Nothing more arrives from `source` at `target`; the other direction works on."""
        self._cut.setdefault(Way(source, target), asyncio.Event())

    def delay(self, source: str, target: str, seconds: float) -> None:
        """All that `source` sends to `target` takes that much longer."""
        self._delays_s[Way(source, target)] = seconds

    def mend(self, source: str, target: str) -> None:
        """This direction works again, at full speed; what was held arrives now."""
        self._delays_s.pop(Way(source, target), None)
        if mended := self._cut.pop(Way(source, target), None):
            mended.set()

    def split(self, groups: Sequence[Iterable[str]]) -> None:
        """Cut every direction between any two groups."""
        for here, there in itertools.permutations([list(group) for group in groups], 2):
            for source, target in itertools.product(here, there):
                self.cut(source, target)

    def heal(self) -> None:
        """Everything works again, at full speed."""
        for way in [*self._cut, *self._delays_s]:
            self.mend(*way)

    def delay_s(self, way: Way) -> float:
        """How much longer a chunk takes on this way."""
        return self._delays_s.get(way, 0.0)

    def is_cut(self, way: Way) -> bool:
        """Whether nothing arrives on this way."""
        return way in self._cut

    async def passable(self, way: Way) -> None:
        """Wait until this way is not cut."""
        while cut := self._cut.get(way):
            await cut.wait()

    def can_hear(self, name: str) -> bool:
        """Whether any other member would hear an answer from the host of `name`."""
        others = self._doors.keys() - {name}
        return any(not self.is_cut(Way(other, name)) and not self.is_cut(Way(name, other)) for other in others)


class _Door:
    """The proxy before one node."""

    def __init__(self, network: Network, name: str, target: int) -> None:
        self._network = network
        self._name = name
        self._target = target
        # Bound and never listening: it keeps the port while the door is shut.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._listening: socket.socket | None = None
        self._relays: set[asyncio.Task[None]] = set()
        # One look at a time: two that found the node gone would both watch for its return.
        self._looking = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    def open(self) -> None:
        if self._listening is None:
            self._listening = _bound(self.port)
            self._listening.listen()
            asyncio.get_running_loop().add_reader(self._listening, self._welcome, self._listening)

    def _shut(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    async def end(self) -> None:
        self._shut()
        tasks = [*self._relays, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._holder.close()

    def _welcome(self, listening: socket.socket) -> None:
        """Not left to an `asyncio.Server`: between its accepting and its telling, `end` would miss a connection."""
        try:
            caller, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        caller.setblocking(False)
        relay = asyncio.ensure_future(self._serve(caller))
        self._relays.add(relay)

        def part(done: asyncio.Task[None]) -> None:
            self._relays.discard(done)
            caller.close()

        relay.add_done_callback(part)

    async def _serve(self, caller: socket.socket) -> None:
        with contextlib.suppress(*BROKEN):
            reader, writer = await asyncio.open_connection(sock=caller)
            try:
                await self._relay(reader, writer)
            finally:
                writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, sender = await _first_request(reader)
        try:
            onward, outward = await asyncio.open_connection(HOST, self._target)
        except ConnectionRefusedError:
            await self._look()
            return
        there, back = Way(sender, self._name), Way(self._name, sender)
        carriers = (
            asyncio.ensure_future(self._carry(first, reader, outward, there)),
            asyncio.ensure_future(self._carry(b"", onward, writer, back)),
        )
        try:
            await asyncio.wait(carriers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for carrier in carriers:
                carrier.cancel()
            await asyncio.gather(*carriers, return_exceptions=True)
            outward.transport.abort()

    async def _carry(self, first: bytes, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: Way) -> None:
        """Until `source` ends; what is under way then still arrives, unless the way is cut."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_UNDER_WAY)
        delivery = asyncio.ensure_future(self._deliver(under_way, target, way))
        try:
            data = first or await _chunk(source)
            while data:
                await under_way.put((loop.time() + self._network.delay_s(way), data))
                data = await _chunk(source)
            if way.source == self._name:
                # The node may be gone: the door is shut before its peers learn it and come back.
                await self._look()
            if not self._network.is_cut(way):
                await under_way.put((loop.time(), b""))
                await delivery
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)

    async def _deliver(
        self, under_way: "asyncio.Queue[tuple[float, bytes]]", target: asyncio.StreamWriter, way: Way
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await under_way.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self._network.passable(way)
            if not data:
                target.close()
                await target.wait_closed()
                return
            target.write(data)
            await target.drain()

    async def _look(self) -> None:
        """Shut the door if nobody is behind it, and watch for the node's return."""
        async with self._looking:
            if self._watch is None and not await self._answers():
                self._settle()
                self._watch = asyncio.ensure_future(self._await_return())

    def _settle(self) -> None:
        """Refuse where that can be heard; elsewhere listen, in silence."""
        if self._network.can_hear(self._name):
            self._shut()
        else:
            self.open()

    async def _await_return(self) -> None:
        try:
            while not await self._answers():
                self._settle()
                await asyncio.sleep(PROBE_S)
            self.open()
        finally:
            self._watch = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self._target)
        except ConnectionRefusedError:
            return False
        writer.transport.abort()
        return True


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.setblocking(False)
    made.bind((HOST, port))
    return made


async def _chunk(source: asyncio.StreamReader) -> bytes:
    """What comes next; nothing at the end, also when the connection broke."""
    try:
        return await source.read(CHUNK_BYTES)
    except OSError:
        return b""


async def _first_request(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """The first request of a connection, and which instance sent it; "" for a client."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if not head.split(b" ")[1].endswith(b"/distributed/peer"):
        return head, ""
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    return head + body, msgspec.msgpack.decode(body, type=Envelope).sender
