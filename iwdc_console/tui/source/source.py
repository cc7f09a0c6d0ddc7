"""What every source of observations can do: live, replay, time travel."""

from collections.abc import AsyncGenerator
from typing import Protocol

from iwdc_console.tui.model.api import Event
from iwdc_console.tui.model.observation import Observation, PartName


class Source(Protocol):
    """A stream of observations, each whole: the newest one is all there is to know."""

    @property
    def context(self) -> str:
        """The cluster's name among people: what dangerous acts ask to be typed."""

    def observations(self) -> AsyncGenerator[Observation, None]:
        """Each observation as it comes, until the source is exhausted. Ends cleanly when cancelled."""

    def want(self, parts: frozenset[PartName]) -> None:
        """What the visible screen shows: only this is asked for."""

    def look_at_trace(self, trace: str) -> None:
        """Which trace is wanted in whole, where the part `trace` is."""

    async def journal(self) -> tuple[Event, ...]:
        """The newest events of the log, for the time before anyone watched; none where nobody answers."""

    def look_at_version(self, version: str, base: str = "") -> None:
        """Which version is wanted in detail, where the part `summary` is; and compared with which, for `comparison`."""

    def retry(self) -> None:
        """Do not wait for the next try: ask now."""
