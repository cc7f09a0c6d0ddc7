"""Settings: read, kept, never at the cost of what a person wrote."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from iwdc_console.tui import settings
from iwdc_console.tui.settings import Settings, has_comments, load, save


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "iwdc" / "config.toml"
    monkeypatch.setattr(settings, "path", lambda: found)
    found.parent.mkdir()
    return found


def test_no_file_is_all_defaults_of_the_terminal(file: Path) -> None:
    assert load({}) == (Settings(), ())
    assert load({"TERM": "linux", "LANG": "ru_RU.UTF-8"})[0] == Settings(theme="ansi-16", language="ru")


@pytest.mark.parametrize(
    ("terminal", "colours", "theme"),
    [
        ("xterm", "", "ansi-16"),
        ("screen", "", "ansi-16"),
        ("rxvt-16color", "", "ansi-16"),
        ("xterm", "truecolor", "iwdc-dark"),
        ("tmux-256color", "", "iwdc-dark"),
        ("xterm-kitty", "", "iwdc-dark"),
    ],
)
def test_a_terminal_of_sixteen_colours_gets_their_theme(file: Path, terminal: str, colours: str, theme: str) -> None:
    """Of others Rich would make the nearest of the sixteen: green and red would both be white."""
    environment = {"TERM": terminal, "COLORTERM": colours}
    assert load(environment)[0].theme == theme
    rich = Console(force_terminal=True, legacy_windows=False, _environ=environment)
    assert (rich.color_system == "standard") is (theme == "ansi-16")


def test_what_the_file_says(file: Path) -> None:
    file.write_text('theme = "nord"\nlanguage = "ru"\nmouse = false\nrefresh_s = 2\n[keys]\n"app.quit" = "Q"\n')
    assert load({}) == (Settings("nord", "ru", False, 2.0, {"app.quit": "Q"}), ())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("theme = 1", "theme is 1; expected the name of a theme"),
        ('language = "de"', "language is 'de'; expected one of en, ru"),
        ('mouse = "no"', "mouse is 'no'; expected true or false"),
        ("refresh_s = 0.01", "refresh_s is 0.01; expected seconds from 0.2 to 60"),
        ("refresh_s = nan", "refresh_s is nan; expected seconds"),
        ("refresh_s = true", "refresh_s is True; expected seconds"),
        ("keys = 3", "[keys] is 3; expected lines such as"),
        ("[keys]\na = 1", "[keys] is {'a': 1}; expected lines such as"),
        ('colour = "red"', "colour is not a setting; known are theme, language, mouse, refresh_s, keys"),
        ("theme = ", "cannot be read, so defaults are used"),
        pytest.param("theme = " + "[" * 5000, "cannot be read, so defaults are used", id="deep"),
    ],
)
def test_a_broken_value_takes_its_default_and_is_told(file: Path, line: str, told: str) -> None:
    file.write_text(line)
    found, (notice,) = load({})
    assert found == Settings()
    assert str(file) in notice.words
    assert told in notice.words


def test_a_choice_is_kept_and_the_rest_stays(file: Path) -> None:
    assert save("theme", "nord") is None
    file.write_text(file.read_text() + 'later = "unknown, yet kept"\n[keys]\n"app.quit" = "Q"\n')
    assert save("language", "ru") is None
    assert tomllib.loads(file.read_text()) == {
        "theme": "nord", "language": "ru", "later": "unknown, yet kept", "keys": {"app.quit": "Q"},
    }  # fmt: skip
    assert [each.name for each in file.parent.iterdir()] == ["config.toml"]


def test_a_link_to_the_file_stays_one(file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text('theme = "nord"\n')
    file.symlink_to(kept)
    assert save("language", "ru") is None
    assert file.is_symlink()
    assert tomllib.loads(kept.read_text()) == {"theme": "nord", "language": "ru"}


def test_a_file_with_comments_is_left_alone(file: Path) -> None:
    written = "# mine\ntheme = 'nord'   # I like it\n"
    file.write_text(written)
    notice = save("theme", "gruvbox")
    assert notice is not None
    assert 'To keep this choice, write there: theme = "gruvbox"' in notice.words
    assert file.read_text() == written


def test_what_is_no_file_is_told_with_what_to_do(file: Path) -> None:
    file.mkdir()
    found, (notice,) = load({})
    assert found == Settings()
    assert notice.words == (
        f"{file} cannot be read, so defaults are used: a folder, not a file. Mend it or move it away"
    )


@pytest.mark.parametrize("content", ["theme = ", pytest.param("theme = " + "[" * 5000, id="deep"), None])
def test_what_cannot_be_written_is_told(file: Path, content: str | None) -> None:
    if content is None:
        file.mkdir()
    else:
        file.write_text(content)
    notice = save("mouse", False)
    assert notice is not None
    assert "cannot be written, so the choice holds until you quit" in notice.words
    assert "Errno" not in notice.words
    assert file.is_dir() or file.read_text() == content


@pytest.mark.parametrize(
    ("content", "found"),
    [("", False), ("a = 1", False), ("a = 1 # x", True), ('a = "#"', False), ("a = '#'", False), ('a = "\\"#"', False),
     ('a = """\n# no\n"""', False), ("a = '''\n# no\n'''", False), ('a = "b" # it\'s', True), ("# 'x", True),
     ('a = """x""""\n', False), ("a = 'it' # 'x'", True)],
)  # fmt: skip
def test_comments_are_told_from_strings(content: str, found: bool) -> None:
    assert has_comments(content) is found


@given(st.dictionaries(st.text(min_size=1), st.text() | st.booleans() | st.lists(st.text())))
def test_what_we_write_has_no_comments(content: dict[str, object]) -> None:
    import tomli_w

    assert not has_comments(tomli_w.dumps(content))
