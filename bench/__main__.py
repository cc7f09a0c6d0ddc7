"""All benches but the hundred nodes and the console's day, one after another; about twelve minutes."""

import subprocess
import sys

BENCHES = (
    "startup", "verdicts", "locks", "skeleton", "failover", "idle", "catchup", "artifacts", "console", "ending",
    "simulation",
)  # fmt: skip


def main() -> None:
    """Each in a process of its own, so that none inherits another's memory; a failed one does not stop the rest."""
    failed = []
    for name in BENCHES:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
