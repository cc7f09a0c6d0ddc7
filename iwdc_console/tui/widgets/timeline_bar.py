"""The timeline: two lines at the foot while one travels in time. What was, where one stands, how it moves."""

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from iwdc_console.locale import text
from iwdc_console.tui.model.lately import date_and_time
from iwdc_console.tui.model.milestones import SHAPES, TONES
from iwdc_console.tui.model.track import track
from iwdc_console.tui.widgets.words import Piece, content

if TYPE_CHECKING:
    from iwdc_console.tui.travel import Travel


class TimelineBar(Widget):
    """Shown as long as there is a journey."""

    DEFAULT_CSS = """
    TimelineBar { dock: bottom; height: 2; margin-bottom: 1; padding: 0 1; background: $surface; display: none; }
    """

    def __init__(self) -> None:
        super().__init__(id="timeline-bar")
        self._travel: Travel | None = None

    def show(self, travel: "Travel | None") -> None:
        """Show where the journey is, or nothing."""
        if travel is None and self._travel is None:
            return
        self._travel = travel
        self.display = travel is not None
        self.refresh()

    def render(self) -> Content:
        """The track, then the time, the pace and the last thing that stood out."""
        travel = self._travel
        if travel is None:
            return Content("")
        width = max(1, self.content_size.width)
        return Content("\n").join([self._track(travel, width), self._words(travel).truncate(width, ellipsis=True)])

    @staticmethod
    def track_width(width: int, left: str, right: str) -> int:
        """Cells between the two times of the ends."""
        return max(1, width - len(left) - len(right) - 2)

    def _ends(self, travel: "Travel") -> tuple[str, str]:
        shown = travel.track()
        return date_and_time(shown.start_ms, travel.last_ms), date_and_time(shown.end_ms, travel.last_ms)

    @property
    def columns(self) -> int:
        """How many columns the track has: what one step along it is a part of."""
        if self._travel is None:
            return 1
        return self.track_width(self.content_size.width, *self._ends(self._travel))

    def _track(self, travel: "Travel", width: int) -> Content:
        shown = travel.track()
        left, right = self._ends(travel)
        cells = track(
            travel.milestones, shown.start_ms, shown.end_ms, travel.position_ms, (travel.first_ms, shown.recorded_ms),
            self.track_width(width, left, right),
        )  # fmt: skip
        return content((f"{left} ", "text-muted"), *cells, (f" {right}", "text-muted"))

    def _words(self, travel: "Travel") -> Content:
        pace = text("travel.plays" if travel.playing else "travel.stands", speed=travel.speed)
        pieces: list[Piece] = [
            (date_and_time(travel.position_ms, travel.last_ms), "bold"), (f"  {pace}", "action-accent"),
        ]  # fmt: skip
        mark = travel.near()
        if mark is not None:
            when = date_and_time(mark.at_ms, travel.last_ms)
            pieces += [("   ", ""), (SHAPES[mark.kind], TONES[mark.kind])]
            pieces.append((f" {when} {text(f'milestone.{mark.kind}', what=mark.what)}", "text-muted"))
        if travel.position_ms < travel.track().recorded_ms:
            pieces.append((f"   {text('travel.retold')}", "text-muted"))
        return content(*pieces)
