"""Changing one key of `node.toml`: only that key changes, comments stay, and what is not valid is not written."""

import fcntl
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config import ConfigError
from node.config.edit import EditRefused, in_turn, set_in_file, set_key


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[t]\nk = 5  # why\nz = 1\n", "[t]\nk = 9  # why\nz = 1\n"),
        ("[t]\nk=5\n", "[t]\nk= 9\n"),
        ("[t]\nk = 5", "[t]\nk = 9\n"),
        ("[t]\nk = '#' # why\n", "[t]\nk = 9 # why\n"),
        ('[t]\nk = "a\\"#"\n', "[t]\nk = 9\n"),
        ("[t]\n# k = 5  # why\n", "[t]\nk = 9  # why\n"),
        ("[t]\n#k = 5\n[u]\n", "[t]\nk = 9\n[u]\n"),
        ("[t]\nz = 1\n[u]\n# k = 5\n", "[t]\nk = 9\nz = 1\n[u]\n# k = 5\n"),
        ("[u]\nk = 1\n", "[u]\nk = 1\n\n[t]\nk = 9\n"),
        ("[u]\nk = 1", "[u]\nk = 1\n\n[t]\nk = 9\n"),
        ("", "[t]\nk = 9\n"),
        ("t.k = 5\n", "t.k = 9\n"),
        ("[t]\r\nk = 5\r\nz = 1\r\n", "[t]\r\nk = 9\r\nz = 1\r\n"),
    ],
)
def test_only_the_key_changes(before: str, after: str) -> None:
    assert set_key(before, "t", "k", "9") == after


@pytest.mark.parametrize(
    "text",
    [
        "[t]\nk = [\n  1,\n]\n",
        '[t]\nk = """\nx"""\n',
        "[t]\nk = {a = 1}\n",
        "[t\n",
        "t = {z = 1}\n",
        "[[t]]\n",
        f"z = {'[' * 5000}",
    ],
)
def test_what_cannot_be_changed_safely_is_refused(text: str) -> None:
    with pytest.raises(EditRefused):
        set_key(text, "t", "k", "9")


@given(st.text(st.sampled_from("[]tk=# 5\"'\n\\."), max_size=30))
def test_any_text_is_changed_rightly_or_refused(text: str) -> None:
    try:
        changed = set_key(text, "t", "k", "9")
    except EditRefused:
        return
    assert tomllib.loads(changed)["t"]["k"] == 9


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("timing.lock_ttl", "45.5", "lock_ttl = 45.5"),
        ("limits.max_locks", "7", "max_locks = 7"),
        ("node.insecure", "Yes", "insecure = true"),
        ("node.data_dir", 'a "b"\\', 'data_dir = "a \\"b\\"\\\\"'),
        ("security.keys.ops", "GvSoNCLxmyE2hkTfNx0QMFMo1vdKqJT0GzLnQNmI5nE=", None),
    ],
)
def test_values_are_written_as_toml(tmp_path: Path, name: str, value: str, line: str | None) -> None:
    path = tmp_path / "node.toml"
    path.write_text("[node]\nid = 'a'  # mine\n")
    path.chmod(0o640)
    set_in_file(path, name, value)
    lines = path.read_text().splitlines()
    assert "id = 'a'  # mine" in lines
    assert (line or f'ops = "{value}"') in lines
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("quorum.rul", "half", r"unknown key \[quorum\] rul: expected rule"),
        ("quorm.rule", "half", r"unknown section \[quorm\]: expected quorum"),
        ("rule", "half", r"rule: no section: expected SECTION\.KEY"),
        ("quorum.rule", "third", r'quorum.rule: "third": expected half or majority'),
        ("timing.lock_ttl", "5", r"/node.toml:3: \[timing\] lock_ttl = 5: expected more than lock_renew_interval"),
    ],
)
def test_a_file_that_would_not_be_valid_is_left_alone(tmp_path: Path, name: str, value: str, expected: str) -> None:
    path = tmp_path / "node.toml"
    path.write_text("[timing]\n\n# lock_ttl = 30\n")
    with pytest.raises(ConfigError, match=expected):
        set_in_file(path, name, value)
    assert path.read_text() == "[timing]\n\n# lock_ttl = 30\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_its_file_is_changed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "used").mkdir()
    kept, used = tmp_path / "kept" / "mine.toml", tmp_path / "used" / "node.toml"
    kept.write_text('[node]\nid = "a"\ninstances = "instances.json"\n')
    used.with_name("instances.json").write_text('[{"id": "a", "url": "http://127.0.0.1:3000/distributed/sync"}]')
    used.symlink_to(kept)
    set_in_file(used, "timing.lock_ttl", "60")
    assert used.is_symlink()
    assert tomllib.loads(kept.read_text())["timing"] == {"lock_ttl": 60}
    assert len(list(kept.parent.iterdir())) + len(list(used.parent.iterdir())) == 3


def test_a_change_waits_for_one_that_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And begins with what that one has written: neither is lost."""
    path = tmp_path / "node.toml"
    path.write_text("")
    waits, lock = threading.Event(), fcntl.flock

    def tells(descriptor: int, kind: int) -> None:
        waits.set()
        lock(descriptor, kind)

    with in_turn(tmp_path):
        monkeypatch.setattr(fcntl, "flock", tells)
        second = threading.Thread(target=set_in_file, args=(path, "limits.max_locks", "9"))
        second.start()
        assert waits.wait(60)
        path.write_text("[limits]\nmax_open_proposals = 8\n")
    second.join()
    assert tomllib.loads(path.read_text()) == {"limits": {"max_open_proposals": 8, "max_locks": 9}}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: .*No such file"):
        set_in_file(tmp_path / "none.toml", "quorum.rule", "half")
