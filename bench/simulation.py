"""How many simulated events a second one core runs, checkers and all. `python -m bench.simulation`.

Whole seeds as the nightly campaign runs them: five nodes, ten virtual minutes of faults and load, then the healing.
"""

import argparse
import sys
import time

from bench.report import spread
from node.simulation.explore import run

WANTED = 20_000
NODES, MINUTES = 5, 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=1)
    args = parser.parse_args()
    events, took_s, rates = 0, 0.0, []
    for seed in range(args.first, args.first + args.seeds):
        began = time.process_time()
        report = run(str(seed), nodes=NODES, minutes=MINUTES)
        seconds = time.process_time() - began
        if report.violation is not None:
            sys.exit(f"seed {seed}: {report.violation}")
        events, took_s = events + report.events, took_s + seconds
        rates.append(report.events / seconds)
    rate = events / took_s
    print(f"{args.seeds} seeds of {NODES} nodes and {MINUTES:g} virtual minutes: {events:,} events in {took_s:.0f} s")
    print(f"events/s of a seed, median and range: {spread(rates)}")
    print(f"simulated events on one core: {rate:,.0f}/s, {rate / WANTED:.2f}x of the wanted {WANTED:,}/s", flush=True)


if __name__ == "__main__":
    main()
