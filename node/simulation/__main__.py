"""`python -m node.simulation`: run seeds; replay one with `--trace`."""

import argparse
import sys
from collections import Counter
from time import perf_counter

from node.simulation.explore import Report, run_plan
from node.simulation.marks import MARKS
from node.simulation.shrink import Case, shrink


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m node.simulation",
        description="Run a whole cluster in virtual time, with faults drawn from a seed, and watch its promises.",
        epilog="example: python -m node.simulation --seeds 100 --minutes 5",
    )
    parser.add_argument("--seed", default="1", help="the seed, or the first of several (default 1)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how many seeds to run (default 1)")
    parser.add_argument("--nodes", type=int, help="cluster size, instead of the one drawn")
    parser.add_argument("--minutes", type=float, default=10.0, help="virtual minutes under faults (default 10)")
    parser.add_argument("--families", help="families of faults, separated by commas, instead of those drawn")
    parser.add_argument("--clients", type=int, help="how many clients, instead of those drawn")
    parser.add_argument("--shrink", action="store_true", help="make a failing seed small before it is reported")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--coverage", action="store_true", help="print what was reached, and how often")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    return parser.parse_args()


def _line(seed: str, report: Report) -> str:
    settled = "-" if report.settled_s is None else f"{report.settled_s:.0f} s"
    return (
        f"seed {seed}: {'ok' if report.ok else 'BROKEN'}  {report.digest[:12]}  {report.events} events, "
        f"{report.terms} terms, settled in {settled}; {report.plan}"
    )


def main() -> int:
    """Run what the command line asks for. Returns 1 if a promise was broken."""
    args = _parse()
    families = None if args.families is None else tuple(f for f in args.families.split(",") if f)
    seeds = [args.seed] if args.seeds == 1 else [str(int(args.seed) + i) for i in range(args.seeds)]
    counts: Counter[str] = Counter()
    began, events, broken = perf_counter(), 0, 0
    for seed in seeds:
        case = Case(seed, args.minutes, args.nodes, families, args.clients)
        report = run_plan(case.plan(), print if args.trace else None)
        counts += report.counts
        events += report.events
        print(_line(seed, report), flush=True)
        if report.violation:
            broken += 1
            print(f"  {report.violation}\n  replay: {case.command()}", flush=True)
            if args.shrink:
                case, report = shrink(case, report)
                print(f"shrunk to {_line(seed, report)}\n  {report.violation}\n  replay: {case.command()}", flush=True)
            if not args.keep_going:
                break
    took = perf_counter() - began
    print(f"{events} events in {took:.1f} s ({events / took:.0f}/s), {broken} broken")
    if args.coverage:
        for what in sorted(counts.keys() | set(MARKS)):
            print(f"{counts[what]:10d}  {what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
