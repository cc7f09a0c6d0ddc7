"""A node beside the console: a full member in a process of its own, which ends with the console. Real processes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.harness import QUICK, Cluster, cluster
from tests.demo.terminal import Terminal, alive, descendants, until_gone

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
CONSOLE = "iwdc_console.console"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Cluster]:
    """Two of three members run; the third is for the console."""
    with cluster(tmp_path / "cluster") as running:
        running.start("instance-B", "instance-C")
        yield running


def config_of(running: Cluster, name: str) -> Path:
    timing = "\n".join(f"{key} = {value}" for key, value in QUICK.items())
    file = running.root / f"{name}.toml"
    file.write_text(
        f"""[node]
id = "{name}"
listen = "127.0.0.1:{running[name].port}"
data_dir = "{running[name].data}"
instances = "{running.instances}"
[timing]
{timing}
"""
    )
    return file


def node_of(terminal: Terminal) -> int:
    (pid,) = (pid for pid, line in descendants(terminal.process.pid).items() if "iwdc_console.embedded" in line)
    return pid


def test_it_is_a_member_and_ends_in_good_order_with_the_console(two: Cluster, tmp_path: Path) -> None:
    with Terminal((CONSOLE, "--embedded", "--config", str(config_of(two, "instance-A"))), tmp_path) as terminal:
        terminal.see("All well: 3 of 3 healthy")
        terminal.see("here instance-A")
        pid = node_of(terminal)
        terminal.press("q")
        assert terminal.wait() == 0
        assert not alive(pid)
    (log,) = (tmp_path / "state").rglob("instance-A.log")
    assert log.read_text().splitlines()[-1].endswith("stopped")


@pytest.mark.parametrize("how", ["hang-up", "KILL"])
def test_it_ends_with_a_console_that_was_killed_or_lost_its_terminal(two: Cluster, tmp_path: Path, how: str) -> None:
    with Terminal((CONSOLE, "--embedded", "--config", str(config_of(two, "instance-A"))), tmp_path) as terminal:
        terminal.see("here instance-A")
        pid = node_of(terminal)
        if how == "hang-up":
            terminal.hang_up()
        else:
            terminal.process.send_signal(signal.SIGKILL)
        terminal.wait()
        until_gone([pid])


def test_one_that_cannot_start_is_told_and_the_console_opens_on_the_others(two: Cluster, tmp_path: Path) -> None:
    """Its address is taken: by a member that runs."""
    config = config_of(two, "instance-A")
    config.write_text(config.read_text().replace(f":{two['instance-A'].port}", f":{two['instance-B'].port}"))
    with Terminal((CONSOLE, "--embedded", "--config", str(config)), tmp_path) as terminal:
        terminal.see("instance-A ended")
        terminal.see("cannot listen on")
        terminal.see("instance-C")


def test_a_wrong_configuration_is_told_and_the_console_opens_on_the_others(two: Cluster, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[node]\nlisten = 7\n")
    arguments = (CONSOLE, "--embedded", "--config", str(wrong), "--node", two["instance-B"].url)
    with Terminal(arguments, tmp_path) as terminal:
        terminal.see("No node runs beside this console.")
        terminal.see("HOST:PORT")
        terminal.see("instance-C")
