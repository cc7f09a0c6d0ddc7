"""From a folder on this machine to an accepted version: stored here, brought to enough voters, put to the vote.

The voters fetch before the vote, so that the time a proposal has does not bound the transfer, and an accepted version
cannot be lost with its publisher. Each is a **job**: begun by a request, watched by others; nothing waits on a line.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from node.artifacts.blobs import read_file
from node.artifacts.diffs import build_target, make_diff, read_diff, save_diff
from node.artifacts.errors import ContentError, ContentMissing, reason_of
from node.artifacts.intake import take_tree
from node.artifacts.store import Holding, is_version
from node.artifacts.versions import verify
from node.protocol.effects import ContentIs, Wanted
from node.protocol.events import DIFF_CREATED, SNAPSHOT_CREATED, Event
from node.protocol.quorum import required
from node.protocol.requests import Maybe, Prediction, ProposalAnswer, Propose, Refusal
from node.protocol.shapes import ContentRef, ProposalView
from node.runtime.content.keeper import Keeper
from node.runtime.content.staging import NotStaged, Staging
from node.runtime.content.voided import is_void

if TYPE_CHECKING:
    from node.runtime.driver import Engine

CALL_TIMEOUT_S: Final = 10.0
KEPT_JOBS: Final = 100
MAX_NAMED: Final = 100

Phase = Literal["waiting", "reading", "storing", "staging", "voting", "done", "failed"]


class Stored(msgspec.Struct, frozen=True, rename="camel"):
    """Content that this node holds and that can be published."""

    kind: Literal["snapshot", "diff"]
    version: str
    hash: str
    content: ContentRef
    base: str | None = msgspec.field(default=None, name="from")


class VerifiedView(msgspec.Struct, frozen=True):
    """What a check of a version's files found; at most so many of each are named."""

    checked: int
    missing: tuple[str, ...]
    corrupt: tuple[str, ...]
    extra: tuple[str, ...]


class JobView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A job as people see it. `holders`: instance -> percent of the content it holds, or why not."""

    id: str
    phase: Phase
    version: str
    files: int = 0
    bytes: int = 0
    total_bytes: int = 0
    holders: dict[str, str] = {}
    stored: Stored | None = None
    proposal: ProposalView | None = None
    verified: VerifiedView | None = None
    existing: bool = False
    reason: str | None = None
    detail: str | None = None


Sign = Callable[[Stored], str]
"""Signs a proposal with the node's own key. Blocking; raises what the key's file does."""


class JobFailed(Exception):
    """Why a job ended. `reason` is a word for scripts."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True, eq=False)
class Job:
    """One job; its `view` is replaced as it goes on."""

    view: JobView
    ended: asyncio.Event

    def set(self, **changes: Any) -> None:
        """It has got further."""
        self.view = msgspec.structs.replace(self.view, **changes)


class Publisher:
    """The jobs of one node."""

    def __init__(self, engine: "Engine", keeper: Keeper, sign: Sign | None) -> None:
        self._engine = engine
        self._keeper = keeper
        self._sign = sign
        self._numbers = itertools.count(1)
        self._boot = f"{time.time_ns():x}"
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def job(self, name: str) -> JobView | None:
        """A job by its id, while it is remembered."""
        found = self._jobs.get(name)
        return None if found is None else found.view

    async def end_of(self, name: str) -> JobView:
        """Wait until a job has ended."""
        job = self._jobs[name]
        await job.ended.wait()
        return job.view

    async def stop(self) -> None:
        """End all jobs."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # What can be begun

    def store(self, folder: Path, version: str) -> JobView:
        """Take the files below a folder of this machine as the content of a version."""

        async def work(job: Job) -> None:
            job.set(stored=await self._store(job, folder, version))

        return self._begin(version, work)

    def make_diff(self, base: str, version: str) -> JobView:
        """Make the diff between two versions that are here."""

        async def work(job: Job) -> None:
            job.set(stored=await self._make_diff(base, version))

        return self._begin(version, work)

    def publish(self, stored: Stored, signature: str | None, trace: str) -> JobView:
        """Bring content that is held here to as many voters as are required, and put it to the vote."""

        async def work(job: Job) -> None:
            await self._publish(job, stored, signature, trace)

        return self._begin(stored.version, work)

    def verify(self, version: str, sample: float) -> JobView:
        """Read and hash a version's files, all or a part; what is damaged is fetched again."""

        async def work(job: Job) -> None:
            await self._verify(job, self.holding(version), sample)

        return self._begin(version, work)

    # The parts of it

    def _begin(self, version: str, work: Callable[[Job], Awaitable[None]]) -> JobView:
        name = f"{self._boot}-{next(self._numbers)}"
        job = self._jobs[name] = Job(JobView(name, "waiting", version), asyncio.Event())
        for old in [name for name, each in self._jobs.items() if each.ended.is_set()][:-KEPT_JOBS]:
            del self._jobs[old]
        task = asyncio.get_running_loop().create_task(self._run(job, work), name=f"job {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job.view

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await work(job)
            job.set(phase="done")
        except JobFailed as failure:
            self._failed(job, failure.reason, failure.detail)
        except ContentError as problem:
            self._failed(job, reason_of(problem), str(problem))
        except asyncio.CancelledError:
            job.set(phase="failed", reason="stopping", detail="the node was stopped; begin again")
            raise
        except Exception as bug:  # noqa: BLE001 - a job's end is told to who watches it, and the node goes on
            self._engine.log.error("internal_error", where="a content job", problem=repr(bug))
            job.set(phase="failed", reason="internal", detail=f"internal error ({type(bug).__name__}: {bug})")
        finally:
            job.ended.set()

    def _failed(self, job: Job, reason: str, detail: str) -> None:
        """Told in the node's log as well: nobody watches a job that an event began."""
        self._engine.log.warn("content_job_failed", version=job.view.version, reason=reason, problem=detail)
        job.set(phase="failed", reason=reason, detail=detail)

    async def _store(self, job: Job, folder: Path, version: str) -> Stored:
        job.set(phase="storing")
        store, created = self._keeper.store, _iso_now()

        def progress(files: int, done: int, total: int) -> None:
            job.view = msgspec.structs.replace(job.view, files=files, bytes=done, total_bytes=total)

        holding = await self._keeper.run(lambda: take_tree(store, folder, version, created, progress))
        self._engine.step(ContentIs(holding.key, "held"))
        return Stored("snapshot", version, holding.root, _ref(holding))

    async def _make_diff(self, base: str, version: str) -> Stored:
        store = self._keeper.store

        def make() -> Stored:
            data = make_diff(store, self.holding(base), self.holding(version))
            save_diff(store, data)
            diff = read_diff(data, store.limits)
            return Stored("diff", version, diff.hash, _ref(self.holding(version)), base)

        return await self._keeper.run(make)

    async def _verify(self, job: Job, holding: Holding, sample: float) -> None:
        store = self._keeper.store
        job.set(phase="reading")

        def progress(files: int, done: int, total: int) -> None:
            job.view = msgspec.structs.replace(job.view, files=files, bytes=done, total_bytes=total)

        found = await self._keeper.run(lambda: verify(store, holding, sample, progress))
        shown = (found.missing[:MAX_NAMED], found.corrupt[:MAX_NAMED], found.extra[:MAX_NAMED])
        job.set(verified=VerifiedView(found.checked, *shown))
        if not found.sound:
            await self._keeper.damaged(holding)
            bad = len(found.missing) + len(found.corrupt)
            raise JobFailed(
                "damaged", f"missing or damaged files of {holding.version}: {bad:,}; they are fetched again"
            )

    def holding(self, version: str) -> Holding:
        """What there is of a version: the installed content, or else what is held for it. Raises ContentMissing."""
        store = self._keeper.store
        found = store.installed(version) or next((h for h in store.holdings() if h.version == version), None)
        if found is None:
            raise ContentMissing(f"version {version} is not here; give the folder it lies in, or pull it")
        return found

    async def _publish(self, job: Job, stored: Stored, signature: str | None, trace: str) -> None:
        store, settings = self._keeper.store, self._engine.settings
        if await self._keeper.run(lambda: store.find(stored.content.key)) is None:
            raise JobFailed("not_held", f"content {stored.content.key} of {stored.version} is not here; store it first")
        fold = self._engine.core.parts.fold
        if is_void(fold, stored.version):
            raise JobFailed(
                "void",
                f"{stored.version} was rolled back and is never current again; "
                f"publish it as a version greater than {fold.highest_accepted}",
            )
        self._engine.step(ContentIs(stored.content.key, "held"))
        wanted = Wanted(stored.kind, stored.version, stored.base, stored.hash, stored.content, trace)
        if signature is None and self._sign is not None:
            signature = await self._keeper.run(lambda: self._signed(stored))
        timeout_s = settings.timing.proposal_timeout
        propose = Propose(
            stored.kind, stored.version, stored.hash, stored.base, signature, wait_s=timeout_s, content=stored.content,
            trace=trace,
        )  # fmt: skip
        job.set(phase="staging", total_bytes=stored.content.bytes)
        if fold.find(stored.kind, stored.base, stored.version, stored.hash) is None:
            await self._predict(propose)
            await self._stage(job, wanted, required(len(settings.voters), settings.rule))
        job.set(phase="voting")
        match await self._engine.call(propose, 2 * timeout_s):
            case ProposalAnswer() as answer:
                job.set(proposal=answer.proposal, existing=answer.existing)
            case Refusal(reason=reason, detail=detail):
                raise JobFailed(reason, detail)
            case Maybe(detail=detail):
                raise JobFailed("maybe", detail)

    async def _predict(self, propose: Propose) -> None:
        """Before anything is sent: would this node vote for it? Raises JobFailed."""
        found = await self._engine.call(msgspec.structs.replace(propose, dry_run=True), CALL_TIMEOUT_S)
        if isinstance(found, Refusal):
            raise JobFailed(found.reason, found.detail)
        if isinstance(found, Prediction) and not found.would_accept:
            flaws = {name: why for name, why in found.checks.items() if why != "ok"}
            reason = "insufficient_quorum" if not found.quorum.sufficient else "would_be_rejected"
            raise JobFailed(reason, "; ".join(f"{name}: {why}" for name, why in flaws.items()) or "too few would vote")

    def _signed(self, stored: Stored) -> str | None:
        try:
            return None if self._sign is None else self._sign(stored)
        except Exception as problem:
            raise JobFailed("bad_key", str(problem)) from problem

    async def _stage(self, job: Job, wanted: Wanted, needed: int) -> None:
        """Wait until `needed` voters hold it, this node among them. Raises JobFailed when it gets nowhere."""
        own = {self._engine.settings.id: "100 %"}
        try:
            await Staging(self._keeper.members, wanted, needed, lambda told: job.set(holders=own | {**told})).run()
        except NotStaged as problem:
            raise JobFailed(problem.reason, str(problem)) from problem

    # What a build pushes (seed 11.2)

    def created(self, event: Event) -> None:
        """A `SNAPSHOT_CREATED` or `DIFF_CREATED` of a version that lies on this disk is published."""
        if event.type == SNAPSHOT_CREATED:
            self._snapshot_created(event)
        elif event.type == DIFF_CREATED:
            self._diff_created(event)

    def _snapshot_created(self, event: Event) -> None:
        version = _version_in(event, "version")
        folder = self._keeper.store.layout.version(version)

        async def work(job: Job) -> None:
            await self._publish(job, await self._store(job, folder, version), None, event.trace)

        if version and folder.is_dir():
            self._begin(version, work)
        else:
            self._lies_not_here(event, folder)

    def _diff_created(self, event: Event) -> None:
        base, version = _version_in(event, "from"), _version_in(event, "to")
        path = self._keeper.store.layout.diff(base, version)

        async def work(job: Job) -> None:
            await self._publish(job, await self._take_diff(job, path, base, version), None, event.trace)

        if base and version and path.is_file():
            self._begin(version, work)
        else:
            self._lies_not_here(event, path)

    def _lies_not_here(self, event: Event, path: Path) -> None:
        """Nothing is published: who only says so, and proposes a hash, wants no more."""
        fields = {"type": event.type, "path": str(path)}
        self._engine.log.log("warn", "content_not_here", event.trace, fields)

    async def _take_diff(self, job: Job, path: Path, base: str, version: str) -> Stored:
        """A diff file that lies here, and the version it leads to: made from it, or laid out beside it."""
        store = self._keeper.store
        diff = await self._keeper.run(lambda: read_diff(read_file(str(path)), store.limits))
        if diff.content is None and store.layout.version(version).is_dir():
            await self._store(job, store.layout.version(version), version)
        target = await self._keeper.run(
            lambda: self.holding(version) if diff.content is None else build_target(store, diff)
        )
        return Stored("diff", version, diff.hash, _ref(target), base)


def _ref(holding: Holding) -> ContentRef:
    return ContentRef(holding.key, holding.size_bytes, holding.count)


def _version_in(event: Event, name: str) -> str:
    """The version that an event names, as the name of a folder; empty: it names none."""
    version = event.payload.get(name)
    return version if isinstance(version, str) and is_version(version) and "/" not in version else ""


def _iso_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
