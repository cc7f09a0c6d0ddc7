"""What a rehearsal shows: what happened, who led, when quorum was away, what clients felt, how long recovery took."""

from collections.abc import Callable
from dataclasses import dataclass, field

from node.simulation.process import Process
from node.simulation.scenario.chronicle import Chronicle, Happening
from node.simulation.world import World

LOOK_S = 0.1
"""How often the cluster is looked at."""
PASSING_S = 0.15
"""An instance is without quorum for a moment whenever it starts: what is as short as that is not told."""


@dataclass(slots=True)
class Spell:
    """Something that lasted: a leader's time (`what` its term), or an instance without quorum."""

    who: str
    from_s: float
    to_s: float
    what: int = 0


@dataclass(slots=True)
class Timeline:
    """A rehearsal. Times are seconds since it began.

    `nobody`: while no instance led and served. `recovered_s` counts from the last command that breaks or mends.
    `broken` says which promise did not hold, or what was expected in vain.
    """

    members: tuple[str, ...]
    rule: str
    strategy: str
    lasted_s: float = 0.0
    happenings: list[Happening] = field(default_factory=list)
    leaders: list[Spell] = field(default_factory=list)
    nobody: list[Spell] = field(default_factory=list)
    without_quorum: list[Spell] = field(default_factory=list)
    done: int = 0
    turned_down: int = 0
    """Requests that were refused or rejected, as they would have been by a cluster that is whole."""
    suffered: list[str] = field(default_factory=list)
    changed: bool = True
    """Whether anything was broken or mended."""
    recovered_s: float | None = None
    waits_for: str = ""
    """What recovery still waits for, when it has not come."""
    broken: str = ""


class Watch:
    """Looks at a world every so often and keeps who led and who was without quorum."""

    def __init__(self, world: World, unrest: Callable[[], str] = str) -> None:
        """`unrest` says what keeps the cluster from working together, nothing when it does."""
        self._world = world
        self._unrest = unrest
        self._troubled: dict[str, Spell] = {}
        self._leads: dict[str, Spell] = {}
        self._nobody: dict[str, Spell] = {}
        self._without: dict[str, Spell] = {}
        self.leaders: list[Spell] = []
        self.nobody: list[Spell] = []
        self.without_quorum: list[Spell] = []
        self.troubled: list[Spell] = []

    def start(self) -> None:
        """Begin to look."""
        self.look()
        self._world.schedule.after(LOOK_S, self.start)

    def look(self) -> None:
        """How is it now?"""
        t_s = self._world.schedule.t
        serving: dict[str, int] = {}
        for process in self._world.processes:
            term = _term_served(process)
            if term:
                serving[process.id] = term
            lacks = process.up and not process.paused and not process.running.view_quorum(process.now).sufficient
            self._keep(self._without, self.without_quorum, process.id, lacks, t_s)
        for process in self._world.processes:
            led = self._leads.get(process.id)
            if led and led.what != serving.get(process.id):
                led.to_s = t_s
                del self._leads[process.id]
            self._keep(self._leads, self.leaders, process.id, process.id in serving, t_s, serving.get(process.id, 0))
        self._keep(self._nobody, self.nobody, "", not serving, t_s)
        self._keep(self._troubled, self.troubled, "", bool(self._unrest()), t_s)

    def _keep(
        self, open_: dict[str, Spell], all_: list[Spell], who: str, lasts: bool, t_s: float, what: int = 0
    ) -> None:
        spell = open_.get(who)
        if spell:
            spell.to_s = t_s
            if not lasts:
                del open_[who]
        elif lasts:
            open_[who] = Spell(who, t_s, t_s, what)
            all_.append(open_[who])


def _term_served(process: Process) -> int:
    """The term in which an instance leads and serves, 0 if it does not."""
    if not process.up or process.paused:
        return 0
    leader = process.running.view_leader(process.now)
    return leader.term if leader.id == process.id and leader.lease_remaining_ms else 0


def since(t_s: float, chronicle: Chronicle, watch: Watch, timeline: Timeline) -> Timeline:
    """Fill `timeline` with what was seen from `t_s` on, which becomes its 0."""
    watch.look()
    ends_s = t_s + timeline.lasted_s
    timeline.leaders = _between(t_s, ends_s, watch.leaders)
    timeline.nobody = _between(t_s, ends_s, watch.nobody)
    timeline.without_quorum = [
        each for each in _between(t_s, ends_s, watch.without_quorum) if each.to_s - each.from_s > PASSING_S
    ]
    lacking = {each.who for each in timeline.without_quorum}
    for each in chronicle.happenings:
        who = [name for name in each.who if name in lacking] if each.of_quorum else each.who
        if each.t_s >= t_s and who:
            timeline.happenings.append(Happening(each.t_s - t_s, who, each.what))
    return timeline


def _between(t_s: float, ends_s: float, spells: list[Spell]) -> list[Spell]:
    """What lasted then; at the very end too, which may be the beginning."""
    return [
        Spell(each.who, max(each.from_s - t_s, 0.0), each.to_s - t_s, each.what)
        for each in spells
        if (each.to_s > t_s or each.to_s >= ends_s) and each.to_s > each.from_s
    ]
