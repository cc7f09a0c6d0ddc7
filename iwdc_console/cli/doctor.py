"""`doctor`: asks every member, looks at this machine, and says what is wrong and what to do next."""

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from iwdc_console.cli import options, output, target
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format
from iwdc_console.cli.views import findings
from iwdc_console.cli.views.screen import current_screen
from iwdc_console.client import Client
from iwdc_console.diagnosis import Finding, diagnose
from iwdc_console.evidence import Evidence, LocalConfig, LocalDisk
from iwdc_console.examination import examine
from iwdc_console.findings import told, verdict


def doctor(
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="node.toml of this machine; by default configs/node.toml."),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="The node of this machine, as for `node run`.")] = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Say what is wrong and what to do next: network, members, config, quorum, leader, clocks, disk, open proposals.

    It asks every member itself, those of instances.json when no node answers. It changes nothing.

    Exit codes: 0 whatever it finds; 3 when no member answers at all.

    Example: iwdc-distributed doctor --node http://10.20.0.11:3000
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    seen = gather(client, config, id)
    show(seen, where.output)
    if not seen.answering:
        raise Failure("No member answers.", Exit.UNREACHABLE)


def show(seen: Evidence, fmt: Format) -> None:
    """Print what follows from the evidence."""
    found = diagnose(seen)
    output.show(
        report(found),
        fmt,
        lambda: findings.findings_table(found, current_screen()),
        lambda: findings.findings_rows(found),
    )


def report(found: list[Finding]) -> dict[str, object]:
    """The findings as a document."""
    return {"verdict": verdict(found), "findings": [finding._asdict() for finding in told(found)]}


def gather(client: Client, config: Path | None, id: str | None) -> Evidence:
    """Ask all members, and look at what this machine has of a node."""
    local, disk, listed = _here(config, id)
    return examine(client, listed)._replace(config=local, disk=disk)


def _here(config: Path | None, id: str | None) -> tuple[LocalConfig | None, LocalDisk | None, list[tuple[str, str]]]:
    """This machine's configuration and data directory, where there are such, and the members it lists."""
    from node.config import DEFAULT_FILE, ConfigError, load_config
    from node.journal.errors import DirectoryFault

    if config is None and not DEFAULT_FILE.is_file():
        return None, None, []
    source = str(config or DEFAULT_FILE)
    try:
        loaded = load_config(config, {} if id is None else {"id": id}, os.environ, make_id=False)
    except (ConfigError, DirectoryFault) as error:
        return LocalConfig(source, {}, tuple(str(error).splitlines())), None, []
    listed = [member for member in loaded.settings.members if not _is_nobody(member.id)]
    entries = {key: value for key, value in loaded.settings.entries().items() if not _is_nobody(key.rpartition(" ")[2])}
    disk = None
    if loaded.data_dir.is_dir():
        usage = shutil.disk_usage(loaded.data_dir)
        disk = LocalDisk(str(loaded.data_dir), usage.free, usage.total)
    return LocalConfig(source, entries), disk, [(member.id, member.url) for member in listed if member.votes]


def _is_nobody(id_: str) -> bool:
    from node.config.load import UNMADE_ID

    return id_ == UNMADE_ID
