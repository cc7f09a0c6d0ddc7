"""What `node init` writes: `node.toml`, an entry of `instances.json`, the mark of a new cluster."""

import json
import os
import random
from pathlib import Path

import tomli_w

from iwdc_console.cli.exits import Exit, Failure
from node.config import Config, load_config
from node.journal import JOURNAL_NAME, Journal
from node.protocol.records import Identity
from node.protocol.recovery import new_journal_id

SYNC_PATH = "/api/v1/distributed/sync"


def add_instance(path: Path, id_: str, listen: str) -> bool:
    """Add an instance to the list of members. False when it was there. Raises `Failure` for a list that is no list."""
    url = f"http://{listen}{SYNC_PATH}"
    try:
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read: {error}", Exit.USAGE) from error
    if not isinstance(entries, list):
        raise Failure(f'{path}: expected a list of {{"id": ..., "url": ...}}', Exit.USAGE)
    if any(isinstance(entry, dict) and entry.get("id") == id_ for entry in entries):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([*entries, {"id": id_, "url": url}], indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    return True


def write_node_toml(path: Path, id_: str, cluster: str, listen: str, data_dir: Path, instances: Path) -> None:
    """Write a new `node.toml`; paths in it start at its folder. Raises `Failure` when there is one already."""
    folder = path.parent
    node = {
        "id": id_,
        "cluster": cluster,
        "listen": listen,
        "data_dir": os.path.relpath(data_dir, folder),
        "instances": os.path.relpath(instances, folder),
    }
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(tomli_w.dumps({"node": node}))
    except FileExistsError as error:
        raise Failure(
            f"{path} is there already.", Exit.USAGE, "Change it with `config set`, or write another: --config FILE"
        ) from error


def check(path: Path) -> Config:
    """What a node would make of the file. Raises `ConfigError`."""
    return load_config(path, {}, {})


def mark_new_cluster(data_dir: Path) -> None:
    """Give an empty disk an identity that may vote at once (D2). Raises `Failure` when it already has one."""
    journal = Journal.open(data_dir / JOURNAL_NAME)
    try:
        if journal.load().identity is not None:
            raise Failure(f"{data_dir} has been used before: it cannot start a new cluster.", Exit.USAGE)
        dice = random.SystemRandom()
        journal.commit([Identity(new_journal_id(dice.random(), dice.random()), True)])
    finally:
        journal.close()
