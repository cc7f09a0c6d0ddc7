"""Instructions that three cores take, counted by valgrind: exact where seconds swing. `python -m bench.instructions`.

No disk and no network is in it: what one core sends is encoded, and decoded by the next, as links do it. A figure is
the difference of two runs of different length, so that what starting takes is not in it. Hashes of texts are fixed, for
they decide how dictionaries are laid out.
"""

import argparse
import gc
import os
import random
import re
import shutil
import subprocess
import sys
from collections import deque
from itertools import count
from typing import Final

import msgspec

from node.protocol.core import Core
from node.protocol.effects import Called, Gathered, Input, Now, Persist, Persisted, Received, Reply, Send, Tick
from node.protocol.messages import Envelope, Message
from node.protocol.records import Durable
from node.protocol.requests import AcquireLock, Answer, LockGranted, Propose, ProposeMany, ReleaseLock, Request
from node.protocol.settings import Member, Settings

NAMES: Final = ("A", "B", "C")
STEP_S: Final = 0.003
"""Virtual time from one piece of work to the next."""
BEAT_S: Final = 0.1
FORM_BEATS: Final = 450
"""After these the three have a leader, and are all well."""
SHORT, LONG = 30, 90
"""Pieces of work of the two runs."""
BATCH: Final = 100
BATCHES: Final = (1, 4, 13, BATCH)
"""Proposals of one event, as one client makes them, 16, 64, and the batch call."""


class Trio:
    """Three cores that hear one another at once, and whose disks are as quick."""

    def __init__(self) -> None:
        self.mono = 100.0
        self._queue: deque[tuple[str, Input | bytes]] = deque()
        self._answers: dict[int, Answer] = {}
        self._calls = count(1)
        self._numbers: dict[tuple[str, str], int] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Envelope).decode
        members = tuple(Member(id=name, url=f"http://127.0.0.1:1/{name}") for name in NAMES)
        self._cores = {
            name: Core(
                Settings(id=name, members=members, cluster="bench"), Durable(), random.Random(name), self._now(),
                f"boot-{name}", new_cluster=True,
            )
            for name in NAMES
        }  # fmt: skip
        for _ in range(FORM_BEATS):
            self.beat()
        leaders = {core.view_leader(self._now()).id for core in self._cores.values()}
        if len(leaders) != 1 or None in leaders:
            raise RuntimeError(f"no one leader after {FORM_BEATS} beats: {leaders}")

    def beat(self) -> None:
        """Time passes."""
        self.mono += BEAT_S
        for name in NAMES:
            self._step(name, Tick())
        self._settle()

    def ask(self, name: str, requests: list[Request]) -> list[Answer]:
        """Clients' requests that come at one moment, and what they are answered."""
        self.mono += STEP_S
        calls = tuple(Called(next(self._calls), request) for request in requests)
        self._step(name, Gathered(calls) if len(calls) > 1 else calls[0])
        self._settle()
        return [self._answers.pop(called.call) for called in calls]

    def _now(self) -> Now:
        return Now(self.mono, 1.8e12 + self.mono * 1000)

    def _step(self, name: str, given: Input) -> None:
        core, durable = self._cores[name], 0
        waiting: dict[str, list[Message]] = {}
        for effect in core.step(self._now(), given):
            if type(effect) is Send:
                waiting.setdefault(effect.to, []).append(effect.message)
            elif type(effect) is Persist:
                durable = effect.number
            elif type(effect) is Reply:
                self._answers[effect.call] = effect.answer
        for to, messages in waiting.items():
            number = self._numbers[name, to] = self._numbers.get((name, to), 0) + 1
            self._queue.append((to, self._encode(core.envelope(to, tuple(messages), number))))
        if durable:
            self._queue.append((name, Persisted(durable)))

    def _settle(self) -> None:
        while self._queue:
            name, given = self._queue.popleft()
            self._step(name, Received(self._decode(given)) if isinstance(given, bytes) else given)


def work(kind: str, pieces: int) -> None:
    """Do it: `lock`, or proposals so many at a time, at each of the three in turn."""
    trio, versions = Trio(), count(1)
    gc.disable()
    for piece in range(pieces):
        name = NAMES[piece % len(NAMES)]
        if kind == "lock":
            (granted,) = trio.ask(name, [AcquireLock("r", "bench", f"r{piece}", 30.0)])
            if not isinstance(granted, LockGranted):
                raise RuntimeError(f"a lock was answered with {granted}")
            trio.ask(name, [ReleaseLock("r", "bench", granted.lock.fencing_token, f"r{piece}")])
        else:
            numbers = [next(versions) for _ in range(int(kind))]
            one_call = len(numbers) == BATCH
            traces = [f"{numbers[0] if one_call else n:032x}" for n in numbers]
            asks = [
                Propose("snapshot", f"1.0.{n}", "f" * 64, wait_s=20.0, trace=trace)
                for n, trace in zip(numbers, traces, strict=True)
            ]
            trio.ask(name, [ProposeMany(tuple(asks))] if one_call else [*asks])
        if piece % 30 == 0:
            trio.beat()


def counted(kind: str, pieces: int) -> int:
    """Instructions of a whole run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-m", __spec__.name]
    ran = subprocess.run(
        [*command, "--work", kind, str(pieces)], env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Collected : (\d+)", ran.stderr)
    if ran.returncode != 0 or found is None:
        sys.exit(f"{kind}: {ran.stderr.strip().splitlines()[-1]}")
    return int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", nargs=2, metavar=("KIND", "PIECES"), help="do it once, uncounted")
    given = parser.parse_args()
    if given.work is not None:
        work(given.work[0], int(given.work[1]))
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed; it counts the instructions")
    for kind in ("lock", *map(str, BATCHES)):
        each = (counted(kind, LONG) - counted(kind, SHORT)) / (LONG - SHORT)
        what = "a lock and its release" if kind == "lock" else f"a proposal, {kind} of one event"
        each /= 1 if kind == "lock" else int(kind)
        print(f"{what}: {each / 1000:,.1f} thousand instructions of three cores", flush=True)


if __name__ == "__main__":
    main()
