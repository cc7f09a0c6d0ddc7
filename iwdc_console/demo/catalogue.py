"""The demo's catalogue: some four hundred small files as IWDC lays them out, and how its first version is published.

Names and contents are partly Cyrillic, as a real catalogue's are. The same files come out every time.
"""

import json
import time
from itertools import product
from pathlib import Path
from typing import Any, Final

from iwdc_console.client import Client
from iwdc_console.demo.cluster import Cluster

LOOK_S: Final = 0.2
PATIENCE_S: Final = 60.0
FOLDER = "catalogue"
VERSION = "1.0.0"
CREATED_AT = "2026-01-15T09:30:00.000Z"
SERIES = (
    ("vento", "Vento", "Конвектор внутрипольный Vento"),
    ("terra", "Terra", "Конвектор напольный Terra"),
    ("тепло-норд", "Тепло Норд", "Радиатор стальной «Норд»"),
    ("тепло-юг", "Тепло Юг", "Радиатор алюминиевый «Юг»"),
    ("прима", "Прима", "Завеса воздушная «Прима»"),
)
DEPTHS_MM = (85, 105, 125, 155, 195)
LENGTHS_MM = (600, 800, 1000, 1200, 1400, 1600, 1800, 2000, 2200, 2400, 2600, 2800, 3000, 3200, 3400)
WATT_PER_M = 6.4
"""Per millimetre of depth: any figure that grows with the size will do."""


def write(folder: Path) -> str:
    """Write `series`, `models` and `lengths` under `folder`. Returns the root hash, which a proposal carries."""
    for slug, name, title in SERIES:
        _write(folder / "series" / f"{slug}.json", {"slug": slug, "name": name, "title": title, "currency": "RUB"})
    for (slug, name, _), depth in product(SERIES, DEPTHS_MM):
        model = f"{slug}-{depth}"
        content = {"slug": model, "series": slug, "title": f"{name} {depth} мм", "depthMm": depth, "material": "сталь"}
        _write(folder / "models" / f"{model}.json", content)
        for length in LENGTHS_MM:
            item = f"{model}-{length}"
            watt = round(WATT_PER_M * depth * length / 1000)
            _write(
                folder / "lengths" / model / f"{item}.json",
                {"slug": item, "model_code": model, "title": f"{name} {depth} × {length} мм", "lengthMm": length}
                | {"heatOutputW": watt, "priceRub": round(watt * 31.5), "availability": "на складе"},
            )  # fmt: skip
    return _root(folder)


class NotPublished(Exception):
    """The catalogue is not the nodes' first version; the message says why."""


def publish(cluster: Cluster) -> None:
    """Write the catalogue into the cluster's folder and, once the nodes can, publish it as their first version.

    All nodes end up with its files. Raises DemoError when the nodes do not come together, ClientError when none
    answers, NotPublished when the files could not be brought to enough of them or were not accepted.
    """
    folder = cluster.folder / FOLDER
    write(folder)
    cluster.await_leader()
    client = Client(cluster.urls[:1])
    stored = _ended(client, client.post("snapshots/store", {"path": str(folder), "version": VERSION}).data)["stored"]
    _ended(client, client.post("snapshots/publish", stored).data)


def _ended(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job of a node once it is done: the node alone knows of it."""
    gives_up_s = time.monotonic() + PATIENCE_S
    while job["phase"] not in ("done", "failed"):
        if time.monotonic() > gives_up_s:
            raise NotPublished(f"still {job['phase']} after {PATIENCE_S:g} s")
        time.sleep(LOOK_S)
        job = client.get(f"snapshots/jobs/{job['id']}").data
    if job["phase"] == "failed":
        raise NotPublished(str(job.get("detail") or job.get("reason")))
    return job


def _write(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def _root(folder: Path) -> str:
    # The node's own reckoning of a version: loaded only here, for most of what asks for the demo never does.
    from node.artifacts.intake import inspect
    from node.artifacts.limits import ContentLimits

    return inspect(folder, VERSION, CREATED_AT, ContentLimits()).root
