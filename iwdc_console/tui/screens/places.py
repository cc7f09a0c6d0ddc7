"""The screens there are: key, name, and where the class is. A screen's module is imported when it is first opened."""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textual.screen import Screen


class Place(NamedTuple):
    """`name` is also the word after `:` and the end of the text keys `screen.<name>` and `help.<name>`.

    One of a `demo` is there in a demo only.
    """

    key: str
    name: str
    view: str
    demo: bool = False

    def open(self) -> "Screen[None]":
        """A new screen of this place."""
        module, _, name = self.view.partition(":")
        found: type[Screen[None]] = getattr(import_module(f"iwdc_console.tui.screens.{module}"), name)
        return found()


PLACES = (
    Place("1", "overview", "overview:Overview"),
    Place("2", "instances", "instances:Instances"),
    Place("3", "leadership", "leadership:Leadership"),
    Place("4", "proposals", "proposals:Proposals"),
    Place("5", "locks", "locks:Locks"),
    Place("6", "clock", "clock:Clock"),
    Place("7", "events", "events:Events"),
    Place("8", "traces", "traces:Traces"),
    Place("9", "metrics", "metrics:Metrics"),
    Place("0", "versions", "versions:Versions"),
    Place("c", "conflicts", "conflicts:Conflicts"),
    Place("X", "chaos", "chaos:Chaos", demo=True),
)
BY_NAME = {place.name: place for place in PLACES}
