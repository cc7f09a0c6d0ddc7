"""Every code a node gives has words in the console."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

import node
from iwdc_console.locale import table
from iwdc_console.tui.model import codes, outcome
from node.artifacts import errors
from node.artifacts.errors import ContentError, reason_of
from node.observability.metrics import METRICS
from node.protocol.requests import Accepted, LockReleased
from node.runtime.content.keeper import Unfit
from node.runtime.content.pull import Unserved


@cache
def calls() -> list[ast.Call]:
    """All of the node's calls of functions that have a name."""
    return [
        call
        for file in Path(node.__file__).parent.rglob("*.py")
        if "simulation" not in file.parts
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    ]


def given(function: str, at: int, name: str) -> Iterator[str]:
    """The words that calls of a function give for one of its arguments."""
    for call in calls():
        assert isinstance(call.func, ast.Name)
        if call.func.id == function:
            arguments = [*call.args[at : at + 1], *(each.value for each in call.keywords if each.arg == name)]
            for inner in (inner for each in arguments for inner in ast.walk(each)):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.value


def kinds(of: type[Exception]) -> Iterator[type[Exception]]:
    for each in of.__subclasses__():
        yield each
        yield from kinds(each)


def test_metrics() -> None:
    assert {spec.name: spec.help for spec in METRICS} == {name: table("en")[f"metric.{name}"] for name in codes.METRICS}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (LockReleased("shelf", 3, already=False), "shelf is released."),
        (LockReleased("shelf", None, already=True), "shelf was free already."),
        (Accepted("in the node's words", "hands_over", "instance-B"), "Leadership is handed over to instance-B."),
        (Accepted("in the node's words"), "Done."),
    ],
)
def test_what_came_of_an_order(data: LockReleased | Accepted, words: str) -> None:
    assert outcome.taken(msgspec.to_builtins(data)) == words


def test_what_is_wrong_with_a_request() -> None:
    problems = {*given("Refusal", 7, "problem"), *given("bad_request", 2, "problem")}
    assert {"too_long", "bad_version", "no_sha256"} <= problems, "the test finds them"
    assert problems <= set(outcome.WRONG)


def test_what_is_wrong_with_content() -> None:
    reasons = {reason_of(kind("why")) for kind in kinds(ContentError) if kind.__module__ == errors.__name__ and
               kind.__init__ is Exception.__init__}  # fmt: skip
    with_figures = {"bad_path", "too_much", "no_space", "bad_content", "bad_blocks", "vetoed"}
    assert {"content_missing", "older_version"} <= reasons
    jobs = {*given("JobFailed", 0, "reason"), *given("NotStaged", 0, "reason")}
    assert {"not_staged", "damaged"} <= jobs
    assert {*reasons, *with_figures, reason_of(Unfit()), reason_of(Unserved()), *jobs} <= {
        *codes.CONTENT, *outcome.REFUSED, "would_be_rejected", "maybe",
    }  # fmt: skip


def test_why_a_vote_is_no_accept() -> None:
    source = Path(node.__file__).parent / "protocol" / "voting.py"
    judged = {
        word.value
        for each in ast.walk(ast.parse(source.read_text()))
        if isinstance(each, ast.Return) and isinstance(each.value, ast.Tuple | ast.Constant | ast.IfExp)
        for word in ast.walk(each.value)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }
    assert {"clock_ahead", "unknown_base"} <= judged
    assert judged - {""} <= set(codes.VOTES)
