"""What one seed stands for: the cluster, its weather, its load and the families of faults it will meet.

Each seed draws a few families only: a swarm of narrow campaigns finds more than one that always mixes everything
(Groce et al., "Swarm Testing", 2012).
"""

from dataclasses import dataclass, field, replace
from random import Random

from node.protocol.settings import Limits, Member, Rule, Settings, Strategy, Timing
from node.simulation.network import CALM, Weather

FAMILIES = (
    "crash",
    "crash_between_effects",
    "restart_all",
    "pause",
    "partition",
    "isolate",
    "one_way",
    "flap",
    "slow_link",
    "disk_full",
    "disk_slow",
    "disk_unreadable",
    "wipe",
    "roll_back",
    "wall_step",
    "wall_drift",
    "clock_rate",
    "members",
    "old_config",
    "duplicate",
    "stranger",
)
"""Families of faults, of which each seed draws some."""
AIMED = ("contest", "chase")
"""Families that look for the leader: run by name."""

RULES: tuple[Rule, ...] = ("half", "majority")
STRATEGIES: tuple[Strategy, ...] = ("last-write-wins", "leader-wins", "reject-inconsistent")
FLOORS = (
    Limits(retain_events=12, max_settled_kept=200, max_history_kept=50),
    Limits(retain_events=60, max_settled_kept=500, max_history_kept=200),
    Limits(),
)
"""How soon events give way to a floor, and how much of the past a floor keeps: what is small is passed often."""
CROWDED_SHARE, CROWDED_SCALE = 0.2, 0.2
"""How many of the seeds are crowded, and how much shorter their timings are."""
RATES_AGREE = 1.10
"""Clock rates that lie within this factor of one another agree (L4)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Durations are true seconds; `scale` shortens the seed's timings and everything measured by them."""

    seed: str
    nodes: int = 3
    duration_s: float = 600.0
    rule: Rule = "half"
    strategy: Strategy = "last-write-wins"
    scale: float = 1.0
    weather: Weather = CALM
    exchange: bool = True
    release_first: bool = True
    fsync_s: float = 0.002
    start_spread_s: float = 0.0
    slowest: float = 1.0
    fastest: float = 1.0
    """Bounds of the machines' clock rates."""
    families: tuple[str, ...] = ()
    fault_every_s: float = 30.0
    clients: int = 3
    think_s: float = 2.0
    resources: tuple[str, ...] = ("catalogue", "index", "builds")
    """What clients lock."""
    members: tuple[Member, ...] = ()
    """The members by name, `nodes` of them; A, B, C and so on if there are none."""
    timings: Timing | None = None
    """The cluster's own timings, in place of the seed's."""
    limits: Limits = field(default_factory=Limits)

    @property
    def clocks_agree(self) -> bool:
        """Whether exclusion in real time is promised (L4); otherwise only fencing tokens are."""
        return self.fastest <= self.slowest * RATES_AGREE and not {"clock_rate", "contest"} & set(self.families)

    @property
    def timing(self) -> Timing:
        """The cluster's own timings, or the seed's, shortened."""
        if self.timings is not None:
            return self.timings
        s, base = self.scale, Timing()
        return Timing(
            heartbeat_interval=base.heartbeat_interval * s,
            heartbeat_timeout=base.heartbeat_timeout * s,
            election_interval=base.election_interval * s,
            lock_ttl=base.lock_ttl * s,
            lock_renew_interval=base.lock_renew_interval * s,
            drift_interval=base.drift_interval * s,
            proposal_timeout=base.proposal_timeout * s,
        )

    def settings(self) -> tuple[Settings, ...]:
        """The settings of each instance."""
        members = self.members or tuple(map(member, names(self.nodes)))
        return tuple(
            Settings(
                id=member.id,
                cluster="sim",
                members=members,
                rule=self.rule,
                strategy=self.strategy,
                timing=self.timing,
                limits=self.limits,
            )
            for member in members
        )

    def __str__(self) -> str:
        return (
            f"{self.nodes} nodes, rule {self.rule}, {self.strategy}, timings x{self.scale:g}, "
            f"{'exchange' if self.exchange else 'datagrams'}, clocks {self.slowest:.2f}-{self.fastest:.2f}, "
            f"loss {self.weather.loss:.0%}, {self.clients} clients every {self.think_s:g} s, "
            f"faults every {self.fault_every_s:.0f} s: {', '.join(self.families) or 'none'}"
        )


def member(name: str) -> Member:
    """The entry that a simulated instance has in `instances.json`."""
    return Member(name, f"http://{name}:3000/api/v1")


def names(count: int) -> tuple[str, ...]:
    """Ids of `count` instances: A, B, C and so on."""
    return tuple(chr(ord("A") + i) for i in range(count))


def draw(seed: str, nodes: int | None = None, minutes: float = 10.0, families: tuple[str, ...] | None = None) -> Plan:
    """The plan of a seed. `minutes` are virtual, at the seed's timings; a shortened plan is shortened with them."""
    plan, rng = draw_roomy(seed, nodes, minutes, families), Random(f"{seed}/crowd")
    return _crowded(plan, rng, minutes) if rng.random() < CROWDED_SHARE else plan


def _crowded(plan: Plan, rng: Random, minutes: float) -> Plan:
    """Many clients in a hurry, faults that meet one another, and bounds that are passed every few seconds."""
    return replace(
        plan,
        duration_s=minutes * 60 * CROWDED_SCALE,
        scale=CROWDED_SCALE,
        clients=rng.choice((4, 8, 12)),
        think_s=rng.choice((0.05, 0.15)),
        fault_every_s=rng.choice((1.5, 4.0, 8.0)),
        limits=Limits(
            max_locks=rng.choice((2, 10_000)),
            max_waiters_per_lock=rng.choice((2, 256)),
            max_open_proposals=rng.choice((200, 20_000)),
            max_events_per_push=rng.choice((2, 5, 50, 2_000)),
            max_settled_kept=rng.choice((1, 8, 50)),
            max_history_kept=rng.choice((0, 3, 20)),
            max_skipped_kept=5,
            retain_events=rng.choice((12, 40, 120)),
        ),
    )


def draw_roomy(
    seed: str, nodes: int | None = None, minutes: float = 10.0, families: tuple[str, ...] | None = None
) -> Plan:
    """As `draw`, and never crowded: to be changed by who knows what it is after."""
    rng = Random(f"{seed}/plan")
    count = rng.choice((1, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7, 8, 9))
    scale = rng.choice((1.0, 1.0, 0.2))
    drawn = tuple(f for f in FAMILIES if rng.random() < 0.3)
    stormy = rng.random() < 0.5
    slowest = rng.choice((1.0, rng.uniform(0.91, 1.0)))
    wild = "clock_rate" in (drawn if families is None else families)
    weather = Weather(
        delay_s=rng.choice((0.0002, 0.001, 0.02)),
        jitter_s=rng.choice((0.0005, 0.01, 0.1)) * scale,
        loss=rng.choice((0.0, 0.01, 0.1)) if stormy else 0.0,
        duplicate=rng.choice((0.0, 0.05)) if stormy else 0.0,
        straggle=rng.choice((0.0, 0.01, 0.1)) if stormy else 0.0,
        straggle_s=rng.choice((1.0, 20.0)) * scale,
    )
    return Plan(
        seed=seed,
        nodes=count if nodes is None else nodes,
        duration_s=minutes * 60 * scale,
        rule=rng.choice(RULES),
        strategy=rng.choice(STRATEGIES),
        scale=scale,
        weather=weather,
        exchange=rng.random() < 0.6,
        release_first=rng.random() < 0.5,
        fsync_s=rng.choice((0.0005, 0.005, 0.05)),
        start_spread_s=rng.choice((0.0, 0.5, 10.0)) * scale,
        slowest=rng.uniform(0.5, 1.0) if wild else slowest,
        fastest=rng.uniform(1.0, 2.0) if wild else slowest * rng.uniform(1.0, RATES_AGREE - 0.005),
        families=drawn if families is None else families,
        fault_every_s=rng.choice((8.0, 25.0, 60.0)) * scale,
        clients=rng.choice((1, 3, 6)),
        think_s=rng.choice((0.3, 2.0, 10.0)) * scale,
        limits=replace(rng.choice(FLOORS), max_events_per_push=rng.choice((4, 2_000))),
    )
