"""Observations of a living cluster: polled about once a second, events as they happen.

One node is asked at a time. When it does not answer, the next one is, given nodes first, then the members that the
cluster itself named; when none does, all are tried again after a pause that doubles up to `LONGEST_PAUSE_S`. What was
known stays, with the time it was received. The next poll is armed only after the last one ended.

What takes as long as the slowest member does is asked for aside: one that hangs holds up neither the poll nor what the
others say.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from urllib.parse import quote

import msgspec

from iwdc_console import silence
from iwdc_console.client import node_root
from iwdc_console.outcomes import BadUrl
from iwdc_console.tui.clock import Clock
from iwdc_console.tui.model.api import Drift, Event, Instance, Span, Status, Trace
from iwdc_console.tui.model.marks import UNREACHABLE
from iwdc_console.tui.model.observation import Link, Observation, Part, PartName
from iwdc_console.tui.source.answers import BadAnswer, decode
from iwdc_console.tui.source.events import Follower
from iwdc_console.tui.source.http import NOT_FOUND, OK, Connections, Failed
from iwdc_console.tui.source.thrift import worth_asking

POLL_S = 1.0
ANSWER_TIMEOUT_S = 3.0
LONGEST_PAUSE_S = 8.0
HOME_S = 2.0
"""So often a node to go back to is asked while another one answers."""
MOST_EVENTS = 1000
"""As many as a node lists in one answer."""
PUBLISH_S = 0.25
"""Observations are at least this far apart: news that comes in between is gathered. People read no faster."""
GATHER_S = 0.05
"""From the first news to the observation: the answers to one poll are shown together."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
PATHS: dict[PartName, str] = {
    "status": "distributed/status",
    "leader": "distributed/leader",
    "locks": "distributed/locks",
    "drift": "distributed/drift",
    "proposals": "distributed/proposals",
    "conflicts": "distributed/conflicts",
    "elections": "distributed/events?type=LEADER_ELECTED,LEADER_CHANGED&limit=200",
    "traces": "distributed/traces",
    "metrics": "metrics",
    "versions": "snapshots",
}
CHOSEN = ("summary", "comparison")
"""Parts that tell of a version that was chosen."""
GATHERED = ("trace", "clocks")
"""Parts that every member has a piece of."""
SLOW = frozenset({"versions"})
"""Parts for which a node asks all the others."""
GRACE_S = 0.5
"""What the others say is shown when a member takes longer to answer."""
COMPARE_TIMEOUT_S = 30.0
"""A node reads all files that differ."""


class Unanswered(Exception):
    """A node did not answer, or not as a node does. The message says why, in a few words."""


class Unknown(Unanswered):
    """A node answered that there is no such thing."""


class LiveSource:
    """The nodes of one context, asked in turn."""

    def __init__(
        self,
        nodes: Sequence[str],
        context: str = "",
        clock: Clock | None = None,
        poll_s: float = POLL_S,
        home: str = "",
    ) -> None:
        """`home` is a node that is gone back to whenever it answers, though another one does as well."""
        self._poll_s = poll_s
        self._clock = clock or Clock()
        self._given = tuple(nodes)
        self._home, self._home_asked_s = home, self._clock.mono_s()
        self._observation = Observation(context=context, nodes=self._given, link=Link(node=self._given[0]))
        self._wanted: frozenset[PartName] = frozenset({"status"})
        self._trace = ""
        self._then: dict[PartName, Part[Status]] = {}
        """The status when a part was last received."""
        self._version, self._base = "", ""
        self._aside: dict[PartName, asyncio.Task[None]] = {}
        """What is asked for aside, or was."""
        self._now = asyncio.Event()
        self._changed = asyncio.Event()
        self._pause_s = 0.0
        self._client: Connections | None = None

    @property
    def context(self) -> str:
        """The name the cluster goes by here: the context's, or else the cluster's own."""
        status = self._observation.status
        return self._observation.context or (status.value.cluster if status else "")

    def want(self, parts: frozenset[PartName]) -> None:
        """Ask for these parts, beginning now."""
        if parts - self._wanted:
            self._now.set()
        self._wanted = parts | {"status"}

    def look_at_trace(self, trace: str) -> None:
        """Gather this trace from all members, beginning now."""
        if trace != self._trace:
            self._forget("trace")
        self._trace = trace
        self._now.set()

    async def journal(self) -> tuple[Event, ...]:
        """The newest events that tell of leaders and proposals; none where the node does not answer."""
        from iwdc_console.tui.model.retold import TELLING

        if self._client is None:
            return ()
        path = f"distributed/events?limit={MOST_EVENTS}&type={','.join(TELLING)}"
        try:
            events: tuple[Event, ...] = decode("events", await _get(self._client, self._observation.link.node, path))
        except (Unanswered, BadAnswer):
            return ()
        return events

    def look_at_version(self, version: str, base: str = "") -> None:
        """Ask for this version, and for what differs from `base`, beginning now."""
        self._version, self._base = version, base
        self._forget("comparison")
        troubles = {part: why for part, why in self._observation.troubles.items() if part not in CHOSEN}
        self._observation = msgspec.structs.replace(self._observation, troubles=troubles)
        self._now.set()

    def _forget(self, name: PartName) -> None:
        task = self._aside.pop(name, None)
        if task is not None:
            task.cancel()

    def _set_aside(self, name: PartName, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Have something done beside the poll, unless it still is from last time."""
        before = self._aside.get(name)
        if before is not None:
            if not before.done():
                return
            before.result()  # a fault of ours ends the poll
        task = self._aside[name] = asyncio.create_task(work())
        task.add_done_callback(lambda _: self._changed.set())

    def retry(self) -> None:
        """Ask now, for everything."""
        self._then.clear()
        if "comparison" in self._observation.troubles:
            self._forget("comparison")
        self._pause_s = 0.0
        self._now.set()

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """What is known, each time more is, at most every `PUBLISH_S`."""
        client = self._client = Connections()
        follower = Follower(client, self._clock, self._take_events)
        poll = asyncio.create_task(self._poll(client, follower))
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(GATHER_S)
                self._changed.clear()
                if poll.done():
                    poll.result()
                yield self._observation
                await asyncio.sleep(PUBLISH_S - GATHER_S)
        finally:
            poll.cancel()
            await asyncio.gather(poll, follower.stop(), return_exceptions=True)
            aside, self._aside = self._aside, {}
            for task in aside.values():
                task.cancel()
            await asyncio.gather(*aside.values(), return_exceptions=True)
            await client.close()

    async def _poll(self, client: Connections, follower: Follower) -> None:
        try:
            while True:
                self._now.clear()
                if await self._find_status(client):
                    node = self._observation.link.node
                    follower.follow(node)
                    for name in self._wanted - {"status", "events", *GATHERED, *CHOSEN}:
                        then = self._then.get(name)
                        same = then.value if then is not None and then.node == node else None
                        if worth_asking(name, self._observation, same, self._clock.mono_s()):
                            ask = partial(self._ask_part, client, self._knowing(name), name)
                            if name in SLOW:
                                self._set_aside(name, ask)
                            else:
                                await ask()
                    if "clocks" in self._wanted:
                        self._set_aside("clocks", partial(self._gather_clocks, client))
                    if self._trace and "trace" in self._wanted:
                        self._set_aside("trace", partial(self._gather_trace, client, self._trace))
                    if self._version and "summary" in self._wanted:
                        await self._describe(client, node)
                    self._changed.set()
                    await self._wait(self._poll_s)
                else:
                    await self._wait(self._pause_s)
        finally:
            self._changed.set()

    async def _wait(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(pause_s):
                await self._now.wait()
        except TimeoutError:
            return

    def _candidates(self) -> list[str]:
        """The node in use first, then the others in a fixed order."""
        status = self._observation.status
        named = [root for item in status.value.instances if (root := _root(item))] if status else []
        order = list(dict.fromkeys([*self._given, *named]))
        node = self._observation.link.node
        if self._home in order and self._clock.mono_s() - self._home_asked_s >= HOME_S:
            node, self._home_asked_s = self._home, self._clock.mono_s()
        start = order.index(node) if node in order else 0
        return order[start:] + order[:start]

    async def _find_status(self, client: Connections) -> bool:
        """Ask the nodes in turn until one answers. False when none does."""
        tried: list[str] = []
        for node in self._candidates():
            began_s = self._clock.mono_s()
            try:
                content = await _get(client, node, PATHS["status"])
                value = decode("status", content)
            except (Unanswered, BadAnswer) as error:
                tried.append(node)
                self._failed(node, str(error), tuple(tried))
                continue
            now_s = self._clock.mono_s()
            self._pause_s = 0.0
            link = Link(node=node, rtt_ms=(now_s - began_s) * 1000, answered_s=now_s)
            part = Part(value, node, now_s, int(self._clock.wall_ms()))
            self._observation = msgspec.structs.replace(self._observation, link=link, status=part)
            self._changed.set()
            return True
        self._pause_s = min(LONGEST_PAUSE_S, max(POLL_S, self._pause_s * 2))
        link = msgspec.structs.replace(self._observation.link, next_try_s=self._clock.mono_s() + self._pause_s)
        self._observation = msgspec.structs.replace(self._observation, link=link)
        self._changed.set()
        return False

    def _failed(self, node: str, why: str, tried: tuple[str, ...]) -> None:
        before = self._observation.link
        since_s = self._clock.mono_s() if before.failing_since_s is None else before.failing_since_s
        link = Link(
            node=before.node, rtt_ms=before.rtt_ms, answered_s=before.answered_s,
            error=f"{node}: {why}", failing_since_s=since_s, tried=tried,
        )  # fmt: skip
        self._observation = msgspec.structs.replace(self._observation, link=link)
        self._changed.set()

    def _knowing(self, name: PartName) -> str:
        """Who to ask: only the leader knows what is left of a lease; everything else the node in use knows as well."""
        status = self._observation.status
        if name not in ("locks", "leader") or status is None:
            return self._observation.link.node
        id_, members = status.value.leader.id, status.value.instances
        leader = next((item for item in members if item.id == id_ and item.status != UNREACHABLE), None)
        return (leader is not None and _root(leader)) or self._observation.link.node

    async def _describe(self, client: Connections, node: str) -> None:
        """The chosen version, and what it differs in: that is asked for once, for it is work for the node."""
        path = f"snapshots/{quote(self._version, safe='')}"
        await self._ask_part(client, node, "summary", f"{path}/summary")
        if self._base and "comparison" not in self._aside:
            asked = f"{path}/changes?base={quote(self._base, safe='')}"
            ask = partial(self._ask_part, client, node, "comparison", asked, COMPARE_TIMEOUT_S)
            self._set_aside("comparison", ask)

    async def _ask_part(
        self,
        client: Connections,
        node: str,
        name: PartName,
        path: str = "",
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        try:
            value = decode(name, await _get(client, node, path or PATHS[name], timeout_s))
        except (Unanswered, BadAnswer) as error:
            if node != self._observation.link.node:
                await self._ask_part(client, self._observation.link.node, name, path, timeout_s)
                return
            troubles = {**self._observation.troubles, name: str(error)}
            self._observation = msgspec.structs.replace(self._observation, troubles=troubles)
            return
        troubles = {part: why for part, why in self._observation.troubles.items() if part != name}
        part = Part(value, node, self._clock.mono_s(), int(self._clock.wall_ms()))
        if self._observation.status is not None:
            self._then[name] = self._observation.status
        changes = {name: part, "troubles": troubles}
        self._observation = msgspec.structs.replace(self._observation, **changes)

    async def _gather_clocks(self, client: Connections) -> None:
        """What each member has measured of its own clock; who does not answer is left out."""
        status, known = self._observation.status, self._then.get("clocks")
        then = None if known is None else known.value
        if status is None or not worth_asking("clocks", self._observation, then, self._clock.mono_s()):
            return
        here = [root for item in status.value.instances if item.status != UNREACHABLE and (root := _root(item))]
        told = await asyncio.gather(*(_measured(client, root) for root in here))
        self._then["clocks"] = status
        clocks = tuple(each for each in told if each is not None)
        part = Part(clocks, self._observation.link.node, self._clock.mono_s(), int(self._clock.wall_ms()))
        self._observation = msgspec.structs.replace(self._observation, clocks=part)

    async def _gather_trace(self, client: Connections, trace: str) -> None:
        """The spans of a trace on every member; who did not answer, or not yet, is told."""
        status = self._observation.status
        members = [item for item in status.value.instances if _root(item)] if status else []
        asked = {item.id: asyncio.create_task(_spans(client, _root(item), trace)) for item in members}
        try:
            late = (await asyncio.wait(asked.values(), timeout=GRACE_S))[1] if asked else ()
            self._show_trace(trace, asked)
            if late:
                await asyncio.wait(late)
                self._show_trace(trace, asked)
        finally:
            for task in asked.values():
                task.cancel()

    def _show_trace(self, trace: str, asked: "Mapping[str, asyncio.Task[tuple[Span, ...] | None]]") -> None:
        answers = {id_: task.result() if task.done() else None for id_, task in asked.items()}
        spans = {span.id: span for found in answers.values() if found is not None for span in found}
        missing = tuple(id_ for id_, found in answers.items() if found is None)
        whole = Trace(trace, tuple(sorted(spans.values(), key=lambda span: span.start_ms)), missing)
        part = Part(whole, self._observation.link.node, self._clock.mono_s(), int(self._clock.wall_ms()))
        self._observation = msgspec.structs.replace(self._observation, trace=part)
        self._changed.set()

    def _take_events(self, part: Part) -> None:  # type: ignore[type-arg]
        self._observation = msgspec.structs.replace(self._observation, events=part)
        self._changed.set()


def _root(item: Instance) -> str:
    """Where a member listens, as the others know it; empty when that is no URL."""
    try:
        return node_root(item.url)
    except BadUrl:
        return ""


async def _spans(client: Connections, node: str, trace: str) -> "tuple[Span, ...] | None":
    """A member's spans of a trace: none when it does not know it, None when it does not answer."""
    try:
        found: tuple[Span, ...] = decode(
            "spans", await _get(client, node, f"distributed/traces/{quote(trace, safe='')}")
        )
    except Unknown:
        return ()
    except (Unanswered, BadAnswer):
        return None
    return found


async def _measured(client: Connections, node: str) -> Drift | None:
    """A member's measurements of its clock; None when it does not answer."""
    try:
        found: Drift = decode("drift", await _get(client, node, PATHS["drift"]))
    except (Unanswered, BadAnswer):
        return None
    return found


async def _get(client: Connections, node: str, path: str, timeout_s: float = ANSWER_TIMEOUT_S) -> bytes:
    """The body of a good answer. Raises `Unanswered`."""
    try:
        async with asyncio.timeout(timeout_s), client.get(f"{node}/api/v1/{path}", timeout_s) as answer:
            content = await answer.body(MAX_ANSWER_BYTES)
    except TimeoutError as error:
        raise Unanswered(silence.no_answer(timeout_s)) from error
    except (Failed, OSError) as error:
        raise Unanswered(why(error)) from error
    if answer.status == NOT_FOUND:
        raise Unknown(silence.unknown(path))
    if answer.status != OK:
        raise Unanswered(silence.answered(answer.status))
    return content


def why(error: BaseException) -> str:
    """A connection's failure in a few words: the system's own, where there are some."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return silence.REFUSED
        if isinstance(cause, OSError) and cause.strerror and cause.errno:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
