"""Keys, signatures and who may sign (P3, seed 5.3)."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from node.protocol.canonical import signed_bytes
from node.security.keys import KeyProblem, SigningKey, Verifier, exposure, parse_public

MESSAGE = signed_bytes("test", "snapshot", None, "1.2.0", "abc123")


@pytest.fixture(scope="module")
def ops() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="module")
def instance_key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="module")
def verifier(ops: SigningKey, instance_key: SigningKey) -> Verifier:
    return Verifier({"ops": [SigningKey.generate().public, ops.public], "instance-A": [instance_key.public]})


def test_a_saved_key_is_private_and_loads_again(tmp_path: Path, ops: SigningKey) -> None:
    path = tmp_path / "ops.pem"
    ops.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert exposure(path) is None
    assert SigningKey.load(path).public == ops.public


def test_a_key_file_is_never_overwritten(tmp_path: Path, ops: SigningKey) -> None:
    path = tmp_path / "ops.pem"
    path.write_text("precious")
    with pytest.raises(KeyProblem, match="File exists"):
        ops.save(path)
    assert path.read_text() == "precious"


def test_a_key_others_can_read_is_warned_about(tmp_path: Path, ops: SigningKey) -> None:
    path = tmp_path / "ops.pem"
    ops.save(path)
    os.chmod(path, 0o644)
    assert "chmod 600" in (exposure(path) or "")


def _encrypted_pem() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def _rsa_pem() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (_encrypted_pem(), "an encrypted key"),
        (_rsa_pem(), "a key of another kind"),
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
    ],
    ids=["encrypted", "rsa", "empty", "torn"],
)
def test_a_file_that_is_no_usable_key_says_what_it_is(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(KeyProblem, match=found) as problem:
        SigningKey.load(path)
    assert str(path) in str(problem.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="No such file"):
        SigningKey.load(tmp_path / "none.pem")
    with pytest.raises(KeyProblem, match="No such file"):
        exposure(tmp_path / "none.pem")


@pytest.mark.parametrize("text", ["", "abc", "not base64 !", "é", base64.b64encode(b"x" * 31).decode()])
def test_a_public_key_that_is_none_names_where_it_stands(text: str) -> None:
    with pytest.raises(KeyProblem, match="key 1 of ops"):
        Verifier({"ops": [text]})
    with pytest.raises(KeyProblem, match="public key"):
        parse_public(text)


def test_a_configured_key_passes_in_every_spelling(verifier: Verifier, ops: SigningKey) -> None:
    bare = ops.sign(MESSAGE)
    urlsafe = bare.replace("+", "-").replace("/", "_")
    for text in (bare, urlsafe, bare.rstrip("="), f"ops:{urlsafe.rstrip('=')}", ops.sign(MESSAGE, "ops")):
        assert verifier("instance-B", MESSAGE, text)
        assert verifier.signer("instance-B", MESSAGE, text) == "ops"


def test_the_signer_need_not_be_the_proposer(verifier: Verifier, instance_key: SigningKey) -> None:
    assert verifier.signer("instance-B", MESSAGE, instance_key.sign(MESSAGE)) == "instance-A"


def test_a_signature_under_another_name_does_not_pass(verifier: Verifier, ops: SigningKey) -> None:
    assert not verifier("instance-A", MESSAGE, ops.sign(MESSAGE, "instance-A"))
    assert not verifier("instance-A", MESSAGE, ops.sign(MESSAGE, "nobody"))


def test_a_foreign_key_does_not_pass(verifier: Verifier) -> None:
    assert not verifier("instance-A", MESSAGE, SigningKey.generate().sign(MESSAGE))
    assert not Verifier({})("instance-A", MESSAGE, SigningKey.generate().sign(MESSAGE))


@pytest.mark.parametrize(
    "other",
    [
        signed_bytes("prod", "snapshot", None, "1.2.0", "abc123"),
        signed_bytes("test", "snapshot", None, "1.2.1", "abc123"),
        signed_bytes("test", "snapshot", None, "1.2.0", "abc124"),
        signed_bytes("test", "diff", "1.1.0", "1.2.0", "abc123"),
        signed_bytes("test", "rollback", "1.1.0", "1.2.0", "abc123"),
    ],
    ids=["cluster", "version", "hash", "kind", "rollback"],
)
def test_a_signature_of_anything_else_does_not_pass(verifier: Verifier, ops: SigningKey, other: bytes) -> None:
    assert not verifier("instance-A", MESSAGE, ops.sign(other))


@given(st.text(max_size=600) | st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode()))
def test_garbage_is_refused_without_raising(text: str) -> None:
    """Promise 7."""
    verifier = Verifier({"ops": ["A" * 42 + "E="]})
    assert not verifier("instance-A", MESSAGE, text)
    assert not verifier("instance-A", MESSAGE, f"ops:{text}")


def test_a_verifier_loads_cryptography_only_when_a_signature_has_the_right_shape() -> None:
    code = (
        "import sys; from node.security.keys import Verifier; v = Verifier({'ops': ['A' * 42 + 'E=']});"
        "assert not v('a', b'', 'garbage'); assert 'cryptography' not in sys.modules;"
        "assert not v('a', b'', 'A' * 86); assert 'cryptography' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
