"""The link to one peer: a long-lived HTTP/1.1 connection that carries one envelope at a time.

All that waits for the peer goes in the next envelope. Links are independent: a peer that hangs holds up nobody else.
A connection that breaks is opened again at once; what its host answers to that is evidence (H2). While a peer cannot be
reached, messages to it are dropped and counted: every message may be lost.

Time-outs follow from the settings: a connection must open within `heartbeat_timeout / 3` and a delivery be answered
within `heartbeat_timeout`; attempts to reach a lost peer are at most `min(heartbeat_interval, 5 s)` apart;
when the peer itself delivers, the next attempt follows at once.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections import deque
from typing import Protocol, cast
from urllib.parse import urlsplit

import httptools
import msgspec

from node.protocol.context import Rng
from node.protocol.messages import Envelope, Message
from node.protocol.settings import Member, Timing
from node.runtime.alarm import Alarm

ENVELOPE_TYPE = "application/x-iwdc-envelope"
MAX_ENVELOPE_BYTES = 4 * 1024 * 1024
"""What one envelope gathers, unless a single message is larger."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""The largest answer that is read: an envelope with one message of the largest kind."""
MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What may wait for one peer; beyond it the oldest message is dropped."""
MAX_WAITING_MESSAGES = 20_000
LAZY_S = 0.025
"""How long a lazy message waits for company: several verdicts of a lone client."""
MAX_RETRY_S = 5.0
FIRST_RETRY_S = 0.05

_envelope_encoder = msgspec.msgpack.Encoder()
_envelope_decoder = msgspec.msgpack.Decoder(Envelope)


class Node(Protocol):
    """What a link needs of the node it belongs to."""

    def envelope(self, to: str, messages: tuple[Message, ...], number: int) -> Envelope:
        """Address `messages` to a peer."""
        ...

    def received(self, envelope: Envelope) -> None:
        """Take in what a peer answered."""
        ...

    def link_changed(self, peer: str, refused: bool) -> None:
        """Take in evidence about a peer (H2)."""
        ...

    def exchanged(self, peer: str, outcome: str, dropped: int = 0) -> None:
        """Count an exchange with a peer by its outcome, or messages dropped."""
        ...


class Link:
    """All traffic that this node starts with one peer."""

    def __init__(self, node: Node, peer: Member, timing: Timing, rng: Rng) -> None:
        url = urlsplit(peer.url)
        self._node = node
        self._peer = peer.id
        self._host, self._port = url.hostname or "", url.port or 80
        self._head = (
            f"POST {url.path}/distributed/peer HTTP/1.1\r\nhost: {url.netloc}\r\n"
            f"content-type: {ENVELOPE_TYPE}\r\ncontent-length: "
        ).encode("ascii")
        self._connect_timeout_s = timing.heartbeat_timeout / 3
        self._answer_timeout_s = timing.heartbeat_timeout
        self._max_retry_s = min(timing.heartbeat_interval, MAX_RETRY_S)
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[msgspec.Raw] = deque()
        self._waiting_bytes = 0
        self._number = 0
        self._urgent = False
        self._flush_due = False
        self._lazy = Alarm(self._loop, self._flush_soon)
        self._connection: Connection | None = None
        self._awaiting = False
        self._settled = asyncio.Event()
        """Set when a delivery has been answered, or will not be."""
        self._unanswered = Alarm(self._loop, self._time_out)
        self.answering = False
        """An answer to the peer is being made; what is sent meanwhile goes with it."""
        self._reachable = True
        self._refused = False
        self._nudged = asyncio.Event()
        self._task = self._loop.create_task(self._keep_open(), name=f"link to {peer.id}")

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self._connection is not None

    @property
    def pressing(self) -> bool:
        """Whether something in a hurry waits."""
        return self._urgent

    def send(self, message: msgspec.Raw, lazy: bool) -> None:
        """Put an encoded message into the next envelope; a lazy one waits up to `LAZY_S` for company."""
        if not self._reachable:
            self._node.exchanged(self._peer, "unreachable", dropped=1)
            return
        waiting = self._waiting
        waiting.append(message)
        self._waiting_bytes += len(message)
        while self._waiting_bytes > MAX_WAITING_BYTES or len(waiting) > MAX_WAITING_MESSAGES:
            self._waiting_bytes -= len(waiting.popleft())
            self._node.exchanged(self._peer, "overflow", dropped=1)
        if not lazy:
            if self.answering:
                self._urgent = True
            else:
                self._flush_soon()
        elif not self._urgent:
            self._lazy.by(self._loop.time() + LAZY_S)

    def take(self) -> Envelope | None:
        """What waits for the peer, as one envelope (at most `MAX_ENVELOPE_BYTES`, or one message); None: nothing.

        Its messages are already encoded: it is for an encoder, not for reading.
        """
        waiting = self._waiting
        if not waiting:
            return None
        if self._waiting_bytes <= MAX_ENVELOPE_BYTES:
            messages = tuple(waiting)
            waiting.clear()
            self._waiting_bytes = 0
        else:
            size = len(waiting[0])
            gathered = [waiting.popleft()]
            while waiting and size + len(waiting[0]) <= MAX_ENVELOPE_BYTES:
                size += len(waiting[0])
                gathered.append(waiting.popleft())
            self._waiting_bytes -= size
            messages = tuple(gathered)
        if waiting:
            self._flush_soon()
        else:
            self._urgent = False
            self._lazy.off()
        self._number += 1
        return self._node.envelope(self._peer, cast(tuple[Message, ...], messages), self._number)

    def heard(self) -> None:
        """The peer delivers: what it gets waits for the answer, and it is worth reaching soon."""
        self.answering = True
        if self._connection is None:
            self._reachable = True
            self._nudged.set()

    async def drain(self) -> None:
        """Deliver what waits, lazy or not, as far as the peer can be reached. Wait no longer than you would for it."""
        while self._connection is not None and (self._waiting or self._awaiting):
            self._settled.clear()
            self._flush()
            await self._settled.wait()

    async def close(self) -> None:
        """Close the connection and stop trying."""
        self._lazy.close()
        self._unanswered.close()
        self._task.cancel()
        await asyncio.wait((self._task,))
        if self._connection is not None:
            self._connection.abort()
        self._drop_waiting()

    def answered(self, connection: "Connection", status: int, body: bytes, keep_alive: bool) -> None:
        """An answer is complete. Without `keep_alive` the peer closes the connection now."""
        if connection is not self._connection or not self._awaiting:
            connection.abort()
            return
        self._ends()
        if not keep_alive:
            self._connection = None
            connection.abort()
        if status == 200:
            try:
                envelope = _envelope_decoder.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._node.exchanged(self._peer, "bad_answer")
                self._connection = None
                connection.abort()
                return
            self._node.exchanged(self._peer, "ok")
            self._node.received(envelope)
        else:
            self._node.exchanged(self._peer, "ok" if status == 204 else str(status))
        self.press()

    def lost(self, connection: "Connection") -> None:
        """The connection is gone, and with it what was under way."""
        if connection is not self._connection:
            return
        self._connection = None
        if self._awaiting:
            self._node.exchanged(self._peer, "broken")
        self._ends()

    def _flush_soon(self) -> None:
        # One loop iteration's messages leave together.
        self._urgent = True
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def press(self) -> None:
        """Deliver what is in a hurry now: nothing that should go with it is still to come."""
        if self._urgent:
            self._flush()

    def _flush(self) -> None:
        self._flush_due = False
        if self._connection is None or self._awaiting:
            return
        envelope = self.take()
        if envelope is None:
            return
        body = _envelope_encoder.encode(envelope)
        self._connection.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        self._awaiting = True
        self._unanswered.by(self._loop.time() + self._answer_timeout_s)

    def _ends(self) -> None:
        self._awaiting = False
        self._unanswered.off()
        self._settled.set()

    def _time_out(self) -> None:
        self._node.exchanged(self._peer, "timeout")
        self._ends()
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _keep_open(self) -> None:
        failures = 0
        while True:
            connection = await self._connect()
            if connection is not None:
                await connection.closed
                if connection.served:
                    failures = 0
                    continue
            # Half to all of the pause, so that nodes which lost the same peer do not come back in step.
            pause_s = min(self._max_retry_s, FIRST_RETRY_S * 2.0**failures) * (0.5 + self._rng.random() / 2)
            failures = min(failures + 1, 16)
            shortest_s = min(pause_s, FIRST_RETRY_S)
            await asyncio.sleep(shortest_s)
            if pause_s > shortest_s and not self._nudged.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s - shortest_s):
                        await self._nudged.wait()
            self._nudged.clear()

    async def _connect(self) -> "Connection | None":
        connection = Connection(self, self._loop)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                for host in await self._addresses():
                    try:
                        await self._loop.create_connection(lambda: connection, host, self._port)
                        break
                    except (ConnectionRefusedError, ConnectionResetError):
                        continue
                else:
                    raise ConnectionRefusedError
        except OSError as problem:  # a time-out is one too
            connection.abort()
            self._reachable = False
            self._drop_waiting()
            refused = isinstance(problem, ConnectionRefusedError)
            if refused and not self._refused:
                self._refused = True
                self._node.link_changed(self._peer, refused=True)
            return None
        if connection.closed.done():
            return connection
        self._connection = connection
        self._reachable = True
        if self._refused:
            self._refused = False
            self._node.link_changed(self._peer, refused=False)
        if self._waiting:
            self._flush()
        return connection

    async def _addresses(self) -> list[str]:
        try:
            return [str(ipaddress.ip_address(self._host))]
        except ValueError:
            found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            return [str(address[0]) for *_, address in found]

    def _drop_waiting(self) -> None:
        if self._waiting:
            self._node.exchanged(self._peer, "unreachable", dropped=len(self._waiting))
        self._waiting.clear()
        self._waiting_bytes = 0


class Connection(asyncio.Protocol):
    """One connection to a peer: writes requests, puts answers together."""

    def __init__(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._body = bytearray()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.served = False
        """Whether it carried an exchange to its end."""

    def write(self, data: bytes) -> None:
        """Send one request."""
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # What is written leaves at once; else uvloop waits for the end of its iteration.
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        del self._parser  # it holds this, and would be found by a search for garbage only
        self._link.lost(self)
        if not self.closed.done():
            self.closed.set_result(None)

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._body += data
        if len(self._body) > MAX_ANSWER_BYTES:
            self.abort()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        body = bytes(self._body)
        self._body.clear()
        self.served = True
        self._link.answered(self, self._parser.get_status_code(), body, self._parser.should_keep_alive())
