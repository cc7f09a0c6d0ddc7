"""One node of the demo, as a process: `python -m iwdc_console.demo.member ID HOST:PORT DATA_DIR INSTANCES SET...`.

It is the node that `iwdc-distributed node run` starts, and two things more: it ends with the demo that started it,
which it says in one line on standard output once that is sure, and its wall clock can be set off while it runs. The
latter is done here, in this process alone, by putting `RehearsalClock` in the place of `time.time` before the node is
loaded. The node itself has no such switch: it costs nothing, and none can be left on. Monotonic time, which every
duration rests on, is not touched, as a wrong wall clock does not touch it in life.
"""

import os
import sys
import time
from pathlib import Path

from iwdc_console import lifeline


class RehearsalClock:
    """`time.time` with an offset."""

    def __init__(self) -> None:
        self._true = time.time
        self._offset_s = 0.0

    def __call__(self) -> float:
        return self._true() + self._offset_s

    def set_offset(self, line: str) -> None:
        """Take the offset that the demo orders, in milliseconds."""
        self._offset_s = float(line) / 1000


def main() -> int:
    """Run the node until TERM or the end of the demo; the exit code is the node's."""
    lifeline.die_with_parent()
    os.write(1, b"bound\n")
    os.dup2(2, 1)  # the rest is for its log
    clock = RehearsalClock()
    said = lifeline.said_by_parent()
    clock.set_offset(said.readline().decode())
    time.time = clock
    lifeline.follow(said, clock.set_offset)

    from node.config import ConfigError, load_config
    from node.process import run_node

    id_, listen, data_dir, instances, *sets = sys.argv[1:]
    flags = {"id": id_, "listen": listen, "data_dir": data_dir, "instances": instances}
    # Nothing of the folder in which the demo was started may steer it.
    os.chdir(Path(instances).parent)
    try:
        config = load_config(None, flags, {}, sets)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return run_node(config)


if __name__ == "__main__":
    sys.exit(main())
