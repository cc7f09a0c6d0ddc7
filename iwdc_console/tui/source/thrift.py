"""Which parts are worth asking for again: a cluster where nothing happens is asked for little but its status. Pure."""

from typing import Final

from iwdc_console.tui.model.api import Status
from iwdc_console.tui.model.observation import Observation, PartName

DRIFT_S: Final = 5.0
"""Clocks change slowly: they are asked for when what is known of them is so old."""


def worth_asking(name: PartName, known: Observation, then: Status | None, now_s: float) -> bool:
    """Whether a part may be another one by now; `then` is the status when it was last received, None to ask anyway."""
    if then is None or known.status is None:
        return True
    now = known.status.value
    if name == "locks":
        return not then.locks == now.locks == 0
    if name == "proposals":
        return not (then.open_proposals == now.open_proposals == 0 < then.events == now.events)
    if name in ("drift", "clocks"):
        part = known.drift if name == "drift" else known.clocks
        return part is None or now_s - part.at_s >= DRIFT_S
    return True
