"""The codes nodes give, in the language that is spoken. What has no code that is known stays as it was said."""

from iwdc_console.locale import text
from iwdc_console.tui.model.api import Prediction
from iwdc_console.tui.model.words import clean

VOTES = (
    "bad_hash", "bad_signature", "clock_ahead", "config_mismatch", "conflicting_vote", "deadline", "no_content",
    "stale_base", "stale_version", "unknown_base", "unknown_version",
)  # fmt: skip
"""Why a vote is no accept (P3)."""
CHECKS = ("quorum", "version", "base", "slots", "signature", "hash")
"""What a dry run checks."""
CONTENT = (
    "bad_blocks", "bad_content", "bad_diff", "bad_key", "bad_manifest", "bad_path", "builder_keeps", "content_fault",
    "content_missing", "damaged", "internal", "no_space", "not_held", "not_staged", "older_version", "stopping",
    "too_much", "unfit", "unserved", "vetoed", "void", "wrong_base",
)  # fmt: skip
"""What is wrong with content, or ended a job of it. What the node says besides has the path and the figures."""
METRICS = (
    "distributed_active_locks", "distributed_api_errors_total", "distributed_cli_errors_total",
    "distributed_clock_drift_ms", "distributed_clock_drift_total", "distributed_conflict_resolutions_total",
    "distributed_current_leader", "distributed_diff_apply_duration_seconds", "distributed_diff_apply_errors_total",
    "distributed_diff_replication_total", "distributed_heartbeat_received_total", "distributed_heartbeat_sent_total",
    "distributed_heartbeat_timeout_total", "distributed_leader_changes_total", "distributed_locks_acquired_total",
    "distributed_locks_failed_total", "distributed_locks_released_total", "distributed_proposals_failed_total",
    "distributed_proposals_sent_total", "distributed_proposals_total", "distributed_quorum_skipped_total",
    "distributed_remote_sync_requests_total", "distributed_replication_latency_seconds",
    "distributed_snapshot_apply_duration_seconds", "distributed_snapshot_apply_errors_total",
    "distributed_snapshot_replication_total", "distributed_sync_errors_total", "distributed_sync_total",
    "distributed_votes_total",
)  # fmt: skip


def vote(said: str) -> str:
    """A reason of a vote: the API's word and what it means. What follows a colon is kept: `conflicting_vote: slots`."""
    code, colon, rest = said.partition(":")
    return f"{code} ({text(f'judged.{code}')}){colon}{rest}" if code in VOTES else said


def check_name(name: str) -> str:
    """What a dry run checked."""
    return text(f"propose.check.{name}") if name in CHECKS else clean(name)


def check(found: Prediction, name: str) -> str:
    """Why a check of a dry run failed."""
    if name == "quorum":
        quorum = found.quorum
        return text("propose.quorum", healthy=quorum.healthy, required=quorum.required)
    return vote(found.checks[name])


def content(code: str | None, detail: str | None) -> str:
    """What is wrong with content."""
    return text(f"content.{code}", detail=detail) if code in CONTENT and detail else detail or code or ""


def metric(name: str, told: str) -> str:
    """What a metric counts."""
    return text(f"metric.{name}") if name in METRICS else told
