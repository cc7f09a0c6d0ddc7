"""What the documents say exists: commands, links, metrics, the rules that code cites."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from iwdc_console.cli.commands import COMMANDS, load
from iwdc_console.cli.exits import Exit
from node.observability.metrics import METRICS

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


def test_the_readme_shows_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"[` ]{name}[` ]", readme)] == []


def test_the_readmes_python_is_python() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert ast.parse(code).body


@pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.name)
def test_every_metric_is_explained(spec: object) -> None:
    name = getattr(spec, "name", "")
    shortened = re.sub(r"^distributed_[a-z]+", "...", name)
    assert f"`{name}`" in OPERATIONS or f"`{shortened}`" in OPERATIONS


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
