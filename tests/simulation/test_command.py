"""`python -m node.simulation` as people meet it."""

import subprocess
import sys

import pytest

from node.simulation.__main__ import main


def test_seeds_are_run_one_after_the_other_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7", "--seeds", "2", "--minutes", "0.2", "--nodes", "3", "--coverage"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("seed 7: ok")
    assert told[1].startswith("seed 8: ok")
    assert told[2].endswith("0 broken")
    assert [line for line in told[3:] if line.endswith("observed LEADER_ELECTION") and int(line.split()[0]) >= 2]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["--nodes", "0"], "--nodes: '0': expected a whole number from 1 to 9"),
        (["--nodes", "12"], "--nodes: '12': expected a whole number from 1 to 9"),
        (["--seeds", "0"], "--seeds: '0': expected a whole number from 1 to"),
        (["--seeds", "many"], "--seeds: 'many': expected a whole number"),
        (["--minutes", "nan"], "--minutes: 'nan': expected a number from 0.01 to 600"),
        (["--minutes", "inf"], "--minutes: 'inf': expected a number from 0.01 to 600"),
        (["--minutes", "soon"], "--minutes: 'soon': expected a number from 0.01 to 600"),
        (["--clients", "-1"], "--clients: '-1': expected a whole number from 0 to 100"),
        (["--families", "crash,flood"], "--families: 'flood': expected one of crash, crash_between_effects"),
        (["--seed", "story", "--seeds", "2"], "--seed: 'story': expected a whole number, as there are several"),
    ],
)
def test_what_cannot_be_taken_is_told(line: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each was a stack trace, a run without end or a run of something else."""
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


def test_who_reads_a_trace_may_stop() -> None:
    line = [sys.executable, "-m", "node.simulation", "--seed", "42", "--minutes", "1", "--trace"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert "starts as" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1
