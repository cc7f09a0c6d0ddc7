"""A full node beside the console, as a process of its own: a busy screen never delays a heartbeat.

`python -m iwdc_console.embedded` is that process: `iwdc-distributed node run` with a lifeline, so that it ends in good
order with the console however the console ended. What it says goes to a log file, for the console has the terminal.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from iwdc_console import lifeline

if TYPE_CHECKING:
    from node.config import Config

STOP_S = 8.0
"""What the node gets to bring to an end what is under way."""
LOG_LINES = 5


class CannotStart(Exception):
    """There is no node to start; the message says what is wrong with its configuration."""


class EmbeddedNode:
    """The node's process. Raises CannotStart."""

    def __init__(self, config_file: Path | None, id_: str | None) -> None:
        config = _load(config_file, id_, os.environ)
        self.id = config.settings.id
        host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
        self.url = f"http://{host}:{config.listen_port}"
        self.peers = tuple(member.url.removesuffix("/api/v1") for member in config.settings.peers)
        """Where the other members are."""
        self.log = _log_path(self.id)
        arguments = [str(config_file or ""), id_ or ""]
        with self.log.open("wb") as log:
            # A process group of its own: ctrl-c is the console's, and the node ends after it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "iwdc_console.embedded", *arguments],
                stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip

    @property
    def runs(self) -> bool:
        """Whether its process has not ended."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """What it said last."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def stop(self) -> None:
        """End it in good order, as TERM does."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _log_path(id_: str) -> Path:
    from platformdirs import user_log_path

    folder = user_log_path("iwdc", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{id_}.log"


def _load(config_file: Path | None, id_: str | None, environ: Mapping[str, str]) -> "Config":
    from node.config import ConfigError, load_config
    from node.journal import JournalError

    try:
        return load_config(config_file, {"id": id_} if id_ else {}, environ)
    except (ConfigError, JournalError) as error:
        raise CannotStart(str(error)) from error


def main() -> int:
    """Run the node until TERM or the end of the console; the exit code is the node's."""
    lifeline.follow(lifeline.said_by_parent(), lambda line: None)
    config_file, id_ = sys.argv[1:]
    from node.process import run_node

    try:
        return run_node(_load(Path(config_file) if config_file else None, id_ or None, os.environ))
    except CannotStart as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
