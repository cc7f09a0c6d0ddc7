"""A configuration as rows for people and scripts: every key, its value, and where it was given."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from node.config.keys import KEYS
from node.config.load import Config


@dataclass(frozen=True, slots=True)
class Setting:
    """One `section.key`. `value` is text, number, truth value, list or None; `source` None means the default."""

    name: str
    value: object
    source: str | None


def describe(config: Config) -> list[Setting]:
    """Every key in the order of the file, then the public keys."""
    settings, security, content = config.settings, config.security, config.content
    values: dict[str, dict[str, object]] = {
        "node": {
            "id": settings.id,
            "cluster": settings.cluster,
            "listen": f"{config.listen_host}:{config.listen_port}",
            "data_dir": config.data_dir,
            "instances": config.instances_path,
            "insecure": config.insecure,
        },
        "timing": asdict(settings.timing),
        "quorum": {"rule": settings.rule},
        "conflicts": {"strategy": settings.strategy},
        "content": {
            "root": content.root,
            "role": content.role,
            "bandwidth_bytes_per_s": content.bandwidth_bytes_per_s,
            "before_apply": shlex.join(content.hooks.before_apply) or None,
            "after_apply": shlex.join(content.hooks.after_apply) or None,
            "hook_timeout": content.hooks.timeout_s,
            **asdict(content.limits),
        },
        "limits": asdict(settings.limits),
        "security": {
            "require_signatures": security.require_signatures,
            "hash_format": security.hash_format,
            "signing_key": security.signing_key,
        },
        "observability": asdict(config.observability),
    }
    rows = [
        Setting(f"{section}.{key}", _plain(values[section][key]), config.sources.get(f"{section}.{key}"))
        for section, keys in KEYS.items()
        for key in keys
    ]
    return rows + [
        Setting(f"security.keys.{signer}", list(keys), config.sources.get(f"security.keys.{signer}"))
        for signer, keys in sorted(security.public_keys.items())
    ]


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
