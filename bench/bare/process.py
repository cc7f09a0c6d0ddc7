"""One bare process: the hops of a durable verdict. `python -m bench.bare.process`, started by `bench.skeleton`.

What a client asks goes to the own disk, then to the next process, which judges it and writes its vote, then back to the
client; the third hears of it as well, and nobody waits for that. A claim on a lock goes to the first process, which has
it written in the same way. It answers those calls of a node that the load makes.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop

from bench.bare.disk import Disk
from bench.bare.link import Link, Voted, Votes
from bench.bare.shapes import Answer, Claim, Lock, Meta, Proposal, Quorum, Single, Verdict, Vote
from bench.cluster import API

LOCKS = f"{API}/locks/".encode()
BATCH = f"{API}/propose?".encode()
PEER, FORWARD = b"/peer", b"/forward"
FORWARDS = 8
"""Requests that a process may have with the first one: a lock need not wait for the one before it."""
LAZY_S = 0.025
"""How long what is for the third process waits for company, as in a node."""
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"

Entry = tuple[str, str]
"""What is asked for, and what it shall be: a version and its hash, or a resource and its owner."""

_decode_proposal = msgspec.json.Decoder(Proposal).decode
_decode_batch = msgspec.json.Decoder(list[Proposal]).decode
_decode_claim = msgspec.json.Decoder(Claim).decode
_decode_events = msgspec.msgpack.Decoder(list[list[Entry]]).decode
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Bare:
    """What a process knows and whom it asks. With `parallel` the own disk and the other's write at the same time."""

    def __init__(self, at: int, path: Path, *, on_loop: bool, durable: bool, parallel: bool) -> None:
        loop = asyncio.get_running_loop()
        self.name = f"node-{at:03}"
        self.disk = Disk(path, loop, on_loop=on_loop, durable=durable)
        self.leader = Link(FORWARD, loop, most=FORWARDS) if at else None
        self._next, self._third = Link(PEER, loop), Link(PEER, loop, wait_s=LAZY_S)
        self._parallel = parallel
        self._known: dict[str, str] = {}

    async def connect(self, at: int, ports: Sequence[int]) -> None:
        """Reach the other two."""
        await self._next.connect(ports[(at + 1) % 3])
        await self._third.connect(ports[(at + 2) % 3])
        if self.leader is not None:
            await self.leader.connect(ports[0])

    def judge(self, entries: Sequence[Entry]) -> Votes:
        """A vote for each: the first of a name is taken."""
        known = self._known
        return ["accept" if known.setdefault(name, content) == content else "reject" for name, content in entries]

    def decide(self, event: bytes, voted: Voted) -> None:
        """Bring it to the own disk and to another's, and tell the votes of that one."""
        if self._parallel:
            both = _Both(voted)
            self.disk.add(event, both.written)
            self._next.send(event, both.voted)
            self._third.send(event, _nobody)
        else:
            self.disk.add(event, lambda: self._ask(event, voted))

    def _ask(self, event: bytes, voted: Voted) -> None:
        self._next.send(event, voted)
        self._third.send(event, _nobody)


class _Both:
    """Waits for the own disk and for the other's votes, whichever comes last."""

    def __init__(self, then: Voted) -> None:
        self._then = then
        self._votes: Votes | None = None
        self._written = False

    def written(self) -> None:
        self._written = True
        if self._votes is not None:
            self._then(self._votes)

    def voted(self, votes: Votes) -> None:
        self._votes = votes
        if self._written:
            self._then(votes)


def _nobody(votes: Votes) -> None:
    """The votes of the third: nothing waits for them."""


class Server(asyncio.Protocol):
    """A connection of a client, or of another process."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._url = url

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        body, self._body = self._body, b""
        if self._url == PEER:
            self._vote(body)
        elif self._url == FORWARD:
            self._lead(body)
        elif self._url.startswith(LOCKS):
            self._claim(body)
        elif self._url.startswith(BATCH):
            self._propose(_decode_batch(body), lambda verdicts: [Single(verdict) for verdict in verdicts])
        else:
            self._propose([_decode_proposal(body)], lambda verdicts: verdicts[0])

    def _propose(self, proposals: list[Proposal], shape: Callable[[list[Verdict]], Verdict | list[Single]]) -> None:
        entries = [(proposal.version, proposal.hash) for proposal in proposals]
        own, at = self._bare.judge(entries), _now_ms()

        def voted(votes: Votes) -> None:
            names, later = (self._bare.name, "node-002"), _now_ms()
            self._answer(
                shape(
                    [
                        Verdict(
                            f"snapshot-{version}-{at}",
                            Quorum(),
                            "accepted" if mine == theirs == "accept" else "rejected",
                            {names[0]: Vote(mine, at), names[1]: Vote(theirs, later)},
                        )
                        for (version, _), mine, theirs in zip(entries, own, votes, strict=True)
                    ]
                )
            )

        self._bare.decide(_pack(entries), voted)

    def _claim(self, body: bytes) -> None:
        claim = _decode_claim(body)
        resource = self._url[len(LOCKS) :].partition(b"/")[0].decode()
        event = _pack([(resource, claim.owner)])
        ask = self._bare.decide if self._bare.leader is None else self._bare.leader.send
        ask(event, lambda _: self._answer(Lock(resource, claim.owner, claim.fencing_token + 1)))

    def _lead(self, body: bytes) -> None:
        """Decide what another process passes on, all of one request together."""
        events = _decode_events(body)
        votes = [self._bare.judge(entries) for entries in events]
        together = _pack([entry for entries in events for entry in entries])
        self._bare.decide(together, lambda _: self._write(_pack(votes)))

    def _vote(self, body: bytes) -> None:
        votes = _pack([self._bare.judge(entries) for entries in _decode_events(body)])
        self._bare.disk.add(body + votes, lambda: self._write(votes))

    def _answer(self, data: Verdict | list[Single] | Lock) -> None:
        self._write(_json(Answer(data, Meta(_now_ms()))))

    def _write(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(ANSWER % (len(body), body))


def _now_ms() -> int:
    return int(time.time() * 1000)


async def serve(bare: Bare, at: int, ports: Sequence[int]) -> None:
    """Be one of the three, until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(bare), "127.0.0.1", ports[at])
    await bare.connect(at, ports)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("at", type=int, choices=range(3))
    parser.add_argument("ports", type=int, nargs=3)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--on-loop", action="store_true")
    parser.add_argument("--volatile", action="store_true")
    parser.add_argument("--parallel", action="store_true")
    given = parser.parse_args()

    async def run() -> None:
        bare = Bare(given.at, given.file, on_loop=given.on_loop, durable=not given.volatile, parallel=given.parallel)
        await serve(bare, given.at, given.ports)

    uvloop.run(run())


if __name__ == "__main__":
    main()
