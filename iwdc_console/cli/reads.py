"""Read commands: what the cluster knows of itself."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from iwdc_console.cli import options
from iwdc_console.cli.options import Context, Json, Nodes, Output, Watch
from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import read, run
from iwdc_console.cli.shown import View
from iwdc_console.client import Client, segment
from iwdc_console.exchange import Answer

Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most this many, the latest.")]


def _reader(name: str, doc: str) -> Callable[..., None]:
    def command(
        node: Nodes = None,
        context: Context = None,
        output: Output = Format.TABLE,
        json: Json = False,
        watch: Watch = False,
    ) -> None:
        read(name, options.where(node, context, output, json, watch))

    command.__doc__ = doc
    return command


quorum = _reader(
    "quorum",
    """Show whether enough instances are healthy to decide.

    Example: iwdc-distributed quorum -o json
    """,
)

status = _reader(
    "status",
    """Show whether it is safe now, and why: instances, quorum, leader, version, open work.

    Example: iwdc-distributed status --watch
    """,
)

instances = _reader(
    "instances",
    """Show every instance: status, last beat, round trip, uptime, drift, version.

    Example: iwdc-distributed instances
    """,
)

locks = _reader(
    "locks",
    """Show the locks held, by whom, with which fencing token, and for how long yet.

    Example: iwdc-distributed locks --watch
    """,
)

drift = _reader(
    "drift",
    """Show how far clocks are from the leader's.

    Example: iwdc-distributed drift
    """,
)


def proposals(
    proposal: Annotated[str | None, typer.Argument(metavar="ID", help="One proposal, with its votes.")] = None,
    limit: Limit = 20,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """List proposals, or show one with every vote.

    Example: iwdc-distributed proposals snapshot-1.2.0-1768469400123
    """
    where = options.where(node, context, output, json, watch)
    from iwdc_console.cli.views import decisions

    if proposal is None:
        view = View(decisions.proposals_table, decisions.proposals_rows)
        run(lambda client: client.get("distributed/proposals", limit=limit), view, where)
    else:
        path = f"distributed/proposals/{segment(proposal)}"
        run(lambda client: client.get(path), View(decisions.proposal_table, decisions.proposal_rows), where)


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    since: Annotated[str | None, typer.Option(metavar="CURSOR", help="Only what came after this cursor.")] = None,
    type_: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only events of this type.")] = None,
    origin: Annotated[str | None, typer.Option(metavar="ID", help="Only events of this instance.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Only events of this trace.")] = None,
    limit: Limit = 50,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """List what happened, or follow what happens, also across the loss of a node.

    Example: iwdc-distributed events --follow --type SNAPSHOT_ACCEPT
    """
    where = options.where(node, context, output, json, watch)
    query: dict[str, Any] = {"since": since, "type": type_, "origin": origin, "trace": trace}
    if follow:
        from iwdc_console.cli.follow import follow_events

        follow_events(where, query)
        return
    from iwdc_console.cli.views import history

    view = View(history.events_table, history.events_rows)
    run(lambda client: client.get("distributed/events", limit=limit, **query), view, where)


def metrics(
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """Show a node's metrics.

    Example: iwdc-distributed metrics -o json --node http://127.0.0.1:3000
    """
    from iwdc_console.cli.views import history

    def ask(client: Client) -> Answer:
        answer = client.text("metrics")
        return answer._replace(data=history.samples(answer.data))

    run(ask, View(history.metrics_table, history.metrics_rows), options.where(node, context, output, json, watch))
