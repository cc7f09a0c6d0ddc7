"""Every place of the console that can be looked at, and the keys that lead there: tests of all of them rest on this."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, cast

import msgspec
from textual.pilot import Pilot
from textual.theme import Theme

from iwdc_console import locale
from iwdc_console.demo.cluster import Cluster
from iwdc_console.demo.faults import Impaired, Member, Order, State
from iwdc_console.tui.app import Console
from iwdc_console.tui.company import Company
from iwdc_console.tui.model.api import Leader, Quorum
from iwdc_console.tui.model.observation import Link, Observation
from iwdc_console.tui.screens.places import PLACES
from tests.tui import prod_eu
from tests.tui.driving import drive
from tests.tui.prod_eu import NAMES, NOW_MS, NOW_S, Script
from tests.tui.prod_eu_versions import everything

Look = Callable[[Console, Pilot[Any]], Awaitable[None]]


Station = tuple[str, tuple[str, ...]]
"""What it is called, and the keys that lead there from the station before."""


REFUSED = f"{prod_eu.NODE}: connection refused"


def nothing() -> Observation:
    """No node has answered yet."""
    return Observation(context="prod-eu", nodes=(prod_eu.NODE,))


def never() -> Observation:
    """None ever did, though all were asked."""
    link = Link(node=prod_eu.NODE, error=REFUSED, next_try_s=NOW_S + 4, tried=(prod_eu.NODE,))
    return msgspec.structs.replace(nothing(), link=link)


def lost() -> Observation:
    """None answers any more."""
    link = Link(
        node=prod_eu.NODE, answered_s=NOW_S - 134, error=REFUSED, next_try_s=NOW_S + 4, tried=("n", "m", "o")
    )  # fmt: skip
    return msgspec.structs.replace(everything(), link=link)


def empty() -> Observation:
    """A cluster that nothing has happened in."""
    known = everything()
    parts = {
        name: msgspec.structs.replace(getattr(known, name), value=())
        for name in ("locks", "proposals", "conflicts", "events", "elections", "traces", "versions")
    }
    return msgspec.structs.replace(known, **parts)


def well() -> Observation:
    """Nothing is wrong."""
    known = everything()
    assert known.status is not None
    status = msgspec.structs.replace(known.status, value=prod_eu.all_well())
    return msgspec.structs.replace(known, status=status, conflicts=None)


def leaderless() -> Observation:
    """Neither leader nor quorum."""
    known = everything()
    assert known.status is not None
    value = prod_eu.status(quorum=Quorum(5, 2, 3, False), leader=Leader(None, 15))
    return msgspec.structs.replace(known, status=msgspec.structs.replace(known.status, value=value))


class Round(NamedTuple):
    """Stations that one console is led through; `known` is what it has observed."""

    name: str
    stations: tuple[Station, ...]
    known: Callable[[], Observation] = everything


OPEN = {
    "detail of an event": ("7", "enter"),
    "choice of events": ("7", "f", *"colour:red"),
    "what differs": ("0", "d"),
    "step down": ("3", "D"),
    "elect": ("3", "E"),
    "propose a snapshot": ("4", "p"),
    "propose a diff": ("4", "d"),
    "a version that is none": ("4", "p", "x"),
    "acquire": ("5", "a"),
    "acquire nothing": ("5", "a", "ctrl+s"),
    "release": ("5", "R"),
    "force-release": ("5", "F"),
    "resolve": ("c", "R"),
    "verify": ("0", "V"),
    "roll back": ("0", "down", "down", "R"),
    "roll back to nothing": ("0", "R"),
    "chaos menu": ("X", "enter"),
    "chaos submenu": ("X", "enter", "end", "up", "up", "enter"),
    "palette": ("ctrl+p",),
    "palette without a hit": ("ctrl+p", *"zzzz"),
    "filter": ("slash", "left_square_bracket"),
    "filter without a hit": ("slash", *"zzzz"),
    "command": ("colon", *"nowhere", "enter"),
    "choice": ("colon", *"language", "space", *"xx", "enter"),
    "export": ("e",),
    "export to nothing": ("e", "ctrl+u", "enter"),
    "as command": ("equals_sign",),
    "copied": ("y",),
    "paused": ("space",),
    "past": ("t", "comma"),
    "past that plays": ("t", "space", "greater_than_sign"),
    "order from the past": ("t", "3", "D"),
}
APART = frozenset({
    "choice of events", "palette without a hit", "filter without a hit", "command", "choice", "paused",
    "past", "past that plays", "order from the past",
})  # fmt: skip
"""What is typed there, or goes on after esc, would be seen in what is opened next."""
PLACE_KEYS = tuple((place.name, (place.key,)) for place in PLACES)


def in_turn(names: Iterable[str]) -> Round:
    """What is opened, each from the first screen, one after another in one console. Time travel is not left so: it
    comes last.
    """
    return Round("in turn", tuple((name, ("escape", "escape", PLACES[0].key, *OPEN[name])) for name in names))


ROUNDS: tuple[Round, ...] = (
    Round("every screen", PLACE_KEYS),
    Round("every screen, empty", PLACE_KEYS, empty),
    Round("every screen, nothing known", PLACE_KEYS, nothing),
    Round("every screen, leaderless", PLACE_KEYS, leaderless),
    Round("every screen, lost", PLACE_KEYS, lost),
    Round("help", tuple((place.name, ("escape", place.key, "question_mark")) for place in PLACES)),
    in_turn(name for name in OPEN if name not in APART),
    *(Round(name, ((name, keys),)) for name, keys in OPEN.items() if name in APART),
    *(Round(each.__name__, ((each.__name__, ()),), each) for each in (never, well)),
)


class Broken:
    """A demo with two faults in force and a node that is down; orders change nothing."""

    @property
    def state(self) -> State:
        """How it is."""
        a, b, c = NAMES[:3]
        up = (Member(name, f"http://{name}", "running", NOW_MS - 60_000) for name in (a, b))
        down = Member(c, f"http://{c}", "down", NOW_MS - 9_000)
        since_ms = NOW_MS - 5_000
        return State((*up, down), (Impaired(a, b, True, 0, since_ms), Impaired(b, c, False, 200, since_ms)))

    def order(self, order: Order) -> State:
        """Nothing is done."""
        return self.state


def visit(
    round: Round, look: Look, size: tuple[int, int] = (120, 40), *, known: Observation | None = None,
    language: str = locale.DEFAULT, theme: Theme | None = None,
) -> None:  # fmt: skip
    """Go there and look at each."""
    app = prod_eu.console(known or round.known(), company=Company(demo=cast(Cluster, Broken())), language=language)
    assert isinstance(app.source, Script)
    app.source.past = prod_eu.events()
    if theme is not None:
        app.register_theme(theme)
        app.theme = theme.name

    async def act(console: Console, pilot: Pilot[Any]) -> None:
        for _, keys in round.stations:
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            await pilot.wait_for_scheduled_animations()
            await look(console, pilot)

    drive(act, app, size)


def words(shown: str) -> set[str]:
    """The words of our alphabet on a screen."""
    return set(re.findall(r"[A-Za-z]{2,}", shown))
