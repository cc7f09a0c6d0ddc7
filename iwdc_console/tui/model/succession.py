"""Who leads, who would be next and why, and how it came to be. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from iwdc_console.tui.model.api import Event, Leader
from iwdc_console.tui.model.marks import HEALTHY

REASONS = ("start", "refused", "silent", "handed_over", "resigned", "higher_term")
"""Why a leader was elected, in the words of its event; any other is shown as it was told."""
ELECTED, CHANGED = "LEADER_ELECTED", "LEADER_CHANGED"


class Change(NamedTuple):
    """One election that was won. `former` is empty when nobody else led before, `reason` when none was told."""

    at_ms: int
    term: int
    leader: str
    former: str
    reason: str


def changes(events: Iterable[Event]) -> list[Change]:
    """Every election in the events, newest term first. What the payload does not say is left empty."""
    found: dict[int, Change] = {}
    for event in events:
        if event.type not in (ELECTED, CHANGED):
            continue
        payload = event.payload
        term = payload.get("term")
        leader = payload.get("leader") if event.type == ELECTED else payload.get("to")
        if not isinstance(term, int) or not isinstance(leader, str):
            continue
        former = payload.get("from") if event.type == CHANGED else None
        known = found.get(term)
        found[term] = Change(
            min(event.timestamp, known.at_ms) if known else event.timestamp,
            term,
            leader,
            str(former) if former else (known.former if known else ""),
            str(payload.get("reason") or (known.reason if known else "")),
        )
    return sorted(found.values(), key=lambda change: -change.term)


def successor(leader: Leader) -> str | None:
    """Who would lead if the leader were gone: the best-ranked healthy candidate beside it (E2)."""
    return next((each.id for each in leader.candidates if each.id != leader.id and each.status == HEALTHY), None)


def challenger(leader: Leader) -> str | None:
    """Who outranks the leader and so may soon get leadership from it, in good order (E6)."""
    for each in leader.candidates:
        if leader.id in (each.id, None):
            return None
        if each.status == HEALTHY:
            return each.id
    return None
