"""How envelopes get from process to process: like the real link, or each alone.

`Exchange` is the node's own transport: one request in flight per peer and direction, all that waits in one envelope,
the answer carries what waits for the asker, a dead process refuses at once. `Datagrams` sends what one step had to say
alone, copies and all, in any order. Either may be lost; the core must live with both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from node.protocol.effects import LinkState, Received
from node.protocol.messages import Envelope, Message
from node.protocol.settings import Timing
from node.simulation.ground import Ground
from node.simulation.life import Life

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)

LAZY_S = 0.025
"""How long a lazy message waits for company."""
MAX_QUEUED = 1_000
"""Messages waiting for one peer; beyond it the oldest are dropped."""


def encode(envelope: Envelope) -> bytes:
    """An envelope as it goes on the wire."""
    return _encoder.encode(envelope)


def decode(data: bytes) -> Envelope:
    """An envelope as it comes off the wire, sharing nothing with the sender."""
    return _decoder.decode(data)


class Host(Protocol):
    """A machine as its peers meet it."""

    @property
    def up(self) -> bool:
        """Whether a process listens there."""
        ...

    def packet(self, data: bytes) -> None:
        """A datagram arrives."""
        ...

    def request(self, data: bytes, asker: "Transport", number: int) -> None:
        """A peer's request arrives."""
        ...


@dataclass(slots=True)
class _Link:
    queue: list[Message] = field(default_factory=list)
    armed: bool = False
    hurried: bool = False
    """Armed for something in a hurry, or for the end of a pause."""
    request: int = 0
    """Number of the request in flight, 0 when there is none."""
    refused: bool = False
    backoff_s: float = 0.0


class Transport:
    """One incarnation of a process's links: those of instance `owner` to `hosts`, who speak its core's envelopes."""

    def __init__(
        self, life: Life, ground: Ground, owner: str, hosts: Mapping[str, Host], timing: Timing,
        envelope: Callable[[str, tuple[Message, ...]], Envelope], receive: Callable[[bytes], object],
    ) -> None:  # fmt: skip
        self.owner = owner
        self._life = life
        self._ground = ground
        self._schedule = ground.schedule
        self._network = ground.network
        self._exchange = ground.plan.exchange
        self._hosts = hosts
        self._envelope = envelope
        self._receive = receive
        self._links: dict[str, _Link] = {}
        self._numbers = 0
        self._timeout_s = timing.heartbeat_interval
        self._max_backoff_s = min(timing.heartbeat_interval, 2.0)

    @property
    def waiting(self) -> int:
        """How many messages wait to be sent."""
        return sum(len(link.queue) for link in self._links.values())

    def _link(self, peer: str) -> _Link:
        link = self._links.get(peer)
        if link is None:
            link = self._links[peer] = _Link()
        return link

    def send(self, to: str, message: Message, lazy: bool) -> None:
        """Queue a message; it leaves with the next envelope."""
        link = self._link(to)
        link.queue.append(message)
        if len(link.queue) > MAX_QUEUED:
            del link.queue[0]
            self._ground.count("dropped from a full queue")
        if not link.request and not (link.armed if lazy else link.hurried):
            link.hurried = not lazy
            self._arm(to, link, LAZY_S if lazy else 0.0)

    def _arm(self, to: str, link: _Link, delay_s: float) -> None:
        link.armed = True
        self._schedule.after(delay_s, self._flush, to)

    def _flush(self, to: str) -> None:
        link = self._links[to]
        link.armed = link.hurried = False
        if self._life.ended or link.request or not link.queue or self._life.waits(self._flush, to):
            return
        data = self._drain(to, link)
        target = self._hosts.get(to)
        if target is None:
            return  # A member that does not run yet, or not any more.
        if not self._exchange:
            for delay in self._network.delays(self.owner, to):
                self._schedule.after(delay, target.packet, data)
            return
        self._numbers += 1
        link.request = self._numbers
        for delay in self._network.delays(self.owner, to):
            self._schedule.after(delay, target.request, data, self, self._numbers)
        self._schedule.after(self._timeout_s, self._timed_out, to, self._numbers)

    def _drain(self, to: str, link: _Link) -> bytes:
        envelope = self._envelope(to, tuple(link.queue))
        link.queue.clear()
        return encode(envelope)

    # The answering side.

    def answer(self, to: str, asker: "Transport", number: int) -> None:
        """Answer a request of `to` with what waits for it."""
        if self._life.ended:
            return
        link = self._link(to)
        data = self._drain(to, link) if link.queue else b""
        for delay in self._network.delays(self.owner, to)[:1]:
            self._schedule.after(delay, asker.answered, self.owner, number, data)

    # The asking side.

    def answered(self, peer: str, number: int, data: bytes) -> None:
        """The answer to our request has come; one that comes after the time-out finds the connection closed."""
        link = self._links[peer]
        if self._life.ended or link.request != number or self._life.waits(self.answered, peer, number, data):
            return
        link.request, link.backoff_s = 0, 0.0
        self.evidence(peer, refused=False)
        if data:
            self._receive(data)
        self._resume(peer, link, 0.0)

    def refused(self, peer: str, number: int) -> None:
        """The peer's host has refused our connection: evidence (H2), and a pause before the next attempt."""
        link = self._links[peer]
        if self._life.ended or link.request != number or self._life.waits(self.refused, peer, number):
            return
        link.request = 0
        link.backoff_s = min(max(link.backoff_s * 2, 0.05), self._max_backoff_s)
        self.evidence(peer, refused=True)
        self._resume(peer, link, link.backoff_s)

    def _timed_out(self, peer: str, number: int) -> None:
        link = self._links[peer]
        if not self._life.ended and link.request == number:
            link.request = 0
            self._resume(peer, link, 0.0)

    def _resume(self, peer: str, link: _Link, delay_s: float) -> None:
        if not self._life.ended and link.queue and not link.armed:
            link.hurried = True
            self._arm(peer, link, delay_s)

    def evidence(self, peer: str, refused: bool) -> None:
        """Tell the core when a peer's host begins or ceases to refuse connections."""
        link = self._link(peer)
        if self._life.ended or link.refused == refused or self._life.waits(self.evidence, peer, refused):
            return
        link.refused = refused
        if refused:
            self._schedule.after(self._max_backoff_s, self._reconnect, peer)
        self._life.step(LinkState(peer, refused))

    def _reconnect(self, peer: str) -> None:
        """Try the connection again, whether or not there is something to send; a paused process's host accepts it."""
        if self._life.ended or not self._links[peer].refused:
            return
        network, name, host = self._network, self.owner, self._hosts.get(peer)
        if network.open(name, peer) and network.open(peer, name) and host is not None and host.up:
            self.evidence(peer, refused=False)
        else:
            self._schedule.after(self._max_backoff_s, self._reconnect, peer)


def received(data: bytes) -> Received:
    """The input that a delivery makes."""
    return Received(decode(data))
