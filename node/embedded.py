"""A node inside a Python program: `async with Node(config) as node: await node.propose_snapshot("1.2.0", root)`.

It is a full member: it listens for its peers and for clients, votes, and may lead. It leaves the program's event loop
policy, signal handlers and logging alone. As a process of its own it is run by `process`.

    NodeError
      StartFailed       the node cannot start: the address, the data directory, the member list
      Refused           the cluster or the node said no; nothing was changed
      OutcomeUnknown    it may have happened: ask again with the same id or key
      LockLost          a held lock can no longer be relied on
"""

import asyncio
import contextlib
import os
import random
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from node.api.server import ApiServer
from node.artifacts.errors import ContentError
from node.config import Config
from node.config.instances import is_loopback
from node.journal import JOURNAL_NAME, Journal, JournalError, claim
from node.observability.log import EventLog
from node.observability.metrics import Metrics
from node.observability.traces import TraceRing, new_trace_id
from node.protocol.canonical import signed_bytes
from node.protocol.core import Core
from node.protocol.effects import Now
from node.protocol.events import Event
from node.protocol.reconfiguration import MembersRefused
from node.protocol.requests import ProposalAnswer, Propose, Publish, Published, Refusal, Request
from node.protocol.shapes import ProposalKind, ProposalView, QuorumView, StatusView
from node.runtime import given
from node.runtime.content.publishing import JobView, Sign, Stored
from node.runtime.content.service import ContentService
from node.runtime.cursor import decode_cursor
from node.runtime.driver import Engine
from node.runtime.lease import Lock
from node.runtime.outcomes import CALL_TIMEOUT_S, LockLost, NodeError, OutcomeUnknown, Refused, expect

if TYPE_CHECKING:
    from node.observability.otlp import Exporter

__all__ = ["Lock", "LockLost", "Node", "NodeError", "OutcomeUnknown", "Refused", "StartFailed"]

_T = TypeVar("_T")


class StartFailed(NodeError):
    """The node cannot start; the message says what is wrong, where, and what to do."""


class Node:
    """One member of the cluster, from `async with` on until its end."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._engine: Engine | None = None
        self._api: ApiServer | None = None
        self._log: EventLog | None = None
        self._content: ContentService | None = None
        self._exporter: Exporter | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the journal, listen, and join the cluster. Raises `StartFailed`; nothing is left open then."""
        config = self.config
        host, port = config.listen_host, config.listen_port
        if not config.insecure and not is_loopback(host):
            raise StartFailed(
                f"listen address {host}:{port} can be reached by others, and a node asks nobody who they are; "
                "use a loopback address, or `--insecure` (insecure=True) on a network you trust"
            )
        async with contextlib.AsyncExitStack() as opened:
            try:
                log = self._open_log()
                opened.callback(log.close)
                journal = await asyncio.to_thread(Journal.open, config.data_dir / JOURNAL_NAME)
                opened.callback(journal.close)
                await asyncio.to_thread(claim, config.data_dir, config.settings.id)
                core = await asyncio.to_thread(self._core, journal)
                exporter = self._export(log)
                if exporter is not None:
                    opened.push_async_callback(asyncio.to_thread, exporter.close)
                traces = TraceRing(config.observability.trace_capacity, exporter.offer if exporter else None)
                engine = Engine(config.settings, core, journal, traces, Metrics(), log)
                opened.push_async_callback(engine.stop)
                content = ContentService(engine, config.content, self._signer())
                opened.push_async_callback(content.stop)
                await content.start()
                api = ApiServer(engine, host, port)
                opened.push_async_callback(api.stop)
                # Bound first: a node that cannot be reached must not vote.
                await api.start()
                await engine.start()
            except (JournalError, MembersRefused, ContentError) as problem:
                raise StartFailed(str(problem)) from problem
            except OSError as problem:
                # asyncio puts a sentence of its own into `strerror`; a name that is not found has a negative number.
                number = problem.errno or 0
                why = os.strerror(number) if number > 0 else problem.strerror or problem
                elsewhere = "stop what has it, or listen elsewhere: [node] listen, --listen"
                raise StartFailed(f"cannot listen on {host}:{port}: {why}; {elsewhere}") from problem
            opened.pop_all()
        self._log, self._engine, self._api, self._content = log, engine, api, content
        self._exporter = exporter
        log.info("started", listen=self.url, data_dir=str(config.data_dir), cluster=config.settings.cluster)

    async def stop(self) -> None:
        """Hand leadership over, answer what is under way, commit it, fall silent, then close. Safe to call twice.

        The last line in the event log is `stopped`, an error with its reason when nobody asked for it.
        """
        if self._engine is None or self._api is None or self._log is None or self._content is None:
            return
        fault = self._engine.stopped.result() if self._engine.stopped.done() else None
        await self._engine.leave()
        await self._api.stop()
        await self._content.stop()
        await self._engine.fall_silent()
        self._api.hang_up()
        await self._engine.stop()
        if self._exporter is not None:
            await asyncio.to_thread(self._exporter.close)
            self._exporter = None
        if fault is None:
            self._log.info("stopped")
        else:
            self._log.error("stopped", reason=fault)
        self._log.close()
        self._engine = self._api = self._log = self._content = None

    async def wait_stopped(self) -> str:
        """Wait until the node stops by itself, and tell why: another disk under its name (D1), or a fault of ours."""
        return await asyncio.shield(self.engine.stopped)

    @property
    def engine(self) -> Engine:
        """The engine at work. Raises `StartFailed` when the node is not running."""
        if self._engine is None:
            raise StartFailed("the node is not running; use it inside `async with Node(config)`")
        return self._engine

    @property
    def url(self) -> str:
        """Where this node listens, `http://host:port`."""
        host = f"[{self.config.listen_host}]" if ":" in self.config.listen_host else self.config.listen_host
        return f"http://{host}:{self._api.port if self._api else self.config.listen_port}"

    # What a program asks

    async def propose_snapshot(
        self, version: str, hash: str, *, signature: str | None = None, wait_s: float = 0.0, key: str | None = None
    ) -> ProposalAnswer:
        """Put a snapshot to the vote (seed 4.2), signed with the configured `signing_key` if there is one.

        With `wait_s` the answer comes with the verdict, or after that many seconds as it stands then; look at
        `answer.proposal.state`. A repeat with the same `key` is the same proposal. Raises `Refused` (without quorum:
        `insufficient_quorum`), `OutcomeUnknown`, `KeyProblem`.
        """
        return await self._propose("snapshot", None, version, hash, signature, wait_s, key)

    async def propose_diff(
        self, base: str, version: str, hash: str, *,
        signature: str | None = None, wait_s: float = 0.0, key: str | None = None,
    ) -> ProposalAnswer:  # fmt: skip
        """Put a diff from `base` to `version` to the vote (seed 4.3); otherwise as `propose_snapshot`."""
        return await self._propose("diff", base, version, hash, signature, wait_s, key)

    async def publish(
        self, type: str, payload: dict[str, Any], *, id: str | None = None, quorum: bool = False
    ) -> Published:
        """Write an event of the program's own, such as `SNAPSHOT_CREATED`, and replicate it (V4, seed 11.2).

        The answer means that it is on this disk, with `quorum` on a quorum's. A repeat with the same `id`, on any node,
        does nothing. The payload is written as JSON has it, times and bytes as text. Raises `Refused`,
        `OutcomeUnknown`.
        """
        _check(given.text({"type": type}, {"id": id}))
        content = given.payload(payload, self.config.settings.limits.max_payload_bytes)
        if isinstance(content, Refusal):
            raise Refused(content)
        return await self._ask(Publish(type, content, id, quorum, new_trace_id()), CALL_TIMEOUT_S, Published)

    async def publish_snapshot(self, folder: Path, version: str) -> ProposalView:
        """Publish a folder as a version: stored here, brought to enough voters, put to the vote, as it then stands.

        Raises `Refused` with the reason when it cannot be stored, is not held by enough voters, or there is no quorum.
        """
        path = await asyncio.to_thread(folder.absolute)
        return await self._published(await self._job(self.content.publisher.store(path, version)))

    async def publish_diff(self, base: str, version: str) -> ProposalView:
        """Make the diff between two versions that are here, and publish it. Raises as `publish_snapshot`."""
        return await self._published(await self._job(self.content.publisher.make_diff(base, version)))

    @property
    def content(self) -> ContentService:
        """The content of this node. Raises `StartFailed` when the node is not running."""
        if self._content is None:
            raise StartFailed("the node is not running; use it inside `async with Node(config)`")
        return self._content

    async def _published(self, job: JobView) -> ProposalView:
        assert job.stored is not None, "a job that stores says what it stored"
        done = await self._job(self.content.publisher.publish(job.stored, None, new_trace_id()))
        assert done.proposal is not None, "a job that publishes says what came of it"
        return done.proposal

    async def _job(self, begun: JobView) -> JobView:
        ended = await self.content.publisher.end_of(begun.id)
        if ended.phase == "failed":
            if ended.reason == "maybe":
                raise OutcomeUnknown(ended.detail or "")
            raise Refused(Refusal(ended.reason or "failed", ended.detail or ""))
        return ended

    def _signer(self) -> Sign | None:
        """Signs what is published with the configured key, if there is one."""
        signing, settings = self.config.security.signing_key, self.config.settings
        if signing is None:
            return None

        def sign(stored: Stored) -> str:
            from node.security.keys import SigningKey

            message = signed_bytes(
                settings.cluster, stored.kind, stored.base, stored.version, stored.hash, stored.content.key
            )
            return SigningKey.load(signing).sign(message, settings.id)

        return sign

    def lock(self, resource: str, *, owner: str | None = None, ttl_s: float | None = None, wait_s: float = 0.0) -> Lock:
        """Hold a lock around a block: `async with node.lock("build") as lock: ...` (seed 7).

        It waits up to `wait_s` seconds for the lock, renews it every `lock_renew_interval` and gives it back at the
        end. When it can no longer be renewed, the block is cancelled before the lease ends and `LockLost` is raised
        (L4). `lock.token` is the fencing token for whatever the block writes to. Raises `Refused` (`held`, `timeout`,
        `no_leader`), `OutcomeUnknown`.
        """
        limits = self.config.settings.limits
        _check(given.text({"resource": resource}, {"owner": owner}))
        _check(given.seconds("wait_s", wait_s, 0, limits.max_wait_s))
        _check(None if ttl_s is None else given.seconds("ttl_s", ttl_s, 0.001, limits.max_lock_ttl_s))
        return Lock(self.engine, resource, owner or f"{self.config.settings.id}:{uuid.uuid4().hex[:8]}", ttl_s, wait_s)

    def subscribe(self, since: str | None = None) -> AsyncGenerator[tuple[Event, str], None]:
        """Every event of the cluster from now on, or beyond the cursor `since`, each with the cursor after it (V3).

        Raises `cursor.BadCursor`; while iterating `bus.Lagged` when the program does not keep up, `bus.BusClosed` when
        the node stops.
        """
        return self.engine.bus.subscribe(None if since is None else decode_cursor(since))

    def quorum(self) -> QuorumView:
        """Whether enough instances are healthy to decide (seed 3.3)."""
        return self.engine.core.view_quorum(self.engine.now())

    def status(self) -> StatusView:
        """The whole of this node at a glance."""
        return self.engine.core.view_status(self.engine.now())

    def _export(self, log: EventLog) -> "Exporter | None":
        """Who brings spans to the configured collector. Only who exports loads an HTTP client."""
        settings, endpoint = self.config.settings, self.config.observability.otlp_endpoint
        if endpoint is None:
            return None
        from node.observability.otlp import Exporter

        return Exporter(
            endpoint, settings.id, settings.cluster,
            lambda why: log.warn("otlp_lost", endpoint=endpoint, why=why),
            lambda: log.info("otlp_well", endpoint=endpoint),
        )  # fmt: skip

    def _open_log(self) -> EventLog:
        options = self.config.observability
        try:
            return EventLog(self.config.settings.id, options.log_level, options.log_format, options.log_file)
        except OSError as problem:
            raise StartFailed(f"cannot write the event log {options.log_file}: {problem.strerror}") from problem

    async def _propose(
        self, kind: ProposalKind, base: str | None, version: str, hash: str, signature: str | None, wait_s: float,
        key: str | None,
    ) -> ProposalAnswer:  # fmt: skip
        required = {"version": version, "hash": hash} | ({} if kind == "snapshot" else {"base": base})
        _check(given.text(required, {"signature": signature, "key": key}))
        _check(given.seconds("wait_s", wait_s, 0, self.config.settings.limits.max_wait_s))
        signing = self.config.security.signing_key
        if signature is None and signing is not None:
            from node.security.keys import SigningKey

            settings = self.config.settings
            message = signed_bytes(settings.cluster, kind, base, version, hash)
            signature = (await asyncio.to_thread(SigningKey.load, signing)).sign(message, settings.id)
        ask = Propose(kind, version, hash, base, signature, idempotency_key=key, wait_s=wait_s, trace=new_trace_id())
        return await self._ask(ask, wait_s + CALL_TIMEOUT_S, ProposalAnswer)

    async def _ask(self, ask: Request, timeout_s: float, expected: type[_T]) -> _T:
        return expect(await self.engine.call(ask, timeout_s), expected)

    def _core(self, journal: Journal) -> Core:
        config = self.config
        verify: Callable[[str, bytes, str], bool] | None = None
        if config.security.public_keys:
            # The library behind it is heavy: only who checks signatures loads it.
            from node.security.keys import Verifier

            verify = Verifier(config.security.public_keys)
        return Core(
            config.settings,
            journal.load(),
            random.Random(),
            Now(time.monotonic(), time.time() * 1000),
            uuid.uuid4().hex,
            verify,
            force_members=config.force_members,
            new_cluster=config.new_cluster,
        )


def _check(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)
