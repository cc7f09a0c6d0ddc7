"""How many are needed, and who counts (seed 3, M4).

`half` is the seed's `ceil(total / 2)`; with an even total both sides of an even split reach it. `majority` is
`floor(total / 2) + 1`. Leadership and the control log always need a strict majority of the voters, whatever the rule.
"""

from collections.abc import Iterable

from node.protocol.settings import Rule
from node.protocol.shapes import QuorumView


def required(total: int, rule: Rule) -> int:
    """How many of `total` a decision needs under `rule`."""
    return (total + 1) // 2 if rule == "half" else total // 2 + 1


def strict_majority(total: int) -> int:
    """The least number of which two cannot exist side by side among `total`."""
    return total // 2 + 1


def kth_highest(values: Iterable[float], k: int) -> float:
    """The k-th highest of `values` (1 is the highest): what at least k of them have reached."""
    return sorted(values, reverse=True)[k - 1]


def view(total: int, healthy: int, voters: int, deciding: int, rule: Rule) -> QuorumView:
    """The seed's four numbers. `sufficient` also asks for enough voters that can decide together, so that it never
    promises a lost vote (H2): healthy ones with the same configuration (M2)."""
    need = required(total, rule)
    enough = healthy >= need and deciding >= required(voters, rule)
    return QuorumView(total=total, healthy=healthy, required=need, sufficient=enough)


def splits_evenly(voters: int, rule: Rule) -> bool:
    """Whether both sides of an even split can accept, which an operator must know (DESIGN: Quorum)."""
    return rule == "half" and voters % 2 == 0
