"""Why an instance is as it is: what the asked node says of it, in words, with how long it has been so."""

import re
from collections.abc import Sequence

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Instance
from iwdc_console.tui.model.marks import HEALTHY, SHAPES, UNREACHABLE
from iwdc_console.tui.model.quantity import age, offset

REASONS = (
    "refused", "not_heard_yet", "no_answer", "missed_beats", "one_way", "cannot_vote", "recovering", "listening",
    "disk_full", "disk_fault", "slow_disk", "loop_lag", "drift", "catching_up", "config_mismatch", "unknown_journal",
    "leaving",
)  # fmt: skip
"""Reasons that have words of their own; any other is shown as the node says it."""
_ENTRY = re.compile(r"here (?P<here>[^;]*), there (?P<there>[^;]*)")


def status_word(status: str) -> str:
    """A status in words; one that is not known, as the node says it."""
    return text(f"status.{status}") if status in SHAPES else status


def cause(instance: Instance) -> str:
    """The first reason in a few words: what follows the name in a sentence."""
    told = telling(instance.reasons)
    if told:
        return reason(told[0])
    if instance.status == UNREACHABLE:
        return text("reason.no_answer")
    return ""


def telling(reasons: Sequence[str]) -> Sequence[str]:
    """The reasons that say more than others: that an instance may not vote goes without saying beside why."""
    return [word for word in reasons if word != "cannot_vote"] or reasons


def reason(word: str) -> str:
    """A reason in words; what follows its colon is kept as the node said it."""
    name, _, rest = word.partition(":")
    if name not in REASONS:
        return word
    return text(f"reason.{name}") + (f":{_ENTRY.sub(_entry, rest)}" if rest else "")


def _entry(found: re.Match[str]) -> str:
    """An entry of the configuration: what the node told of has there, and the one that tells it here."""
    return text("reason.entry", here=found["here"], there=found["there"])


def proof(word: str, instance: Instance, aged_ms: float = 0.0) -> str:
    """The measurement behind a reason, where the answer carries one that is `aged_ms` old."""
    if word == "drift":
        return text("proof.drift", offset=offset(instance.drift_ms))
    if word in ("missed_beats", "no_answer", "refused") and instance.heartbeat_age_ms is not None:
        return text("proof.heard", age=age(instance.heartbeat_age_ms + aged_ms))
    return ""


def note(instance: Instance) -> str:
    """The line beneath an instance that is not well: all its reasons."""
    if instance.status == HEALTHY and not instance.reasons:
        return ""
    return "; ".join(reason(word) for word in telling(instance.reasons)) or cause(instance)
