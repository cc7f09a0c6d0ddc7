"""What a client's error means to whoever called the command: a message, what to do next, and the exit code."""

from iwdc_console import silence
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

LOOK_FIRST = "Look before you repeat it: iwdc-distributed status, proposals, locks."
AFTER_REJECTION = {
    "bad_hash": "The nodes' hash_format and the content both have a say: see `Signatures` in docs/operations.md.",
    "bad_signature": "Sign it, --sign KEYFILE, with a key that [security.keys] of the nodes names.",
    "clock_ahead": "The proposer's clock is ahead of the voters': iwdc-distributed drift; then propose again.",
    "conflicting_vote": "Another content was first, and only one can win: iwdc-distributed proposals",
    "deadline": "Voters were away, or clocks are apart: iwdc-distributed doctor; then propose again.",
    "no_content": "Voters could not get the content: iwdc-distributed doctor; then propose again.",
    "stale_base": "A diff starts at the current version and its content: iwdc-distributed status",
    "stale_version": "One as new or newer was accepted before; propose a greater one: iwdc-distributed status",
    "unknown_base": "The version it starts at was never accepted: propose that one first.",
    "unknown_version": "The version to go back to was never accepted: iwdc-distributed snapshot list",
}
"""Why a proposal was rejected -> what to do next."""
WHO_IS_MISSING = "See who is missing, and what to do: iwdc-distributed doctor"
ELSEWHERE = "with --node URL, IWDC_NODE or --context"


def failure_of(error: ClientError) -> Failure:
    """The `Failure` that `error` is."""
    if isinstance(error, Unreachable):
        tried = "\n".join(f"  {node}: {why}" for node, why in error.tried)
        return Failure(
            f"No node could be reached. Tried:\n{tried}",
            Exit.UNREACHABLE,
            _where_to_turn(error),
        )
    if isinstance(error, OutcomeUnknown):
        return Failure(
            f"Outcome unknown: {error.message}. It may have happened.",
            Exit.UNKNOWN,
            LOOK_FIRST,
        )
    if isinstance(error, NotAllowed):
        return Failure(f"Not allowed: {error.message}", Exit.NOT_ALLOWED)
    if isinstance(error, BadRequest | BadUrl):
        return Failure(error.message, Exit.USAGE)
    if isinstance(error, ClusterRefused):
        code = _refusal_code(error.reason)
        return Failure(_refusal(error), code, WHO_IS_MISSING if code is Exit.NO_QUORUM else "")
    return Failure(error.message, Exit.FAILED)


def _where_to_turn(error: Unreachable) -> str:
    """What to do about nodes that are down, or that are there and say nothing."""
    found = [silence.read(why) for _, why in error.tried]
    if any(known is not None and known[0] == "no_answer" for known in found):
        return f"A node that is there and silent is paused or overloaded: look at its host, or ask another {ELSEWHERE}."
    return f"Start one with: iwdc-distributed node run, or say where it is {ELSEWHERE}."


def _refusal(error: ClusterRefused) -> str:
    detail = error.data.get("detail") if isinstance(error.data, dict) else None
    text = explained(error.reason, str(detail or error.message))
    quorum = error.data.get("quorum") if isinstance(error.data, dict) else None
    if isinstance(quorum, dict):
        text += f" ({quorum.get('healthy')} of {quorum.get('total')} healthy, {quorum.get('required')} needed)"
    return f"{error.node} said no: {text}"


def explained(reason: str, detail: str) -> str:
    """A reason's word for scripts and its explanation, which may begin with the word itself."""
    return detail if not reason or detail == reason or detail.startswith(f"{reason}: ") else f"{reason}: {detail}"


def _refusal_code(reason: str) -> Exit:
    if reason in NO_QUORUM_REASONS:
        return Exit.NO_QUORUM
    return Exit.LOCK if reason in LOCK_REASONS else Exit.FAILED
