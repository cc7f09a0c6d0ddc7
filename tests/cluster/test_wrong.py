"""What people get wrong: configurations of every kind, and what is sent to a node that no client should send."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iwdc_console.cli import main
from tests.cluster.harness import Cluster, D, Instance, cli, cluster, request

pytestmark = pytest.mark.cluster
OWN = {"id": "instance-A", "url": "http://127.0.0.1:3999/api/v1/distributed/sync"}


@pytest.mark.parametrize(
    ("files", "arguments", "complaints"),
    [
        (
            {"instances.json": [OWN, OWN]},
            [],
            ['instances.json: entry 2 (instance-A): id = "instance-A": expected another one: entry 1 has it already'],
        ),
        (
            {"instances.json": [{"id": "a b", "url": "ftp://host"}]},
            [],
            ["instances.json: entry 1 (a b): id =", "instances.json: entry 1 (a b): url ="],
        ),
        ({"instances.json": '[\n{"id": "instance-A",]'}, [], ["instances.json:2: not JSON"]),
        ({"instances.json": [OWN | {"protocol": "1.6"}]}, [], ['that instances.json does not mark as protocol "1.6"']),
        ({}, ["--instances", "nowhere.json"], ["nowhere.json: No such file"]),
        ({}, ["--config", "nowhere.toml"], ["nowhere.toml: No such file"]),
        ({"node.toml": "[node\n"}, ["--config", "node.toml"], ["node.toml:1: "]),
        (
            {"node.toml": '[quorum]\nrule = "most"\n\n[timing]\nheartbeat_timeout = 1\nheartbeet = 2\n'},
            ["--config", "node.toml"],
            [
                'node.toml:2: [quorum] rule = "most": expected half or majority',
                "node.toml:5: [timing] heartbeat_timeout = 1: expected more than heartbeat_interval (5)",
                "node.toml:6: unknown key [timing] heartbeet: expected heartbeat_timeout",
            ],
        ),
        ({}, ["--listen", "0.0.0.0:3999"], ['--listen: [node] listen = "0.0.0.0:3999": expected a loopback address']),
        ({}, ["--set", "timing.lock_ttl=soon"], ['[timing] lock_ttl = "soon": expected a number of seconds']),
    ],
)
def test_wrong_configurations(
    tmp_path: Path, files: dict[str, Any], arguments: list[str], complaints: list[str],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """All that is wrong at once, each with file, line, key and what was expected; exit 2, nothing made."""
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    listed = ["--instances", "instances.json"] if "instances.json" in files else []
    assert main.run(["node", "run", "--id", "instance-A", "--data-dir", "data", *listed, *arguments]) == 2
    said = capsys.readouterr().err
    for complaint in complaints:
        assert complaint in said
    assert "Traceback" not in said
    assert not (tmp_path / "data").exists()


def test_a_copied_data_directory_is_refused_under_another_name(tmp_path: Path) -> None:
    """V1: two nodes that write one journal's numbers would each tell another story of them."""
    with cluster(tmp_path) as running:
        running.start()
        running.ready()
        first, second, _ = running
        first.stop()
        second.stop()
        shutil.rmtree(second.data)
        shutil.copytree(first.data, second.data)
        said = cli(
            "node", "run", "--id", second.name, "--instances", str(running.instances), "--data-dir", str(second.data)
        )
        assert said.code == 2, said
        assert "Traceback" not in said.err
        assert f"expected instance-A, to which {second.data} belongs, or another data_dir" in said.err
        running.start(first.name)
        second.wipe()
        running.start(second.name)
        running.ready()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("hostile")) as started:
        started.start()
        started.ready()
        yield started


POST = f"POST {D}/events HTTP/1.1\r\nhost: localhost\r\n".encode()
PEER = f"POST {D}/peer HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-iwdc-envelope\r\n".encode()
HOSTILE = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "an endless head": POST + b"x: y\r\n" * 10_000,
    "a huge body announced": POST + b"content-length: 99999999999\r\n\r\n",
    "two lengths": POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a bad chunk": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "deep JSON": POST + b"content-length: 200000\r\n\r\n" + b"[" * 200_000,
    "an envelope of rubbish": PEER + b"content-length: 64\r\n\r\n" + bytes(range(64)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_leave_a_node_at_work(running: Cluster, name: str) -> None:
    """Promise 7: 4xx with a reason, or the connection ends; the cluster votes on."""
    node = running["instance-A"]
    running.settled()
    before = node.get("status")
    answer = exchange(node, HOSTILE[name])
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b"HTTP/1.1 431 ")), answer[:200]
    assert b"Traceback" not in answer
    after = node.get("status")
    assert (after["bootId"], after["stateDigest"]) == (before["bootId"], before["stateDigest"])


def exchange(node: Instance, content: bytes) -> bytes:
    """Send bytes and read until the node closes, or has answered in full."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=15) as connection:
        try:
            connection.sendall(content)
            answer = b""
            while part := connection.recv(65536):
                answer += part
                if b"connection: close" not in answer:
                    return answer
        except ConnectionError:
            return b""
        return answer


def test_slow_and_silent_clients_hold_nobody_up(running: Cluster) -> None:
    """A hundred clients that send half a request, and a reader that never reads."""
    node = running["instance-B"]
    slow = [socket.create_connection(("127.0.0.1", node.port), timeout=5) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(
                b"POST /api/v1/distributed/propose-snapshot HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n"
            )
        slow[0].sendall(b"\r\n" + b"x" * 9 + b"GET /api/v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * 2_000)
        version = f"1.0.{len(node.get('proposals'))}"
        answer = node.ask("POST", "propose-snapshot?wait=10", {"version": version, "hash": "a"})
        assert answer.data["state"] == "accepted"
    except (BrokenPipeError, TimeoutError):
        assert node.get("quorum")["sufficient"]
    finally:
        for connection in slow:
            connection.close()
    running.healthy()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "propose-snapshot", {"version": "../../etc", "hash": "a"}, 400),
        ("POST", "propose-snapshot", {"version": "1.0.0+build", "hash": "a"}, 400),
        ("POST", "propose-snapshot", {"version": 5, "hash": "a"}, 400),
        ("POST", "propose-snapshot", {"version": "9.9.9", "hash": ""}, 400),
        ("POST", "propose-snapshot", ["version"], 400),
        ("POST", "propose-diff", {"from": "1.0.0", "to": "1.0.0", "hash": "a"}, 400),
        ("POST", "events", {"type": "LEADER_ELECTED", "payload": {}}, 400),
        ("POST", "events", {"type": "NOTE", "payload": {"x": "y" * 300_000}}, 413),
        ("POST", "events", b'{"type": "NOTE", "payload": {"x": 1e999}}', 400),
        ("POST", "sync", {"events": [{"id": "1", "type": "T", "timestamp": 1, "sourceInstance": "instance-B"}]}, 403),
        ("POST", "heartbeat", {"instanceId": "nobody", "timestamp": 1, "uptime": 1, "status": "healthy"}, 403),
        ("POST", "locks/r/acquire", {"owner": "o", "ttl": -1}, 400),
        ("POST", "locks/r/acquire", {"owner": "o", "ttl": 1e9}, 400),
        ("POST", "locks/r/release", {"owner": "o", "fencingToken": "7"}, 400),
        ("POST", "recover", {"without": ["nobody"]}, 400),
        ("GET", "proposals/..%2F..%2Fetc", None, 404),
        ("GET", "events?limit=-1", None, 400),
        ("GET", "events?since=rubbish", None, 400),
        ("DELETE", "locks", None, 405),
        ("GET", "no-such-thing", None, 404),
    ],
)
def test_wrong_requests(running: Cluster, method: str, path: str, body: Any, status: int) -> None:
    """4xx that says what is wrong, in the envelope; nothing changes."""
    node = running["instance-C"]
    before = running.settled()["stateDigest"]
    answer = request(node.port, method, f"{D}/{path}", body)
    assert answer.status == status, answer
    assert answer.json["success"] is False
    assert answer.json["error"]
    assert answer.headers["x-trace-id"]
    assert node.get("status")["stateDigest"] == before
