"""Memory and processor time of an idle node at the seed's timings, beside an etcd member. `python -m bench.idle`."""

import argparse
import asyncio
import statistics
from collections.abc import Sequence

from bench import cluster, command, etcd
from bench.processes import Process

SETTLE_S = 10.0


async def watched(processes: Sequence[Process], seconds: float) -> tuple[float, float]:
    """Median MiB resident and percent of a core over some seconds."""
    before = [process.cpu_s for process in processes]
    await asyncio.sleep(seconds)
    cpu = [(process.cpu_s - start) / seconds * 100 for process, start in zip(processes, before, strict=True)]
    return statistics.median(process.rss_mib for process in processes), statistics.median(cpu)


async def measure(seconds: float) -> None:
    """Both clusters idle at the same time."""
    async with etcd.cluster() as theirs, cluster.cluster() as ours:
        await asyncio.sleep(SETTLE_S)
        (rss, cpu), (other_rss, other_cpu) = await asyncio.gather(
            watched(ours.processes, seconds), watched(theirs.members, seconds)
        )
        print(
            f"idle node: ours {rss:.1f} MiB, {cpu:.2f} % of a core; etcd {other_rss:.1f} MiB, {other_cpu:.2f} %; "
            f"memory {rss / other_rss:.2f}x, processor {cpu / other_cpu:.2f}x",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    command.run(measure(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
