"""Words on screen in the language of the person: `text("overview.left", time="4 s")`.

The words are in one TOML file per language, of which a section is read when a word of it is first needed: the first
screen needs a third of them. A table with the forms `one`, `few`, `many` or `other` is a plural: the value `count`
chooses the form, by the rules of the language (CLDR).
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

LANGUAGES: Mapping[str, str] = {"en": "English", "ru": "Русский"}
"""Each language by its code, in its own words."""
DEFAULT = "en"
FORMS = frozenset({"one", "few", "many", "other"})
Words = str | Mapping[str, str]

_HEADING = re.compile(r"^\[([\w.]+)\]$", re.MULTILINE)
_known: dict[str, dict[str, Words]] = {code: {} for code in LANGUAGES}
_language = DEFAULT


def text(key: str, /, **values: object) -> str:
    """The words for `key` with `values` in their places. Raises `KeyError` for an unknown key: our own mistake."""
    known = _known[_language]
    if key not in known:
        _read_for(_language, key)
    words = known[key]
    if not isinstance(words, str):
        words = words[_PLURALS[_language](int(str(values["count"])))]
    return words.format(**values)


def number(value: float, places: int = 0, *, signed: bool = False, grouped: bool = True) -> str:
    """A number as the language writes it: `4,812.5`, `4 812,5`."""
    return f"{value:{'+' if signed else ''}{',' if grouped else ''}.{places}f}".translate(_NUMBERS[_language])


def language() -> str:
    """The code of the language in use."""
    return _language


def set_language(code: str) -> None:
    """Speak this language from now on. Raises `KeyError` for one that is not in `LANGUAGES`."""
    global _language
    LANGUAGES[code]
    _language = code


def from_environment(environment: Mapping[str, str]) -> str:
    """The language that the terminal is set to, if it is one of ours, or else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            code = environment[name][:2].casefold()
            return code if code in LANGUAGES else DEFAULT
    return DEFAULT


def table(code: str) -> Mapping[str, Words]:
    """All words of a language by key."""
    for heading in tuple(_unread(code)):
        _read(code, heading)
    return _known[code]


def _read_for(code: str, key: str) -> None:
    heading = key
    while heading := heading.rpartition(".")[0]:
        _read(code, heading)


def _read(code: str, heading: str) -> None:
    _flatten(f"{heading}.", tomllib.loads(_unread(code).pop(heading, "")), _known[code])


@cache
def _unread(code: str) -> dict[str, str]:
    """The sections of a language's file that are not read yet, by their headings."""
    _, *parts = _HEADING.split(Path(__file__).with_name(f"{code}.toml").read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _flatten(prefix: str, content: Mapping[str, object], into: dict[str, Words]) -> None:
    for name, value in content.items():
        if not isinstance(value, dict):
            into[prefix + name] = str(value)
        elif value and value.keys() <= FORMS:
            into[prefix + name] = value
        else:
            _flatten(f"{prefix}{name}.", value, into)


def _english(count: int) -> str:
    return "one" if count == 1 else "other"


def _russian(count: int) -> str:
    """1, 21: one; 2-4, 22-24: few; 5-20, 11-14: many."""
    tens, units = abs(count) % 100, abs(count) % 10
    if units == 1 and tens != 11:
        return "one"
    return "few" if 2 <= units <= 4 and not 12 <= tens <= 14 else "many"


_PLURALS: Mapping[str, Callable[[int], str]] = {"en": _english, "ru": _russian}
_NUMBERS: Mapping[str, Mapping[int, str]] = {"en": {}, "ru": str.maketrans({",": " ", ".": ","})}
