"""One scripted command as a whole process, beside `python -c "import typer"`. `python -m bench.startup`."""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import cluster, command
from bench.report import spread


async def took_ms(arguments: Sequence[str]) -> float:
    """Milliseconds from start to end of a process. Raises RuntimeError when it fails."""
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {process.returncode}: {errors.decode().strip()}")
    return (time.perf_counter() - started) * 1000


async def measure(rounds: int) -> None:
    """Take turns against one running node."""
    program = Path(sys.executable).with_name("iwdc-distributed")
    start = [str(program)] if program.exists() else [sys.executable, "-m", "iwdc_console.cli.main"]
    async with cluster.cluster(1) as nodes:
        host, port = nodes.addresses[0]
        lines = {
            "quorum -o json": [*start, "quorum", "-o", "json", "--node", f"http://{host}:{port}"],
            "import typer": [sys.executable, "-c", "import typer"],
            "bare python": [sys.executable, "-c", ""],
        }
        times: dict[str, list[float]] = {what: [] for what in lines}
        for _ in range(rounds):
            for what, arguments in lines.items():
                times[what].append(await took_ms(arguments))
    for what, values in times.items():
        print(f"{what}: {spread(values)} ms")
    ratio = statistics.median(times["quorum -o json"]) / statistics.median(times["import typer"])
    print(f"quorum -o json is {ratio:.2f}x of import typer", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    command.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
