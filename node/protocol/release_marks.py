"""Since when each mark of a release is known here: a new leader keeps it for what is left of its TTL (L2).

Every node counts on its own clock from when it learnt of the release, which is never before the release itself: whoever
leads keeps a mark for a whole TTL, and nobody for another one because the leader has changed. A node that starts knows
no better than to count from its start.
"""

from collections.abc import Iterable
from itertools import islice, takewhile
from operator import itemgetter


class ReleaseMarks:
    """Request ids of what was released, the one known longest first."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def note(self, request_id: str, mono: float) -> None:
        """It was released now."""
        self._since.pop(request_id, None)
        self._since[request_id] = mono

    def forget(self, request_ids: Iterable[str]) -> None:
        """These marks are gone."""
        for request_id in request_ids:
            self._since.pop(request_id, None)

    def replace(self, request_ids: Iterable[str], mono: float) -> None:
        """These are the marks from now on: those that were known keep their age."""
        since = ((request_id, self._since.get(request_id, mono)) for request_id in request_ids)
        self._since = dict(sorted(since, key=itemgetter(1)))

    def oldest(self) -> float | None:
        """Since when the mark that is known longest is known."""
        return next(iter(self._since.values()), None)

    def due(self, mono: float, ttl_s: float, most: int) -> tuple[str, ...]:
        """Those that were known for `ttl_s` by now, at most so many."""
        known = takewhile(lambda item: item[1] + ttl_s <= mono, self._since.items())
        return tuple(request_id for request_id, _ in islice(known, most))
