"""A small catalogue to try things with: two series, their models and lengths, in the layout of a version on disk."""

import hashlib
import json
from pathlib import Path

VERSION = "1.0.0"
SERIES = (("vento", "Vento", "Конвектор Vento"), ("terra", "Terra", "Конвектор Terra"))
DEPTHS_MM = (85, 105, 125)
LENGTHS_MM = (600, 1000, 1400)


def write(folder: Path) -> tuple[str, str]:
    """Write `series`, `models` and `lengths` under `folder`/json. Returns the version and the root hash over all files.

    The root is the sha256 over the sorted lines `path:hash`, as an integrity manifest has it.
    """
    files: dict[str, dict[str, object]] = {}
    for slug, name, title in SERIES:
        files[f"json/series/{slug}.json"] = {"slug": slug, "name": name, "title": title}
        for depth in DEPTHS_MM:
            model = f"{slug}-{depth}"
            files[f"json/models/{model}.json"] = {"slug": model, "series": slug, "depthMm": depth}
            for length in LENGTHS_MM:
                item = f"{model}-{length}"
                files[f"json/lengths/{model}/{item}.json"] = {"slug": item, "model_code": model, "lengthMm": length}
    lines = []
    for path, content in sorted(files.items()):
        body = json.dumps(content, ensure_ascii=False, indent=2).encode()
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        lines.append(f"{path}:{hashlib.sha256(body).hexdigest()}")
    return VERSION, hashlib.sha256("\n".join(lines).encode()).hexdigest()
