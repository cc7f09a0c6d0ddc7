"""How a key is bound: a stable id, from which its words follow (`key.<id>`): keymaps and languages may differ."""

from textual.binding import Binding

from iwdc_console.locale import text


def bind(keys: str, action: str, id: str, *, footer: bool = False) -> Binding:
    """A binding. With `footer` the last line of the screen names it; `?` names all."""
    return Binding(keys, action, id, id=id, show=footer)


def urgent(keys: str, action: str, id: str) -> Binding:
    """A binding that comes before those of the widget with the focus."""
    return Binding(keys, action, id, id=id, show=False, priority=True)


def label(id: str) -> str:
    """What an action is called on screen."""
    scope, _, name = id.partition(".")
    return text(f"screen.{name}") if scope == "go" else text(f"key.{id}")
