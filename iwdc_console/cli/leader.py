"""`leader`: who leads, and how to change that in good order (E6)."""

from typing import Annotated

import typer

from iwdc_console.cli import options, output, target
from iwdc_console.cli.options import Context, Json, Nodes, Output, Watch
from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import read
from iwdc_console.outcomes import ClusterRefused

app = typer.Typer(invoke_without_command=True)


@app.callback()
def leader(
    ctx: typer.Context,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """Show who leads and who would next; step-down and elect change it in good order.

    Example: iwdc-distributed leader --watch
    """
    where = options.where(node, context, output, json, watch)
    if ctx.invoked_subcommand is None:
        read("leader", where)


@app.command("step-down")
def step_down(
    to: Annotated[str | None, typer.Option("--to", metavar="ID", help="Who shall lead next.")] = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Let the leader hand over. Asks each known node until the leader itself is found.

    Example: iwdc-distributed leader step-down --to instance-B
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    body = {} if to is None else {"to": to}
    try:
        answer = client.post("distributed/leader/step-down", body)
    except ClusterRefused as error:
        if error.reason != "not_leader":
            raise
        answer = target.leader(client).post("distributed/leader/step-down", body)
    _accepted(answer.data, where.output)


@app.command("elect")
def elect(
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Look at once for a leader that outranks the present one, instead of at the next interval.

    Example: iwdc-distributed leader elect
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    try:
        answer = client.post("distributed/leader/elect")
    except ClusterRefused as error:
        if error.reason != "not_leader":
            raise
        answer = target.leader(client).post("distributed/leader/elect")
    _accepted(answer.data, where.output)


def _accepted(data: dict[str, object], fmt: Format) -> None:
    output.show(data, fmt, lambda: str(data.get("detail") or "Done."), lambda: list(data.items()))
