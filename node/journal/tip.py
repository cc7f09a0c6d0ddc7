"""Where the journal ends, and where in the file the events of each log lie.

The places are kept in memory, 8 bytes an event: an index in the file would double the pages that a commit writes. They
are found again at each start, which reads every event anyway.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Log:
    """One journal's events in the file.

    Other threads read it while commits make it longer. Nothing else of it ever changes: what a floor covers or a commit
    deletes makes another `Log` of it.
    """

    number: int
    """What its events are filed under; 0 for none yet."""
    low: int = 0
    """Its floor: its events up to this number are covered."""
    covered: "array[int]" = field(default_factory=lambda: array("q"))
    """Places of events that are covered and not yet deleted."""
    places: "array[int]" = field(default_factory=lambda: array("q"))
    """Places of the events above the floor: those of `low + 1`, `low + 2`, ... They grow with the numbers."""

    @property
    def head(self) -> int:
        """Its last event, or the floor where that is higher."""
        return self.low + len(self.places)

    def raised(self, low: int, more: Sequence[int] = ()) -> "Log":
        """The same log with the places `more`, under another floor."""
        places = self.places + array("q", more)
        cut = max(0, low - self.low)
        return Log(self.number, self.low + cut, self.covered + places[:cut], places[cut:])

    def purged(self, count: int) -> "Log":
        """The same log without its first `count` covered events."""
        return Log(self.number, self.low, self.covered[count:], self.places)


@dataclass(slots=True)
class Tip:
    """Where every log ends. Never changed once it is the journal's: a commit works on a copy, which takes its place."""

    logs: dict[str, Log] = field(default_factory=dict)
    """By journal id. With places beyond `pos` while a commit becomes known."""
    pos: int = 0
    """Place of the last event."""
    index: int = 0
    """Of the last control entry."""
    entries: int = 0
    """Control entries since the checkpoint."""
    untidy: bool = True
    """There may be events to delete or pages to give back."""

    def copy(self) -> "Tip":
        return Tip(self.logs, self.pos, self.index, self.entries, self.untidy)

    def head(self, log: Log) -> int:
        """The last event of a log, or its floor where that is higher."""
        return log.low + bisect_right(log.places, self.pos)

    def names(self) -> dict[int, str]:
        """Journal ids by the numbers that events are filed under."""
        return {log.number: journal for journal, log in self.logs.items() if log.number}

    def vector(self) -> dict[str, int]:
        """The last event of every journal, or the floor where that is higher."""
        return {journal: self.head(log) for journal, log in self.logs.items()}
