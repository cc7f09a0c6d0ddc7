"""The language of scenario scripts: what it takes, what it says to the rest, and that it is documented."""

from collections.abc import Callable
from pathlib import Path

import pytest

from node.simulation.scenario.conditions import conditions
from node.simulation.scenario.language import Language, ScriptError, Unfit
from node.simulation.scenario.play import LANGUAGES, Failed, Play
from node.simulation.scenario.script import Script, one_line, read_script

DOCUMENT = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text().replace("\\|", "|")


def told(text: str) -> list[list[str]]:
    play = Play(read_script(text, "story"))
    play.run()
    return play.printed


@pytest.mark.parametrize(
    "usage", [each.usage for language in (*LANGUAGES, conditions) for each in language.commands], ids=str
)
def test_every_command_is_documented(usage: str) -> None:
    assert f"`{usage}`" in DOCUMENT


def test_a_usage_makes_its_command() -> None:
    language = Language()
    language.add("lend THING to NODES [for DURATION] now|later")(lambda subject, **values: values)
    read = language.read("lend  book to A, B for 2min later")
    assert read(None) == {"thing": "book", "nodes": ["A", "B"], "duration": 120.0, "choice": "later"}
    assert language.read("lend book to A now")(None)["duration"] is None
    with pytest.raises(Unfit, match=r"lend THING to NODES \[for DURATION\] now\|later"):
        language.read("lend book")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes 3\nfrom\n", "story:2: 'from': expected form (did you mean that?)"),
        ("nodes 3\nexplode\n", "story:2: 'explode': expected one of "),
        ("nodes three\n", "story:1: 'three' is no number: expected a whole number such as 3"),
        ("nodes 12\n", "story:1: 12 nodes: expected 1 to 9"),
        ("rule most\n", "story:1: rule most: expected half or majority"),
        ("strategy mine\n", "story:1: strategy mine: expected last-write-wins or leader-wins or reject-inconsistent"),
        ("timing beat 3s\n", "story:1: timing beat: expected one of heartbeat_interval,"),
        ("form\nnodes 5\n", "story:2: 'nodes 5' comes too late: expected it before anything happens"),
        ("    1.0 s A: is well\n", "story:1: indented, but no command stands above"),
        ("form\nwait -3s\n", "story:2: '-3s' is in the past: expected a duration of 0s or more"),
        ("form\nclock of A runs 11\n", "story:2: '11' is no rate: expected a rate between 0 and 10"),
        ("form\nuntil leader X\n", "story:2: no instance 'X': expected one of A, B, C"),
        ("form\nuntil A sleeps\n", "story:2: 'A sleeps': expected one of "),
        ("form\nsplit A B\n", "story:2: split A B: expected sides with a bar between them"),
        ("form\nkill A\nkill A\n", "story:3: A does not run: expected `start A` before this"),
        ("form\nstart A\n", "story:2: A runs already: expected an instance that does not run"),
        ("form\nrestore A\n", "story:2: no backup of A: expected `back up A` before this"),
        ("form\nmachine A\n", "story:2: A is there already: expected a new id"),
        ("form\nresolve 1.0.0 with abc via A\n", "story:2: no conflict over 1.0.0 with a candidate abc: expected one"),
        ("timing lock_ttl 0s\n", "story:1: lock_ttl of 0s: expected more than 0s"),
        (
            "nodes 3\ntiming heartbeat_timeout 5s\nform\n",
            "story:2: heartbeat_interval of 5s with heartbeat_timeout of 5s",
        ),
        ("retain 0 events\n", "story:1: 0 events retained: expected at least 1"),
        ("form\nwait 11h\n", "story:2: '11h' is too long: expected at most 10h"),
        ("form\nclock of A -9999999h\n", "story:2: '-9999999h' is too far: expected at most 1000000h"),
        ("form\npublish X 100001 times via A\n", "story:2: '100001' is too many: expected at most 100000"),
        ("form\nsplit A B | B C\n", "story:2: B is named twice: expected each instance on one side"),
        ("form\ncut A -> A\n", "story:2: A is at both ends: expected two instances"),
        ("form\nslow A -> A 5s\n", "story:2: A is at both ends: expected two instances"),
        ("form\nedit rule most on A\n", "story:2: rule most: expected half or majority"),
        ("form\nload\nsettle\n", "story:3: 'settle' under the steady load, which never rests: expected `wait`"),
        ("load\nform\n", "story:2: 'form' under the steady load"),
        ("load\nload\n", "story:2: 'load' under the steady load"),
        ("form\npublish X\n", "story:2: 'publish X': expected publish TYPE COUNT times via NODE or publish TYPE via"),
    ],
)
def test_what_cannot_be_taken_is_named_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(ScriptError) as caught:
        told(text)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("edited", ["", "edit members A B C on X\n"])
def test_a_machine_that_no_file_lists_starts_all_the_same(edited: str) -> None:
    """M1: it counts itself in, and nobody answers it. It ended the rehearsal with an error nobody expected."""
    lines = told(f"form\nmachine X\n{edited}start X\nwait 5s\nexpect X may not vote\nexpect X sees A unreachable\n")
    assert "X: starts" in lines[-4][0]


def test_what_does_not_hold_ends_the_script_there() -> None:
    play = Play(read_script("form\nkill C\nexpect leader C\nkill A\n", "story"))
    with pytest.raises(Failed, match="story:3: expect leader C: "):
        play.run()
    assert play.stage.world.hosts["A"].up


def test_a_script_comes_back_with_what_it_prints() -> None:
    text = "# D2: alone.\nnodes 1\n\n# Once.\nform\n    old\n    words\nshow leader\n# The end.\n"
    script = read_script(text, "story")
    assert [line.printed for line in script.lines] == [(), ("old", "words"), ()]
    play = Play(script)
    play.run()
    assert script.rewritten(play.printed) == (
        "# D2: alone.\nnodes 1\n\n# Once.\nform\n    at rest after 2.5 s, A leads term 1\n"
        "show leader\n    A: A leads, term 1\n# The end.\n"
    )


def test_one_line_is_a_script_too() -> None:
    script = one_line("kill A; ; wait 20s;", "--what-if")
    assert [(line.where, line.text) for line in script.lines] == [
        ("--what-if, command 1", "kill A"),
        ("--what-if, command 3", "wait 20s"),
    ]


@pytest.mark.parametrize(("read", "text"), [(one_line, " ; "), (read_script, "# Only words.\n")])
def test_a_script_without_a_command_is_refused(read: Callable[[str, str], Script], text: str) -> None:
    """It was played, and told that nobody led."""
    with pytest.raises(ScriptError, match="plan: no command in it: expected at least one, such as `wait 20s`"):
        read(text, "plan")


def test_a_story_is_the_same_every_time() -> None:
    text = "nodes 5\nform\nsplit A B | C D E\nwait 30s\nheal\nsettle\n"
    assert told(text) == told(text)
