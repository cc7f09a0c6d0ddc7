"""Filter, order and widths of a table, purely; bars and durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwdc_console.cli.text import cells
from iwdc_console.tui.model.bars import bar, sparkline
from iwdc_console.tui.model.history import CHANGES_KEPT, KEPT, History
from iwdc_console.tui.model.quantity import age, duration, offset
from iwdc_console.tui.model.table import GAP, PROSE, BadFilter, Cell, Column, Filter, Row, ordered, widths
from iwdc_console.tui.model.words import LONGEST, clean, cut, fitted
from tests.tui import prod_eu
from tests.tui.prod_eu import NOW_S, instance, observation


def row(key: str, *cells_: Cell, note: str = "") -> Row:
    return Row(key, cells_, note)


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("", "ab"),
        ("alpha", "a"),
        ("ALPHA", "a"),
        ("!alpha", "b"),
        ("a$", "ab"),
        ("^b", "b"),
        ("!", "ab"),
        ("late", "b"),
    ],
)
def test_a_filter_is_a_regular_expression_and_can_be_turned_around(pattern: str, kept: str) -> None:
    rows = [row("a", Cell("alpha")), row("b", Cell("beta"), note="came late beta")]
    assert "".join(one.key for one in rows if Filter(pattern).keeps(one.plain)) == kept


def test_what_is_no_regular_expression_says_why() -> None:
    with pytest.raises(BadFilter, match="from character 1 on"):
        Filter("[")


def test_numbers_are_ordered_as_numbers_and_what_is_unknown_comes_last() -> None:
    rows = [row("x", Cell("9 ms", sort=9.0)), row("y", Cell("10 ms", sort=10.0)), row("z", Cell("–"))]
    assert [one.key for one in ordered(rows, 0, False)] == ["x", "y", "z"]
    assert [one.key for one in ordered(rows, 0, True)] == ["y", "x", "z"]
    assert [one.key for one in ordered(rows, None, True)] == ["x", "y", "z"]


def test_equal_values_keep_their_order_both_ways() -> None:
    rows = [row(str(n), Cell("same"), Cell(str(n))) for n in range(5)]
    assert [one.key for one in ordered(rows, 0, False)] == list("01234")


def test_on_a_wide_screen_columns_stay_near_one_another() -> None:
    name, other, prose = Column("a", 10, grow=3), Column("b", 10, grow=1), Column("c", 10, grow=1, most=PROSE)
    assert widths([name, other], 60) == [38, 19]
    assert widths([name, other], 300) == [40, 40]
    assert widths([name, other, prose], 304) == [40, 40, 220]
    assert widths([name, prose], 52) == [32, 17]


COLUMNS = st.builds(
    Column, st.just("c"), st.integers(1, 20), st.booleans(), st.integers(0, 3), st.integers(0, 5),
    most=st.integers(0, 60),
)  # fmt: skip


@given(st.lists(COLUMNS, min_size=1, max_size=8), st.integers(1, 200))
def test_columns_fit_and_what_must_stay_stays(columns: list[Column], room: int) -> None:
    found = widths(columns, room)
    shown = [width for width in found if width]
    assert shown, "something is always shown"
    assert all(width >= column.width for width, column in zip(found, columns, strict=True) if width)
    least = sum(column.width for column in columns if not column.drop)
    needed = least + GAP * max(0, sum(1 for column in columns if not column.drop) - 1)
    if room >= max(needed, *(column.width for column in columns)):
        assert sum(shown) + GAP * (len(shown) - 1) <= room


@given(st.text(max_size=200), st.integers(0, 60), st.booleans())
def test_any_words_fill_exactly_the_cells_they_are_given(words: str, width: int, right: bool) -> None:
    assert cells(fitted(words, width, right)) == width
    assert cells(cut(words, width)) <= width
    assert "\x1b" not in clean(words)
    assert "\n" not in clean(words)


def test_a_name_of_ten_kilobytes_is_cut_before_it_is_looked_at() -> None:
    assert len(clean("x" * 10_000)) == LONGEST + 1


@given(st.floats(-10, 1e9), st.floats(0, 1e9), st.integers(1, 60))
def test_a_bar_has_the_width_asked_for(part: float, whole: float, width: int) -> None:
    filled, empty = bar(part, whole, width)
    assert len(filled) + len(empty) == width
    assert bool(filled) == (whole > 0 and part > 0)


@given(st.lists(st.none() | st.floats(0, 1e6), max_size=40), st.integers(1, 30))
def test_a_sparkline_has_the_width_asked_for(values: list[float | None], width: int) -> None:
    assert len(sparkline(values, width)) == width


def test_a_sparkline_leaves_gaps_and_keeps_noise_flat() -> None:
    assert sparkline([None, 0.0, 8.0], 4) == "  ▁█"
    assert sparkline([0.1, 0.2, 0.1], 3, least=5.0) == "▁▁▁"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "–"), (0, "0 ms"), (99, "99 ms"), (100, "0.1 s"), (9_949, "9.9 s"), (9_960, "10 s"), (59_499, "59 s"),
        (59_600, "1m 00s"), (3_599_400, "59m 59s"), (3_600_000, "1h 00m"), (86_400_000, "1d 00h"),
        (12 * 86_400_000 + 4 * 3_600_000, "12d 04h"),
    ],
)  # fmt: skip
def test_durations_have_one_shape_each(ms: float | None, words: str) -> None:
    assert duration(ms) == words


def test_ages_are_tenths_and_offsets_have_signs() -> None:
    assert (age(3), age(-5), age(None)) == ("0.0 s", "0.0 s", "–")
    assert (offset(3.2), offset(-11.4), offset(0.2), offset(None)) == ("+3 ms", "-11 ms", "0 ms", "–")
    assert (offset(9_999.0), offset(7_200_000.2), offset(-14_700_000.0)) == ("+9999 ms", "+2h 00m", "-4h 05m")


def test_history_is_bounded_and_forgets_who_left() -> None:
    history = History()
    for second in range(KEPT + CHANGES_KEPT + 50):
        word = "healthy" if second % 2 else "degraded"
        status = prod_eu.status(instances=(instance("instance-A", status=word),))
        history.add(observation(status, NOW_S + second))
    assert len(history.samples("instance-A")) == KEPT
    assert len(history.changes) == CHANGES_KEPT
    assert len(history.pulses) == KEPT
    history.add(observation(prod_eu.status(instances=(instance("instance-B"),)), NOW_S + 5_000))
    assert history.samples("instance-A") == []


def test_history_gives_back_what_it_was_told_however_often_it_went_around() -> None:
    history, told = History(kept=3), []
    for second in range(8):
        seen = [("healthy", 1.5 + second, -second, 300), ("gone", None, None, None)][second % 2]
        status, rtt, drift, beat = seen
        member = instance("instance-A", status=status, rtt_ms=rtt, drift_ms=drift, heartbeat_age_ms=beat)
        history.add(observation(prod_eu.status(instances=(member,)), NOW_S + second))
        told.append(seen)
        newest = [sample[1:] for sample in history.samples("instance-A")]
        assert newest == told[-3:]
        assert [sample[1:] for sample in history.samples("instance-A", 2)] == told[-2:]


def test_the_same_status_counts_once() -> None:
    history = History.of([observation(), observation()])
    assert len(history.samples("instance-A")) == 1
