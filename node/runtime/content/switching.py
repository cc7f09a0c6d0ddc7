"""Accepted content on its way to its place: `versions/<version>`, and the working data (S2). One thread, one by one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol, TypeVar

from node.artifacts.apply import Applied, Applier, Switched
from node.artifacts.errors import BadContent, BuilderKeeps, ContentError, ContentMissing, OlderVersion, Vetoed
from node.artifacts.store import Holding, Store
from node.protocol.effects import ContentIs, Wanted
from node.runtime.content.telling import Teller

if TYPE_CHECKING:
    from node.runtime.driver import Engine

P = ParamSpec("P")
T = TypeVar("T")

FIRST_RETRY_S: Final = 0.5
MAX_RETRY_S: Final = 30.0


class Keeper(Protocol):
    """What is needed of who keeps the content."""

    store: Store
    teller: Teller

    async def damaged(self, holding: Holding) -> None:
        """Held content was found not to be what it should."""

    async def prune(self, keep: int) -> list[str]:
        """Drop all but the newest `keep` versions and what is in use; says which."""
        ...


class Switching:
    """Installs and applies. Of several switches that wait only the last is made: it is what is current."""

    def __init__(self, keeper: Keeper, engine: "Engine", applier: Applier, keep_versions: int) -> None:
        self._keeper = keeper
        self._engine = engine
        self._applier = applier
        self._keep_versions = keep_versions
        self._thread = ThreadPoolExecutor(1, "apply")
        self._installs: deque[Wanted] = deque()
        self._target: tuple[Wanted, bool] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.applied: Applied | None = None
        """Which content the working data are."""
        self.applying: str | None = None
        """The key of what they are being made just now."""
        self.problem: ContentError | None = None
        """Why the working data are not what is current; None: they are, or there is nothing to apply."""

    async def start(self) -> None:
        """Finish or undo a switch that a crash cut short. Raises ContentFault."""
        finished = await self._in_thread(self._applier.recover)
        self.applied = await self._in_thread(self._applier.applied)
        if finished is not None:
            self._keeper.teller.recovered(finished)
        self._task = asyncio.create_task(self._work(), name="content switch")

    async def stop(self) -> None:
        """End the switch under way, or let it end if it has changed something, and begin no other."""
        self._applier.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        await asyncio.to_thread(self._thread.shutdown)

    def install(self, content: Wanted) -> None:
        """Let held content stand for its version."""
        self._installs.append(content)
        self._wake.set()

    def apply(self, content: Wanted, back: bool) -> None:
        """Make held content the working data, in place of what waits to be."""
        self._target = (content, back)
        self._wake.set()

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def _work(self) -> None:
        pause_s = FIRST_RETRY_S
        told: object = None
        """What the cluster was told of, and is not told again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._install_all()
                await self._switch()
            except ContentError as problem:
                # The disk is full, or fails: what was asked for still is.
                self.problem = problem
                trouble = self._target, type(problem)
                if trouble != told:
                    told = trouble
                    self._keeper.teller.not_applied(self._target[0] if self._target else None, str(problem))
                await asyncio.sleep(pause_s)
                pause_s = min(MAX_RETRY_S, pause_s * 2)
                self._wake.set()
            else:
                pause_s, told = FIRST_RETRY_S, None
                if not self._wake.is_set():
                    await self._prepare()

    async def _install_all(self) -> None:
        store = self._keeper.store
        while self._installs:
            content = self._installs[0]
            try:
                await self._in_thread(store.install, content.content.key)
            except ContentMissing:
                self._engine.step(ContentIs(content.content.key, "missing"))
            self._installs.popleft()

    async def _switch(self) -> None:
        if self._target is None:
            return
        target = content, back = self._target
        started, self.applying = time.monotonic(), content.content.key
        try:
            switched = await self._in_thread(self._switch_to, content, back)
        except (Vetoed, OlderVersion, BuilderKeeps) as no:
            self.problem = no
            if not isinstance(no, BuilderKeeps):
                self._keeper.teller.not_applied(content, str(no))
        except (BadContent, ContentMissing) as damage:
            self.problem = damage
            self._keeper.teller.not_applied(content, str(damage))
            await self._fetch_again(content)
        else:
            self.problem = None
            if switched is not None:
                self.applied = switched.applied
                self._keeper.teller.applied(content, switched, started, back)
                await self._keeper.prune(self._keep_versions)
        finally:
            self.applying = None
        if self._target is target:
            self._target = None
        else:
            self._wake.set()

    async def _prepare(self) -> None:
        with suppress(ContentError):  # what comes next takes longer then
            await self._in_thread(self._keeper.store.prepare)

    async def _fetch_again(self, content: Wanted) -> None:
        holding = await self._in_thread(self._keeper.store.find, content.content.key)
        if holding is None:
            self._engine.step(ContentIs(content.content.key, "missing"))
        else:
            await self._keeper.damaged(holding)

    def _switch_to(self, content: Wanted, back: bool) -> Switched | None:
        holding = self._keeper.store.install(content.content.key)
        return self._applier.apply(holding, int(time.time() * 1000), rollback=back)
