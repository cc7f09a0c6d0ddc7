"""Ed25519 keys: who may put a version to the vote (seed 5.1 rule 4, 5.3; P3).

A public key is one line of base64, 32 bytes. A private key is a PKCS #8 PEM file that only its owner may read.
A name before a signature picks that signer's keys; without one any configured key may match. The signer need not be
the proposer: an operator signs once and any node may propose it. A key that is not configured is foreign and never
passes. What is signed, and the form of a signature, is in `node.protocol.canonical`.
"""

import base64
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from node import documents
from node.protocol.canonical import from_base64, read_signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_KEY_BYTES = 32


class KeyProblem(Exception):
    """A key that cannot be used: `where` it stands, what was `found` and what was `expected`."""

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"{where}: {found}; expected {expected}")
        self.where = where
        self.found = found
        self.expected = expected


class SigningKey:
    """A private key. Raises KeyProblem when the file is missing, unreadable, encrypted or not Ed25519."""

    def __init__(self, private: "Ed25519PrivateKey") -> None:
        self._private = private

    @classmethod
    def generate(cls) -> "SigningKey":
        """A fresh key from the system's randomness."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """The key in a PEM file."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        expected = "an unencrypted Ed25519 private key in PEM (PKCS #8)"
        try:
            text = documents.read(path)
        except OSError as error:
            raise KeyProblem(str(path), error.strerror or str(error), "a readable key file") from error
        try:
            key = load_pem_private_key(text, password=None)
        except TypeError as error:
            raise KeyProblem(str(path), "an encrypted key", expected) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyProblem(str(path), "no private key that can be read", expected) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyProblem(str(path), f"a key of another kind ({type(key).__name__})", expected)
        return cls(key)

    def save(self, path: Path) -> None:
        """Write the key to a new file that only its owner can read. Raises KeyProblem; never overwrites."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise KeyProblem(str(path), error.strerror or str(error), "a new file in a writable directory") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    @property
    def public(self) -> str:
        """The public key, one line of base64: what goes into `[security.keys]`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, message: bytes, name: str | None = None) -> str:
        """The signature of `message` as text, behind `name:` if one is given."""
        signature = base64.b64encode(self._private.sign(message)).decode()
        return signature if name is None else f"{name}:{signature}"


def exposure(path: Path) -> str | None:
    """A warning when others than its owner may read or write the key file, else None. Raises KeyProblem."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise KeyProblem(str(path), error.strerror or str(error), "a readable key file") from error
    if mode & 0o077:
        return f"{path}: mode {mode:04o} lets others at the private key; expected 0600 (chmod 600 {path})"
    return None


def parse_public(text: str, where: str = "public key") -> bytes:
    """The 32 bytes of a public key's base64. Raises KeyProblem naming `where`. Does not load `cryptography`."""
    raw = from_base64(text.strip())
    if raw is None or len(raw) != PUBLIC_KEY_BYTES:
        found = "no base64" if raw is None else f"{len(raw)} bytes"
        raise KeyProblem(where, found, f"base64 of the {PUBLIC_KEY_BYTES} bytes of an Ed25519 public key")
    return raw


class Verifier:
    """Says whether a signature was made by a configured key; what the core asks of every proposal (P3).

    `public_keys` maps a signer (an instance id or an operator's name) to its keys: more than one while a key is being
    replaced. Raises KeyProblem for a key that is none.
    """

    def __init__(self, public_keys: Mapping[str, Sequence[str]]) -> None:
        self._keys = {
            name: tuple(parse_public(text, f"key {number} of {name}") for number, text in enumerate(texts, 1))
            for name, texts in public_keys.items()
        }
        self._loaded: dict[bytes, Ed25519PublicKey] = {}

    def __call__(self, instance: str, message: bytes, signature: str) -> bool:
        """Whether `signature` of `message` passes. `instance`, the proposer, is tried first. Never raises."""
        return self.signer(instance, message, signature) is not None

    def signer(self, instance: str, message: bytes, signature: str) -> str | None:
        """Whose key made the signature, or None: malformed, wrong or foreign."""
        read = read_signature(signature)
        if read is None:
            return None
        if read.name is not None:
            candidates: Iterable[str] = (read.name,)
        else:
            candidates = sorted(self._keys, key=lambda known: (known != instance, known))
        for candidate in candidates:
            if any(self._made_by(key, message, read.raw) for key in self._keys.get(candidate, ())):
                return candidate
        return None

    def _made_by(self, raw_key: bytes, message: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        key = self._loaded.get(raw_key)
        if key is None:
            key = self._loaded[raw_key] = Ed25519PublicKey.from_public_bytes(raw_key)
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True
