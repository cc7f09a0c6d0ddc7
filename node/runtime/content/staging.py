"""Content brought to as many voters as must hold it before the vote.

Each member is asked at its own pace until it holds it; what is shown of a member is its own latest answer. One that
hangs holds up nobody, and when this is over, however it ended, nobody is being asked any more.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.protocol.effects import Wanted
from node.protocol.settings import Member
from node.runtime.content.asking import PeerFailed, ask_to_stage
from node.runtime.content.shapes import Stage, Standing, State

POLL_S: Final = 0.2
SHOW_S: Final = 1.0
"""How often at least it is shown for how long a member has not answered."""
SILENT_S: Final = 2.0
"""An answer that takes longer is missed."""
ANSWER_S: Final = 10.0
STALL_S: Final = 60.0
"""A transfer that gets nowhere for this long has failed."""


class NotStaged(Exception):
    """Too few hold it, and why that does not get better; `reason` is a word for scripts."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(slots=True, eq=False)
class Told:
    """What one member said last, and when. `problem`: what came instead of another answer."""

    heard: float
    standing: Standing | None = None
    problem: str = ""
    most_bytes: int = 0

    def state(self, state: State) -> bool:
        return self.standing is not None and self.standing.state == state

    def words(self, now: float) -> str:
        """How much it holds, or what is wrong and for how long."""
        said = "" if self.standing is None else _shown(self.standing)
        wrong = self.problem or ("no answer" if now - self.heard > SILENT_S and not self.state("held") else "")
        if not wrong:
            return said or "asked"
        return f"{wrong} (for {now - self.heard:.0f} s{'; before, ' + said if said else ''})"


def _shown(standing: Standing) -> str:
    if standing.state == "held":
        return "100 %"
    percent = 100 * standing.done_bytes // max(1, standing.total_bytes)
    return f"{min(99, percent)} %" if standing.problem is None else f"{standing.state}: {standing.problem}"


class Staging:
    """Brings `wanted` to `needed` voters, this node among them, of which `members` are the others."""

    def __init__(
        self,
        members: Sequence[Member],
        wanted: Wanted,
        needed: int,
        show: Callable[[Mapping[str, str]], None],
        answer_s: float = ANSWER_S,
        stall_s: float = STALL_S,
    ) -> None:
        self._wanted = wanted
        self._needed = needed
        self._show = show
        self._answer_s = answer_s
        self._stall_s = stall_s
        self._loop = asyncio.get_running_loop()
        self._told = {member: Told(self._loop.time()) for member in members}
        self._moved = self._loop.time()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Wait until enough hold it. Raises NotStaged when too many refuse it, or when it gets nowhere."""
        asking = [self._loop.create_task(self._follow(member)) for member in self._told]
        try:
            while not self._enough():
                self._changed.clear()
                try:
                    async with asyncio.timeout(SHOW_S):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            for task in asking:
                task.cancel()
            if asking:
                await asyncio.wait(asking)

    def _enough(self) -> bool:
        now, told = self._loop.time(), self._told.values()
        words = {member.id: each.words(now) for member, each in self._told.items()}
        self._show(words)
        if 1 + sum(each.state("held") for each in told) >= self._needed:
            return True
        what = f"{self._needed} voters must hold {self._wanted.version}"
        said = "; ".join(f"{name}: {how}" for name, how in words.items())
        if 1 + sum(not each.state("bad") for each in told) < self._needed:
            raise NotStaged("bad_content", f"{what}, and they refuse: {said}")
        if now - self._moved > self._stall_s:
            raise NotStaged("not_staged", f"{what}, and for {self._stall_s:.0f} s nothing has moved: {said}")
        return False

    async def _follow(self, member: Member) -> None:
        """Ask one member until it holds it."""
        stage, told = staging(self._wanted), self._told[member]
        while not told.state("held"):
            try:
                told.standing = await ask_to_stage(member, stage, self._answer_s)
            except PeerFailed as problem:
                told.problem = "" if problem.slow else problem.why
            else:
                told.problem, told.heard = "", self._loop.time()
                if told.standing.done_bytes > told.most_bytes:
                    told.most_bytes, self._moved = told.standing.done_bytes, told.heard
            self._changed.set()
            await asyncio.sleep(POLL_S)


def staging(wanted: Wanted) -> Stage:
    """The request that asks a peer for `wanted`."""
    return Stage(wanted.kind, wanted.version, wanted.hash, wanted.content, wanted.base, wanted.trace)
