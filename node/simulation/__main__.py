"""`python -m node.simulation`: run seeds; replay one with `--trace`."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeVar

from node.simulation.explore import Report, run_plan
from node.simulation.marks import MARKS
from node.simulation.plan import AIMED, FAMILIES
from node.simulation.shrink import Case, shrink

_Number = TypeVar("_Number", int, float)


def within(read: Callable[[str], _Number], least: _Number, most: _Number) -> Callable[[str], _Number]:
    """Reads an argument that is a number from `least` to `most`."""

    def number(text: str) -> _Number:
        try:
            value = read(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            kind = "a whole number" if read is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r}: expected {kind} from {least} to {most}")
        return value

    return number


def _families(text: str) -> tuple[str, ...]:
    families = tuple(name for name in text.split(",") if name)
    for name in families:
        if name not in FAMILIES + AIMED:
            known = ", ".join(FAMILIES + AIMED)
            raise argparse.ArgumentTypeError(f"{name!r}: expected one of {known}")
    return families


def _parse(line: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m node.simulation",
        description="Run a whole cluster in virtual time, with faults drawn from a seed, and watch its promises.",
        epilog="example: python -m node.simulation --seeds 100 --minutes 5",
    )
    parser.add_argument("--seed", default="1", help="the seed, or the first of several (default 1)")
    parser.add_argument(
        "--seeds", type=within(int, 1, 10**6), default=1, metavar="N", help="how many seeds to run (default 1)"
    )
    parser.add_argument("--nodes", type=within(int, 1, 9), help="cluster size, instead of the one drawn")
    parser.add_argument(
        "--minutes", type=within(float, 0.01, 600), default=10.0, help="virtual minutes under faults (default 10)"
    )
    parser.add_argument(
        "--families", type=_families, help="families of faults, separated by commas, instead of those drawn"
    )
    parser.add_argument("--clients", type=within(int, 0, 100), help="how many clients, instead of those drawn")
    parser.add_argument("--shrink", action="store_true", help="make a failing seed small before it is reported")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--coverage", action="store_true", help="print what was reached, and how often")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    args = parser.parse_args(line)
    if args.seeds > 1 and not args.seed.isdecimal():
        parser.error(f"argument --seed: {args.seed!r}: expected a whole number, as there are several")
    return args


def _line(seed: str, report: Report) -> str:
    settled = "-" if report.settled_s is None else f"{report.settled_s:.0f} s"
    return (
        f"seed {seed}: {'ok' if report.ok else 'BROKEN'}  {report.digest[:12]}  {report.events} events, "
        f"{report.terms} terms, settled in {settled}; {report.plan}"
    )


def main(line: Sequence[str] | None = None) -> int:
    """Run what the command line asks for. Returns 1 if a promise was broken."""
    args = _parse(line)
    seeds = [args.seed] if args.seeds == 1 else [str(int(args.seed) + i) for i in range(args.seeds)]
    counts: Counter[str] = Counter()
    began, events, broken = perf_counter(), 0, 0
    for seed in seeds:
        case = Case(seed, args.minutes, args.nodes, args.families, args.clients)
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


def command() -> int:
    """The same for a terminal: who reads may stop, and so may who waits."""
    try:
        return main()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(command())
