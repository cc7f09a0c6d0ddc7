"""`lock`: take, keep and give back a lock by hand, or hold one around a command (L1-L4)."""

import os
import uuid
from typing import Annotated, Any

import typer

from iwdc_console import lease
from iwdc_console.caller import default_owner
from iwdc_console.cli import options, target
from iwdc_console.cli import output as out
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format
from iwdc_console.cli.text import duration, safe
from iwdc_console.outcomes import ClusterRefused, Interrupted, OutcomeUnknown

app = typer.Typer(
    help="""Locks with fencing tokens: acquire, renew, release, run, force-release.

    Example: iwdc-distributed lock run catalogue -- ./build.sh
    """,
    no_args_is_help=True,
)

Resource = Annotated[str, typer.Argument(metavar="RESOURCE", help="What the lock is for.")]
Owner = Annotated[str | None, typer.Option(help="Who holds it; by default user@host.")]
Token = Annotated[int, typer.Option(help="The fencing token that acquire printed.")]
Ttl = Annotated[float | None, typer.Option(min=0.1, metavar="SECONDS", help="The lease; by default the cluster's.")]
Wait = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Queue for it at most this long.")]


@app.command()
def acquire(
    resource: Resource,
    owner: Owner = None,
    ttl: Ttl = None,
    wait: Wait = 0.0,
    request_id: Annotated[str | None, typer.Option(help="Ask again under the same id: the same grant.")] = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Take a lock. It ends with its lease unless it is renewed; `lock run` does that for you.

    Exit codes: 0 held, 5 no leader, 7 somebody else has it, 8 unknown.

    Example: iwdc-distributed lock acquire catalogue --ttl 60 --wait 10 -o json
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    holder, request = owner or default_owner(), request_id or str(uuid.uuid4())
    try:
        data = lease.acquire(client, resource, holder, request, ttl, wait).lock
    except Interrupted:
        if request_id is not None:
            raise  # an earlier grant under this id may be in use
        lease.take_back(client, resource, holder, request)
        raise KeyboardInterrupt from None
    except OutcomeUnknown as error:
        raise Failure(
            f"Outcome unknown: {error.message}. The lock may be held.",
            Exit.UNKNOWN,
            f"Ask again with --request-id {request}, or let the lease run out.",
        ) from error
    except ClusterRefused as error:
        raise _not_acquired(resource, error, wait) from error
    out.show(data, where.output, lambda: lock_text(data), lambda: _fields(data))


@app.command()
def renew(
    resource: Resource,
    token: Token,
    owner: Owner = None,
    ttl: Ttl = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Start a held lock's lease anew.

    Example: iwdc-distributed lock renew catalogue --token 60129
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    body: dict[str, Any] = {"owner": owner or default_owner(), "fencingToken": token}
    if ttl is not None:
        body["ttl"] = ttl
    data = client.post(lease.path(resource, "renew"), body, repeatable=True).data
    out.show(data, where.output, lambda: lock_text(data), lambda: _fields(data))


@app.command()
def release(
    resource: Resource,
    token: Annotated[int | None, typer.Option(help="The fencing token that acquire printed.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Or the request id of the acquire.")] = None,
    owner: Owner = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Give a lock back. Giving back what is free is no error.

    Example: iwdc-distributed lock release catalogue --token 60129
    """
    if token is None and request_id is None:
        raise Failure("Expected --token N or --request-id ID: one of them proves that the lock is yours.", Exit.USAGE)
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    body: dict[str, Any] = {"owner": owner or default_owner()}
    if token is not None:
        body["fencingToken"] = token
    if request_id is not None:
        body["requestId"] = request_id
    data = client.post(lease.path(resource, "release"), body, repeatable=True).data
    out.show(data, where.output, lambda: _released(resource, data), lambda: _fields(data))


@app.command("force-release")
def force_release(
    resource: Resource,
    token: Annotated[
        int | None, typer.Option(help="Only the grant with this fencing token, not one made since.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    owner: Owner = None,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Take a lock from whoever holds it: an admin's act. The holder goes on until it notices.

    Example: iwdc-distributed lock force-release catalogue
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    if not yes:
        out.say(f"Whoever holds {resource} goes on working until its next renewal: two may work at once until then.")
        typer.confirm("Take the lock away?", abort=True, err=True)
    body: dict[str, Any] = {"owner": owner or default_owner()}
    if token is not None:
        body["fencingToken"] = token
    data = client.post(lease.path(resource, "force-release"), body, repeatable=True).data
    out.show(data, where.output, lambda: _released(resource, data), lambda: _fields(data))


@app.command()
def run(
    resource: Resource,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD ARGS...", help="What to run.")],
    owner: Owner = None,
    ttl: Ttl = None,
    wait: Wait = 0.0,
    node: Nodes = None,
    context: Context = None,
) -> None:
    """Hold a lock while a command runs. It is taken, renewed and given back.

    The command finds IWDC_LOCK_RESOURCE, IWDC_LOCK_OWNER and IWDC_LOCK_TOKEN in its environment. If the lock is lost
    the command is ended (TERM, then KILL) before the lease is, and the exit code is 7; else it is the command's own.

    Example: iwdc-distributed lock run catalogue --wait 60 -- make publish
    """
    from iwdc_console.cli.holding import hold

    where = options.where(node, context, Format.TABLE, False)
    client = target.connect(where.nodes, where.context)
    try:
        code = hold(client, resource, owner or f"{default_owner()}:{os.getpid()}", ttl, wait, command)
    except OutcomeUnknown as error:
        raise Failure(
            f"Outcome unknown: {error.message}.",
            Exit.UNKNOWN,
            f"{command[0]} was not started; if {resource} was granted, it is free when its lease ends at the latest.",
        ) from error
    except ClusterRefused as error:
        raise _not_acquired(resource, error, wait) from error
    raise typer.Exit(code)


def _not_acquired(resource: str, error: ClusterRefused, waited_s: float) -> Exception:
    holder = error.data.get("holder") if isinstance(error.data, dict) else None
    if error.reason not in ("held", "timeout") or not isinstance(holder, dict):
        return error
    left = holder.get("remainingMs")
    more = f", {duration(left)} left" if left is not None else ""
    waiters = f", {holder['waiters']} waiting" if holder.get("waiters") else ""
    until = f" after {waited_s:g} s of waiting" if waited_s else ""
    return Failure(
        f"{resource} is held by {holder['owner']}{until} (#{holder['fencingToken']}{more}{waiters}).",
        Exit.LOCK,
        "Wait longer, or see who holds what: iwdc-distributed locks"
        if waited_s
        else "Queue for it with --wait SECONDS.",
    )


def lock_text(data: dict[str, Any]) -> str:
    """A lock in one line."""
    left = data.get("remainingMs") if data.get("remainingMs") is not None else data.get("ttlMs")
    return f"{safe(data['resource'])} is held by {safe(data['owner'])}: #{data['fencingToken']}, for {duration(left)}"


def _released(resource: str, data: dict[str, Any]) -> str:
    return f"{safe(resource)} was free before." if data.get("already") else f"{safe(resource)} is released."


def _fields(data: dict[str, Any]) -> list[tuple[str, object]]:
    return [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in data.items()]
