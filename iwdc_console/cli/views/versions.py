"""Versions and their content: which instance has what."""

from collections.abc import Iterable, Sequence
from typing import Any

from iwdc_console.cli.table import Cell, Column, Toned
from iwdc_console.cli.text import safe, size
from iwdc_console.cli.views.screen import Screen, short_hash

TONES = {"has": "good", "fetching": "warn", "waiting": "warn", "bad": "bad", "missing": "bad", "other": "warn"}
WORDS = {"fetching": "fetching {percent} %", "other": "another content"}


def versions_table(data: Sequence[dict[str, Any]], screen: Screen) -> str:
    """One line per version, one column per instance; an asterisk marks the working data, also where they are being made
    of it just now.
    """
    if not data:
        return "No version has content yet. Publish one with:\niwdc-distributed snapshot publish DIR --version V"
    names = sorted({name for version in data for name in version["instances"]})
    columns = [
        Column("version", least=8),
        Column("state", least=8),
        Column("size", ">", drop=2, least=7),
        Column("files", ">", drop=3, least=5),
        *(Column(safe(name), least=8) for name in names),
        Column("hash", drop=1, least=8),
    ]
    rows: list[list[Cell]] = []
    for item in data:
        at = [_at(item["instances"].get(name)) for name in names]
        state = Toned(item["state"], "strong" if item["state"] == "current" else "")
        counts: list[Cell] = [size(item.get("bytes", 0)), f"{item.get('files', 0):,}"]
        rows.append([safe(item["version"]), state, *counts, *at, short_hash(item.get("hash") or "")])
    problems = [
        screen.note(f"{safe(item['version'])} at {safe(name)}: {safe(at['problem'])}", tone="warn")
        for item in data
        for name, at in item["instances"].items()
        if at.get("problem")
    ]
    return "\n".join([screen.table(columns, rows), *([""] if problems else []), *problems])


def _at(at: dict[str, Any] | None) -> Cell:
    if at is None:
        return Toned("unknown", "dim")
    if at.get("applying"):
        return Toned("applying *", "warn")
    state = at["state"]
    word = WORDS.get(state, state).format(percent=at.get("percent", 0))
    return Toned(f"{word} *" if at.get("applied") else word, TONES.get(state, "dim"))


def versions_rows(data: Sequence[dict[str, Any]]) -> Iterable[Sequence[object]]:
    """version, state, instance, what it has of it, percent, applied (true, false, applying), key, hash: a line for each
    instance.
    """
    for item in data:
        for name, at in sorted(item["instances"].items()):
            applied = "applying" if at.get("applying") else str(bool(at.get("applied"))).lower()
            named = (item.get("key"), item.get("hash"))
            yield item["version"], item["state"], name, at["state"], at.get("percent", 0), applied, *named


def summary_table(data: dict[str, Any], screen: Screen) -> str:
    """What a version consists of."""
    types = ", ".join(f"{count:,} {safe(name)}" for name, count in sorted(data["types"].items()))
    pairs = [
        ("version", safe(data["version"])),
        ("created", safe(data["createdAt"])),
        ("files", f"{data['files']:,} ({types})"),
        ("size", size(data["bytes"])),
        ("root", data["root"]),
        ("content", data["key"]),
    ]
    return screen.fields(pairs)


def summary_rows(data: dict[str, Any]) -> Iterable[Sequence[object]]:
    """Names and values."""
    names = ("version", "createdAt", "files", "bytes", "root", "key")
    return [(name, data[name]) for name in names]
