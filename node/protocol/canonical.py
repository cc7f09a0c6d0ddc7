"""The bytes of a proposal that are signed: one form, written down, the same for every signer and voter (P3).

And the form of a signature: 64 bytes as base64 or base64url, padded or not, alone or behind the signer's name,
`ops-2026:MEUC...`.

    iwdc-proposal-v1\\n
    cluster=<bytes>:<value>\\n
    kind=<bytes>:<value>\\n
    from=<bytes>:<value>\\n        only of a diff or rollback
    version=<bytes>:<value>\\n
    hash=<bytes>:<value>\\n
    content=<bytes>:<value>\\n     only where content comes with it: the key of its manifest

`<bytes>` is the length of the value in UTF-8, decimal: no value can be mistaken for another field, whatever is in it.
A change of the form changes the first line, so a signature of one form never passes for another.
"""

import base64
import binascii
from typing import NamedTuple

from node.protocol.shapes import ProposalKind

HEADER = b"iwdc-proposal-v1\n"
SIGNATURE_BYTES = 64
SIGNATURE_FORM = f"{SIGNATURE_BYTES} bytes in base64, alone or as NAME:BASE64, as `keys sign` prints it"


class Signature(NamedTuple):
    """A signature as it was read. `name`: whose it says it is."""

    name: str | None
    raw: bytes


def signed_bytes(
    cluster: str, kind: ProposalKind, base: str | None, version: str, hash: str, content: str | None = None
) -> bytes:
    """What a signature of this proposal covers (P3, seed 5.3). `base`: a diff's or rollback's `from`. Never raises."""
    fields = [("cluster", cluster), ("kind", kind)]
    if base is not None:
        fields.append(("from", base))
    fields += [("version", version), ("hash", hash)]
    if content is not None:
        fields.append(("content", content))
    return HEADER + b"".join(_line(name, value) for name, value in fields)


def read_signature(text: str) -> Signature | None:
    """The signature that a text is; None where its form is none."""
    name, colon, encoded = text.rpartition(":")
    raw = from_base64(encoded)
    return None if raw is None or len(raw) != SIGNATURE_BYTES else Signature(name if colon else None, raw)


def from_base64(text: str) -> bytes | None:
    """The bytes of base64 or base64url, padded or not; None for anything else."""
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _line(name: str, value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"%s=%d:%s\n" % (name.encode(), len(encoded), encoded)
