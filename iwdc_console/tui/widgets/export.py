"""The rows of a table as a file: CSV, or JSON when the name ends so."""

import csv
import json
from io import StringIO
from pathlib import Path

from textual.widget import Widget

from iwdc_console.cli.text import safe
from iwdc_console.locale import text
from iwdc_console.tui.widgets.table import Table


def export(speaker: Widget, table: Table, path: str) -> str | None:
    """Write what `table` shows. Says so, or returns what went wrong."""
    file = Path(path.strip()).expanduser()
    if not path.strip():
        return text("export.no_name")
    names = [column.id for column in table.columns if column.id != "mark"]
    places = [index for index, column in enumerate(table.columns) if column.id != "mark"]
    rows = [[row.cells[index].text for index in places] for row in table.shown]
    try:
        with file.open("x", encoding="utf-8", newline="") as out:
            out.write(_json(names, rows) if file.suffix == ".json" else _csv(names, rows))
    except FileExistsError:
        return text("export.exists", file=file)
    except OSError as error:
        return text("export.failed", file=file, why=error.strerror or error)
    speaker.notify(text("export.done", count=len(rows), file=safe(str(file))), markup=False)
    return None


def _csv(names: list[str], rows: list[list[str]]) -> str:
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()


def _json(names: list[str], rows: list[list[str]]) -> str:
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False, indent=2) + "\n"
