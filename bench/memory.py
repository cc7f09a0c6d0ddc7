"""What the console holds in memory over a day of virtual time. `python -m bench.memory --instances 100 --hour 700`.

The day is that of `bench/day.py`. The first half fills what has a bound; the second shows the rest. With shorter hours
everything is used as often and less is seen in between: a day of them takes as much less time.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator
from typing import Final

from bench.terminal import terminal

BOUND_MIB: Final = 90.0


def by_the_hour(hours: int, instances: int, hour_s: int) -> Iterator[float]:
    """MiB resident after each hour."""
    reader, writer = os.pipe()
    arguments = [sys.executable, "-m", "bench.day", str(writer), str(hours), str(instances), str(hour_s)]
    with open(reader, "rb", buffering=0) as told, terminal(arguments, keeps=(writer,)) as (child, _, _):
        os.close(writer)
        for hour in range(1, hours + 1):
            line = told.readline()
            if not line:
                raise RuntimeError(f"the console ended in hour {hour} with exit code {child.wait()}")
            yield int(line) / 2**20


def day(hours: int, instances: int, hour_s: int) -> None:
    """Print it, each hour as it ends."""
    print(f"MiB after each of {hours} hours of {hour_s} s with {instances} instances:", end="", flush=True)
    mib = []
    for each in by_the_hour(hours, instances, hour_s):
        print(f" {each:.1f}", end="", flush=True)
        mib.append(each)
    half = mib[hours // 2 :]
    growth = statistics.linear_regression(range(len(half)), half).slope if len(half) > 1 else 0.0
    print(
        f"\nat most {max(mib):.1f} MiB, {max(mib) / BOUND_MIB:.2f}x of what is allowed; "
        f"in the second half {growth * 1024:+.0f} kB an hour",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24, help="of virtual time")
    parser.add_argument("--instances", type=int, default=100)
    parser.add_argument("--hour", type=int, default=3600, metavar="SECONDS", help="how long an hour is")
    given = parser.parse_args()
    day(given.hours, given.instances, given.hour)


if __name__ == "__main__":
    main()
