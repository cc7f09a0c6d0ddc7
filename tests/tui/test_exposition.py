"""Prometheus' text as the console reads it, against the reader of `prometheus_client`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from iwdc_console.tui.model.exposition import BadText, samples

NAMES = st.from_regex(r"[a-z]{1,9}", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\x85"), max_size=9)
VALUES = st.floats(allow_nan=False) | st.integers(-(2**40), 2**40)


def escaped(words: str) -> str:
    return words.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@given(st.dictionaries(NAMES, st.tuples(st.dictionaries(NAMES, WORDS | st.just('a"b\\c\nd'), max_size=3), VALUES)))
def test_it_reads_what_the_reference_reads(series: dict[str, tuple[dict[str, str], float]]) -> None:
    lines = []
    for name, (labels, value) in series.items():
        inside = ",".join(f'{label}="{escaped(words)}"' for label, words in labels.items())
        lines += [f"# HELP {name} What it is.", f"# TYPE {name} gauge", f"{name}{{{inside}}} {value}"]
    text = "\n".join(lines) + "\n"
    reference = [
        (each.name, tuple(sorted(each.labels.items())), float(each.value), family.documentation, family.type)
        for family in text_string_to_metric_families(text)
        for each in family.samples
    ]
    assert [(each.name, each.labels, each.value, each.help, each.kind) for each in samples(text)] == reference


def test_parts_of_a_family_are_under_its_name() -> None:
    text = (
        "# TYPE wait_seconds histogram\n# HELP wait_seconds How long.\n"
        'wait_seconds_bucket{le="+Inf"} 3 1790000000000\nwait_seconds_sum 2.5\nwait_seconds_count 3\nalone  NaN\n'
    )
    *found, alone = samples(text)
    assert {(each.family, each.kind, each.help) for each in found} == {("wait_seconds", "histogram", "How long.")}
    assert (found[0].labels, found[0].value) == ((("le", "+Inf"),), 3.0), "a time behind the value is no value"
    assert (alone.family, alone.kind, math.isnan(alone.value)) == ("alone", "unknown", True)


@pytest.mark.parametrize("line", ["<html>", "a b c d", 'a{b="c" 1', "a{b=c} 1", 'a{b="c"d="e"} 1', "x 1e", "1a 1", "x"])
def test_what_is_no_sample_is_told_with_its_line(line: str) -> None:
    with pytest.raises(BadText, match="line 2"):
        list(samples(f"good 1\n{line}\n"))
