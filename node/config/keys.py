"""Every key of `node.toml`, and what each takes. Durations are seconds; the defaults stand in the settings."""

import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from node.artifacts.limits import ContentLimits, Role
from node.config.instances import ID_RULE, is_id
from node.protocol.settings import Limits, Rule, Strategy, Timing

HashFormat = Literal["any", "sha256"]
LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["text", "json"]


class Unfit(Exception):
    """A value that its key cannot take; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given, and where. Relative paths start at `folder`.

    `text`: it came from outside TOML, so a number or a truth value is still spelled out.
    """

    value: object
    where: str
    folder: Path
    text: bool


Read = Callable[[Given], object]
"""Turns what was given into the key's value. Raises Unfit."""


def _number(expected: str, accepts: Callable[[float], bool]) -> Read:
    def read(given: Given) -> float:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, (int, float, str) if given.text else (int, float)):
            raise Unfit(expected)
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise Unfit(expected) from None
        if not math.isfinite(number) or not accepts(number):
            raise Unfit(expected)
        return number

    return read


MOST: Final = 10**18
"""More of anything than there is, and less than 64 bits hold."""


def _count(given: Given) -> int:
    value = given.value
    if given.text and isinstance(value, str) and re.fullmatch(r"[0-9]{1,100}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unfit("a whole number from 1")
    if value > MOST:
        raise Unfit(f"at most {MOST}")
    return value


def _flag(given: Given) -> bool:
    value = given.value
    if given.text and isinstance(value, str):
        value = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(value.lower())
    if not isinstance(value, bool):
        raise Unfit("true or false")
    return value


def _choice(words: tuple[str, ...]) -> Read:
    def read(given: Given) -> str:
        if not isinstance(given.value, str) or given.value not in words:
            raise Unfit(" or ".join(words))
        return given.value

    return read


def _id(given: Given) -> str:
    if not isinstance(given.value, str) or not is_id(given.value):
        raise Unfit(ID_RULE)
    return given.value


def _path(given: Given) -> Path:
    if not isinstance(given.value, str) or not given.value or "\0" in given.value:
        raise Unfit("a path")
    return given.folder / given.value


def _command(given: Given) -> tuple[str, ...]:
    expected = "a program and its arguments, quoted as for a shell"
    if not isinstance(given.value, str) or "\0" in given.value:
        raise Unfit(expected)
    try:
        words = tuple(shlex.split(given.value))
    except ValueError:
        raise Unfit(expected) from None
    if not words:
        raise Unfit(expected)
    return words


def _address(given: Given) -> tuple[str, int]:
    expected = "HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:3000"
    if not isinstance(given.value, str):
        raise Unfit(expected)
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})", given.value, re.ASCII)
    if found is None or not 0 < int(found[2]) < 65536:
        raise Unfit(expected)
    return found[1].strip("[]"), int(found[2])


def _endpoint(given: Given) -> str:
    expected = "http://HOST:PORT of an OTLP collector, such as http://127.0.0.1:4318"
    if not isinstance(given.value, str) or not given.value.isascii() or not given.value.isprintable():
        raise Unfit(expected)
    try:
        url = urlsplit(given.value)
        port = url.port
    except ValueError:
        raise Unfit(expected) from None
    if (
        url.scheme not in ("http", "https")
        or not url.hostname
        or port == 0
        or url.query
        or url.fragment
        or url.username
    ):
        raise Unfit(expected)
    return given.value


_seconds = _number("a number of seconds greater than 0", lambda value: value > 0)
_seconds_or_none = _number("a number of seconds from 0", lambda value: value >= 0)
_positive = _number("a number greater than 0", lambda value: value > 0)

KEYS: Final[Mapping[str, Mapping[str, Read]]] = {
    "node": {
        "id": _id,
        "cluster": _id,
        "listen": _address,
        "data_dir": _path,
        "instances": _path,
        "insecure": _flag,
    },
    "timing": {each.name: _seconds_or_none if each.name == "uptime_tolerance" else _seconds for each in fields(Timing)},
    "quorum": {"rule": _choice(get_args(Rule))},
    "conflicts": {"strategy": _choice(get_args(Strategy))},
    "content": {
        "root": _path,
        "role": _choice(get_args(Role)),
        "bandwidth_bytes_per_s": _count,
        "before_apply": _command,
        "after_apply": _command,
        "hook_timeout": _seconds,
        **{each.name: _count for each in fields(ContentLimits)},
    },
    "limits": {each.name: _count if each.type is int else _positive for each in fields(Limits)},
    "security": {
        "require_signatures": _flag,
        "hash_format": _choice(get_args(HashFormat)),
        "signing_key": _path,
    },
    "observability": {
        "log_level": _choice(get_args(LogLevel)),
        "log_format": _choice(get_args(LogFormat)),
        "log_file": _path,
        "trace_capacity": _count,
        "otlp_endpoint": _endpoint,
    },
}
"""`[security.keys]`, signer = public key or a list of them, comes beside these, from the file or `--set`."""
