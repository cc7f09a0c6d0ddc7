"""The verdict and the overview's rows and lines, as pure functions of a moment."""

import msgspec
import pytest

from iwdc_console.tui.model import overview
from iwdc_console.tui.model.api import Candidate, Instance, Leader, Quorum, Status
from iwdc_console.tui.model.evidence import note, proof
from iwdc_console.tui.model.frame import fields
from iwdc_console.tui.model.history import History
from iwdc_console.tui.model.instances import detail_lines
from iwdc_console.tui.model.lately import entries
from iwdc_console.tui.model.matrix import matrix_lines
from iwdc_console.tui.model.moment import Moment
from iwdc_console.tui.model.observation import Link, Observation, Part
from iwdc_console.tui.model.overview import proposal_lines
from iwdc_console.tui.model.verdict import Verdict, spare, verdict
from tests.tui import prod_eu
from tests.tui.prod_eu import NAMES, NOW_MS, NOW_S, instance, moment, observation


def of(status: Status) -> Verdict:
    return verdict(moment(observation(status)))


def plain(lines: list[list[tuple[str, str]]]) -> str:
    return "\n".join("".join(words for words, _ in line) for line in lines)


def header(status: Status | None = None, now_s: float = NOW_S) -> str:
    shown = fields(moment(observation(status) if status else None, now_s))
    return "   ".join("".join(words for words, _ in field.pieces) for field in shown)


def test_all_well_says_how_much_may_still_fail() -> None:
    assert of(prod_eu.all_well()) == Verdict(
        "healthy",
        "All well: 5 of 5 healthy, instance-B leads.",
        "",
        "2 more may fail before writes stop.",
        "2 more may fail.",
    )


def test_what_is_gone_is_named_with_its_reason() -> None:
    assert of(prod_eu.status()) == Verdict(
        "degraded",
        "Working, with one instance gone.",
        "instance-E: its host refuses connections.",
        "One more may fail before writes stop.",
        "One more may fail.",
    )


def test_a_broken_link_is_not_all_well_though_all_are_healthy() -> None:
    """The asked node sees both ends."""
    base = prod_eu.all_well()

    def blind(*pairs: tuple[int, int]) -> Verdict:
        found = list(base.instances)
        for one, other in pairs:
            sees = {**found[one].sees, found[other].id: "unreachable"}
            found[one] = msgspec.structs.replace(found[one], sees=sees)
        return of(msgspec.structs.replace(base, instances=tuple(found)))

    assert blind((2, 1), (1, 2))[:3] == (
        "degraded", "Working, with a broken link.", "instance-B and instance-C do not see each other."
    )  # fmt: skip
    assert blind((2, 1)).reason == "instance-C does not see instance-B."
    assert blind((1, 2), (1, 3)).reason == "instance-B does not see instance-C; and 1 more."


def test_a_suspect_clock_is_not_all_well() -> None:
    assert of(msgspec.structs.replace(prod_eu.all_well(), suspect="instance-B")) == Verdict(
        "degraded",
        "Working, but the clock of instance-B is suspect.",
        "No lock and no vote rests on clocks.",
        "2 more may fail before writes stop.",
        "2 more may fail.",
    )


def test_a_suspect_clock_is_told_where_its_instance_is_looked_at() -> None:
    doubted = msgspec.structs.replace(prod_eu.all_well(), suspect="instance-B")
    why = "its clock is suspect: the others agree among themselves, not with it"
    seen = moment(observation(doubted))
    notes = {row.key: (row.note, row.note_tone) for row in overview.instance_rows(seen)}
    assert notes["instance-B"] == (why, "status-degraded")
    assert notes["instance-C"][0] == ""
    assert why in plain(detail_lines(seen, "instance-B", 100, 20))
    assert why not in plain(detail_lines(seen, "instance-C", 100, 20))


def test_a_long_reason_is_told_to_its_end_where_its_instance_is_looked_at() -> None:
    reasons = ("config_mismatch: rule: here half, there majority; strategy: here last-write-wins, there leader-wins",)
    base = prod_eu.all_well()
    odd = (instance("instance-A", status="degraded", reasons=reasons), *base.instances[1:])
    told = plain(detail_lines(moment(observation(msgspec.structs.replace(base, instances=odd))), "instance-A", 60, 20))
    assert "there leader-wins" in " ".join(told.split())
    assert all(len(line) <= 60 for line in told.split("\n")[1:4])


def test_a_cluster_called_like_the_product_is_named_once() -> None:
    unnamed = msgspec.structs.replace(prod_eu.all_well(), cluster="iwdc")
    seen = msgspec.structs.replace(observation(unnamed), context="")
    words = ["".join(words for words, _ in field.pieces) for field in fields(moment(seen))]
    assert words[0] == "iwdc"


def test_what_happened_to_a_clock_stands_among_the_rest() -> None:
    well, doubted = prod_eu.all_well(), msgspec.structs.replace(prod_eu.all_well(), suspect="instance-B")
    parts = [Part(each, "", float(at), NOW_MS + at * 1_000) for at, each in enumerate((well, doubted, well))]
    history = History.of(Observation(status=part) for part in parts)
    seen = Moment(Observation(status=parts[-1]), history, 3.0, NOW_MS + 3_000)
    assert [(each.origin, each.word, each.what) for each in entries(seen, 5)] == [
        ("instance-B", "clock", "no longer suspect"),
        ("instance-B", "clock", "suspect: the others agree, not with it"),
    ]


def test_the_worst_is_said_first() -> None:
    base = prod_eu.status()
    no_quorum = msgspec.structs.replace(base, quorum=Quorum(5, 2, 3, False), open_conflicts=1)
    assert of(no_quorum).sentence == "No quorum: 2 of 5 are healthy, 3 are needed."
    both = tuple(instance(name, status="unreachable", reasons=("refused",)) for name in NAMES[3:])
    gone = msgspec.structs.replace(no_quorum, instances=(*base.instances[:3], *both))
    assert of(gone).reason == "instance-D, instance-E: its host refuses connections.", "one cause is told once"
    no_leader = msgspec.structs.replace(base, leader=Leader(None, 15), open_conflicts=1)
    assert of(no_leader).sentence == "No leader: proposals work, locks wait."
    conflicts = msgspec.structs.replace(base, open_conflicts=2)
    assert of(conflicts).sentence == "Working, with 2 open conflicts that a person must resolve."
    own = (instance("instance-A", status="unreachable", reasons=("cannot_vote", "disk_full")), *base.instances[1:])
    assert of(msgspec.structs.replace(base, instances=own)) == Verdict(
        "unreachable", "instance-A does not take part.", "its disk is full"
    ), "that it may not vote goes without saying beside why"
    bare = (instance("instance-A", status="unreachable", reasons=("cannot_vote",)), *base.instances[1:])
    assert of(msgspec.structs.replace(base, instances=bare)).reason == "it may not vote"


def test_where_nobody_can_be_elected_no_election_is_promised() -> None:
    members = prod_eu.instances()
    voters = tuple(Candidate(item.id, item.uptime_ms, item.status) for item in members)
    halved = tuple(msgspec.structs.replace(each, status="unreachable") for each in voters[2:4])
    base = prod_eu.status(leader=Leader(None, 15, None, 0, (*voters[:2], *halved)), quorum=Quorum(4, 2, 2, True))
    assert of(base).next == "Nobody can be elected: 2 of 4 voters are there, 3 are needed."
    there = msgspec.structs.replace(base, leader=Leader(None, 15, None, 0, voters[:4]))
    assert of(there).next == "An election is due."


def test_who_is_seen_by_others_is_not_simply_gone_and_may_lead_them() -> None:
    """One direction of a link is broken: the asked node alone hears nothing."""
    sees = {"instance-E": "healthy"}
    others = tuple(instance(name, sees=sees) for name in NAMES[1:4])
    deaf = instance("instance-E", status="unreachable", reasons=("no_answer",))
    base = prod_eu.status(instances=(instance("instance-A", sees={"instance-E": "unreachable"}), *others, deaf))
    assert of(base).reason == "instance-E: no answer, but others see it."
    said = of(msgspec.structs.replace(base, leader=msgspec.structs.replace(base.leader, id=None)))
    assert said.sentence == "No leader: proposals work, locks wait."
    assert said.next == "It may lead for those who see it; w asks them."


def test_what_lost_its_conflict_is_not_called_accepted() -> None:
    known = observation()
    won, lost = (msgspec.structs.replace(prod_eu.proposals()[1], key=key, settled=key == "w") for key in "wl")
    assert known.proposals is not None
    part = msgspec.structs.replace(known.proposals, value=(won, lost))
    lines = plain(proposal_lines(moment(msgspec.structs.replace(known, proposals=part)), 60, 9)).split("\n")
    assert ["accepted" in line for line in lines] == [True, False]
    assert ["lost" in line for line in lines] == [False, True]


def test_many_that_are_gone_are_counted() -> None:
    gone = tuple(instance(f"instance-{n}", status="unreachable", reasons=("no_answer",)) for n in range(7))
    status = prod_eu.status(instances=(instance("instance-A"), *gone))
    assert of(status).reason.endswith("; and 4 more.")


@pytest.mark.parametrize(
    ("healthy", "required", "voters_up", "left", "said"),
    [
        (5, 3, 5, (2, 2), "2 more may fail before writes stop."),
        (4, 3, 4, (1, 1), "One more may fail before writes stop."),
        (3, 3, 3, (0, 0), "Writes stop when one more fails."),
        (3, 2, 2, (1, -1), "Locks have no majority."),
        (4, 2, 3, (2, 0), "May still fail: 0 for locks, 2 for proposals."),
    ],
)
def test_locks_need_a_strict_majority_whatever_the_rule(
    healthy: int, required: int, voters_up: int, left: tuple[int, int], said: str
) -> None:
    candidates = tuple(
        Candidate(name, 1, "healthy" if place < voters_up else "unreachable") for place, name in enumerate(NAMES)
    )
    status = prod_eu.status(quorum=Quorum(5, healthy, required, True), leader=Leader("instance-B", 1, 0, 0, candidates))
    assert (spare(status), of(status).next) == (left, said)


def test_before_the_first_answer_the_first_line_says_whom_it_asks() -> None:
    nothing = Observation(context="prod-eu", nodes=("http://a:1",), link=Link(node="http://a:1"))
    assert verdict(moment(nothing)).sentence == "Connecting to prod-eu"
    refused = Link(
        node="http://a:1", error="http://a:1: connection refused", next_try_s=NOW_S + 4, tried=("http://a:1",)
    )
    said = verdict(moment(msgspec.structs.replace(nothing, link=refused)))
    assert said == Verdict(
        "unreachable",
        "No node of prod-eu answers (1 tried).",
        "http://a:1: connection refused.",
        "Next try in 4 s; r tries now, w looks for the cause.",
        "Next try in 4 s.",
    )


def test_a_lost_cluster_keeps_what_was_known_and_counts_down() -> None:
    addresses = tuple(f"http://{name}" for name in "nmabcde")
    link = Link(node="n", error="n: refused", answered_s=NOW_S - 134, next_try_s=NOW_S + 4, tried=addresses)
    lost = msgspec.structs.replace(observation(at_s=NOW_S - 134), link=link)
    shown = moment(lost)
    assert shown.stale
    said = verdict(shown)
    assert said.sentence == "No node of prod-eu answers (5 tried, last answer 2m 14s ago).", (
        "nodes, not addresses: a member may be reached by one and known by another"
    )
    assert said.next == "Next try in 4 s; r tries now, w looks for the cause."
    assert verdict(moment(lost, NOW_S + 4)).next == "Trying now."
    past = moment(lost, mode="past")
    assert not past.stale
    assert verdict(past).sentence == "Working, with one instance gone.", "what was, not what is"


def test_the_header_counts_the_age_of_what_it_shows() -> None:
    assert header().endswith("live  0.4 s")
    assert header(now_s=NOW_S + 11.6).endswith("stale   12 s")
    assert "quorum ●●●●○ 4/5 need 3, may lose 1" in header()
    assert "drift +1204 ms" in header()
    assert "quorum ●●○○○ 2/5 need 3" in header(prod_eu.status(quorum=Quorum(5, 2, 3, False)))


def test_rows_keep_shape_word_and_note() -> None:
    rows = overview.instance_rows(moment())
    assert [row.cells[0].text for row in rows] == ["●", "★", "●", "◐", "○"]
    assert [row.cells[2].text for row in rows][3:] == ["degraded", "unreachable"]
    assert [row.note for row in rows] == ["", "", "", "its clock is off", "its host refuses connections"]
    assert rows[1].cells[7].text == "ref"
    assert rows[4].cells[6].text == "–", "nobody knows the uptime of what is gone"


def test_heartbeat_ages_go_on_between_two_answers() -> None:
    early, late = overview.instance_rows(moment()), overview.instance_rows(moment(now_s=NOW_S + 2))
    assert (early[1].cells[3].text, late[1].cells[3].text) == ("1.2 s", "3.2 s"), "by whole seconds"


def test_an_unknown_status_or_reason_is_shown_as_it_was_said() -> None:
    odd = instance("instance-C", status="dozing", reasons=("lunch: until two",))
    status = prod_eu.status(instances=(instance("instance-A"), odd))
    row = overview.instance_rows(moment(observation(status)))[1]
    assert (row.cells[0].text, row.cells[2].text, row.note) == ("?", "dozing", "lunch: until two")


def test_reasons_bring_their_measurement() -> None:
    members = prod_eu.instances()
    assert proof("drift", members[3]) == "+1204 ms against the leader"
    assert proof("refused", members[4]) == "last heard 41 s ago"
    assert proof("refused", members[4], 2_000) == "last heard 43 s ago", "it grows on between two answers"
    assert proof("slow_disk", members[3]) == ""
    assert note(Instance(id="x", status="unreachable")) == "no answer"


def test_open_proposals_come_first_with_their_votes() -> None:
    lines = plain(overview.proposal_lines(moment(), 50, 8)).split("\n")
    assert lines[0].split() == ["snapshot", "1.5.0", "pending", "11", "s", "left"]
    assert lines[1].strip().endswith("2 of 3 needed A✓ B✓ C· D✗ E·")
    assert lines[2].startswith("diff 1.4.1 → 1.4.2")
    assert len(overview.proposal_lines(moment(), 50, 2)) == 2


def test_the_lock_that_expires_first_stands_first_and_ticks() -> None:
    lines = plain(overview.lock_lines(moment(), 40, 6)).split("\n")
    assert lines[0].startswith("reindex")
    assert lines[0].rstrip().endswith("3.6 s")
    assert lines[1].endswith("+2")
    later = plain(overview.lock_lines(moment(now_s=NOW_S + 10), 40, 6)).split("\n")
    assert later[0].rstrip().endswith("over?")


def test_lately_joins_events_and_what_was_seen_from_here() -> None:
    told = [(entry.origin, entry.word) for entry in entries(moment(), 10)]
    assert told == [
        ("instance-A", "SNAPSHOT_PROPOSAL"),
        ("instance-E", "unreachable"),
        ("instance-D", "degraded"),
        ("instance-C", "DIFF_ACCEPT"),
        ("instance-D", "SKIPPED_QUORUM"),
        ("instance-B", "LEADER_CHANGED"),
    ]
    assert len(entries(moment(), 2)) == 2


def test_the_matrix_says_which_link_is_broken() -> None:
    half = {**dict.fromkeys(NAMES, "healthy"), "instance-C": "unreachable"}
    members = (instance("instance-A", sees=half), instance("instance-B"), instance("instance-C"))
    said = plain(matrix_lines(moment(observation(prod_eu.status(instances=members))), 80, 20))
    assert "instance-C is seen by instance-B and not by instance-A: a link is broken" in said
    assert "link" not in plain(matrix_lines(moment(), 60, 20))


def test_the_matrix_of_a_hundred_fits_the_width() -> None:
    members = tuple(instance("instance-A", id=f"node-{n:03d}", url="") for n in range(100))
    for line in matrix_lines(moment(observation(prod_eu.status(instances=members))), 40, 12):
        assert sum(len(words) for words, _ in line) <= 40


def test_nothing_known_yet_is_said_in_every_panel() -> None:
    nothing = moment(Observation(context="x"))
    for writer in (overview.proposal_lines, overview.lock_lines, matrix_lines, overview.drift_lines):
        assert plain(writer(nothing, 40, 5)) == "…"
    assert overview.instance_rows(nothing) == []
