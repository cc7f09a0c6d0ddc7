"""`node`: set up, run and recover the node of this machine. The engine is loaded inside the commands."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from iwdc_console.cli import options, target
from iwdc_console.cli import output as out
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format, say

app = typer.Typer(
    help="""The node itself: init, run, recover.

    Example: iwdc-distributed node run --id instance-A
    """,
    no_args_is_help=True,
)

DEFAULT_CONFIG = Path("configs/node.toml")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="node.toml; configs/node.toml if there is one.")
]
DataDir = Annotated[Path | None, typer.Option(metavar="DIR", help="Where its journal lies.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Listen where others can reach it, without encryption.")]
NewCluster = Annotated[
    bool, typer.Option("--new-cluster", help="Its empty disk may vote at once: the first of a new cluster.")
]
Instances = Annotated[Path | None, typer.Option(metavar="FILE", help="instances.json, the members.")]


@app.command()
def init(
    id_: Annotated[str, typer.Option("--id", help="The instance's id.")],
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where it listens.")] = "127.0.0.1:3000",
    cluster: Annotated[str, typer.Option(help="The cluster's id, the same on all instances.")] = "iwdc",
    data_dir: DataDir = None,
    instances: Instances = None,
    config: Annotated[Path, typer.Option(metavar="FILE", help="The node.toml to write.")] = DEFAULT_CONFIG,
    insecure: Insecure = False,
    new_cluster: NewCluster = False,
) -> None:
    """Write node.toml and this instance's entry in instances.json. What is there already is never overwritten.

    Example: iwdc-distributed node init --id instance-A --listen 127.0.0.1:3000
    """
    from iwdc_console.cli import setup

    members = instances or config.parent / "distributed" / "instances.json"
    disk = data_dir or Path("data") / id_
    with _explained():
        added = setup.carry_out(setup.Plan(config, members, id_, cluster, listen, disk, insecure), new_cluster)
    say(f"Wrote {config}" + (f" and the entry of {id_} in {members}." if added else f"; {id_} was in {members}."))
    say(f"Start it with: iwdc-distributed node run --config {config}")


@app.command()
def run(
    config: ConfigFile = None,
    id_: Annotated[str | None, typer.Option("--id", help="Which instance this is.")] = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where to listen.")] = None,
    data_dir: DataDir = None,
    instances: Instances = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any key of node.toml.")
    ] = None,
    insecure: Insecure = False,
    force_members: Annotated[
        bool, typer.Option("--force-members", help="Take a member list that changes by more than one.")
    ] = False,
    new_cluster: NewCluster = False,
) -> None:
    """Run a node until TERM or ctrl-c.

    Example: iwdc-distributed node run --config configs/node.toml --id instance-A
    """
    from node.config import load_config

    values = {"id": id_, "listen": listen, "data_dir": data_dir, "instances": instances}
    acts = {"insecure": insecure, "force_members": force_members, "new_cluster": new_cluster}
    flags = {name: str(value) for name, value in values.items() if value is not None}
    flags |= {name: "true" for name, chosen in acts.items() if chosen}
    if force_members:
        say("Taking the member list as it is: if two lists without a common majority run at once, both may decide.")
    with _explained():
        loaded = load_config(config, flags, os.environ, set_ or ())
        for warning in loaded.warnings:
            say(f"Warning: {warning}")
        from node.process import run_node

        code = run_node(loaded)
    raise typer.Exit(code)


@app.command()
def recover(
    without: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="A member whose disk is lost for good; may be repeated.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Set the damaged journal in DIR aside (the node must be stopped)."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Go on after a disk is lost. Without members that will not come back, or with an empty journal of its own.

    Example: iwdc-distributed node recover --without instance-C --node http://127.0.0.1:3000
    """
    if bool(without) == bool(data_dir):
        raise Failure("Expected --without ID (a member is lost) or --data-dir DIR (this disk is damaged).", Exit.USAGE)
    if data_dir is not None:
        _set_aside(data_dir, yes)
        return
    lost = ", ".join(without or ())
    say(
        f"The node asked goes on without what {lost} knew. If that disk held a vote or an event nobody else has,\n"
        f"it is forgotten: a decision may be taken a second time. Never start {lost} again on its old disk."
    )
    if not yes:
        typer.confirm(f"Is the disk of {lost} lost for good?", abort=True, err=True)
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    data = client.post("distributed/recover", {"without": without}).data
    out.show(data, where.output, lambda: str(data.get("detail") or "Done."), lambda: list(data.items()))


def _set_aside(data_dir: Path, yes: bool) -> None:
    from node.journal import JOURNAL_NAME, DirectoryLock

    journal = data_dir / JOURNAL_NAME
    if not journal.exists():
        raise Failure(f"{journal} is not there: nothing to set aside.", Exit.USAGE)
    say(
        f"{journal} is set aside, not deleted. The node then starts empty and takes everything from the others:\n"
        "what only this disk held is lost. It votes again once every other member has answered it."
    )
    if not yes:
        typer.confirm("Set it aside?", abort=True, err=True)
    with _explained():
        lock = DirectoryLock.take(data_dir)
        try:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            for file in sorted(data_dir.glob(f"{JOURNAL_NAME}*")):
                file.rename(data_dir / f"aside-{stamp}-{file.name}")
        finally:
            lock.release()
    say("Done. Start the node again.")


@contextmanager
def _explained() -> Iterator[None]:
    """The engine's typed errors as this program's failures."""
    from node.config import ConfigError
    from node.journal import JournalError

    try:
        yield
    except ConfigError as error:
        raise Failure(str(error), Exit.USAGE, "See what applies with: iwdc-distributed config show") from error
    except JournalError as error:
        raise Failure(str(error)) from error
