"""`console`: the console on screen takes this process's place, so that no command loads what only it needs."""

import os
import sys
from typing import Annotated

import typer


def console(
    arguments: Annotated[list[str] | None, typer.Argument(metavar="OPTIONS", help="As of iwdc-console --help.")] = None,
) -> None:
    """Open the console on a cluster; the same as iwdc-console.

    Example: iwdc-distributed console --node http://127.0.0.1:3000
    """
    os.execv(sys.executable, [sys.executable, "-m", "iwdc_console.console", *(arguments or ())])


console.context_settings = {"ignore_unknown_options": True}  # type: ignore[attr-defined]
