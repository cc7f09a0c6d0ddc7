"""What clients asked and what they were told, in words."""

from node.protocol.requests import (
    Accepted,
    AcquireLock,
    Answer,
    Answers,
    Elect,
    GoOnWithout,
    Leave,
    LockGranted,
    LockReleased,
    Maybe,
    Prediction,
    ProposalAnswer,
    Propose,
    ProposeMany,
    Publish,
    Published,
    Refusal,
    ReleaseLock,
    RenewLock,
    Request,
    ResolveConflict,
    StepDown,
)
from node.simulation.clients import Outcome

OF_TROUBLE = frozenset(
    {"unreachable", "insufficient_quorum", "no_leader", "not_leader", "cannot_vote", "recovering", "timeout"}
    | {"stepping_down", "stopping", "too_many", "queue_full", "no_candidate"}
)
"""Reasons of refusals that a whole cluster would not have given."""


def tell_outcome(outcome: Outcome) -> str:
    """Request, node and answer in one line."""
    return f"{tell_request(outcome.request)} via {outcome.via}: {tell_answer(outcome.answer)}"


def went_well(answer: Answer | None) -> bool:
    """Whether a client has what it asked for."""
    if isinstance(answer, ProposalAnswer):
        return answer.proposal.state == "accepted"
    return answer is not None and not isinstance(answer, Refusal | Maybe)


def was_turned_down(answer: Answer | None) -> bool:
    """Whether the cluster said no as it should: to what came second, too late or was wrong."""
    if isinstance(answer, ProposalAnswer):
        return answer.proposal.state == "rejected"
    return isinstance(answer, Refusal) and answer.reason not in OF_TROUBLE


def was_taken(outcome: Outcome) -> bool:
    """Whether a proposal was left to be decided, as its client wished that did not wait."""
    request, answer = outcome.request, outcome.answer
    return isinstance(request, Propose) and isinstance(answer, ProposalAnswer) and not request.wait_s


def tell_request(request: Request) -> str:
    """What was asked for."""
    match request:
        case Propose("snapshot", version, content):
            return f"snapshot {version} ({content})"
        case Propose(kind, version, content, base):
            return f"{kind} {base} -> {version} ({content})"
        case ProposeMany(asks):
            return "; ".join(map(tell_request, asks))
        case Publish(kind):
            return f"publish {kind}"
        case AcquireLock(resource, owner):
            return f"lock {resource} for {owner}"
        case RenewLock(resource, owner):
            return f"renew {resource} for {owner}"
        case ReleaseLock(resource, owner):
            return f"release {resource} of {owner}"
        case StepDown(to):
            return f"step down for {to}" if to else "step down"
        case Elect():
            return "elect"
        case Leave():
            return "leave"
        case ResolveConflict(slot):
            return f"resolve {slot}"
        case GoOnWithout(members):
            return f"go on without {', '.join(members)}"
        case _:
            return type(request).__name__


def tell_answer(answer: Answer | None) -> str:
    """What the client was told."""
    match answer:
        case None:
            return "maybe, no answer came"
        case Maybe(_, detail):
            return f"maybe, {detail}"
        case Refusal(reason, detail):
            return f"refused, {reason}" + (f": {detail}" if detail else "")
        case ProposalAnswer():
            return _tell_proposal(answer)
        case Answers(answers):
            return "; ".join(map(tell_answer, answers))
        case Prediction(_, would_accept):
            return "would be accepted" if would_accept else "would not be accepted"
        case Published(existing=existing):
            return "known already" if existing else "durable"
        case LockGranted(lock):
            left = "" if lock.remaining_ms is None else f", {lock.remaining_ms / 1000:.0f} s left"
            return f"granted with token {lock.fencing_token}{left}"
        case LockReleased(already=already):
            return "free already" if already else "released"
        case Accepted(detail):
            return detail


def _tell_proposal(answer: ProposalAnswer) -> str:
    shown = answer.proposal
    accepts = sum(vote.vote == "accept" for vote in shown.votes.values())
    reason = f" ({shown.reason})" if shown.reason else ""
    known = ", known already" if answer.existing else ""
    votes = f"{accepts} accept of {len(shown.voters)}, {shown.required} needed"
    return f"{shown.state}{reason}, {votes}{known}"
