"""What a person has chosen: `config.toml` in the configuration folder, beside `contexts.toml`.

theme = "iwdc-dark"
language = "en"
mouse = true
refresh_s = 1.0

[keys]
"app.quit" = "Q"

A value that cannot be used takes its default and is told of. A file with comments is a person's own work and is never
written.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from iwdc_console import contexts, locale
from iwdc_console.tui.notice import Notice
from node.documents import fault, parse_toml, read_text

FILE_NAME = "config.toml"
MIN_REFRESH_S, MAX_REFRESH_S = 0.2, 60.0
THEME, THEME_16 = "iwdc-dark", "ansi-16"
MANY_COLOURS = ("256color", "kitty")
"""Ends of the names of terminals that have more than sixteen; on all others Rich paints in sixteen."""
_TOKEN = re.compile(r'"""(?:\\.|.)*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|(#)', re.DOTALL)
"""The strings of TOML, or a `#` outside of them: the beginning of a comment."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`refresh_s` is the pause between two polls. `keys` maps ids of actions to the keys chosen for them."""

    theme: str = THEME
    language: str = locale.DEFAULT
    mouse: bool = True
    refresh_s: float = 1.0
    keys: Mapping[str, str] = field(default_factory=dict)


def path() -> Path:
    """Where the settings are kept."""
    return contexts.path().parent / FILE_NAME


def load(environment: Mapping[str, str] = os.environ) -> tuple[Settings, tuple[Notice, ...]]:
    """The settings, and what is wrong with the file. What it does not say follows the terminal, or is the default."""
    file = path()
    default = Settings(theme=_theme_for(environment), language=locale.from_environment(environment))
    try:
        content = parse_toml(read_text(file))
    except FileNotFoundError:
        return default, ()
    except (OSError, ValueError, RecursionError) as error:
        return default, (Notice("notice.settings.unreadable", {"file": file, "why": fault(error)}),)
    chosen: dict[str, object] = {}
    notices: list[Notice] = []
    for key, value in content.items():
        if key not in _CHECKS:
            notices.append(Notice("notice.settings.unknown", {"file": file, "key": key, "known": ", ".join(_CHECKS)}))
        elif (good := _CHECKS[key](value)) is None:
            expected = f"notice.settings.expected.{key}"
            notices.append(Notice(expected, {"file": file, "value": value, **_BOUNDS}))
        else:
            chosen[key] = good
    made = Settings(
        theme=str(chosen.get("theme", default.theme)), language=str(chosen.get("language", default.language)),
        mouse=bool(chosen.get("mouse", True)), refresh_s=float(str(chosen.get("refresh_s", default.refresh_s))),
        keys=_keys(content.get("keys")) or {},
    )  # fmt: skip
    return made, tuple(notices)


def save(key: str, value: str | bool | float) -> Notice | None:
    """Keep one setting; everything else in the file stays. What hinders it is returned."""
    import tomli_w

    file = path().resolve()  # a link stays one
    try:
        before = read_text(file) if file.exists() else ""
        line = tomli_w.dumps({key: value}).strip()
        if has_comments(before):
            return Notice("notice.settings.comments", {"file": file, "line": line})
        content = tomli_w.dumps(parse_toml(before) | {key: value})
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(content, encoding="utf-8")
        draft.replace(file)
    except (OSError, ValueError, RecursionError) as error:
        return Notice("notice.settings.unwritable", {"file": file, "why": fault(error)})
    return None


def has_comments(content: str) -> bool:
    """Whether a TOML document has a comment anywhere."""
    return any(found.group(1) for found in _TOKEN.finditer(content))


def _theme_for(environment: Mapping[str, str]) -> str:
    """The default theme of a terminal, by its own word on how many colours it has, as Rich takes it."""
    if environment.get("COLORTERM", "").strip().casefold() in ("truecolor", "24bit"):
        return THEME
    terminal = environment.get("TERM", "").casefold()
    return THEME if not terminal or terminal.rpartition("-")[2] in MANY_COLOURS else THEME_16


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _language(value: object) -> str | None:
    return value if isinstance(value, str) and value in locale.LANGUAGES else None


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _seconds(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return float(str(value)) if good and MIN_REFRESH_S <= float(str(value)) <= MAX_REFRESH_S else None


def _keys(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict) or not all(isinstance(keys, str) and keys for keys in value.values()):
        return None
    return value


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "theme": _text,
    "language": _language,
    "mouse": _bool,
    "refresh_s": _seconds,
    "keys": _keys,
}
"""What each key's value must be: the value itself if it is good, or else None."""
_BOUNDS = {"least": f"{MIN_REFRESH_S:g}", "most": f"{MAX_REFRESH_S:g}", "languages": ", ".join(locale.LANGUAGES)}
