"""What screens need of the console they stand in: what is shown, where to go, and whom to give orders to."""

from typing import TYPE_CHECKING, Protocol

from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import PartName

if TYPE_CHECKING:
    from iwdc_console.tui.clock import Clock
    from iwdc_console.tui.company import Company
    from iwdc_console.tui.holdings import Holdings
    from iwdc_console.tui.orders import Order, Outcome
    from iwdc_console.tui.screens.places import Place
    from iwdc_console.tui.source.source import Source
    from iwdc_console.tui.themes import Themes
    from iwdc_console.tui.time_travel import TimeTravel


class Cockpit(Protocol):
    """The console, as its screens, its command line and its palette know it."""

    clock: "Clock"
    company: "Company"
    places: "tuple[Place, ...]"
    read_only: bool
    source: "Source"
    themes: "Themes"
    time_travel: "TimeTravel"

    @property
    def holdings(self) -> "Holdings":
        """The locks that are held here."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Who takes orders."""

    def moment(self) -> Moment:
        """What is shown, and when."""

    def entered(self, needs: frozenset[PartName]) -> str:
        """A screen that shows these parts has come to the front. Gives the row that was chosen for it, or ""."""

    def go(self, name: str, selection: str = "") -> None:
        """To a screen, and to a row of it."""

    def leave(self) -> object:
        """End the console."""

    def action_last(self) -> None:
        """To the screen before this one."""

    def action_doctor(self) -> None:
        """What is wrong, and what to do next."""

    def action_pause(self) -> None:
        """Hold what is shown."""

    def set_language(self, code: str) -> None:
        """Speak this language from now on."""

    def set_theme(self, name: str) -> None:
        """Look like this from now on."""

    def may_change(self) -> bool:
        """Whether orders are given from here and now; if not, the person is told why."""

    async def order(self, order: "Order", title: str, consequence: str, act: str) -> "Outcome | None":
        """Ask, and give a dangerous order."""

    async def give(self, order: "Order") -> "Outcome":
        """Give an order and tell what came of it."""

    def tell(self, outcome: "Outcome") -> None:
        """Say what came of an order."""
