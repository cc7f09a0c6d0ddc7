"""How much content an instance takes, and how it treats it: the keys of `[content]`."""

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["replica", "builder"]
"""A replica's working data follow the cluster; a builder's are written by its own pipeline and never switched."""

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""A larger file is hashed in blocks of this size too, so that a bad part can be told and fetched again alone."""


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """Bounds of one version, and what is kept. `reserve_bytes` of the disk are left free for the journal."""

    max_files: int = 100_000
    max_file_bytes: int = 4 * 1024**3
    max_version_bytes: int = 32 * 1024**3
    max_manifest_bytes: int = 20 * 1024**2
    max_diff_bytes: int = 12 * 1024**2
    reserve_bytes: int = 64 * 1024**2
    keep_versions: int = 10
    keep_backups: int = 5


@dataclass(frozen=True, slots=True)
class Hooks:
    """Commands around the switch of the working data: a program and its arguments, empty for none."""

    before_apply: tuple[str, ...] = ()
    after_apply: tuple[str, ...] = ()
    timeout_s: float = 60.0
