"""The house's own rules: the core is pure, imports go one way, themes hold colours."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROTOCOL = ROOT / "node" / "protocol"
MODULES = sorted(PROTOCOL.rglob("*.py"))

IMPURE_MODULES = frozenset(
    {
        "asyncio",
        "concurrent",
        "ctypes",
        "datetime",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "id", "hash", "breakpoint", "__import__"})
"""`id` and `hash` give other answers in every process, so what rests on them is not a function of its input."""
ALLOWED_LIBRARIES = frozenset({"msgspec"})


def offences(source: str) -> Iterator[str]:
    """What a module of the core must not do: clocks, randomness, asyncio, I/O, or anything of the node beyond it."""
    for found in ast.walk(ast.parse(source)):
        match found:
            case ast.Import():
                names = [alias.name for alias in found.names]
            case ast.ImportFrom(level=0, module=str(module)):
                names = [f"{module}.{alias.name}" for alias in found.names]
            case ast.Call(func=ast.Name(id=called)) if called in IMPURE_CALLS:
                yield f"line {found.lineno}: calls {called}()"
                continue
            case _:
                continue
        for name in names:
            top = name.partition(".")[0]
            if top == "node":
                if not name.startswith("node.protocol."):
                    yield f"line {found.lineno}: imports {name}, which is outside the core"
            elif top in IMPURE_MODULES:
                yield f"line {found.lineno}: imports {name}, which is not pure"
            elif top not in sys.stdlib_module_names and top not in ALLOWED_LIBRARIES:
                yield f"line {found.lineno}: imports {name}, which the core may not use"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PROTOCOL)))
def test_core_is_pure(module: Path) -> None:
    assert list(offences(module.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import random",
        "from asyncio import sleep as rest",
        "def f():\n    import socket",
        "from node.journal import Journal",
        "import node.runtime.driver",
        "from node import config",
        "import numpy",
        "open('x')",
        "print(1)",
        "hash('x')",
    ],
)
def test_impurity_is_found(source: str) -> None:
    assert len(list(offences(source))) == 1


@pytest.mark.parametrize(
    "source",
    ["from node.protocol.events import Event", "import msgspec", "from node.protocol import events", "import hashlib"],
)
def test_purity_is_let_pass(source: str) -> None:
    assert list(offences(source)) == []


def imported(source: str, modules: frozenset[str]) -> frozenset[str]:
    """Which of `modules` a source imports, anywhere in it and for types alone as well."""
    named: set[str] = set()
    for found in ast.walk(ast.parse(source)):
        match found:
            case ast.Import():
                named.update(alias.name for alias in found.names)
            case ast.ImportFrom(level=0, module=str(module)):
                whole = {f"{module}.{alias.name}" for alias in found.names}
                named |= (whole & modules) or {module}
    return modules & named


def circle(sources: Mapping[str, str]) -> list[str]:
    """Modules that import one another in a circle, by their sources; none: an empty list."""
    modules = frozenset(sources)
    graph = {module: imported(source, modules) for module, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def test_nothing_is_imported_in_a_circle() -> None:
    paths = [path for top in ("node", "iwdc_console", "bench") for path in (ROOT / top).rglob("*.py")]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    assert len(named) > 300
    # A package's face only hands names on; import-linter sees to it.
    rooms = {name: path.read_text(encoding="utf-8") for name, path in named.items() if not name.endswith("__init__")}
    assert circle(rooms) == []


def test_a_circle_is_found() -> None:
    for_types = "if TYPE_CHECKING:\n    from a.one import One"
    assert circle({"a.one": "import a.two", "a.two": "from a import three", "a.three": for_types})
    assert circle({"a.one": "def f():\n    from a.two import g", "a.two": "import a.one"})
    assert circle({"a.one": "import a.two", "a.two": "import a.three", "a.three": "import b"}) == []


def test_scripted_commands_never_load_the_console() -> None:
    """Start-up is part of the interface: a command must not load what only the console or the node needs."""
    code = (
        "import sys, iwdc_console.cli.main;"
        "print([m for m in ('textual', 'rich', 'msgspec', 'node.protocol') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_themes_name_the_same_colours() -> None:
    themes = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "themes").glob("*.toml")}
    assert {"iwdc-dark", "iwdc-light"} <= themes.keys()
    shapes = set()
    for stem, theme in themes.items():
        assert theme["name"] == stem
        tables = {section: table for section, table in theme.items() if isinstance(table, dict)}
        for table in tables.values():
            assert all(
                re.fullmatch(r"#[0-9a-f]{6}|ansi_[a-z_]+" if theme.get("ansi") else r"#[0-9a-f]{6}", colour)
                for colour in table.values()
            )
        shapes.add(tuple(sorted((section, key) for section, table in tables.items() for key in table)))
    assert len(shapes) == 1, "every theme has a colour for every meaning"
