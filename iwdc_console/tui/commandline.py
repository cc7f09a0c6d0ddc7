"""The line after `:`: the name of a screen or the beginning of one, `theme NAME`, `language CODE`, `doctor`, `quit`."""

from iwdc_console.locale import LANGUAGES, text
from iwdc_console.tui.cockpit import Cockpit


def words(console: Cockpit) -> list[str]:
    """Everything that can be said there."""
    looks = [f"theme {name}" for name in console.themes.by_name] + [f"language {code}" for code in LANGUAGES]
    return [*(place.name for place in console.places), "doctor", "quit", *looks]


def run(console: Cockpit, line: str) -> str | None:
    """Do what a line says; a problem is returned."""
    word, _, rest = line.strip().casefold().partition(" ")
    if word in ("q", "quit"):
        console.leave()
        return None
    if word == "doctor":
        console.action_doctor()
        return None
    if word in ("theme", "language") and rest:
        return _choose(console, word, rest.strip())
    found = [place.name for place in console.places if place.name.startswith(word)] if word else []
    if len(found) != 1:
        return text("app.no_such_command", word=word) if word else None
    console.go(found[0])
    return None


def _choose(console: Cockpit, what: str, name: str) -> str | None:
    known = sorted(LANGUAGES if what == "language" else console.themes.by_name)
    if name not in known:
        return text("app.no_such_choice", name=name, known=", ".join(known))
    (console.set_language if what == "language" else console.set_theme)(name)
    return None
