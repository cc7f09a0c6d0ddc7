"""Events: what the cluster remembers. Each instance writes its own log; logs merge without order (V1).

An event is `(journal, seq)`. The journal id is made with the disk, so a wiped disk never reuses a number (D1).
Hybrid timestamps (`hlc`) are `wall ms << 16 | counter`: they follow causality and stay near the wall clock (V2);
see Kulkarni et al., "Logical Physical Clocks" (2014).
"""

from typing import Any, Final

import msgspec

# The seed's types (2.2).
SNAPSHOT_CREATED: Final = "SNAPSHOT_CREATED"
DIFF_CREATED: Final = "DIFF_CREATED"
LEADER_ELECTED: Final = "LEADER_ELECTED"
LEADER_CHANGED: Final = "LEADER_CHANGED"
SKIPPED_QUORUM: Final = "SKIPPED_QUORUM"
SNAPSHOT_PROPOSAL: Final = "SNAPSHOT_PROPOSAL"
SNAPSHOT_ACCEPT: Final = "SNAPSHOT_ACCEPT"
DIFF_PROPOSAL: Final = "DIFF_PROPOSAL"
DIFF_ACCEPT: Final = "DIFF_ACCEPT"
# Ours.
ROLLBACK_PROPOSAL: Final = "ROLLBACK_PROPOSAL"
ROLLBACK_ACCEPT: Final = "ROLLBACK_ACCEPT"
VOTES: Final = "VOTES"
"""One instance's votes on one or more proposals, cast in one step."""
ROUND_OPENED: Final = "ROUND_OPENED"
CONFLICT_RESOLVED: Final = "CONFLICT_RESOLVED"

RESERVED_TYPES: Final = frozenset(
    {
        LEADER_ELECTED,
        LEADER_CHANGED,
        SKIPPED_QUORUM,
        SNAPSHOT_PROPOSAL,
        SNAPSHOT_ACCEPT,
        DIFF_PROPOSAL,
        DIFF_ACCEPT,
        ROLLBACK_PROPOSAL,
        ROLLBACK_ACCEPT,
        VOTES,
        ROUND_OPENED,
        CONFLICT_RESOLVED,
    }
)
"""Types only the engine may write: a client's `publish` of one is refused."""

VersionVector = dict[str, int]
"""Journal id -> highest sequence number held without a gap."""

HLC_COUNTER_BITS: Final = 16


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of one instance's log. `timestamp_ms` is the origin's wall clock, `hlc` its hybrid clock."""

    id: str
    origin: str
    journal: str
    seq: int
    type: str
    timestamp_ms: int
    hlc: int
    trace: str
    payload: dict[str, Any]


def hlc_wall_ms(hlc: int) -> int:
    """The wall-clock part of a hybrid timestamp, unix ms."""
    return hlc >> HLC_COUNTER_BITS


def hlc_from_wall_ms(wall_ms: float) -> int:
    """The lowest hybrid timestamp of a wall-clock millisecond."""
    return int(wall_ms) << HLC_COUNTER_BITS


class HybridClock:
    """Gives ever-growing hybrid timestamps; a remote one too far ahead never moves it (V2)."""

    __slots__ = ("_max_lead_ms", "last")

    def __init__(self, max_lead_ms: int, last: int = 0) -> None:
        self._max_lead_ms = max_lead_ms
        self.last = last
        """The highest timestamp given or accepted so far."""

    def tick(self, wall_ms: float) -> int:
        """A fresh timestamp for a local event."""
        self.last = max(self._usable(wall_ms) + 1, int(wall_ms) << HLC_COUNTER_BITS)
        return self.last

    def read(self, wall_ms: float) -> int:
        """The current timestamp, without spending one."""
        last, wall = self.last, int(wall_ms) << HLC_COUNTER_BITS
        # As `_usable` has it, without the call: this is asked for every vote.
        return last if last > wall and last >> HLC_COUNTER_BITS <= wall_ms + self._max_lead_ms else wall

    def _usable(self, wall_ms: float) -> int:
        """Our last timestamp, unless a wall clock since set right had carried it where nobody would follow (V2)."""
        last = self.last
        return last if last >> HLC_COUNTER_BITS <= wall_ms + self._max_lead_ms else 0

    def is_ahead(self, hlc: int, wall_ms: float) -> bool:
        """Whether `hlc` is further ahead of our wall clock than the bound allows (V2)."""
        return (hlc >> HLC_COUNTER_BITS) > wall_ms + self._max_lead_ms

    def receive(self, hlc: int, wall_ms: float) -> bool:
        """Take in a remote timestamp. False, and no movement, when it is too far ahead (V2)."""
        if hlc <= self._usable(wall_ms):
            return True
        if self.is_ahead(hlc, wall_ms):
            return False
        self.last = hlc
        return True
