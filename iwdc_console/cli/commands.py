"""The list of commands, and a typer group that loads a family's module only when one of its commands is called.

Typer validates every parameter through pydantic, which costs more than everything else a command does (120 ms). Our
parameters are text, numbers, flags, choices and paths: `PlainParam` reads these directly.
"""

import math
from collections.abc import Iterator, MutableMapping, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer import _click, core
from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param
from typer.core import TyperCommand, TyperGroup, _TyperParameter
from typer.main import get_command

from iwdc_console.cli.program import PROGRAM


class Entry(NamedTuple):
    """A command: the module it lives in, the function or typer app there, and one line of help."""

    module: str
    name: str
    help: str


COMMANDS = {
    "status": Entry("reads", "status", "Is it safe now, and why."),
    "quorum": Entry("reads", "quorum", "Are enough instances healthy to decide."),
    "instances": Entry("reads", "instances", "Every instance: status, beat, drift, version."),
    "leader": Entry("leader", "app", "Who leads; step-down, elect."),
    "propose-snapshot": Entry("propose", "propose_snapshot", "Put a snapshot to the vote."),
    "propose-diff": Entry("propose", "propose_diff", "Put a diff to the vote."),
    "proposals": Entry("reads", "proposals", "Proposals and their votes."),
    "conflicts": Entry("conflicts", "app", "Two accepted contents for one slot; resolve."),
    "locks": Entry("reads", "locks", "Locks held, by whom, how long yet."),
    "lock": Entry("lock", "app", "acquire, renew, release, run, force-release."),
    "events": Entry("reads", "events", "What happened; --follow what happens."),
    "snapshot": Entry("snapshot", "app", "publish, list, show, verify, rollback, prune, pull."),
    "diff": Entry("diff", "app", "make and publish what leads from one version to the next."),
    "publish": Entry("propose", "publish", "Write an event of your own into the log."),
    "drift": Entry("reads", "drift", "How far clocks are apart."),
    "doctor": Entry("doctor", "doctor", "What is wrong, and what to do next."),
    "traces": Entry("traces", "traces", "One operation across all instances, as a waterfall."),
    "metrics": Entry("reads", "metrics", "A node's metrics."),
    "debug": Entry("debug", "app", "bundle: all that a helper needs to see, in one file."),
    "wait": Entry("wait", "wait", "Wait until the cluster is as a script needs it."),
    "node": Entry("node", "app", "init, run, recover a node."),
    "demo": Entry("demo", "demo", "Start a small cluster on this machine, to watch and to break."),
    "simulate": Entry("simulate", "simulate", "Rehearse a failure before it happens."),
    "console": Entry("console", "console", "Open the console on a cluster."),
    "config": Entry("config", "app", "show, validate, set, use-context."),
    "keys": Entry("keys", "app", "generate, show, sign, verify."),
    "journal": Entry("journal", "app", "verify, export, replay a journal."),
    "completion": Entry("completion", "completion", "Print the completion script of a shell."),
    "version": Entry("completion", "version", "Print this program's version."),
}


class PlainParam(RuntimeParam):
    """Converts one parameter's text without pydantic."""

    def _coerce_value(self, value: Any, param: _TyperParameter, ctx: _click.Context) -> Any:
        kind = self.annotation
        if isinstance(value, list | tuple):
            (kind,) = kind.__args__
            return [self._convert(kind, item, param, ctx) for item in value]
        return self._convert(kind, value, param, ctx)

    def _convert(self, kind: Any, value: Any, param: _TyperParameter, ctx: _click.Context) -> Any:
        try:
            converted = kind(value)
            if kind is float and not math.isfinite(converted):
                raise ValueError(value)
        except ValueError as error:
            expected = ", ".join(item.value for item in kind) if issubclass(kind, Enum) else f"a {_NOUNS[kind]}"
            raise typer.BadParameter(f"{value!r}: expected {expected}.", ctx=ctx, param=param) from error
        least, most = self.parameter_info.min, self.parameter_info.max
        if (least is not None and converted < least) or (most is not None and converted > most):
            bounds = f"{'' if least is None else f'{least:g} <= '}x{'' if most is None else f' <= {most:g}'}"
            raise typer.BadParameter(f"{value!r}: expected {bounds}.", ctx=ctx, param=param)
        return converted


_NOUNS: dict[Any, str] = {int: "whole number", float: "number", str: "text", bool: "flag"}


def _is_plain(descriptor: TypeDescriptor) -> bool:
    kind = descriptor.annotation
    if descriptor.is_list:
        (kind,) = kind.__args__
    info = descriptor.parameter_info
    if not isinstance(kind, type) or info.parser is not None or info.clamp:
        return False
    if issubclass(kind, Path):
        return not (info.exists or info.resolve_path or info.file_okay is False or info.dir_okay is False)
    return kind in _NOUNS or issubclass(kind, Enum)


def _runtime_param(descriptor: TypeDescriptor) -> RuntimeParam:
    if _is_plain(descriptor):
        return PlainParam(descriptor.parameter_info, descriptor.annotation)
    return build_runtime_param(descriptor)


core.build_runtime_param = _runtime_param  # type: ignore[attr-defined]  # typer has no public way to choose it


def adopt(command: _click.Command) -> _click.Command:
    """Plain help and errors for a command and those below it, whatever its module chose: rich is slow to load."""
    if isinstance(command, TyperCommand | TyperGroup):
        command.rich_markup_mode = None
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            adopt(below)
    return command


def load(name: str) -> _click.Command:
    """Import a command's module and build the command."""
    entry = COMMANDS[name]
    found = getattr(import_module(f"iwdc_console.cli.{entry.module}"), entry.name)
    if isinstance(found, typer.Typer):
        callback = found.registered_callback
        if callback is None or not (callback.callback and callback.callback.__doc__):
            found.info.help = found.info.help or entry.help
        found._add_completion = False
        return adopt(get_command(found))
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, context_settings=getattr(found, "context_settings", None))(found)
    return adopt(get_command(app))


class LazyCommands(MutableMapping[str, _click.Command]):
    """The commands by name; one is loaded when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, _click.Command] = {}

    def __getitem__(self, name: str) -> _click.Command:
        if name not in self._loaded:
            self._loaded[name] = load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: _click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS


class LazyGroup(TyperGroup):
    """The program: lists its commands without loading any."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LazyCommands()

    def get_command(self, ctx: _click.Context, cmd_name: str) -> _click.Command | None:
        """The command of that name, loaded now."""
        return self.commands.get(cmd_name)

    def list_commands(self, ctx: _click.Context) -> list[str]:
        """All names, in the order people meet them."""
        return list(COMMANDS)

    def format_commands(self, ctx: _click.Context, formatter: Any) -> None:
        """The list of commands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code; raises what the command raises."""
    app = typer.Typer(
        cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    app.callback()(program)
    code = get_command(app).main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
    return code if isinstance(code, int) else 0


def _print_version(chosen: bool) -> None:
    if chosen:
        from iwdc_console.cli.completion import version

        version()
        raise typer.Exit


def program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print this program's version.")
    ] = False,
) -> None:
    """Keep copies of versioned data in step: watch a cluster, put versions to the vote, take locks, run nodes.

    Example: iwdc-distributed status
    """
