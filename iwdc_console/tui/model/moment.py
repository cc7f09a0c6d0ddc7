"""What a screen is shown: an observation, the history before it, and the time it is looked at."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.observation import Observation, PartName

Mode = Literal["live", "paused", "past"]
STALE_AFTER_S = 3.0
"""Data older than this is marked: three times the interval at which it is asked for."""


class Beside(NamedTuple):
    """The node that runs beside the console, and whether it still does."""

    id: str
    runs: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """`now_s` and `now_ms` are the moment looked at: the present when live, an earlier one in time travel."""

    observation: Observation
    history: History
    now_s: float
    now_ms: int
    mode: Mode = "live"
    beside: Beside | None = None
    present_ms: int | None = None
    """In time travel, when the present is; a replay has none."""

    @property
    def past(self) -> bool:
        """Whether this is not the present: a replay or time travel."""
        return self.mode == "past"

    @property
    def unknown(self) -> str:
        """The key of the words for a part that was never received."""
        return "panel.not_recorded" if self.past else "panel.waiting"

    def missing(self, name: PartName) -> str:
        """The key of the words for a table that is empty as nobody told of this part; empty where somebody did.

        The journal's events tell of a status, but of no instance in it.
        """
        untold = getattr(self.observation, name) is None or (name == "status" and self.observation.retold)
        return ("panel.not_recorded" if self.past else "table.no_data") if untold else ""

    @property
    def stale(self) -> bool:
        """Whether what is shown may no longer be so."""
        age_s = self.observation.age_s(self.now_s)
        return not self.past and age_s is not None and (age_s > STALE_AFTER_S or not self.observation.link.up)
