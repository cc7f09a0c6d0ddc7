"""Lock acquire + release cycles a second, against etcd's lock service over its gateway. `python -m bench.locks`."""

import argparse

from bench import cluster, command, etcd
from bench.load import Sample, load, rotated
from bench.report import line, outcomes


async def measure(rounds: int, seconds: float, clients: list[int]) -> None:
    """Every client works on a lock of its own; etcd's have a lease that outlives the round."""
    async with etcd.cluster() as theirs, cluster.cluster() as ours:
        cycle = cluster.lock_cycle()
        for count in clients:
            one, other = list[Sample](), list[Sample]()
            for at in range(rounds):
                one.append(await load(rotated(ours.addresses, at), count, seconds, cycle))
                theirs_cycle = await etcd.lock_cycle(theirs.addresses[0], count)
                other.append(await load(rotated(theirs.addresses, at), count, seconds, theirs_cycle))
            print(line(f"lock + unlock, {count} clients", one, other, "cycles"))
            print(f"  ours: {outcomes(one)}; etcd: {outcomes(other)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one round")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    given = parser.parse_args()
    command.run(measure(given.rounds, given.seconds, given.clients))


if __name__ == "__main__":
    main()
