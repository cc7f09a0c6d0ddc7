"""The source of a console that replays a recording: nothing new ever comes."""

from collections.abc import AsyncGenerator

from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.observation import Observation, PartName


class NoSource:
    """Tells nothing: what is shown is all in the recording."""

    def __init__(self, context: str) -> None:
        self.context = context

    async def observations(self) -> AsyncGenerator[Observation, None]:
        """None."""
        for never in tuple[Observation, ...]():
            yield never

    def want(self, parts: frozenset[PartName]) -> None:
        """A recording holds what it holds."""

    def look_at_trace(self, trace: str) -> None:
        """A recording holds no whole traces."""

    def look_at_version(self, version: str, base: str = "") -> None:
        """A recording holds what was looked at then."""

    async def journal(self) -> tuple[Event, ...]:
        """The recording begins where it begins."""
        return ()

    def retry(self) -> None:
        """There is nobody to ask."""
