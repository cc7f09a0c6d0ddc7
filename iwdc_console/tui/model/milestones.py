"""What stands out on a timeline: a change of leader, an instance lost or back, quorum lost, a version, a conflict."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from iwdc_console.tui.model.api import Event, Status
from iwdc_console.tui.model.marks import UNREACHABLE
from iwdc_console.tui.model.observation import Observation
from iwdc_console.tui.model.timeline import announced

Kind = Literal["conflict", "quorum", "leader", "lost", "version", "back"]
KINDS: tuple[Kind, ...] = ("conflict", "quorum", "leader", "lost", "version", "back")
"""The most telling first: where several share a place on the track, it is shown."""
SHAPES: dict[Kind, str] = {"conflict": "▲", "quorum": "!", "leader": "★", "lost": "✗", "version": "◆", "back": "●"}
TONES: dict[Kind, str] = {
    "conflict": "result-warning", "quorum": "result-error", "leader": "status-leader", "lost": "status-unreachable",
    "version": "action-accent", "back": "status-healthy",
}  # fmt: skip


class Milestone(msgspec.Struct, frozen=True):
    """At which unix ms, what, and of whom: an instance, a version or the number of conflicts."""

    at_ms: int
    kind: Kind
    what: str = ""


def between(before: Observation, after: Observation, at_ms: int) -> Iterator[Milestone]:
    """What happened from one observation to the next, which is looked at from `at_ms` on: there it can be seen."""
    if before.status is None or after.status is None or before.status is after.status:
        return
    was, now = before.status.value, after.status.value
    if now.leader.id is not None and (was.leader.id, was.leader.term) != (now.leader.id, now.leader.term):
        yield Milestone(at_ms, "leader", now.leader.id)
    if was.quorum.sufficient and not now.quorum.sufficient:
        yield Milestone(at_ms, "quorum", f"{now.quorum.healthy}/{now.quorum.total}")
    if now.current_version and was.current_version != now.current_version:
        yield Milestone(at_ms, "version", now.current_version)
    if now.open_conflicts > was.open_conflicts:
        yield Milestone(at_ms, "conflict", str(now.open_conflicts))
    gone_before, gone_now = _unreachable(was), _unreachable(now)
    yield from (Milestone(at_ms, "lost", id) for id in sorted(gone_now - gone_before))
    yield from (Milestone(at_ms, "back", id) for id in sorted(gone_before - gone_now))


def of_event(event: Event, at_ms: int) -> Milestone | None:
    """What an event of the journal is on a timeline, if it stands out."""
    payload = event.payload
    if event.type == "LEADER_ELECTED":
        return Milestone(at_ms, "leader", str(payload.get("leader", "")))
    if event.type == "SKIPPED_QUORUM":
        return Milestone(at_ms, "quorum", event.origin)
    if event.type == "CONFLICT_RESOLVED":
        return Milestone(at_ms, "conflict", str(payload.get("slot", "")))
    names = [str(each.get("proposalId", "")) for each in announced(event)]
    return Milestone(at_ms, "version", ", ".join(names)) if names else None


def _unreachable(status: Status) -> set[str]:
    return {item.id for item in status.instances if item.status == UNREACHABLE}
