"""Themes: TOML files of colours by meaning. `[section] name` becomes the variable `$section-name` of the styles.

The console's own are in the package, a person's own in `themes/` of the configuration folder. A broken file is left out
and told of; everything else goes on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.theme import Theme

from iwdc_console import contexts
from iwdc_console.tui.notice import Notice
from iwdc_console.tui.settings import THEME
from node.documents import fault, parse_toml, read_text

FOLDERS = (Path(__file__).parents[1] / "themes", Path(__file__).parents[2] / "themes")
"""Where the package has its themes, and where a checkout has them."""
COLOURS: Mapping[str, tuple[str, ...]] = {
    "surface": ("background", "surface", "panel", "border"),
    "text": ("foreground", "muted", "disabled"),
    "action": ("primary", "secondary", "accent", "selection"),
    "result": ("success", "warning", "error"),
    "status": ("healthy", "degraded", "unreachable", "leader", "stale"),
    "proposal": ("pending", "accepted", "rejected", "expired"),
}
"""Every colour that a theme names, by section."""
ANSI = frozenset(
    f"ansi_{bright}{name}"
    for bright in ("", "bright_")
    for name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
) | {"ansi_default"}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_RGB = re.compile(r"#[0-9a-fA-F]{6}")


class BadTheme(Exception):
    """A file that is no theme: the key that is wrong, and which kind of value was expected there, one of `names`."""

    def __init__(self, key: str, kind: str, names: Iterable[str] = ()) -> None:
        self.key, self.kind, self.names = key, kind, ", ".join(names)
        super().__init__(f"{key}: expected {kind} {self.names}".strip())

    def notice(self, file: Path) -> Notice:
        """The sentence for a person."""
        return Notice(f"notice.theme.broken.{self.kind}", {"file": file, "key": self.key, "names": self.names})


@dataclass(frozen=True, slots=True)
class Themes:
    """All themes by name, and what is wrong with the others."""

    by_name: Mapping[str, Theme]
    notices: tuple[Notice, ...]

    def choose(self, name: str) -> tuple[str, tuple[Notice, ...]]:
        """`name` if there is such a theme; otherwise the default one, with a notice."""
        if name in self.by_name:
            return name, ()
        known = ", ".join(sorted(self.by_name))
        return THEME, (Notice("notice.theme.unknown", {"theme": name, "default": THEME, "known": known}),)


def users_folder() -> Path:
    """Where a person's own themes are."""
    return contexts.path().parent / "themes"


def load() -> Themes:
    """The console's own themes and the person's, who may replace one of ours by name."""
    ours = next(folder for folder in FOLDERS if folder.is_dir())
    found = {theme.name: theme for theme in map(read, sorted(ours.glob("*.toml")))}
    notices: list[Notice] = []
    for file in _of_person(notices):
        try:
            theme = read(file)
        except BadTheme as error:
            notices.append(error.notice(file))
        except (OSError, ValueError, RecursionError) as error:
            notices.append(Notice("notice.theme.unreadable", {"file": file, "why": fault(error)}))
        else:
            found[theme.name] = theme
    return Themes(found, tuple(notices))


def _of_person(notices: list[Notice]) -> list[Path]:
    folder = users_folder()
    try:
        return sorted(file for file in folder.iterdir() if file.match("*.toml"))
    except FileNotFoundError:
        pass
    except OSError as error:
        notices.append(Notice("notice.theme.none", {"folder": folder, "why": fault(error)}))
    return []


def read(file: Path) -> Theme:
    """One theme. Raises `BadTheme` for its content, and what reading TOML raises."""
    content = parse_toml(read_text(file))
    name, dark, ansi = content.get("name"), content.get("dark"), content.get("ansi", False)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadTheme("name", "name")
    if not isinstance(dark, bool):
        raise BadTheme("dark", "bool")
    if not isinstance(ansi, bool):
        raise BadTheme("ansi", "bool")
    for key in content.keys() - {"name", "dark", "ansi"} - COLOURS.keys():
        raise BadTheme(key, "one_of", ("name", "dark", "ansi", *COLOURS))
    colours = dict(_colours(content, ansi))
    return Theme(
        name=name, dark=dark, ansi=ansi, variables=colours | _widgets(colours, ansi),
        primary=colours["action-primary"], secondary=colours["action-secondary"], accent=colours["action-accent"],
        success=colours["result-success"], warning=colours["result-warning"], error=colours["result-error"],
        foreground=colours["text-foreground"], background=colours["surface-background"],
        surface=colours["surface-surface"], panel=colours["surface-panel"],
    )  # fmt: skip


def _colours(content: Mapping[str, object], ansi: bool) -> Iterator[tuple[str, str]]:
    for section, names in COLOURS.items():
        table = content.get(section)
        if not isinstance(table, dict):
            raise BadTheme(f"[{section}]", "table", names)
        for key in table.keys() - set(names):
            raise BadTheme(f"{section}.{key}", "one_of", names)
        for name in names:
            colour = table.get(name)
            if not isinstance(colour, str) or not (colour in ANSI if ansi else _RGB.fullmatch(colour)):
                raise BadTheme(f"{section}.{name}", "ansi" if ansi else "colour")
            yield f"{section}-{name}", colour


def _widgets(colours: Mapping[str, str], ansi: bool) -> dict[str, str]:
    """What Textual's own widgets are painted with, from the same colours: it would mix its own otherwise.

    Sixteen colours have no background that goes with all of the text, so there a cursor is shown in reverse.
    """
    words, panel, selection = colours["text-foreground"], colours["surface-panel"], colours["action-selection"]
    border, muted = colours["surface-border"], colours["text-muted"]
    return {
        "ansi-background": colours["surface-background"], "ansi-foreground": words,
        "text": words, "surface": colours["surface-surface"], "panel": panel, "boost": panel,
        "text-primary": colours["action-primary"], "text-secondary": colours["action-secondary"],
        "text-accent": colours["action-accent"], "text-success": colours["result-success"],
        "text-warning": colours["result-warning"], "text-error": colours["result-error"],
        "border": colours["action-primary"], "border-blurred": border,
        "block-cursor-foreground": words, "block-cursor-background": selection,
        "block-cursor-text-style": "reverse" if ansi else "bold",
        "block-cursor-blurred-foreground": words, "block-cursor-blurred-background": colours["surface-surface"],
        "block-cursor-blurred-text-style": "bold",
        "block-hover-background": panel,
        "input-cursor-background": words, "input-cursor-foreground": colours["surface-background"],
        "input-cursor-text-style": "none",
        "input-selection-background": words if ansi else selection,
        "input-selection-foreground": colours["surface-background"] if ansi else words,
        "footer-background": panel, "footer-foreground": muted, "footer-key-foreground": words,
        "footer-description-foreground": muted, "footer-description-background": panel,
        "scrollbar": border, "scrollbar-hover": muted, "scrollbar-active": colours["action-primary"],
        "scrollbar-background": colours["surface-background"],
        "scrollbar-background-hover": colours["surface-background"],
        "scrollbar-background-active": colours["surface-background"],
        "scrollbar-corner-color": colours["surface-background"],
        "link-color": colours["action-primary"], "link-color-hover": words, "link-background-hover": selection,
    }  # fmt: skip
