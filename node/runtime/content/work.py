"""What is left to fetch of one content, handed out to the threads that fetch it.

A unit is a pack of small files or a run of blocks of a large one. What came wrong from a peer goes back, and that peer
is not asked for it again. Large files are opened as their turn comes, so that their number costs nothing; blocks that
the same file of an older version has are copied from there.
"""

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from node.artifacts.blobs import LargeBlob
from node.artifacts.entries import FileEntry
from node.artifacts.errors import BadBlocks
from node.artifacts.incoming import Incoming, Lacking
from node.artifacts.limits import BLOCK_BYTES
from node.runtime.content.shapes import Part

PACK_BYTES: Final = 1024 * 1024
PACK_FILES: Final = 512
RUN_BLOCKS: Final = 4


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

    `sources`: which peer gave a block.
    """

    place: int
    blob: LargeBlob
    runs: "deque[Run]" = field(default_factory=deque)
    left: int = 0
    sources: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Run:
    """Some blocks of a large file that follow one another."""

    large: Large
    blocks: range
    shunned: frozenset[str] = frozenset()


Unit = Pack | Run
OnBad = Callable[[str, str], None]
"""(peer, path): the peer gave wrong bytes for a file."""


class Work:
    """The units of one pull. Any thread may use it."""

    def __init__(self, incoming: Incoming, older: Mapping[str, tuple[str, FileEntry]], on_bad: OnBad) -> None:
        """`older`: paths of large files of an older version -> where the file lies, and its entry."""
        self._incoming = incoming
        self._older = older
        self._on_bad = on_bad
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
        self._copy_blocks(large)
        blocks = large.blob.missing()
        while blocks:
            length = 1
            while length < min(RUN_BLOCKS, len(blocks)) and blocks[length] == blocks[0] + length:
                length += 1
            large.runs.append(Run(large, range(blocks[0], blocks[0] + length)))
            del blocks[:length]
        large.left = len(large.runs)
        if not large.left:
            self._finish(large)
        return large

    def _copy_blocks(self, large: Large) -> None:
        """Take what has not changed since the older version. A block that has rotted there is fetched after all."""
        entry = large.blob.entry
        path, base = self._older.get(entry.path, ("", entry))
        if not path:
            return
        same = [at for at in large.blob.missing() if at < len(base.blocks) and base.blocks[at] == entry.blocks[at]]
        try:
            with open(path, "rb", buffering=0) as file:
                for at in same:
                    data = os.pread(file.fileno(), large.blob.length(at), at * BLOCK_BYTES)
                    if hashlib.sha256(data).hexdigest() == entry.blocks[at]:
                        self._incoming.write(large.blob, at, data)
        except OSError:
            return

    def take(self, peer: str, after: Unit | None = None) -> Unit | None:
        """Something to fetch from a peer, waiting for what others may give back; None: there is nothing left for it.

        `after`: what the same thread took before. It stays with a large file to its end, so that its hash runs along
        with what comes and nothing is read again; once all files are under way, it helps with another.
        """
        with self._changed:
            while not self._ended:
                unit = self._returned(peer) or self._next(after)
                if unit is not None:
                    self._under_way += 1
                    return unit
                if self._under_way == 0:
                    return None
                self._changed.wait()
        return None

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
        with self._changed:
            self._under_way -= 1
            if bad:
                self._again.append(Pack([*bad], unit.shunned | {peer}))
            if isinstance(unit, Run):
                unit.large.sources |= dict.fromkeys(unit.blocks, peer)
                unit.large.left -= 1
                if unit.large.left == 0:
                    self._finish(unit.large)
            self._changed.notify_all()
        for _, entry in bad:
            self._on_bad(peer, entry.path)

    def back(self, unit: Unit) -> None:
        """A unit was not fetched: its peer failed."""
        with self._changed:
            self._under_way -= 1
            self._again.append(unit)
            self._changed.notify_all()

    def end(self) -> None:
        """Hand out nothing more, and let go of what is open."""
        with self._changed:
            self._ended = True
            for large in self._open:
                large.blob.close()
            self._open.clear()
            self._changed.notify_all()

    def _finish(self, large: Large) -> None:
        try:
            self._incoming.finish_large(large.place, large.blob)
        except BadBlocks as problem:
            for block in problem.blocks:
                giver = large.sources.get(block, "")
                self._on_bad(giver, problem.path)
                self._again.append(Run(large, range(block, block + 1), frozenset({giver})))
            large.left = len(problem.blocks)
        else:
            self._open.discard(large)
