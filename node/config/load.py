"""Builds the `Config` of a node, or says everything that is wrong with what it was told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from node.artifacts.limits import ContentLimits, Hooks, Role
from node.config.instances import Instances, address_of, is_loopback, is_unspecified, read_instances, root_at
from node.config.keys import HashFormat, LogFormat, LogLevel
from node.config.problems import ConfigError
from node.config.sources import Sources
from node.journal.directory import INSTANCE_NAME, instance_id
from node.observability.traces import DEFAULT_CAPACITY
from node.protocol.settings import LESS_THAN, Limits, Member, Settings, Timing

DEFAULT_FILE: Final = Path("configs/node.toml")
"""Read when no file is named and this one is there."""
DEFAULT_INSTANCES: Final = Path("configs/distributed/instances.json")
DEFAULT_ADDRESS: Final = ("127.0.0.1", 3000)
DEFAULT_CLUSTER: Final = "iwdc"
UNMADE_ID: Final = "not-made-yet"
"""Stands for the id of a node that has none yet, where looking must change nothing."""


@dataclass(frozen=True, slots=True)
class Security:
    """Who may sign, and whether everyone must (seed 5.1 rule 4). `public_keys`: signer -> its keys in base64."""

    public_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signing_key: Path | None = None
    require_signatures: bool = False
    hash_format: HashFormat = "any"


@dataclass(frozen=True, slots=True)
class Observability:
    """The event log and the traces. `log_file` None: standard error. `trace_capacity`: spans kept in memory.

    `otlp_endpoint`: the OpenTelemetry collector that is given them; None: nobody.
    """

    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    log_file: Path | None = None
    trace_capacity: int = DEFAULT_CAPACITY
    otlp_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """Where snapshots and diffs lie, IWDC's `data` folder, and how they are treated.

    `bandwidth_bytes_per_s` bounds what this instance sends of them and what it fetches, each; None: unbounded.
    """

    root: Path
    role: Role = "replica"
    bandwidth_bytes_per_s: int | None = None
    hooks: Hooks = field(default_factory=Hooks)
    limits: ContentLimits = field(default_factory=ContentLimits)


@dataclass(frozen=True, slots=True)
class Config:
    """All that a node needs to start.

    `force_members` (M3) and `new_cluster` (D2) are acts of this one start and stand in no file. `warnings` are for
    people; `sources` tells where each `section.key` that is not at its default was given.
    """

    settings: Settings
    listen_host: str
    listen_port: int
    data_dir: Path
    instances_path: Path
    content: Content
    insecure: bool = False
    force_members: bool = False
    new_cluster: bool = False
    security: Security = field(default_factory=Security)
    observability: Observability = field(default_factory=Observability)
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def load_config(
    config_file: Path | None,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    sets: Sequence[str] = (),
    *,
    make_id: bool = True,
) -> Config:
    """The configuration of a node from flags, environment, file and defaults, in this order of precedence.

    `flags`: `id`, `listen`, `data_dir`, `instances`, and `insecure`, `force_members`, `new_cluster` with "true".
    Without `config_file`, `configs/node.toml` is read if it is there. A node without an id makes one in its data
    directory; without `make_id` it is left as UNMADE_ID. Raises ConfigError
    with every problem found, DirectoryFault when the data directory cannot be used.
    """
    sources = Sources()
    if config_file is not None or DEFAULT_FILE.is_file():
        sources.file(config_file or DEFAULT_FILE)
    sources.environment(environ)
    sources.sets(sets)
    sources.flags(flags)
    values = sources.values()
    _check_relations(sources, values)
    instances_path = values["node"].get("instances", DEFAULT_INSTANCES)
    instances = _instances(sources, instances_path, "instances" in values["node"])
    public_keys = _public_keys(instances, sources)
    if values["security"].get("require_signatures") and not public_keys:
        sources.wrong("security.require_signatures", "a public key in [security.keys]: without one none could pass")
    sources.check()

    data_dir, id_ = _identity(sources, values["node"], make_id)
    host, port, members, warnings = _place(sources, values["node"], id_, instances, instances_path)
    sources.check()
    security = values["security"]
    signing_key = security.get("signing_key")
    if signing_key is not None and not signing_key.is_file():
        warnings += (
            f"there is no private key at {signing_key} (security.signing_key): what this node proposes will fail",
        )
    return Config(
        settings=Settings(
            id=id_,
            cluster=values["node"].get("cluster", DEFAULT_CLUSTER),
            members=members,
            timing=Timing(**values["timing"]),
            limits=Limits(**values["limits"]),
            require_signatures=security.get("require_signatures", False),
            hash_format=security.get("hash_format", "any"),
            **values["quorum"],
            **values["conflicts"],
        ),
        listen_host=host,
        listen_port=port,
        data_dir=data_dir,
        instances_path=instances_path,
        content=_content(values["content"], data_dir),
        insecure=values["node"].get("insecure", False),
        force_members=flags.get("force_members") == "true",
        new_cluster=flags.get("new_cluster") == "true",
        security=Security(public_keys=public_keys, **security),
        observability=Observability(**values["observability"]),
        warnings=warnings,
        sources=sources.names(),
    )


def _content(values: Mapping[str, Any], data_dir: Path) -> Content:
    """Without `root` the content lies in the node's own directory: nodes that share a machine share no content."""
    defaults = Hooks()
    return Content(
        root=values.get("root", data_dir / "content"),
        role=values.get("role", "replica"),
        bandwidth_bytes_per_s=values.get("bandwidth_bytes_per_s"),
        hooks=Hooks(
            values.get("before_apply", ()),
            values.get("after_apply", ()),
            values.get("hook_timeout", defaults.timeout_s),
        ),
        limits=ContentLimits(**{each.name: values[each.name] for each in fields(ContentLimits) if each.name in values}),
    )


def _check_relations(sources: Sources, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Values that each fit and do not go together. The blame goes to the one that was given."""
    defaults = {"timing": Timing(), "limits": Limits(), "content": ContentLimits()}
    for small, big, may_equal in (
        *((f"timing.{small}", f"timing.{big}", False) for small, big in LESS_THAN),
        ("timing.lock_ttl", "limits.max_lock_ttl_s", True),
        ("content.max_file_bytes", "content.max_version_bytes", True),
    ):
        ends: list[float] = []
        for name in (small, big):
            section, _, key = name.partition(".")
            if key in values[section] or sources.where(name) is None:
                ends.append(values[section].get(key, getattr(defaults[section], key)))
        if len(ends) < 2 or ends[0] < ends[1] or (may_equal and ends[0] == ends[1]):
            continue
        if sources.where(big) is not None:
            sources.wrong(big, f"{'at least' if may_equal else 'more than'} {small.partition('.')[2]} ({ends[0]:.12g})")
        else:
            sources.wrong(small, f"{'at most' if may_equal else 'less than'} {big.partition('.')[2]} ({ends[1]:.12g})")


def _instances(sources: Sources, path: Path, named: bool) -> Instances:
    """The listed members; none where no file was named and none is at the default place."""
    if not named and not path.exists():
        return Instances()
    try:
        return read_instances(path)
    except ConfigError as error:
        sources.problems += error.problems
        return Instances()


def _public_keys(instances: Instances, sources: Sources) -> dict[str, tuple[str, ...]]:
    keys = dict(instances.public_keys)
    for signer, texts in sources.public_keys.items():
        keys[signer] = tuple(dict.fromkeys((*keys.get(signer, ()), *texts)))
    return keys


def _identity(sources: Sources, node: Mapping[str, Any], make_id: bool) -> tuple[Path, str]:
    """The data directory and the id: a given id has `data/<id>`; without one both are found in `data/distributed`."""
    given: str | None = node.get("id")
    data_dir: Path = node.get("data_dir") or Path("data") / (given or "distributed")
    if not (data_dir / INSTANCE_NAME).exists() and (given or not make_id):
        return data_dir, given or UNMADE_ID
    found = instance_id(data_dir)
    if given not in (None, found):
        sources.wrong("node.id", f"{found}, to which {data_dir} belongs, or another data_dir")
    return data_dir, given or found


def _place(
    sources: Sources, node: Mapping[str, Any], id_: str, instances: Instances, path: Path
) -> tuple[str, int, tuple[Member, ...], tuple[str, ...]]:
    """Where the node listens, and the members with the local instance among them (M1).

    Without `listen` it is where the node's own entry says. An address that others can reach needs `insecure`.
    """
    warnings: list[str] = []
    own = next((member for member in instances.members if member.id == id_), None)
    default = address_of(own) if own else DEFAULT_ADDRESS
    host, port = node.get("listen", default)
    if not is_loopback(host) and not node.get("insecure"):
        sources.wrong(
            "node.listen",
            "a loopback address, or --insecure: others could reach this node, which asks nobody who they are",
            f"{host}:{port}",
        )
    if own is not None:
        if not own.votes:
            sources.wrong("node.id", f'an id that {path} does not mark as protocol "{own.protocol}"', id_)
        if port != address_of(own)[1]:
            warnings.append(f"{path} says that {id_} is at {own.url}, but it listens at {host}:{port}")
        return host, port, instances.members, tuple(warnings)
    if id_ == UNMADE_ID and instances.members:
        warnings.append(
            f"no id is given (node.id, --id, IWDC_NODE_ID): a node started like this makes one of its own, "
            f"which {path} does not list"
        )
        return host, port, instances.members, tuple(warnings)
    if is_unspecified(host):
        sources.wrong("node.listen", f"an entry for {id_} in {path}: {host} tells others no address", f"{host}:{port}")
    local = Member(id_, root_at(host, port))
    if id_ == UNMADE_ID:
        warnings.append("no id is given and nobody is listed: a node started like this is a cluster of its own")
        return host, port, (local,), tuple(warnings)
    warnings.append(
        f"{id_} is not listed in {path}: it counts itself as a member at {local.url}, and others that do not list it "
        "will refuse its votes"
    )
    return host, port, tuple(sorted((*instances.members, local))), tuple(warnings)
