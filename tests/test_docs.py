"""What the documents say exists: commands, links, metrics, the rules that code cites."""

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from iwdc_console.cli.commands import COMMANDS, load
from iwdc_console.cli.exits import Exit
from node.config import KEYS
from node.observability.metrics import METRICS, MetricSpec
from node.protocol.settings import Limits

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if "://" not in target:
                yield document, target


def _commands() -> Iterator[tuple[str, str]]:
    """Every command line in the documents: its first word and, where there is one, the second."""
    for document in DOCUMENTS:
        yield from re.findall(r"iwdc-distributed ([a-z-]+)(?: ([a-z-]+))?\b", document.read_text())


def test_every_link_leads_somewhere() -> None:
    broken = []
    for document, target in _links():
        name, _, anchor = target.partition("#")
        found = document.parent / name if name else document
        if not found.exists() or (anchor and anchor not in _anchors(found)):
            broken.append(f"{document.name}: {target}")
    assert broken == []


def test_every_command_in_the_documents_exists() -> None:
    mentioned = set(_commands())
    assert {first for first, _ in mentioned} <= COMMANDS.keys()
    for first, second in mentioned:
        below = getattr(load(first), "commands", None)
        if second and below:
            assert second in below, f"{first} {second}"


def test_every_option_in_the_documents_exists() -> None:
    wrong, checked = [], 0
    for document in DOCUMENTS:
        for line in re.findall(r"iwdc-distributed ([^`\n]*)", document.read_text()):
            first, *words = re.split(r"\s{4,}| -- ", line)[0].split() or [""]
            if first in COMMANDS:
                given = [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)]
                known = _options(first, words[0] if words else "")
                wrong += [f"{document.name}: {first} {option}" for option in given if option not in known]
                checked += len(given)
    assert checked > 40
    assert wrong == []


def _options(name: str, below: str) -> set[str]:
    command = load(name)
    command = getattr(command, "commands", {}).get(below, command)
    return {"-h", "--help", *(spelling for each in command.params for spelling in each.opts)}


def test_every_key_in_the_documents_exists() -> None:
    named = {found for document in DOCUMENTS for found in re.findall(r"`\[(\w+)\] (\w+)", document.read_text())}
    assert ("quorum", "rule") in named
    assert [(section, key) for section, key in named if key not in KEYS.get(section, ())] == []


def test_the_defaults_of_limits_are_what_the_code_has() -> None:
    limits, told = asdict(Limits()), dict[str, int]()
    for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([\d, ]+) \|", OPERATIONS, re.MULTILINE):
        keys = re.findall(r"`(\w+)`", names)
        if keys[0] in limits:
            told |= dict(zip(keys, (int(value.replace(",", "")) for value in values.split(", ")), strict=True))
    assert len(told) > 10
    assert told == {key: limits[key] for key in told}


def test_the_readme_shows_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"[` ]{name}[` ]", readme)] == []


def test_the_readmes_python_is_python() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert ast.parse(code).body


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.name)
def test_every_metric_is_explained(spec: MetricSpec) -> None:
    names = f"`{spec.name}`", f"`{re.sub(r'^distributed_[a-z]+', '...', spec.name)}`"
    rows = [line.split("|") for line in OPERATIONS.splitlines() if line.startswith("| `distributed_")]
    assert [re.findall(r"`(\w+)`", row[2]) for row in rows if any(name in row[1] for name in names)] == [[*spec.labels]]


def test_every_room_of_the_house_is_on_its_plan() -> None:
    plan = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path for path in (ROOT / "node").rglob("*.py") if "simulation" not in path.parts]
    rooms += (ROOT / "iwdc_console").glob("*.py")
    missing = [str(path.relative_to(ROOT)) for path in rooms if not re.search(rf"\b{path.name}\b", plan)]
    assert [name for name in missing if not name.endswith("__init__.py")] == []


def test_every_exit_code_is_explained() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", OPERATIONS, re.MULTILINE)} == {int(code) for code in Exit}


def test_every_rule_that_code_cites_stands_in_the_protocol() -> None:
    rules = set(re.findall(r"^- \*\*([A-Z]\d)\*\*", PROTOCOL, re.MULTILINE))
    cited = set()
    for path in (ROOT / "node").rglob("*.py"):
        for inside in re.findall(r"\(([A-Z]\d(?:, [A-Z]\d)*)\)", path.read_text()):
            cited |= set(inside.split(", "))
    assert cited
    assert cited - rules == set()
