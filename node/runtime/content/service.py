"""The content of one node as its engine, its API and the program around it know it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from node.artifacts.errors import told
from node.artifacts.store import Holding
from node.protocol.effects import Wanted
from node.protocol.events import Event
from node.runtime.content.keeper import Keeper
from node.runtime.content.publishing import Publisher, Sign
from node.runtime.content.shapes import HeldVersion, Here, Standing, WorkingData

if TYPE_CHECKING:
    from node.config import Content
    from node.runtime.driver import Engine


class ContentService:
    """Keeps and publishes content. Attached to the engine before it starts."""

    def __init__(self, engine: "Engine", config: "Content", sign: Sign | None = None) -> None:
        self._engine = engine
        self.keeper = Keeper(engine, config)
        self.publisher = Publisher(engine, self.keeper, sign)
        engine.content = self

    async def start(self) -> None:
        """Finish or undo what a crash left. Raises ContentFault."""
        await self.keeper.start()

    async def stop(self) -> None:
        """End what is under way."""
        await self.publisher.stop()
        await self.keeper.stop()

    # What the engine says

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """All that the core wants and lacks."""
        self.keeper.fetch(wanted)

    def install(self, content: Wanted) -> None:
        """Held content is accepted."""
        self.keeper.install(content)

    def apply(self, content: Wanted, back: bool) -> None:
        """Held content is current."""
        self.keeper.apply(content, back)

    def nudge(self) -> None:
        """A peer is healthy again."""
        self.keeper.nudge()

    def seen(self, event: Event) -> None:
        """An event of this node's own is on its disk."""
        self.publisher.created(event)

    # What people and peers ask

    async def standing(self, key: str) -> Standing:
        """How a content stands here."""
        progress = self.keeper.progress(key)
        if progress is not None:
            return progress
        store = self.keeper.store

        def look() -> Standing:
            holding = store.find(key)
            if holding is None:
                return Standing(key, "", "missing")
            return Standing(key, holding.version, "held", holding.size_bytes, holding.size_bytes)

        return await self.keeper.run(look)

    async def here(self) -> Here:
        """All content of this node."""
        store, switching = self.keeper.store, self.keeper.switching
        applied = switching.applied

        def look() -> tuple[list[HeldVersion], list[str]]:
            return [_told(holding) for holding in store.holdings()], store.unlisted()

        held, unlisted = await self.keeper.run(look)
        working = None if applied is None else WorkingData(applied.version, applied.key, applied.at_ms)
        own = self._engine.settings.id
        problem, reason = told(switching.problem)
        return Here(
            own, self.keeper.config.role, working, problem, held, self.keeper.under_way(), unlisted, reason,
            switching.applying,
        )  # fmt: skip


def _told(holding: Holding) -> HeldVersion:
    size = (holding.count, holding.size_bytes)
    return HeldVersion(holding.version, holding.key, holding.root, holding.installed, *size)
