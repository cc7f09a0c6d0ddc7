"""`leader`: who leads, and how to change that in good order (E6)."""

from typing import Annotated

import typer

from iwdc_console.cli import options, output, target
from iwdc_console.cli.options import Context, Json, Nodes, Output, Watch
from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import Where, read
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
    _order("step-down", {} if to is None else {"to": to}, options.where(node, context, output, json))


@app.command("elect")
def elect(
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Look at once for a leader that outranks the present one. It is looked for every interval anyway.

    Example: iwdc-distributed leader elect
    """
    _order("elect", {}, options.where(node, context, output, json))


def _order(name: str, body: dict[str, str], where: Where) -> None:
    """Give an order that only the leader takes to the node asked, or to the leader that it names."""
    client, path = target.connect(where.nodes, where.context), f"distributed/leader/{name}"
    try:
        data = client.post(path, body).data
    except ClusterRefused as error:
        if error.reason != "not_leader":
            raise
        data = target.leader(client).post(path, body).data
    output.show(data, where.output, lambda: str(data.get("detail") or "Done."), lambda: list(data.items()))
