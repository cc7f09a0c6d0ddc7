"""Who is best to lead (E2): longest uptime first, then the highest id. Pure."""

from collections.abc import Mapping


def ranking(uptimes_s: Mapping[str, float], tolerance_s: float) -> list[str]:
    """Ids by rank (E2): again and again the highest id among those within the tolerance of the longest uptime."""
    left = dict(uptimes_s)
    order: list[str] = []
    while left:
        longest = max(left.values())
        best = max(name for name, uptime in left.items() if uptime >= longest - tolerance_s)
        order.append(best)
        del left[best]
    return order


def outranks(name: str, leader: str, uptimes_s: Mapping[str, float], tolerance_s: float) -> bool:
    """Whether `name` clearly outranks `leader`: with half the tolerance and with one and a half of it.

    Two uptimes that differ by about the tolerance look different from each side; leadership must not swing with that.
    """
    pair = {key: uptimes_s[key] for key in (name, leader) if key in uptimes_s}
    return len(pair) == 2 and all(ranking(pair, tolerance_s * factor)[0] == name for factor in (0.5, 1.5))
