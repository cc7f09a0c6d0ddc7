"""The network: what becomes of one packet between two instances.

Links are one-way, so cuts need not be symmetric nor transitive. A packet that meets a cut is lost or, like a packet
that a transport sends again, arrives long after. Packets overtake one another whenever their delays say so.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

Link = tuple[str, str]
"""Sender and receiver."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How the network does when nothing is broken. Delays in seconds, chances between 0 and 1."""

    delay_s: float = 0.001
    jitter_s: float = 0.001
    loss: float = 0.0
    duplicate: float = 0.0
    straggle: float = 0.0
    """Chance that a packet is held back by up to `straggle_s`."""
    straggle_s: float = 5.0


CALM = Weather()


class Network:
    """Links and their faults. Cuts are counted, so overlapping faults end independently."""

    def __init__(self, rng: Random, weather: Weather) -> None:
        self.weather = weather
        self._rng = rng
        self._cuts: Counter[Link] = Counter()
        self._extra_s: defaultdict[Link, float] = defaultdict(float)

    def cut(self, links: Iterable[Link]) -> None:
        """Cut one-way links."""
        self._cuts.update(links)

    def mend(self, links: Iterable[Link]) -> None:
        """Undo one `cut` of the same links."""
        self._cuts.subtract(links)

    def slow(self, links: Iterable[Link], seconds: float) -> None:
        """Add a delay to links; a negative one takes it back."""
        for link in links:
            self._extra_s[link] += seconds

    def heal(self) -> None:
        """End every fault, and calm the weather."""
        self._cuts.clear()
        self._extra_s.clear()
        self.weather = CALM

    @property
    def whole(self) -> bool:
        """Whether no link is cut or slowed."""
        return all(cuts <= 0 for cuts in self._cuts.values()) and all(s <= 1e-9 for s in self._extra_s.values())

    def open(self, sender: str, receiver: str) -> bool:
        """Whether packets pass from sender to receiver."""
        return self._cuts[sender, receiver] <= 0

    def delays(self, sender: str, receiver: str) -> tuple[float, ...]:
        """After how many seconds copies of a packet sent now arrive: usually one, none when it is lost."""
        weather, draw = self.weather, self._rng.random
        if self._cuts[sender, receiver] > 0:
            return (draw() * weather.straggle_s,) if draw() < weather.straggle else ()
        if weather.loss and draw() < weather.loss:
            return ()
        delay = weather.delay_s + draw() * weather.jitter_s + self._extra_s.get((sender, receiver), 0.0)
        if weather.straggle and draw() < weather.straggle:
            delay += draw() * weather.straggle_s
        if weather.duplicate and draw() < weather.duplicate:
            return delay, delay + draw() * weather.straggle_s
        return (delay,)
