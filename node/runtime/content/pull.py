"""One pull: a content, fetched from all peers that have it, in threads. What is here stays, whatever ends it.

They are asked for its manifest (or what differs from one that is here), then for what no version here has: by several
threads, each with a connection of its own. Every byte is verified. A peer that gives wrong bytes is named and passed
over for these; one that fails is left out of the rest of this pull.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from node.artifacts.blobs import PIECE_BYTES
from node.artifacts.changes import Changes, rebuild
from node.artifacts.checks import parse_manifest
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadDiff, BadManifest, BadPath, TooMuch, WrongBase
from node.artifacts.incoming import Incoming
from node.artifacts.limits import BLOCK_BYTES
from node.artifacts.manifest import Manifest
from node.artifacts.store import Holding, Store
from node.artifacts.system import begin_sync
from node.runtime.content.asking import PeerFailed
from node.runtime.content.holders import Holders
from node.runtime.content.pace import Pace
from node.runtime.content.peer import Answer, Peer
from node.runtime.content.unpacking import Unpacking
from node.runtime.content.work import OnBad, Pack, Run, Unit, Work

THREADS: Final = 2
"""Connections of one pull."""
FLUSH_S: Final = 0.2
FLUSH_FILES: Final = 1_000
READ_BYTES: Final = 512 * 1024
IDLE_PATIENCE_S: Final = 5.0
"""A peer that gives nothing for so long is left out once another has nothing left to do: that one can give it."""
MAX_BAD: Final = 16
"""Wrong files after which a peer is left out of a pull."""


class Unserved(Exception):
    """The content cannot be had now: nobody has it, or those who have it fail. Worth another try later."""


class Stopped(Exception):
    """The pull is not wanted any more."""


class Pull:
    """The pull of the content `key` from the peers that hold it.

    `done_bytes`, `total_bytes`, `given` (bytes by peer) and `problems` (what was wrong with a peer) may be read at any
    time.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        holders: Holders,
        pace: Pace,
        on_bad: OnBad,
    ) -> None:
        self._store = store
        self._key = key
        self._members = {member.id: member for member in holders.versions}
        self._versions = {member.id: version for member, version in holders.versions.items()}
        self._pace = pace
        self._on_bad = on_bad
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._fault: Exception | None = None
        self._giving: set[Peer] = set()
        self.problems = dict(holders.problems)
        self._bad: Counter[str] = Counter()
        self.done_bytes = 0
        self.total_bytes = 0
        self.given: Counter[str] = Counter()

    def stop(self) -> None:
        """End it soon."""
        self._stop.set()
        if self._work is not None:
            self._work.end()

    def run(self, check: Callable[[Manifest], None]) -> Holding:
        """Fetch it; held when this returns. `check` may refuse the manifest by raising.

        Raises Unserved, Stopped, BadManifest, BadPath, TooMuch, BadContent (a manifest that contradicts itself),
        NoSpace, ContentFault, and what `check` raises.
        """
        if not self._members:
            raise Unserved("nobody has it" + self._told())
        manifest = self._manifest()
        check(manifest)
        with self._store.receiving(manifest) as incoming:
            self.total_bytes = manifest.size_bytes
            self.done_bytes = self.total_bytes - incoming.missing_bytes
            if not incoming.whole:
                self._fetch_all(incoming, list(self._members))
            if self._stop.is_set():
                raise Stopped
            if not incoming.whole:
                raise Unserved(f"{incoming.lacking:,} files are still missing{self._told()}")
            return self._store.finish(incoming)

    def _manifest(self) -> Manifest:
        for name, version in self._versions.items():
            try:
                with Peer(self._members[name]) as peer:
                    return self._manifest_of(peer, version)
            except PeerFailed as problem:
                self.problems[name] = str(problem)
        raise Unserved("nobody gives its manifest" + self._told())

    def _manifest_of(self, peer: Peer, version: str) -> Manifest:
        base = next(iter(self._store.bases(version)), None)
        known = None if base is None else self._store.manifest(base)
        most = self._store.limits.max_manifest_bytes
        found = peer.manifest(self._key, None if known is None else known.key, most)
        if not isinstance(found, bytes):
            try:
                return self._rebuilt(known, found)
            except (BadDiff, BadPath, BadManifest, TooMuch, WrongBase):
                found = peer.manifest(self._key, None, most)
        if not isinstance(found, bytes):
            raise PeerFailed(peer.id, "gave changes where a manifest was asked for")
        if hashlib.sha256(found).hexdigest() != self._key:  # what is in it is not the content's fault
            raise PeerFailed(peer.id, "gave the manifest of another content")
        return parse_manifest(found, self._store.limits)

    def _rebuilt(self, known: Manifest | None, changes: Changes) -> Manifest:
        """The manifest that changes of a known one lead to."""
        if known is None or changes.key != self._key:
            raise BadDiff("changes of another manifest")
        return rebuild(known, changes, self._store.limits)

    def _fetch_all(self, incoming: Incoming, holders: Sequence[str]) -> None:
        self._work = work = Work(
            incoming, self._older(incoming.manifest.version), self._wrong, self._found, self._overtake
        )
        names = [holders[at % len(holders)] for at in range(max(THREADS, len(holders)))]
        all_here = threading.Event()
        flusher = threading.Thread(target=_flush, args=(incoming, all_here), name="flush")
        with Unpacking(incoming, work, self._failed) as unpacking:
            args = incoming, work, unpacking
            threads = [threading.Thread(target=self._fetch, args=(*args, name), name="pull") for name in names]
            for thread in (*threads, flusher):
                thread.start()
            for thread in threads:
                thread.join()
        work.close()
        all_here.set()
        flusher.join()
        if self._fault is not None:
            raise self._fault

    def _older(self, version: str) -> dict[str, tuple[str, FileEntry]]:
        """The large files of the nearest version that is here."""
        base = next(iter(self._store.bases(version)), None)
        listed = None if base is None else self._store.manifest(base)
        if base is None or listed is None or not listed.has_blocks:
            return {}
        return {each.path: (base.path(each), each) for each in listed.entries if each.blocks}

    def _wrong(self, peer: str, path: str) -> None:
        self._bad[peer] += 1
        if self._bad[peer] <= MAX_BAD:  # a pack of it may bring a thousand more
            self.problems[peer] = f"{peer}: gave wrong bytes for {path}"
            self._on_bad(peer, path)

    def _failed(self, fault: Exception) -> None:
        """Of any thread: the pull ends, and whoever waits for it is told."""
        self._fault = fault
        if self._work is not None:
            self._work.end()

    def _fetch(self, incoming: Incoming, work: Work, unpacking: Unpacking, name: str) -> None:
        """One thread's part of it."""
        buffer = memoryview(bytearray(PIECE_BYTES))
        done: Unit | None = None
        with self._giver(name) as peer:
            while not self._stop.is_set() and self._bad[name] < MAX_BAD:
                unit = None
                try:
                    unit = work.take(name, done)
                    if unit is None:
                        return
                    if isinstance(unit, Pack):
                        self._take_pack(unpacking, peer, unit)
                        unit = None
                        continue
                    self._take_run(incoming, peer, unit, buffer)
                    done, unit = unit, None
                    work.done(done, name)
                except PeerFailed as problem:
                    self.problems[name] = str(problem)
                    return
                except Stopped:
                    return
                except Exception as fault:  # noqa: BLE001 - told to the thread that waits for the pull
                    self._failed(fault)
                    return
                finally:
                    if unit is not None:
                        work.back(unit)

    @contextmanager
    def _giver(self, name: str) -> Iterator[Peer]:
        with Peer(self._members[name]) as peer:
            with self._lock:
                self._giving.add(peer)
            try:
                yield peer
            finally:
                with self._lock:
                    self._giving.remove(peer)

    def _overtake(self, idle: str) -> None:
        """A peer has nothing to do: what others have long begun to give, and do not, goes back."""
        with self._lock:
            for peer in self._giving:
                if peer.id != idle:
                    peer.give_up(IDLE_PATIENCE_S)

    def _take_pack(self, unpacking: Unpacking, peer: Peer, pack: Pack) -> None:
        """Fetch small files."""
        size = pack.size
        buffer = unpacking.buffer(size)
        try:
            self._read(peer.parts(self._key, pack.parts), peer.id, memoryview(buffer)[:size])
        except BaseException:
            unpacking.back(buffer)
            raise
        unpacking.take(pack, peer.id, buffer)

    def _take_run(self, incoming: Incoming, peer: Peer, run: Run, buffer: memoryview) -> None:
        if not run.blocks:
            return
        blob = run.large.blob
        lengths = [blob.length(block) for block in run.blocks]
        answer = peer.parts(self._key, [(run.large.place, run.blocks[0] * BLOCK_BYTES, sum(lengths))])
        for block, length in zip(run.blocks, lengths, strict=True):
            incoming.write(blob, block, self._pieces(answer, peer.id, length, buffer))

    def _pieces(self, answer: Answer, peer: str, length: int, buffer: memoryview) -> Iterator[memoryview]:
        """The next `length` bytes of an answer, piece by piece in the same buffer."""
        for at in range(0, length, len(buffer)):
            piece = buffer[: min(len(buffer), length - at)]
            self._read(answer, peer, piece)
            yield piece

    def _read(self, answer: Answer, peer: str, view: memoryview) -> None:
        at = 0
        while at < len(view):
            if self._stop.is_set():
                raise Stopped
            count = answer.read_into(view[at : at + READ_BYTES])
            at += count
            self._pace.take(count, self._stop)
        with self._lock:
            self.given[peer] += at
        self._found(at)

    def _found(self, count: int) -> None:
        with self._lock:
            self.done_bytes += count

    def _told(self) -> str:
        return "".join(f"; {problem}" for problem in self.problems.values())


def _flush(incoming: Incoming, all_here: threading.Event) -> None:
    """Let the disk begin with small files while more come: less is left for the end. It promises nothing."""
    flushed = incoming.lacking
    while not all_here.wait(FLUSH_S):
        if flushed - incoming.lacking >= FLUSH_FILES:
            flushed = incoming.lacking
            with suppress(OSError):  # whoever makes the content durable will meet it again, and tell
                begin_sync(incoming.folder)
