"""The same cluster and its versions: one current, one on its way and broken in places, one dropped, one only stored."""

import msgspec

from iwdc_console.tui.model.api import (
    AtInstance,
    Changed,
    Comparison,
    Counts,
    FileChanges,
    ObjectChanges,
    Summary,
    Version,
)
from iwdc_console.tui.model.observation import Observation, Part
from tests.tui.prod_eu import NAMES, NODE, NOW_MS, NOW_S, observation
from tests.tui.prod_eu_detail import detailed

HAS, MISSING = AtInstance("has", 100), AtInstance("missing")
IN_USE = AtInstance("has", 100, applied=True)


def versions() -> tuple[Version, ...]:
    """From the newest: 1.5.0 stored at A, 1.4.2 current, 1.4.1 and 1.4.0 accepted before."""
    fetching = AtInstance("fetching", 42, problem="instance-B: gave wrong bytes for модели/сталь.json")
    bad, other, waiting = AtInstance("bad"), AtInstance("other"), AtInstance("waiting")

    def at(*four: AtInstance) -> dict[str, AtInstance]:
        return dict(zip(NAMES, (*four, AtInstance("unknown")), strict=True))

    return (
        Version("1.5.0", "stored", at(HAS, MISSING, MISSING, MISSING), "5" * 64, "ab12", 406, 84_000),
        Version("1.4.2", "current", at(IN_USE, IN_USE, fetching, bad), "4" * 64, "aa12", 405, 83_000),
        Version("1.4.1", "accepted", at(HAS, HAS, IN_USE, other), "3" * 64, "cc56", 405, 82_000),
        Version("1.4.0", "accepted", at(HAS, MISSING, HAS, waiting), "2" * 64, "bb34", 400, 80_000),
    )


def summary(version: str = "1.5.0") -> Summary:
    """What a version consists of."""
    types = {"series": 5, "models": 25, "lengths": 375, "xml": 1}
    return Summary(version, "5" * 64, "ab12", "2026-11-23T17:31:00.000Z", 406, 84_000, types)


def comparison(base: str = "1.4.2", version: str = "1.5.0") -> Comparison:
    """A series came, two lengths went, a model changed in three fields; a map of the site came."""
    before = {"slug": "vento-85", "материал": "сталь", "sizes": [600, 800], "price": 10}
    after = {"slug": "vento-85", "материал": "латунь", "sizes": [600, 800, 1000], "вес": {"кг": 12.5}, "price": 10}
    gone = ({"slug": "vento-85-600", "title": "Vento 85 × 600 мм"}, {"slug": "vento-85-800"})
    return Comparison(
        base,
        version,
        {"series": Counts(1, 0, 0), "models": Counts(0, 0, 1), "lengths": Counts(0, 7, 0)},
        {
            "series": ObjectChanges(added=({"slug": "новая", "title": "Новая серия"},)),
            "models": ObjectChanges(changed=(Changed(before, after),)),
            "lengths": ObjectChanges(removed=gone),
        },
        FileChanges(added=("seo/карта.xml",)),
    )


def with_versions(**changes: object) -> Observation:
    """All parts that the screen shows."""

    def part(value: object) -> Part:  # type: ignore[type-arg]
        return Part(value, NODE, NOW_S - 0.4, NOW_MS - 400)

    known = msgspec.structs.replace(
        observation(), versions=part(versions()), summary=part(summary()), comparison=part(comparison())
    )
    return msgspec.structs.replace(known, **changes)


def everything() -> Observation:
    """Every part that any screen shows."""
    known, told = detailed(), with_versions()
    return msgspec.structs.replace(known, versions=told.versions, summary=told.summary, comparison=told.comparison)
