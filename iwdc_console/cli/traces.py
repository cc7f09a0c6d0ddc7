"""`traces`: one operation across all instances. Each instance keeps its own spans; they are gathered here."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import typer

from iwdc_console.cli import options, output, target
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Json, Nodes, Output, Watch
from iwdc_console.cli.output import Format, say
from iwdc_console.cli.reading import run
from iwdc_console.cli.shown import View
from iwdc_console.cli.views import history
from iwdc_console.cli.views.screen import current_screen
from iwdc_console.client import Client, segment
from iwdc_console.examination import MAX_AT_ONCE
from iwdc_console.outcomes import ClientError, NotFound

GATHER_TIMEOUT_S = 2.0


def traces(
    trace: Annotated[str | None, typer.Argument(metavar="ID", help="One trace, gathered from all nodes.")] = None,
    name: Annotated[str | None, typer.Option(help="Only traces with a span of this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most this many, the latest.")] = 20,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """List a node's latest traces, or show one gathered from all nodes as a waterfall.

    Example: iwdc-distributed traces 4bf92f3577b34da6a3ce929d0e0e4736
    """
    where = options.where(node, context, output, json, watch)
    if trace is None:
        view = View(history.traces_table, history.traces_rows)
        run(lambda client: client.get("distributed/traces", limit=limit, name=name), view, where)
        return
    if watch:
        raise Failure("--watch goes with the list: one trace is shown once.", Exit.USAGE)
    show(trace, gather(target.connect(where.nodes, where.context), trace), where.output)


def show(trace: str, spans: list[dict[str, Any]], fmt: Format) -> None:
    """Print a trace. Raises `Failure` when no node knows it."""
    if not spans:
        raise Failure(f"No node knows trace {trace}: it may be forgotten, the latest are kept.")
    output.show(
        spans,
        fmt,
        lambda: history.waterfall(trace, spans, current_screen()),
        lambda: history.waterfall_rows(spans),
    )


def gather(client: Client, trace: str) -> list[dict[str, Any]]:
    """The spans of a trace on every member, all asked at once. One that does not answer is named on stderr."""
    path = f"distributed/traces/{segment(trace)}"

    def ask(member: dict[str, Any]) -> list[dict[str, Any]] | ClientError:
        try:
            found: list[dict[str, Any]] = Client([member["url"]], GATHER_TIMEOUT_S).get(path).data
        except NotFound:
            return []
        except ClientError as error:
            return error
        return found

    spans: dict[str, dict[str, Any]] = {}
    members = client.get("distributed/instances").data
    with ThreadPoolExecutor(MAX_AT_ONCE) as at_once:
        for member, found in zip(members, at_once.map(ask, members), strict=True):
            if isinstance(found, ClientError):
                say(f"{member['id']} is not in the picture: {_why(found)}")
            else:
                spans.update((span["id"], span) for span in found)
    return sorted(spans.values(), key=lambda span: (span["startMs"], -span["durationMs"]))


def _why(error: ClientError) -> str:
    tried = getattr(error, "tried", None)
    return "; ".join(why for _, why in tried) if tried else error.message
