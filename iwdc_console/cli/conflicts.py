"""`conflicts`: two accepted contents for one slot, and how to settle one that stands open (S1)."""

from typing import Annotated

import typer

from iwdc_console.cli import options, target
from iwdc_console.cli import output as out
from iwdc_console.cli.options import Context, Json, Nodes, Output, Watch
from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import read
from iwdc_console.client import segment

app = typer.Typer(invoke_without_command=True)


@app.callback()
def conflicts(
    ctx: typer.Context,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """List conflicts: what was accepted twice, who won, and why.

    Example: iwdc-distributed conflicts
    """
    where = options.where(node, context, output, json, watch)
    if ctx.invoked_subcommand is None:
        read("conflicts", where)


@app.command()
def resolve(
    slot: Annotated[str, typer.Argument(metavar="SLOT", help="The slot, as the list of conflicts names it.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of the proposal that shall win.")],
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Settle a conflict. The proposal with this key wins everywhere.

    Example: iwdc-distributed conflicts resolve version:1.2.0 83aa3cbda8d1-13
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    answer = client.post(f"distributed/conflicts/{segment(slot)}/resolve", {"key": key}, repeatable=True)
    data = answer.data
    out.show(data, where.output, lambda: str(data.get("detail") or "Settled."), lambda: list(data.items()))
