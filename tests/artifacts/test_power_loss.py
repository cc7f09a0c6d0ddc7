"""The power fails at every step, on a real file system that loses what was not flushed (promise 6).

What a node has said it holds is there and whole, the working data are one whole version, and all goes on.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from node.artifacts.apply import Applier
from node.artifacts.limits import Hooks
from node.artifacts.store import Store
from node.artifacts.system import exchange
from node.artifacts.versions import verify
from tests.artifacts.killing import killed_at
from tests.artifacts.power import LOG, NO_LOG, Disk, new_disk
from tests.artifacts.trees import Tree, found_in, installed, store_at

pytestmark = pytest.mark.slow

AT_MS = 1_800_000_000_000
OLD: Tree = {"series/труба.json": b"old", "seo/b": b"old", "models/x.json": b"same"}
NEW: Tree = {"series/труба.json": b"new", "seo/c": b"new", "models/x.json": b"same"}
Count = Callable[[], None]
losses = pytest.mark.parametrize("how", [pytest.param(NO_LOG, id="all in memory"), pytest.param(LOG, id="bytes alone")])


@pytest.fixture
def template(tmp_path: Path) -> Disk:
    """A disk with two versions, the older one is the working data, all of it flushed."""
    disk = new_disk(tmp_path / "template.img")
    with disk.mounted() as place:
        store = store_at(place / "data")
        old = installed(store, tmp_path / "old", "1.0.0", OLD)
        installed(store, tmp_path / "new", "1.1.0", NEW)
        applier(store).apply(old, AT_MS)
    return disk


def applier(store: Store, can_exchange: bool = True, count: Count | None = None) -> Applier:
    def swap(one: Path, other: Path) -> bool:
        if count is not None:
            count()
        return can_exchange and exchange(one, other)

    return Applier(store, "replica", Hooks(), swap)


def every_loss(template: Disk, how: int, action: Callable[[Path, Count], None], stride: int) -> Iterator[Path]:
    """Run `action` on copies of a disk that lose their power ever later, and yield the data folder that is left."""
    for step in itertools.count(1, stride):
        disk = template.copy(f"{step}-before")
        with disk.mounted() as place:

            def run(count: Count, root: Path = place / "data") -> None:
                action(root, count)

            lost = killed_at(step, run, partial(disk.lose_power, how))
            left = disk.copy(f"{step}-after")
        if not lost:
            return
        with left.mounted() as place:
            yield place / "data"
        disk.image.unlink()
        left.image.unlink()


@losses
@pytest.mark.parametrize(("can_exchange", "stride"), [(True, 1), (False, 2)], ids=["exchange", "link"])
def test_the_working_data_are_one_whole_version(
    tmp_path: Path, template: Disk, how: int, can_exchange: bool, stride: int
) -> None:
    ended = tmp_path / "ended"

    def action(root: Path, count: Count) -> None:
        ended.unlink(missing_ok=True)
        switch(store_at(root), can_exchange, count)
        ended.touch()

    seen = []
    for root in every_loss(template, how, action, stride):
        store, working = store_at(root), root / "json"
        left = found_in(working) if working.exists() else None
        assert left in (dict(OLD), dict(NEW)) or (left is None and not can_exchange)
        ours = applier(store, can_exchange)
        ours.recover()
        applied = ours.applied()
        assert applied is not None
        assert found_in(working) == dict(NEW if applied.version == "1.1.0" else OLD)
        assert left is None or left == found_in(working)
        assert [verify(store, holding).sound for holding in store.holdings()] == [True, True]
        switch(store, can_exchange)
        assert found_in(working) == dict(NEW)
        assert applied.version == "1.1.0" or not ended.exists(), "it was told as applied, and came back as it was"
        seen.append(applied.version)
    assert len(seen) > 30 // stride
    assert {*seen} == {"1.0.0", "1.1.0"}
    assert seen == sorted(seen), "once switched, the old version never comes back"


def switch(store: Store, can_exchange: bool, count: Count | None = None) -> None:
    """To the newer version."""
    new = store.installed("1.1.0")
    assert new is not None
    applier(store, can_exchange, count).apply(new, AT_MS + 1_000)


@losses
@pytest.mark.parametrize("spare", [False, True], ids=["from nothing", "from a spare"])
def test_what_is_held_is_held(tmp_path: Path, template: Disk, how: int, spare: bool) -> None:
    there = store_at(tmp_path / "there")
    version = installed(there, tmp_path / "newest", "1.2.0", {**NEW, "lengths/м/к.json": b"{}"})
    manifest, held = there.manifest(version), tmp_path / "held"

    def pull(store: Store) -> None:
        incoming = store.begin(manifest.document)
        incoming.put_all((each, Path(version.path(each[1])).read_bytes()) for each in incoming.missing())
        store.finish(incoming)

    def action(root: Path, _: Count) -> None:
        held.unlink(missing_ok=True)
        store = store_at(root)
        if spare:
            store.prepare()
        pull(store)
        held.touch()
        store.install(version.key)

    seen = []
    for root in every_loss(template, how, action, 1):
        store = store_at(root)
        assert all(verify(store, holding).sound for holding in store.holdings())
        found = store.find(version.key)
        assert found is not None or not held.exists(), "it was told as held, and is lost"
        seen.append(found is not None)
        pull(store)
        assert found_in(store.install(version.key).files) == found_in(version.files)
        assert found_in(root / "json") == dict(OLD)
    assert len(seen) > 30
    assert {*seen} == {False, True}
