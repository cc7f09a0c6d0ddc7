"""`python -m tests.simulation.planted`: hunt every planted bug, and print what found it."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from node.simulation.__main__ import within
from tests.simulation.planted.all_bugs import BUGS
from tests.simulation.planted.bug import MOST_SEEDS, Found, hunt


def _hunt(number: int, seeds: int) -> Found | None:
    return hunt(BUGS[number], seeds)


def main() -> int:
    """Print a table of bug, rule, what broke and seeds needed. Returns 1 if a bug was not found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.planted", description="Hunt every planted bug, and print what found it."
    )
    seeds, jobs = within(int, 1, MOST_SEEDS), within(int, 1, 64)
    parser.add_argument("--seeds", type=seeds, default=MOST_SEEDS, help=f"at most so many a bug (default {MOST_SEEDS})")
    parser.add_argument("--jobs", type=jobs, default=2, help="processes (default 2)")
    parser.add_argument("--only", default="", help="only bugs of this rule, or with this in their name")
    args = parser.parse_args()
    numbers = [n for n, b in enumerate(BUGS) if args.only in b.name or args.only == b.rule]
    if not numbers:
        parser.error(f"argument --only: {args.only!r}: no planted bug of that rule or name")
    missed = 0
    print("| rule | planted bug | broken | seeds |\n| --- | --- | --- | --- |")
    with ProcessPoolExecutor(args.jobs) as pool:
        for number, found in zip(numbers, pool.map(partial(_hunt, seeds=args.seeds), numbers), strict=True):
            planted = BUGS[number]
            missed += found is None
            told = f"{found.rule} | {found.seeds}" if found else f"nothing | none of {args.seeds}"
            print(f"| {planted.rule} | {planted.name} | {told} |", flush=True)
    print(f"{len(numbers) - missed} of {len(numbers)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
