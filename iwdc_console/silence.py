"""Why a node did not answer, in a few words: written here, read here, so that they can be said in another language."""

import re
from collections.abc import Mapping

REFUSED = "connection refused"
CLOSED = "connection closed without an answer"


def no_answer(seconds: float) -> str:
    """None came in time."""
    return f"no answer within {seconds:g} s"


def no_connection(seconds: float) -> str:
    """None could be made in time."""
    return f"no connection within {seconds:g} s"


def answered(status: int) -> str:
    """Something else than was asked for."""
    return f"answered {status}"


def no_node(status: int) -> str:
    """What answered is none of ours."""
    return f"{answered(status)}, but not as a node does: is this an IWDC node?"


def unknown(path: str) -> str:
    """404: there is no such thing, or the node knows none of this question."""
    return f"{path} is not known there"


FORMS = {
    "refused": REFUSED,
    "closed": CLOSED,
    "no_answer": r"no answer within (?P<seconds>[\d.]+) s",
    "no_connection": r"no connection within (?P<seconds>[\d.]+) s",
    "unknown": r"(?P<path>\S+) is not known there",
    "answered": r"answered (?P<status>\d+)",
    "no_node": r"answered (?P<status>\d+), but not as a node does: is this an IWDC node\?",
    "no_route": "no route to host",
    "no_network": "network is unreachable",
    "no_such_host": "name or service not known",
    "reset": "connection reset by peer",
}
"""What is said above, and what the system says most often, each by a code."""


def read(why: str) -> tuple[str, Mapping[str, str]] | None:
    """The code of a reason with its figures; None for the system's own words that are not known here."""
    for code, form in FORMS.items():
        if found := re.fullmatch(form, why):
            return code, found.groupdict()
    return None
