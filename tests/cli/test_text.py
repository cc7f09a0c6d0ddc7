"""Text for terminals: nothing steers the cursor, everything has the width it claims."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwdc_console.cli.table import Column, table
from iwdc_console.cli.text import age, ago, cells, duration, fit, pad, safe, wrap


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("Каталог", "Каталог"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\nb\tc", r"a\nb\tc"),
        ("c1 \x9b31m", r"c1 \x9b31m"),
        ("right\u202eleft", r"right\u202eleft"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ud800", r"\ud800"),
        ("no\u00a0break", "no break"),
        ("e" + "\u0301" * 40, "e\u0301\u0301"),
        ("\u0301start", "start"),
    ],
)
def test_hostile_text_is_shown_as_what_it_is(raw: str, shown: str) -> None:
    assert safe(raw) == shown


@given(st.text())
def test_safe_text_has_nothing_that_steers(text: str) -> None:
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in safe(text))
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("ключ", 4), ("★●", 2)])
def test_cells(text: str, width: int) -> None:
    assert cells(text) == width


@given(st.text().map(safe), st.integers(0, 40))
def test_fit_and_pad_keep_to_the_width(text: str, width: int) -> None:
    assert cells(fit(text, width)) <= width
    assert cells(pad(text, width)) == width
    assert cells(pad(text, width, ">")) == width


@given(st.text().map(safe), st.integers(4, 40))
def test_wrap_loses_no_word_and_keeps_to_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "-"),
        (0.4, "0.4 ms"),
        (0, "0 ms"),
        (12, "12 ms"),
        (12.46, "12.5 ms"),
        (400, "0.4 s"),
        (9_940, "9.9 s"),
        (9_960, "10 s"),
        (41_000, "41 s"),
        (59_999, "1 min"),
        (200_000, "3 min 20 s"),
        (3_600_000, "1 h"),
        (12 * 86_400_000 + 4 * 3_600_000, "12 d 4 h"),
        (-1_500, "-1.5 s"),
    ],
)
def test_durations(ms: float | None, said: str) -> None:
    assert duration(ms) == said


def test_ages() -> None:
    assert age(None, 0) == "-"
    assert age(1_000, 1_400) == "0.4 s ago"
    assert age(1_500, 1_400) == "0.0 s ago"
    assert age(90_000, 1_000) == "in 1 min 29 s"
    assert ago(61_000) == "1 min 1 s ago"


_COLUMNS = (Column("name", least=8), Column("number", ">", drop=1), Column("long one", drop=2, least=10), Column("end"))


@given(st.lists(st.tuples(*[st.text(max_size=60)] * 4), max_size=5), st.integers(36, 120))
def test_a_table_fits_the_width(rows: list[tuple[str, str, str, str]], width: int) -> None:
    lines = table(_COLUMNS, rows, width).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(cells(line) <= width for line in lines)


def test_the_least_important_columns_go_first() -> None:
    rows = [("alpha", "1", "something quite long", "omega")]
    assert table(_COLUMNS, rows, 80).split("\n")[0].split() == ["name", "number", "long", "one", "end"]
    assert table(_COLUMNS, rows, 30).split("\n")[0].split() == ["name", "number", "end"]
    assert table(_COLUMNS, rows, 14).split("\n")[0].split() == ["name", "end"]
