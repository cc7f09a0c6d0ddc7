"""Shapes and tones of statuses. Shape and word carry the meaning, colour underlines it."""

from iwdc_console.tui.model.api import Instance

HEALTHY, DEGRADED, UNREACHABLE = "healthy", "degraded", "unreachable"
SHAPES = {HEALTHY: "●", DEGRADED: "◐", UNREACHABLE: "○"}
LEADER = "★"
UNKNOWN = "?"


def shape(status: str) -> str:
    """The shape of a status."""
    return SHAPES.get(status, UNKNOWN)


def tone(status: str) -> str:
    """The theme variable of a status."""
    return f"status-{status}" if status in SHAPES else "text-muted"


def mark(instance: Instance, leader: str | None) -> tuple[str, str]:
    """Shape and tone of an instance: the leader's star as long as it is healthy to be seen."""
    if instance.id == leader and instance.status != UNREACHABLE:
        return LEADER, "status-leader" if instance.status == HEALTHY else tone(instance.status)
    return shape(instance.status), tone(instance.status)
