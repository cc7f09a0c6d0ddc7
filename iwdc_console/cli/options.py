"""The options that commands share, so that they read and behave the same everywhere."""

from typing import Annotated

import typer

from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import Where

Nodes = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="URL", help="A node to talk to; repeat it to name those to try next."),
]
Context = Annotated[str | None, typer.Option("--context", metavar="NAME", help="A named context (config use-context).")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print.")]
Json = Annotated[bool, typer.Option("--json", help="Short for -o json.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show it again every second; q ends.")]


def where(nodes: list[str] | None, context: str | None, output: Format, json: bool, watch: bool = False) -> Where:
    """The shared options in one value."""
    return Where(tuple(nodes or ()), context, Format.JSON if json else output, watch)
