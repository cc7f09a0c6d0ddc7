"""All endpoints."""

from node.api import contents, legacy, locks, openapi, orders, peer, proposals, reads, snapshots, stream
from node.api.exchange import ApiLimits
from node.api.routing import Route
from node.observability.traces import PROPOSE_DIFF_API, PROPOSE_SNAPSHOT_API, QUORUM_API

API = "/api/v1"
DISTRIBUTED = f"{API}/distributed"
PEER = f"{DISTRIBUTED}/peer"


def routes(limits: ApiLimits) -> tuple[Route, ...]:
    """Every endpoint of the API."""
    d, batch = DISTRIBUTED, limits.max_batch_bytes
    s, content = f"{API}/snapshots", f"{API}/snapshots/contents/{{key}}"
    listed = (
        Route("GET", f"{API}/health", reads.health),
        Route("GET", f"{d}/info", reads.info),
        Route("GET", f"{d}/quorum", reads.quorum, span=QUORUM_API),
        Route("GET", f"{d}/status", reads.status),
        Route("GET", f"{d}/instances", reads.instances),
        Route("GET", f"{d}/leader", reads.leader),
        Route("POST", f"{d}/leader/step-down", orders.step_down),
        Route("POST", f"{d}/leader/elect", orders.elect),
        Route("GET", f"{d}/locks", reads.locks),
        Route("POST", f"{d}/locks/{{resource}}/acquire", locks.acquire),
        Route("POST", f"{d}/locks/{{resource}}/renew", locks.renew),
        Route("POST", f"{d}/locks/{{resource}}/release", locks.release),
        Route("POST", f"{d}/locks/{{resource}}/force-release", locks.force_release),
        Route("GET", f"{d}/drift", reads.drift),
        Route("POST", f"{d}/propose-snapshot", proposals.propose_snapshot, span=PROPOSE_SNAPSHOT_API),
        Route("POST", f"{d}/propose-diff", proposals.propose_diff, span=PROPOSE_DIFF_API),
        Route("POST", f"{d}/propose", proposals.propose_batch, max_body=batch),
        Route("GET", f"{d}/proposals", reads.proposals),
        Route("GET", f"{d}/proposals/{{id}}", reads.proposal),
        Route("GET", f"{d}/conflicts", reads.conflicts),
        Route("POST", f"{d}/conflicts/{{slot}}/resolve", orders.resolve),
        Route("GET", f"{d}/events", reads.events),
        Route("POST", f"{d}/events", orders.publish),
        Route("GET", f"{d}/events/stream", stream.stream),
        Route("GET", f"{d}/traces", reads.traces),
        Route("GET", f"{d}/traces/{{id}}", reads.trace),
        Route("POST", f"{d}/recover", orders.go_on),
        Route("GET", f"{d}/journal", legacy.journal),
        Route("POST", f"{d}/sync", legacy.sync, max_body=batch),
        Route("POST", f"{d}/heartbeat", legacy.heartbeat),
        Route("POST", PEER, peer.peer, max_body=limits.max_peer_bytes),
        Route("GET", s, snapshots.versions),
        Route("GET", f"{s}/here", snapshots.here),
        Route("POST", f"{s}/store", snapshots.store),
        Route("POST", f"{s}/publish", snapshots.publish),
        Route("POST", f"{s}/verify", snapshots.verify),
        Route("POST", f"{s}/prune", snapshots.prune),
        Route("POST", f"{s}/pull", snapshots.pull),
        Route("GET", f"{s}/jobs/{{id}}", snapshots.job),
        Route("GET", f"{s}/{{version}}", snapshots.data),
        Route("GET", f"{s}/{{version}}/summary", snapshots.summary),
        Route("GET", f"{s}/{{version}}/changes", snapshots.changes),
        Route("GET", content, contents.standing),
        Route("GET", f"{content}/manifest", contents.manifest),
        Route("POST", f"{content}/parts", contents.parts),
        Route("POST", f"{content}/stage", contents.stage),
        Route("POST", f"{API}/diffs", snapshots.make_diff),
        Route("GET", f"{API}/diffs/{{from}}/{{to}}", contents.diff),
        Route("GET", f"{API}/metrics", reads.metrics),
        Route("GET", "/metrics", reads.metrics),
    )
    return (*listed, openapi.route(f"{API}/openapi.json", listed))
