"""`iwdc-console`: the console on screen."""

import argparse
import sys
from collections.abc import Sequence

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.output import say
from iwdc_console.cli.target import node_urls
from iwdc_console.client import BadUrl, node_root


def main() -> None:
    """Open the console. Every failure is a sentence and an exit code."""
    try:
        run(sys.argv[1:])
    except Failure as failure:
        say(failure.message)
        if failure.hint:
            say(failure.hint)
        sys.exit(failure.code)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="iwdc-console",
        description="A terminal cockpit for a cluster: is it safe now, who is there, who leads, what is open.",
        epilog="Example: iwdc-console --node http://127.0.0.1:3000",
    )
    made.add_argument("--node", action="append", metavar="URL", help="a node to ask; may be given more than once")
    made.add_argument("--context", metavar="NAME", help="a named cluster, see: iwdc-distributed config")
    made.add_argument("--read-only", action="store_true", help="offer nothing that changes the cluster")
    return made


def run(arguments: Sequence[str]) -> None:
    """Open the console with these arguments. Raises `Failure`."""
    given = parser().parse_args(arguments)
    try:
        nodes = [node_root(url) for url in node_urls(given.node, given.context)]
    except BadUrl as error:
        raise Failure(error.message, Exit.USAGE) from error
    from iwdc_console.tui.app import Console
    from iwdc_console.tui.model.observation import Link, Observation
    from iwdc_console.tui.source.live import LiveSource

    source = LiveSource(nodes, given.context or "")
    start = Observation(context=given.context or "", nodes=tuple(nodes), link=Link(node=nodes[0]))
    Console(source, start).run()


if __name__ == "__main__":
    main()
