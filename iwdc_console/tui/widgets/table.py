"""The table of every screen: filter, sort, a cursor that stays on its row, cells that glow when they change.

Only lines that changed are painted again. A row is one line, or two when it has a note.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from iwdc_console.locale import text
from iwdc_console.tui.keymap import bind
from iwdc_console.tui.model.table import Column, Filter, Row, ordered, widths
from iwdc_console.tui.model.words import cut
from iwdc_console.tui.widgets import table_lines
from iwdc_console.tui.widgets.looks import Looks
from iwdc_console.tui.widgets.panel import PANEL, entitle
from iwdc_console.tui.widgets.words import Piece

GLOW_S = 1.0
HEADING_LINES = 1
CURSOR, CURSOR_IDLE = "$block-cursor-text-style on $action-selection", "on $surface"

Picture = tuple[Row, tuple[bool, bool, set[int] | None]]
"""A line as it is painted: its row; whether it is the note, under the cursor, which of its cells glow."""
ALONE, WITH_NOTE = (False,), (False, True)
"""The lines of a row: whether each is its note."""


class Table(ScrollView, can_focus=True):
    """Rows under headings. `show_rows` gives it what to show; it posts `Opened` for Enter and click.

    `copies` says what `y` copies of the row with a key, where that is not made beforehand. A `tail` grows at its end: a
    cursor on the last row stays on the last row, and elsewhere the rows in sight stay where they are.
    """

    DEFAULT_CSS = """
    Table {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("table.down", "move(1)"),
        bind("table.up", "move(-1)"),
        bind("table.page_down", "page(1)"),
        bind("table.page_up", "page(-1)"),
        bind("table.first", "to_end(-1)"),
        bind("table.last", "to_end(1)"),
        bind("table.open", "open"),
        bind("table.sort", "sort(1)"),
        bind("table.turn", "turn"),
        bind("table.filter", "filter"),
        bind("table.next_hit", "hit(1)"),
        bind("table.previous_hit", "hit(-1)"),
        bind("table.copy", "copy"),
        bind("table.export", "export"),
    ]

    cursor: reactive[str] = reactive("", repaint=False)

    class Opened(Message):
        """Enter or a second click on the row with this key."""

        def __init__(self, table: "Table", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "Table":
            """The table it comes from."""
            return self.table

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, table: "Table") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "Table":
            """The table it comes from."""
            return self.table

    class Asked(Message):
        """A filter (`/`) or an export (`e`) is wanted for this table."""

        def __init__(self, table: "Table", what: str) -> None:
            super().__init__()
            self.table = table
            self.what = what

    def __init__(
        self,
        columns: Sequence[Column],
        title: str,
        *,
        id: str,
        empty: str = "table.empty",
        copies: Callable[[str], str] | None = None,
        tail: bool = False,
    ) -> None:
        super().__init__(id=id, classes=PANEL)
        self._title = title
        self.columns = tuple(columns)
        self.shown: list[Row] = []
        self.filter = Filter()
        self.sort_by: int | None = None
        self.descending = False
        self.choice = ""
        """By what the screen chose the rows it gives: it stands in the title, so that nobody misses the others."""
        self._given: Sequence[Row] = ()
        self._rows: tuple[Row, ...] = ()
        self._lines: list[tuple[Row, bool]] = []
        self._first_line: dict[str, int] = {}
        self._glowing: dict[tuple[str, int], float] = {}
        self._widths: list[int] = []
        self._widths_for: tuple[tuple[Column, ...], int] = ((), 0)
        self._empty = empty
        self._missing = "table.no_data"
        self._copies = copies
        self._tail = tail
        self._looks = Looks(self)

    # What is shown

    def show_rows(self, rows: Sequence[Row], now_s: float, missing: str = "") -> None:
        """Show these rows; changed cells glow until `GLOW_S` after `now_s`.

        If there are none because nobody told, `missing` is the key of the words that say so.
        """
        if missing != self._missing:
            self._missing = missing
            self.refresh()
        if rows is self._given and not self._glowing:
            self._entitle()
            return
        self._given = rows
        if any(column.glows for column in self.columns):
            before = {row.key: row for row, _ in self._visible}
            for row in rows:
                old = before.get(row.key)
                if old is not None and old is not row:
                    self._note_changes(old, row, now_s)
        self._rows = tuple(rows)
        self._glowing = {at: until for at, until in self._glowing.items() if until > now_s}
        self._arrange()

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Other columns from now on; the rows that belong to them follow."""
        if self.columns != tuple(columns):
            self.columns, self._rows, self._glowing, self.sort_by = tuple(columns), (), {}, None
            self.refresh()

    def _note_changes(self, old: Row, new: Row, now_s: float) -> None:
        for index, column in enumerate(self.columns):
            if column.glows and old.cells[index].text != new.cells[index].text:
                self._glowing[new.key, index] = now_s + GLOW_S

    def set_filter(self, chosen: Filter) -> None:
        """Show only the rows that `chosen` keeps."""
        self.filter = chosen
        self._arrange()

    def _arrange(self) -> None:
        """Lay the lines out anew and paint those that differ from what stood there."""
        painted = self._picture()
        place, in_sight = self._index(self.cursor), self._visible
        follows = self._tail and place == len(self.shown) - 1
        rows = ordered(self._rows, self.sort_by, self.descending)
        self.shown = [row for row in rows if self.filter.keeps(row.plain)] if self.filter else rows
        self._lines = [(row, is_note) for row in self.shown for is_note in (WITH_NOTE if row.note else ALONE)]
        self._first_line = {row.key: at for at, (row, is_note) in enumerate(self._lines) if not is_note}
        self._entitle()
        height = max(1, len(self._lines)) + HEADING_LINES
        if self.virtual_size.height != height:
            self.virtual_size = Size(self.scrollable_content_region.width, height)
        if self._tail and not follows:
            self._hold(in_sight)
        if self.shown and (follows or self.cursor not in self._first_line):
            self.cursor = self.shown[-1 if follows else min(max(place, 0), len(self.shown) - 1)].key
        now_painted = self._picture()
        if len(painted) != len(now_painted):
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(painted, now_painted, strict=True)) if _differ(old, new)]
        if changed:
            self.refresh(*map(self._line_at, changed))

    def _hold(self, in_sight: list[tuple[Row, bool]]) -> None:
        """What was in sight stands where it stood, so that none of it has to be painted again."""
        for line, (row, is_note) in enumerate(in_sight):
            now = self._first_line.get(row.key)
            if now is not None and not is_note:
                top = min(max(0, now - line), self.max_scroll_y)
                self.set_reactive(Table.scroll_y, top)
                self.set_reactive(Table.scroll_target_y, top)
                self.vertical_scrollbar.position = top
                return

    def _entitle(self) -> None:
        """The title, how many rows there are, by what they were chosen, and what is filtered for."""
        found, all_ = len(self.shown), len(self._rows)
        if self.filter:
            count = text("table.filtered", found=found, all=all_, filter=self.filter.pattern)
        else:
            count = str(all_) if all_ or self.choice else ""
        entitle(self, self._title, f"{count}  {self.choice}" if self.choice else count)

    def _picture(self) -> list[Picture]:
        """Everything that decides how each visible line looks."""
        glowing: dict[str, set[int]] = {}
        for key, index in self._glowing:
            glowing.setdefault(key, set()).add(index)
        return [(row, (is_note, row.key == self.cursor, glowing.get(row.key))) for row, is_note in self._visible]

    @property
    def _visible(self) -> list[tuple[Row, bool]]:
        top = self.scroll_offset.y
        return self._lines[top : top + self.size.height]

    def _line_at(self, visible: int) -> Region:
        return Region(0, visible + HEADING_LINES, self.size.width, 1)

    def _index(self, key: str) -> int:
        return next((index for index, row in enumerate(self.shown) if row.key == key), -1)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return next((row for row in self.shown if row.key == self.cursor), None)

    # How it is painted

    def render_line(self, y: int) -> Strip:
        """One line of the visible part."""
        width = self.scrollable_content_region.width
        if (self.columns, width) != self._widths_for:
            self._widths, self._widths_for = widths(self.columns, width), (self.columns, width)
        if y == 0:
            names = table_lines.headings(self.columns, self._widths, self.sort_by, self.descending)
            return self._looks.strip(names, width)
        at = self.scroll_offset.y + y - HEADING_LINES
        if at >= len(self._lines):
            if not self._lines and y == 1:
                words = text("table.filtered_out" if self._rows else self._missing or self._empty)
                return self._looks.strip([(cut(words, width), "$text-muted")], width)
            return Strip.blank(width, self.visual_style.rich_style)
        row, is_note = self._lines[at]
        line = table_lines.note(row, width) if is_note else self._cells(row)
        if row.key == self.cursor:
            return self._looks.strip(line, width, CURSOR if self.has_focus else CURSOR_IDLE)
        return self._looks.strip(line, width)

    def _cells(self, row: Row) -> list[Piece]:
        return table_lines.cells(row, self.columns, self._widths, lambda index: (row.key, index) in self._glowing)

    # What people do

    def watch_cursor(self, old: str, new: str) -> None:
        """The cursor stands elsewhere: paint both places, and see to it that it can be seen."""
        for key in (old, new):
            first = self._first_line.get(key)
            if first is not None:
                for at in (first, first + 1):
                    if at < len(self._lines) and self._lines[at][0].key == key:
                        self.refresh(self._line_at(at - self.scroll_offset.y))
        if new in self._first_line:
            self._reveal()
            self.post_message(self.Moved(self))

    def _reveal(self) -> None:
        """The row under the cursor is in sight."""
        line = self._first_line[self.cursor]
        self.scroll_to_region(
            Region(0, line + (0 if line == 0 else HEADING_LINES), 1, 1),
            animate=False,
            immediate=self.size.height > 0,
        )

    def on_resize(self, event: events.Resize) -> None:
        """With less room the cursor could be out of sight."""
        if self.cursor in self._first_line and event.size.height:
            self._reveal()

    def on_focus(self) -> None:
        """The cursor shows that keys come here."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor shows that keys go elsewhere."""
        self.refresh()

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is shown."""
        if key in self._first_line:
            self.cursor = key

    def action_move(self, by: int) -> None:
        """One row down or up."""
        if self.shown:
            place = min(max(self._index(self.cursor) + by, 0), len(self.shown) - 1)
            self.cursor = self.shown[place].key

    def action_page(self, direction: int) -> None:
        """One page down or up."""
        self.action_move(direction * max(1, self.size.height - HEADING_LINES - 1))

    def action_to_end(self, direction: int) -> None:
        """The first or the last row."""
        self.action_move(direction * len(self.shown))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.cursor:
            self.post_message(self.Opened(self, self.cursor))

    def action_sort(self, by: int) -> None:
        """Sort by the next column; after the last one, as the rows come."""
        visible = [index for index, width in enumerate(self._widths) if width] or list(range(len(self.columns)))
        order: list[int | None] = [None, *visible]
        place = order.index(self.sort_by) if self.sort_by in order else 0
        self.sort_column(order[(place + by) % len(order)])

    def sort_column(self, column: int | None) -> None:
        """Sort by this column, or not at all."""
        self.sort_by, self.descending = column, False
        self._arrange()
        self.refresh()

    def action_turn(self) -> None:
        """The other way around."""
        if self.sort_by is not None:
            self.descending = not self.descending
            self._arrange()
            self.refresh()

    def action_filter(self) -> None:
        """Ask for a filter."""
        self.post_message(self.Asked(self, "filter"))

    def action_export(self) -> None:
        """Ask where to export to."""
        self.post_message(self.Asked(self, "export"))

    def action_hit(self, by: int) -> None:
        """The next row that the filter finds, around the end."""
        if self.shown:
            self.cursor = self.shown[(self._index(self.cursor) + by) % len(self.shown)].key

    def action_copy(self) -> None:
        """Copy the row: works over ssh, too."""
        row = self.row
        if row is not None:
            made = row.copy if self._copies is None else self._copies(row.key)
            self.app.copy_to_clipboard(made or "\t".join(cell.text for cell in row.cells))
            self.notify(text("table.copied"))

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row is chosen, a second click opens it."""
        place = event.get_content_offset(self)
        if place is None:
            return
        x, y = place
        if y < HEADING_LINES:
            self._click_heading(x)
            return
        at = self.scroll_offset.y + y - HEADING_LINES
        if at < len(self._lines):
            self.cursor = self._lines[at][0].key
            if event.chain > 1:
                self.action_open()

    def _click_heading(self, x: int) -> None:
        column = table_lines.column_at(self._widths, x)
        if column is not None and column == self.sort_by:
            self.action_turn()
        elif column is not None:
            self.sort_column(column)


def _differ(old: Picture, new: Picture) -> bool:
    """Whether a line looks otherwise than before. What a column sorts by is not seen."""
    return old[1] != new[1] or (old[0] is not new[0] and (old[0].key != new[0].key or old[0].seen != new[0].seen))
