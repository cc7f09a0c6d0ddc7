"""Start-up is part of the interface: a scripted command loads only what it needs. Real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli import samples
from tests.cli.fake import FakeNode, Raw, running

HEAVY = {"textual", "rich", "pydantic", "msgspec", "uvloop", "httptools", "cryptography", "prometheus_client"}
REPORT = """
import json, sys
from iwdc_console.cli.main import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def node() -> Iterator[FakeNode]:
    with running(samples.READS | {"GET metrics": Raw(200, samples.METRICS.encode())}) as fake:
        yield fake


def loaded(node: FakeNode, *line: str) -> set[str]:
    """The packages that a command line has loaded when it is done."""
    result = subprocess.run(
        [sys.executable, "-c", REPORT, *line],
        env=os.environ | {"IWDC_NODE": node.url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, names = json.loads(result.stderr.splitlines()[-1])
    assert code == 0, result.stderr
    return set(names)


def test_a_plain_read_loads_no_typer(node: FakeNode) -> None:
    names = loaded(node, "quorum", "-o", "json")
    assert not names & (HEAVY | {"typer", "dataclasses", "tomllib", "platformdirs", "node"})


@pytest.mark.parametrize(
    "line", [("events", "--limit", "5", "-o", "json"), ("wait", "--quorum"), ("metrics", "--json"), ("--help",)]
)
def test_scripted_commands_load_nothing_heavy(node: FakeNode, line: tuple[str, ...]) -> None:
    assert not loaded(node, *line) & (HEAVY | {"node"})


def piped(node: FakeNode, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A shell line with `iwdc` as the program."""
    program = f'iwdc() {{ {sys.executable} -m iwdc_console.cli.main "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", program + line],
        env=os.environ | {"IWDC_NODE": node.url} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def test_a_reader_that_goes_away_is_no_error(node: FakeNode) -> None:
    result = piped(node, "iwdc metrics --watch | head -1; echo ${PIPESTATUS[0]}")
    assert result.stdout.splitlines()[-1] == "0"
    assert result.stderr == ""


def test_a_full_disk_is_one(node: FakeNode) -> None:
    result = piped(node, "iwdc quorum > /dev/full; echo $?")
    assert result.stdout == "1\n"
    assert result.stderr == "No space left on device: stdout\n"
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("line", "where"), [("iwdc --help", ""), ("iwdc completion bash", ": stdout")])
def test_help_on_a_full_disk_is_one_too(node: FakeNode, line: str, where: str) -> None:
    result = piped(node, f"{line} > /dev/full; echo $?")
    assert (result.stdout, result.stderr) == ("1\n", f"No space left on device{where}\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_lead_nowhere(node: FakeNode, closed: str) -> None:
    for line, code in (("quorum", 0), ("--help", 0), ("quorum --node 127.0.0.1:1", 3)):
        result = piped(node, f"iwdc {line} {closed}; echo $?")
        assert result.stdout.splitlines()[-1] == str(code), (line, result)
        assert "should not have happened" not in result.stdout + result.stderr
    assert "No node could be reached" not in result.stdout


def test_an_encoding_without_shapes_still_shows_the_status(node: FakeNode) -> None:
    result = piped(node, "iwdc instances", PYTHONIOENCODING="ascii")
    assert "* instance-A" not in result.stdout
    assert "+ instance-A" in result.stdout
    assert result.stdout.isascii()


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "koi8-r"])
def test_a_name_that_an_encoding_has_no_signs_for_is_escaped(node: FakeNode, encoding: str) -> None:
    node.routes["GET distributed/locks"] = [samples.LOCK | {"resource": "ёлка", "owner": "日本"}]
    for form in ("table", "plain", "json"):
        result = piped(node, f"iwdc locks -o {form} | iconv -f {encoding} -t utf-8", PYTHONIOENCODING=encoding)
        assert "\\u65e5\\u672c" in result.stdout
        assert ("ёлка" in result.stdout) is (encoding == "koi8-r")
        assert result.stderr == ""


def test_signs_of_ours_are_spelt_where_an_encoding_lacks_them(node: FakeNode) -> None:
    node.routes["GET distributed/drift"] = samples.DRIFT
    node.routes["GET distributed/locks"] = [samples.LOCK | {"resource": "r" * 200}]
    assert "is +12.4 ms +- 0.6 ms" in piped(node, "iwdc drift", PYTHONIOENCODING="ascii").stdout
    assert "rrr~  " in piped(node, "iwdc locks", PYTHONIOENCODING="ascii").stdout


def test_completion_of_a_command_name(node: FakeNode) -> None:
    result = piped(
        node, "iwdc", _IWDC_DISTRIBUTED_COMPLETE="complete_bash", COMP_WORDS="iwdc-distributed propo", COMP_CWORD="1"
    )
    assert result.stdout.split() == ["propose-snapshot", "propose-diff", "proposals"]
