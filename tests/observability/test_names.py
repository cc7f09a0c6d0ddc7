"""Whoever counts uses the listed names (seed 12): read from the source, so that none waits for its moment."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import node
from node.observability.metrics import METRICS

SOURCE = Path(node.__file__).parent
LABELS = {spec.name: set(spec.labels) for spec in METRICS}


@cache
def _trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}


def _calls(method: str) -> Iterator[tuple[str, str, set[str]]]:
    """Where, first argument and keywords of every `x.method("NAME", ...)` in the engine."""
    for path, tree in _trees().items():
        for call in ast.walk(tree):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == method
                and call.args
                and isinstance(call.args[0], ast.Constant)
                and isinstance(call.args[0].value, str)
            ):
                where = f"{path.relative_to(SOURCE)}:{call.lineno}"
                yield where, call.args[0].value, {word.arg for word in call.keywords if word.arg}


@pytest.mark.parametrize("method", ["count", "gauge", "observe"])
def test_every_metric_in_the_source_is_listed_with_its_labels(method: str) -> None:
    used = [call for call in _calls(method) if call[1].startswith("distributed_")]
    assert [(where, name, labels) for where, name, labels in used if labels - {"n"} != LABELS.get(name)] == []
