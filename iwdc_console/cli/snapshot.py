"""`snapshot`: versions with their content: publish, list, show, verify, rollback, prune, pull."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from iwdc_console.cli import jobs, options, reading, target
from iwdc_console.cli import output as out
from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.options import Context, Json, Nodes, Output, Watch
from iwdc_console.cli.output import Format
from iwdc_console.cli.propose import VERDICT_TIMEOUT_S, Sign, Timeout, conclude, propose, propose_one, signed
from iwdc_console.cli.reading import Where
from iwdc_console.cli.shown import View
from iwdc_console.cli.text import safe, size
from iwdc_console.cli.views import versions
from iwdc_console.client import Client, segment
from iwdc_console.outcomes import Interrupted

app = typer.Typer(
    help="""Versions with their content: publish, list, show, verify, rollback, prune, pull.

    Example: iwdc-distributed snapshot list
    """,
    no_args_is_help=True,
)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version, like 1.2.0 or 20250131-120000.")]


@app.command("publish")
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder with series, models, lengths, ...")],
    version: Annotated[str, typer.Option("--version", help="The catalogue version, like 1.2.0 or 20250131-120000.")],
    sign: Sign = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Hash it, say what would happen, change nothing.")] = False,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Publish a folder as a version. Every instance ends up with the same bytes, or nothing changes.

    Run it on the machine of the node it talks to. The content is stored there, brought to as many voters as are
    required, and then put to the vote.

    Exit codes: 0 accepted, 5 no quorum, 6 rejected, 8 no verdict yet.

    Example: iwdc-distributed snapshot publish build/json --version 1.2.0
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    if dry_run:
        _dry_run(client, _absolute(folder), version, sign, where)
        return
    publish_stored(client, store(client, folder, version), sign, where)


def store(client: Client, folder: Path, version: str) -> dict[str, Any]:
    """Have the node keep a folder of its machine as the content of a version; nothing is put to the vote yet."""
    begun = client.post("snapshots/store", {"path": str(_absolute(folder)), "version": version}).data
    stored: dict[str, Any] = jobs.follow(client, begun)["stored"]
    out.say(f"Stored {version}: {stored['content']['files']:,} files, {size(stored['content']['bytes'])}.")
    return stored


def _absolute(folder: Path) -> Path:
    path = folder.absolute()
    if not path.is_dir():
        raise Failure(f"{folder} is no folder: expected one with series, models, lengths, ...", Exit.USAGE)
    return path


def publish_stored(client: Client, stored: dict[str, Any], sign: Path | None, where: Where) -> None:
    """Bring stored content to voters, put it to the vote, and show what came of it."""
    body = dict(stored)
    if sign is not None:
        key = stored["content"]["key"]
        kind, base = stored["kind"], stored.get("from")
        body["signature"] = signed(client, sign, kind, base, stored["version"], stored["hash"], key)
    ended = jobs.follow(client, client.post("snapshots/publish", body).data)
    if ended.get("existing"):
        out.say("It was put to the vote before; nothing is done twice.")
    conclude(ended["proposal"], where, VERDICT_TIMEOUT_S)


def _dry_run(client: Client, folder: Path, version: str, sign: Path | None, where: Where) -> None:
    from node.artifacts.errors import ContentError
    from node.artifacts.intake import inspect
    from node.artifacts.limits import ContentLimits

    bar = jobs.Bar()
    try:
        manifest = inspect(
            folder, version, "", ContentLimits(), lambda files, *done: bar.show(f"hashing: {files} files", *done)
        )
    except ContentError as problem:
        raise Failure(str(problem)) from problem
    finally:
        bar.clear()
    out.say(f"{manifest.count:,} files, {size(manifest.size_bytes)}, root {manifest.root}")
    body = {"version": version, "hash": manifest.root}
    if sign is not None:  # Nothing is stored, so there is no content to sign for yet: who signs is what is tried.
        body["signature"] = signed(client, sign, "snapshot", None, version, manifest.root)
    propose(client, "distributed/propose-snapshot", body, where, no_wait=False, dry_run=True, timeout_s=0)


@app.command("list")
def list_(
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
    watch: Watch = False,
) -> None:
    """List versions, and which instance has the content of each.

    Example: iwdc-distributed snapshot list --watch
    """
    where = options.where(node, context, output, json, watch)
    view = View(versions.versions_table, versions.versions_rows)
    reading.run(lambda client: client.get("snapshots"), view, where)


@app.command()
def show(
    version: Version,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Show what a version consists of, at the node asked.

    Example: iwdc-distributed snapshot show 1.2.0
    """
    where = options.where(node, context, output, json)
    view = View(versions.summary_table, versions.summary_rows)
    reading.run(lambda client: client.get(f"snapshots/{segment(version)}/summary"), view, where)


@app.command()
def verify(
    version: Version,
    sample: Annotated[str, typer.Option(metavar="N%", help="Read only this part of the files.")] = "100%",
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Read and hash a version's files at the node asked. What is damaged is fetched again from the others.

    Exit codes: 0 all is well, 1 damaged.

    Example: iwdc-distributed snapshot verify 1.2.0 --sample 10%
    """
    where = options.where(node, context, output, json)
    try:
        share = float(sample.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise Failure(f"--sample {sample}: expected a part like 10%, at most 100%", Exit.USAGE)
    client = target.connect(where.nodes, where.context)
    found = jobs.follow(client, client.post("snapshots/verify", {"version": version, "sample": share}).data)["verified"]
    extra = f" {len(found['extra'])} files that no manifest names." if found["extra"] else ""
    text = f"{version}: {found['checked']:,} files read, all as they were.{extra}"
    out.show(found, where.output, lambda: text, lambda: [("checked", found["checked"])])


@app.command()
def rollback(
    version: Version,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    sign: Sign = None,
    timeout: Timeout = VERDICT_TIMEOUT_S,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Go back to an earlier version, everywhere. It is a proposal that the voters decide.

    Exit codes: 0 accepted, 5 no quorum, 6 rejected, 8 no verdict yet.

    Example: iwdc-distributed snapshot rollback 1.1.0
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    current = client.get("distributed/status").data["currentVersion"]
    if current is None:
        raise Failure("There is no current version to go back from.")
    if current == version:
        raise Failure(f"{version} is the current version already.", Exit.USAGE)
    hash_ = _hash_of(client, version)
    if not yes:
        out.say(f"All instances go back from {current} to {version}; versions in between are void.")
        typed = typer.prompt(f"Type {version} to go on", err=True)
        if typed != version:
            raise Failure("Nothing was changed.", Exit.USAGE)
    item = {"kind": "rollback", "from": current, "to": version, "hash": hash_}
    if sign is not None:
        item["signature"] = signed(client, sign, "rollback", current, version, hash_)
    propose_one(client, item, where, timeout)


def _hash_of(client: Client, version: str) -> str:
    """The hash a version was accepted with. Raises `Failure` when none is known."""
    for known in client.get("snapshots").data:
        if known["version"] == version and known["state"] != "stored":
            return str(known["hash"])
    for proposal in client.get("distributed/proposals", limit=1000).data:
        if version in (proposal.get("version"), proposal.get("to")) and proposal["state"] == "accepted":
            return str(proposal["hash"])
    raise Failure(f"No accepted version {version} is known.", Exit.FAILED, "See: iwdc-distributed snapshot list")


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, metavar="N", help="How many of the newest versions stay.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go and change nothing.")] = False,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Drop old versions at the node asked, what was rolled back first. The current one and the working data's stay.

    Example: iwdc-distributed snapshot prune --keep 5 --dry-run
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    ask = client.try_out if dry_run else client.post
    data = ask("snapshots/prune", {"keep": keep, "dryRun": dry_run}).data
    word = "Would drop" if dry_run else "Dropped"
    named = ", ".join(safe(name) for name in data["versions"]) or "nothing"
    out.show(data, where.output, lambda: f"{word}: {named}.", lambda: [(name,) for name in data["versions"]])


@app.command()
def pull(
    version: Version,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is here.")] = False,
    node: Nodes = None,
    context: Context = None,
    output: Output = Format.TABLE,
    json: Json = False,
) -> None:
    """Fetch an accepted version to the node asked. The current one comes by itself.

    Example: iwdc-distributed snapshot pull 1.1.0
    """
    where = options.where(node, context, output, json)
    client = target.connect(where.nodes, where.context)
    data = client.post("snapshots/pull", {"version": version}, repeatable=True).data
    bar = jobs.Bar()
    try:
        while not no_wait and data["state"] in ("fetching", "waiting", "missing"):
            what = f"{data['state']} {version}" + (f": {data['problem']}" if data.get("problem") else "")
            bar.show(what, data.get("doneBytes", 0), data.get("totalBytes", 0))
            time.sleep(jobs.POLL_S)
            data = client.get(f"snapshots/contents/{data['key']}").data
    except KeyboardInterrupt:
        raise Interrupted("The node goes on with it.") from None
    finally:
        bar.clear()
    if data["state"] == "bad":
        raise Failure(f"Version {version} cannot be taken: {data.get('problem')}")
    out.show(data, where.output, lambda: f"{version}: {data['state']}.", lambda: [(version, data["state"])])
