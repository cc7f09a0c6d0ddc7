"""What people see, at 80 columns, and that nothing a node says can break it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from iwdc_console.cli.text import cells
from iwdc_console.cli.views import cluster, decisions, history
from iwdc_console.cli.views.screen import Screen
from tests.cli import samples

SCREEN = Screen(80, False, samples.NOW_MS)
Table = Callable[[Any, Screen], str]

STATUS = """\
◐ Working, with one instance gone: instance-C has not answered for 41 s. None
more may fail.
! an even split could accept on both sides

  instance    status        beat  round trip    uptime       drift  version
★ instance-A  healthy          -           -  12 d 4 h           -  1.2.0
◐ instance-B  degraded     1.2 s      0.8 ms  12 d 4 h  +1204.0 ms  1.2.0
    drift, slow_disk
○ instance-C  unreachable   41 s           -  12 d 4 h           -  -

cluster  prod-eu, rule half, last-write-wins
quorum   sufficient: 2 of 3 healthy, 2 needed
leader   ★ instance-A, term 4
version  1.2.0 (abc123)
work     1 open proposal, 0 open conflicts, 1 lock, 128 events"""

LEADER = """\
★ instance-A leads in term 4, elected 3 min ago
  Its lease runs 9.0 s more.

rank  candidate   status      uptime
   1  instance-A  healthy   12 d 6 h
   2  instance-B  degraded  12 d 5 h"""

DRIFT = """\
instance-B is +12.4 ms ± 0.6 ms against instance-A, +1.5 ppm, measured 20 s ago

instance    against the leader
instance-B            +12.4 ms
instance-C                   -"""

LOCKS = """\
resource   owner     token  left   ttl  waiting  taken through
catalogue  build-7  #60129  24 s  30 s        2  instance-B
reindex    ops      #60131     -  30 s        -  instance-B

Only the leader knows what is left, and who waits: ask it with --node."""

PROPOSALS = """\
proposal             state     votes  proposer    hash    when
snapshot 1.2.0       accepted    2/2  instance-A  abc123  3.0 s ago
diff 1.1.0 -> 1.2.0  rejected    0/2  instance-A  def456  3.0 s ago"""

PROPOSAL = """\
proposal  diff-1.1.0-1.2.0-1700000000001
content   diff 1.1.0 -> 1.2.0, hash def456
state     rejected: stale_version
proposed  by instance-A, 3.0 s ago
needed    2 accept votes, round 0
trace     4bf92f3577b34da6a3ce929d0e0e4736

instance    vote     reason         when
instance-A  reject   stale_version  2.0 s ago
instance-B  reject   stale_version  2.0 s ago
instance-C  no vote"""

CONFLICTS = """\
version 1.2.0  open
  reject-inconsistent: open until somebody resolves it
     content         hash    proposer    key
  ○  snapshot 1.2.0  abc123  instance-A  k-1
  ○  snapshot 1.2.0  fff000  instance-C  k-9
  Settle it with: iwdc-distributed conflicts resolve 'version 1.2.0' KEY"""

EVENTS = """\
     when  origin      type               what
3.0 s ago  instance-A  SNAPSHOT_PROPOSAL  version=1.2.0 hash=abc123"""

TRACES = """\
     when  name                     took  trace
3.0 s ago  PROPOSE_SNAPSHOT_API  12.5 ms  4bf92f3577b34da6a3ce929d0e0e4736"""

METRICS = """\
metric                    labels       value
distributed_votes_total   type=accept     12
distributed_active_locks                 1.5"""

FAR_OFF = """\
instance-B is +2 h ± 0.6 ms against instance-A, +1.5 ppm, measured 20 s ago

instance    against the leader
instance-B                +2 h
instance-C           -56 d 3 h"""

NO_DRIFT = """\
instance-B is +0.0 ms ± 0.6 ms against instance-A, +1.5 ppm, measured 20 s ago"""

GOLDEN: list[tuple[Table, Any, str]] = [
    (cluster.status_table, samples.STATUS, STATUS),
    (cluster.quorum_table, samples.QUORUM, "● Quorum sufficient: 2 of 3 healthy, 2 needed, may lose 0"),
    (
        cluster.quorum_table,
        {"total": 3, "healthy": 1, "required": 2, "sufficient": False},
        "○ Quorum insufficient: 1 of 3 healthy, 2 needed, 1 more instance needed",
    ),
    (cluster.leader_table, samples.LEADER, LEADER),
    (
        cluster.leader_table,
        samples.LEADER | {"id": None, "candidates": []},
        "○ No leader (term 4). Locks wait for one.",
    ),
    (cluster.drift_table, samples.DRIFT, DRIFT),
    (
        cluster.drift_table,
        samples.DRIFT | {"offsetMs": 7_200_000.2, "peers": {"instance-B": 7_200_000.2, "instance-C": -4_849_200_000.0}},
        FAR_OFF,
    ),
    (cluster.drift_table, samples.DRIFT | {"offsetMs": -0.04, "peers": {}}, NO_DRIFT),
    (decisions.locks_table, samples.LOCKS, LOCKS),
    (decisions.locks_table, [], "No locks are held."),
    (decisions.proposals_table, [samples.proposal(), samples.DIFF], PROPOSALS),
    (decisions.proposal_table, [samples.DIFF], PROPOSAL),
    (decisions.conflicts_table, samples.CONFLICTS, CONFLICTS),
    (history.events_table, samples.EVENTS, EVENTS),
    (history.traces_table, samples.TRACES, TRACES),
    (history.metrics_table, history.samples(samples.METRICS), METRICS),
]


@pytest.mark.parametrize(("view", "data", "picture"), GOLDEN)
def test_pictures(view: Table, data: Any, picture: str) -> None:
    assert view(data, SCREEN) == picture


@pytest.mark.parametrize(
    ("more", "shape"),
    [
        ({}, "◐"),
        ({"instances": [samples.instance("instance-A")]}, "●"),
        ({"instances": [samples.instance("instance-A")], "openConflicts": 1}, "◐"),
        ({"leader": samples.LEADER | {"id": None}}, "○"),
        ({"quorum": samples.QUORUM | {"sufficient": False}}, "○"),
    ],
)
def test_the_verdict_s_shape_is_the_cluster_s(more: dict[str, Any], shape: str) -> None:
    assert cluster.status_table(samples.STATUS | more, SCREEN).startswith(f"{shape} Working")


def test_a_waterfall_gathers_all_instances_on_one_axis() -> None:
    picture = history.waterfall("4bf9", [*samples.SPANS_A, *samples.SPANS_B], SCREEN).split("\n")
    assert picture[0] == "trace 4bf9: 3 spans on instance-A, instance-B, 12 ms"
    assert picture[2].startswith("PROPOSE_SNAPSHOT_API  instance-A      12 ms  ███")
    assert picture[3].startswith("  PROPOSE_SNAPSHOT    instance-A       9 ms    ██")
    assert picture[4].startswith("  QUORUM_DECISION     instance-B       3 ms             ██")
    assert all(cells(line) <= 80 for line in picture)


def test_spans_that_name_one_another_as_parents_are_all_shown() -> None:
    one, two = samples.SPANS_A[0] | {"parent": "a2"}, samples.SPANS_A[1]
    assert len(history.ordered([one, two])) == 2


HOSTILE = "\x1b[2J\n\u202e" + "日本" * 60 + "\x9b"


def poisoned(data: Any) -> Any:
    """The same data with every free text replaced by a hostile one."""
    words = {"healthy", "degraded", "unreachable", "pending", "accepted", "rejected", "accept", "reject"}
    if isinstance(data, dict):
        return {key: poisoned(value) for key, value in data.items()}
    if isinstance(data, list):
        return [poisoned(value) for value in data]
    return HOSTILE if isinstance(data, str) and data not in words else data


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(("view", "data"), [(view, data) for view, data, _ in GOLDEN if data])
def test_nothing_a_node_says_steers_the_terminal(view: Table, data: Any, width: int) -> None:
    picture = view(poisoned(data), SCREEN._replace(width=width))
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u202e" for c in picture if c != "\n")
    assert all(cells(line) <= max(width, 80) for line in picture.split("\n"))


def test_shapes_fall_back_where_the_encoding_has_none() -> None:
    picture = cluster.instances_table(samples.INSTANCES, SCREEN._replace(shapes=False), leader="instance-A")
    assert picture.isascii()
    assert "* instance-A" in picture
    assert "~ instance-B" in picture


def test_colour_only_underlines_words() -> None:
    painted = cluster.instances_table(samples.INSTANCES, SCREEN._replace(colour=True))
    plain = cluster.instances_table(samples.INSTANCES, SCREEN)
    assert "\x1b[33mdegraded" in painted
    for code in ("0", "1", "2", "31", "32", "33"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == plain


def test_metrics_are_read_as_prometheus_writes_them() -> None:
    text = 'a_total{x="one \\"two\\"\\n",y="}"} 3\nb +Inf\n# c 1\n\nd 0.25\n'
    assert history.samples(text) == [
        {"name": "a_total", "labels": {"x": 'one "two"\n', "y": "}"}, "value": 3},
        {"name": "b", "labels": {}, "value": "+Inf"},
        {"name": "d", "labels": {}, "value": 0.25},
    ]


def test_samples_are_json() -> None:
    assert json.loads(json.dumps(samples.READS)) == samples.READS
