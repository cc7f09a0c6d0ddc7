"""kill -9 at every step: the working data are a whole old or a whole new version, and what is held is whole."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from node.artifacts.apply import Applier
from node.artifacts.diffs import build_target, make_diff, read_diff
from node.artifacts.intake import take_tree
from node.artifacts.limits import Hooks
from node.artifacts.store import Store
from node.artifacts.system import exchange
from node.artifacts.versions import verify
from tests.artifacts.killing import every_kill, killed_at
from tests.artifacts.trees import CREATED_AT, NEW, OLD, Tree, found_in, installed, lay, store_at

AT_MS = 1_800_000_000_000
Count = Callable[[], None]
both_ways = pytest.mark.parametrize(
    "can_exchange", [pytest.param(True, id="exchange"), pytest.param(False, id="link", marks=pytest.mark.slow)]
)
SMALL_OLD: Tree = {"series/a.json": b"old", "seo/b": b"old"}
SMALL_NEW: Tree = {"series/a.json": b"new", "seo/c": b"new"}


def applier(store: Store, can_exchange: bool, count: Count | None = None) -> Applier:
    def swap(one: Path, other: Path) -> bool:
        if count is not None:
            count()
        return can_exchange and exchange(one, other)

    return Applier(store, "replica", Hooks(after_apply=("true",) if count is None else ()), swap)


def prepared(root: Path) -> Path:
    """A data folder with two versions, the older one applied."""
    store = store_at(root / "template")
    old = installed(store, root / "old", "1.0.0", SMALL_OLD)
    installed(store, root / "new", "1.1.0", SMALL_NEW)
    applier(store, True).apply(old, AT_MS)
    return root / "template"


def fresh(template: Path, root: Path) -> Store:
    """A copy of the template, the exact same files."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    return store_at(root)


def switch(root: Path, can_exchange: bool) -> Callable[[Count], None]:
    def action(count: Count) -> None:
        store = store_at(root)
        new = store.installed("1.1.0")
        assert new is not None
        applier(store, can_exchange, count).apply(new, AT_MS + 1_000)

    return action


def working(store: Store) -> dict[str, bytes] | None:
    return found_in(store.layout.working) if store.layout.working.exists() else None


def check_recovered(store: Store, can_exchange: bool) -> str:
    """All is as after a whole switch, or as before it. Returns the version."""
    ours = applier(store, can_exchange)
    applied = ours.applied()
    assert applied is not None
    assert working(store) == dict(SMALL_NEW if applied.version == "1.1.0" else SMALL_OLD)
    assert not store.layout.intent.exists()
    backups = [found_in(path) for path in store.layout.backups.iterdir()] if store.layout.backups.exists() else []
    assert backups == ([dict(SMALL_OLD)] if applied.version == "1.1.0" else [])
    live = store.layout.working.resolve()
    trees = [path for path in store.layout.trees.iterdir() if path != live]
    assert trees == []
    return applied.version


@both_ways
def test_killed_at_every_step_of_a_switch(tmp_path: Path, can_exchange: bool) -> None:
    template, root = prepared(tmp_path), tmp_path / "data"
    store = fresh(template, root)
    seen: list[str] = []
    for _ in every_kill(switch(root, can_exchange)):
        left = working(store)
        assert left in (dict(SMALL_OLD), dict(SMALL_NEW)) or (left is None and not can_exchange)
        applier(store, can_exchange).recover()
        version = check_recovered(store, can_exchange)
        assert left is None or left == dict(SMALL_NEW if version == "1.1.0" else SMALL_OLD)
        seen.append(version)
        store = fresh(template, root)
    assert len(seen) > 30
    assert {"1.0.0", "1.1.0"} == set(seen)
    assert seen == sorted(seen), "once switched, a later kill never brings the old version back"


@both_ways
def test_killed_again_and_again_while_it_recovers(tmp_path: Path, can_exchange: bool) -> None:
    template, root = prepared(tmp_path), tmp_path / "data"
    store = fresh(template, root)
    outcomes = set()

    def recover(count: Count) -> None:
        applier(store_at(root), can_exchange, count).recover()

    for _ in every_kill(switch(root, can_exchange), stride=4):
        for again in itertools.count(1, 3):
            killed = killed_at(again, recover)
            left = working(store)
            assert left in (dict(SMALL_OLD), dict(SMALL_NEW)) or (left is None and not can_exchange)
            if not killed:
                break
        outcomes.add(check_recovered(store, can_exchange))
        store = fresh(template, root)
    assert outcomes == {"1.0.0", "1.1.0"}


@both_ways
def test_killed_at_every_step_of_the_first_switch(tmp_path: Path, can_exchange: bool) -> None:
    template, root = tmp_path / "template", tmp_path / "data"
    installed(store_at(template), tmp_path / "new", "1.1.0", SMALL_NEW)
    store = fresh(template, root)
    for _ in every_kill(switch(root, can_exchange)):
        assert working(store) in (None, dict(SMALL_NEW))
        applier(store, can_exchange).recover()
        applied = applier(store, can_exchange).applied()
        assert working(store) == (dict(SMALL_NEW) if applied else None)
        new = store.installed("1.1.0")
        assert new is not None
        applier(store, can_exchange).apply(new, AT_MS)
        assert working(store) == dict(SMALL_NEW)
        store = fresh(template, root)


@pytest.mark.parametrize("spare", [False, True], ids=["from nothing", "from a spare"])
def test_killed_at_every_step_of_taking_a_folder(tmp_path: Path, spare: bool) -> None:
    template, root = prepared(tmp_path), tmp_path / "data"
    source = lay(tmp_path / "source", {**SMALL_NEW, "series/d.json": b"{}", "series/e.json": b"{}"})
    fresh(template, root)

    def action(_: Count) -> None:
        store = store_at(root)
        if spare:
            store.prepare()
        store.install(take_tree(store, source, "1.2.0", CREATED_AT).key)

    for _ in every_kill(action):
        store = store_at(root)
        for holding in store.holdings():
            assert verify(store, holding).sound
        action(lambda: None)
        latest = store.installed("1.2.0")
        assert latest is not None
        assert found_in(latest.files) == found_in(source)
        assert store.unfinished() == []
        assert list(store.layout.held.iterdir()) == []
        fresh(template, root)


def test_killed_at_every_step_of_one_content_replacing_another(tmp_path: Path) -> None:
    template, root = tmp_path / "template", tmp_path / "data"
    store = store_at(template)
    loser = installed(store, tmp_path / "old", "1.0.0", SMALL_OLD)
    winner = take_tree(store, lay(tmp_path / "new", SMALL_NEW), "1.0.0", CREATED_AT)
    fresh(template, root)

    def action(_: Count) -> None:
        store_at(root).install(winner.key)

    for _ in every_kill(action):
        store = store_at(root)
        assert {holding.key for holding in store.holdings()} == {winner.key, loser.key}, "neither content is ever lost"
        action(lambda: None)
        assert found_in(store.layout.version("1.0.0")) == dict(SMALL_NEW)
        held = store.find(loser.key)
        assert held is not None
        assert found_in(held.files) == dict(SMALL_OLD)
        fresh(template, root)


def test_killed_at_every_step_of_building_from_a_diff(tmp_path: Path) -> None:
    here = store_at(tmp_path / "here")
    base = installed(here, tmp_path / "old", "1.0.0", OLD)
    target = installed(here, tmp_path / "new", "1.1.0", NEW)
    diff = read_diff(make_diff(here, base, target), here.limits)
    template, root = tmp_path / "template", tmp_path / "data"
    installed(store_at(template), tmp_path / "old", "1.0.0", OLD)
    fresh(template, root)

    def action(_: Count) -> None:
        store = store_at(root)
        build_target(store, diff)

    for _ in every_kill(action, stride=2):
        store = store_at(root)
        assert all(verify(store, holding).sound for holding in store.holdings())
        action(lambda: None)
        built = store.find(target.key)
        assert built is not None
        assert found_in(built.files) == dict(NEW)
        fresh(template, root)


def test_killed_at_every_step_of_a_drop(tmp_path: Path) -> None:
    template, root = prepared(tmp_path), tmp_path / "data"
    fresh(template, root)

    def action(_: Count) -> None:
        store = store_at(root)
        old = store.installed("1.0.0")
        if old is not None:
            store.drop(old)

    for _ in every_kill(action):
        store = store_at(root)
        assert all(verify(store, holding).sound for holding in store.holdings())
        action(lambda: None)
        assert [holding.version for holding in store.holdings()] == ["1.1.0"]
        fresh(template, root)
