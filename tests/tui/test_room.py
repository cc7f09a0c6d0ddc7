"""Words have the room they need, in every language: no heading of a table and no word of a narrow column is cut."""

from collections.abc import Iterator

import msgspec
import pytest

from iwdc_console.cli.text import cells
from iwdc_console.locale import LANGUAGES, set_language, table, text
from iwdc_console.tui.model import (
    chaos,
    conflicts,
    drift,
    events,
    leadership,
    locks,
    metrics,
    overview,
    proposals,
    traces,
    versions,
)  # fmt: skip
from iwdc_console.tui.model.observation import Part
from iwdc_console.tui.model.table import Column
from tests.tui import prod_eu, prod_eu_detail
from tests.tui.prod_eu_versions import everything

TABLES: dict[str, tuple[Column, ...]] = {
    "chaos": chaos.COLUMNS, "conflicts": conflicts.COLUMNS, "clock": drift.COLUMNS, "events": events.COLUMNS,
    "candidates": leadership.CANDIDATES, "elections": leadership.CHANGES, "locks": locks.COLUMNS,
    "metrics": metrics.COLUMNS, "instances": overview.MEMBER_COLUMNS, "proposals": proposals.COLUMNS,
    "traces": traces.COLUMNS, "versions": versions.BEFORE,
}  # fmt: skip
SHAPE = 2
"""A shape before a word, and the space between them."""


@pytest.fixture(params=LANGUAGES)
def spoken(request: pytest.FixtureRequest) -> Iterator[str]:
    code: str = request.param
    set_language(code)
    yield code
    set_language("en")


@pytest.mark.parametrize("name", TABLES)
def test_headings_are_not_cut(name: str, spoken: str) -> None:
    cut = {each.id: text(f"column.{each.id}") for each in TABLES[name]}
    assert {id: words for id, words in cut.items() if cells(words) > _width(name, id)} == {}


def _width(name: str, id: str) -> int:
    return next(each.width for each in TABLES[name] if each.id == id)


@pytest.mark.parametrize(
    ("words", "room"),
    [
        ("versions.at.", versions.AT_WIDTHS[0][1] - SHAPE),
        ("versions.state.", _width("versions", "state")),
        ("vote.", proposals.VOTE),
        ("state.", min(_width("proposals", "state"), overview.STATE + 1)),
        ("status.", _width("instances", "status")),
        ("chaos.process.", _width("chaos", "process")),
    ],
)
def test_words_of_narrow_columns_are_not_cut(words: str, room: int, spoken: str) -> None:
    known = {key: str(text) for key, text in table(spoken).items() if key.startswith(words)}
    assert known
    assert {key: text for key, text in known.items() if cells(text.format(percent=100)) > room} == {}


def test_the_rate_of_a_clock_that_was_set_is_not_cut(spoken: str) -> None:
    own = msgspec.structs.replace(prod_eu_detail.drift(), rate_ppm=-110_491.7)
    known = msgspec.structs.replace(everything(), drift=Part(own, prod_eu.NODE, prod_eu.NOW_S, prod_eu.NOW_MS))
    (rate,) = [cell.text for row in drift.rows(prod_eu.moment(known)) for cell in row.cells if "110" in cell.text]
    assert cells(rate) <= _width("clock", "pace")
