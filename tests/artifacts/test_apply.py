"""The working data are always one whole version: switched in one step, kept as a backup, given back by a rollback."""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from node.artifacts.apply import Applier
from node.artifacts.errors import BadContent, BuilderKeeps, ContentFault, NoSpace, OlderVersion, Vetoed
from node.artifacts.intake import take_tree
from node.artifacts.limits import ContentLimits, Hooks
from node.artifacts.store import Holding, Store
from node.artifacts.system import exchange
from node.artifacts.working import Interrupted
from tests.artifacts.trees import CREATED_AT, NEW, OLD, found_in, installed, lay, store_at

AT_MS = 1_800_000_000_000
SWAPS: list[Callable[[Path, Path], bool]] = [exchange, lambda _one, _other: False]
both_ways = pytest.mark.parametrize("swap", SWAPS, ids=["exchange", "link"])


def two_versions(root: Path) -> tuple[Store, Holding, Holding]:
    store = store_at(root / "data")
    return store, installed(store, root / "old", "1.0.0", OLD), installed(store, root / "new", "1.1.0", NEW)


def applier(store: Store, swap: Callable[[Path, Path], bool] = exchange, hooks: Hooks | None = None) -> Applier:
    return Applier(store, "replica", hooks or Hooks(), swap)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@both_ways
def test_switches_forth_and_back(tmp_path: Path, swap: Callable[[Path, Path], bool]) -> None:
    store, old, new = two_versions(tmp_path)
    ours, layout = applier(store, swap), store.layout
    first = ours.apply(old, AT_MS)
    assert first is not None
    assert first.backup is None
    assert found_in(layout.working) == dict(OLD)
    second = ours.apply(new, AT_MS + 1_000)
    assert second is not None
    assert second.backup == layout.backups / "20270115-080001-before-apply-1.1.0"
    assert found_in(layout.working) == dict(NEW)
    assert found_in(second.backup) == dict(OLD)
    assert ours.apply(new, AT_MS + 2_000) is None
    third = ours.apply(old, AT_MS + 3_000, rollback=True)
    assert third is not None
    assert third.backup == layout.backups / "20270115-080003-before-rollback-1.0.0"
    assert found_in(layout.working) == dict(OLD)
    assert ours.current() == "1.0.0"
    assert not layout.intent.exists()


@both_ways
def test_recovery_state_is_iwdcs(tmp_path: Path, swap: Callable[[Path, Path], bool]) -> None:
    store, old, new = two_versions(tmp_path)
    path = store.layout.recovery_state
    lay(path.parent, {path.name: b'{"lastSuccessfulVersion":"0.9.0","lastBuild":"2026-01-01","theirs":1}'})
    ours = applier(store, swap)
    assert ours.current() == "0.9.0"
    ours.apply(old, AT_MS)
    ours.apply(new, AT_MS)
    ours.apply(old, AT_MS, rollback=True)
    assert json.loads(path.read_bytes()) == {
        "lastSuccessfulVersion": "1.0.0",
        "lastBuild": "2026-01-01",
        "theirs": 1,
        "currentDataOrigin": {"source": "rollback", "reference": "1.0.0", "timestamp": "2027-01-15T08:00:00.000Z"},
    }


@both_ways
def test_data_of_before_are_backed_up(tmp_path: Path, swap: Callable[[Path, Path], bool]) -> None:
    store, old, _ = two_versions(tmp_path)
    lay(store.layout.working, {"series/own.json": b"1"})
    switched = applier(store, swap).apply(old, AT_MS)
    assert switched is not None
    assert switched.backup is not None
    assert found_in(switched.backup) == {"series/own.json": b"1"}
    assert found_in(store.layout.working) == dict(OLD)


def test_link_becomes_a_folder_where_the_system_can_exchange_again(tmp_path: Path) -> None:
    store, old, new = two_versions(tmp_path)
    applier(store, SWAPS[1]).apply(old, AT_MS)
    applier(store, SWAPS[1]).apply(new, AT_MS)
    assert store.layout.working.is_symlink()
    switched = applier(store).apply(old, AT_MS, rollback=True)
    assert switched is not None
    assert switched.backup is not None
    assert not store.layout.working.is_symlink()
    assert found_in(switched.backup) == dict(NEW)
    assert found_in(store.layout.working) == dict(OLD)


def test_working_data_are_a_copy_that_may_be_edited(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    applier(store).apply(old, AT_MS)
    edited = store.layout.working / "models/отвод-90.json"
    edited.write_bytes(b"edited")
    assert found_in(old.files) == dict(OLD)


def test_json_layout_and_meta_stay_in_the_version(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data")
    holding = installed(store, tmp_path / "source", "1.0.0", {f"json/{path}": data for path, data in OLD.items()})
    applier(store).apply(holding, AT_MS)
    assert found_in(store.layout.working) == dict(OLD)
    assert not (store.layout.working / "meta.json").exists()


def test_older_version_needs_a_rollback(tmp_path: Path) -> None:
    store, old, new = two_versions(tmp_path)
    ours = applier(store)
    ours.apply(new, AT_MS)
    with pytest.raises(OlderVersion, match=r"1\.0\.0 is older than the applied 1\.1\.0"):
        ours.apply(old, AT_MS)
    assert found_in(store.layout.working) == dict(NEW)


def test_other_content_of_the_same_version_is_applied(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    ours = applier(store)
    ours.apply(old, AT_MS)
    winner = store.install(take_tree(store, tmp_path / "new", "1.0.0", CREATED_AT).key)
    assert ours.apply(winner, AT_MS) is not None
    assert found_in(store.layout.working) == dict(NEW)


def test_builders_data_are_never_touched(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    lay(store.layout.working, {"series/own.json": b"1"})
    with pytest.raises(BuilderKeeps):
        Applier(store, "builder", Hooks()).apply(old, AT_MS)
    assert found_in(store.layout.working) == {"series/own.json": b"1"}


def unchanged(store: Store, ours: Applier) -> None:
    assert found_in(store.layout.working) == dict(OLD)
    assert list(store.layout.trees.iterdir()) == []
    assert not store.layout.intent.exists()
    assert ours.current() == "1.0.0"


def test_rotten_version_is_not_applied(tmp_path: Path) -> None:
    store, old, new = two_versions(tmp_path)
    ours = applier(store)
    ours.apply(old, AT_MS)
    path = new.files / "seo/logo.bin"
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(BadContent, match=r"logo\.bin"):
        ours.apply(new, AT_MS)
    unchanged(store, ours)


def test_hook_before_may_refuse_with_a_reason(tmp_path: Path) -> None:
    store, old, new = two_versions(tmp_path)
    applier(store).apply(old, AT_MS)
    code = "import os, sys; sys.exit('no: ' + ' '.join(os.environ['IWDC_' + each] for each in sys.argv[1:]))"
    hooks = Hooks(before_apply=(*python(code), "VERSION", "PREVIOUS_VERSION", "KIND"))
    ours = applier(store, hooks=hooks)
    with pytest.raises(Vetoed) as vetoed:
        ours.apply(new, AT_MS)
    assert vetoed.value.reason == "no: 1.1.0 1.0.0 apply"
    unchanged(store, ours)


def test_a_stop_ends_a_switch_that_changed_nothing_and_it_is_made_later(tmp_path: Path) -> None:
    store, old, new = two_versions(tmp_path)
    applier(store).apply(old, AT_MS)
    begun, alive = tmp_path / "begun", tmp_path / "alive"
    os.mkfifo(begun)
    os.mkfifo(alive)
    code = f"import time; held = open({str(alive)!r}, 'w'); open({str(begun)!r}, 'w').close(); time.sleep(600)"
    ours = applier(store, hooks=Hooks(before_apply=python(code), timeout_s=600.0))
    with ThreadPoolExecutor(1) as thread:
        switching = thread.submit(ours.apply, new, AT_MS + 1)
        with alive.open() as held:
            begun.open().close()  # the hook runs
            ours.stop()
            with pytest.raises(Interrupted):
                switching.result()
            assert held.read() == ""  # the hook is gone
    assert ours.applied() == applier(store).applied()
    assert found_in(store.layout.working) == dict(OLD)
    with pytest.raises(Interrupted):
        ours.apply(new, AT_MS + 1)
    switched = applier(store).apply(new, AT_MS + 2)
    assert switched is not None
    assert found_in(store.layout.working) == dict(NEW)
    assert not any(store.layout.trees.iterdir())


def test_hook_before_sees_the_new_data_whole(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    code = "import os, shutil; shutil.copytree(os.environ['IWDC_TREE'], os.environ['IWDC_TREE'] + '/../../seen')"
    applier(store, hooks=Hooks(before_apply=python(code))).apply(old, AT_MS)
    assert found_in(store.layout.trees.parent / "seen") == dict(OLD)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("/no/such/program",), "cannot be started: No such file or directory"),
        (python("raise SystemExit(3)"), "ended with code 3"),
        (python("import os; os.kill(os.getpid(), 9)"), "ended with code -9"),
        (python("print('x' * 10_000_000 + 'last words'); raise SystemExit(1)"), "last words"),
        (python("import time; print('wait', flush=True); time.sleep(600)"), "ran longer than 1 s and was killed"),
        (
            python("import os, time; os.fork() or time.sleep(600); os.close(1); os.close(2); time.sleep(600)"),
            "ran longer than 1 s",
        ),
    ],
    ids=["absent", "code", "signal", "chatty", "slow", "family"],
)
def test_hook_that_fails_is_a_refusal(tmp_path: Path, command: tuple[str, ...], reason: str) -> None:
    store, old, new = two_versions(tmp_path)
    applier(store).apply(old, AT_MS)
    timeout_s = 1.0 if "longer" in reason else 60.0
    ours = applier(store, hooks=Hooks(before_apply=command, timeout_s=timeout_s))
    with pytest.raises(Vetoed) as vetoed:
        ours.apply(new, AT_MS)
    assert reason in vetoed.value.reason
    assert len(vetoed.value.reason) < 3_000
    unchanged(store, ours)


def test_hooks_are_told_an_absolute_path_wherever_the_node_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = store_at(Path("data"))
    holding = installed(store, Path("old"), "1.0.0", OLD)
    code = "import os, sys; tree = os.environ['IWDC_TREE']; sys.exit(not (os.path.isabs(tree) and os.path.isdir(tree)))"
    switched = applier(store, hooks=Hooks(python(code), python(code))).apply(holding, AT_MS)
    assert switched is not None
    assert switched.warning is None


def test_hook_after_is_told_and_cannot_undo(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    code = "import os, sys; sys.exit(sorted(os.listdir(os.environ['IWDC_TREE']))[0])"
    switched = applier(store, hooks=Hooks(after_apply=python(code))).apply(old, AT_MS)
    assert switched is not None
    assert switched.warning == "lengths"
    assert found_in(store.layout.working) == dict(OLD)


def test_a_bounded_number_of_our_backups_is_kept(tmp_path: Path) -> None:
    store = store_at(tmp_path / "data", ContentLimits(reserve_bytes=1, keep_backups=2))
    old, new = installed(store, tmp_path / "old", "1.0.0", OLD), installed(store, tmp_path / "new", "1.1.0", NEW)
    lay(store.layout.backups / "20200101-000000-before-restore", {"series/a.json": b"theirs"})
    ours = applier(store)
    for turn in range(6):
        ours.apply((old, new)[turn % 2], AT_MS + turn * 1_000, rollback=turn % 2 == 0)
    assert sorted(path.name for path in store.layout.backups.iterdir()) == [
        "20200101-000000-before-restore",
        "20270115-080004-before-rollback-1.0.0",
        "20270115-080005-before-apply-1.1.0",
    ]


def test_no_room_for_a_copy(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    tight = Store(store.layout, ContentLimits(reserve_bytes=10**15))
    with pytest.raises(NoSpace):
        applier(tight).apply(old, AT_MS)
    assert not store.layout.working.exists()


def test_edited_state_is_named(tmp_path: Path) -> None:
    store, old, _ = two_versions(tmp_path)
    lay(store.layout.applied.parent, {store.layout.applied.name: b"{"})
    with pytest.raises(ContentFault, match=r"applied\.json"):
        applier(store).apply(old, AT_MS)
