"""Which nodes a command talks to, and the file of named contexts."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from iwdc_console import contexts
from iwdc_console.cli.exits import Failure
from iwdc_console.cli.target import connect, node_urls
from iwdc_console.client import DEFAULT_NODE
from iwdc_console.contexts import ContextError, Contexts


@pytest.fixture(autouse=True)
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("IWDC_NODE", raising=False)
    return contexts.path()


SAVED = Contexts("prod", {"prod": ("http://a:1", "http://b:1"), "lab": ("http://c:1",)})


def test_what_is_saved_is_loaded() -> None:
    assert contexts.load() == Contexts()
    contexts.save(SAVED)
    assert contexts.load() == SAVED


def test_a_link_to_the_file_stays_one(file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    file.parent.mkdir(exist_ok=True)
    file.symlink_to(kept)
    contexts.save(SAVED)
    assert file.is_symlink()
    assert contexts.load() == SAVED
    assert kept.exists()


def test_order_of_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert node_urls(None, None) == (DEFAULT_NODE,)
    contexts.save(SAVED)
    assert node_urls(None, None) == ("http://a:1", "http://b:1")
    monkeypatch.setenv("IWDC_NODE", "http://d:1, http://e:1,")
    assert connect(node_urls(None, None), None).nodes == ("http://d:1", "http://e:1")
    assert node_urls(None, "lab") == ("http://c:1",)
    assert node_urls(["http://f:1"], "lab") == ("http://f:1",)


def test_an_unknown_context_names_the_known() -> None:
    contexts.save(SAVED)
    with pytest.raises(Failure, match=r"no context 'prd' in .*contexts.toml \(known: lab, prod\)") as caught:
        node_urls(None, "prd")
    assert "config use-context" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("current = 1", "expected current"),
        ("contexts = 1", "expected current"),
        ("[contexts.x]\nnodes = []", r"\[contexts.x\] expected nodes"),
        ("[contexts.x]\nnodes = [1]", r"\[contexts.x\] expected nodes"),
        ("not toml", "cannot be read"),
    ],
)
def test_a_broken_file_is_named(file: Path, text: str, words: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ContextError, match=words) as caught:
        contexts.load()
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(("make", "found"), [(Path.mkdir, "a folder, not a file"), (os.mkfifo, "a pipe, not a file")])
def test_what_is_no_file_is_told_with_what_to_do(file: Path, make: Callable[[Path], None], found: str) -> None:
    file.parent.mkdir(parents=True)
    make(file)
    with pytest.raises(Failure) as caught:
        node_urls(None, None)
    assert str(caught.value) == f"{file} cannot be read: {found}; mend it or move it away"
    assert caught.value.hint == "Until then, name the nodes with --node URL."  # no context can be listed or made


def test_a_folder_that_cannot_be_made_is_named(file: Path) -> None:
    file.parent.parent.mkdir(parents=True, exist_ok=True)
    file.parent.touch()
    with pytest.raises(ContextError, match="cannot be written"):
        contexts.save(SAVED)
    assert stat.S_ISREG(file.parent.stat().st_mode)
