"""Group commit of a bare process: SQLite on one thread, as a node's journal, with one row for each commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

Then = Callable[[], None]


class Disk:
    """Commits in groups: what comes while one is under way is the next one.

    `on_loop` is without a thread, so that a disk that hangs stops all; without `durable` nothing is synced.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, *, on_loop: bool, durable: bool) -> None:
        self._loop = loop
        self._on_loop = on_loop
        self._conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._conn.execute("PRAGMA journal_mode = WAL")
        self._conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._conn.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB)")
        self._batches: SimpleQueue[bytes] = SimpleQueue()
        self._gathered: list[tuple[bytes, Then]] = []
        self._writing: list[tuple[bytes, Then]] = []
        self._due = False
        if not on_loop:
            threading.Thread(target=self._run, daemon=True).start()

    def add(self, body: bytes, then: Then) -> None:
        """Call `then` when `body` is on the disk."""
        self._gathered.append((body, then))
        if not self._due and not self._writing:
            self._due = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._due = False
        self._writing, self._gathered = self._gathered, []
        row = b"".join([body for body, _ in self._writing])
        if self._on_loop:
            self._commit(row)
            self._done()
        else:
            self._batches.put(row)

    def _commit(self, row: bytes) -> None:
        self._conn.execute("INSERT INTO rows (body) VALUES (?)", (row,))

    def _run(self) -> None:
        while True:
            self._commit(self._batches.get())
            self._loop.call_soon_threadsafe(self._done)

    def _done(self) -> None:
        written, self._writing = self._writing, []
        if self._gathered:
            self._begin()
        for _, then in written:
            then()
