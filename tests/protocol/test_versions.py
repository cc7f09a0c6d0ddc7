"""The order of versions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.protocol.versions import BadVersion, parse

ASCENDING = [
    "0.0.0",
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0--",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0-rc.1.0",
    "1.0.0",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "19990101-000000",
    "20240229-235959",
    "20250101-101010",
]


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(ASCENDING, 2)))
def test_semver_precedence_then_stamps_by_time(lower: str, higher: str) -> None:
    assert parse(lower) < parse(higher)


@pytest.mark.parametrize("text", ASCENDING)
def test_equal_only_to_itself(text: str) -> None:
    assert [other for other in ASCENDING if parse(other) == parse(text)] == [text]


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1.2", "1.2.3.4", "v1.2.0", "01.2.0", "1.02.0", "1.2.0-", "1.2.0-01", "1.2.0-a..b", "1.2.0-ä",
        " 1.2.0", "1.2.0\n", "１.2.0", "1.2.0_1", "20251301-000000", "20250001-000000", "20250132-000000",
        "20250101-240000",
        "20250101-006000", "20250101-000060", "20250101_000000", "2025010-1000000", "../1.2.0",
    ],
)  # fmt: skip
def test_what_is_no_version_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(BadVersion) as caught:
        parse(text)
    assert caught.value.text == text
    assert "YYYYMMDD-HHMMSS" in caught.value.expected
    assert caught.value.expected in str(caught.value)


@pytest.mark.parametrize("text", ["1.2.0+x", "1.2.0-rc.1+build.5", "20250101-101010+x"])
def test_p2_build_metadata_is_refused(text: str) -> None:
    with pytest.raises(BadVersion, match="without build metadata"):
        parse(text)


def test_a_version_of_any_length_is_refused_and_not_repeated_whole() -> None:
    with pytest.raises(BadVersion, match="at most 100 characters") as caught:
        parse("1.2." + "9" * 100_000)
    assert len(str(caught.value)) < 300


@given(st.text())
def test_any_text_is_a_version_or_refused(text: str) -> None:
    try:
        key = parse(text)
    except BadVersion as bad:
        refused = bad.text
        assert refused == text
    else:
        assert key == parse(text)


numbers = st.integers(0, 10**6)
semvers = st.builds(lambda a, b, c: (a, b, c), numbers, numbers, numbers)


@given(semvers, semvers)
def test_numbers_compare_as_numbers(left: tuple[int, int, int], right: tuple[int, int, int]) -> None:
    key = parse(".".join(map(str, left))), parse(".".join(map(str, right)))
    assert (key[0] < key[1]) == (left < right)
