"""`demo`: a cluster of real nodes on this machine, in a folder that goes when it ends.

On a terminal it opens the console on it; elsewhere, and on a terminal that can only print, it shows the status again
and again.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Annotated, Any

import typer

from iwdc_console.cli import output
from iwdc_console.cli.exits import Failure
from iwdc_console.cli.opening import open_console
from iwdc_console.cli.output import say
from iwdc_console.cli.reading import Where, read
from iwdc_console.demo import catalogue, ports
from iwdc_console.demo.cluster import FEWEST, MOST, Cluster, DemoError
from iwdc_console.outcomes import ClusterRefused, Interrupted


def demo(
    nodes: Annotated[int, typer.Option(min=FEWEST, max=MOST, help="How many nodes.")] = FEWEST,
) -> None:
    """Start a small cluster on this machine, with a sample catalogue, and open the console on it.

    Example: iwdc-distributed demo --nodes 5
    """
    if output.is_terminal() and sys.stdin.isatty():
        open_console("--demo", "--nodes", str(nodes))
    say(f"Starting {nodes} nodes.")
    try:
        with _ending_on_signals(), Cluster(nodes) as cluster:
            try:
                catalogue.publish(cluster)
            except (ClusterRefused, catalogue.NotPublished) as error:
                say(f"The sample catalogue was not published: {error}")
            except Interrupted:
                raise KeyboardInterrupt from None  # nothing of the demo stays
            say(_guide(cluster))
            read("status", Where(tuple(cluster.urls), watch=True))
    except DemoError as problem:
        raise Failure(str(problem)) from problem


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """TERM and HUP end the demo as ctrl-c does."""

    def end(number: int, frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before: dict[int, Any] = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _guide(cluster: Cluster) -> str:
    at = "" if cluster.urls[0].endswith(f":{ports.FIRST_PORT}") else f"export IWDC_NODE={','.join(cluster.urls)}\n  "
    return (
        f"Ready. The catalogue is in {cluster.folder / catalogue.FOLDER}, each node's log beside it.\n"
        "In another terminal:\n"
        f"  {at}iwdc-distributed quorum\n"
        "  iwdc-distributed propose-snapshot --version=1.2.0 --hash=abc123\n"
        "  iwdc-distributed propose-diff --from=1.2.0 --to=1.3.0 --hash=def456\n"
        "  iwdc-distributed events --follow\n"
        "q or ctrl-c ends the demo and removes everything.\n"
    )
