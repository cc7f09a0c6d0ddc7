"""`wait`: a gate for scripts. Asks until everything asked for holds, or time is up."""

import time
from typing import Annotated, Any, NamedTuple

import typer

from iwdc_console.cli import options, target
from iwdc_console.cli import output as out
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.failures import WHO_IS_MISSING, failure_of
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format
from iwdc_console.cli.views import cluster
from iwdc_console.cli.views.screen import count, current_screen
from iwdc_console.client import ANSWER_TIMEOUT_S
from iwdc_console.outcomes import ClusterRefused, ServerFault, Unreachable

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
TIMEOUT_S = 60.0
LEAST_LOOK_S = 2.0
"""A node is given this long to answer even when time is up, for a busy one is no missing one."""


def wait(
    quorum: Annotated[bool, typer.Option("--quorum", help="Enough instances are healthy to decide.")] = False,
    leader: Annotated[bool, typer.Option("--leader", help="There is a leader.")] = False,
    version: Annotated[str | None, typer.Option(metavar="V", help="The current catalogue version is V.")] = None,
    healthy: Annotated[int | None, typer.Option(min=1, metavar="N", help="N instances are healthy.")] = None,
    settled: Annotated[bool, typer.Option("--settled", help="No proposal and no conflict is open.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait.")] = TIMEOUT_S,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Wait until all that is asked for holds, as the asked node sees it; without conditions, until a node answers.

    Exit codes: 0 it holds; when time is up 3 no node answered, 5 no quorum or no leader, 1 anything else is missing.

    Example: iwdc-distributed wait --quorum --leader --timeout 30
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    asked = Asked(quorum, leader, version, healthy, settled)
    end = time.monotonic() + timeout
    pause = FIRST_PAUSE_S
    while True:
        client.timeout_s = min(ANSWER_TIMEOUT_S, max(LEAST_LOOK_S, end - time.monotonic()))
        try:
            data = client.get("distributed/status").data
            failure = asked.missing(data)
        except (Unreachable, ClusterRefused, ServerFault) as error:
            failure = failure_of(error)
        if failure is None:
            _show(data, where.output)
            return
        left = end - time.monotonic()
        if left <= 0:
            raise Failure(f"Waited {timeout:g} s. {failure.message}", failure.code, failure.hint)
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _show(data: dict[str, Any], fmt: Format) -> None:
    out.show(data, fmt, lambda: cluster.status_table(data, current_screen()), lambda: cluster.status_rows(data))


class Asked(NamedTuple):
    """What has to hold."""

    quorum: bool
    leader: bool
    version: str | None
    healthy: int | None
    settled: bool

    def missing(self, status: dict[str, Any]) -> Failure | None:
        """The first thing that does not hold, or None."""
        quorum = status["quorum"]
        if self.quorum and not quorum["sufficient"]:
            return Failure(
                f"No quorum: {quorum['healthy']} of {quorum['total']} healthy, {quorum['required']} needed.",
                Exit.NO_QUORUM,
                WHO_IS_MISSING,
            )
        if self.leader and status["leader"]["id"] is None:
            return Failure("No leader.", Exit.NO_QUORUM, WHO_IS_MISSING)
        current = status["currentVersion"]
        if self.version is not None and current != self.version:
            return Failure(f"The version is {current}, not {self.version}." if current else "There is no version yet.")
        healthy = sum(item["status"] == "healthy" for item in status["instances"])
        if self.healthy is not None and healthy < self.healthy:
            return Failure(f"Healthy: {count(healthy, 'instance')}, not {self.healthy}.", hint=WHO_IS_MISSING)
        proposals, conflicts = status["openProposals"], status["openConflicts"]
        if self.settled and (proposals or conflicts):
            return Failure(f"Still open: {count(proposals, 'proposal')}, {count(conflicts, 'conflict')}.")
        return None
