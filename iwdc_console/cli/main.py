"""The entry point: runs one command line and turns whatever comes of it into words and an exit code.

Reads without arguments (`quorum -o json`) are answered here without loading typer, which is most of a start-up. Any
other form goes to the typer commands, which mean the same.
"""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.output import escape_unwritable, replace_closed
from iwdc_console.outcomes import Interrupted

if TYPE_CHECKING:
    from iwdc_console.cli.reading import Where

DEBUG = "IWDC_DEBUG"
INTERRUPTED = 130
"""Ended by ctrl-c, as a shell says it."""


def main() -> None:
    """`iwdc-distributed`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Nothing but `IWDC_DEBUG=1` shows a stack trace."""
    replace_closed()
    escape_unwritable()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Interrupted as interrupt:
        return _interrupted(interrupt)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _explain(error)


def _dispatch(arguments: Sequence[str]) -> int:
    plain = plain_read(arguments)
    if plain is not None:
        from iwdc_console.cli import reading

        reading.read(arguments[0], plain)
        return Exit.DONE
    from iwdc_console.cli.commands import invoke

    return invoke(arguments)


_SPELLINGS = {"-o": "output", "--output": "output", "--node": "node", "--context": "context"}


def plain_read(arguments: Sequence[str]) -> "Where | None":
    """The options of a read without arguments, or None when the line is anything else, or anything is odd in it."""
    if not arguments or arguments[0].startswith("-"):
        return None
    from iwdc_console.cli.output import Format
    from iwdc_console.cli.reading import READS, Where

    if arguments[0] not in READS:
        return None
    given: dict[str, list[str]] = {"output": [], "node": [], "context": []}
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument == "--json":
            given["output"] = [Format.JSON.value, Format.JSON.value]
        elif name not in _SPELLINGS or (equals and not name.startswith("--")):
            return None
        else:
            given[_SPELLINGS[name]].append(value if equals else next(rest, ""))
    output = given["output"][-1] if given["output"] else Format.TABLE.value
    if output not in set(Format) or "" in given["node"] or "" in given["context"]:
        return None
    return Where(tuple(given["node"]), given["context"][-1] if given["context"] else None, Format(output))


def _interrupted(interrupt: Interrupted) -> int:
    from iwdc_console.cli.failures import LOOK_FIRST
    from iwdc_console.cli.output import say

    say(str(interrupt))
    say(LOOK_FIRST)
    return INTERRUPTED


def _explain(error: Exception) -> int:
    from iwdc_console.cli.failures import failure_of
    from iwdc_console.cli.output import ReaderGone, drop_unwritable, say
    from iwdc_console.outcomes import ClientError

    if isinstance(error, ReaderGone):
        return Exit.DONE
    if isinstance(error, ClientError):
        error = failure_of(error)
    if isinstance(error, Failure):
        say(error.message)
        if error.hint:
            say(error.hint)
        return error.code
    if isinstance(error, OSError):
        drop_unwritable()
        say(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        return Exit.FAILED
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        say("No room for more memory or one more thread: the machine is full, or a limit holds (see `ulimit -a`).")
        return Exit.FAILED
    if "typer" in sys.modules:
        import typer

        if isinstance(error, typer.Abort):
            say("Aborted, nothing was changed. Where nobody can answer, say --yes.")
            return Exit.FAILED
        show = getattr(error, "show", None)
        if isinstance(error, typer.TyperException) and show is not None:
            show()
            return Exit(error.exit_code)
    say(f"This should not have happened: {type(error).__name__}: {error}")
    say(f"Please report it, with what {DEBUG}=1 shows when you run the command again.")
    return Exit.FAILED


if __name__ == "__main__":
    main()
