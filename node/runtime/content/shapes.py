"""What nodes say to one another about content, over HTTP: paths below the API root, and JSON."""

from typing import Annotated, Final, Literal

import msgspec

from node.protocol.effects import Wanted
from node.protocol.shapes import ContentRef, ProposalKind

CONTENTS: Final = "snapshots/contents"
HERE: Final = "snapshots/here"
CHANGES_TYPE: Final = "application/x-iwdc-changes"
"""The type of a manifest that is given as what differs from one the asker has."""
MANIFEST_TYPE: Final = "application/x-iwdc-manifest"
MAX_CHANGES_BYTES: Final = 4 * 1024 * 1024
"""Of these: as objects they take much more memory. A manifest that differs in more is given whole."""
BYTES_TYPE: Final = "application/octet-stream"
MAX_PARTS: Final = 4_096
"""Parts of files in one request."""
MAX_PARTS_BYTES: Final = 64 * 1024 * 1024

State = Literal["held", "fetching", "waiting", "bad", "missing"]
"""`waiting`: wanted, and nobody gives it now. `bad`: not what was proposed."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Part = tuple[Count, Count, Count]
"""Bytes of a content: from an offset in the file at a place of its manifest so many, on into the files that follow."""


class Standing(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How one content stands at one node. `done_bytes` of `total_bytes` are here.

    `problem`: what holds it up; `reason` is a word for it.
    """

    key: str
    version: str
    state: State
    done_bytes: int = 0
    total_bytes: int = 0
    problem: str | None = None
    reason: str | None = None


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for pieces of files. The answer is their bytes, one after another: both sides know how many."""

    parts: Annotated[list[Part], msgspec.Meta(min_length=1, max_length=MAX_PARTS)]


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks a node to hold content that will be proposed."""

    kind: ProposalKind
    version: str
    hash: str
    content: ContentRef
    base: str | None = None
    trace: str = ""

    def wanted(self) -> Wanted:
        """As the core would ask for it."""
        return Wanted(self.kind, self.version, self.base, self.hash, self.content, self.trace)


class HeldVersion(msgspec.Struct, frozen=True, rename="camel"):
    """Whole content at one node. `installed`: it stands for its version."""

    version: str
    key: str
    root: str
    installed: bool
    files: int
    bytes: int


class WorkingData(msgspec.Struct, frozen=True, rename="camel"):
    """Which content the working data are, and since when (unix ms)."""

    version: str
    key: str
    at: int


class Here(msgspec.Struct, frozen=True, rename="camel"):
    """All content of one node. `problem`: why its working data are not what is current, `reason` a word for it.
    `applying`: the key of what they are being made just now.

    `unlisted`: versions that have a folder and no manifest of ours.
    """

    instance: str
    role: str
    applied: WorkingData | None
    problem: str | None
    held: list[HeldVersion]
    under_way: list[Standing]
    unlisted: list[str] = []
    reason: str | None = None
    applying: str | None = None
