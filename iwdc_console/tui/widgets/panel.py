"""A panel: a frame with its title in it. On a narrow terminal only the line above is left of the frame."""

from textual.content import Content
from textual.widget import Widget

from iwdc_console.locale import text
from iwdc_console.tui.model.words import clean

PANEL = "panel"
"""The class of widgets that are panels; the styles are those of `View`."""


def entitle(panel: Widget, title: str, more: str = "") -> None:
    """Put the words of `title` into the frame, and `more` after them: how much there is, what is filtered for."""
    words = Content.assemble(text(title), (f" {clean(more)}", "not bold") if more else "")
    if panel._border_title != words:
        panel.border_title = words  # a Content: markup is not looked for in it
