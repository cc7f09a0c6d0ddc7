"""What differs between two versions, object by object and field by field, as lines."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from iwdc_console.locale import number, text
from iwdc_console.reasons import unanswered
from iwdc_console.tui.model.api import Comparison, Counts, FileChanges, ObjectChanges
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.words import cut

Line = list[tuple[str, str]]

NAMES = ("slug", "model_code", "series", "id")
"""Fields that an object can be known by; the first that is there."""
ADDED, REMOVED, CHANGED = "+", "−", "~"
TONES = {ADDED: "text-success", REMOVED: "text-error", CHANGED: "text-warning"}
ARROW = " → "


class Field(NamedTuple):
    """A field that differs: its path within the object, and its value before and after as JSON; None: not there."""

    path: str
    before: str | None
    after: str | None


def fields(before: object, after: object, path: str = "") -> Iterator[Field]:
    """Every field in which two values differ, in the order of the fields."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _one(before, after, name, f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list):
        old, new = dict(enumerate(before)), dict(enumerate(after))
        for at in range(max(len(old), len(new))):
            yield from _one(old, new, at, f"{path}[{at}]")
    elif before != after or type(before) is not type(after):
        yield Field(path, _json(before), _json(after))


def _one(old: dict[Any, Any], new: dict[Any, Any], name: Any, path: str) -> Iterator[Field]:
    if name not in old:
        yield Field(path, None, _json(new[name]))
    elif name not in new:
        yield Field(path, _json(old[name]), None)
    else:
        yield from fields(old[name], new[name], path)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def lines(moment: Moment, base: str, version: str, first: int, width: int, most: int) -> list[Line]:
    """From `base` to `version`: the sums, then what differs, from line `first` on."""
    if not base or not version:
        return [[(text("differences.one_version"), "text-muted")]]
    part = moment.observation.comparison
    if part is None or (part.value.from_, part.value.to) != (base, version):
        why = moment.observation.troubles.get("comparison", "")
        key = "differences.cannot" if why else "panel.not_recorded" if moment.past else "differences.comparing"
        return [[(text(key, base=base, version=version, why=unanswered(why)), "text-muted")]]
    head: Line = [(f"{base}{ARROW}{version}", "bold"), *_sums(part.value)]
    body = list(_body(part.value, width))
    first = min(first, max(0, len(body) - 1))
    room = max(1, most - 1)
    shown = body[first : first + room]
    left = len(body) - first - len(shown)
    if left:
        shown[-1] = [(text("differences.below", count=left + 1), "text-muted")]
    return [head, *(shown or [[(text("differences.none"), "text-muted")]])]


def sums(comparison: Comparison) -> str:
    """The sums in words: `series +1 −0 ~2, models ...`."""
    return "".join(words for words, _ in _sums(comparison)).strip()


def _sums(comparison: Comparison) -> Iterator[tuple[str, str]]:
    others = comparison.others
    counted = {
        **comparison.summary,
        text("differences.others"): Counts(len(others.added), len(others.removed), len(others.changed)),
    }
    for name, counts in counted.items():
        if counts != Counts():
            yield f"  {name}", "text-muted"
            for mark, count in zip(TONES, (counts.added, counts.removed, counts.changed), strict=True):
                yield f" {mark}{number(count)}", TONES[mark] if count else "text-muted"


def _body(comparison: Comparison, width: int) -> Iterator[Line]:
    for category, changes in comparison.objects.items():
        counts = comparison.summary.get(category, Counts())
        if counts != Counts():
            yield [(category, "bold")]
            yield from _objects(changes, width)
            shown = len(changes.added) + len(changes.removed) + len(changes.changed)
            left = counts.added + counts.removed + counts.changed - shown
            if left > 0:
                yield [("  " + text("differences.not_listed", count=left), "text-muted")]
    if comparison.others != FileChanges():
        yield [(text("differences.others"), "bold")]
        others = comparison.others
        for mark, paths in zip(TONES, (others.added, others.removed, others.changed), strict=True):
            yield from ([(f"  {mark} {path}", TONES[mark])] for path in paths)


def _objects(changes: ObjectChanges, width: int) -> Iterator[Line]:
    for mark, found in ((ADDED, changes.added), (REMOVED, changes.removed)):
        for each in found:
            yield [(f"  {mark} {name_of(each)}", TONES[mark]), (f"  {_about(each)}", "text-muted")]
    for change in changes.changed:
        yield [(f"  {CHANGED} {name_of(change.to)}", TONES[CHANGED])]
        for field in fields(change.from_, change.to):
            yield _field(field, width)


def _field(field: Field, width: int) -> Line:
    name = f"      {cut(field.path, width // 3)}: "
    room = max(8, (width - len(name) - len(ARROW)) // 2)
    if field.before is None:
        return [(name, "text-muted"), (f"{ADDED} {cut(field.after or '', 2 * room)}", TONES[ADDED])]
    if field.after is None:
        return [(name, "text-muted"), (f"{REMOVED} {cut(field.before, 2 * room)}", TONES[REMOVED])]
    before, after = cut(field.before, room), cut(field.after, room)
    return [(name, "text-muted"), (before, TONES[REMOVED]), (ARROW, "text-muted"), (after, TONES[ADDED])]


def name_of(item: dict[str, Any]) -> str:
    """What an object is known by."""
    return next((str(item[key]) for key in NAMES if item.get(key) is not None), "?")


def _about(item: dict[str, Any]) -> str:
    return next((str(item[key]) for key in ("title", "name") if isinstance(item.get(key), str)), "")
