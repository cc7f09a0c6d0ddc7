"""What a client's error means to whoever called the command: a message, what to do next, and the exit code."""

from iwdc_console.cli.exits import Exit, Failure
from iwdc_console.outcomes import (
    BadRequest,
    BadUrl,
    ClientError,
    ClusterRefused,
    NotAllowed,
    OutcomeUnknown,
    Unreachable,
)

NO_QUORUM_REASONS = frozenset(
    {"insufficient_quorum", "no_leader", "not_leader", "cannot_vote", "recovering", "stepping_down", "no_candidate"}
)
LOCK_REASONS = frozenset({"held", "wrong_token", "not_held", "queue_full", "timeout"})


def failure_of(error: ClientError) -> Failure:
    """The `Failure` that `error` is."""
    if isinstance(error, Unreachable):
        tried = "\n".join(f"  {node}: {why}" for node, why in error.tried)
        return Failure(
            f"No node could be reached. Tried:\n{tried}",
            Exit.UNREACHABLE,
            "Start one with: iwdc-distributed node run, or say where it is with --node URL, IWDC_NODE or --context.",
        )
    if isinstance(error, OutcomeUnknown):
        return Failure(
            f"Outcome unknown: {error.message}. It may have happened.",
            Exit.UNKNOWN,
            "Look before you repeat it: iwdc-distributed status, proposals, locks.",
        )
    if isinstance(error, NotAllowed):
        return Failure(f"Not allowed: {error.message}", Exit.NOT_ALLOWED)
    if isinstance(error, BadRequest | BadUrl):
        return Failure(error.message, Exit.USAGE)
    if isinstance(error, ClusterRefused):
        return Failure(_refusal(error), _refusal_code(error.reason))
    return Failure(error.message, Exit.FAILED)


def _refusal(error: ClusterRefused) -> str:
    detail = error.data.get("detail") if isinstance(error.data, dict) else None
    parts = [error.reason, str(detail or error.message)]
    text = ": ".join(dict.fromkeys(part for part in parts if part))
    quorum = error.data.get("quorum") if isinstance(error.data, dict) else None
    if isinstance(quorum, dict):
        text += f" ({quorum.get('healthy')} of {quorum.get('total')} healthy, {quorum.get('required')} needed)"
    return f"{error.node} said no: {text}"


def _refusal_code(reason: str) -> Exit:
    if reason in NO_QUORUM_REASONS:
        return Exit.NO_QUORUM
    return Exit.LOCK if reason in LOCK_REASONS else Exit.FAILED
