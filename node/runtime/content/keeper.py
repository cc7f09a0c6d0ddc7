"""The content of one node: brings what is wanted, installs what is accepted, applies what is current (P3, S2).

The disk is worked on in threads, never in the event loop; the core hears what came of it (`ContentIs`). What is wanted
comes from the core (its votes, the current version), from a peer that is about to propose (`stage`), and from people
(`pull`). Whatever cannot be had now is tried again, ever more seldom.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from node.artifacts.apply import Applier
from node.artifacts.diffs import build_target, read_diff, save_diff
from node.artifacts.errors import (
    BadContent,
    BadDiff,
    BadManifest,
    BadPath,
    ContentError,
    ContentMissing,
    TooMuch,
    WrongBase,
    told,
)
from node.artifacts.layout import Layout
from node.artifacts.manifest import Manifest
from node.artifacts.store import Holding, Store
from node.artifacts.versions import prunable, prune, set_aside_corrupt, verify
from node.protocol.effects import ContentIs, Wanted
from node.runtime.content.asking import PeerFailed
from node.runtime.content.holders import Holders, find_holders
from node.runtime.content.pace import Pace
from node.runtime.content.peer import Peer
from node.runtime.content.pull import Pull, Stopped, Unserved
from node.runtime.content.serving import Sender
from node.runtime.content.shapes import Standing, State
from node.runtime.content.switching import Switching
from node.runtime.content.telling import Teller
from node.runtime.content.voided import is_void

if TYPE_CHECKING:
    from node.config import Content
    from node.runtime.driver import Engine

PULLS: Final = 2
"""Contents pulled at a time."""
FIRST_RETRY_S: Final = 0.25
MAX_RETRY_S: Final = 15.0
STAGED_S: Final = 120.0
"""How long content is kept being fetched for a peer that does not ask again."""
MAX_STAGED: Final = 16
MAX_BAD: Final = 256
"""Refused contents that are remembered."""

_T = TypeVar("_T")


class Unfit(Exception):
    """The content is not what the proposal says."""


@dataclass(slots=True, eq=False)
class Bringing:
    """A content on its way here."""

    wanted: Wanted
    task: asyncio.Task[None] | None = None
    pull: Pull | None = None
    state: State = "fetching"
    problem: Exception | None = None
    asking: bool = False
    """Peers are asked who has it: this can be given up at any time."""
    given: dict[str, int] = field(default_factory=dict)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether another try is worth it at once."""

    def standing(self) -> Standing:
        """As peers and people see it."""
        pull, content = self.pull, self.wanted.content
        done = pull.done_bytes if pull is not None else 0
        problem = self.problem if self.state == "waiting" else None
        return Standing(content.key, self.wanted.version, self.state, done, content.bytes, *told(problem))


class Keeper:
    """Sees to the content of one node. Made before the engine starts, and stopped before it."""

    def __init__(self, engine: "Engine", config: "Content") -> None:
        self._engine = engine
        self.store = Store(Layout(config.root), config.limits)
        self.config = config
        self.members = tuple(member for member in engine.settings.peers if member.votes)
        self.teller = Teller(engine)
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(PULLS + 2, "content")
        applier = Applier(self.store, config.role, config.hooks)
        self.switching = Switching(self, engine, applier, config.limits.keep_versions)
        self._pace = Pace(config.bandwidth_bytes_per_s)
        self.sender = Sender(Pace(config.bandwidth_bytes_per_s), self.store)
        self._pulling = asyncio.Semaphore(PULLS)
        self._core: dict[str, Wanted] = {}
        self._asked: dict[str, Wanted] = {}
        """What people asked to pull."""
        self._staged: dict[str, tuple[Wanted, float]] = {}
        self._bad: dict[str, tuple[Wanted, Standing]] = {}
        """What was refused, and as what: the same content may be what another proposal says."""
        self._bringing: dict[str, Bringing] = {}

    async def start(self) -> None:
        """Finish or undo what a crash left. Raises ContentFault."""
        await self.run(self.store.recover)
        await self.switching.start()

    async def stop(self) -> None:
        """End what is under way; it goes on at the next start."""
        self._core, self._asked, self._staged = {}, {}, {}
        tasks = [each.task for each in self._bringing.values() if each.task is not None]
        self._drop_unwanted()
        if tasks:
            await asyncio.wait(tasks)
        await self.switching.stop()
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do what touches the disk, in a thread."""
        return await self._loop.run_in_executor(self._threads, work)

    # What the core says

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """All that the core wants and lacks."""
        self._core = {each.content.key: each for each in wanted}
        self._look()

    def install(self, content: Wanted) -> None:
        """Held content is accepted: it stands for its version."""
        self.switching.install(content)

    def apply(self, content: Wanted, back: bool) -> None:
        """Held content is current: make it the working data."""
        self.switching.apply(content, back)

    def nudge(self) -> None:
        """A peer is healthy again, or somebody asks: what waits for another try is tried now."""
        for bringing in self._bringing.values():
            bringing.nudged.set()

    # What peers and people ask

    def stage(self, wanted: Wanted) -> Standing | None:
        """Hold content that a peer will propose; to be asked again until it is held. None: too many are staged."""
        key, now = wanted.content.key, self._loop.time()
        self._staged = {name: each for name, each in self._staged.items() if each[1] > now}
        if key not in self._staged and len(self._staged) >= MAX_STAGED:
            return None
        if (refused := self._refused(wanted)) is not None:
            return refused
        self._staged[key] = (wanted, now + STAGED_S)
        self._look()
        return self.progress(key)

    def pull(self, wanted: Wanted) -> None:
        """Bring the content of a settled version here, and let it stand for the version; the current one is applied."""
        self._asked[wanted.content.key] = wanted
        self._bad.pop(wanted.content.key, None)
        self.nudge()
        self._look()

    def progress(self, key: str) -> Standing | None:
        """How content that is on its way, or was refused, stands; None: neither."""
        bringing = self._bringing.get(key)
        if bringing is not None:
            return bringing.standing()
        return self._bad[key][1] if key in self._bad else None

    def under_way(self) -> list[Standing]:
        """All that is on its way, or was refused."""
        return [*(each.standing() for each in self._bringing.values()), *(refused for _, refused in self._bad.values())]

    async def damaged(self, holding: Holding) -> None:
        """Files of a holding have rotted: keep the sound ones and fetch the others again, if the cluster needs them."""

        def reopen() -> None:
            set_aside_corrupt(self.store, holding, verify(self.store, holding))

        await self.run(reopen)
        wanted = self._engine.core.parts.contents.of(holding.version)
        if wanted is not None and wanted.content.key == holding.key:
            self.pull(wanted)
        self._engine.step(ContentIs(holding.key, "missing"))

    async def prune(self, keep: int, dry_run: bool = False) -> list[str]:
        """Drop all but the newest `keep` versions, the current one and the working data's, and what is half-way here
        and not wanted; says which versions. What was rolled back goes before what one can go to.
        """
        fold, applied = self._engine.core.parts.fold, self.switching.applied
        current = fold.current
        needed = {current[0]} if current is not None else set()
        needed |= {applied.version} if applied is not None else set()
        wanted = {*self._wants(), *self._bringing}
        installed = await self.run(self.store.versions)
        void = {version for version in installed if is_void(fold, version)}

        def drop() -> list[Holding]:
            if dry_run:
                return prunable(self.store, keep, needed, void)
            for key in self.store.unfinished():
                if key not in wanted:
                    self.store.abandon(key)
            return prune(self.store, keep, needed, void)

        dropped = await self.run(drop)
        if not dry_run:
            for holding in dropped:
                self._engine.step(ContentIs(holding.key, "missing"))
        return sorted(holding.version for holding in dropped)

    # Bringing

    def _wants(self) -> dict[str, Wanted]:
        now = self._loop.time()
        staged = {key: wanted for key, (wanted, until) in self._staged.items() if until > now}
        return {**staged, **self._asked, **self._core}

    def _look(self) -> None:
        """Begin what is wanted, end what is not."""
        for key, wanted in self._wants().items():
            if key not in self._bringing and self._refused(wanted) is None:
                bringing = self._bringing[key] = Bringing(wanted)
                bringing.task = self._loop.create_task(self._bring(bringing), name=f"content of {wanted.version}")
        self._drop_unwanted()

    def _refused(self, wanted: Wanted) -> Standing | None:
        """How it stands if it was refused as just this: its key binds every byte, so another try would be the same."""
        known = self._bad.get(wanted.content.key)
        if known is not None and _claim(known[0]) == _claim(wanted):
            return known[1]
        self._bad.pop(wanted.content.key, None)
        return None

    def _drop_unwanted(self) -> None:
        wants = self._wants()
        for key, bringing in self._bringing.items():
            if key not in wants:
                if bringing.pull is not None:
                    bringing.pull.stop()
                elif (bringing.state == "waiting" or bringing.asking) and bringing.task is not None:
                    bringing.task.cancel()

    async def _bring(self, bringing: Bringing) -> None:
        wanted = bringing.wanted
        key, started, pause_s = wanted.content.key, time.monotonic(), FIRST_RETRY_S
        try:
            while key in self._wants():
                bringing.nudged.clear()
                try:
                    async with self._pulling:
                        holding = await self._obtain(bringing)
                except Stopped:
                    continue
                except (Unfit, BadManifest, BadPath, TooMuch, BadContent) as problem:
                    self._refuse(bringing, problem)
                    return
                except (Unserved, ContentError) as problem:
                    if str(problem) != str(bringing.problem):
                        self.teller.waiting(wanted, str(problem))
                    bringing.problem, bringing.state, bringing.pull = problem, "waiting", None
                else:
                    self._held(bringing, holding, started)
                    return
                pause_s = await _pause(bringing, pause_s)
                bringing.state = "fetching"
        finally:
            del self._bringing[key]
            self._staged.pop(key, None)
            self._loop.call_soon(self._look)

    def _held(self, bringing: Bringing, holding: Holding, started: float) -> None:
        wanted = bringing.wanted
        if bringing.pull is not None or bringing.given:
            self.teller.fetched(wanted, bringing.given, started)
        self._core.pop(holding.key, None)
        self._engine.step(ContentIs(holding.key, "held"))
        if self._asked.pop(holding.key, None) is not None:
            self.install(wanted)
            current = self._engine.core.parts.contents.current
            if current is not None and current[0].content.key == holding.key:
                self.apply(*current)

    def _refuse(self, bringing: Bringing, why: Exception) -> None:
        wanted = bringing.wanted
        key = wanted.content.key
        self._bad[key] = wanted, Standing(key, wanted.version, "bad", 0, wanted.content.bytes, *told(why))
        if len(self._bad) > MAX_BAD:
            del self._bad[next(iter(self._bad))]
        self._asked.pop(key, None)
        self._core.pop(key, None)
        self.teller.failed(wanted, str(why))
        self._engine.step(ContentIs(key, "bad"))

    async def _obtain(self, bringing: Bringing) -> Holding:
        wanted = bringing.wanted
        holding = await self.run(lambda: self._found(wanted))
        if holding is None:
            bringing.asking = True
            try:
                holders = await find_holders(self.members, wanted.content.key)
            finally:
                bringing.asking = False
            holding = await self.run(lambda: self._fetched(bringing, holders))
        return holding

    # In a thread

    def _found(self, wanted: Wanted) -> Holding | None:
        """What is here already."""
        holding = self.store.find(wanted.content.key)
        if holding is not None:
            check(wanted, self.store.manifest(holding))
        return holding

    def _fetched(self, bringing: Bringing, holders: Holders) -> Holding:
        wanted = bringing.wanted
        if wanted.kind == "diff" and (holding := self._rebuilt(bringing, holders)) is not None:
            return holding
        bringing.pull = pull = Pull(self.store, wanted.content.key, holders, self._pace, self._wrong)
        if wanted.content.key not in self._wants():
            raise Stopped
        try:
            return pull.run(lambda manifest: check(wanted, manifest))
        finally:
            bringing.given = dict(pull.given)

    def _rebuilt(self, bringing: Bringing, holders: Holders) -> Holding | None:
        """The target of a diff, made from the base that is here; None where the diff is of no use here."""
        wanted = bringing.wanted
        base = wanted.base or ""
        if self.store.installed(base) is None:
            return None
        for member in holders.versions:
            try:
                with Peer(member) as peer:
                    data = peer.diff(base, wanted.version, self.store.limits.max_diff_bytes)
            except PeerFailed:
                continue
            if hashlib.sha256(data).hexdigest() != wanted.hash:
                continue
            try:
                holding = build_target(self.store, read_diff(data, self.store.limits))
            except (ContentMissing, WrongBase, BadDiff):
                return None
            bringing.given = {member.id: len(data)}
            check(wanted, self.store.manifest(holding))
            save_diff(self.store, data)
            return holding
        return None

    def _wrong(self, peer: str, path: str) -> None:
        self._loop.call_soon_threadsafe(self.teller.corrupt, peer, path)


def _claim(wanted: Wanted) -> tuple[str | None, ...]:
    """What a proposal says of its content."""
    return wanted.kind, wanted.version, wanted.base, wanted.hash


def check(wanted: Wanted, manifest: Manifest) -> None:
    """Raises Unfit unless the manifest is of the version, and of the root, that the proposal names."""
    if manifest.key != wanted.content.key:
        raise Unfit(f"the content of {wanted.version} is {manifest.key}, expected {wanted.content.key}")
    if manifest.version != wanted.version:
        raise Unfit(f"the content says version {manifest.version}, the proposal {wanted.version}")
    if wanted.kind == "snapshot" and manifest.root != wanted.hash:
        raise Unfit(f"the content of {wanted.version} has the root {manifest.root}, the proposal says {wanted.hash}")


async def _pause(bringing: Bringing, pause_s: float) -> float:
    """Wait before another try, unless it is nudged; gives the next pause."""
    try:
        async with asyncio.timeout(pause_s):
            await bringing.nudged.wait()
    except TimeoutError:
        return min(MAX_RETRY_S, pause_s * 2)
    return FIRST_RETRY_S
