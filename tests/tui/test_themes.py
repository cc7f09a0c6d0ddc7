"""Themes: complete, readable (WCAG), and a broken one harms nothing."""

import asyncio
from itertools import product
from pathlib import Path

import pytest
from textual.app import App
from textual.theme import Theme

from iwdc_console.tui import themes
from iwdc_console.tui.settings import THEME, THEME_16

OURS = {theme.name: theme for theme in map(themes.read, themes.FOLDERS[1].glob("*.toml"))}
BACKGROUNDS = ("surface-background", "surface-surface", "surface-panel", "action-selection")
TEXTS = (
    "text-foreground", "text-muted", "action-primary", "action-secondary", "action-accent",
    *(f"{section}-{name}" for section in ("result", "status", "proposal") for name in themes.COLOURS[section]),
)  # fmt: skip
FAINT = ("text-disabled", "surface-border")
NAMES_16 = [f"ansi_{bright}{name}" for bright in ("", "bright_") for name in (
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"
)]  # fmt: skip
PALETTES_16 = {
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
    "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "linux": "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa "
    "555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff",
    "windows": "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc "
    "767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
}  # fmt: skip


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def palettes(theme: Theme) -> list[dict[str, str]]:
    """The colours as numbers: for a theme of sixteen, as terminals show them."""
    if not theme.ansi:
        return [theme.variables]
    numbers = [dict(zip(NAMES_16, palette.split(), strict=True)) for palette in PALETTES_16.values()]
    return [{key: "#" + of[name] for key, name in theme.variables.items() if name in of} for of in numbers]


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_there_are_themes_for_all() -> None:
    assert {THEME, THEME_16, "iwdc-light", "high-contrast", "colour-blind-safe", "nord", "gruvbox", "dracula"} <= set(
        OURS
    )
    assert {name for name, theme in OURS.items() if not theme.dark} == {"iwdc-light", "solarized-light"}


@pytest.mark.parametrize("name", OURS)
def test_text_can_be_read_on_every_background(name: str) -> None:
    least = 7.0 if name == "high-contrast" else 4.5
    for colours in palettes(OURS[name]):
        for words, behind in product(TEXTS, BACKGROUNDS):
            assert contrast(colours[words], colours[behind]) >= least, f"{words} on {behind}"
        for faint, behind in product(FAINT, BACKGROUNDS[:3]):
            assert contrast(colours[faint], colours[behind]) >= 3, f"{faint} on {behind}"


@pytest.mark.parametrize("name", OURS)
def test_textual_takes_every_theme_as_it_stands(name: str) -> None:
    """What styles get is what the file says: Textual mixes no colours of its own into it."""

    async def run() -> dict[str, str]:
        app = App[None]()
        app.register_theme(OURS[name])
        async with app.run_test():
            app.theme = name
            return app.get_css_variables()

    variables = asyncio.run(run())
    for section, names in themes.COLOURS.items():
        for colour in names:
            assert variables[f"{section}-{colour}"] == OURS[name].variables[f"{section}-{colour}"]
    for theirs, ours in (
        ("text", "text-foreground"), ("text-error", "result-error"), ("surface", "surface-surface"),
        ("panel", "surface-panel"), ("background", "surface-background"), ("foreground", "text-foreground"),
    ):  # fmt: skip
        assert variables[theirs].casefold() == OURS[name].variables[ours].casefold(), theirs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(themes, "users_folder", lambda: tmp_path)
    return tmp_path


def good(name: str = "mine") -> str:
    return (themes.FOLDERS[1] / "nord.toml").read_text().replace('"nord"', f'"{name}"')


def test_a_persons_own_theme_and_one_in_place_of_ours(folder: Path) -> None:
    (folder / "a.toml").write_text(good())
    (folder / "b.toml").write_text(good("gruvbox"))
    found = themes.load()
    assert found.notices == ()
    assert found.by_name["mine"].variables["surface-background"] == "#2e3440"
    assert found.by_name["gruvbox"].variables == found.by_name["mine"].variables
    assert found.choose("mine") == ("mine", ())


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('primary = "', 'primary = "blue', 'action.primary: expected a colour such as "#5fb3e6"'),
        ("primary = ", "primray = ", "action.primray is not known; expected one of primary, secondary"),
        ("[action]", "[actions]", "actions is not known; expected one of name, dark, ansi, surface"),
        ("dark = true", "dark = 1", "dark: expected true or false"),
        ('name = "mine"', 'name = "My Theme"', "name: expected a name of small letters"),
        ("dark = true", "dark = true\nansi = true", 'expected a colour of the terminal such as "ansi_bright_red"'),
        ("dark = true", "dark = [", "no theme, for it cannot be read: "),
        pytest.param("dark = true", "dark = " + "[" * 5000, "no theme, for it cannot be read: ", id="deep"),
    ],
)
def test_a_broken_theme_is_left_out_and_told_of(folder: Path, old: str, new: str, told: str) -> None:
    file = folder / "mine.toml"
    file.write_text(good().replace(old, new, 1))
    found = themes.load()
    assert found.by_name.keys() == OURS.keys()
    (notice,) = found.notices
    assert str(file) in notice.words
    assert told in notice.words


def test_a_theme_that_is_no_file_is_told_with_what_to_do(folder: Path) -> None:
    file = folder / "mine.toml"
    file.mkdir()
    found = themes.load()
    assert found.by_name.keys() == OURS.keys()
    (notice,) = found.notices
    assert notice.words == f"{file}: no theme, for it cannot be read: a folder, not a file. Mend it or move it away"


def test_a_folder_of_themes_that_cannot_be_read_is_told(folder: Path) -> None:
    folder.rmdir()
    assert themes.load().notices == ()
    folder.touch()
    found = themes.load()
    assert found.by_name.keys() == OURS.keys()
    (notice,) = found.notices
    assert (
        notice.words == f"{folder}: no themes of yours, for it cannot be read: Not a directory. Mend it or move it away"
    )


def test_a_section_that_is_missing_is_named(folder: Path) -> None:
    (folder / "mine.toml").write_text(good().partition("[proposal]")[0])
    (notice,) = themes.load().notices
    assert "[proposal]: expected a table of pending, accepted, rejected, expired" in notice.words


def test_an_unknown_name_falls_back_and_says_so(folder: Path) -> None:
    name, (notice,) = themes.load().choose("midnight")
    assert name == THEME
    assert "There is no theme midnight; iwdc-dark is used. Known are ansi-16, " in notice.words
