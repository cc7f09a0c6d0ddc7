"""The journal: everything a node must not forget, in one SQLite file (V1, C1, D1, F1).

One thread writes at a time; when `commit` returns its records are on the disk. Or whoever writes waits for the disk in
another way: `write`, a sync of `log`, `settle`. Any thread may read, over a second connection, what is on the disk. The
file checks itself when it is opened, and every row whenever it is read.

Size. A floor (C1) hides what lies at or below it at once and deletes it in steps that ride on later commits, each
`PURGE_ROWS` events more than that commit brings. Freed pages are used again; while they are more than half of the file
and more than `SPARE_PAGES`, each commit gives some back. So the file stays below twice its content plus 4 MiB once a
floor has been worked off; the write-ahead log beside it stays near `schema.CHECKPOINT_PAGES`.
"""

import contextlib
import sqlite3
import threading
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self, TypeVar

from node.journal import schema, wal
from node.journal.batch import Batch
from node.journal.directory import DirectoryLock, sync_directory
from node.journal.errors import (
    JournalBusy,
    JournalClosed,
    JournalCorrupt,
    JournalFault,
    JournalOrder,
    Typed,
    unsynced,
)
from node.journal.image import Events, damage, read_image, read_journals, read_page
from node.journal.log_file import LogFile
from node.journal.queries import Wanted, beyond, listed
from node.journal.rows import EventRow
from node.journal.tip import TWIN, Log, Tip
from node.protocol.control_state import apply_entry, copy_state
from node.protocol.events import Event, VersionVector
from node.protocol.records import (
    ControlAppended,
    ControlReplaced,
    ControlState,
    Durable,
    Floor,
    FloorReached,
    Record,
)

CONTROL_ENTRIES = 4_096
"""Control entries that may gather before they become a checkpoint, or as many as that one holds, if it is more."""
PURGE_ROWS = 100
SPARE_PAGES = 1_024
VACUUM_PAGES = 32
"""Pages that one commit gives back at most."""
BRIEF_RECORDS = 64
"""With more a commit is left to a thread."""
BUSY_PAUSE_S = 0.01
LOOK_S = 1.0
"""How often, at most, a commit looks whether the file is still in its place: a look waits for the interpreter."""

EventList = list[Event]
RowList = list[EventRow]
T = TypeVar("T")


class Journal:
    """The durable store of one node. Made by `open`; as a context manager it closes itself."""

    def __init__(
        self, path: Path, lock: DirectoryLock, writer: sqlite3.Connection, reader: sqlite3.Connection, log: LogFile
    ) -> None:
        self.path = path
        self.log = log
        """What has to be synced between `write` and `settle`."""
        self._lock = lock
        self._writer = writer
        self._written = writer.cursor()
        """One for all that is written: making another for each statement costs as much as filling it."""
        self._reader = reader
        self._typed = Typed(path)
        self._reading = threading.Lock()
        self._known: set[int] = set()
        """Hashes of the ids of the events in the file: who comes again under another number is a twin (V1)."""
        self._control = ControlReplaced(0, 0, ControlState())
        """The control log as it is on the disk, so that a checkpoint is made without reading it back."""
        self._tip = self._restored()
        self._unsettled: tuple[Batch, Sequence[Record]] | None = None
        """Written, and perhaps not on the disk yet."""
        self._file = _identity(path)
        self._looked_s = time.monotonic()
        self._open = True

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal at `path` for this process alone: a missing one is made, an older one migrated (F1).

        Raises `DirectoryInUse` and `DirectoryFault` (the directory), `JournalFormat` (newer than this program),
        `JournalCorrupt` (found by the checks made here), `JournalFull` and `JournalFault` (the disk).
        """
        lock = DirectoryLock.take(path.parent)
        connections: list[sqlite3.Connection] = []
        log: LogFile | None = None
        try:
            with Typed(path):
                if path.exists() and path.stat().st_size > 0:
                    # Looked at before anything can write to it: a file that is refused stays as it was found.
                    with closing(schema.connect_reader(path)) as conn:
                        schema.format_of(conn, path)
                    wal.check(path)
                elif wal.has_content(path):
                    raise JournalCorrupt(path, "the file is gone or empty, and its log is not")
                writer = schema.connect_writer(path)
                connections.append(writer)
                if schema.migrate(writer, path):
                    sync_directory(path.parent)
                reader = schema.connect_reader(path)
                connections.append(reader)
                log = LogFile.open(path)
                writer.execute("PRAGMA busy_timeout = 0").fetchall()
                return cls(path, lock, writer, reader, log)
        except BaseException:
            for conn in connections:
                conn.close()
            if log is not None:
                log.close()
            lock.release()
            raise

    def _restored(self) -> Tip:
        """Check everything, and find where every log ends."""
        tip = Tip()
        places: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        ids: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        lasts: dict[str, int] = {}

        def seen(row: EventRow, event: Event) -> None:
            tip.pos, _, _, twin, *_ = row
            places[event.journal].append(tip.pos)
            ids[event.journal].append(TWIN if twin else hash(event.id))
            lasts[event.journal] = event.seq

        for problem in damage(self._reader, seen):
            raise JournalCorrupt(self.path, problem)
        image = read_image(self._reader)
        numbers = read_journals(self._reader)
        self._control = ControlReplaced(image.durable.stamp, image.durable.index, image.durable.control)
        tip.index, tip.entries = image.durable.index, image.entries
        for journal in {*numbers, *image.floor}:
            low, own, named = image.floor.get(journal, 0), places[journal], ids[journal]
            cut = len(own) - max(0, lasts.get(journal, 0) - low)  # above the floor there is no gap
            tip.logs[journal] = Log(numbers.get(journal, 0), low, own[:cut], named[:cut], own[cut:], named[cut:])
            self._known.update(named)
        self._known.discard(TWIN)
        return tip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and free the directory. What was committed is on the disk either way."""
        with self._reading:
            if self._open:
                self._open = False
                self._reader.close()
                self._writer.close()
                self.log.close()
                self._lock.release()

    # Writing: one thread at a time.

    def commit(self, records: Sequence[Record]) -> None:
        """Write the records, in order and as one; on return they are on the disk.

        Raises `JournalFull` or `JournalFault` when the disk refuses: no reader sees any of it, and the same call is to
        be repeated. Raises `JournalOrder` for records that do not follow what is stored.
        """
        self._require_open()
        try:
            if self._unsettled is not None:
                self._require_same(records)
                with self._reading:
                    self.log.rewrite()
            elif records:
                self._checkpoint()
                self._write_patiently(records)
            else:
                return
            self.log.sync()
        except OSError as error:
            raise unsynced(self.path, error) from error
        self.settle()

    def is_brief(self, records: Sequence[Record]) -> bool:
        """Whether a `write` of them takes but a moment: little is written, and nothing put in order or synced."""
        return (
            len(records) <= BRIEF_RECORDS
            and 0 < self.log.frames < schema.CHECKPOINT_PAGES
            and not self._tip.untidy
            and not self._is_control_long()
            and not any(_is_large(record) for record in records)
        )

    def write(self, records: Sequence[Record]) -> None:
        """Write the records, in order and as one, without waiting for the disk: `settle` them once `log` was synced.

        If that sync fails, `commit` the same records. Raises as `commit`, and `JournalBusy` instead of waiting.
        """
        self._require_open()
        if self._unsettled is not None:
            # By this damage in the log is told from its end (see `wal`).
            raise JournalOrder("what was written before is not on the disk yet")
        self._require_place()
        batch = Batch(self._tip, self._known)
        with self._typed:
            self._write(batch, records)
        self._unsettled = batch, records

    def settle(self) -> None:
        """What was written is on the disk: from now on readers see it."""
        if self._unsettled is None:
            return
        self.log.synced()
        batch, records = self._unsettled
        self._unsettled = None
        self._tip = batch.tip
        self._known.difference_update(batch.purged)
        for record in records:
            if type(record) is ControlAppended:  # a type that `isinstance` does not find costs ten times as much
                apply_entry(self._control.state, record.entry)
                self._control = ControlReplaced(record.stamp, record.index, self._control.state)
            elif type(record) is ControlReplaced:
                self._control = ControlReplaced(record.stamp, record.index, copy_state(record.state))

    def _is_control_long(self) -> bool:
        """Whether a checkpoint should replace the control entries in the file."""
        entries, state = self._tip.entries, self._control.state
        return entries > CONTROL_ENTRIES and entries > len(state.locks) + len(state.marks)

    def _write_patiently(self, records: Sequence[Record]) -> None:
        """Write, and wait for other processes that hold the file, but not for ever."""
        until_s = time.monotonic() + schema.BUSY_S
        while True:
            try:
                return self.write(records)
            except JournalBusy:
                if time.monotonic() > until_s:
                    raise
            time.sleep(BUSY_PAUSE_S)

    def _checkpoint(self) -> None:
        """Put a log that has become long back into the file, so that it begins anew with the next write.

        What fails there will fail again when it matters, in a write; the log holds all of it until then.
        """
        if self.log.frames >= schema.CHECKPOINT_PAGES:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _write(self, batch: Batch, records: Sequence[Record]) -> None:
        conn, tip = self._writer, batch.tip
        execute = self._written.execute
        untidy = tip.untidy
        try:
            if self._is_control_long():
                batch.latest(self._control)
            batch.take(records)
            statements = batch.statements()
            if len(statements) > 1 or untidy:  # One statement is a transaction of its own.
                execute("BEGIN IMMEDIATE")
            for statement in statements:
                execute(*statement)
            if untidy:
                tip.untidy = not (batch.purge(self._written, PURGE_ROWS + len(records)) and self._shrunk())
            if conn.in_transaction:
                execute("COMMIT")
        except BaseException:
            batch.undo()
            if conn.in_transaction:
                execute("ROLLBACK")
            raise

    def _shrunk(self) -> bool:
        """Give some spare pages back. True if there are few enough."""
        spare: int = self._writer.execute("PRAGMA freelist_count").fetchone()[0]
        pages: int = self._writer.execute("PRAGMA page_count").fetchone()[0]
        if spare <= SPARE_PAGES or 2 * spare <= pages:
            return True
        for _ in range(VACUUM_PAGES):
            # The sqlite3 module steps this statement once, and every step gives back one page.
            self._writer.execute("PRAGMA incremental_vacuum(1)")
        return False

    # Reading: any thread.

    def load(self) -> Durable:
        """What is on the disk. `events` reads the events above the floor in order of arrival, a page at a time."""
        image = self._read(read_image)
        image.durable.events = Events(self.path, self._page, self._tip.names(), image.floor)
        return image.durable

    def read(self, have: Mapping[str, int], limit: int, max_bytes: int) -> tuple[EventList, bool]:
        """What lies beyond `have` in the journals it names (0: from the start), and whether there is more.

        Contiguous per journal, from above the floor; at most `limit` events, and at most `max_bytes` unless the first
        alone is larger.
        """
        return self._read(lambda conn: beyond(conn, self._tip, have, limit, max_bytes))

    def list(
        self,
        *,
        since: VersionVector | None = None,
        types: Collection[str] = (),
        origin: str | None = None,
        trace: str | None = None,
        limit: int,
        newest: bool = False,
    ) -> EventList:
        """Events for people, in order of arrival: the first `limit` that match, or with `newest` the last.

        `since` leaves out what a version vector covers (V3). An event whose id came before under another journal and
        number is stored, so that its log stays whole, and never listed (V1).
        """
        wanted = Wanted(types, origin, trace)
        return self._read(lambda conn: listed(conn, self._tip, since or {}, wanted, limit, newest))

    @property
    def vector(self) -> VersionVector:
        """The highest number of every journal that is on the disk, or covered by the floor."""
        return self._tip.vector()

    def _page(self, after: int) -> RowList:
        upto = self._tip.pos
        return self._read(lambda conn: read_page(conn, after, upto))

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading, self._typed:
            self._require_open()
            return work(self._reader)

    def _require_place(self) -> None:
        """Whoever removes or replaces the file of a running node must not be told that its journal is written."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_S:
            return
        if _identity(self.path) != self._file:
            raise JournalFault(
                f"{self.path}: the file was removed, or another one was put in its place, while the node runs: nothing "
                "more is written. Put it back, or stop the node and start it again"
            )
        self._looked_s = now_s

    def _require_same(self, records: Sequence[Record]) -> None:
        if self._unsettled is not None and self._unsettled[1] != records:
            raise JournalOrder("what was written before is not on the disk yet, and something else is to be written")

    def _require_open(self) -> None:
        if not self._open:
            raise JournalClosed(f"{self.path}: the journal was closed")


def _is_large(record: Record) -> bool:
    """Whether it may hold megabytes: a whole state."""
    if type(record) is ControlAppended:
        return type(record.entry) is Floor
    return type(record) in (FloorReached, ControlReplaced)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file this is, None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
