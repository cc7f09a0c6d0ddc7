"""`config`: what a node would be told, whether it holds together, and which cluster commands talk to."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Json, Output
from iwdc_console.cli.output import Format, is_coloured, say, show, width

if TYPE_CHECKING:
    from iwdc_console.contexts import Contexts
    from node.config import Config
    from node.config.describe import Setting

app = typer.Typer(
    help="""Configuration: show, validate, set; use-context.

    Example: iwdc-distributed config validate --config configs/node.toml
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="node.toml; by default configs/node.toml.")
]
Id = Annotated[str | None, typer.Option("--id", help="As for `node run`.")]
Instances = Annotated[str | None, typer.Option("--instances", metavar="FILE", help="As for `node run`.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="As for `node run`.")]


@app.command("show")
def show_(
    config: ConfigFile = None,
    id: Id = None,
    instances: Instances = None,
    sets: Sets = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Show every key: its value, and where it was set.

    Example: iwdc-distributed config show --id instance-A
    """
    from node.config.describe import describe

    loaded = _load(config, id, instances, sets)
    rows = describe(loaded)
    show(_document(loaded, rows), Format.JSON if json else output, lambda: _table(loaded, rows), lambda: _plain(rows))


@app.command()
def validate(config: ConfigFile = None, id: Id = None, instances: Instances = None, sets: Sets = None) -> None:
    """Check everything. What is wrong goes to stderr with file, line and key, and the exit code is 1.

    Where the node has run, its members are held against those it last ran with: they change one at a time.

    Example: iwdc-distributed config validate --config configs/node.toml
    """
    loaded = _load(config, id, instances, sets)
    for warning in loaded.warnings:
        say(f"Warning: {warning}")
    _check_here(loaded)
    _check_members(loaded)
    settings = loaded.settings
    count = len(settings.members)
    say(
        f"Valid: cluster {settings.cluster}, {count} {'member' if count == 1 else 'members'}, digest {settings.digest}."
    )


@app.command("set")
def set_(
    key: Annotated[str, typer.Argument(metavar="SECTION.KEY", help="Such as timing.lock_ttl.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The new value.")],
    config: ConfigFile = None,
) -> None:
    """Set one key in node.toml; comments and everything else stay. Nothing is written that would not be valid.

    Example: iwdc-distributed config set quorum.rule majority
    """
    from node.config import DEFAULT_FILE, ConfigError, Problem
    from node.config.edit import EditRefused, set_in_file

    path = config or DEFAULT_FILE
    try:
        set_in_file(path, key, value)
    except ConfigError as error:
        raise Failure(str(error), Exit.FAILED, f"{path} is as it was.") from error
    except EditRefused as error:
        refusal = Problem(str(path), str(error), "a plain key = value line: please edit it by hand")
        raise Failure(str(refusal)) from error
    say(f"{path}: {key} = {value}. A running node takes it up when it is started again.")


@app.command()
def use_context(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The context; without it all are listed.")] = None,
    nodes: Annotated[
        list[str] | None,
        typer.Option("--node", metavar="URL", help="Make or change the context: its nodes; may be repeated."),
    ] = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Choose the cluster that commands talk to from now on. --node names its nodes the first time.

    Example: iwdc-distributed config use-context production --node http://10.20.0.11:3000 --node http://10.20.0.12:3000
    """
    from iwdc_console import contexts
    from iwdc_console.client import node_root

    try:
        known = contexts.load()
        if name is None:
            if nodes:
                raise Failure("--node needs the NAME of a context.", Exit.USAGE)
            show(
                {"current": known.current, "contexts": {each: list(urls) for each, urls in known.nodes.items()}},
                Format.JSON if json else output,
                lambda: _contexts_table(known),
                lambda: [(each, *urls) for each, urls in sorted(known.nodes.items())],
            )
            return
        urls = tuple(node_root(url) for url in nodes or ())
        chosen = contexts.Contexts(name, {**known.nodes, name: urls} if urls else known.nodes)
        chosen.select(name)
        contexts.save(chosen)
    except contexts.UnknownContext as error:
        raise Failure(str(error), Exit.FAILED, "Give its nodes with --node URL to make it.") from error
    except contexts.ContextError as error:
        raise Failure(str(error)) from error
    say(f"Commands now talk to {name}: {', '.join(chosen.select(name))}.")


def _load(config: Path | None, id: str | None, instances: str | None, sets: list[str] | None) -> "Config":
    from node.config import ConfigError, load_config

    flags = {flag: value for flag, value in (("id", id), ("instances", instances)) if value is not None}
    try:
        return load_config(config, flags, os.environ, sets or (), make_id=False)
    except ConfigError as error:
        raise Failure(str(error)) from error


def _check_here(config: "Config") -> None:
    """What only this machine can tell. Raises `Failure` for a private key of no use; warns of missing programs."""
    import shutil

    hooks = config.content.hooks
    for name, command in (("before_apply", hooks.before_apply), ("after_apply", hooks.after_apply)):
        if command and shutil.which(command[0]) is None:
            say(f"Warning: [content] {name}: there is no program {command[0]} here; it would fail")
    signing = config.security.signing_key
    if signing is not None and signing.is_file():
        from node.security.keys import KeyProblem, SigningKey

        try:
            SigningKey.load(signing)
        except KeyProblem as problem:
            raise Failure(f"[security] signing_key: {problem}") from problem


def _check_members(config: "Config") -> None:
    """Whether the node would start with these members, which change one at a time (M3). Raises `Failure` if not."""
    from node.journal import JOURNAL_NAME, JournalError, offline
    from node.protocol.reconfiguration import MembersRefused, check_step

    settings, journal = config.settings, config.data_dir / JOURNAL_NAME
    try:
        last = offline.configured(journal) if journal.exists() else None
        check_step(last, settings, force=False)
    except (JournalError, MembersRefused) as problem:
        raise Failure(f"node {settings.id} cannot start: {problem}") from problem
    if last is None:
        say(f"Not checked: that members change one at a time. No node has run with {config.data_dir} here.")


def _document(config: "Config", rows: "list[Setting]") -> dict[str, object]:
    settings = config.settings
    return {
        "settings": [{"key": row.name, "value": row.value, "source": row.source} for row in rows],
        "members": [{"id": each.id, "url": each.url, "protocol": each.protocol} for each in settings.members],
        "configDigest": settings.digest,
        "warnings": list(config.warnings),
    }


def _table(config: "Config", rows: "list[Setting]") -> str:
    from iwdc_console.cli.table import Column, table
    from iwdc_console.cli.text import safe, wrap

    columns = [Column("KEY", least=29), Column("VALUE"), Column("SET BY", least=12)]
    cells = [[row.name, _text(row.value), row.source or "default"] for row in rows]
    members = [[member.id, member.url, member.protocol] for member in config.settings.members]
    parts = [
        table(columns, cells, width(), is_coloured()),
        table([Column("MEMBER"), Column("URL"), Column("PROTOCOL")], members, width(), is_coloured()),
        f"digest {config.settings.digest}",
        *("\n".join(wrap(safe(f"Warning: {warning}"), width())) for warning in config.warnings),
    ]
    return "\n\n".join(parts)


def _plain(rows: "list[Setting]") -> Iterator[tuple[str, str, str]]:
    for row in rows:
        yield row.name, _text(row.value), row.source or "default"


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(map(_text, value))
    return str(value)


def _contexts_table(known: "Contexts") -> str:
    from iwdc_console.cli.table import Column, table

    if not known.nodes:
        return "No contexts yet. Make one: iwdc-distributed config use-context NAME --node URL"
    rows = [["*" if name == known.current else "", name, ", ".join(urls)] for name, urls in sorted(known.nodes.items())]
    return table([Column("", least=1), Column("CONTEXT"), Column("NODES")], rows, width(), is_coloured())
