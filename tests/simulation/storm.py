"""A storm of elections: nodes die between two effects, links come and go, locks are taken.

Denser than a drawn campaign: faults that last about as long as an election takes, so that changes of leader meet.
"""

from typing import Any

from node.protocol.settings import Timing
from node.simulation.network import Weather

FAMILIES = ("crash", "crash_between_effects", "pause", "partition", "one_way", "flap", "slow_link", "restart_all")
WEATHER = Weather(delay_s=0.001, jitter_s=0.02, loss=0.02, duplicate=0.05, straggle=0.05, straggle_s=0.5)
QUICK = Timing(
    heartbeat_interval=0.2, heartbeat_timeout=0.6, election_interval=1.2, lock_ttl=1.2, lock_renew_interval=0.4,
    drift_interval=2.4, proposal_timeout=1.2,
)  # fmt: skip
"""The seed's timings, 25 times faster. The faults are 50 times shorter than at the seed's."""
PLAN: dict[str, Any] = {
    "scale": 0.02, "timings": QUICK, "duration_s": 30.0, "fault_every_s": 0.5, "think_s": 0.1, "clients": 6,
    "slowest": 1.0, "fastest": 1.05, "start_spread_s": 0.5,
}  # fmt: skip
"""Fields of the plan that are not drawn, beside weather and families."""
