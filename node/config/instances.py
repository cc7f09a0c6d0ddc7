"""`instances.json`: who belongs to the cluster (M1).

    [{"id": "instance-A", "url": "http://hostA:3000/api/v1/distributed/sync"}, ...]

`url` ends in `/api/v1/distributed/sync` or, in older files, in `/distributed/sync`; both name the same API root. An
entry may add `"protocol": "1.6"` (M4) and `"publicKeys": [base64, ...]` (seed 5.3).
"""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from node.config.problems import MOST_PROBLEMS, ConfigError, Problem, nearest, short, unreadable
from node.documents import read_text
from node.protocol.settings import LEGACY_PROTOCOL, PROTOCOL, Limits, Member
from node.security.keys import KeyProblem, parse_public

ID_RULE: Final = f"1 to {Limits().max_name_chars} letters, digits, '.', '_' or '-', the first a letter or digit"
URL_RULE: Final = "an address such as http://host:3000/api/v1/distributed/sync"
ROOT: Final = "/api/v1"
_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{Limits().max_name_chars - 1}}}")
_HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+", re.ASCII)
_PATHS: Final = frozenset({f"{ROOT}/distributed/sync", "/distributed/sync"})
_FIELDS: Final = ("id", "url", "protocol", "publicKeys")
_PROTOCOLS: Final = (PROTOCOL, LEGACY_PROTOCOL)


@dataclass(frozen=True, slots=True)
class Instances:
    """What `instances.json` says: its members and the public keys it gives for them."""

    members: tuple[Member, ...] = ()
    public_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def is_id(text: str) -> bool:
    """Whether a text can name an instance or a cluster (`ID_RULE`)."""
    return _ID.fullmatch(text) is not None


def api_root(url: str) -> str:
    """The API root `scheme://host:port/api/v1` of either URL form. Raises ValueError with what was expected."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{URL_RULE} ({error})") from error
    if parts.scheme == "https":
        raise ValueError("http://..., as links between nodes do not speak TLS")
    if parts.scheme != "http" or not host or port == 0 or not _HOST.fullmatch(host):
        raise ValueError(URL_RULE)
    if parts.path not in _PATHS or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(URL_RULE)
    return root_at(host, port or 80)


def root_at(host: str, port: int) -> str:
    """The API root of a node that is reached at `host` and `port`."""
    return f"http://[{host}]:{port}{ROOT}" if ":" in host else f"http://{host}:{port}{ROOT}"


def address_of(member: Member) -> tuple[str, int]:
    """Host and port of a member's API root."""
    parts = urlsplit(member.url)
    assert parts.hostname is not None, "a member's url is an API root"
    assert parts.port is not None, "an API root names its port"
    return parts.hostname, parts.port


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address. A host name other than `localhost` may mean anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_unspecified(host: str) -> bool:
    """Whether an address stands for all of this machine's (`0.0.0.0`, `::`), and so names none to others."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def read_instances(path: Path) -> Instances:
    """The members that a file lists. Raises ConfigError with every problem, each naming the file and the entry."""
    entries = _entries(path)
    problems: list[Problem] = []
    members: list[Member] = []
    keys: dict[str, tuple[str, ...]] = {}
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        if len(problems) >= MOST_PROBLEMS:
            break
        name = entry.get("id") if isinstance(entry, dict) else None
        where = f"{path}: entry {number}" + (f" ({short(name)})" if isinstance(name, str) else "")
        if not isinstance(entry, dict):
            problems.append(Problem(where, short(json.dumps(entry)), 'an object {"id": ..., "url": ...}'))
            continue
        faults = list(islice(_faults(where, entry), MOST_PROBLEMS))
        problems += faults
        if faults:
            continue
        root = api_root(entry["url"])
        for text, shown in ((entry["id"], f'id = "{entry["id"]}"'), (root, short(f'url = "{entry["url"]}"'))):
            if text in seen:
                problems.append(Problem(where, shown, f"another one: entry {seen[text]} has it already"))
            seen.setdefault(text, number)
        members.append(Member(entry["id"], root, entry.get("protocol", PROTOCOL)))
        if entry.get("publicKeys"):
            keys[entry["id"]] = tuple(entry["publicKeys"])
    if problems:
        raise ConfigError(problems)
    return Instances(tuple(sorted(members)), keys)


def _entries(path: Path) -> list[object]:
    """The file as a list. Raises ConfigError when it is none."""
    expected = 'a list of {"id": ..., "url": ...}'
    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError([Problem(str(path), error.strerror or str(error), f"a file with {expected}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [Problem(str(path), f"byte {error.start} is not UTF-8", f"UTF-8 text, {expected}")]
        ) from error
    problems: list[Problem] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name, times in Counter(names).items() if times > 1)
            where = f"{path}: entry of {short(str(entry['id']))}" if "id" in entry else str(path)
            problems.append(Problem(where, f'"{short(twice)}" more than once', "each field once"))
        return entry

    try:
        found = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(f"{path}:{error.lineno}", f"not JSON ({error.msg})", expected)]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(str(path), unreadable(error), expected)]) from error
    if problems:
        raise ConfigError(problems)
    if not isinstance(found, list):
        raise ConfigError([Problem(str(path), f"{_json_type(found)} at the top", expected)])
    return found


def _faults(where: str, entry: dict[str, object]) -> Iterable[Problem]:
    """What is wrong with one entry by itself."""
    for name in sorted(entry.keys() - set(_FIELDS)):
        yield Problem(where, f'unknown field "{short(name)}"', nearest(name, _FIELDS))
    id_, url, protocol = entry.get("id"), entry.get("url"), entry.get("protocol", PROTOCOL)
    if not isinstance(id_, str) or not is_id(id_):
        yield Problem(where, _shown("id", entry), ID_RULE)
    if not isinstance(url, str):
        yield Problem(where, _shown("url", entry), URL_RULE)
    else:
        try:
            api_root(url)
        except ValueError as error:
            yield Problem(where, _shown("url", entry), str(error))
    if protocol not in _PROTOCOLS:
        yield Problem(where, _shown("protocol", entry), " or ".join(f'"{known}"' for known in _PROTOCOLS))
    keys = entry.get("publicKeys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        yield Problem(where, _shown("publicKeys", entry), "a list of public keys in base64")
        return
    for number, key in enumerate(keys, 1):
        try:
            parse_public(key)
        except KeyProblem as error:
            yield Problem(where, f"publicKeys, key {number}: {error.found}", error.expected)


def _shown(field: str, entry: dict[str, object]) -> str:
    return f"{field} = {json.dumps(entry[field], ensure_ascii=False)[:80]}" if field in entry else f"no {field}"


def _json_type(value: object) -> str:
    return {dict: "an object", str: "a text", bool: "a truth value", type(None): "null"}.get(type(value), "a number")
