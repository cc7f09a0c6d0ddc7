"""Records as rows and back. Every row carries a CRC-32 that is checked whenever it is read: damage is never served."""

import zlib
from typing import Any, Final

import msgspec

from node.journal.errors import Damaged
from node.protocol.events import Event
from node.protocol.records import (
    Configured,
    ControlEntry,
    ControlReplaced,
    FloorReached,
    Identity,
    PeerJournal,
    Vote,
)

Body = bytes | bytearray
"""A record encoded. A `bytearray` is written as it is, for `bytes` the sqlite3 module first looks for an adapter."""
EventRow = tuple[int, int, int, int, int, Body]
EVENT_COLUMNS: Final = "pos, journal, seq, twin, crc, body"
"""An event's row: order of arrival, number of its journal, its own, whether its id came before, checksum, content."""
ControlRow = tuple[int, int, int, Body]
"""index, stamp, crc, body."""
StateRow = tuple[str, int, Body]
"""key, crc, body."""

Latest = Vote | ControlReplaced | FloorReached | PeerJournal | Configured | Identity
"""Records of which only the latest counts (for `PeerJournal`: the latest of each instance)."""

_KEYS: Final[dict[type[Any], str]] = {
    Vote: "vote",
    Identity: "identity",
    FloorReached: "floor",
    ControlReplaced: "control",
    Configured: "config",
}
_PEER_KEY: Final = "peer:"

_encode = msgspec.msgpack.Encoder().encode
_decode_event = msgspec.msgpack.Decoder(Event).decode
_entries: msgspec.msgpack.Decoder[ControlEntry] = msgspec.msgpack.Decoder(ControlEntry)
_latest: msgspec.msgpack.Decoder[Latest] = msgspec.msgpack.Decoder(Latest)


def event_row(pos: int, number: int, event: Event, twin: int) -> EventRow:
    """`twin`: 1 if its id was stored before, under another journal and number (V1), else 0."""
    body = bytearray(_encode(event))
    return pos, number, event.seq, twin, zlib.crc32(body, twin), body


def read_event(row: EventRow, journal: str | None) -> Event:
    """The event of a row that claims to be of `journal`. Raises `Damaged`."""
    pos, _, seq, twin, crc, body = row
    if not _intact(body, twin, crc):
        raise Damaged(f"event row {pos} (journal {journal}, number {seq}): its checksum does not fit its content")
    event = _decode_event(body)
    if event.seq != seq or event.journal != journal:
        raise Damaged(
            f"event row {pos} is filed as number {seq} of journal {journal}, and is {event.seq} of {event.journal}"
        )
    return event


def control_row(index: int, stamp: int, entry: ControlEntry) -> ControlRow:
    body = bytearray(_encode(entry))
    return index, stamp, zlib.crc32(body, _seed(index, stamp)), body


def read_entry(row: ControlRow) -> ControlEntry:
    """The control entry of a row. Raises `Damaged`."""
    index, stamp, crc, body = row
    if not _intact(body, _seed(index, stamp), crc):
        raise Damaged(f"control entry {index}: its checksum does not fit its content")
    return _entries.decode(body)


def state_row(record: Latest) -> StateRow:
    key = _PEER_KEY + record.instance if isinstance(record, PeerJournal) else _KEYS[type(record)]
    body = bytearray(_encode(record))
    return key, zlib.crc32(body, zlib.crc32(key.encode())), body


def read_state(row: StateRow) -> Latest:
    """The record of a row. Raises `Damaged`."""
    key, crc, body = row
    if not _intact(body, zlib.crc32(key.encode()), crc):
        raise Damaged(f"state {key!r}: its checksum does not fit its content")
    return _latest.decode(body)


def _seed(index: int, stamp: int) -> int:
    """What ties a control entry's checksum to its place."""
    return zlib.crc32(b"%d:%d" % (index, stamp))


def _intact(body: object, seed: object, crc: object) -> bool:
    """Damage can also turn a column into another type: SQLite keeps types per value."""
    return isinstance(body, bytes) and isinstance(seed, int) and zlib.crc32(body, seed) == crc
