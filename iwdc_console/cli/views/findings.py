"""What `doctor` found, for people and for `awk`."""

from collections.abc import Iterable, Sequence

from iwdc_console.cli.table import paint
from iwdc_console.cli.text import safe, wrap
from iwdc_console.cli.views.screen import Screen
from iwdc_console.diagnosis import Finding
from iwdc_console.findings import Told, told, verdict

SHAPES = {"bad": "unreachable", "warn": "degraded", "ok": "healthy"}
TONES = {"bad": "bad", "warn": "warn", "ok": "good"}
ABOUT_CELLS = 11


def findings_table(found: Sequence[Finding], screen: Screen) -> str:
    """The verdict; then each finding behind the part it is about, and below it what to do."""
    lines = [screen.note(verdict(found), tone="strong"), ""]
    for finding in told(found):
        indent = 2 + ABOUT_CELLS
        first, *rest = wrap(safe(finding.text), max(20, screen.width - indent))
        shape = paint(screen.shape(SHAPES[finding.level]), TONES[finding.level], screen.colour)
        lines.append(f"{shape} {finding.about.ljust(ABOUT_CELLS)}{first}")
        lines += [" " * indent + more for more in rest]
        if finding.do:
            lines.append(screen.note(f"-> {finding.do}", indent=indent))
    return "\n".join(lines)


def findings_rows(found: Sequence[Finding]) -> Iterable[Told]:
    """level, about, text, what to do."""
    return told(found)
