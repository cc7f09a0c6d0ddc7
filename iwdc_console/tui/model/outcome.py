"""What a node answered to an order, in words: by its code in the language spoken, or its own where it has no code."""

from collections.abc import Mapping
from typing import Any

from iwdc_console.locale import text
from iwdc_console.reasons import unanswered
from iwdc_console.tui.model import codes

TAKEN = ("hands_over", "stays")
REFUSED = (
    "cannot_vote", "held", "insufficient_quorum", "internal", "no_candidate", "no_leader", "not_found", "not_held",
    "not_here", "not_leader", "not_local", "queue_full", "recovering", "released", "stepping_down", "stopping",
    "timeout", "too_many", "unknown_conflict", "unknown_proposal", "wrong_token",
)  # fmt: skip
"""Reasons that have words of their own."""
WRONG = (
    "bad_version", "no_hash", "no_sha256", "no_signature", "not_absolute", "not_after", "not_before", "not_printable",
    "too_large", "too_long",
)  # fmt: skip
"""What can be wrong with a request's field."""
FIELDS = ("from", "hash", "owner", "path", "resource", "signature", "to", "ttl", "version", "wait")
UNHEARD = ("forgotten", "no_answer", "stopping", "timeout")
"""Why it is not known what became of an order."""


def taken(data: Any) -> str:
    """An order was carried out."""
    told = data if isinstance(data, dict) else {}
    if told.get("code") in TAKEN:
        return text(f"outcome.{told['code']}", instance=told.get("instance", ""))
    if "resource" in told and "already" in told:  # a lock was given back, or taken from its holder
        return text("outcome.was_free" if told["already"] else "outcome.released", resource=told["resource"])
    if told.get("kind") == "rollback":
        return text("orders.accepted", version=told.get("to", ""))
    return text("orders.done")


def refusal(data: Any, message: str) -> str:
    """The cluster said no; `message` is what it said."""
    if not isinstance(data, dict):
        return message
    reason, problem, field = data.get("reason"), data.get("problem"), data.get("field")
    if reason == "bad_request" and problem in WRONG:
        name = text(f"refused.field.{field}") if field in FIELDS else field
        return text(f"refused.wrong.{problem}", field=name, expected=data.get("expected"))
    if reason not in REFUSED or (reason == "wrong_token" and data.get("current") is None):
        return codes.content(reason, data.get("detail") or message)
    return text(f"refused.{reason}", **_figures(data))


def failure(reason: str | None, detail: str | None) -> str:
    """Why a job of a node failed."""
    if reason == "would_be_rejected":
        return text("refused.would_be_rejected", checks=_checks(detail or ""))
    if reason == "insufficient_quorum":
        return text("refused.no_quorum")
    if reason in REFUSED and reason not in codes.CONTENT:
        return text(f"refused.{reason}", **_figures({}))
    return codes.content(reason, detail)


def unheard(data: Any, message: str) -> str:
    """Why nobody knows what became of an order."""
    found = data if isinstance(data, dict) else {}
    cause = found.get("cause") or found.get("reason")
    if cause not in UNHEARD:
        return message
    tried = "; ".join(f"{node}: {unanswered(why)}" for node, why in found.get("tried", ()))
    return text(f"orders.unheard.{cause}", tried=f" ({tried})" if tried else "")


def _checks(detail: str) -> str:
    """`version: stale_version; slots: conflicting_vote: ...`, as a node lists the checks that failed."""
    told = (each.partition(": ") for each in detail.split("; "))
    known = [f"{codes.check_name(name)}: {codes.vote(why)}" for name, _, why in told if name in codes.CHECKS]
    return "; ".join(known) or text("refused.too_few")


def _figures(data: Mapping[str, Any]) -> dict[str, object]:
    quorum, holder = data.get("quorum") or {}, data.get("holder") or {}
    return {
        "healthy": quorum.get("healthy", 0), "total": quorum.get("total", 0), "required": quorum.get("required", 0),
        "owner": holder.get("owner") or text("refused.somebody"), "given": data.get("given"),
        "current": data.get("current"),
    }  # fmt: skip
