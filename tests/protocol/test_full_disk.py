"""A node whose disk takes no writes says so once, with the reason (H2)."""

import random

from node.protocol.core import Core
from node.protocol.effects import Called, DiskState, Now, Reply
from node.protocol.records import Durable
from node.protocol.requests import Propose, Refusal
from node.protocol.settings import Member, Settings

NOW = Now(0.0, 1e12)
WHY = "this node cannot write its journal (disk_full)"


def test_h2_what_a_node_with_a_full_disk_says() -> None:
    settings = Settings("A", "c", (Member("A", "http://a/api/v1"),))
    core = Core(settings, Durable(), random.Random(1), NOW, "boot", new_cluster=True)
    core.step(NOW, DiskState("disk_full"))
    assert core.view_status(NOW).verdict == f"Not taking part: {WHY}."
    [answer] = [e.answer for e in core.step(NOW, Called(1, Propose("snapshot", "1.0.0", "x"))) if isinstance(e, Reply)]
    assert answer == Refusal("cannot_vote", f"{WHY}; ask another")
