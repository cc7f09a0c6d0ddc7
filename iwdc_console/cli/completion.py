"""`completion` and `version`."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from iwdc_console.cli import output
from iwdc_console.cli.program import PROGRAM, program_version


class Shell(StrEnum):
    """Shells that can be completed in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="Your shell.")]) -> None:
    """Print the script that makes a shell complete commands and options.

    Example: source <(iwdc-distributed completion bash)
    """
    from typer._completion_shared import get_completion_script

    variable = "_" + re.sub(r"\W", "_", PROGRAM).upper() + "_COMPLETE"
    output.write(get_completion_script(prog_name=PROGRAM, complete_var=variable, shell=shell.value))


def version() -> None:
    """Print this program's version.

    Example: iwdc-distributed version
    """
    output.write(program_version())
