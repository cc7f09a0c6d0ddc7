"""Folders that look like a catalogue: many small JSON files with Cyrillic names and content, and some others."""

import json
from pathlib import Path


def write_catalogue(folder: Path, count: int, changed: int = 0) -> Path:
    """`count` files of three categories below `folder`; the first `changed` of them differ from an earlier call's."""
    for number in range(count):
        category = ("series", "models", "lengths")[number % 3]
        path = folder / category / f"модель-{number % 50}" / f"изделие-{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        body = {"slug": f"изделие-{number}", "имя": "труба " * 40, "правка": changed if number < changed else 0}
        path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    seo = folder / "seo" / "карта.xml"
    seo.parent.mkdir(parents=True, exist_ok=True)
    seo.write_text("<urlset/>", encoding="utf-8")
    return folder


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path, but for what describes the version."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    found.pop("meta.json", None)
    return found
