"""The bytes of a proposal that are signed: one form, written down, the same for every signer and voter (P3).

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

from node.protocol.shapes import ProposalKind

HEADER = b"iwdc-proposal-v1\n"


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


def _line(name: str, value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"%s=%d:%s\n" % (name.encode(), len(encoded), encoded)
