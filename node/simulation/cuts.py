"""Faults of links, and those that look for the leader: cuts, one-way or both, flapping and slow links."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import permutations
from typing import Final

from node.simulation.faults import run_at
from node.simulation.nemesis import Nemesis
from node.simulation.network import Link
from node.simulation.process import Process

SLOW_LEADER = 0.4
"""Seconds that pass for a slow leader in one second: it trusts in its lease longer than others wait."""


def _sever(nemesis: Nemesis, family: str, what: str, links: Iterable[Link], seconds: float) -> None:
    if nemesis.quiet:
        return
    cut = list(links)
    nemesis.begin(family, f"{what} for {seconds:.1f} s")
    nemesis.world.network.cut(cut)
    nemesis.until(seconds, lambda: nemesis.world.network.mend(cut))


def partition(nemesis: Nemesis) -> None:
    ids = list(nemesis.world.hosts)
    sides = {name: nemesis.rng.randrange(nemesis.rng.choice((2, 3))) for name in ids}
    cut = [(a, b) for a, b in permutations(ids, 2) if sides[a] != sides[b]]
    told = " | ".join(" ".join(name for name in ids if sides[name] == each) for each in sorted(set(sides.values())))
    _sever(nemesis, "partition", f"split {told}", cut, nemesis.lasting(2, 120))


def isolate(nemesis: Nemesis) -> None:
    name = nemesis.rng.choice(list(nemesis.world.hosts))
    cut = [link for link in permutations(nemesis.world.hosts, 2) if name in link]
    _sever(nemesis, "isolate", f"{name} is cut off", cut, nemesis.lasting(2, 120))


def one_way(nemesis: Nemesis) -> None:
    links = list(permutations(nemesis.world.hosts, 2))
    if links:
        cut = nemesis.rng.sample(links, nemesis.rng.randint(1, max(1, len(links) // 2)))
        text = ", ".join(f"{a}->{b}" for a, b in cut)
        _sever(nemesis, "one_way", f"one-way cuts {text}", cut, nemesis.lasting(2, 120))


def flap(nemesis: Nemesis) -> None:
    pairs = list(permutations(nemesis.world.hosts, 2))
    if not pairs:
        return
    a, b = nemesis.rng.choice(pairs)
    for turn in range(nemesis.rng.randint(2, 8)):
        at = turn * nemesis.lasting(2, 20)
        nemesis.until(at, lambda: _sever(nemesis, "flap", f"{a}<->{b}", [(a, b), (b, a)], nemesis.lasting(0.5, 10)))


def slow_link(nemesis: Nemesis) -> None:
    links = list(permutations(nemesis.world.hosts, 2))
    if not links:
        return
    slowed = nemesis.rng.sample(links, nemesis.rng.randint(1, len(links)))
    extra_s, seconds = nemesis.lasting(0.05, 8), nemesis.lasting(5, 120)
    nemesis.begin("slow_link", f"{len(slowed)} links slower by {extra_s:.2f} s for {seconds:.1f} s")
    _slow(nemesis, slowed, extra_s, seconds)


def _slow(nemesis: Nemesis, links: list[Link], extra_s: float, seconds: float) -> None:
    nemesis.world.network.slow(links, extra_s)
    nemesis.until(seconds, lambda: nemesis.world.network.slow(links, -extra_s))


# The leader.


def _serving(nemesis: Nemesis, but: Process | None = None) -> Process | None:
    for process in nemesis.world.processes:
        if process.up and process is not but:
            seen = process.running.view_leader(process.now)
            if seen.id == process.id and seen.lease_remaining_ms:
                return process
    return None


def contest(nemesis: Nemesis) -> None:
    """The leader, whose clocks run slow, is cut off until another is voted for; then it reaches the voter again.

    It still takes itself for the leader, and its word comes before its successor's.
    """
    leader, world = _serving(nemesis), nemesis.world
    if leader is None:
        return
    timeout_s = world.plan.timing.heartbeat_timeout
    term, ends = leader.disk.now.hard.term, world.schedule.t + 3 * timeout_s
    links = list(permutations(world.hosts, 2))
    cut, others = [k for k in links if leader.id in k], [k for k in links if leader.id not in k]
    nemesis.begin("contest", f"{leader.id} leads, is slow and cut off until another is voted for")
    run_at(nemesis, leader, SLOW_LEADER, 3 * timeout_s)
    world.network.cut(cut)

    def look() -> None:
        votes = [p.disk.now.hard for p in world.processes if p.disk.now.hard.term > term]
        if len(votes) < 2 and world.schedule.t < ends:
            nemesis.until(timeout_s / 1000, look)
            return
        rivals = {vote.voted_for for vote in votes}
        kept = [link for link in cut if rivals & set(link)]
        world.network.mend(set(cut) - set(kept))
        nemesis.until(timeout_s, partial(world.network.mend, kept))
        _slow(nemesis, others, timeout_s / 2, timeout_s)

    look()


def chase(nemesis: Nemesis) -> None:
    """The leader is cut off until another serves; then that one is, and the former is back among the others."""
    former = _serving(nemesis)
    if former is None:
        return
    world, timeout_s = nemesis.world, nemesis.world.plan.timing.heartbeat_timeout
    cut = [link for link in permutations(world.hosts, 2) if former.id in link]
    ends = world.schedule.t + 4 * timeout_s
    nemesis.begin("chase", f"{former.id} leads and is cut off until another does")
    world.network.cut(cut)

    def look() -> None:
        heir = _serving(nemesis, but=former)
        if heir is None and world.schedule.t < ends:
            nemesis.until(timeout_s / 50, look)
            return
        world.network.mend(cut)
        if heir is not None:
            links = [link for link in permutations(world.hosts, 2) if heir.id in link]
            _sever(nemesis, "chase", f"{heir.id} leads now and is cut off in its turn", links, 2 * timeout_s)

    look()


FAULTS: Final[dict[str, Callable[[Nemesis], None]]] = {
    "partition": partition,
    "isolate": isolate,
    "one_way": one_way,
    "flap": flap,
    "slow_link": slow_link,
    "contest": contest,
    "chase": chase,
}
"""What begins a fault, by its family."""
