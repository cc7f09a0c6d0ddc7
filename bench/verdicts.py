"""Durable verdicts a second on proposals, against etcd's put over its HTTP gateway. `python -m bench.verdicts`."""

import argparse

from bench import cluster, command, etcd
from bench.load import Sample, load, rotated
from bench.report import line, outcomes

BATCH = 100
"""Proposals in one batch call."""


async def measure(rounds: int, seconds: float, clients: list[int]) -> None:
    """Both clusters are up all the time and take turns, so that a noisy machine is noisy for both."""
    async with etcd.cluster() as theirs, cluster.cluster() as ours:
        fresh = cluster.versions()
        propose, batch, put = cluster.proposal(fresh), cluster.batch(fresh, BATCH), etcd.put()
        for count in clients:
            one, many, other = (list[Sample]() for _ in range(3))
            for at in range(rounds):
                one.append(await load(rotated(ours.addresses, at), count, seconds, propose))
                other.append(await load(rotated(theirs.addresses, at), count, seconds, put))
                many.append(await load(rotated(ours.addresses, at), count, seconds, batch))
            print(line(f"proposals, {count} clients", one, other, "verdicts"))
            print(line(f"batches of {BATCH}, {count} clients", many, other, "verdicts"))
            print(f"  ours: {outcomes(one)}; in batches: {outcomes(many)}; etcd: {outcomes(other)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    given = parser.parse_args()
    command.run(measure(given.rounds, given.seconds, given.clients))


if __name__ == "__main__":
    main()
