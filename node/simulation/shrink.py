"""A failing seed made small: fewer faults, nodes and clients, a shorter run, as long as the same promise breaks.

Every step is tried with the seed itself, so what is left is replayed by one command.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from node.simulation.explore import Report, run_plan
from node.simulation.plan import Plan, draw


@dataclass(frozen=True, slots=True)
class Case:
    """A seed and what is given instead of drawn."""

    seed: str
    minutes: float
    nodes: int | None = None
    families: tuple[str, ...] | None = None
    clients: int | None = None

    def plan(self) -> Plan:
        """The plan to run."""
        drawn = draw(self.seed, self.nodes, self.minutes, self.families)
        return drawn if self.clients is None else replace(drawn, clients=self.clients)

    def command(self) -> str:
        """The line that replays it."""
        parts = [f"--seed {self.seed}", f"--minutes {self.minutes:g}"]
        if self.nodes is not None:
            parts.append(f"--nodes {self.nodes}")
        if self.families is not None:
            parts.append(f"--families '{','.join(self.families)}'")
        if self.clients is not None:
            parts.append(f"--clients {self.clients}")
        return f"python -m node.simulation {' '.join(parts)} --trace"


def shrink(case: Case, failed: Report, run: Callable[[Plan], Report] = run_plan) -> tuple[Case, Report]:
    """The smallest case found, greedily, that breaks the same rule as `failed` did, with its report."""
    assert failed.violation is not None, "only a failing seed shrinks"
    rule = failed.violation.rule
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(case, failed.plan):
            report = run(candidate.plan())
            if report.violation is not None and report.violation.rule == rule:
                case, failed, smaller = candidate, report, True
                break
    return case, failed


def _smaller(case: Case, plan: Plan) -> Iterator[Case]:
    """What to try next, the greatest steps first."""
    if case.minutes > 0.1:
        yield replace(case, minutes=round(case.minutes / 2, 3))
    for family in plan.families:
        yield replace(case, families=tuple(each for each in plan.families if each != family))
    for nodes in range(1, plan.nodes):
        yield replace(case, nodes=nodes)
    for clients in range(plan.clients):
        yield replace(case, clients=clients)
    if case.minutes > 0.1:
        yield replace(case, minutes=round(case.minutes * 0.8, 3))
