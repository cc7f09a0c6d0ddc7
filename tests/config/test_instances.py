"""`instances.json`: both URL forms, and problems that name the file and the entry (M1, M4)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config.instances import ID_RULE, URL_RULE, address_of, api_root, read_instances
from node.config.problems import ConfigError
from node.protocol.settings import Member


def entry(**more: Any) -> dict[str, Any]:
    return {"id": "a", "url": "http://h:1/api/v1/distributed/sync", **more}


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "i.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://hostA:3000/api/v1/distributed/sync", "http://hosta:3000/api/v1"),
        ("http://hostA:3000/distributed/sync", "http://hosta:3000/api/v1"),
        ("HTTP://10.0.0.1/api/v1/distributed/sync", "http://10.0.0.1:80/api/v1"),
        ("http://[::1]:3000/distributed/sync", "http://[::1]:3000/api/v1"),
    ],
)
def test_both_url_forms_name_one_root(url: str, root: str) -> None:
    assert api_root(url) == root


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hostA:3000",
        "http://",
        "http://h",
        "http://h/api/v1",
        "http://h:0/distributed/sync",
        "http://h:99999/distributed/sync",
        "http://h:x/distributed/sync",
        "http://u:p@h/distributed/sync",
        "http://h/distributed/sync?x",
        "http://h/distributed/sync#x",
        "http://h/distributed/sync/",
        "http://h h/distributed/sync",
        "http://[::1/distributed/sync",
        "ftp://h/distributed/sync",
        "https://h/distributed/sync",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://"):
        api_root(url)


@given(st.text())
def test_no_text_breaks_the_reading_of_urls(text: str) -> None:
    try:
        root = api_root(f"http://{text}/distributed/sync")
    except ValueError:
        return
    assert root.endswith("/api/v1")
    assert address_of(Member("a", root))[1] > 0


def test_members_are_sorted_and_marked(tmp_path: Path) -> None:
    """M4: an entry marked 1.6 is a member that never votes."""
    path = write(tmp_path, [entry(id="b", url="http://h:2/distributed/sync", protocol="1.6"), entry()])
    members = read_instances(path).members
    assert members == (Member("a", "http://h:1/api/v1"), Member("b", "http://h:2/api/v1", "1.6"))
    assert [member.votes for member in members] == [True, False]


def test_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    assert read_instances(write(tmp_path, "\ufeff" + json.dumps([entry()]))).members[0].id == "a"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ['i.json:1: not JSON (Expecting value): expected a list of {"id": ..., "url": ...}']),
        ("[\n{,}]", None),
        ("[" * 100_000, None),
        ("{}", ['i.json: an object at the top: expected a list of {"id": ..., "url": ...}']),
        ([5], ['i.json: entry 1: 5: expected an object {"id": ..., "url": ...}']),
        ([{}], [f"i.json: entry 1: no id: expected {ID_RULE}", f"i.json: entry 1: no url: expected {URL_RULE}"]),
        ([entry(id="a/b")], [f'i.json: entry 1 (a/b): id = "a/b": expected {ID_RULE}']),
        ([entry(id=7)], [f"i.json: entry 1: id = 7: expected {ID_RULE}"]),
        ([entry(url=None)], [f"i.json: entry 1 (a): url = null: expected {URL_RULE}"]),
        ([entry(url="h:3000")], [f'i.json: entry 1 (a): url = "h:3000": expected {URL_RULE}']),
        ([entry(protocol="1.7")], ['i.json: entry 1 (a): protocol = "1.7": expected "2" or "1.6"']),
        ([entry(protocol=[2])], ['i.json: entry 1 (a): protocol = [2]: expected "2" or "1.6"']),
        (
            [entry(protocl="1.6")],
            ['i.json: entry 1 (a): unknown field "protocl": expected protocol (did you mean that?)'],
        ),
        (
            [entry(), entry(url="http://h:2/distributed/sync")],
            ['i.json: entry 2 (a): id = "a": expected another one: entry 1 has it already'],
        ),
        (
            [entry(), entry(id="b", url="http://h:1/distributed/sync")],
            ['i.json: entry 2 (b): url = "http://h:1/distributed/sync": expected another one: entry 1 has it already'],
        ),
        (
            '[{"id": "a", "url": "http://h:1/distributed/sync", "url": "http://h:2/distributed/sync"}]',
            ['i.json: entry of a: "url" more than once: expected each field once'],
        ),
        ([entry(publicKeys="x")], ['i.json: entry 1 (a): publicKeys = "x": expected a list of public keys in base64']),
        (
            [entry(publicKeys=["x!"])],
            [
                "i.json: entry 1 (a): publicKeys, key 1: no base64: "
                "expected base64 of the 32 bytes of an Ed25519 public key"
            ],
        ),
    ],
)
def test_problems_name_file_and_entry(tmp_path: Path, content: Any, expected: list[str] | None) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        read_instances(path)
    lines = str(caught.value).replace(str(path), "i.json").splitlines()
    if expected is None:
        assert len(lines) == 1
        assert lines[0].startswith("i.json")
    else:
        assert lines == expected


@pytest.mark.parametrize(
    ("text", "why"), [("[" * 100_000, "nested too deeply"), (f"[{'9' * 5000}]", "a number with too many digits")]
)
def test_what_no_parser_takes_is_a_problem_too(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f'i.json: {why}: expected a list of {{"id"'):
        read_instances(write(tmp_path, text))
