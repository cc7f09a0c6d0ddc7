"""Proposals: the seed's two calls and the batch (seed 4, P1, P6)."""

from node.api import checks
from node.api.answers import (
    CLUSTER_SAID_NO,
    REFUSAL_STATUS,
    Refused,
    bad_request,
    refusal_data,
    refusal_error,
    unknown_data,
)
from node.api.bodies import (
    Batch,
    BatchItem,
    BatchOutcome,
    BatchQuery,
    DiffBody,
    Proposed,
    ProposeQuery,
    SnapshotBody,
    Verdict,
)
from node.api.call import Asked, BodyT, Call, QueryT, expect
from node.protocol.requests import Answer, Answers, Maybe, Prediction, ProposalAnswer, Propose, ProposeMany, Refusal


def propose_snapshot(call: Call[ProposeQuery, SnapshotBody]) -> Asked[Proposed | Verdict | Prediction]:
    """Propose a snapshot."""
    body, query = call.body, call.query
    return _propose(
        call,
        Propose(
            "snapshot",
            body.version,
            checks.word("hash", body.hash),
            signature=body.signature,
            idempotency_key=idempotency_key(call),
            wait_s=checks.wait_s(call, query.wait),
            dry_run=query.dry_run,
            trace=call.trace,
        ),
    )


def propose_diff(call: Call[ProposeQuery, DiffBody]) -> Asked[Proposed | Verdict | Prediction]:
    """Propose a diff."""
    body, query = call.body, call.query
    return _propose(
        call,
        Propose(
            "diff",
            body.to,
            checks.word("hash", body.hash),
            base=body.from_,
            signature=body.signature,
            idempotency_key=idempotency_key(call),
            wait_s=checks.wait_s(call, query.wait),
            dry_run=query.dry_run,
            trace=call.trace,
        ),
    )


def propose_batch(call: Call[BatchQuery, Batch | list[BatchItem]]) -> Asked[list[BatchOutcome]]:
    """Propose many at once; the outcomes come in the same order."""
    items = call.body.proposals if isinstance(call.body, Batch) else call.body
    if len(items) > call.limits.max_batch:
        raise bad_request(f"{len(items)} proposals, at most {call.limits.max_batch} in one batch", "proposals")
    wait = checks.wait_s(call, call.query.wait)
    asks = tuple(_of_item(item, at, wait, call.trace) for at, item in enumerate(items))

    def outcomes(answer: Answer) -> list[BatchOutcome]:
        # What is said to the whole call is said to each.
        answers = answer.answers if isinstance(answer, Answers) else [answer] * len(asks)
        return [_outcome(each, wait) for each in answers]

    return call.ask(ProposeMany(asks), outcomes, wait)


def idempotency_key(call: Call[QueryT, BodyT]) -> str | None:
    """The client's `Idempotency-Key` header."""
    key = call.request.headers.get(b"idempotency-key")
    if key is None:
        return None
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise bad_request("Idempotency-Key: expected UTF-8", "Idempotency-Key") from None


def _propose(call: Call[ProposeQuery, BodyT], request: Propose) -> Asked[Proposed | Verdict | Prediction]:
    wait = request.wait_s
    if request.dry_run:
        return call.ask(request, lambda answer: expect(answer, Prediction))
    return call.ask(request, lambda answer: _proposed(expect(answer, ProposalAnswer), wait), wait)


def _proposed(answer: ProposalAnswer, wait: float) -> Proposed | Verdict:
    if not wait:
        return Proposed(answer.proposal_id, answer.quorum)
    proposal = answer.proposal
    return Verdict(
        answer.proposal_id,
        answer.quorum,
        proposal.state,
        proposal.reason,
        proposal.votes,
        proposal.key,
        answer.existing,
        proposal.settled,
    )


def _of_item(item: BatchItem, at: int, wait: float, trace: str) -> Propose:
    if item.kind == "snapshot":
        version = item.version
        if version is None:
            raise _wrong(at, "version", "a snapshot needs a version")
        if item.from_ is not None or item.to is not None:
            raise _wrong(at, "from" if item.from_ is not None else "to", "a snapshot has a version only")
    else:
        version = item.to
        if item.from_ is None or version is None:
            raise _wrong(at, "from" if item.from_ is None else "to", f"a {item.kind} needs from and to")
        if item.version is not None:
            raise _wrong(at, "version", f"a {item.kind} has from and to only")
    if not checks.is_word(item.hash):
        checks.word(f"[{at}].hash", item.hash)
    # By place: msgspec looks for each name among all.
    return Propose(
        item.kind, version, item.hash, item.from_, item.signature, item.idempotency_key, wait, False, None, None, trace
    )


def _wrong(at: int, field: str, detail: str) -> Refused:
    return bad_request(f"[{at}].{field}: {detail}", f"[{at}].{field}")


def _outcome(answer: Answer, wait: float) -> BatchOutcome:
    if type(answer) is ProposalAnswer:
        return BatchOutcome(True, 200, _proposed(answer, wait))
    if isinstance(answer, Refusal):
        status = REFUSAL_STATUS.get(answer.reason, CLUSTER_SAID_NO)
        return BatchOutcome(False, status, refusal_data(answer), refusal_error(answer))
    if isinstance(answer, Maybe):
        return BatchOutcome(False, 504, unknown_data(answer), answer.detail)
    raise TypeError(f"a proposal was answered with {type(answer).__name__}")
