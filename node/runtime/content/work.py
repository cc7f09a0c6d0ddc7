"""What is left to fetch of one content, handed out to the threads that fetch it.

A unit is a pack of small files or a run of blocks of a large one. What came wrong from a peer goes back, and that peer
is not asked for it again. Large files are opened as their turn comes, so that their number costs nothing; blocks that
the same file of an older version has are copied from there.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from node.artifacts.blobs import PIECE_BYTES, LargeBlob
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadBlocks
from node.artifacts.incoming import Incoming, Lacking
from node.artifacts.limits import BLOCK_BYTES
from node.runtime.content.shapes import Part

PACK_BYTES: Final = 2 * 1024 * 1024
PACK_FILES: Final = 1_024
RUN_BLOCKS: Final = 4
IDLE_S: Final = 0.5


@dataclass(slots=True, eq=False)
class Pack:
    """Small files, to be fetched by one request."""

    files: list[Lacking]
    shunned: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(entry.size for _, entry in self.files)

    @property
    def parts(self) -> list[Part]:
        """What to ask for: files that follow one another are one part."""
        parts: list[Part] = []
        first, length, after = 0, 0, -1
        for place, entry in self.files:
            if place != after:
                if after >= 0:
                    parts.append((first, 0, length))
                first, length = place, 0
            length += entry.size
            after = place + 1
        return [*parts, (first, 0, length)]


@dataclass(slots=True, eq=False)
class Large:
    """A large file whose blocks are under way. `runs`: not handed out yet, `left`: how many are not done yet.

    `older` and `same`: a file of an older version, and the blocks that will be copied from there. `sources`: which peer
    gave a block.
    """

    place: int
    blob: LargeBlob
    older: str = ""
    same: list[int] = field(default_factory=list)
    runs: "deque[Run]" = field(default_factory=deque)
    left: int = 0
    sources: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Run:
    """Some blocks of a large file that follow one another; none: all that is left of it is to be copied."""

    large: Large
    blocks: range
    shunned: frozenset[str] = frozenset()


Unit = Pack | Run
OnBad = Callable[[str, str], None]
"""(peer, path): the peer gave wrong bytes for a file."""
OnIdle = Callable[[str], None]
"""(peer): there is nothing to fetch from the peer until others have done their part."""
OnFound = Callable[[int], None]
"""Is told how many bytes of a large file nobody has to give: they were here, or came from an older version."""


class Work:
    """The units of one pull. Any thread may use it."""

    def __init__(
        self,
        incoming: Incoming,
        older: Mapping[str, tuple[str, FileEntry]],
        on_bad: OnBad,
        on_found: OnFound = lambda _bytes: None,
        on_idle: OnIdle = lambda _peer: None,
    ) -> None:
        """`older`: paths of large files of an older version -> where the file lies, and its entry."""
        self._incoming = incoming
        self._older = older
        self._on_bad = on_bad
        self._on_found = on_found
        self._on_idle = on_idle
        self._changed = threading.Condition()
        self._again: deque[Unit] = deque()
        self._fresh = self._units()
        self._under_way = 0
        self._open: set[Large] = set()
        self._ended = False

    def _units(self) -> Iterator[Pack | Large]:
        pack: list[Lacking] = []
        size = 0
        for lacking in self._incoming.missing():
            _, entry = lacking
            if entry.blocks:
                yield self._large(lacking)
                continue
            if pack and (size + entry.size > PACK_BYTES or len(pack) == PACK_FILES):
                yield Pack(pack)
                pack, size = [], 0
            pack.append(lacking)
            size += entry.size
        if pack:
            yield Pack(pack)

    def _large(self, lacking: Lacking) -> Large:
        large = Large(lacking[0], self._incoming.large(lacking))
        self._open.add(large)
        entry, blocks = large.blob.entry, large.blob.missing()
        self._on_found(entry.size - sum(map(large.blob.length, blocks)))
        if entry.path in self._older:
            large.older, base = self._older[entry.path]
            large.same = [at for at in blocks if at < len(base.blocks) and base.blocks[at] == entry.blocks[at]]
        self._plan(large, sorted({*blocks}.difference(large.same)))
        return large

    def _plan(self, large: Large, blocks: list[int]) -> None:
        """Have these blocks fetched."""
        at = 0
        while at < len(blocks):
            length = 1
            while length < min(RUN_BLOCKS, len(blocks) - at) and blocks[at + length] == blocks[at] + length:
                length += 1
            large.runs.append(Run(large, range(blocks[at], blocks[at] + length)))
            at += length
        if not large.runs:
            large.runs.append(Run(large, range(0)))
        large.left = len(large.runs)

    def take(self, peer: str, after: Unit | None = None) -> Unit | None:
        """Something to fetch from a peer, waiting for what others may give back; None: there is nothing left for it.

        `after`: what the same thread took before. It stays with a large file to its end, so that its hash runs along
        with what comes and nothing is read again; once all files are under way, it helps with another.
        """
        while True:
            with self._changed:
                unit = None if self._ended else self._returned(peer) or self._next(after)
                if unit is not None:
                    self._under_way += 1
                    return unit
                if self._ended or self._under_way == 0:
                    return None
                waited_long = not self._changed.wait(IDLE_S)
            if waited_long:
                self._on_idle(peer)

    def _returned(self, peer: str) -> Unit | None:
        for unit in self._again:
            if peer not in unit.shunned:
                self._again.remove(unit)
                return unit
        return None

    def _next(self, after: Unit | None) -> Unit | None:
        if isinstance(after, Run) and after.large.runs:
            return after.large.runs.popleft()
        for fresh in self._fresh:
            if isinstance(fresh, Pack):
                return fresh
            if fresh.runs:
                return fresh.runs.popleft()
        return next((large.runs.popleft() for large in self._open if large.runs), None)

    def done(self, unit: Unit, peer: str, bad: Sequence[Lacking] = ()) -> None:
        """A unit came from a peer; `bad` of a pack was wrong. Raises BadContent, NoSpace, ContentFault."""
        again: list[Unit] = [Pack([*bad], unit.shunned | {peer})] if bad else []
        wrong = [(peer, entry.path) for _, entry in bad]
        if isinstance(unit, Run) and self._is_last(unit, peer):
            again, wrong = self._finish(unit.large)
        with self._changed:
            self._again.extend(again)
            self._under_way -= 1
            self._changed.notify_all()
        for giver, path in wrong:
            self._on_bad(giver, path)

    def _is_last(self, run: Run, peer: str) -> bool:
        large = run.large
        with self._changed:
            large.sources |= dict.fromkeys(run.blocks, peer)
            large.left -= 1
            return large.left == 0

    def back(self, unit: Unit) -> None:
        """A unit was not fetched: its peer failed."""
        with self._changed:
            self._under_way -= 1
            self._again.append(unit)
            self._changed.notify_all()

    def end(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of what is open: no thread has anything any more."""
        for large in self._open:
            large.blob.close()
        self._open.clear()

    def _finish(self, large: Large) -> tuple[list[Unit], list[tuple[str, str]]]:
        """A large file of which nothing is under way any more: what of it has to come again, and whose was wrong.

        What has not changed is copied now and not before: the file's hash runs along with it.
        """
        try:
            self._copy(large)
            self._incoming.finish_large(large.place, large.blob)
        except BadBlocks as problem:
            givers = {block: large.sources.pop(block, None) for block in problem.blocks}
            again: list[Unit] = [
                Run(large, range(block, block + 1), frozenset() if giver is None else frozenset({giver}))
                for block, giver in givers.items()
            ]
            large.left = len(again)
            return again, [(giver, problem.path) for giver in givers.values() if giver is not None]
        with self._changed:
            self._open.discard(large)
        return [], []

    def _copy(self, large: Large) -> None:
        """Take what has not changed since the older version. Raises BadBlocks, with those that cannot be read there."""
        same, large.same = deque(large.same), []
        buffer = memoryview(bytearray(PIECE_BYTES if same else 0))
        try:
            while same:
                pieces = _pieces(large.older, same[0] * BLOCK_BYTES, large.blob.length(same[0]), buffer)
                self._incoming.write(large.blob, same[0], pieces)
                self._on_found(large.blob.length(same.popleft()))
        except _Unreadable:
            raise BadBlocks(large.blob.entry.path, same) from None


class _Unreadable(Exception):
    """A file of an older version is gone, or shorter than it was, or the disk does not give it."""


def _pieces(path: str, offset: int, length: int, buffer: memoryview) -> Iterator[memoryview]:
    """A part of a file, piece by piece in the same buffer. Raises _Unreadable."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            for at in range(0, length, len(buffer)):
                piece = buffer[: min(len(buffer), length - at)]
                if file.readinto(piece) != len(piece):
                    raise _Unreadable
                yield piece
    except OSError as error:
        raise _Unreadable from error
