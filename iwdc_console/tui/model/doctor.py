"""What the doctor found, as lines: the verdict, then each finding and what to do about it."""

from collections.abc import Sequence

from iwdc_console.cli.text import wrap
from iwdc_console.diagnosis import Finding, verdict
from iwdc_console.tui.model.marks import SHAPES
from iwdc_console.tui.model.words import clean

Line = list[tuple[str, str]]

STATUS = {"bad": "unreachable", "warn": "degraded", "ok": "healthy"}
"""What each level looks like: as an instance of that status."""
ABOUT, INDENT = 11, 2
LEAST = 20
"""Cells of a sentence at the least, however narrow the panel."""


def lines(found: Sequence[Finding], width: int) -> list[Line]:
    """The findings, the worst first; an empty line sets apart what needs somebody."""
    told: list[Line] = [[(line, "bold")] for line in wrap(verdict(found), max(LEAST, width))]
    calm = False
    for finding in found:
        if finding.level != "ok" or not calm:
            told.append([])
        calm = finding.level == "ok"
        told += _finding(finding, max(LEAST, width - INDENT - ABOUT))
    return told


def _finding(finding: Finding, width: int) -> list[Line]:
    status = STATUS[finding.level]
    calm = finding.level == "ok"
    first, *more = wrap(clean(finding.text), width)
    head = [(f"{SHAPES[status]} ", f"status-{status}"), (f"{finding.about:<{ABOUT}}", "text-muted")]
    tone = "text-muted" if calm else ""
    indent = (" " * (INDENT + ABOUT), "")
    do = wrap(f"→ {clean(finding.do)}", width) if finding.do else []
    return [
        [*head, (first, tone)],
        *([indent, (line, tone)] for line in more),
        *([indent, (line, "action-primary")] for line in do),
    ]
