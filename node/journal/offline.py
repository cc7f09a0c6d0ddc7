"""Looking at a journal without running it: its own directory's, a copy, or that of a node that is running right now.

Nothing is changed. Each look is one read transaction, so it sees one moment of a live node's journal; the node goes on.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from node.journal import schema, wal
from node.journal.directory import is_held, last_start
from node.journal.errors import DirectoryFault, JournalCorrupt, JournalTaken, Typed
from node.journal.image import END, Events, damage, read_image, read_journals, read_page
from node.journal.rows import EventRow
from node.protocol.events import Event
from node.protocol.records import Configured
from node.protocol.settings import Limits, Strategy
from node.protocol.shapes import SeedEvent
from node.protocol.state import Fold

T = TypeVar("T")

MAX_PROBLEMS = 100
"""Problems that are listed; a file with more is not read by its list of them."""


@dataclass(frozen=True, slots=True)
class Extent:
    """One journal's events in the file. `floor`: what lies at or below it is in the floor's state instead (C1)."""

    journal: str
    first: int
    last: int
    floor: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a journal holds and what is wrong with it: `problems` is empty for a sound one."""

    path: Path
    live: bool
    format: int
    journal: str | None
    term: int
    control: tuple[int, int]
    """Term of the leader that wrote the control log's last entry, and its index."""
    locks: int
    events: int
    extents: tuple[Extent, ...]
    bytes: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """The state that a journal adds up to (S3): floor, then every event above it."""

    digest: str
    version: str | None
    hash: str | None
    events: int
    floor_events: int


def verify(path: Path) -> Report:
    """Read everything in the journal at `path` and check it.

    Damage is reported, not raised. Raises `DirectoryFault` if there is no journal, `JournalFormat` if it is newer than
    this program (F1), `JournalCorrupt` if it cannot be read at all, `JournalFault` if the disk fails.
    """
    return _of_one_moment(lambda: _verified(path))


def _verified(path: Path) -> Report:
    firsts: dict[str, int] = {}
    lasts: dict[str, int] = {}
    events = 0

    def seen(_: EventRow, event: Event) -> None:
        nonlocal events
        events += 1
        firsts.setdefault(event.journal, event.seq)
        lasts[event.journal] = event.seq

    with _looking_at(path) as conn:
        found = schema.format_of(conn, path)
    problems: list[str] = []
    with _at_rest(path) as resting:
        try:
            if resting:
                wal.check(path)
        except JournalCorrupt as error:
            problems.append(error.damage)
    live = not resting
    with _looking_at(path) as conn:
        try:
            with Typed(path):
                for problem in damage(conn, seen):
                    problems.append(problem)
                    if len(problems) == MAX_PROBLEMS:
                        break
                image = read_image(conn)
        except JournalCorrupt as error:
            if not problems:
                problems.append(error.damage)
            return Report(path, live, found, None, 0, (0, 0), 0, events, (), _size(path), tuple(problems))
    durable = image.durable
    return Report(
        path=path,
        live=live,
        format=found,
        journal=None if durable.identity is None else durable.identity.journal,
        term=durable.hard.term,
        control=(durable.stamp, durable.index),
        locks=len(durable.control.locks),
        events=events,
        extents=tuple(
            Extent(journal, firsts.get(journal, 0), lasts.get(journal, 0), image.floor.get(journal, 0))
            for journal in sorted({*firsts, *image.floor})
        ),
        bytes=_size(path),
        problems=tuple(problems),
    )


def export(path: Path) -> Iterator[dict[str, Any]]:
    """The events above the floor in order of arrival, with the API's names, and each one's `journal`.

    Raises as `verify`, `JournalCorrupt` at the first damaged event, and `JournalTaken` at the end if a node was started
    on a journal at rest meanwhile.
    """
    with _looking_at(path) as conn:
        schema.format_of(conn, path)
        for event in _events(conn, path):
            shown = SeedEvent(
                event.id, event.origin, event.seq, event.type, event.timestamp_ms, event.hlc, event.trace, event.payload
            )
            built: dict[str, Any] = msgspec.to_builtins(shown)
            yield {"journal": event.journal} | built


def replay(path: Path, strategy: Strategy, limits: Limits) -> Replay:
    """Build the state anew from the journal, as a node does when it starts (S3).

    Raises as `export`.
    """
    return _of_one_moment(lambda: _replayed(path, strategy, limits))


def _replayed(path: Path, strategy: Strategy, limits: Limits) -> Replay:
    fold = Fold(strategy, limits)
    events = 0
    with _looking_at(path) as conn:
        schema.format_of(conn, path)
        with Typed(path):
            floor = read_image(conn).durable.floor
        if floor is not None:
            fold.reset(floor.vector, floor.state)
        for event in _events(conn, path):
            fold.apply(event)
            events += 1
    version, content = fold.current or (None, None)
    return Replay(fold.digest(), version, content, events, 0 if floor is None else sum(floor.vector.values()))


def configured(path: Path) -> Configured | None:
    """The members that the journal's node last ran with (M3), if it has run.

    Raises as `verify`, and `JournalCorrupt` for a damaged state.
    """
    return _of_one_moment(lambda: _configured(path))


def _configured(path: Path) -> Configured | None:
    with _looking_at(path) as conn:
        schema.format_of(conn, path)
        with Typed(path):
            return read_image(conn).durable.configured


def _events(conn: sqlite3.Connection, path: Path) -> Events:
    with Typed(path):
        names = {number: journal for journal, number in read_journals(conn).items()}
        floor = read_image(conn).floor
    return Events(path, lambda after: read_page(conn, after, END), names, floor)


def _of_one_moment(look: Callable[[], T]) -> T:
    """What `look` finds when no node is started in the middle of it."""
    while True:
        try:
            return look()
        except JournalTaken:
            continue


@contextmanager
def _at_rest(path: Path) -> Iterator[bool]:
    """Whether no node runs on the journal. Raises `JournalTaken` if one was started before the end, whatever it met."""
    started = last_start(path.parent)
    resting = not is_held(path.parent)
    try:
        yield resting
    finally:
        if resting and last_start(path.parent) != started:
            raise JournalTaken(path)


@contextmanager
def _looking_at(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise DirectoryFault(f"{path}: no journal; expected the data directory of a node that has run")
    with _at_rest(path) as resting, Typed(path):
        conn = schema.connect_reader(path, at_rest=resting and not wal.has_content(path))
        try:
            conn.execute("BEGIN")
            yield conn
        finally:
            conn.close()


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, wal.path_of(path)) if file.exists())
