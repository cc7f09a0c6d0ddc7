"""Error bars in text cells."""

from hypothesis import given
from hypothesis import strategies as st

from iwdc_console.tui.model.plot import Axis, Measurement, axis_for, error_bars


def picture(
    measurements: list[Measurement], width: int, height: int, axis: Axis, threshold: float | None = None
) -> str:
    rows = error_bars(measurements, width, height, axis, 0, 1_000, threshold)
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_a_point_with_its_bar_on_the_axis() -> None:
    assert picture([Measurement(500, 5, 2.5)], 5, 9, Axis(-10, 10)) == "\n".join(
        ["     ", "  │  ", "  ●  ", "  │  ", "─────", "     ", "     ", "     ", "     "]
    )


def test_thresholds_and_what_lies_beyond() -> None:
    beyond = [Measurement(0, 50, 1), Measurement(900, -50, 1)]
    assert picture(beyond, 4, 5, Axis(-10, 10), 5) == "\n".join(["▲   ", "┄┄┄┄", "────", "┄┄┄┄", "   ▼"])


def test_the_surest_of_a_column_is_shown() -> None:
    assert picture([Measurement(10, 10, 9), Measurement(20, -10, 1)], 1, 3, Axis(-10, 10)) == " \n─\n●"


def test_roles_tell_colours_apart() -> None:
    (row, *_) = error_bars([Measurement(500, 10, 0)], 3, 3, Axis(-10, 10), 0, 1_000)
    assert row == [(" ", ""), ("●", "point"), (" ", "")]


def test_an_axis_is_round_and_shows_every_bar() -> None:
    assert axis_for([], 10) == Axis(-10, 10)
    assert axis_for([Measurement(0, -120, 40)], 10) == Axis(-200, 200)
    assert axis_for([Measurement(0, 0.4, 0.05)], 0.1) == Axis(-0.5, 0.5)
    assert axis_for([Measurement(0, 300, 200)], 1) == Axis(-500, 500)


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(
    st.lists(st.builds(Measurement, st.integers(-100, 1_100), numbers, st.floats(0, 1e6)), max_size=30),
    st.integers(1, 80), st.integers(1, 30), st.none() | st.floats(0, 1e6),
)  # fmt: skip
def test_a_plot_is_exactly_as_large_as_asked(
    measurements: list[Measurement], width: int, height: int, threshold: float | None
) -> None:
    rows = error_bars(measurements, width, height, axis_for(measurements, 1), 0, 1_000, threshold)
    assert [sum(len(text) for text, _ in row) for row in rows] == [width] * height
    assert not any(role == "beyond" for row in rows for _, role in row), "the axis shows every bar"
