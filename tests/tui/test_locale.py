"""Words: both languages are complete, every word is used, every use has a word, plurals are right."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

from iwdc_console import locale
from iwdc_console.locale import table, text

CODE = Path(locale.__file__).parents[1]
EN, RU = table("en"), table("ru")


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    locale.set_language("en")


def placeholders(words: locale.Words) -> set[str]:
    forms = [words] if isinstance(words, str) else list(words.values())
    return {name for form in forms for _, name, _, _ in Formatter().parse(form) if name is not None}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    assert EN.keys() == RU.keys()
    assert {key: placeholders(words) for key, words in EN.items()} == {
        key: placeholders(words) for key, words in RU.items()
    }


@pytest.mark.parametrize(("code", "forms"), [("en", {"one", "other"}), ("ru", {"one", "few", "many"})])
def test_plurals_have_every_form_of_their_language_and_a_count(code: str, forms: set[str]) -> None:
    for key, words in table(code).items():
        if not isinstance(words, str):
            assert words.keys() == forms, key
            assert words.keys() == {"one", "other"} or "count" in placeholders(words), key


def strings_of(node: ast.AST) -> Iterator[str]:
    """Every string in a piece of code, as a pattern: what is filled in may be anything."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(re.escape(str(one.value)) if isinstance(one, ast.Constant) else ".+" for one in node.values)
    for part in node.values if isinstance(node, ast.JoinedStr) else ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(part, ast.Constant)):
            yield from strings_of(part)


def calls_of_text(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("text", "Notice"):
            yield node


@cache
def trees() -> Mapping[Path, ast.AST]:
    """The code that speaks."""
    return {file: ast.parse(file.read_text()) for file in [*CODE.glob("tui/**/*.py"), *CODE.glob("*.py")]}


def test_every_text_asked_for_exists() -> None:
    asked = {(file, pattern) for file, tree in trees().items() for call in calls_of_text(tree)
             for pattern in (strings_of(call.args[0]) if call.args else ())}  # fmt: skip
    assert len(asked) > 50, "the test finds the calls"
    for file, pattern in asked:
        if "." in pattern:
            assert any(re.fullmatch(pattern, key) for key in EN), f"{file.name}: {pattern}"


def test_no_text_is_there_for_nothing() -> None:
    patterns = {
        pattern for tree in trees().values() for pattern in strings_of(tree)
        if re.match(r"[a-z_]+(\\?\.)", pattern)
    }  # fmt: skip
    unused = [key for key in EN if not any(re.fullmatch(pattern, key) for pattern in patterns)]
    assert unused == []


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 строк записано"), (1, "1 строка записана"), (2, "2 строки записаны"), (4, "4 строки"), (5, "5 строк "),
     (11, "11 строк "), (12, "12 строк "), (14, "14 строк "), (21, "21 строка"), (22, "22 строки"), (25, "25 строк "),
     (111, "111 строк "), (101, "101 строка")],
)  # fmt: skip
def test_russian_counts(count: int, words: str) -> None:
    locale.set_language("ru")
    assert text("export.done", count=count, file="f").startswith(words)


def test_english_counts_and_switching() -> None:
    assert text("export.done", count=1, file="f") == "1 row written to f"
    assert text("export.done", count=0, file="f") == "0 rows written to f"
    locale.set_language("ru")
    assert (locale.language(), text("frame.quorum")) == ("ru", "quorum")
    with pytest.raises(KeyError):
        locale.set_language("xx")
    with pytest.raises(KeyError):
        text("no.such.key")


def test_values_are_never_read_as_places() -> None:
    assert text("app.no_such_command", word="{0} {x}") == "no command {0} {x}"


@pytest.mark.parametrize(
    ("environment", "code"),
    [({}, "en"), ({"LANG": "ru_RU.UTF-8"}, "ru"), ({"LC_ALL": "C", "LANG": "ru_RU"}, "en"), ({"LANG": "de_DE"}, "en"),
     ({"LC_ALL": "", "LANG": "ru"}, "ru")],
)  # fmt: skip
def test_the_terminals_language(environment: dict[str, str], code: str) -> None:
    assert locale.from_environment(environment) == code
