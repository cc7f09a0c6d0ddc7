"""What the doctor found, as lines: the verdict, then each finding and what to do about it."""

from collections.abc import Sequence

from iwdc_console.cli.text import cells, pad, wrap
from iwdc_console.diagnosis import PARTS, Finding
from iwdc_console.findings import Told, told, verdict
from iwdc_console.locale import text
from iwdc_console.tui.model.marks import SHAPES
from iwdc_console.tui.model.words import clean

Line = list[tuple[str, str]]

STATUS = {"bad": "unreachable", "warn": "degraded", "ok": "healthy"}
"""What each level looks like: as an instance of that status."""
INDENT, GAP = 2, 2
LEAST = 20
"""Cells of a sentence at the least, however narrow the panel."""


def lines(found: Sequence[Finding], width: int) -> list[Line]:
    """The findings, the worst first; an empty line sets apart what needs somebody."""
    lines: list[Line] = [[(line, "bold")] for line in wrap(verdict(found), max(LEAST, width))]
    about = max(cells(text(f"finding.part.{part}")) for part in PARTS) + GAP
    calm = False
    for finding in told(found):
        if finding.level != "ok" or not calm:
            lines.append([])
        calm = finding.level == "ok"
        lines += _finding(finding, about, max(LEAST, width - INDENT - about))
    return lines


def _finding(finding: Told, about: int, width: int) -> list[Line]:
    status = STATUS[finding.level]
    calm = finding.level == "ok"
    first, *more = wrap(clean(finding.text), width)
    head = [
        (f"{SHAPES[status]} ", f"status-{status}"),
        (pad(text(f"finding.part.{finding.about}"), about), "text-muted"),
    ]
    tone = "text-muted" if calm else ""
    indent = (" " * (INDENT + about), "")
    do = wrap(f"→ {clean(finding.do)}", width) if finding.do else []
    return [
        [*head, (first, tone)],
        *([indent, (line, tone)] for line in more),
        *([indent, (line, "action-primary")] for line in do),
    ]
