"""Files that people name: what is none, what is too large and what is too deep is told before it is read or parsed."""

import os
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from node.config import ConfigError, load_config
from node.config.edit import EditRefused, set_key
from node.config.instances import read_instances
from node.config.problems import MOST_PROBLEMS
from node.documents import MOST_BYTES, MOST_PARTS, TooDeep, fault, parse_toml, read_text
from node.security.keys import KeyProblem, SigningKey

MANY = 100_000


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def bound(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def foreign(path: Path) -> Path:
    path.write_bytes(b"a = \xff")
    return path


def nested(path: Path) -> Path:
    path.write_text("a = " + "[" * 5000)
    return path


def large(path: Path) -> Path:
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    return path


NO_FILES = [
    (pipe, "a pipe, not a file"),
    (bound, "a socket, not a file"),
    (folder, "a folder, not a file"),
    (lambda path: Path("/dev/zero"), "a device, not a file"),
    (large, f"{MOST_BYTES + 1} bytes, more than {MOST_BYTES}"),
]


@pytest.mark.parametrize(("made", "why"), NO_FILES)
def test_what_is_no_file_or_too_large_is_told_and_not_waited_for(
    made: Callable[[Path], Path], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = made(Path("given"))
    with pytest.raises(ConfigError) as found:
        load_config(given, {}, {})
    assert str(found.value) == f"{given}: {why}: expected a configuration file that can be read"
    with pytest.raises(ConfigError) as found:
        read_instances(given)
    assert str(found.value) == f'{given}: {why}: expected a file with a list of {{"id": ..., "url": ...}}'
    with pytest.raises(KeyProblem) as key:
        SigningKey.load(given)
    assert str(key.value) == f"{given}: {why}; expected a readable key file"


@pytest.mark.parametrize(
    "text",
    [
        "\n[node]\n" + ".".join("a" * MANY) + " = 1\n",
        "\n\n[" + " . ".join("a" * MANY) + "]\n",
        "\n\n[[" + ".".join(["'a'"] * MANY) + "]]\n",
        '\n\nx = {y = "a", ' + ".".join(['"a.b"'] * MANY) + " = 1}\n",
        'x = """\n\\"""""\n' + ".".join("a" * MANY) + " = 1\n",
    ],
    ids=["key", "section", "list", "inline", "behind a string"],
)
def test_a_key_of_many_parts_is_told_with_its_line(text: str) -> None:
    with pytest.raises(TooDeep, match=f"^a key of {MANY} parts in line 3, more than {MOST_PARTS}$"):
        parse_toml(text)


@pytest.mark.parametrize(
    "text",
    [
        "# " + "." * MANY,
        'x = "' + "." * MANY + '"',
        "x = '" + "." * MANY + "' # ..................",
        'x = """' + '.\n\\"' * MANY + '"""',
        "x = '''" + ".\n\\'" * MANY + "'''",
        ".".join("a" * MOST_PARTS) + " = 1.5",
        "x = [" + "1.5, " * 1000 + "]",
    ],
    ids=["comment", "text", "literal", "long text", "long literal", "key", "numbers"],
)
def test_dots_that_part_no_key_are_not_counted(text: str) -> None:
    assert parse_toml(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    ['"""' * MANY + "\\", '"""\\' * MANY, '"\\' * MANY, "'" * (MANY + 1), "'''" * MANY + "'"],
    ids=["text", "escapes", "short escapes", "literal", "long literal"],
)
def test_what_is_no_toml_is_told_as_that_however_long_it_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"at line 1, column|at end of document"):
        parse_toml(text)


def test_the_depth_is_told_of_the_file_and_nothing_is_written_to_it(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(".".join("a" * MANY) + " = 1\n")
    with pytest.raises(ConfigError) as found:
        load_config(file, {}, {})
    expected = "TOML: key = value lines under [section]"
    assert str(found.value) == f"{file}: a key of {MANY} parts in line 1, more than {MOST_PARTS}: expected {expected}"
    with pytest.raises(EditRefused, match=f"a key of {MANY} parts"):
        set_key(file.read_text(), "timing", "lock_ttl", "5")


def test_of_many_problems_the_first_are_told(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("[timing]\n" + "".join(f"k{number} = 1\n" for number in range(60_000)))
    with pytest.raises(ConfigError) as found:
        load_config(file, {}, {})
    assert len(found.value.problems) == MOST_PROBLEMS
    assert str(found.value).startswith(f"{file}:2: unknown key [timing] k0: expected one of ")
    for text in (
        f"[{', '.join(map(str, range(60_000)))}]",
        "[{" + ", ".join(f'"f{number}": 1' for number in range(60_000)) + "}]",
        "[" + ", ".join(['{"id": 1, "id": 2}'] * 20_000) + "]",
    ):
        file.write_text(text)
        with pytest.raises(ConfigError) as found:
            read_instances(file)
        assert len(found.value.problems) == MOST_PROBLEMS


@pytest.mark.parametrize(
    "given",
    [".".join("a" * MANY) + "=1", "a" * MANY, "timing." + "a" * MANY + "=1"],
    ids=["parts", "no assignment", "unknown key"],
)
def test_what_is_set_on_the_line_is_told_in_short(given: str) -> None:
    with pytest.raises(ConfigError) as found:
        load_config(None, {}, {}, [given])
    assert len(str(found.value)) < 2000


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (pipe, "a pipe, not a file"),
        (folder, "a folder, not a file"),
        (large, f"{MOST_BYTES + 1} bytes, more than {MOST_BYTES}"),
        (foreign, "byte 4 is not UTF-8"),
        (nested, "nested too deeply"),
    ],
)
def test_what_hinders_is_told_without_a_systems_number(tmp_path: Path, made: Callable[[Path], Path], told: str) -> None:
    try:
        parse_toml(read_text(made(tmp_path / "it.toml")))
    except (OSError, ValueError, RecursionError) as error:
        found = fault(error)
    assert found == told
