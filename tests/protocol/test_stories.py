"""Scripts of a cluster's life with what they print: read one as a story; `--rewrite` writes down what is printed now.

Each file's first line names the rules of the protocol that it tells of.
"""

import re
from pathlib import Path

import pytest

from node.simulation.scenario.play import Play
from node.simulation.scenario.script import read_script

FOLDER = Path(__file__).parent / "scenarios"
STORIES = sorted(FOLDER.glob("*.txt"))
PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
RULES = re.findall(r"^- \*\*([A-Z]\d)\*\*", PROTOCOL, re.MULTILINE)
ELSEWHERE = {
    "M4": "cluster/test_legacy.py",
    "V3": "runtime/test_cursor.py",
    "P7": "cluster/test_legacy.py",
    "F1": "api/test_peer.py",
}
"""Rules of what the simulated world has not: members on v1.6, cursors, other versions of a format."""
TROUBLES = ("13.1", "13.2", "13.3")
"""The symptoms of the seed's chapter on troubleshooting."""


def cited(story: Path) -> set[str]:
    """What a story's first line says it tells of."""
    first = story.read_text().partition("\n")[0]
    return set(re.findall(r"\b[A-Z]\d\b|\b13\.\d\b", first.partition(":")[0]))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_a_story_goes_as_it_is_written(story: Path, pytestconfig: pytest.Config) -> None:
    script = read_script(story.read_text(), story.name)
    play = Play(script)
    try:
        play.run()
    finally:
        told = script.rewritten(play.printed)
        if pytestconfig.getoption("--rewrite"):
            story.write_text(told)
    assert told == story.read_text()


def test_every_rule_and_symptom_has_a_story() -> None:
    told: set[str] = set().union(*(cited(story) for story in STORIES))
    assert told
    assert told - set(RULES) - set(TROUBLES) == set()
    assert {*RULES, *TROUBLES} - told == ELSEWHERE.keys()
    for rule, test in ELSEWHERE.items():
        assert re.search(rf"\b{rule}\b", (FOLDER.parents[1] / test).read_text()), test


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_a_story_says_what_it_is_about(story: Path) -> None:
    assert cited(story)
