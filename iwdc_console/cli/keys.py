"""`keys`: make signing keys, sign proposals, check signatures (seed 5.3). Works on files alone, no node needed."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.output import say, write

if TYPE_CHECKING:
    from node.config import Config

app = typer.Typer(
    help="""Signing keys: generate, show, sign, verify.

    Example: iwdc-distributed keys generate ops-key.pem
    """,
    no_args_is_help=True,
    rich_markup_mode=None,
)

KeyFile = Annotated[Path, typer.Argument(metavar="KEYFILE", help="The private key, a PEM file.")]
Name = Annotated[str | None, typer.Option(help="The signer's name in [security.keys], put before the signature.")]
Version = Annotated[str | None, typer.Option(help="A snapshot's version.")]
From = Annotated[str | None, typer.Option("--from", help="The version a diff or rollback starts at.")]
To = Annotated[str | None, typer.Option(help="The version a diff or rollback ends at.")]
Hash = Annotated[str, typer.Option(help="The proposal's hash.")]
Rollback = Annotated[bool, typer.Option("--rollback", help="--from and --to are a rollback's, not a diff's.")]
Cluster = Annotated[str | None, typer.Option(help="The cluster's id; by default the one in the configuration.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="node.toml; by default configs/node.toml.")]


@app.command()
def generate(keyfile: KeyFile) -> None:
    """Make a key pair. The private key goes into a new file, the public key to stdout.

    Example: iwdc-distributed keys generate ops.pem
    """
    from node.security.keys import KeyProblem, SigningKey

    key = SigningKey.generate()
    try:
        key.save(keyfile)
    except KeyProblem as problem:
        raise Failure(str(problem)) from problem
    write(key.public)
    say(f"Private key in {keyfile}, mode 0600. Every node needs the public one, in its node.toml:")
    say(f'[security.keys]\n{_toml_key(keyfile.stem)} = "{key.public}"')


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


@app.command()
def show(keyfile: KeyFile) -> None:
    """Print the public key of a private key.

    Example: iwdc-distributed keys show ops.pem
    """
    from node.security.keys import KeyProblem, SigningKey

    try:
        key = SigningKey.load(keyfile)
    except KeyProblem as problem:
        raise Failure(str(problem)) from problem
    _warn_if_exposed(keyfile)
    write(key.public)


@app.command()
def sign(
    keyfile: KeyFile,
    hash: Hash,
    version: Version = None,
    from_: From = None,
    to: To = None,
    rollback: Rollback = False,
    name: Name = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
) -> None:
    """Sign a proposal. Prints the text that --signature of propose-snapshot and propose-diff takes.

    Example: iwdc-distributed keys sign ops.pem --name ops --cluster iwdc --version 1.2.0 --hash abc123
    """
    from node.security.keys import KeyProblem, SigningKey

    id_ = cluster or _config(config).settings.cluster
    message = _message(id_, version, from_, to, rollback, hash)
    try:
        key = SigningKey.load(keyfile)
    except KeyProblem as problem:
        raise Failure(str(problem)) from problem
    _warn_if_exposed(keyfile)
    write(key.sign(message, name))
    say(f"Signed for cluster {id_}.")


@app.command()
def verify(
    signature: Annotated[str, typer.Option(help="The signature to check.")],
    hash: Hash,
    version: Version = None,
    from_: From = None,
    to: To = None,
    rollback: Rollback = False,
    public: Annotated[str | None, typer.Option(help="Check against this public key, not the configured ones.")] = None,
    cluster: Cluster = None,
    config: ConfigFile = None,
) -> None:
    """Say who signed a proposal. The exit code is 1 when no configured key did.

    Example: iwdc-distributed keys verify --version 1.2.0 --hash abc123 --signature ops:jT0G...Qw==
    """
    from node.protocol.canonical import SIGNATURE_FORM, read_signature
    from node.security.keys import KeyProblem, Verifier

    id_ = cluster or _config(config).settings.cluster
    message = _message(id_, version, from_, to, rollback, hash)
    if public is None:
        keys = _config(config).security.public_keys
    else:
        keys, signature = {"the given key": (public,)}, signature.rpartition(":")[2]
    try:
        verifier = Verifier(keys)
    except KeyProblem as problem:
        raise Failure(str(problem), Exit.USAGE) from problem
    if read_signature(signature) is None:
        raise Failure(f"Bad signature: expected {SIGNATURE_FORM}.")
    signer = verifier.signer("", message, signature)
    if signer is None:
        raise Failure(
            f"Bad signature: not made by a known key over this proposal in cluster {id_}.",
            Exit.FAILED,
            "Check cluster, versions and hash; the keys that may sign stand in [security.keys].",
        )
    write(f"Good signature by {signer}, cluster {id_}.")


def _config(path: Path | None) -> "Config":
    import os

    from node.config import ConfigError, load_config

    try:
        return load_config(path, {}, os.environ, make_id=False)
    except ConfigError as error:
        raise Failure(str(error), Exit.USAGE, "Or say it here: --cluster ID (and --public KEY for verify).") from error


def _message(cluster: str, version: str | None, base: str | None, to: str | None, rollback: bool, hash: str) -> bytes:
    """The signed bytes of what the options describe. Raises Failure when they do not describe one proposal."""
    from node.protocol.canonical import signed_bytes

    if version is not None and base is None and to is None and not rollback:
        return signed_bytes(cluster, "snapshot", None, version, hash)
    if version is None and base is not None and to is not None:
        return signed_bytes(cluster, "rollback" if rollback else "diff", base, to, hash)
    raise Failure(
        "Expected --version V for a snapshot, or --from A --to B for a diff (with --rollback for a rollback).",
        Exit.USAGE,
    )


def _warn_if_exposed(keyfile: Path) -> None:
    from node.security.keys import exposure

    warning = exposure(keyfile)
    if warning:
        say(f"Warning: {warning}")
