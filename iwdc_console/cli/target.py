"""Which nodes a command talks to: `--node`, then `--context`, then `IWDC_NODE`, then the current context, then the
node of this machine.
"""

import os
import sys
from collections.abc import Sequence

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.output import say
from iwdc_console.client import DEFAULT_NODE, Client
from iwdc_console.outcomes import BadUrl

ENVIRONMENT = "IWDC_NODE"


def node_urls(nodes: Sequence[str] | None, context: str | None) -> tuple[str, ...]:
    """The URLs to try, in order. Raises `Failure` for an unknown context or an unreadable file of contexts."""
    if nodes:
        return tuple(nodes)
    given = [url for url in os.environ.get(ENVIRONMENT, "").split(",") if url.strip()]
    if given and not context:
        return tuple(given)
    from iwdc_console import contexts

    try:
        return contexts.load().select(context) or (DEFAULT_NODE,)
    except contexts.UnknownContext as error:
        raise Failure(
            str(error), Exit.USAGE, "List and choose contexts with: iwdc-distributed config use-context"
        ) from error
    except contexts.ContextError as error:
        raise Failure(str(error), Exit.USAGE, "Until then, name the nodes with --node URL.") from error


def connect(nodes: Sequence[str] | None, context: str | None) -> Client:
    """A client of those nodes that says on stderr when it goes on to the next. Raises `Failure` for a bad URL."""
    try:
        return Client(
            node_urls(nodes, context),
            on_failover=lambda node, why: say(f"{node}: {why}; another node answers"),
            command=next((word for word in sys.argv[1:] if not word.startswith("-")), ""),
        )
    except BadUrl as error:
        raise Failure(error.message, Exit.USAGE) from error


def leader(client: Client) -> Client:
    """A client of the leader that `client`'s cluster names. Raises `Failure` when there is none."""
    known = client.get("distributed/leader").data["id"]
    members = {item["id"]: item["url"] for item in client.get("distributed/instances").data}
    if known not in members:
        raise Failure("There is no leader now.", Exit.NO_QUORUM, "Watch for one with: iwdc-distributed wait --leader")
    return Client([members[known]])
