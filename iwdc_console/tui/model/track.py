"""The track of the timeline: marks in their places, where one stands, what is recorded and what only retold. Pure."""

from collections.abc import Iterable

from iwdc_console.tui.model.milestones import KINDS, SHAPES, TONES, Milestone

RECORDED, RETOLD, UNKNOWN, HERE = "─", "╌", " ", "┃"
Line = list[tuple[str, str]]


def track(
    milestones: Iterable[Milestone],
    start_ms: float,
    end_ms: float,
    here_ms: float,
    known_ms: tuple[float, float],
    width: int,
) -> Line:
    """`width` cells from `start_ms` to `end_ms`. `known_ms` says from when on events tell, and when frames begin."""

    def column(at_ms: float) -> int:
        return min(width - 1, int((at_ms - start_ms) / max(1.0, end_ms - start_ms) * width))

    told, recorded = column(known_ms[0]), column(known_ms[1])
    cells = [
        (RECORDED if place >= recorded else RETOLD if place >= told else UNKNOWN, "text-disabled")
        for place in range(width)
    ]
    marks: dict[int, Milestone] = {}
    for mark in milestones:
        if start_ms <= mark.at_ms <= end_ms:
            other = marks.get(column(mark.at_ms))
            if other is None or KINDS.index(mark.kind) <= KINDS.index(other.kind):
                marks[column(mark.at_ms)] = mark
    for place, mark in marks.items():
        cells[place] = (SHAPES[mark.kind], TONES[mark.kind])
    here = column(here_ms)
    shape, tone = cells[here]
    cells[here] = (shape, f"bold reverse ${tone}") if here in marks else (HERE, "bold $action-accent")
    return cells
