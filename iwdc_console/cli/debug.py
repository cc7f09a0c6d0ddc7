"""`debug bundle`: all that somebody else needs to see what a cluster is doing, in one file."""

import io
import os
import platform
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from iwdc_console.cli import options, target
from iwdc_console.cli.doctor import gather, report
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Nodes
from iwdc_console.cli.output import Format, json_text, say, write
from iwdc_console.client import Client
from iwdc_console.diagnosis import diagnose
from iwdc_console.evidence import Evidence, Look
from iwdc_console.examination import ASK_TIMEOUT_S, MAX_AT_ONCE
from iwdc_console.outcomes import ClientError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

ASKED: dict[str, dict[str, int]] = {
    "leader": {},
    "quorum": {},
    "locks": {},
    "drift": {},
    "conflicts": {},
    "proposals": {"limit": 200},
    "events": {"limit": 1000},
    "traces": {"limit": 200},
    "info": {},
}
"""What each member is asked below `distributed/`, beside its status and metrics."""


@app.callback()
def debug() -> None:
    """For whoever helps you: bundle.

    Example: iwdc-distributed debug bundle
    """


@app.command()
def bundle(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="By default iwdc-bundle-<time>.tar.gz.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="As for `doctor`.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="As for `doctor`.")] = None,
    node: Nodes = None,
    context: Context = None,
) -> None:
    """Write what every member says of itself into a .tar.gz. What `doctor` makes of it is in it too; prints its name.

    No keys and no content are in it; names of instances, versions, locks and their owners are.

    Example: iwdc-distributed debug bundle /tmp/for-support.tar.gz
    """
    where = options.where(node, context, Format.TABLE, False)
    path = file or Path(time.strftime("iwdc-bundle-%Y%m%d-%H%M%S.tar.gz"))
    if path.exists() and not path.is_file():
        raise Failure(f"{path} is there and no file; expected the name of a file to write")
    seen = gather(target.connect(where.nodes, where.context), config, id)
    real = path.resolve()  # a link stays one
    answering = [look for look in seen.looks if look.status is not None]
    draft = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        with tarfile.open(draft, "w:gz") as archive:
            for name, text in _about(seen):
                _add(archive, name, text)
            with ThreadPoolExecutor(min(MAX_AT_ONCE, max(1, len(answering)))) as at_once:
                for files in at_once.map(_of_member, answering):
                    for name, text in files:
                        _add(archive, name, text)
        draft.replace(real)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}; expected a file that can be written") from error
    finally:
        draft.unlink(missing_ok=True)
    write(str(path))
    for look in seen.looks:
        if look.status is None:
            say(f"{look.id} is not in it: {look.why}")
    if not answering:
        raise Failure("No member answers.", Exit.UNREACHABLE)


def _about(seen: Evidence) -> Iterator[tuple[str, str]]:
    from iwdc_console.cli.program import program_version

    about = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "program": program_version(),
        "python": sys.version,
        "platform": platform.platform(),
    }
    yield "about.json", json_text(about)
    yield "doctor.json", json_text(report(diagnose(seen)))
    if seen.config is not None:
        yield "config.json", json_text({"source": seen.config.source, **seen.config.entries})


def _of_member(look: Look) -> list[tuple[str, str]]:
    client = Client([look.url], ASK_TIMEOUT_S)
    files = [(f"{look.id}/status.json", json_text(look.status))]
    for name, query in ASKED.items():
        try:
            files.append((f"{look.id}/{name}.json", json_text(client.get(f"distributed/{name}", **query).data)))
        except ClientError as error:
            files.append((f"{look.id}/{name}.missing.txt", error.message))
    try:
        files.append((f"{look.id}/metrics.txt", str(client.text("metrics").data)))
    except ClientError as error:
        files.append((f"{look.id}/metrics.missing.txt", error.message))
    return files


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(f"iwdc-bundle/{name}")
    entry.size, entry.mtime = len(data), int(time.time())
    archive.addfile(entry, io.BytesIO(data))
