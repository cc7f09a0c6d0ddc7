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
from iwdc_console.tui.app import Console
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
    typed = words("".join(key for _, keys in round.stations for key in keys if len(key) == 1))
    known = {word.casefold() for word in words(told) | AS_THEY_ARE | words(default_owner()) | typed}

    async def look(app: Console, pilot: Pilot[Any]) -> None:
        """What lies over a screen may cut a word at either end."""
        for word in words(re.sub(r"http\S+", "", shown(app))):
            part = word.casefold()
            assert any(one.startswith(part) or one.endswith(part) for one in known), f"not translated: {word}"

    visit(round, look, language=ALPHABET)
