"""`recovery-state.json`, which IWDC's recovery tools read: the last good version, and where the working data come from.

What else stands in it, such as `lastBuild`, is theirs and stays.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from node.artifacts.store import is_version
from node.artifacts.system import write_durable

Source = Literal["snapshot", "rollback"]


def origin(path: Path) -> str | None:
    """The version that the working data come from; None if the file does not say."""
    state = _state(path)
    noted = state.get("currentDataOrigin")
    reference = noted.get("reference") if isinstance(noted, dict) else None
    for version in (reference, state.get("lastSuccessfulVersion")):
        if isinstance(version, str) and is_version(version):
            return version
    return None


def record_origin(path: Path, version: str, source: Source, at_ms: int) -> None:
    """Note that the working data are `version` now. Raises OSError."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    state = {
        "lastSuccessfulVersion": version,
        "lastBuild": None,
        **{name: value for name, value in _state(path).items() if name != "lastSuccessfulVersion"},
        "currentDataOrigin": {"source": source, "reference": version, "timestamp": at},
    }
    write_durable(path, msgspec.json.format(msgspec.json.encode(state), indent=2))


def _state(path: Path) -> dict[str, object]:
    """What the file says; one that cannot be read says nothing."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
