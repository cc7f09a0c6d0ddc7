"""Durable verdicts a second on proposals, against etcd's put over its HTTP gateway. `python -m bench.verdicts`."""

import argparse
from collections.abc import Iterator

from bench import cluster, command, etcd
from bench.load import Cycle, Sample, load, rotated
from bench.report import line, outcomes

BATCH = 100
"""Proposals in one batch call."""


async def measure(rounds: int, seconds: float, clients: list[int]) -> None:
    """Proposals one by one, then in batches, each on nodes of its own: either pays for the floors that it makes."""
    async with etcd.cluster() as theirs:
        for name, what in (("proposals", cluster.proposal), (f"batches of {BATCH}", batches)):
            async with cluster.cluster() as ours:
                propose, put = what(cluster.versions()), etcd.put()
                for count in clients:
                    one, other = list[Sample](), list[Sample]()
                    # Both are up all the time and take turns, so that a noisy machine is noisy for both.
                    for at in range(rounds):
                        one.append(await load(rotated(ours.addresses, at), count, seconds, propose))
                        other.append(await load(rotated(theirs.addresses, at), count, seconds, put))
                    print(line(f"{name}, {count} clients", one, other, "verdicts"))
                    print(f"  ours: {outcomes(one)}; etcd: {outcomes(other)}", flush=True)


def batches(fresh: Iterator[str]) -> Cycle:
    """A cycle: propose `BATCH` versions in one call."""
    return cluster.batch(fresh, BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    given = parser.parse_args()
    command.run(measure(given.rounds, given.seconds, given.clients))


if __name__ == "__main__":
    main()
