"""What the console asks a cluster to change. Each order runs in a thread and ends in one of four ways.

`maybe` is never shown as done or failed: the order left, and nobody said what became of it.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from iwdc_console.caller import default_owner
from iwdc_console.client import Client, segment
from iwdc_console.exchange import Answer, refused
from iwdc_console.lease import path as lock_path
from iwdc_console.locale import text
from iwdc_console.outcomes import ClientError, ClusterRefused, OutcomeUnknown, Unreachable
from iwdc_console.reasons import unanswered
from iwdc_console.tui.model.codes import vote
from iwdc_console.tui.model.outcome import refusal, taken, unheard

if TYPE_CHECKING:
    from iwdc_console.tui.model.draft import Draft

Kind = Literal["done", "refused", "maybe", "unreachable"]
SEVERITY: dict[Kind, Literal["information", "warning", "error"]] = {
    "done": "information",
    "refused": "error",
    "maybe": "warning",
    "unreachable": "error",
}
CALLER = "console"
VERDICT_WAIT_S = 5.0


class Outcome(NamedTuple):
    """What came of an order: in a sentence, and as the node's own data."""

    kind: Kind
    words: str
    data: Any = None

    @property
    def reason(self) -> str:
        """The stable word of a refusal, such as `held`; empty for anything else."""
        found = self.data.get("reason") if isinstance(self.data, dict) else None
        return found if isinstance(found, str) else ""


Order = Callable[[Client], Answer]


async def give(nodes: Sequence[str], order: Order) -> Outcome:
    """Give an order to the first node that takes it. Never raises for what a cluster answers, or does not."""

    def carry_out() -> Outcome:
        try:
            answer = order(Client(nodes, command=CALLER))
        except OutcomeUnknown as error:
            return Outcome("maybe", text("orders.maybe", why=unheard(error.data, error.message)), error.data)
        except Unreachable as error:
            tried = "; ".join(f"{node}: {unanswered(why)}" for node, why in error.tried)
            return Outcome("unreachable", text("orders.unreachable", tried=tried))
        except ClientError as error:
            return Outcome("refused", text("orders.refused", why=refusal(error.data, error.message)), error.data)
        return Outcome("done", taken(answer.data), answer.data)

    return await asyncio.to_thread(carry_out)


def step_down(to: str | None = None) -> Order:
    """Let the leader hand over in good order (E6), to the best-ranked or to `to`."""
    return lambda client: _of_leader(client, "distributed/leader/step-down", {} if to is None else {"to": to})


def elect() -> Order:
    """Look at once for a leader that outranks the present one (E6)."""
    return lambda client: _of_leader(client, "distributed/leader/elect", {})


def resolve(slot: str, key: str) -> Order:
    """Let the proposal `key` win its slot everywhere (S1)."""
    return lambda client: client.post(f"distributed/conflicts/{segment(slot)}/resolve", {"key": key}, repeatable=True)


def propose(draft: "Draft", key: str) -> Order:
    """Put it to the vote. Repeated with the same `key` it is the same proposal (P6)."""
    return lambda client: client.post(f"distributed/propose-{draft.kind}", draft.body(), idempotency_key=key)


def predict(draft: "Draft") -> Order:
    """What it would meet; changes nothing."""
    return lambda client: client.try_out(f"distributed/propose-{draft.kind}?dryRun=true", draft.body())


def manifest(version: str) -> Order:
    """The manifest of a version whose content is at the node asked, as text."""

    def ask(client: Client) -> Answer:
        key = client.get(f"snapshots/{segment(version)}/summary").data["key"]
        return client.text(f"snapshots/contents/{segment(key)}/manifest")

    return ask


def release(resource: str, owner: str, token: int) -> Order:
    """Give back the lock that `owner` holds with this token (L3)."""
    body = {"owner": owner, "fencingToken": token}
    return lambda client: client.post(lock_path(resource, "release"), body, repeatable=True)


def release_request(resource: str, owner: str, request_id: str) -> Order:
    """Give back what this request was granted, or take it out of the queue."""
    body = {"owner": owner, "requestId": request_id}
    return lambda client: client.post(lock_path(resource, "release"), body, repeatable=True)


def force_release(resource: str, token: int) -> Order:
    """Take a lock from whoever holds it with this token: from nobody who has taken it since."""
    body = {"owner": default_owner(), "fencingToken": token}
    return lambda client: client.post(lock_path(resource, "force-release"), body, repeatable=True)


def roll_back(current: str, version: str, root: str) -> Order:
    """Propose to go back from the current version to an earlier one (P2, S2); waits a while for the verdict."""
    item = {"kind": "rollback", "from": current, "to": version, "hash": root, "idempotencyKey": str(uuid.uuid4())}

    def propose(client: Client) -> Answer:
        path = f"distributed/propose?wait={VERDICT_WAIT_S:g}"
        answer = client.post(path, {"proposals": [item]}, wait_s=VERDICT_WAIT_S, repeatable=True)
        [found] = answer.data
        if not found["success"]:
            raise refused(found, answer.node)
        proposal = found["data"]
        state = proposal["state"]
        if state == "rejected":
            raise ClusterRefused(text("orders.rejected", why=vote(proposal.get("reason") or "")), data=proposal)
        if state != "accepted":
            raise OutcomeUnknown(text("orders.undecided", version=version), data=proposal)
        return answer._replace(data=proposal)

    return propose


def _of_leader(client: Client, path: str, body: dict[str, str]) -> Answer:
    """Only the leader takes it; any node knows who that is."""
    try:
        return client.post(path, body)
    except ClusterRefused as error:
        if error.reason != "not_leader":
            raise
    leader = client.get("distributed/leader").data.get("id")
    listed = {item["id"]: item["url"] for item in client.get("distributed/instances").data}
    if leader not in listed:
        raise ClusterRefused(text("orders.no_leader"), data={"reason": "no_leader"})
    return Client([listed[leader]], command=CALLER).post(path, body)
