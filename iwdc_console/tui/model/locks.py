"""What the Locks screen says: who holds what, for how long yet, who waits. Times run on between two answers."""

from functools import partial

from iwdc_console.locale import language, text
from iwdc_console.tui.model.api import Lock
from iwdc_console.tui.model.bars import bar
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.once import once
from iwdc_console.tui.model.quantity import NONE, age, duration
from iwdc_console.tui.model.table import MARK, Cell, Cells, Column, Row

COLUMNS = (
    MARK,
    Column("resource", 14, grow=3),
    Column("owner", 12, grow=2),
    Column("token", 8, right=True),
    Column("left", 8, right=True),
    Column("lease", 16, drop=1, keeps=None),
    Column("waiters", 7, right=True, glows=True),
    Column("instance", 12, grow=1, drop=2),
    Column("ttl", 8, right=True, drop=3),
)
BAR = 16
STEP_MS = 100
"""Leases are counted on in steps of what a cell can show."""
LOW = 1 / 4
"""A lease with less than this part of it left stands out."""
OURS, OTHERS = "◆", "·"


def rows(moment: Moment, held: frozenset[str]) -> list[Row]:
    """The locks by resource. `held` are the resources whose locks this console holds and renews."""
    part = moment.observation.locks
    if part is None:
        return []
    aged_ms = 0.0 if moment.past else max(0.0, moment.now_s - part.at_s) * 1000
    return _rows(part, round(aged_ms / STEP_MS) * STEP_MS, moment.stale, held, language())


@once
def _rows(part: Part[tuple[Lock, ...]], aged_ms: int, stale: bool, held: frozenset[str], spoken: str) -> list[Row]:
    chosen = sorted(part.value, key=lambda lock: lock.resource)
    return [_row(lock, aged_ms, stale, lock.resource in held) for lock in chosen]


def left_ms(lock: Lock, aged_ms: float) -> float | None:
    """What is left of the lease `aged_ms` after it was told; None where only the leader can tell."""
    return None if lock.remaining_ms is None else max(0.0, lock.remaining_ms - aged_ms)


def left_words(left: float | None) -> str:
    """What is left of a lease, in a cell. Where nothing is, it may have been renewed since that was told."""
    return NONE if left is None else duration(left) if left > 0 else text("locks.over")


def _row(lock: Lock, aged_ms: float, stale: bool, ours: bool) -> Row:
    cells, copy = partial(_cells, lock, aged_ms, ours), f"{lock.resource} {lock.fencing_token}"
    return Row(lock.resource, cells, _note(lock, aged_ms, stale, ours), copy=copy)


def _cells(lock: Lock, aged_ms: float, ours: bool) -> Cells:
    left = left_ms(lock, aged_ms)
    share = 1.0 if left is None or not lock.ttl_ms else left / lock.ttl_ms
    tone = "text-muted" if left is None else "status-degraded" if share < LOW else "status-healthy"
    return (
        Cell(OURS if ours else OTHERS, "status-leader" if ours else "text-muted"),
        Cell(lock.resource, "bold" if ours else ""),
        Cell(lock.owner),
        Cell(f"#{lock.fencing_token}", "", lock.fencing_token),
        Cell(left_words(left), "", left),
        Cell("" if left is None else "".join(bar(left, lock.ttl_ms, BAR)), tone, left),
        Cell(str(lock.waiters) if lock.waiters else NONE, "status-degraded" if lock.waiters else "", lock.waiters),
        Cell(lock.instance, "text-muted"),
        Cell(duration(lock.ttl_ms), "text-muted", lock.ttl_ms),
    )


def _note(lock: Lock, aged_ms: float, stale: bool, ours: bool) -> str:
    if ours:
        return text("locks.held_here")
    if stale and lock.remaining_ms is not None and aged_ms >= lock.remaining_ms:
        return text("locks.over_since", age=age(aged_ms - lock.remaining_ms))
    return ""


def find(moment: Moment, resource: str) -> Lock | None:
    """The lock of a resource, if it is held."""
    part = moment.observation.locks
    return next((each for each in part.value if each.resource == resource), None) if part is not None else None


def problems(resource: str, owner: str, ttl: str, wait: str) -> dict[str, str]:
    """What is wrong with a wish for a lock, by field. Limits of the cluster's own, it tells itself."""
    found = {
        field: "" if value and value.isprintable() else text("acquire.bad_name")
        for field, value in (("resource", resource), ("owner", owner))
    }
    found["ttl"] = "" if not ttl or _seconds(ttl, 0.1) is not None else text("acquire.bad_ttl")
    found["wait"] = "" if not wait or _seconds(wait, 0.0) is not None else text("acquire.bad_wait")
    return {field: words for field, words in found.items() if words}


def _seconds(words: str, least: float) -> float | None:
    try:
        value = float(words)
    except ValueError:
        return None
    return value if least <= value < float("inf") else None
