"""What `node init` writes: `node.toml`, an entry of `instances.json`, the mark of a new cluster; or nothing at all."""

import json
import os
import random
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from iwdc_console.cli.exits import Exit, Failure
from node.config import Config, ConfigError, Problem, load_config
from node.config.edit import in_turn
from node.config.instances import ID_RULE, is_id, is_unspecified
from node.config.problems import shown, under_its_name
from node.documents import read_text
from node.journal import JOURNAL_NAME, Journal
from node.protocol.records import Identity
from node.protocol.recovery import new_journal_id

SYNC_PATH = "/api/v1/distributed/sync"


class Plan(NamedTuple):
    """What is to be written: `config` and `instances` are files, `listen` is HOST:PORT."""

    config: Path
    instances: Path
    id: str
    cluster: str
    listen: str
    data_dir: Path
    insecure: bool = False


def carry_out(plan: Plan, new_cluster: bool) -> bool:
    """Write it, once it has proved to be a configuration. False when the instance was in the list already.

    Raises `Failure` for what is there already or is no list, `ConfigError` for what would not be valid, OSError. Then
    nothing has been written.
    """
    if not is_id(plan.id):
        raise ConfigError([Problem("--id", shown(plan.id), ID_RULE)])
    listed = plan.instances.resolve() if plan.instances.is_symlink() else plan.instances  # a link stays one
    listed.parent.mkdir(parents=True, exist_ok=True)
    with in_turn(listed.parent):
        return _carry_out(plan, listed, new_cluster)


def _carry_out(plan: Plan, listed: Path, new_cluster: bool) -> bool:
    if plan.config.exists():
        raise Failure(
            f"{plan.config} is there already.",
            Exit.USAGE,
            "Change it with `config set`, or write another: --config FILE",
        )
    if is_unspecified(plan.listen.rpartition(":")[0].strip("[]")):
        expected = "the address that the others reach this host at: it goes into the list of members"
        raise ConfigError([Problem("--listen", plan.listen, expected)])
    entries = _entries(plan.instances)
    added = all(not isinstance(entry, dict) or entry.get("id") != plan.id for entry in entries)
    if added:
        entries = [*entries, {"id": plan.id, "url": f"http://{plan.listen}{SYNC_PATH}"}]
    drafted = plan._replace(config=_draft(plan.config), instances=_draft(listed))
    try:
        _write(drafted, entries)
        data_dir = _checked(plan, drafted).data_dir
        if new_cluster:
            _mark_new_cluster(data_dir)
        drafted.config.write_text(_toml(plan), encoding="utf-8")
        if added:
            drafted.instances.replace(listed)
        drafted.config.replace(plan.config)
    finally:
        drafted.config.unlink(missing_ok=True)
        drafted.instances.unlink(missing_ok=True)
    return added


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _entries(path: Path) -> list[Any]:
    try:
        entries = json.loads(read_text(path)) if path.exists() else []
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror or error}", Exit.USAGE) from error
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path} cannot be read: {error}", Exit.USAGE) from error
    if not isinstance(entries, list):
        raise Failure(f'{path}: expected a list of {{"id": ..., "url": ...}}', Exit.USAGE)
    return entries


def _write(plan: Plan, entries: list[Any]) -> None:
    for path in (plan.instances, plan.config):
        path.parent.mkdir(parents=True, exist_ok=True)
    plan.instances.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    plan.config.write_text(_toml(plan), encoding="utf-8")


def _toml(plan: Plan) -> str:
    """The configuration; paths in it start at its folder."""
    folder = plan.config.parent
    node: dict[str, object] = {
        "id": plan.id,
        "cluster": plan.cluster,
        "listen": plan.listen,
        "data_dir": os.path.relpath(plan.data_dir, folder),
        "instances": os.path.relpath(plan.instances, folder),
    }
    if plan.insecure:
        node["insecure"] = True
    return tomli_w.dumps({"node": node})


def _checked(plan: Plan, drafted: Plan) -> Config:
    try:
        return load_config(drafted.config, {}, {})
    except ConfigError as error:
        problems = under_its_name(error.problems, drafted.config, plan.config)
        raise ConfigError(under_its_name(problems, drafted.instances, plan.instances)) from error


def _mark_new_cluster(data_dir: Path) -> None:
    """Give an empty disk an identity that may vote at once (D2). Raises `Failure` when it already has one."""
    journal = Journal.open(data_dir / JOURNAL_NAME)
    try:
        if journal.load().identity is not None:
            raise Failure(f"{data_dir} has been used before: it cannot start a new cluster.", Exit.USAGE)
        dice = random.SystemRandom()
        journal.commit([Identity(new_journal_id(dice.random(), dice.random()), True)])
    finally:
        journal.close()
