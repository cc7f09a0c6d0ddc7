"""`node init`: what it writes, what it leaves alone; and setting a damaged journal aside."""

import json
import tomllib
from pathlib import Path

import pytest

from iwdc_console.cli import main
from iwdc_console.cli.exits import Exit
from node.config import load_config
from node.journal import JOURNAL_NAME, Journal


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def init(id_: str, port: int, *more: str) -> int:
    config = f"configs/{id_}.toml"
    return main.run(["node", "init", "--id", id_, "--listen", f"127.0.0.1:{port}", "--config", config, *more])


def test_three_inits_make_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    for letter, port in zip("ABC", (3100, 3101, 3102), strict=True):
        assert init(f"instance-{letter}", port, "--cluster", "lab") == Exit.DONE
    assert "node run --config configs/instance-C.toml" in capsys.readouterr().err
    loaded = load_config(Path("configs/instance-B.toml"), {}, {})
    assert loaded.settings.id == "instance-B"
    assert loaded.settings.cluster == "lab"
    assert [member.id for member in loaded.settings.members] == ["instance-A", "instance-B", "instance-C"]
    assert loaded.listen_port == 3101
    assert loaded.data_dir.resolve() == Path("data/instance-B").resolve()
    assert not Path("data").exists()


def test_a_linked_member_list_stays_linked() -> None:
    Path("shared.json").write_text("[]")
    Path("configs/distributed").mkdir(parents=True)
    linked = Path("configs/distributed/instances.json")
    linked.symlink_to(Path("shared.json").resolve())
    assert init("instance-A", 3100) == Exit.DONE
    assert linked.is_symlink()
    assert [each["id"] for each in json.loads(Path("shared.json").read_text())] == ["instance-A"]


def test_what_is_there_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert init("instance-A", 3100) == Exit.DONE
    before = Path("configs/instance-A.toml").read_bytes(), Path("configs/distributed/instances.json").read_bytes()
    assert init("instance-A", 3999) == Exit.USAGE
    assert "is there already" in capsys.readouterr().err
    assert before == (
        Path("configs/instance-A.toml").read_bytes(),
        Path("configs/distributed/instances.json").read_bytes(),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--id", "a b"], '--id: "a b": expected'),
        (["--listen", "nonsense"], 'configs/new.toml:4: [node] listen = "nonsense": expected HOST:PORT'),
        (["--listen", "127.0.0.1:3100"], "configs/distributed/instances.json: entry 2 (instance-B): url ="),
        (["--listen", "10.0.0.7:3000"], "expected a loopback address, or --insecure"),
        (["--listen", "0.0.0.0:3000", "--insecure"], "--listen: 0.0.0.0:3000: expected the address that the others"),
        (["--new-cluster", "--data-dir", "used"], "has been used before"),
    ],
)
def test_what_would_not_be_valid_is_not_written(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert init("instance-A", 3100, "--new-cluster", "--data-dir", "used") == Exit.DONE
    before = {path: path.read_bytes() for path in Path("configs").rglob("*") if path.is_file()}
    line = ["node", "init", "--id", "instance-B", "--listen", "127.0.0.1:3101", "--config", "configs/new.toml"]
    assert main.run([*line, *options]) == Exit.USAGE
    assert words in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("configs").rglob("*") if path.is_file()} == before
    assert main.run(line) == Exit.DONE


def test_an_id_that_is_none_is_told_as_it_was_given_and_leaves_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["node", "init", "--id", "../x"]) == Exit.USAGE
    assert capsys.readouterr().err.startswith('--id: "../x": expected 1 to ')
    assert not list(Path().iterdir())


def test_a_node_for_other_hosts_is_written_only_when_that_is_said() -> None:
    line = ["node", "init", "--id", "instance-A", "--listen", "10.0.0.7:3000", "--insecure"]
    assert main.run(line) == Exit.DONE
    loaded = load_config(None, {}, {})
    assert loaded.insecure
    assert [member.url for member in loaded.settings.members] == ["http://10.0.0.7:3000/api/v1"]


@pytest.mark.parametrize("content", ["{}", "[", "1"])
def test_a_member_list_that_is_none_is_not_touched(capsys: pytest.CaptureFixture[str], content: str) -> None:
    members = Path("configs/distributed/instances.json")
    members.parent.mkdir(parents=True)
    members.write_text(content)
    assert init("instance-A", 3100) == Exit.USAGE
    assert str(members) in capsys.readouterr().err
    assert members.read_text() == content


def test_a_new_cluster_s_first_disk_may_vote_at_once() -> None:
    assert init("instance-A", 3100, "--new-cluster") == Exit.DONE
    journal = Journal.open(Path("data/instance-A") / JOURNAL_NAME)
    identity = journal.load().identity
    journal.close()
    assert identity is not None
    assert identity.ready


def test_a_used_disk_does_not_start_a_new_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert init("instance-A", 3100, "--new-cluster") == Exit.DONE
    Path("configs/instance-A.toml").unlink()
    assert init("instance-A", 3100, "--new-cluster") == Exit.USAGE
    assert "has been used before" in capsys.readouterr().err


def test_a_wrong_config_names_key_and_expectation(capsys: pytest.CaptureFixture[str]) -> None:
    Path("node.toml").write_text('[node]\nid = "A"\n[timing]\nheartbeat_timeout = "soon"\n')
    assert main.run(["node", "run", "--config", "node.toml"]) == Exit.USAGE
    err = capsys.readouterr().err
    assert "node.toml:4" in err
    assert "heartbeat_timeout" in err


def test_a_damaged_journal_is_set_aside_not_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    data = Path("data")
    data.mkdir()
    (data / JOURNAL_NAME).write_text("damaged")
    (data / f"{JOURNAL_NAME}-wal").write_text("too")
    assert main.run(["node", "recover", "--data-dir", "data", "--yes"]) == Exit.DONE
    assert not list(data.glob(f"{JOURNAL_NAME}*"))
    kept = sorted(file.read_text() for file in data.glob("aside-*"))
    assert kept == ["damaged", "too"]
    assert main.run(["node", "recover", "--data-dir", "data", "--yes"]) == Exit.USAGE


def test_a_running_node_s_journal_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal.open(Path("data") / JOURNAL_NAME)
    try:
        assert main.run(["node", "recover", "--data-dir", "data", "--yes"]) == Exit.FAILED
        assert "in use by process" in capsys.readouterr().err
    finally:
        journal.close()
    assert (Path("data") / JOURNAL_NAME).exists()


def test_json_of_members_is_what_the_seed_shows() -> None:
    assert init("instance-A", 3100) == Exit.DONE
    assert json.loads(Path("configs/distributed/instances.json").read_text()) == [
        {"id": "instance-A", "url": "http://127.0.0.1:3100/api/v1/distributed/sync"}
    ]
    assert tomllib.loads(Path("configs/instance-A.toml").read_text())["node"]["listen"] == "127.0.0.1:3100"
