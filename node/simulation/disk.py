"""A disk in memory, with the journal's contract: persists become durable in order and whole, or not at all.

Records are kept encoded, as a real journal does, so that a core that goes on changing an object it has handed out
cannot change the disk. `image` reads them back into a fresh `Durable`, the way a journal is loaded.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from node.protocol.control_state import apply_entry
from node.protocol.events import Event, VersionVector
from node.protocol.records import (
    Appended,
    Configured,
    ControlAppended,
    ControlReplaced,
    Durable,
    FloorReached,
    Identity,
    PeerJournal,
    Record,
    Vote,
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[Record, ...])


def apply_record(image: Durable, events: list[Event], record: Record) -> None:
    """Take one record into `image` and its list of events, which is what reading a journal back does."""
    match record:
        case Appended(event):
            events.append(event)
        case Vote():
            image.hard = record
        case ControlAppended(stamp, index, entry):
            apply_entry(image.control, entry)
            image.stamp, image.index = stamp, index
        case ControlReplaced(stamp, index, state):
            image.stamp, image.index, image.control = stamp, index, state
        case FloorReached(floor):
            image.floor = floor
            events[:] = [e for e in events if e.seq > floor.vector.get(e.journal, 0)]
        case PeerJournal():
            image.peer_journals[record.instance] = record
        case Configured():
            image.configured = record
        case Identity():
            image.identity = record


def fold(writes: Iterable[bytes]) -> tuple[Durable, list[Event]]:
    """The image that encoded writes add up to, and its events in order of arrival."""
    image, events = Durable(), list[Event]()
    for write in writes:
        for record in _decoder.decode(write):
            apply_record(image, events, record)
    image.events = events
    return image, events


class Disk:
    """What one machine's disk holds. The faults set what ails it; the process that uses it has to live with that."""

    def __init__(self) -> None:
        self.fault: str | None = None
        """Why it takes no writes."""
        self.unreadable = False
        """Whether reads fail; what a process has read already it goes on with."""
        self.slow_s = 0.0
        self.contents: set[str] = set()
        """Keys of the contents that lie beside the journal, whole."""
        self._writes: list[bytes] = []
        self._load()

    def _load(self) -> None:
        self.now, self._arrived = fold(self._writes)
        self._logs: dict[str, list[Event]] = {}
        self.vector: VersionVector = dict(self.now.floor.vector) if self.now.floor else {}
        self.gaps: list[tuple[str, int, int]] = []
        for event in self._arrived:
            self._append(event)

    def _append(self, event: Event) -> None:
        expected = self.vector.get(event.journal, 0) + 1
        if event.seq != expected:
            self.gaps.append((event.journal, expected, event.seq))
        self.vector[event.journal] = event.seq
        self._logs.setdefault(event.journal, []).append(event)

    def mend(self) -> None:
        """End what ails it; what it has lost stays lost."""
        self.fault, self.slow_s, self.unreadable = None, 0.0, False

    @property
    def writes(self) -> int:
        """How many persists are durable."""
        return len(self._writes)

    def write(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """Make one persist durable. Returns the records as they were read back, sharing nothing with the writer."""
        data = _encoder.encode(records)
        self._writes.append(data)
        stored = _decoder.decode(data)
        for record in stored:
            apply_record(self.now, self._arrived, record)
            if isinstance(record, Appended):
                self._append(record.event)
            elif isinstance(record, FloorReached):
                self._drop_below(record.floor.vector)
        return stored

    def _drop_below(self, vector: Mapping[str, int]) -> None:
        for journal, seq in vector.items():
            self._logs[journal] = [e for e in self._logs.get(journal, ()) if e.seq > seq]
            self.vector[journal] = max(self.vector.get(journal, 0), seq)

    def read(self, have: Mapping[str, int], limit: int) -> tuple[tuple[Event, ...], bool]:
        """At most `limit` events beyond `have` of the journals named there, and whether there is more."""
        found: list[Event] = []
        for journal, seq in have.items():
            log = self._logs.get(journal)
            if not log:
                continue
            start = max(0, seq + 1 - log[0].seq)
            found += log[start : start + limit + 1 - len(found)]
            if len(found) > limit:
                return tuple(found[:limit]), True
        return tuple(found), False

    def image(self) -> Durable:
        """What a process that starts on this disk finds."""
        return fold((_encoder.encode(self._content()),))[0]

    def _content(self) -> list[Record]:
        """The fewest records that add up to what is on it."""
        now = self.now
        kept: list[Record | None] = [now.identity, now.hard, ControlReplaced(now.stamp, now.index, now.control)]
        kept += [FloorReached(now.floor) if now.floor else None, now.configured, *now.peer_journals.values()]
        kept += map(Appended, self._arrived)
        return [record for record in kept if record is not None]

    def events(self) -> Iterable[Event]:
        """All events held above the floor."""
        for log in self._logs.values():
            yield from log

    def older(self, share: float) -> "Disk":
        """An image from when so much of it, a share of its persists, was written: as from a backup."""
        older = Disk()
        older._writes = self._writes[: int(len(self._writes) * share)]
        older._load()
        return older

    def wipe(self) -> None:
        """The disk is replaced by an empty one."""
        self.roll_back(0)

    def roll_back(self, writes: int) -> None:
        """The disk goes back to an image it had `writes` persists after it was made, as from a backup."""
        del self._writes[writes:]
        self._load()
