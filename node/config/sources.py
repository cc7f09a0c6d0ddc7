"""Where settings come from: `node.toml`, the environment, `--set` and flags, gathered by precedence."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from node.config.keys import KEYS, Given, Unfit
from node.config.problems import MOST_PROBLEMS, ConfigError, Problem, nearest, resembles, short, shown, unreadable
from node.documents import parse_toml, read_text
from node.security.keys import KeyProblem, parse_public

FLAGS: Final = {
    "id": "node.id",
    "listen": "node.listen",
    "data_dir": "node.data_dir",
    "instances": "node.instances",
    "insecure": "node.insecure",
}
"""Flags of the command line that stand for a key."""

_VARIABLE = re.compile(r"IWDC_([^_]+)_(.+)")
_NAME = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_SECTION = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


def key_lines(text: str) -> dict[str, int]:
    """Where each `section` and `section.key` of a TOML text stands: its line, from 1. `tomllib` does not tell."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _SECTION.fullmatch(line):
            section = _undecorated(found[1])
            lines.setdefault(section, number)
        elif found := _KEY.match(line):
            lines.setdefault(f"{section}.{_undecorated(found[1])}".lstrip("."), number)
    return lines


def _undecorated(dotted: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_NAME, dotted))


class Sources:
    """What was given for each `section.key`, and all that is wrong with it. Later sources take the place of earlier."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.public_keys: dict[str, tuple[str, ...]] = {}
        self._given: dict[str, Given] = {}
        self._keys_at: dict[str, str] = {}

    def file(self, path: Path) -> None:
        """Take in a `node.toml`."""
        try:
            text = read_text(path)
            content = parse_toml(text)
        except OSError as error:
            self._problem(str(path), error.strerror or str(error), "a configuration file that can be read")
            return
        except UnicodeDecodeError as error:
            self._problem(str(path), f"byte {error.start} is not UTF-8", "TOML in UTF-8")
            return
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"\(at line (\d+), column \d+\)", str(error))
            at = f"{path}:{line[1]}" if line else str(path)
            self._problem(at, str(error).partition(" (at ")[0], "TOML: key = value lines under [section]")
            return
        except (ValueError, RecursionError) as error:
            self._problem(str(path), unreadable(error), "TOML: key = value lines under [section]")
            return
        lines = key_lines(text)

        def where(name: str) -> str:
            return f"{path}:{lines[name]}" if name in lines else str(path)

        for section, table in content.items():
            if not isinstance(table, dict):
                self._problem(where(section), f"{section} = {shown(table)}", "every key to stand in a [section]")
            elif section not in KEYS:
                self._problem(where(section), f"unknown section [{short(section)}]", nearest(section, KEYS))
            else:
                for key, value in table.items():
                    if (section, key) == ("security", "keys"):
                        self._take_public_keys(value, where)
                    else:
                        at = where(f"{section}.{key}")
                        self.give(f"{section}.{key}", Given(value, at, path.parent, text=False))

    def environment(self, environ: Mapping[str, str]) -> None:
        """Take in `IWDC_<SECTION>_<KEY>`; an empty value counts as none, and a slip in the section is told."""
        for variable, value in sorted(environ.items()):
            found = _VARIABLE.fullmatch(variable)
            if found is None or not value:
                continue
            section = found[1].lower()
            if section in KEYS or resembles(section, KEYS):
                self.give(f"{section}.{found[2].lower()}", Given(value, variable, Path(), text=True))

    def sets(self, assignments: Sequence[str]) -> None:
        """Take in `--set section.key=value`."""
        for assignment in assignments:
            name, equals, value = (part.strip() for part in assignment.partition("="))
            signer = name.removeprefix("security.keys.")
            if not equals or "." not in name:
                self._problem(f"--set {short(assignment)}", "no assignment", "section.key=value")
            elif signer != name:
                self._take_public_keys({signer: value}, "--set {}".format)
            else:
                self.give(name, Given(value, f"--set {short(name)}", Path(), text=True))

    def flags(self, flags: Mapping[str, str]) -> None:
        """Take in those flags that stand for a key."""
        for flag, name in FLAGS.items():
            if flag in flags:
                self.give(name, Given(flags[flag], f"--{flag.replace('_', '-')}", Path(), text=True))

    def give(self, name: str, given: Given) -> None:
        """Take one value for `section.key`."""
        section, _, key = name.partition(".")
        if section not in KEYS:
            self._problem(given.where, f"unknown section [{short(section)}]", nearest(section, KEYS))
        elif key not in KEYS[section]:
            self._problem(given.where, f"unknown key [{section}] {short(key)}", nearest(key, KEYS[section]))
        else:
            self._given[name] = given

    def where(self, name: str) -> str | None:
        """Where `section.key` was given, None when it was not."""
        return self._given[name].where if name in self._given else None

    def wrong(self, name: str, expected: str, value: object = None) -> None:
        """Note that the value of `section.key` does not fit; `value` is the default's where none was given."""
        section, _, key = name.partition(".")
        given = self._given.get(name)
        where, found = (given.where, given.value) if given else ("defaults", value)
        self._problem(where, f"[{section}] {key} = {shown(found)}", expected)

    def values(self) -> dict[str, dict[str, Any]]:
        """What was given, as section -> key -> value. What does not fit becomes a problem and is left out."""
        values: dict[str, dict[str, Any]] = {section: {} for section in KEYS}
        for name, given in self._given.items():
            section, _, key = name.partition(".")
            try:
                values[section][key] = KEYS[section][key](given)
            except Unfit as unfit:
                self.wrong(name, str(unfit))
        return values

    def names(self) -> dict[str, str]:
        """`section.key` -> where it was given."""
        return {name: given.where for name, given in sorted(self._given.items())} | self._keys_at

    def check(self) -> None:
        """Raises ConfigError when anything was wrong."""
        if self.problems:
            raise ConfigError(self.problems)

    def _problem(self, where: str, found: str, expected: str) -> None:
        self.problems.append(Problem(where, found, expected))
        if len(self.problems) == MOST_PROBLEMS:
            self.check()

    def _take_public_keys(self, table: object, where: Callable[[str], str]) -> None:
        if not isinstance(table, dict):
            self._problem(where("security.keys"), f"[security] keys = {shown(table)}", "a table: signer = public key")
            return
        for signer, value in table.items():
            at, name = where(f"security.keys.{signer}"), f"[security.keys] {signer}"
            texts = value if isinstance(value, list) else [value]
            if not texts or not all(isinstance(text, str) for text in texts):
                self._problem(at, f"{name} = {shown(value)}", "a public key in base64, or a list of them")
                continue
            for text in texts:
                try:
                    parse_public(text)
                except KeyProblem as error:
                    self._problem(at, f"{name} = {shown(text)}: {error.found}", error.expected)
            self.public_keys[signer] = tuple(texts)
            self._keys_at[f"security.keys.{signer}"] = at
