"""Is it safe now? The first words of every screen."""

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from iwdc_console.cli.text import wrap
from iwdc_console.tui.model.marks import SHAPES, shape, tone
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.verdict import Verdict, verdict
from iwdc_console.tui.model.words import clean
from iwdc_console.tui.widgets.words import toned

MARGIN = 2


class VerdictLine(Widget):
    """The verdict as a sentence, its reason and what may still fail; one line where there is no room for more."""

    DEFAULT_CSS = """
    VerdictLine {
        height: auto; max-height: 5; padding: 0 1; background: $surface;
        border-left: outer $status-stale;
        &.-healthy { border-left: outer $status-healthy; }
        &.-degraded { border-left: outer $status-degraded; }
        &.-unreachable { border-left: outer $status-unreachable; }
    }
    """

    def __init__(self, most: int = 3) -> None:
        super().__init__(id="verdict")
        self._most = most
        self._verdict = Verdict("", "")

    def show(self, moment: Moment) -> None:
        """Show the verdict on this moment."""
        found = verdict(moment)
        if found != self._verdict:
            self._verdict = found
            for status in SHAPES:
                self.set_class(found.status == status, f"-{status}")
            width, height = self.content_size
            self.refresh(layout=len(self.lines(width)) != height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Said at the width it is given, so that it is laid out once."""
        return len(self.lines(width))

    def lines(self, width: int) -> list[str]:
        """Sentence, reason, outlook: wrapped, the outlook in brief where that saves a line, cut at last."""
        found = self._verdict
        room = max(10, width - MARGIN)
        full, brief = (
            wrap(clean("  ".join(part for part in (found.sentence, found.reason, outlook) if part)), room)
            for outlook in (found.next, found.brief or found.next)
        )
        lines = min(full, brief, key=len)
        if len(lines) > self._most:
            return [*lines[: self._most - 1], lines[self._most - 1][: room - 1] + "…"]
        return lines

    def render(self) -> Content:
        """A shape, then the words."""
        found = self._verdict
        mark = shape(found.status) if found.status else "…"
        whole = Content("\n  ".join(self.lines(self.content_size.width)))
        whole = whole.stylize("bold", 0, min(len(whole), len(clean(found.sentence))))
        return Content.assemble((f"{mark} ", f"bold {toned(tone(found.status))}"), whole)
