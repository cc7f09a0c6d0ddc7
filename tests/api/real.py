"""Real nodes in this process: core, journal on disk, links over loopback, API."""

import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from node.api.server import ApiServer
from node.journal import Journal
from node.observability.log import EventLog
from node.observability.metrics import Metrics
from node.observability.traces import TraceRing
from node.protocol.core import Core
from node.protocol.effects import Now
from node.protocol.settings import Member, Settings, Timing
from node.runtime.driver import Engine
from tests.ports import claimed

QUICK = Timing(heartbeat_interval=0.1, heartbeat_timeout=1.0, election_interval=5.0)


@dataclass
class RealNode:
    """A node at work."""

    engine: Engine
    api: ApiServer

    @property
    def port(self) -> int:
        """Where its API listens."""
        return self.api.port


@asynccontextmanager
async def nodes(data: Path, ids: tuple[str, ...], legacy: tuple[str, ...] = ()) -> AsyncIterator[list[RealNode]]:
    """A new cluster of `ids`; `legacy` are listed as v1.6 and nobody runs them."""
    async with AsyncExitStack() as running:
        ports = running.enter_context(claimed(len(ids) + len(legacy)))
        members = tuple(
            Member(id, f"http://127.0.0.1:{port}/api/v1", *(("1.6",) if id in legacy else ()))
            for id, port in zip((*ids, *legacy), ports, strict=True)
        )
        started = []
        for id, port in zip(ids, ports, strict=False):
            settings = Settings(id=id, cluster="tests", members=members, timing=QUICK)
            (data / id).mkdir()
            journal = Journal.open(data / id / "journal.sqlite")
            now = Now(time.monotonic(), time.time() * 1000)
            core = Core(settings, journal.load(), random.Random(), now, uuid.uuid4().hex, new_cluster=True)
            log = EventLog(id, "error")
            running.callback(log.close)
            engine = Engine(settings, core, journal, TraceRing(), Metrics(), log)
            running.push_async_callback(engine.stop)
            api = ApiServer(engine, "127.0.0.1", port)
            running.push_async_callback(api.stop)
            await api.start()
            started.append(RealNode(engine, api))
        for node in started:
            await node.engine.start()
        yield started
