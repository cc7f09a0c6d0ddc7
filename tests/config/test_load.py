"""What a node is told: precedence, defaults, and problems that name file, line, key and what was expected."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.artifacts.limits import ContentLimits, Hooks
from node.config import KEYS, UNMADE_ID, Config, ConfigError, Content, key_lines, load_config
from node.config.load import DEFAULT_ADDRESS, DEFAULT_CLUSTER, Observability, Security
from node.protocol.settings import Limits, Settings, Timing

ROOT = Path(__file__).parents[2]
KEY = "GvSoNCLxmyE2hkTfNx0QMFMo1vdKqJT0GzLnQNmI5nE="


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(
    text: str | None = None,
    *,
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
    instances: list[dict[str, Any]] | str | None = None,
) -> Config:
    """Load `node.toml` and `instances.json` with these contents from the current folder."""
    path = None
    if text is not None:
        path = Path("node.toml")
        path.write_text(text, encoding="utf-8")
    flags = {"id": "instance-A", **(flags or {})}
    if instances is not None:
        listed = instances if isinstance(instances, str) else json.dumps(instances)
        Path("instances.json").write_text(listed, encoding="utf-8")
        flags["instances"] = "instances.json"
    return load_config(path, flags, environ or {}, sets)


def problems(*args: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return str(caught.value).splitlines()


def entry(letter: str, port: int = 3000, **more: Any) -> dict[str, Any]:
    return {"id": f"instance-{letter}", "url": f"http://127.0.0.1:{port}/api/v1/distributed/sync", **more}


def test_defaults_are_the_seeds() -> None:
    config = load()
    assert config.settings.timing == Timing()
    assert config.settings.limits == Limits()
    assert (config.settings.rule, config.settings.strategy) == ("half", "last-write-wins")
    assert (config.settings.cluster, config.security, config.observability) == ("iwdc", Security(), Observability())
    assert (config.listen_host, config.listen_port) == DEFAULT_ADDRESS
    assert config.data_dir == Path("data/instance-A")
    assert (config.insecure, config.force_members, config.new_cluster) == (False, False, False)


def test_precedence_is_flags_then_sets_then_environment_then_file() -> None:
    file = "[node]\ncluster = 'file'\n[timing]\nlock_ttl = 41\nlock_renew_interval = 7\n[quorum]\nrule = 'majority'\n"
    environ = {"IWDC_TIMING_LOCK_TTL": "42", "IWDC_NODE_CLUSTER": "environment", "IWDC_NODE_ID": "instance-E"}
    config = load(file, environ=environ, sets=["timing.lock_ttl=43", "node.id=instance-S"])
    assert config.settings.id == "instance-A"
    assert config.settings.cluster == "environment"
    assert config.settings.timing.lock_ttl == 43.0
    assert config.settings.timing.lock_renew_interval == 7.0
    assert config.settings.rule == "majority"
    assert config.sources == {
        "node.cluster": "IWDC_NODE_CLUSTER",
        "node.id": "--id",
        "quorum.rule": "node.toml:7",
        "timing.lock_renew_interval": "node.toml:5",
        "timing.lock_ttl": "--set timing.lock_ttl",
    }


def test_environment_of_others_is_left_alone() -> None:
    config = load(
        environ={
            "IWDC_NODE": "http://127.0.0.1:3000",
            "IWDC_DEBUG": "1",
            "IWDC_LOCK_TOKEN": "7",
            "IWDC_PREVIOUS_VERSION": "1.0.0",
            "IWDC_QUORUM_RULE": "",
            "IWDC_QOURUM_RULE": "",
            "PATH": "x",
        }
    )
    assert config.sources == {"node.id": "--id"}


def test_default_file_is_read_when_it_is_there() -> None:
    Path("configs").mkdir()
    Path("configs/node.toml").write_text("[node]\ncluster = 'found'\n")
    assert load().settings.cluster == "found"


def test_paths_of_a_file_start_at_its_folder() -> None:
    Path("etc").mkdir()
    Path("etc/n.json").write_text(json.dumps([entry("A")]))
    Path("etc/node.toml").write_text("[node]\nid='instance-A'\ninstances='n.json'\ndata_dir='/d'\n")
    config = load_config(Path("etc/node.toml"), {}, {"IWDC_OBSERVABILITY_LOG_FILE": "log"}, [])
    assert config.instances_path == Path("etc/n.json")
    assert config.data_dir == Path("/d")
    assert config.observability.log_file == Path("log")


def test_every_flag() -> None:
    flags = {
        "listen": "0.0.0.0:80",
        "insecure": "true",
        "force_members": "true",
        "new_cluster": "true",
        "data_dir": "d",
    }
    config = load(flags=flags, instances=[entry("A", 80)])
    assert (config.listen_host, config.listen_port, config.data_dir) == ("0.0.0.0", 80, Path("d"))
    assert config.insecure
    assert config.force_members
    assert config.new_cluster


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[timing]\nheartbeat_timeout = 3\n",
            "node.toml:2: [timing] heartbeat_timeout = 3: expected more than heartbeat_interval (5)",
        ),
        (
            "[timing]\nheartbeat_interval = 20\n",
            "node.toml:2: [timing] heartbeat_interval = 20: expected less than heartbeat_timeout (15)",
        ),
        (
            "[timing]\nlock_ttl = 10\n",
            "node.toml:2: [timing] lock_ttl = 10: expected more than lock_renew_interval (10)",
        ),
        (
            "[timing]\nlock_ttl = 4000\n",
            "node.toml:2: [timing] lock_ttl = 4000: expected at most max_lock_ttl_s (3600)",
        ),
        (
            "[timing]\nheartbeat_interval = '5'\n",
            'node.toml:2: [timing] heartbeat_interval = "5": expected a number of seconds greater than 0',
        ),
        (
            "[timing]\n\n# why\nlock_ttl = true\n",
            "node.toml:4: [timing] lock_ttl = true: expected a number of seconds greater than 0",
        ),
        (
            "[timing]\nlock_ttl = nan",
            "node.toml:2: [timing] lock_ttl = nan: expected a number of seconds greater than 0",
        ),
        (
            "[timing]\nuptime_tolerance = -1",
            "node.toml:2: [timing] uptime_tolerance = -1: expected a number of seconds from 0",
        ),
        (
            "[timing]\nheartbeat_intervall = 5\n",
            "node.toml:2: unknown key [timing] heartbeat_intervall: expected heartbeat_interval (did you mean that?)",
        ),
        ("[timings]\nlock_ttl = 5\n", "node.toml:1: unknown section [timings]: expected timing (did you mean that?)"),
        (
            "[x]\n",
            "node.toml:1: unknown section [x]: expected "
            "one of conflicts, content, limits, node, observability, quorum, security, "
            "timing",
        ),
        ("rule = 'half'\n", 'node.toml:1: rule = "half": expected every key to stand in a [section]'),
        ("[quorum]\nrule = 'third'\n", 'node.toml:2: [quorum] rule = "third": expected half or majority'),
        (
            "[conflicts]\nstrategy = 'last'\n",
            'node.toml:2: [conflicts] strategy = "last": expected '
            "last-write-wins or leader-wins or reject-inconsistent",
        ),
        ("[content]\nrole = 'master'\n", 'node.toml:2: [content] role = "master": expected replica or builder'),
        (
            '[content]\nbefore_apply = "check \'it"\n',
            'node.toml:2: [content] before_apply = "check \'it": expected '
            "a program and its arguments, quoted as for a shell",
        ),
        (
            "[content]\nmax_version_bytes = 1000\n",
            "node.toml:2: [content] max_version_bytes = 1000: expected at least max_file_bytes (4294967296)",
        ),
        ("[limits]\nmax_locks = 0\n", "node.toml:2: [limits] max_locks = 0: expected a whole number from 1"),
        (f"[limits]\nmax_locks = {10**19}\n", f"node.toml:2: [limits] max_locks = {10**19}: expected at most {10**18}"),
        (
            f"[timing]\nlock_ttl = {10**400}\n",
            f"node.toml:2: [timing] lock_ttl = {10**76}...: expected a number of seconds greater than 0",
        ),
        ("[limits]\nmax_locks = 1.5\n", "node.toml:2: [limits] max_locks = 1.5: expected a whole number from 1"),
        (
            "[node]\nlisten = '3000'\n",
            'node.toml:2: [node] listen = "3000": expected '
            "HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:3000",
        ),
        (
            "[node]\nlisten = 'a:70000'\n",
            'node.toml:2: [node] listen = "a:70000": expected '
            "HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:3000",
        ),
        ("[node]\ninsecure = 'yes'\n", 'node.toml:2: [node] insecure = "yes": expected true or false'),
        ("[node]\ndata_dir = ''\n", 'node.toml:2: [node] data_dir = "": expected a path'),
        (
            "[node]\ncluster = 'a b'\n",
            'node.toml:2: [node] cluster = "a b": expected '
            "1 to 200 letters, digits, '.', '_' or '-', the first a letter "
            "or digit",
        ),
        (
            "[node]\nlisten = '192.168.0.5:3000'\n",
            'node.toml:2: [node] listen = "192.168.0.5:3000": expected a loopback address, or --insecure: others could '
            "reach this node, which asks nobody who they are",
        ),
        (
            "[security.keys]\nops = 'abc'\n",
            'node.toml:2: [security.keys] ops = "abc": 2 bytes: expected '
            "base64 of the 32 bytes of an Ed25519 public key",
        ),
        (
            "[security]\nkeys = 5\n",
            "node.toml:2: [security] keys = 5: expected a table: signer = public key",
        ),
        (
            "[security]\nkeys.ops = 5\n",
            "node.toml:2: [security.keys] ops = 5: expected a public key in base64, or a list of them",
        ),
        (
            "[security]\nrequire_signatures = true\n",
            "node.toml:2: [security] require_signatures = true: expected "
            "a public key in [security.keys]: without one none "
            "could pass",
        ),
        (
            "[node]\nid =\n",
            "node.toml:2: Invalid value: expected TOML: key = value lines under [section]",
        ),
        (
            "[node]\na = 1\na = 2\n",
            "node.toml:3: Cannot overwrite a value: expected TOML: key = value lines under [section]",
        ),
        (
            f"x = {'9' * 5000}",
            "node.toml: a number with too many digits: expected TOML: key = value lines under [section]",
        ),
        (f"x = {'[' * 5000}", "node.toml: nested too deeply: expected TOML: key = value lines under [section]"),
    ],
)
def test_problem_of_the_file(text: str, expected: str) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("environ", "sets", "expected"),
    [
        (
            {"IWDC_TIMING_LOCK_TTL": "soon"},
            [],
            'IWDC_TIMING_LOCK_TTL: [timing] lock_ttl = "soon": expected a number of seconds greater than 0',
        ),
        (
            {"IWDC_TIMING_LOKC_TTL": "5"},
            [],
            "IWDC_TIMING_LOKC_TTL: unknown key [timing] lokc_ttl: expected lock_ttl (did you mean that?)",
        ),
        (
            {"IWDC_QOURUM_RULE": "majority"},
            [],
            "IWDC_QOURUM_RULE: unknown section [qourum]: expected quorum (did you mean that?)",
        ),
        (
            {},
            ["security.keys.ops=abc"],
            '--set security.keys.ops: [security.keys] ops = "abc": 2 bytes: '
            "expected base64 of the 32 bytes of an Ed25519 public key",
        ),
        ({}, ["lock_ttl=5"], "--set lock_ttl=5: no assignment: expected section.key=value"),
        ({}, ["timing.lock_ttl"], "--set timing.lock_ttl: no assignment: expected section.key=value"),
        ({}, ["node.insecure=maybe"], '--set node.insecure: [node] insecure = "maybe": expected true or false'),
        (
            {},
            ["limits.max_locks=1e3"],
            '--set limits.max_locks: [limits] max_locks = "1e3": expected a whole number from 1',
        ),
    ],
)
def test_problem_of_environment_and_flags(environ: dict[str, str], sets: list[str], expected: str) -> None:
    assert problems(environ=environ, sets=sets) == [expected]


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        "[quorum]\nrule = 'x'\n[timing]\nlock_ttl = 0\nnope = 1\n",
        environ={"IWDC_CONFLICTS_STRATEGY": "y"},
        instances=[{"id": "", "url": "ftp://x"}],
    )
    assert [line.partition(": ")[0] for line in found] == [
        "node.toml:5",
        "node.toml:2",
        "node.toml:4",
        "IWDC_CONFLICTS_STRATEGY",
        "instances.json",
        "instances.json",
    ]


def test_missing_and_unreadable_files_are_named() -> None:
    Path("latin.toml").write_bytes(b"# \xff\n")
    for path, found in (("none.toml", "No such file or directory"), ("latin.toml", "byte 2 is not UTF-8")):
        with pytest.raises(ConfigError, match=f"^{path}: {found}: expected "):
            load_config(Path(path), {"id": "a"}, {}, [])
    assert problems(flags={"instances": "none.json"}) == [
        'none.json: No such file or directory: expected a file with a list of {"id": ..., "url": ...}'
    ]


def test_id_is_made_once_in_the_data_directory() -> None:
    first = load_config(None, {}, {}, [])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first.settings.id)
    assert first.data_dir == Path("data/distributed")
    assert load_config(None, {}, {}, []).settings.id == first.settings.id


def test_looking_makes_no_id() -> None:
    config = load_config(None, {}, {}, [], make_id=False)
    assert config.settings.id == UNMADE_ID
    assert not config.data_dir.exists()


def test_looking_without_an_id_tells_of_the_listed_members_alone() -> None:
    Path("instances.json").write_text(json.dumps([entry("A"), entry("B", 3001)]))
    config = load_config(None, {"instances": "instances.json"}, {}, [], make_id=False)
    assert [member.id for member in config.settings.members] == ["instance-A", "instance-B"]
    (warning,) = config.warnings
    assert warning.startswith("no id is given")


def test_looking_without_an_id_and_a_list_tells_of_a_cluster_of_its_own() -> None:
    (warning,) = load_config(None, {}, {}, [], make_id=False).warnings
    assert "a cluster of its own" in warning


def test_a_signing_key_that_is_not_there_is_told_before_the_first_proposal_fails(tmp_path: Path) -> None:
    key = tmp_path / "ops.pem"
    sets = [f"security.signing_key={key}"]
    assert any(str(key) in warning for warning in load_config(None, {}, {}, sets, make_id=False).warnings)
    key.write_text("a key")
    assert not any(str(key) in warning for warning in load_config(None, {}, {}, sets, make_id=False).warnings)


def test_data_directory_of_another_instance_is_refused() -> None:
    made = load_config(None, {}, {}, []).settings.id
    assert problems(flags={"data_dir": "data/distributed"}) == [
        f'--id: [node] id = "instance-A": expected {made}, to which data/distributed belongs, or another data_dir'
    ]


def test_listening_place_is_that_of_the_own_entry() -> None:
    config = load(instances=[entry("A", 3005), entry("B", 3006)])
    assert (config.listen_host, config.listen_port, config.warnings) == ("127.0.0.1", 3005, ())
    moved = load(flags={"listen": "[::1]:3007"}, instances=[entry("A", 3005)])
    assert (moved.listen_host, moved.listen_port) == ("::1", 3007)
    assert "instance-A is at http://127.0.0.1:3005/api/v1, but it listens at" in moved.warnings[0]


def test_unlisted_instance_counts_itself_with_a_warning() -> None:
    """M1."""
    config = load(flags={"listen": "[::1]:3007"}, instances=[entry("B")])
    assert [(member.id, member.url) for member in config.settings.members] == [
        ("instance-A", "http://[::1]:3007/api/v1"),
        ("instance-B", "http://127.0.0.1:3000/api/v1"),
    ]
    assert config.warnings[0].startswith("instance-A is not listed in instances.json")


def test_unlisted_instance_needs_an_address_that_others_can_use() -> None:
    assert problems(flags={"listen": "0.0.0.0:3000", "insecure": "true"}, instances=[entry("B")]) == [
        '--listen: [node] listen = "0.0.0.0:3000": expected an entry for instance-A in instances.json: '
        "0.0.0.0 tells others no address"
    ]


def test_own_entry_marked_as_legacy_is_refused() -> None:
    assert problems(instances=[entry("A", protocol="1.6")]) == [
        '--id: [node] id = "instance-A": expected an id that instances.json does not mark as protocol "1.6"'
    ]


def test_public_keys_of_both_files_are_joined() -> None:
    other = "f9dl" + KEY[4:]
    text = f"[security]\nrequire_signatures = true\n[security.keys]\ninstance-A = ['{KEY}', '{other}']\nops = '{KEY}'\n"
    config = load(text, instances=[entry("A", publicKeys=[KEY])])
    assert config.security.public_keys == {"instance-A": (KEY, other), "ops": (KEY,)}
    assert config.settings.require_signatures


def test_a_public_key_for_one_start_takes_the_place_of_the_signer_s_others() -> None:
    config = load(f"[security.keys]\nops = 'f9dl{KEY[4:]}'\n", sets=[f"security.keys.ops={KEY}"])
    assert config.security.public_keys == {"ops": (KEY,)}
    assert config.sources["security.keys.ops"] == "--set security.keys.ops"


def test_lines_of_keys() -> None:
    text = 'a = 1\n[ x . "y" ] # note\nb.c = 2\n"d" = """\nno = 1\n"""\n[[list]]\n[x.y.z]\n \t e=1\n'
    assert key_lines(text) == {"a": 1, "x.y": 2, "x.y.b.c": 3, "x.y.d": 4, "x.y.no": 5, "x.y.z": 8, "x.y.z.e": 9}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([*KEYS, "other"]),
        st.dictionaries(
            st.sampled_from(sorted({key for keys in KEYS.values() for key in keys} | {"keys", "other"})),
            st.sampled_from(
                ['"x"', "''", "0", "-1", "1e400", "nan", "true", "[]", "[1]", "{}", "{a = 1}", "1979-05-27"]
            ),
            max_size=4,
        ),
        max_size=4,
    )
)
def test_wrong_values_are_refused_and_never_raise_anything_else(content: dict[str, dict[str, str]]) -> None:
    lines = [line for section, table in content.items() for line in (f"[{section}]", *map(" = ".join, table.items()))]
    try:
        config = load("\n".join(lines))
    except ConfigError as error:
        wheres = {problem.where.partition(":")[0] for problem in error.problems}
    else:
        wheres = {"node.toml"} if config.settings.id == "instance-A" else set()
    assert wheres
    assert wheres <= {"node.toml", "x"}


def documented(text: str) -> dict[str, str]:
    """`section.key` -> the default that a commented file shows."""
    shown: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if found := re.fullmatch(r"\[([\w.]+)\]", line):
            section = found[1]
        elif found := re.match(r"(?:# )?(\w+) = (\"[^\"]*\"|\S+) +#", line):
            shown[f"{section}.{found[1]}"] = found[2].strip('"')
    return shown


def test_shipped_file_documents_every_key_with_its_default() -> None:
    text = (ROOT / "configs/node.toml").read_text(encoding="utf-8")
    shown = documented(text)
    assert shown.keys() == {f"{section}.{key}" for section, keys in KEYS.items() for key in keys}
    wholes: dict[str, Any] = {
        "node": {"cluster": DEFAULT_CLUSTER, "insecure": False},
        "timing": Timing(),
        "limits": Limits(),
        "content": {"role": "replica", "hook_timeout": Hooks().timeout_s, **asdict(ContentLimits())},
        "quorum": {"rule": "half"},
        "conflicts": {"strategy": "last-write-wins"},
        "security": {"require_signatures": False, "hash_format": "any"},
        "observability": {"log_level": "info", "log_format": "text", "trace_capacity": Observability().trace_capacity},
    }
    for section, whole in wholes.items():
        values = {each.name: getattr(whole, each.name) for each in fields(whole)} if is_dataclass(whole) else whole
        for key, value in values.items():
            assert shown[f"{section}.{key}"] == (f"{value:g}" if isinstance(value, float) else str(value).lower())


@pytest.mark.parametrize(("id_", "port"), [("instance-A", 3000), ("instance-B", 3001), ("instance-C", 3002)])
def test_shipped_files_make_three_nodes(id_: str, port: int) -> None:
    config = load_config(ROOT / "configs/node.toml", {"id": id_}, {}, [])
    assert (config.listen_host, config.listen_port, config.warnings) == ("127.0.0.1", port, ())
    assert config.settings.digest == Settings("any", "iwdc", config.settings.members).digest


def test_production_example_is_valid() -> None:
    config = load_config(ROOT / "configs/examples/production/node.toml", {}, {}, [], make_id=False)
    (warning,) = config.warnings
    assert "there is no private key at /etc/iwdc/instance-A.pem" in warning
    assert config.settings.voters == ("instance-A", "instance-B", "instance-C")
    assert len(config.settings.members) == 4


def test_content_lies_with_the_node_unless_told_otherwise(tmp_path: Path) -> None:
    unasked = load_config(None, {"id": "a", "data_dir": str(tmp_path / "a")}, {}, [])
    assert unasked.content == Content(tmp_path / "a" / "content")
    asked = load_config(
        None,
        {"id": "a", "data_dir": str(tmp_path / "a")},
        {"IWDC_CONTENT_ROOT": str(tmp_path / "data"), "IWDC_CONTENT_BEFORE_APPLY": "check 'two words'"},
        ["content.role=builder", "content.keep_backups=2"],
    )
    assert (asked.content.root, asked.content.role) == (tmp_path / "data", "builder")
    assert asked.content.hooks == Hooks(before_apply=("check", "two words"))
    assert asked.content.limits == ContentLimits(keep_backups=2)
