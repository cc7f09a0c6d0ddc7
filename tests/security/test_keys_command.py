"""`keys generate|show|sign|verify` (seed 5.3)."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.cli.keys import app
from node.protocol.canonical import signed_bytes
from node.security.keys import Verifier

PROPOSAL = ["--cluster", "prod", "--version", "1.2.0", "--hash", "abc123"]


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def _failure(result: Result) -> Failure:
    assert isinstance(result.exception, Failure)
    return result.exception


@pytest.fixture
def keyfile(tmp_path: Path) -> Path:
    path = tmp_path / "ops.pem"
    assert _run("generate", path).exit_code == 0
    return path


@pytest.fixture
def public(keyfile: Path) -> str:
    return _run("show", keyfile).stdout.strip()


@pytest.mark.parametrize("name", ["ops", "Иван Петров", 'a"b'])
def test_generate_prints_the_public_key_alone_on_stdout(tmp_path: Path, name: str) -> None:
    """And on stderr what can be pasted into node.toml."""
    result = _run("generate", tmp_path / f"{name}.pem")
    public = result.stdout.strip()
    assert public == _run("show", tmp_path / f"{name}.pem").stdout.strip()
    assert tomllib.loads(result.stderr.partition("node.toml:\n")[2]) == {"security": {"keys": {name: public}}}
    assert (tmp_path / f"{name}.pem").stat().st_mode & 0o777 == 0o600


def test_generate_never_overwrites(keyfile: Path) -> None:
    before = keyfile.read_bytes()
    failure = _failure(_run("generate", keyfile))
    assert failure.code is Exit.FAILED
    assert str(keyfile) in failure.message
    assert keyfile.read_bytes() == before


def test_a_signature_is_what_the_nodes_check(keyfile: Path, public: str) -> None:
    signature = _run("sign", keyfile, "--name", "ops", *PROPOSAL).stdout.strip()
    assert signature.startswith("ops:")
    message = signed_bytes("prod", "snapshot", None, "1.2.0", "abc123")
    assert Verifier({"ops": [public]})("instance-A", message, signature)


@pytest.mark.parametrize(
    ("words", "kind"),
    [(("--from", "1.1.0", "--to", "1.2.0"), "diff"), (("--from", "1.2.0", "--to", "1.1.0", "--rollback"), "rollback")],
)
def test_diffs_and_rollbacks_are_signed_as_such(keyfile: Path, public: str, words: tuple[str, ...], kind: str) -> None:
    signature = _run("sign", keyfile, "--cluster", "prod", "--hash", "def456", *words).stdout.strip()
    assert kind in ("diff", "rollback")
    message = signed_bytes("prod", "diff" if kind == "diff" else "rollback", words[1], words[3], "def456")
    assert Verifier({"ops": [public]})("instance-A", message, signature)


def test_verify_against_a_key_at_hand(keyfile: Path, public: str) -> None:
    signature = _run("sign", keyfile, *PROPOSAL).stdout.strip()
    good = _run("verify", "--public", public, "--signature", signature, *PROPOSAL)
    assert good.exit_code == 0
    assert good.stdout == "Good signature by the given key, cluster prod.\n"
    bad = _run("verify", "--public", public, "--signature", signature, *PROPOSAL[:-1], "abc124")
    assert _failure(bad).code is Exit.FAILED


def test_verify_against_the_configured_keys(keyfile: Path, public: str, tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'[node]\nid = "instance-A"\ncluster = "prod"\n[security.keys]\nops = "{public}"\n')
    proposal = ["--config", str(config), "--version", "1.2.0", "--hash", "abc123"]
    signature = _run("sign", keyfile, *proposal).stdout.strip()
    assert _run("verify", "--signature", signature, *proposal).stdout == "Good signature by ops, cluster prod.\n"
    other = tmp_path / "other.pem"
    _run("generate", other)
    foreign = _run("sign", other, *proposal).stdout.strip()
    assert "known key" in _failure(_run("verify", "--signature", foreign, *proposal)).message
    assert "expected 64 bytes" in _failure(_run("verify", "--signature", public, *proposal)).message


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--from", "1.1.0"),
        ("--to", "1.2.0"),
        ("--version", "1.2.0", "--from", "1.1.0", "--to", "1.2.0"),
        ("--version", "1.2.0", "--rollback"),
    ],
)
def test_options_that_describe_no_one_proposal_are_wrong_usage(keyfile: Path, words: tuple[str, ...]) -> None:
    assert _failure(_run("sign", keyfile, "--cluster", "prod", "--hash", "a", *words)).code is Exit.USAGE


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.pem"
    assert str(path) in _failure(_run("show", path)).message
    assert str(path) in _failure(_run("sign", path, *PROPOSAL)).message
    assert _failure(_run("verify", "--public", "x", "--signature", "x", *PROPOSAL)).code is Exit.USAGE


def test_an_exposed_key_is_used_with_a_warning(keyfile: Path) -> None:
    keyfile.chmod(0o644)
    result = _run("sign", keyfile, *PROPOSAL)
    assert result.exit_code == 0
    assert "chmod 600" in result.stderr
    assert result.stdout.count("\n") == 1
