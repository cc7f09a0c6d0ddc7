"""Locks: who holds what, for how long yet, who waits; take one and hold it, give it back, take it away."""

from typing import ClassVar

from textual.app import ComposeResult

from iwdc_console.tui.model import locks
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName
from iwdc_console.tui.screens.view import View
from iwdc_console.tui.widgets.table import Table

TICK_S = 0.25
"""How often the leases are counted on."""


class Locks(View):
    """Leases run on between two answers of the cluster."""

    NAME = "locks"
    NEEDS: ClassVar[frozenset[PartName]] = frozenset({"locks"})
    COMMAND = "locks"

    def body(self) -> ComposeResult:
        """The locks."""
        yield Table(locks.COLUMNS, id="locks", empty="locks.none")

    def on_mount(self) -> None:
        """Count on while this screen is in front."""
        self.set_interval(TICK_S, self._tick)

    def _tick(self) -> None:
        if self.is_current:
            self.update(self.console.moment())

    def update(self, moment: Moment) -> None:
        """The locks as they are at this moment."""
        self.query_one(Table).show_rows(locks.rows(moment, frozenset()), self.console.clock.mono_s())
