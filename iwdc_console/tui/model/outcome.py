"""What a node answered to an order, in words: by its code in the language spoken, or its own where it has no code."""

from collections.abc import Mapping
from typing import Any

from iwdc_console.locale import text

TAKEN = ("hands_over", "stays")
REFUSED = (
    "cannot_vote", "held", "insufficient_quorum", "no_candidate", "no_leader", "not_held", "not_leader", "queue_full",
    "recovering", "released", "stepping_down", "stopping", "timeout", "too_many", "unknown_conflict",
    "unknown_proposal", "wrong_token",
)  # fmt: skip
"""Reasons that have words of their own. What is wrong with a request stays as the node says it: it names the field."""


def taken(data: Any) -> str:
    """An order was carried out."""
    if isinstance(data, dict) and data.get("code") in TAKEN:
        return text(f"outcome.{data['code']}", instance=data.get("instance", ""))
    return text("orders.done")


def refusal(data: Any, message: str) -> str:
    """The cluster said no; `message` is what it said."""
    if not isinstance(data, dict):
        return message
    reason = data.get("reason")
    if reason not in REFUSED:
        return str(data.get("detail") or message)
    return text(f"refused.{reason}", **_figures(data))


def _figures(data: Mapping[str, Any]) -> dict[str, object]:
    quorum, holder = data.get("quorum") or {}, data.get("holder") or {}
    return {
        "healthy": quorum.get("healthy", 0), "total": quorum.get("total", 0), "required": quorum.get("required", 0),
        "owner": holder.get("owner") or text("refused.somebody"), "given": data.get("given"),
        "current": data.get("current"),
    }  # fmt: skip
