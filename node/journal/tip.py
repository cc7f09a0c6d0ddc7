"""Where the journal ends, and where in the file the events of each log lie, under which ids.

This is kept in memory, 16 bytes an event: an index in the file would double the pages that a commit writes, and to read
what a floor deletes would cost more than to delete it. It is found again at each start, which reads every event anyway.
"""

from array import array
from bisect import bisect_right

import msgspec

TWIN = -1
"""In place of the hash of an id that came before (V1): no hash in Python is -1."""


def _none() -> "array[int]":
    return array("q")


class Log(msgspec.Struct):
    """One journal's events in the file.

    Other threads read it, up to the `pos` of their `Tip`, while commits make it longer. Nothing else of it changes:
    what a floor covers or a commit deletes makes another `Log` of it.
    """

    number: int
    """What its events are filed under; 0 for none yet."""
    low: int = 0
    """Its floor: its events up to this number are covered."""
    covered: "array[int]" = msgspec.field(default_factory=_none)
    """Places of events that are covered and not yet deleted."""
    covered_ids: "array[int]" = msgspec.field(default_factory=_none)
    """Hashes of their ids, or `TWIN`."""
    places: "array[int]" = msgspec.field(default_factory=_none)
    """Places of the events above the floor: those of `low + 1`, `low + 2`, ... They grow with the numbers."""
    ids: "array[int]" = msgspec.field(default_factory=_none)
    """Hashes of their ids, or `TWIN`."""

    def raised(self, low: int) -> "Log":
        """The same log under another floor."""
        cut = max(0, low - self.low)
        return Log(
            self.number,
            self.low + cut,
            self.covered + self.places[:cut],
            self.covered_ids + self.ids[:cut],
            self.places[cut:],
            self.ids[cut:],
        )

    def purged(self, count: int) -> "Log":
        """The same log without its first `count` covered events."""
        return Log(self.number, self.low, self.covered[count:], self.covered_ids[count:], self.places, self.ids)


class Tip(msgspec.Struct):
    """Where every log ends. Never changed once it is the journal's: a commit works on a copy, which takes its place."""

    logs: dict[str, Log] = {}
    """By journal id. Places beyond `pos` are those of a commit under way."""
    pos: int = 0
    """Place of the last event."""
    index: int = 0
    """Of the last control entry."""
    entries: int = 0
    """Control entries since the checkpoint."""
    untidy: bool = True
    """There may be events to delete or pages to give back."""

    def head(self, log: Log) -> int:
        """The last event of a log, or its floor where that is higher."""
        return log.low + bisect_right(log.places, self.pos)

    def names(self) -> dict[int, str]:
        """Journal ids by the numbers that events are filed under."""
        return {log.number: journal for journal, log in self.logs.items() if log.number}

    def vector(self) -> dict[str, int]:
        """The last event of every journal, or the floor where that is higher."""
        return {journal: self.head(log) for journal, log in self.logs.items()}
