"""Bars and curves made of characters: exactly as wide and high as asked for."""

from iwdc_console.tui.model.bars import area, sparkline


def test_a_curve_has_an_edge_and_shade_beneath() -> None:
    assert area([0, 4, 8, None], 5, 2) == ["  ▁█ ", " ▁░░ "]


def test_a_sparkline_is_a_curve_of_one_line() -> None:
    assert sparkline([0, 3, 7.9, 8], 4) == "▁▄██"
    assert sparkline([1, 2], 4, least=80) == "  ▁▁", "far beneath the least it stays flat"
    assert sparkline([], 3) == "   "
