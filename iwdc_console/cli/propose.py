"""`propose-snapshot`, `propose-diff`, `publish`: what goes into the log, and what became of it."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from iwdc_console.cli import options, target
from iwdc_console.cli import output as out
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.failures import AFTER_REJECTION, failure_of
from iwdc_console.cli.options import Context, Json, Nodes, Output
from iwdc_console.cli.output import Format
from iwdc_console.cli.reading import Where
from iwdc_console.cli.text import safe
from iwdc_console.cli.views import decisions
from iwdc_console.cli.views.screen import Screen, current_screen
from iwdc_console.client import Client, segment
from iwdc_console.exchange import refused
from iwdc_console.outcomes import ClusterRefused, Interrupted, NotFound, OutcomeUnknown, Unreachable

FIRST_WAIT_S = 1.0
"""How long the proposing call itself waits: most verdicts come at once, in one round trip."""
POLL_S = 0.2
VERDICT_TIMEOUT_S = 30.0
PENDING = ("pending", "expired")
"""States without a verdict: a vote given in time may still turn up after a proposal expired (P4)."""

Hash = Annotated[str, typer.Option("--hash", help="The content's hash.")]
Signature = Annotated[str | None, typer.Option(help="A signature, as `keys sign` prints it.")]
Sign = Annotated[Path | None, typer.Option(metavar="KEYFILE", help="Sign it with this private key.")]
Key = Annotated[str | None, typer.Option(help="Ask again under the same key: the same proposal.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the verdict.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")]
Timeout = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the verdict.")]


def propose_snapshot(
    version: Annotated[str, typer.Option(help="The catalogue version, like 1.2.0 or 20250131-120000.")],
    hash_: Hash,
    signature: Signature = None,
    sign: Sign = None,
    key: Key = None,
    no_wait: NoWait = False,
    dry_run: DryRun = False,
    timeout: Timeout = VERDICT_TIMEOUT_S,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Put a snapshot to the vote and wait for the verdict.

    Exit codes: 0 accepted, 5 no quorum, 6 rejected or lost its conflict, 8 no verdict yet.

    Example: iwdc-distributed propose-snapshot --version=1.2.0 --hash=abc123
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    _check_signature(signature, sign)
    if sign is not None:
        signature = signed(client, sign, "snapshot", None, version, hash_)
    body = {"version": version, "hash": hash_, "signature": signature}
    propose(client, "distributed/propose-snapshot", body, where, no_wait, dry_run, timeout, key)


def propose_diff(
    from_: Annotated[str, typer.Option("--from", help="The version the diff starts at.")],
    to: Annotated[str, typer.Option("--to", help="The version the diff leads to.")],
    hash_: Hash,
    signature: Signature = None,
    sign: Sign = None,
    key: Key = None,
    no_wait: NoWait = False,
    dry_run: DryRun = False,
    timeout: Timeout = VERDICT_TIMEOUT_S,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Put a diff to the vote and wait for the verdict.

    Exit codes: 0 accepted, 5 no quorum, 6 rejected or lost its conflict, 8 no verdict yet.

    Example: iwdc-distributed propose-diff --from=1.1.0 --to=1.2.0 --hash=def456
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    _check_signature(signature, sign)
    if sign is not None:
        signature = signed(client, sign, "diff", from_, to, hash_)
    body = {"from": from_, "to": to, "hash": hash_, "signature": signature}
    propose(client, "distributed/propose-diff", body, where, no_wait, dry_run, timeout, key)


def publish(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The event's type, like SNAPSHOT_CREATED.")],
    payload: Annotated[str, typer.Argument(metavar="JSON", help="The payload, a JSON object.")] = "{}",
    id_: Annotated[str | None, typer.Option("--id", help="The event's id: a repeat does nothing twice.")] = None,
    quorum: Annotated[bool, typer.Option("--quorum", help="Wait until a quorum has it on disk.")] = False,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Write an event of your own into the log: other instances get it.

    Example: iwdc-distributed publish SNAPSHOT_CREATED '{"version": "1.2.0"}'
    """
    import json as json_text

    where = options.where(node, context, output, json)
    try:
        content = json_text.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Failure(f"The payload is not JSON: {error}", Exit.USAGE) from error
    if not isinstance(content, dict):
        raise Failure(f"The payload is a JSON {type(content).__name__}: expected an object {{...}}", Exit.USAGE)
    client = target.connect(where.nodes, where.context)
    path = "distributed/events?durability=quorum" if quorum else "distributed/events"
    event_id = id_ or str(uuid.uuid4())
    try:
        data = client.post(path, {"type": type_, "payload": content, "id": event_id}, repeatable=True).data
    except OutcomeUnknown as error:
        hint = f"Ask again with --id {event_id}: a repeat does nothing twice."
        raise Failure(failure_of(error).message, Exit.UNKNOWN, hint) from error
    known = " (it was there before)" if data.get("existing") else ""
    out.show(data, where.output, lambda: f"{safe(type_)} is event {data['id']}{known}", lambda: list(data.items()))


def _check_signature(given: str | None, keyfile: Path | None) -> None:
    """Whether --signature gives one: what can be none would pass unseen wherever none is required."""
    from node.protocol.canonical import SIGNATURE_FORM, read_signature

    if given is not None and keyfile is not None:
        raise Failure("--sign makes a signature and --signature gives one: give one of them.", Exit.USAGE)
    if given is not None and read_signature(given) is None:
        raise Failure(f"--signature: expected {SIGNATURE_FORM}.", Exit.USAGE)


def signed(
    client: Client, keyfile: Path, kind: Any, base: str | None, version: str, hash_: str, content: str | None = None
) -> str:
    """The signature of a proposal to the cluster `client` talks to. Raises `Failure` for an unusable key."""
    from node.protocol.canonical import signed_bytes
    from node.security.keys import KeyProblem, SigningKey

    cluster = client.get("distributed/info").data["cluster"]
    try:
        return SigningKey.load(keyfile).sign(signed_bytes(cluster, kind, base, version, hash_, content))
    except KeyProblem as problem:
        raise Failure(str(problem), Exit.USAGE) from problem


def propose(
    client: Client, path: str, body: dict[str, Any], where: Where, no_wait: bool, dry_run: bool, timeout_s: float,
    key: str | None = None,
) -> None:  # fmt: skip
    """Propose, follow the votes, show the outcome and end with its exit code."""
    given = {name: value for name, value in body.items() if value is not None}
    if dry_run:
        data = client.try_out(f"{path}?dryRun=true", given).data
        out.show(data, where.output, lambda: prediction_table(data, current_screen()), lambda: prediction_rows(data))
        _say_what_next(*data["checks"].values())
        if not data["wouldAccept"]:
            raise typer.Exit(Exit.NO_QUORUM if not data["quorum"]["sufficient"] else Exit.REJECTED)
        return
    end = time.monotonic() + timeout_s
    wait_s = 0.0 if no_wait else min(FIRST_WAIT_S, timeout_s)
    query = f"?wait={wait_s:g}" if wait_s else ""
    key = key or str(uuid.uuid4())
    with _refusal_shown(where.output, f"Look first: iwdc-distributed proposals; or ask again with --key {key}."):
        data = client.post(f"{path}{query}", given, wait_s=wait_s, idempotency_key=key).data
    if no_wait:
        out.show(data, where.output, lambda: f"Proposed: {data['proposalId']}", lambda: [(data["proposalId"],)])
        return
    conclude(await_verdict(client, data, end), where, timeout_s, existing=data.get("existing", False))


@contextlib.contextmanager
def _refusal_shown(fmt: Format, hint: str) -> Iterator[None]:
    """A refusal's data is an answer too: scripts that read JSON get it on stdout. `hint`: what to do about a maybe."""
    try:
        yield
    except (ClusterRefused, OutcomeUnknown) as error:
        if fmt is Format.JSON:
            out.write(out.json_text(error.data))
        if isinstance(error, OutcomeUnknown):
            raise Failure(failure_of(error).message, Exit.UNKNOWN, hint) from error
        raise


def await_verdict(client: Client, proposed: dict[str, Any], end: float) -> dict[str, Any]:
    """The proposal once it is decided, or as it stands at `end` (monotonic seconds). Votes are told as they come."""
    try:
        return _verdict(client, proposed, end)
    except KeyboardInterrupt:
        raise Interrupted(f"{proposed['proposalId']} may still be accepted or rejected.") from None


def _verdict(client: Client, proposed: dict[str, Any], end: float) -> dict[str, Any]:
    told: set[str] = set()
    while True:
        try:
            found = client.get(f"distributed/proposals/{segment(proposed.get('key') or proposed['proposalId'])}").data
        except (Unreachable, NotFound) as error:  # a node asked in place of another may not have it yet
            if time.monotonic() >= end:
                raise _no_verdict(proposed["proposalId"], f", and then {error.message}") from error
        else:
            proposal: dict[str, Any] = found[0]
            _tell_votes(proposal, told)
            if proposal["state"] not in PENDING or time.monotonic() >= end:
                return proposal
        time.sleep(max(0.0, min(POLL_S, end - time.monotonic())))


def _tell_votes(proposal: dict[str, Any], told: set[str]) -> None:
    if not out.is_terminal():
        return
    for voter, vote in sorted(proposal["votes"].items()):
        if voter not in told:
            told.add(voter)
            reason = f": {vote['reason']}" if vote.get("reason") else ""
            out.say(f"{voter}  {vote['vote']}{reason}")


def propose_one(client: Client, item: dict[str, Any], where: Where, timeout_s: float) -> None:
    """Propose what has no call of its own (a rollback), by the batch; otherwise as `propose`."""
    end = time.monotonic() + timeout_s
    wait_s = min(FIRST_WAIT_S, timeout_s)
    item = item | {"idempotencyKey": str(uuid.uuid4())}
    query = f"?wait={wait_s:g}" if wait_s else ""
    [outcome] = client.post(f"distributed/propose{query}", {"proposals": [item]}, wait_s=wait_s, repeatable=True).data
    if not outcome["success"]:
        raise refused(outcome, client.nodes[0])
    conclude(await_verdict(client, outcome["data"], end), where, timeout_s)


def conclude(proposal: dict[str, Any], where: Where, timeout_s: float, *, existing: bool = False) -> None:
    """Show a proposal and end with the exit code of its state. `existing`: the same was proposed before (P6)."""
    data = [proposal]
    with contextlib.suppress(out.ReaderGone):  # nobody reads, but the exit code still tells
        out.show(
            proposal,
            where.output,
            lambda: verdict_text(proposal, current_screen(), existing=existing),
            lambda: decisions.proposal_rows(data),
        )
    if proposal["state"] in PENDING:
        raise _no_verdict(proposal["id"], f" within {timeout_s:g} s")
    _say_what_next(proposal.get("reason"))
    if proposal["state"] == "rejected" or proposal.get("settled") is False:
        raise typer.Exit(Exit.REJECTED)


def _no_verdict(label: str, why: str) -> Failure:
    return Failure(
        f"No verdict{why}: {label} may still be accepted or rejected.",
        Exit.UNKNOWN,
        f"Look again with: iwdc-distributed proposals {label}",
    )


def _say_what_next(*reasons: str | None) -> None:
    for reason in reasons:
        word = (reason or "").partition(":")[0]  # `conflicting_vote: snapshot:1.2.0`
        if word in AFTER_REJECTION:
            out.say(AFTER_REJECTION[word])


def verdict_text(proposal: dict[str, Any], screen: Screen, *, existing: bool = False) -> str:
    """What became of a proposal, and every vote."""
    state = screen.word(proposal["state"])
    word = screen.paint(decisions.standing(proposal), state.tone)
    reason = f": {safe(proposal['reason'])}" if proposal.get("reason") else ""
    known = " (the same was proposed before)" if existing else ""
    head = f"{safe(decisions.subject(proposal))} {word}{reason}{known}"
    return f"{head}\n{screen.note(proposal['id'], tone='dim')}\n\n{decisions.votes_table(proposal, screen)}"


def prediction_table(data: dict[str, Any], screen: Screen) -> str:
    """What a proposal would meet."""
    would = "would be accepted" if data["wouldAccept"] else "would not be accepted"
    head = screen.paint(f"Dry run: it {would}. Nothing was changed.", "good" if data["wouldAccept"] else "bad")
    pairs = [*data["checks"].items(), *((f"vote of {name}", vote) for name, vote in sorted(data["votes"].items()))]
    return f"{head}\n\n{screen.fields(pairs)}" if pairs else head


def prediction_rows(data: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """wouldAccept, then `check` and `vote` lines."""
    yield "wouldAccept", str(data["wouldAccept"]).lower()
    yield from (("check", name, found) for name, found in data["checks"].items())
    yield from (("vote", name, vote) for name, vote in sorted(data["votes"].items()))
