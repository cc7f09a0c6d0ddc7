"""Before a version is published or checked: what is asked, what will happen, where it can be done."""

from typing import NamedTuple

import msgspec

from iwdc_console.locale import number, text
from iwdc_console.tui.model import differences, versions
from iwdc_console.tui.model.api import Comparison, Stored
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.quantity import size

SAMPLE = 0.1
"""The part of the files that a quick check reads."""


def follows(moment: Moment, stored: Stored, differs: object) -> str:
    """What will happen, with what the folder was found to be and what differs from the current version."""
    content, status = stored.content, moment.observation.status
    required = status.value.quorum.required if status is not None else 0
    now = versions.current(moment)
    said = [
        text("publication.found", files=number(content.files), size=size(content.bytes), root=stored.hash[:16]),
        _differs(now, differs) if now else text("publication.first"),
        text("publication.follows", required=required, count=len(versions.instance_names(moment))),
        text("publication.declined"),
    ]
    return " ".join(said)


def _differs(now: str, differs: object) -> str:
    try:
        sums = differences.sums(msgspec.convert(differs, Comparison))
    except msgspec.ValidationError:
        return text("publication.not_compared", current=now)
    return text("publication.differs", current=now, sums=sums or text("differences.none"))


class Check(NamedTuple):
    """A check that can be chosen: at which node, of how much."""

    words: str
    node: str
    sample: float


def checks(moment: Moment, version: str) -> list[Check]:
    """Every instance that has the version, all of it or a sample."""
    status, found = moment.observation.status, versions.find(moment, version)
    if status is None or found is None:
        return []
    offered = []
    for item in status.value.instances:
        at = found.instances.get(item.id)
        if at is not None and at.state in ("has", "other") and item.url:
            offered.append(Check(text("versions.verify.all", instance=item.id), item.url, 1.0))
            offered.append(Check(text("versions.verify.sample", instance=item.id, percent=10), item.url, SAMPLE))
    return offered
