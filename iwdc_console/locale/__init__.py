"""Words on screen: `text(key, **values)`."""

import tomllib
from functools import cache
from importlib.resources import files


def text(key: str, **values: object) -> str:
    """The words for `key`, with `values` in their places. Raises `KeyError` for an unknown key: our own mistake."""
    words = _texts()[key]
    if not isinstance(words, str):
        words = words["one" if values["count"] == 1 else "other"]
    return words.format(**values)


@cache
def _texts() -> dict[str, str | dict[str, str]]:
    found: dict[str, str | dict[str, str]] = {}
    _flatten("", tomllib.loads((files(__package__) / "en.toml").read_text(encoding="utf-8")), found)
    return found


def _flatten(prefix: str, table: dict[str, object], into: dict[str, str | dict[str, str]]) -> None:
    for name, value in table.items():
        if isinstance(value, dict) and "other" in value:
            into[prefix + name] = value
        elif isinstance(value, dict):
            _flatten(f"{prefix}{name}.", value, into)
        else:
            into[prefix + name] = str(value)
