"""Where content lies below the data folder. IWDC's own places, and `store/` for what is on its way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

META_NAME: Final = "meta.json"
"""Describes a snapshot: `{"version","date","xlsHash","sourcePath"}`. Part of the version, not of the working data."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders and files of one instance's content, below `root` (IWDC's `data`)."""

    root: Path

    @property
    def working(self) -> Path:
        """The working data: one whole version, or what a builder's pipeline writes."""
        return self.root / "json"

    @property
    def versions(self) -> Path:
        """One folder per version."""
        return self.root / "versions"

    @property
    def manifests(self) -> Path:
        """One manifest per version."""
        return self.root / "security" / "manifests"

    @property
    def diffs(self) -> Path:
        """`<from>__<to>.diff.json`."""
        return self.root / "diffs"

    @property
    def recovery_state(self) -> Path:
        """What IWDC's recovery tools read: the last good version, and where the working data come from."""
        return self.root / "state" / "recovery-state.json"

    @property
    def backups(self) -> Path:
        """Earlier working data, `<stamp>-before-<what>/`."""
        return self.root / "recovery" / "backups"

    @property
    def incoming(self) -> Path:
        """Content that is not whole yet: `<key>/manifest.json`, `<key>/files/`, `<key>/partial/`."""
        return self.root / "store" / "incoming"

    @property
    def held(self) -> Path:
        """Whole content that no version stands for yet, or not any more: `<key>/manifest.json`, `<key>/files/`."""
        return self.root / "store" / "held"

    @property
    def spare(self) -> Path:
        """The newest version's files once more, for the next version to begin from."""
        return self.root / "store" / "spare"

    @property
    def trees(self) -> Path:
        """Working data before their switch."""
        return self.root / "store" / "trees"

    @property
    def intent(self) -> Path:
        """The switch that is under way."""
        return self.root / "store" / "switch.json"

    @property
    def applied(self) -> Path:
        """Which content the working data are."""
        return self.root / "store" / "applied.json"

    def version(self, version: str) -> Path:
        """The folder of a version."""
        return self.versions / version

    def manifest(self, version: str) -> Path:
        """The manifest of a version."""
        return self.manifests / f"manifest-{version}.json"

    def diff(self, from_version: str, to_version: str) -> Path:
        """The diff file between two versions."""
        return self.diffs / f"{from_version}__{to_version}.diff.json"
