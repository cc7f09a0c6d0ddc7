"""`console`: the console on screen takes this process's place, so that no command loads what only it needs."""

from typing import Annotated

import typer

from iwdc_console.cli.opening import open_console


def console(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="OPTIONS", help="As of iwdc-console --help.")] = None,
) -> None:
    """Open the console on a cluster; the same as iwdc-console.

    Example: iwdc-distributed console --node http://127.0.0.1:3000
    """
    open_console(*(arguments or ()))


console.context_settings = {"ignore_unknown_options": True}  # type: ignore[attr-defined]
