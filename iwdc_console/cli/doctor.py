"""`doctor`: asks every member, looks at this machine, and says what is wrong and what to do next."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from iwdc_console.cli import options, output, target
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format
from iwdc_console.cli.views import findings
from iwdc_console.cli.views.screen import current_screen
from iwdc_console.client import Client, ClientError, Unreachable
from iwdc_console.diagnosis import LEGACY, Evidence, Finding, LocalConfig, LocalDisk, Look, diagnose, verdict

ASK_TIMEOUT_S = 3.0
MAX_AT_ONCE = 16
PROPOSALS = 200


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
    seen = examine(client, config, id)
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
    return {"verdict": verdict(found), "findings": [finding._asdict() for finding in found]}


def examine(client: Client, config: Path | None, id: str | None) -> Evidence:
    """Ask all members at once, and look at what this machine has of a node."""
    local, disk, listed = _here(config, id)
    try:
        listed = [
            (item["id"], item["url"]) for item in client.get("distributed/instances").data if item["protocol"] != LEGACY
        ]
    except Unreachable as error:
        listed = listed or [(url, url) for url, _ in error.tried]
    with ThreadPoolExecutor(min(MAX_AT_ONCE, max(1, len(listed)))) as at_once:
        looks = list(at_once.map(lambda member: _look(*member), listed))
    answering = [look.url for look in looks if look.status is not None]
    return Evidence(
        looks,
        _list(answering, "distributed/proposals", limit=PROPOSALS),
        _list(answering, "distributed/conflicts"),
        local,
        disk,
    )


def _look(name: str, url: str) -> Look:
    started, wall_ms = time.monotonic(), time.time() * 1000
    try:
        status = Client([url], ASK_TIMEOUT_S).get("distributed/status").data
        took_ms = (time.monotonic() - started) * 1000
        return Look(status["id"], url, status, "", took_ms, status["at"] - wall_ms - took_ms / 2)
    except Unreachable as error:
        return Look(name, url, None, "; ".join(why for _, why in error.tried))
    except (ClientError, KeyError, TypeError) as error:
        return Look(name, url, None, str(error))


def _list(nodes: list[str], path: str, **query: object) -> list[dict[str, Any]]:
    if not nodes:
        return []
    try:
        answer: list[dict[str, Any]] = Client(nodes, ASK_TIMEOUT_S).get(path, **query).data
    except ClientError:
        return []
    return answer


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
