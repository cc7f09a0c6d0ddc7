"""The rows of a table as a file: CSV, or JSON when the name ends so. What is short on the screen stands there whole."""

import csv
import json
from io import StringIO
from pathlib import Path

from textual.widget import Widget

from iwdc_console.cli.text import safe
from iwdc_console.locale import text
from iwdc_console.tui.model.table import Sortable
from iwdc_console.tui.widgets.table import Table

NOTE = "note"
"""The column of what stands beneath a row: why an instance is degraded."""


def export(speaker: Widget, table: Table, path: str) -> str | None:
    """Write what `table` shows. Says so, or returns what went wrong."""
    file = Path(path.strip()).expanduser()
    if not path.strip():
        return text("export.no_name")
    kept = [(index, column.keeps) for index, column in enumerate(table.columns) if column.keeps is not None]
    names = [*(table.columns[index].id for index, _ in kept), NOTE]
    rows = [[*(keeps(row.cells[index]) for index, keeps in kept), row.note] for row in table.shown]
    try:
        with file.open("x", encoding="utf-8", errors="replace", newline="") as out:
            out.write(_json(names, rows) if file.suffix == ".json" else _csv(names, rows))
    except FileExistsError:
        return text("export.exists", file=file)
    except OSError as error:
        return text("export.failed", file=file, why=error.strerror or error)
    speaker.notify(text("export.done", count=len(rows), file=safe(str(file))), markup=False)
    return None


def _csv(names: list[str], rows: list[list[Sortable]]) -> str:
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()


def _json(names: list[str], rows: list[list[Sortable]]) -> str:
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False, indent=2) + "\n"
