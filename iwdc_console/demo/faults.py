"""What can be done to the demo's cluster, and how it stands then, as its host is told and tells it.

Each order is one JSON line to the host, answered by one line (`Answer`). Times are unix ms.
"""

from typing import Literal

import msgspec

BEAT_S = 0.25
SILENCE_S = 1.25
"""The demo's `heartbeat_interval` and `heartbeat_timeout`: slow enough to watch what follows from what."""
Condition = Literal["running", "paused", "down"]


class Order(msgspec.Struct, frozen=True, tag_field="do", tag=str.lower):
    """Something to do. The tag is the name of its class."""


class Look(Order, frozen=True):
    """Change nothing; say how things stand."""


class Kill(Order, frozen=True):
    """kill -9: no time to say goodbye. Its disk stays."""

    node: str


class Start(Order, frozen=True):
    """Start a node that is down, with the disk it had."""

    node: str


class Restart(Order, frozen=True):
    """Stop a node in good order and start it again with its disk; one that is down is started."""

    node: str


class Wipe(Order, frozen=True):
    """kill -9, lose the disk, start again with an empty one."""

    node: str


class Pause(Order, frozen=True):
    """SIGSTOP: the process stands still, its connections stay open."""

    node: str


class Resume(Order, frozen=True):
    """SIGCONT: it goes on where it stood."""

    node: str


class Skew(Order, frozen=True):
    """Set a node's wall clock off by so much; 0 sets it right."""

    node: str
    offset_ms: float


class Cut(Order, frozen=True):
    """Nothing more arrives from `source` at `target`."""

    source: str
    target: str


class Delay(Order, frozen=True):
    """All that `source` sends to `target` takes so much longer."""

    source: str
    target: str
    delay_ms: float


class Mend(Order, frozen=True):
    """The direction from `source` to `target` works again, at full speed."""

    source: str
    target: str


class Split(Order, frozen=True):
    """Cut every direction between any two groups."""

    groups: tuple[tuple[str, ...], ...]


class Heal(Order, frozen=True):
    """Undo everything: all ways open, clocks right, paused nodes go on, dead ones start."""


Orders = (
    Look | Kill | Start | Restart | Wipe | Pause | Resume | Skew | Cut | Delay | Mend | Split | Heal
)  # fmt: skip


class Member(msgspec.Struct, frozen=True):
    """One node: where clients reach it, and what has been done to it since when."""

    id: str
    url: str
    condition: Condition
    condition_since_ms: float
    skew_ms: float = 0.0
    skew_since_ms: float = 0.0


class Impaired(msgspec.Struct, frozen=True):
    """One direction of a link that does not work as it should."""

    source: str
    target: str
    cut: bool
    delay_ms: float
    since_ms: float


class State(msgspec.Struct, frozen=True):
    """The cluster as its host has made it."""

    members: tuple[Member, ...]
    impaired: tuple[Impaired, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What became of an order: done when `problem` is empty."""

    state: State
    problem: str = ""
