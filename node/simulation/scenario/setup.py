"""The cluster a script begins with: what its first lines say, before anything happens."""

from dataclasses import dataclass, field, fields, replace
from typing import get_args

from node.protocol.settings import LESS_THAN, Limits, Member, Rule, Strategy, Timing
from node.simulation.plan import RULES, STRATEGIES, Plan, member, names
from node.simulation.scenario.language import Language, Unfit

MAX_NODES = 9
_TIMINGS = tuple(each.name for each in fields(Timing))


def read_rule(text: str) -> Rule:
    """A rule by its name. Raises `Unfit`."""
    for each in RULES:
        if each == text:
            return each
    raise Unfit(f"rule {text}", " or ".join(RULES))


language = Language(RULE=read_rule)


@dataclass(slots=True)
class Setup:
    """A cluster to be. `given`: its members and settings come from elsewhere, and no line may change them."""

    members: tuple[Member, ...] = tuple(map(member, names(3)))
    rule: Rule = "half"
    strategy: Strategy = "last-write-wins"
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    seed: str = "story"
    exchange: bool = True
    given: bool = False

    def plan(self) -> Plan:
        """A calm world with this cluster."""
        return Plan(
            seed=self.seed,
            nodes=sum(each.votes for each in self.members),
            rule=self.rule,
            strategy=self.strategy,
            members=self.members,
            timings=self.timing,
            limits=self.limits,
            exchange=self.exchange,
            clients=0,
        )

    def check(self) -> None:
        """Raise `Unfit` when timings do not go together."""
        for small, big in LESS_THAN:
            ends = getattr(self.timing, small), getattr(self.timing, big)
            if ends[0] >= ends[1]:
                raise Unfit(f"{small} of {ends[0]:g}s with {big} of {ends[1]:g}s", f"less than {big}")

    def own(self, what: str) -> None:
        """Raise `Unfit` when the cluster is given from elsewhere."""
        if self.given:
            raise Unfit(f"{what} is set here and by the configuration too", "one of them")


@language.add("nodes COUNT")
def _count(setup: Setup, count: int) -> None:
    setup.own("the number of nodes")
    if not 1 <= count <= MAX_NODES:
        raise Unfit(f"{count} nodes", f"1 to {MAX_NODES}")
    setup.members = tuple(map(member, names(count)))


@language.add("rule RULE")
def _rule(setup: Setup, rule: Rule) -> None:
    setup.own("the rule")
    setup.rule = rule


@language.add("strategy STRATEGY")
def _strategy(setup: Setup, strategy: str) -> None:
    setup.own("the strategy")
    if strategy not in get_args(Strategy):
        raise Unfit(f"strategy {strategy}", " or ".join(STRATEGIES))
    setup.strategy = next(each for each in STRATEGIES if each == strategy)


@language.add("timing KEY DURATION")
def _timing(setup: Setup, key: str, duration: float) -> None:
    setup.own(f"{key}")
    if key not in _TIMINGS:
        raise Unfit(f"timing {key}", "one of " + ", ".join(_TIMINGS))
    if not duration and key != "uptime_tolerance":
        raise Unfit(f"{key} of 0s", "more than 0s")
    setup.timing = replace(setup.timing, **{key: duration})


@language.add("retain COUNT events")
def _retain(setup: Setup, count: int) -> None:
    setup.own("the number of events retained")
    if not count:
        raise Unfit("0 events retained", "at least 1")
    setup.limits = replace(setup.limits, retain_events=count)


@language.add("datagrams")
def _datagrams(setup: Setup) -> None:
    """Every packet for itself, in any order, in place of the real link's exchange."""
    setup.exchange = False


@language.add("seed WORD")
def _seed(setup: Setup, word: str) -> None:
    setup.seed = word
