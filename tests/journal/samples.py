"""Events and records for the tests of the journal."""

from collections.abc import Iterable, Iterator

import msgspec

from node.protocol.events import Event
from node.protocol.records import (
    Appended,
    ControlAppended,
    ControlEntry,
    Durable,
    Floor,
    Forget,
    Grant,
    LockRecord,
    Record,
)


def event(
    seq: int,
    journal: str = "ja",
    *,
    id: str | None = None,
    type: str = "DATA_DIFF_GENERATED",
    origin: str = "instance-A",
    trace: str = "t0",
    padding: int = 0,
) -> Event:
    """An event whose fields are told apart by journal and number."""
    at = 1_700_000_000_000 + seq
    payload = {"серия": "Ш-1", "n": seq, "padding": "x" * padding}
    return Event(id or f"{journal}:{seq}", origin, journal, seq, type, at, at << 16, trace, payload)


def appended(numbers: Iterable[int], journal: str = "ja", padding: int = 0) -> list[Record]:
    """Records of the events with these numbers."""
    return [Appended(event(seq, journal, padding=padding)) for seq in numbers]


def floor(vector: dict[str, int], **state: object) -> Floor:
    """A floor at `vector`; what its state says is all the same to a journal."""
    return Floor(vector, msgspec.Raw(msgspec.msgpack.encode(state)))


def lock_entries(first: int, count: int, stamp: int = 1) -> Iterator[ControlAppended]:
    """Grants and, for every third, the forgetting of a mark."""
    for index in range(first, first + count):
        entry: ControlEntry = Grant(LockRecord(f"r{index % 50}", "o", "A", index, 30_000, f"q{index}"))
        if index % 3 == 0:
            entry = Forget((f"q{index}",))
        yield ControlAppended(stamp, index, entry)


def listing(durable: Durable) -> dict[str, object]:
    """Everything a disk holds, in comparable form."""
    return vars(durable) | {"events": list(durable.events)}
