"""Whatever is drawn can be read (WCAG 2.2 AA): words 4.5:1 on what is behind them, marks and frames 3:1.

The pairs of colours are taken from the screens as they are painted, not from what a theme intends. A theme in which
each colour is another one tells which of its colours meet, and so all themes are checked with one look at a place;
slowly, every theme is looked at in every place.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tomli_w
from rich.style import Style
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from iwdc_console.tui import themes
from iwdc_console.tui.app import Console
from tests.tui.driving import until
from tests.tui.stations import PLACE_KEYS, ROUNDS, Round, in_turn, lost, visit
from tests.tui.test_themes import NAMES_16, OURS, contrast, palettes

WORDS, MARKS = 4.5, 3.0
DISABLED = "text-disabled"
EDGES = " ▔▁▎▊"
"""What buttons and fields are made to look raised with: ornament."""
SAMPLE = (
    Round("screens", PLACE_KEYS),
    Round("screens, lost", PLACE_KEYS, lost),
    in_turn(("a version that is none", "step down", "palette", "filter", "past")),
    Round("help", (("help", ("question_mark",)),)),
)


class Drawn(NamedTuple):
    """Words, or something that is none, in one colour on another: numbers, or names of the sixteen."""

    colour: str
    behind: str
    words: bool


def drawn(theme: Theme, round: Round) -> dict[Drawn, str]:
    """Every pair of colours that is painted there, and where it was first seen."""
    seen: dict[Drawn, str] = {}

    async def look(app: Console, pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: bool(_regions(app.screen)))
        for strip in _in_front(app):
            for words, style, _ in strip:
                if words.strip(EDGES) and style is not None:
                    where = f"{words.strip()[:40]!r} in {round.name}, {app.current_mode}"
                    assert not style.dim, f"how dim the terminal makes it nobody knows: {where}"
                    pair = Drawn(*_colours(style), any(map(str.isalnum, words)))
                    seen.setdefault(pair, where)

    visit(round, look, theme=theme)
    assert seen
    return seen


def _in_front(app: Console) -> Iterator[Strip]:
    """The lines of the screen, or of the dialog upon it: what is beneath that is faded on purpose."""
    strips = app.screen._compositor.render_strips()
    for region in _regions(app.screen):
        for strip in strips[region.y : region.bottom]:
            yield strip.crop(region.x, region.right)


def _regions(of: Widget) -> list[Region]:
    """Where it is seen; of a dialog, where what it consists of is seen."""
    if of.region.area and not (isinstance(of, Screen) and of.is_modal):
        return [of.region]
    return [region for child in of.children for region in _regions(child)]


def _colours(style: Style) -> tuple[str, str]:
    told = [None if colour is None else colour for colour in (style.color, style.bgcolor)]
    if style.reverse:
        told.reverse()
    names = []
    for colour in told:
        if colour is None or colour.is_default:
            names.append("the terminal's own")
        elif colour.triplet is not None:
            names.append(colour.triplet.hex)
        else:
            names.append(NAMES_16[colour.number or 0])
    return names[0], names[1]


def unreadable(
    seen: dict[Drawn, str], palette: Mapping[str, str], disabled: str, words: float = WORDS
) -> Iterator[str]:
    """What has too little contrast once its colours are those of the palette. `disabled` is what cannot be chosen."""
    for pair, where in seen.items():
        ratio = contrast(palette[pair.colour], palette[pair.behind])
        if ratio < (words if pair.words and pair.colour != disabled else MARKS):
            yield f"{ratio:.2f}:1 {pair.colour} on {pair.behind}: {where}"


def telling(folder: Path) -> Theme:
    """A theme whose every colour is another one."""
    content = tomllib.loads((themes.FOLDERS[1] / "iwdc-dark.toml").read_text())
    at = 0
    for section in themes.COLOURS:
        for name in content[section]:
            at += 1
            content[section][name] = f"#{at * 9:02x}{255 - at * 9:02x}{at * 5:02x}"
    file = folder / "telling.toml"
    file.write_text(tomli_w.dumps(content | {"name": "telling"}))
    return themes.read(file)


@pytest.mark.parametrize("round", SAMPLE, ids=lambda round: round.name)
def test_all_that_is_drawn_can_be_read_in_every_theme(round: Round, tmp_path: Path) -> None:
    theme = telling(tmp_path)
    found: dict[Drawn, str] = {}
    for pair, where in drawn(theme, round).items():
        key, behind = _key(theme, pair.colour), _key(theme, pair.behind)
        assert key, f"{pair.colour} is no colour of the theme: {where}"
        assert behind, f"{pair.behind} is no colour of the theme: {where}"
        found[Drawn(key, behind, pair.words)] = where
    for name, each in OURS.items():
        if not each.ansi:
            assert not list(unreadable(found, each.variables, DISABLED)), name


def test_all_that_is_drawn_in_sixteen_colours_can_be_read_on_every_terminal() -> None:
    found = drawn(OURS["ansi-16"], Round("every screen", PLACE_KEYS))
    for palette in _sixteen():
        assert not list(unreadable(found, palette, OURS["ansi-16"].variables[DISABLED]))


def test_a_colour_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    content = tomllib.loads((themes.FOLDERS[1] / "nord.toml").read_text())
    content["status"]["unreachable"] = "#5a4040"
    (tmp_path / "bad.toml").write_text(tomli_w.dumps(content | {"name": "bad"}))
    found = drawn(themes.read(tmp_path / "bad.toml"), Round("overview", (("overview", ("1",)),)))
    told = list(unreadable(found, _themselves(found), ""))
    assert told
    assert all("#5a4040" in line for line in told)


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("round", ROUNDS, ids=lambda round: round.name)
def test_every_place_can_be_read_in_every_theme(round: Round, name: str) -> None:
    found = drawn(OURS[name], round)
    least = 7.0 if name == "high-contrast" else WORDS
    disabled = OURS[name].variables[DISABLED]
    for palette in _sixteen() if OURS[name].ansi else [_themselves(found)]:
        assert not list(unreadable(found, palette, disabled, least))


def _themselves(found: dict[Drawn, str]) -> dict[str, str]:
    return {number: number for pair in found for number in (pair.colour, pair.behind)}


def _key(theme: Theme, number: str) -> str:
    """Which of the theme's colours it is, or almost is: they are rounded on their way."""
    keys = [f"{section}-{name}" for section, names in themes.COLOURS.items() for name in names]
    return next((key for key in keys if _near(theme.variables[key], number)), "")


def _near(one: str, other: str) -> bool:
    return all(abs(int(one[at : at + 2], 16) - int(other[at : at + 2], 16)) <= 2 for at in (1, 3, 5))


def _sixteen() -> Iterator[dict[str, str]]:
    yield from palettes(Theme("sixteen", "", ansi=True, variables={name: name for name in NAMES_16}))
