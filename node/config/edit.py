"""Changes one key of a `node.toml` and nothing else: comments, order and spacing stay as they were."""

import fcntl
import json
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node.config.keys import KEYS, Given, Unfit
from node.config.load import load_config
from node.config.problems import ConfigError, Problem, nearest, short, shown, under_its_name, unreadable
from node.config.sources import key_lines
from node.documents import parse_toml, read_text

_LITERAL = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^#"'\[{]*?)(\s*(?:#.*)?)""")


class EditRefused(Exception):
    """The text cannot be changed safely; the message says what stands in the way."""


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Nobody else who takes turns changes a file of `folder` meanwhile. The folder is what is locked: nothing stays."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # what is done in it says what is wrong
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def set_in_file(path: Path, name: str, value: str) -> None:
    """Set `section.key`, or `security.keys.<signer>`, in a file that is valid afterwards, or leave it as it was.

    Raises ConfigError with what is wrong, EditRefused when only a person can make the change.
    """
    section, _, key = name.rpartition(".")
    literal = _literal(section, key, value)
    with in_turn(path.resolve().parent):
        _set_in_file(path, section, key, literal)


def _set_in_file(path: Path, section: str, key: str, literal: str) -> None:
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem(str(path), found, "a configuration file in UTF-8")]) from error
    changed = set_key(text, section, key, literal)
    real = path.resolve()  # a link stays one; what it says is read from where the link is
    draft, final = (each.with_name(f".{each.name}.{os.getpid()}") for each in (path, real))
    try:
        for each in (draft, final):
            each.write_text(changed, encoding="utf-8")
            each.chmod(real.stat().st_mode)
        load_config(draft, {}, {}, make_id=False)
        final.replace(real)
    except OSError as error:
        raise ConfigError([Problem(str(path), error.strerror or str(error), "a file that can be written")]) from error
    except ConfigError as error:
        raise ConfigError(under_its_name(error.problems, draft, path)) from error
    finally:
        draft.unlink(missing_ok=True)
        final.unlink(missing_ok=True)


def _literal(section: str, key: str, value: str) -> str:
    """The value as TOML writes it. Raises ConfigError when the key does not exist or cannot take it."""
    name = f"{section}.{key}" if section else key
    if not section:
        raise ConfigError([Problem(name, "no section", "SECTION.KEY, such as timing.lock_ttl")])
    if section == "security.keys" and key:
        return json.dumps(value)
    if section not in KEYS:
        raise ConfigError([Problem(short(name), f"unknown section [{short(section)}]", nearest(section, KEYS))])
    if key not in KEYS[section]:
        raise ConfigError([Problem(short(name), f"unknown key [{section}] {short(key)}", nearest(key, KEYS[section]))])
    try:
        read = KEYS[section][key](Given(value, name, Path(), text=True))
    except Unfit as unfit:
        raise ConfigError([Problem(name, shown(value), str(unfit))]) from unfit
    if isinstance(read, bool):
        return str(read).lower()
    if isinstance(read, int | float):
        return value.strip()
    return json.dumps(value)


def set_key(text: str, section: str, key: str, literal: str) -> str:
    """`text` with `[section] key` set to a TOML literal.

    The key's own line is changed; else a commented one under the same section comes alive; else a line is added.
    Raises EditRefused when the value spans lines, or when anything but this key would change.
    """
    before = _parse(text)
    lines = text.splitlines(keepends=True)
    where = key_lines(text)
    number = where.get(f"{section}.{key}")
    if number is None:
        number = _commented(lines, where.get(section), key)
    if number is not None:
        lines[number - 1] = _replaced(lines[number - 1], number, key, literal)
    elif section in where:
        lines.insert(where[section], f"{key} = {literal}\n")
    else:
        gap = "\n" if lines else ""
        lines.append(f"{gap}[{section}]\n{key} = {literal}\n")
        if len(lines) > 1 and not lines[-2].endswith("\n"):
            lines[-2] += "\n"
    changed = "".join(lines)
    if _parse(changed) != _with(before, section, key, tomllib.loads(f"x = {literal}")["x"]):
        raise EditRefused(f"setting [{section}] {key} would change more than this key")
    return changed


def _parse(text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise EditRefused(f"not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise EditRefused(unreadable(error)) from error


def _with(content: dict[str, Any], section: str, key: str, value: object) -> dict[str, Any]:
    """A copy of `content` with the key set."""
    head, _, rest = section.partition(".")
    table = content.get(head, {})
    return content | {head: _with(table, rest, key, value) if rest else table | {key: value}}


def _commented(lines: list[str], section_line: int | None, key: str) -> int | None:
    """The line of `# key = ...` under the section, from 1."""
    if section_line is None:
        return None
    for number in range(section_line + 1, len(lines) + 1):
        line = lines[number - 1]
        if re.match(r"\s*\[", line):
            return None
        if re.match(rf"\s*#\s*{re.escape(key)}\s*=", line):
            return number
    return None


def _replaced(line: str, number: int, key: str, literal: str) -> str:
    """The line with another value, alive, and with the comment behind it."""
    head, _, tail = line.rstrip("\r\n").partition("=")
    value = _LITERAL.fullmatch(tail.strip())
    if value is None:
        raise EditRefused(f"line {number}: the value of {key} is not a plain one on one line")
    ending = line[len(line.rstrip("\r\n")) :] or "\n"
    alive = re.sub(r"^(\s*)#\s*", r"\1", head)
    return f"{alive}= {literal}{value[2]}{ending}"
