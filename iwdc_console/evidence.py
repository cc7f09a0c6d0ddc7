"""What was seen of a cluster when its members were asked: all that a diagnosis rests on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LEGACY = "1.6"
"""Members of this protocol know none of the questions: what the others see of them must do."""


class Look(NamedTuple):
    """One member, asked: its `distributed/status`, or why there is none. `clock_ms`: its wall clock minus ours."""

    id: str
    url: str
    status: Mapping[str, Any] | None
    why: str = ""
    took_ms: float = 0.0
    clock_ms: float = 0.0


class LocalConfig(NamedTuple):
    """The configuration a node started here would read: its digest's parts by name, or what is wrong with it."""

    source: str
    entries: Mapping[str, str]
    problems: tuple[str, ...] = ()


class LocalDisk(NamedTuple):
    """A data directory on this machine."""

    path: str
    free_bytes: int
    total_bytes: int


class Evidence(NamedTuple):
    """All that was seen. `proposals`, `conflicts` and `versions` are one member's answers, `config` and `disk` this
    machine's.
    """

    looks: Sequence[Look]
    proposals: Sequence[Mapping[str, Any]] = ()
    conflicts: Sequence[Mapping[str, Any]] = ()
    config: LocalConfig | None = None
    disk: LocalDisk | None = None
    versions: Sequence[Mapping[str, Any]] = ()

    @property
    def answering(self) -> dict[str, Mapping[str, Any]]:
        """The status of each member that answered."""
        return {look.id: look.status for look in self.looks if look.status is not None}
