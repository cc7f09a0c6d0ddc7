"""Proposals of one step share an event where none can touch another (P1, P2)."""

from dataclasses import replace as with_setting

from msgspec.structs import replace

from node.protocol.requests import Propose
from tests.protocol.alone import ONE, Alone


def snapshot(version: str, hash_: str = "h", key: str | None = None, trace: str = "t") -> Propose:
    return Propose("snapshot", version, hash_, idempotency_key=key, wait_s=5, trace=trace)


def test_p1_rising_snapshots_of_a_step_share_an_event_and_have_keys_of_their_own() -> None:
    payloads, answers = Alone().ask(snapshot("1.0.0"), snapshot("1.1.0"), snapshot("1.2.0"))
    assert [[body["version"] for body in payload["proposals"]] for payload in payloads] == [["1.0.0", "1.1.0", "1.2.0"]]
    assert [answer.proposal.state for answer in answers] == ["accepted"] * 3
    first = answers[0].proposal.key
    assert [answer.proposal.key for answer in answers] == [first, f"{first}.1", f"{first}.2"]


def test_what_a_step_accepted_is_announced_in_one_event() -> None:
    events = Alone().events_of(snapshot("1.0.0"), snapshot("1.1.0"), Propose("diff", "1.2.0", "d", base="1.1.0"))
    announced = [event for event in events if event.type.endswith("_ACCEPT")]
    told = {event.type: event.payload.get("accepted", [event.payload]) for event in announced}
    proposed = next(event for event in events if event.type == "SNAPSHOT_PROPOSAL")
    snapshots, diffs = told["SNAPSHOT_ACCEPT"], told["DIFF_ACCEPT"]
    assert [(one["proposal"], one["version"]) for one in snapshots] == [
        (proposed.id, "1.0.0"),
        (f"{proposed.id}.1", "1.1.0"),
    ]
    assert [(one["from"], one["to"]) for one in diffs] == [("1.1.0", "1.2.0")]


def test_a_proposal_alone_is_an_event_as_the_seed_has_it() -> None:
    payloads, answers = Alone().ask(snapshot("1.0.0"))
    assert [payload["version"] for payload in payloads] == ["1.0.0"]
    assert answers[0].proposal.trace_id == "t"


def test_each_keeps_the_trace_of_its_request() -> None:
    _, answers = Alone().ask(snapshot("1.0.0", trace="one"), snapshot("1.1.0", trace="two"))
    assert [answer.proposal.trace_id for answer in answers] == ["one", "two"]


def test_p3_what_is_no_higher_is_judged_after_what_came_before_it() -> None:
    payloads, answers = Alone().ask(snapshot("1.1.0"), snapshot("1.2.0"), snapshot("1.0.0"), snapshot("1.2.0", "other"))
    assert [len(payload["proposals"]) for payload in payloads] == [2, 2]
    assert [answer.proposal.state for answer in answers] == ["accepted", "accepted", "rejected", "rejected"]


def test_a_diff_finds_the_base_that_was_proposed_just_before_it() -> None:
    diff = Propose("diff", "1.1.0", "d", base="1.0.0", wait_s=5)
    payloads, answers = Alone().ask(snapshot("1.0.0"), diff, snapshot("1.2.0"))
    assert len(payloads) == 3
    assert [answer.proposal.state for answer in answers] == ["accepted"] * 3


def test_p6_the_same_content_or_idempotency_key_within_a_step_is_one_proposal() -> None:
    _, answers = Alone().ask(
        snapshot("1.0.0"), snapshot("1.0.0"), snapshot("1.1.0", key="k"), snapshot("1.2.0", key="k")
    )
    keys = [answer.proposal.key for answer in answers]
    assert keys == [keys[0], keys[0], keys[2], keys[2]]
    assert keys[0] != keys[2]
    assert [answer.existing for answer in answers] == [False, True, False, True]


def test_what_is_tried_dry_is_not_counted_as_sent() -> None:
    alone = Alone()
    sent = ("distributed_proposals_sent_total", (("type", "snapshot"),))
    alone.events_of(replace(snapshot("1.0.0"), dry_run=True))
    assert alone.core.counters.get(sent, 0) == 0
    alone.events_of(snapshot("1.0.0"))
    assert alone.core.counters[sent] == 1


def own_votes(alone: Alone, *asks: Propose) -> list[tuple[str | None, str | None]]:
    """What the proposer says of its own proposals in their event."""
    (proposed,) = (event for event in alone.events_of(*asks) if event.type.endswith("_PROPOSAL"))
    bodies = proposed.payload.get("proposals", [proposed.payload])
    return [(body.get("vote"), body.get("reason")) for body in bodies]


def test_p3_a_proposer_accepts_what_rises_and_nothing_competes_with() -> None:
    alone = Alone()
    assert own_votes(alone, snapshot("1.0.0"), snapshot("1.1.0")) == [("accept", None)] * 2
    assert own_votes(alone, snapshot("1.1.0", "other"), snapshot("1.2.0")) == [
        ("reject", "stale_version"),
        ("accept", None),
    ]


def test_p3_a_proposer_holds_its_vote_on_a_diff_whose_base_it_does_not_know() -> None:
    assert own_votes(Alone(), Propose("diff", "1.1.0", "d", base="1.0.0", wait_s=5)) == [(None, None)]


def test_p3_a_proposer_rejects_its_own_proposal_without_the_signature_that_all_ask_for() -> None:
    strict = Alone(settings=with_setting(ONE, require_signatures=True))
    assert own_votes(strict, snapshot("1.0.0"), snapshot("1.1.0")) == [("reject", "bad_signature")] * 2
