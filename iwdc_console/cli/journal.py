"""`journal`: check, export and replay what a node has on its disk. Changes nothing; the node may be running."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Json, Output
from iwdc_console.cli.output import Format, json_text, say, show, write

if TYPE_CHECKING:
    from node.journal.offline import Replay, Report

LOOKS = 5
"""Times a live node is compared before we say that it changes too quickly to be compared."""

app = typer.Typer(
    help="""A node's journal: verify, export, replay.

    Example: iwdc-distributed journal verify data/instance-A
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)


class StrategyName(StrEnum):
    """The conflict strategies (S1)."""

    LAST_WRITE_WINS = "last-write-wins"
    LEADER_WINS = "leader-wins"
    REJECT_INCONSISTENT = "reject-inconsistent"


DataDir = Annotated[
    Path | None, typer.Argument(metavar="DATA_DIR", help="The node's data directory; by default the configured one.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="node.toml; by default configs/node.toml.")
]
Id = Annotated[str | None, typer.Option("--id", help="Whose data directory, as for `node run`.")]


@app.command()
def verify(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    id: Id = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Read everything and check it. What is wrong goes to stderr too, and the exit code is 1.

    Example: iwdc-distributed journal verify data/instance-A
    """
    from node.journal import offline

    path = _journal(data_dir, config, id)
    with _explained():
        report = offline.verify(path)
    document = _report_document(report)
    show(document, Format.JSON if json else output, lambda: _report_table(report), lambda: _plain(document))
    if report.problems:
        told = "\n".join(f"{path}: {problem}" for problem in report.problems)
        raise Failure(told, Exit.FAILED, _advice(path) if _is_in_use(path) else "")


@app.command()
def export(data_dir: DataDir = None, config: ConfigFile = None, id: Id = None) -> None:
    """Print every event as one line of JSON, in order of arrival.

    Example: iwdc-distributed journal export data/instance-A > events.jsonl
    """
    from node.journal import offline

    path = _journal(data_dir, config, id)
    with _explained():
        for event in offline.export(path):
            write(json_text(event, indent=None))


@app.command()
def replay(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    id: Id = None,
    strategy: Annotated[
        StrategyName | None, typer.Option(help="How conflicts are settled; by default as the node does.")
    ] = None,
    node: Annotated[
        str | None,
        typer.Option("--node", metavar="URL", help="Compare with this node; exit code 1 if unequal."),
    ] = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Build the state anew from the events and show its digest. With --node, compare it with the live one.

    Example: iwdc-distributed journal replay data/instance-A --node http://127.0.0.1:3000
    """
    path = _journal(data_dir, config, id)
    rebuilt, live = _replay(path, strategy, node)
    document = {
        "digest": rebuilt.digest,
        "version": rebuilt.version,
        "hash": rebuilt.hash,
        "events": rebuilt.events,
        "floorEvents": rebuilt.floor_events,
    }
    if live is not None:
        document |= {"liveDigest": live, "equal": live == rebuilt.digest}
    show(document, Format.JSON if json else output, lambda: _fields(_plain(document)), lambda: _plain(document))
    if live is not None and live != rebuilt.digest:
        raise Failure(
            f"The journal adds up to another state ({rebuilt.digest}) than the node shows ({live}).",
            Exit.FAILED,
            "Is this the directory of that node? If so, see: "
            f"iwdc-distributed journal verify {shlex.quote(str(path.parent))}",
        )
    if live is not None:
        say("Equal to the live node's state.")


def _replay(path: Path, strategy: StrategyName | None, node: str | None) -> "tuple[Replay, str | None]":
    """The rebuilt state, and the live node's digest. A node that went on in between is looked at again."""
    from node.journal import offline
    from node.protocol.settings import Limits

    if node is None:
        with _explained():
            return offline.replay(path, (strategy or StrategyName.LAST_WRITE_WINS).value, Limits()), None
    from iwdc_console.client import Client

    client = Client([node])
    before = client.get("distributed/status").data
    for _ in range(LOOKS):
        with _explained():
            rebuilt = offline.replay(path, (strategy or StrategyName(before["strategy"])).value, Limits())
        after = client.get("distributed/status").data
        digests = (before["stateDigest"], after["stateDigest"])
        if rebuilt.digest in digests:
            return rebuilt, rebuilt.digest
        if digests[0] == digests[1]:
            return rebuilt, digests[1]
        before = after
    raise Failure(
        f"The node's state changed during each of {LOOKS} looks.", Exit.UNKNOWN, "Compare again when it is less busy."
    )


def _advice(path: Path) -> str:
    return (
        "Keep a copy of the directory, then give this instance a new journal: "
        f"iwdc-distributed node recover --data-dir {shlex.quote(str(path.parent))}"
    )


def _is_in_use(path: Path) -> bool:
    """Whether it is a node's journal, and no copy nor one that was set aside: those need no recovery."""
    from node.journal import JOURNAL_NAME

    return path.name == JOURNAL_NAME


@contextmanager
def _explained() -> Iterator[None]:
    from node.journal import JournalCorrupt, JournalError

    try:
        yield
    except JournalCorrupt as error:
        raise Failure(str(error) if _is_in_use(error.path) else f"{error.path}: {error.damage}") from error
    except JournalError as error:
        raise Failure(str(error)) from error


def _journal(data_dir: Path | None, config: Path | None, id: str | None) -> Path:
    """The journal file in the directory given, or else in the configured one. A file may also be named itself."""
    import os

    from node.config import ConfigError, load_config
    from node.journal import JOURNAL_NAME

    if data_dir is None:
        try:
            data_dir = load_config(config, {} if id is None else {"id": id}, os.environ, make_id=False).data_dir
        except ConfigError as error:
            raise Failure(str(error), Exit.USAGE, "Or name the directory: journal verify DATA_DIR") from error
        if not (data_dir / JOURNAL_NAME).exists():
            hint = "Say whose journal is meant, --id ID, or where it is: journal verify DATA_DIR"
            raise Failure(f"{data_dir / JOURNAL_NAME}: there is no journal.", Exit.FAILED, hint)
    return data_dir if data_dir.is_file() else data_dir / JOURNAL_NAME


def _report_document(report: "Report") -> dict[str, Any]:
    return {
        "path": str(report.path),
        "sound": not report.problems,
        "live": report.live,
        "format": report.format,
        "journalId": report.journal,
        "term": report.term,
        "controlTerm": report.control[0],
        "controlIndex": report.control[1],
        "locks": report.locks,
        "events": report.events,
        "bytes": report.bytes,
        "journals": [
            {"journal": extent.journal, "first": extent.first, "last": extent.last, "floor": extent.floor}
            for extent in report.extents
        ],
        "problems": list(report.problems),
    }


def _report_table(report: "Report") -> str:
    from iwdc_console.cli.table import Column
    from iwdc_console.cli.views.screen import current_screen

    screen = current_screen()
    count = len(report.problems)
    verdict = "sound" if not count else f"{count} problem{'s' if count > 1 else ''}, see below"
    fields = screen.fields(
        [
            ("journal", f"{report.path} ({'a node is running on it' if report.live else 'no node runs on it'})"),
            ("verdict", verdict),
            ("format", str(report.format)),
            ("id", report.journal or "none yet"),
            ("events", f"{report.events} in {report.bytes / 2**20:.1f} MiB"),
            ("control log", f"term {report.control[0]}, index {report.control[1]}, {report.locks} locks held"),
        ]
    )
    if not report.extents:
        return fields
    columns = [Column("JOURNAL", least=12), Column("FIRST", ">"), Column("LAST", ">"), Column("FLOOR", ">")]
    rows = [
        (extent.journal, str(extent.first or "-"), str(extent.last or "-"), str(extent.floor or "-"))
        for extent in report.extents
    ]
    return f"{fields}\n\n{screen.table(columns, rows)}"


def _plain(document: dict[str, Any]) -> list[Sequence[object]]:
    flat = [(name, value) for name, value in document.items() if not isinstance(value, list)]
    return [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in flat]


def _fields(pairs: Sequence[Sequence[object]]) -> str:
    from iwdc_console.cli.views.screen import current_screen

    return current_screen().fields([(str(name), "-" if value is None else str(value)) for name, value in pairs])
