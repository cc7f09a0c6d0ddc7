"""Every action that a key can do, by a stable id. Bindings, footer, help, palette and people's own keymaps rest on it.

An id is `<scope>.<name>`; what it is called on screen, `label` says. A screen or widget binds an action with
`bind("table.open", "open")`: its keys come from here, or from the person's settings.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from string import ascii_letters, digits, punctuation
from typing import NamedTuple

from textual.binding import Binding, BindingError, InvalidBinding
from textual.keys import Keys

from iwdc_console.locale import text
from iwdc_console.tui.notice import Notice
from iwdc_console.tui.screens.places import PLACES


class Action(NamedTuple):
    """`keys` are the default ones, with commas in between. With `footer` the last line of the screen names it.

    An `urgent` one comes before those of the widget with the focus, and of everything around it.
    """

    id: str
    keys: str
    footer: bool = False
    urgent: bool = False

    @property
    def scope(self) -> str:
        """Where it applies: `app`, `go` and `screen` everywhere, others in a widget or screen of that name."""
        return self.id.partition(".")[0]


EVERYWHERE = frozenset({"app", "go", "screen", "travel"})
ACTIONS = (
    Action("app.command", "colon", footer=True),
    Action("app.pause", "space", footer=True),
    Action("app.as_command", "equals_sign", footer=True),
    Action("app.last", "minus"),
    Action("app.retry", "r"),
    Action("app.doctor", "w"),
    Action("app.palette", "ctrl+p"),
    Action("app.mouse", "M"),
    Action("app.help", "question_mark", footer=True),
    Action("app.quit", "q", footer=True),
    Action("screen.zoom", "z"),
    Action("screen.back", "escape"),
    *(Action(f"go.{place.name}", place.key) for place in PLACES),
    Action("app.travel", "t", footer=True),
    Action("travel.live", "t", footer=True, urgent=True),
    Action("travel.play", "space", footer=True, urgent=True),
    Action("travel.back", "left", footer=True, urgent=True),
    Action("travel.on", "right", footer=True, urgent=True),
    Action("travel.far_back", "shift+left", urgent=True),
    Action("travel.far_on", "shift+right", urgent=True),
    Action("travel.previous", "comma", footer=True, urgent=True),
    Action("travel.next", "full_stop", footer=True, urgent=True),
    Action("travel.slower", "less_than_sign", urgent=True),
    Action("travel.faster", "greater_than_sign", urgent=True),
    Action("help.close", "escape,question_mark,q", urgent=True),
    Action("doctor.close", "escape,w,q", urgent=True),
    Action("doctor.again", "r", urgent=True),
    Action("doctor.copy", "y", urgent=True),
    Action("menu.leave", "escape", urgent=True),
    Action("confirm.cancel", "escape", urgent=True),
    Action("prompt.give_up", "escape", footer=True, urgent=True),
    Action("table.open", "enter", footer=True),
    Action("table.down", "down,j"),
    Action("table.up", "up,k"),
    Action("table.page_down", "pagedown"),
    Action("table.page_up", "pageup"),
    Action("table.first", "home,g"),
    Action("table.last", "end,G"),
    Action("table.sort", "s", footer=True),
    Action("table.turn", "S"),
    Action("table.filter", "slash", footer=True),
    Action("table.next_hit", "n"),
    Action("table.previous_hit", "N"),
    Action("table.copy", "y"),
    Action("table.export", "e"),
    Action("panel.copy", "y", footer=True),
    Action("leadership.step_down", "D", footer=True),
    Action("leadership.elect", "E", footer=True),
    Action("proposals.snapshot", "p", footer=True),
    Action("proposals.diff", "d", footer=True),
    Action("proposals.trace", "T", footer=True),
    Action("propose.leave", "escape", urgent=True),
    Action("propose.send", "ctrl+s", urgent=True),
    Action("propose.pick", "ctrl+o", urgent=True),
    Action("picker.leave", "escape", urgent=True),
    Action("picker.choose", "ctrl+s", urgent=True),
    Action("locks.acquire", "a", footer=True),
    Action("locks.release", "R", footer=True),
    Action("locks.force_release", "F", footer=True),
    Action("acquire.leave", "escape", urgent=True),
    Action("acquire.send", "ctrl+s", urgent=True),
    Action("conflicts.resolve", "R", footer=True),
    Action("events.choose", "f", footer=True),
    Action("events.only_instance", "o"),
    Action("events.trace", "T", footer=True),
    Action("events.detail_up", "left_square_bracket"),
    Action("events.detail_down", "right_square_bracket"),
    Action("traces.spans_up", "left_square_bracket"),
    Action("traces.spans_down", "right_square_bracket"),
    Action("traces.copy_trace", "Y"),
    Action("versions.base", "b", footer=True),
    Action("versions.changes", "d", footer=True),
    Action("versions.changes_up", "left_square_bracket"),
    Action("versions.changes_down", "right_square_bracket"),
    Action("versions.publish", "P", footer=True),
    Action("versions.verify", "V", footer=True),
    Action("versions.roll_back", "R", footer=True),
)
BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}
_SAME_AS = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+j": "enter", "ctrl+left_square_bracket": "escape"}
"""Keys that a terminal cannot tell from others."""
_MODIFIERS = frozenset({"ctrl", "shift", "alt"})


def bind(id: str, do: str) -> Binding:
    """The binding of an action of the registry."""
    action = BY_ID[id]
    return Binding(action.keys, do, id, id=id, show=action.footer, priority=action.urgent)


def label(id: str) -> str:
    """What an action is called on screen."""
    scope, _, name = id.partition(".")
    return text(f"screen.{name}") if scope == "go" else text(f"key.{id}")


def keys_of(id: str, chosen: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of an action by their long names: the chosen ones, or else the default."""
    return _long(chosen.get(id, BY_ID[id].keys))


def keymap(chosen: Mapping[str, str]) -> tuple[dict[str, str], tuple[Notice, ...]]:
    """What of a person's keys can be used, for Textual's `set_keymap`; and why the rest cannot."""
    good: dict[str, str] = {}
    notices: list[Notice] = []
    for id, keys in chosen.items():
        problem = _problem(id, keys)
        if problem is None:
            good[id] = keys
        else:
            notices.append(problem)
    while (clash := next(clashes(good), None)) is not None:
        loser, winner = (clash.first, clash.second) if clash.first in good else (clash.second, clash.first)
        del good[loser]
        notices.append(Notice("notice.keys.clash", {"key": clash.key, "action": loser, "other": winner}))
    return {id: ",".join(keys_of(id, good)) for id in good}, tuple(notices)


NEAR = 3
"""Ids that are named in the place of one that does not exist."""


def _problem(id: str, keys: str) -> Notice | None:
    if id not in BY_ID:
        from difflib import get_close_matches  # heavy for a start at which nothing is wrong

        near = get_close_matches(id, BY_ID, NEAR, cutoff=0.0)
        return Notice("notice.keys.unknown_action", {"action": id, "near": ", ".join(near)})
    try:
        names = _long(keys)
    except (BindingError, InvalidBinding):
        names = ("",)
    for name in names:
        if name in _SAME_AS:
            return Notice("notice.keys.same_as", {"action": id, "key": name, "other": _SAME_AS[name]})
        *modifiers, plain = name.split("+")
        if not set(modifiers) <= _MODIFIERS or plain not in _names():
            return Notice("notice.keys.unknown_key", {"action": id, "key": name})
    return None


class Clash(NamedTuple):
    """One key for two actions that can be meant at the same place."""

    key: str
    first: str
    second: str


def clashes(chosen: Mapping[str, str]) -> Iterator[Clash]:
    """Every key that would mean two things at once."""
    by_key: dict[str, list[Action]] = defaultdict(list)
    for action in ACTIONS:
        for one in keys_of(action.id, chosen):
            for other in by_key[one]:
                if action.scope == other.scope or (
                    {action.scope, other.scope} & EVERYWHERE and action.urgent == other.urgent
                ):
                    yield Clash(one, action.id, other.id)
            by_key[one].append(action)


def _long(keys: str) -> tuple[str, ...]:
    """`?` is `question_mark` to Textual. Raises `InvalidBinding` for a key that is nothing."""
    return tuple(binding.key for binding in Binding.make_bindings([Binding(keys, "")]))


@cache
def _names() -> frozenset[str]:
    """Every key there is a name for, but for letters of other alphabets: what a person's own keys are held against."""
    named = frozenset(key.value for key in Keys if "+" not in key.value and "<" not in key.value)
    signs = ascii_letters + digits + punctuation.replace(",", "")
    return named | {name for sign in signs for name in _long(sign)} | {"comma", "space"}
