"""`diff`: what leads from one version to the next: make the file, publish it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from iwdc_console.cli import jobs, options, target
from iwdc_console.cli import output as out
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format
from iwdc_console.cli.propose import Sign
from iwdc_console.cli.snapshot import publish_stored, store
from iwdc_console.client import Client

app = typer.Typer(
    help="""What leads from one version to the next: make the file, publish it.

    Example: iwdc-distributed diff publish 1.1.0 1.2.0
    """,
    no_args_is_help=True,
)

From = Annotated[str, typer.Argument(metavar="FROM", help="The version it starts at.")]
To = Annotated[str, typer.Argument(metavar="TO", help="The version it leads to.")]
Folder = Annotated[
    Path | None, typer.Argument(metavar="DIR", help="A folder with TO, where the node does not have it yet.")
]


@app.command()
def make(
    from_: From,
    to: To,
    folder: Folder = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Make the diff file between two versions, at the node asked. With DIR, TO is stored there first.

    Example: iwdc-distributed diff make 1.1.0 1.2.0 build/json
    """
    where = options.where(node, context, output, json)
    stored = _made(target.connect(where.nodes, where.context), from_, to, folder)
    text = f"diffs/{from_}__{to}.diff.json in the data folder of the node, hash {stored['hash']}"
    out.show(stored, where.output, lambda: text, lambda: [(stored["hash"],)])


@app.command()
def publish(
    from_: From,
    to: To,
    folder: Folder = None,
    sign: Sign = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Make the diff and put it to the vote. Before that, as many voters as are required fetch it.

    A DIR is read by the node: run it on the machine of the node it talks to.

    Exit codes: 0 accepted, 5 no quorum, 6 rejected, 8 no verdict yet.

    Example: iwdc-distributed diff publish 1.1.0 1.2.0 build/json
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    publish_stored(client, _made(client, from_, to, folder), sign, where)


def _made(client: Client, from_: str, to: str, folder: Path | None) -> dict[str, Any]:
    if folder is not None:
        store(client, folder, to)
    stored: dict[str, Any] = jobs.follow(client, client.post("diffs", {"from": from_, "to": to}).data)["stored"]
    return stored
