"""The switch of the working data to another version: in one step, or not at all.

1. The version is copied to a folder of its own, every byte hashed, and flushed to the disk.
2. The hook before is asked; it may refuse.
3. The **intent** is written: what is to be switched, and the number by which the system knows the new folder.
4. The two folders change names in one step (`renameat2`, RENAME_EXCHANGE). Where the file system cannot, the working
   data become a link that is replaced in one step; only the very first time there is a moment without them.
5. The old data become the backup, `applied.json` and `recovery-state.json` are written, the hook after is told, and the
   intent is removed. Every one of these may be repeated.

After a crash `recover` looks where the new folder is. Under the working data's name: the switch has happened, and 5 is
done again. Not there: it has not, and all is undone. No working data at all: the new folder is put there, for it was
verified and agreed to. What is written before 4 is on the disk before 4, and 4 before 5, so a loss of power leaves the
same as a crash.
"""

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from node.artifacts.errors import BuilderKeeps, ContentFault, OlderVersion, Vetoed, typed
from node.artifacts.hooks import run_hook
from node.artifacts.limits import Hooks, Role
from node.artifacts.manifest import Manifest
from node.artifacts.recovery_state import origin, record_origin
from node.artifacts.store import Holding, Store, unused
from node.artifacts.system import (
    check_space,
    exchange,
    make_folder,
    move,
    remove_tree,
    sync_folder,
    sync_tree,
    write_durable,
)
from node.artifacts.working import Interrupted, lay_out, working_files
from node.protocol.versions import parse

Kind = Literal["apply", "rollback"]

_BACKUP = re.compile(r"[0-9]{8}-[0-9]{6}-before-(?:apply|rollback)-.+")
_DISK_BLOCK: Final = 4_096


class Applied(msgspec.Struct, frozen=True, rename="camel"):
    """Which content the working data are, and since when."""

    version: str
    key: str
    root: str
    at_ms: int


class Intent(msgspec.Struct, frozen=True, rename="camel"):
    """A switch under way. `tree` and `old_tree` are names below `store/trees`; `inode` is the new folder's number."""

    applied: Applied
    kind: Kind
    previous: str | None
    tree: str
    inode: int
    old_tree: str | None
    backup: str


@dataclass(frozen=True, slots=True)
class Switched:
    """What came of a switch. `backup` None: there were no working data. `warning`: why the hook after failed."""

    applied: Applied
    backup: Path | None
    warning: str | None


class Applier:
    """Switches the working data of one store. One thread at a time."""

    def __init__(self, store: Store, role: Role, hooks: Hooks, swap: Callable[[Path, Path], bool] = exchange) -> None:
        self._store = store
        self._layout = store.layout
        self._role = role
        self._hooks = hooks
        self._swap = swap
        self._stop = threading.Event()

    def stop(self) -> None:
        """End a switch that changed nothing yet, from any thread; `apply` begins none any more."""
        self._stop.set()

    def applied(self) -> Applied | None:
        """What the working data are, None if no version was applied here."""
        with typed(self._layout.applied):
            return _read(self._layout.applied, Applied)

    def current(self) -> str | None:
        """The version of the working data: as applied here, or as IWDC's recovery tools noted."""
        applied = self.applied()
        return applied.version if applied else origin(self._layout.recovery_state)

    def recover(self) -> Switched | None:
        """Finish or undo what a crash left; what was finished is returned. Call it before `apply`.

        Raises ContentFault.
        """
        with typed(self._layout.root):
            intent = _read(self._layout.intent, Intent)
            finished = None
            if intent is not None and (self._is_switched(intent) or not os.path.lexists(self._layout.working)):
                self._switch(intent)
                finished = self._conclude(intent)
            elif intent is not None:
                self._forget_intent()
            self._clear()
            return finished

    def apply(self, holding: Holding, at_ms: int, *, rollback: bool = False) -> Switched | None:
        """Make `holding` the working data; None if it is already.

        `at_ms`: unix ms, for people. Raises BuilderKeeps, OlderVersion, BadContent (a file of the version has rotted),
        NoSpace, Vetoed, Interrupted: the working data are as before then. After ContentFault `recover` or the next call
        mends.
        """
        layout, version = self._layout, holding.version
        if self._role == "builder":
            raise BuilderKeeps(f"{layout.working} is written by this instance's own pipeline (role builder)")
        self.recover()
        applied, previous = self.applied(), self.current()
        if applied is not None and applied.key == holding.key and layout.working.is_dir():
            return None
        if previous is not None and parse(version) < parse(previous) and not rollback:
            raise OlderVersion(f"{version} is older than the applied {previous}; only a voted rollback goes back")
        kind: Kind = "rollback" if rollback else "apply"
        manifest = self._store.manifest(holding)
        now = Applied(version, holding.key, manifest.root, at_ms)
        tree = unused(layout.trees / f"{_stamp(at_ms)}-{version}")
        with typed(layout.root):
            try:
                self._prepare(holding, manifest, tree)
                self._ask(now, kind, previous, tree)
            except Interrupted:
                raise  # `recover` removes the tree, when there is time for it
            except BaseException:
                remove_tree(tree)
                raise
            intent = self._intend(now, kind, previous, tree)
            self._switch(intent)
            return self._conclude(intent)

    def _prepare(self, holding: Holding, manifest: Manifest, tree: Path) -> None:
        make_folder(tree)
        wanted = sum(-(-entry.size // _DISK_BLOCK) * _DISK_BLOCK for entry, _ in working_files(manifest))
        check_space(tree, wanted, manifest.count, self._store.limits.reserve_bytes)
        lay_out(holding, manifest, tree, self._stop)
        sync_tree(tree)

    def _ask(self, now: Applied, kind: Kind, previous: str | None, tree: Path) -> None:
        command = self._hooks.before_apply
        if command:
            reason = run_hook(command, _environment(now, kind, previous, tree), self._hooks.timeout_s, self._stop)
            if self._stop.is_set():
                raise Interrupted
            if reason is not None:
                raise Vetoed(command[0], reason)

    def _intend(self, now: Applied, kind: Kind, previous: str | None, tree: Path) -> Intent:
        layout = self._layout
        old_tree = os.path.basename(os.readlink(layout.working)) if layout.working.is_symlink() else None
        backup = unused(layout.backups / f"{_stamp(now.at_ms)}-before-{kind}-{now.version}").name
        intent = Intent(now, kind, previous, tree.name, tree.stat().st_ino, old_tree, backup)
        make_folder(layout.backups)
        write_durable(layout.intent, msgspec.json.encode(intent))
        return intent

    def _is_switched(self, intent: Intent) -> bool:
        try:
            return self._layout.working.stat().st_ino == intent.inode
        except FileNotFoundError:
            return False

    def _switch(self, intent: Intent) -> None:
        """Step 4. Durable when it returns."""
        working, tree = self._layout.working, self._layout.trees / intent.tree
        if self._is_switched(intent):
            sync_folder(working.parent)
            sync_folder(tree.parent)
        elif not os.path.lexists(working):
            move(tree, working)
        elif self._swap(tree, working):
            sync_folder(working.parent)
            sync_folder(tree.parent)
        else:
            if not working.is_symlink():
                move(working, self._layout.backups / intent.backup)
            draft = tree.parent / f"{intent.tree}.link"
            draft.unlink(missing_ok=True)
            draft.symlink_to(os.path.relpath(tree, working.parent))
            move(draft, working)

    def _conclude(self, intent: Intent) -> Switched:
        """Step 5. May be repeated."""
        layout, now = self._layout, intent.applied
        backup = layout.backups / intent.backup
        for name in (intent.tree, intent.old_tree):
            if name is not None:
                self._back_up(layout.trees / name, backup)
        write_durable(layout.applied, msgspec.json.encode(now))
        record_origin(
            layout.recovery_state, now.version, "rollback" if intent.kind == "rollback" else "snapshot", now.at_ms
        )
        warning = None
        if self._hooks.after_apply:
            environ = _environment(now, intent.kind, intent.previous, layout.working)
            warning = run_hook(self._hooks.after_apply, environ, self._hooks.timeout_s)
        self._forget_intent()
        self._clear()
        return Switched(now, backup if backup.exists() else None, warning)

    def _back_up(self, tree: Path, backup: Path) -> None:
        """Old data become the backup, unless `tree` is what the working data's link leads to."""
        if tree.is_symlink():  # the link of an earlier switch, exchanged for a real folder
            target = tree.parent / os.path.basename(os.readlink(tree))
            tree.unlink()
            tree = target
        if tree.is_dir() and not tree.samefile(self._layout.working):
            move(tree, backup)

    def _forget_intent(self) -> None:
        self._layout.intent.unlink(missing_ok=True)
        sync_folder(self._layout.intent.parent)

    def _clear(self) -> None:
        """Remove folders that no switch needs any more, and backups beyond the number that is kept."""
        layout = self._layout
        for folder in layout.trees.iterdir() if layout.trees.is_dir() else ():
            if folder.is_symlink() or not layout.working.exists() or not folder.samefile(layout.working):
                remove_tree(folder)
        if layout.backups.is_dir():
            ours = sorted(filter(_BACKUP.fullmatch, os.listdir(layout.backups)), reverse=True)
            for name in ours[self._store.limits.keep_backups :]:
                remove_tree(layout.backups / name)


def _environment(now: Applied, kind: Kind, previous: str | None, tree: Path) -> dict[str, str]:
    return {
        "IWDC_VERSION": now.version,
        "IWDC_PREVIOUS_VERSION": previous or "",
        "IWDC_KIND": kind,
        "IWDC_ROOT": now.root,
        "IWDC_TREE": str(tree.absolute()),
    }


def _stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S")


T = TypeVar("T")


def _read(path: Path, type_: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContentFault(
            f"{path}: cannot be read ({error}); it is this node's own: remove it if it was edited"
        ) from error
