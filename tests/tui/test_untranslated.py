"""Nothing on any screen is English by accident: spoken in an alphabet of its own, no other word of ours is seen."""

import json
import re
from collections.abc import Iterator, Mapping
from string import Formatter, ascii_letters
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from iwdc_console import locale
from iwdc_console.caller import default_owner
from iwdc_console.silence import REFUSED as REFUSED_WORD
from iwdc_console.tui.app import Console
from iwdc_console.tui.model import codes, outcome
from iwdc_console.tui.model.api import Prediction, Quorum
from iwdc_console.tui.model.draft import prediction_lines
from tests.tui.driving import shown
from tests.tui.prod_eu import events
from tests.tui.stations import ROUNDS, Round, visit, words

ALPHABET = "xx"
"""Its code among the languages: what is kept of what was said is kept by the language."""
LETTERS = str.maketrans(ascii_letters, "абвгдежзийклмнопрстуфхцчшщАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩ")
AS_THEY_ARE = {
    "iwdc", "distributed",  # our own name
    "esc", "pageup", "pagedown", "home", "end", "shift",  # keys
    "status", "context",  # a command
    "type", "level", "on", "trace", "alarm", "change", "routine",  # what events are chosen by
    "en", "ru", "overview", "csv",  # names that are typed
    "TERM", "SIGSTOP", "kill",
}  # fmt: skip


def alien(words: locale.Words) -> locale.Words:
    """The same in letters that nobody else uses; places stay as they are."""
    if not isinstance(words, str):
        return {form: str(alien(each)) for form, each in words.items()}
    made = ""
    for literal, name, spec, conversion in Formatter().parse(words):
        made += literal.replace("{", "{{").replace("}", "}}").translate(LETTERS)
        if name is not None:
            made += "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
    return made


@pytest.fixture(autouse=True)
def alphabet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The console speaks it."""
    spoken: Mapping[str, locale.Words] = {key: alien(value) for key, value in locale.table("en").items()}
    for by_language in (locale.LANGUAGES, locale._PLURALS, locale._NUMBERS):
        monkeypatch.setitem(by_language, ALPHABET, by_language["en"])
    monkeypatch.setitem(locale._known, ALPHABET, dict(spoken))
    locale.set_language(ALPHABET)
    yield
    locale.set_language("en")


def test_the_alphabet_itself() -> None:
    assert alien("{count} rows to {file!r}") == "{count} " + "rows to".translate(LETTERS) + " {file!r}"
    assert words("эта строка, instance-A") == {"instance"}


@pytest.mark.parametrize(
    "round",
    [
        pytest.param(round, id=round.name, marks=[pytest.mark.slow] if round.name.startswith("every screen, ") else [])
        for round in ROUNDS
    ],
)
def test_no_word_is_left_in_english(round: Round) -> None:
    told = json.dumps(msgspec.to_builtins([round.known(), events()], str_keys=True), ensure_ascii=False)
    told = re.sub(r"# HELP (\S+) .*?\\n", r"\1 ", told)  # what a metric counts, the console says itself
    typed = words(" ".join("".join(key for key in keys if len(key) == 1) for _, keys in round.stations))
    known = {word.casefold() for word in words(told) | AS_THEY_ARE | words(default_owner()) | typed}

    async def look(app: Console, pilot: Pilot[Any]) -> None:
        """What lies over a screen may cut a word at either end."""
        for word in words(re.sub(r"http\S+", "", shown(app))):
            part = word.casefold()
            assert any(one.startswith(part) or one.endswith(part) for one in known), f"not translated: {word}"

    visit(round, look, language=ALPHABET)


SAID = "node words in english"
REFUSED: dict[str, dict[str, Any]] = {
    **{reason: {"reason": reason, "given": 4, "current": 5} for reason in outcome.REFUSED},
    "held by somebody": {"reason": "held", "holder": {"owner": "ци-7"}},
    **{
        problem: {"reason": "bad_request", "problem": problem, "field": "version", "expected": "64"}
        for problem in outcome.WRONG
    },
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_no_refusal_is_left_in_the_nodes_english(data: dict[str, Any]) -> None:
    assert not words(outcome.refusal(data | {"detail": SAID}, SAID))


def test_what_has_no_word_stays_as_the_node_says_it() -> None:
    assert outcome.refusal({"reason": "of tomorrow", "detail": SAID}, "") == SAID
    assert outcome.refusal({"reason": "bad_request", "problem": "of tomorrow", "detail": SAID}, "") == SAID
    assert outcome.refusal("no object", SAID) == outcome.unheard(None, SAID) == SAID


@pytest.mark.parametrize("cause", outcome.UNHEARD)
def test_an_unknown_outcome_is_not_left_in_english(cause: str) -> None:
    assert not words(outcome.unheard({"reason": "maybe", "cause": cause, "detail": SAID}, SAID))
    assert not words(outcome.unheard({"reason": cause, "tried": [("н", REFUSED_WORD)]}, SAID))


@pytest.mark.parametrize(
    ("reason", "detail", "names"),
    [
        ("would_be_rejected", "version: stale_version; slots: conflicting_vote: слот", {"stale", "version"}),
        ("would_be_rejected", "too few would vote", set()),
        ("insufficient_quorum", "quorum: 1 of 2 needed are healthy", set()),
        ("queue_full", SAID, set()),
    ],
)
def test_no_failure_of_a_job_is_left_in_english(reason: str, detail: str, names: set[str]) -> None:
    assert words(outcome.failure(reason, detail)) <= names | {"conflicting", "vote"}


def test_no_dry_run_is_left_in_english() -> None:
    checks = dict.fromkeys(codes.CHECKS, "ok") | {"quorum": "1 of 2 needed are healthy", "version": "stale_version"}
    votes = {"а": "accept", "б": "reject: stale_version", "в": "no vote: unreachable", "г": "unknown"}
    found = Prediction(quorum=Quorum(3, 1, 2, False), checks=checks, votes=votes)
    said = "".join(piece for line in prediction_lines(found) for piece, _ in line)
    assert words(said) == {"stale", "version"}, "the word of the API"
