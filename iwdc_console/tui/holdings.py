"""Locks that this console holds: each is renewed until it is released, or lost and told of (L4)."""

import asyncio
import uuid
from collections.abc import Callable, Sequence

from iwdc_console.client import Client
from iwdc_console.exchange import Answer
from iwdc_console.lease import Lease, acquire, now, renew, renewing
from iwdc_console.locale import text
from iwdc_console.outcomes import ClientError
from iwdc_console.tui import orders
from iwdc_console.tui.model.outcome import refusal
from iwdc_console.tui.orders import Outcome

NOT_OURS = frozenset({"wrong_token", "not_held"})
"""The leader's words for a lock that is gone; after any other refusal a renewal is tried again."""
Nodes = Callable[[], Sequence[str]]


class Holdings:
    """`nodes` says whom to ask now; `lost` hears the resource of a lock that is held no more, and why."""

    def __init__(self, nodes: Nodes, lost: Callable[[str, str], None]) -> None:
        self.held: dict[str, Lease] = {}
        self._nodes = nodes
        self._lost = lost
        self._keeping: dict[str, asyncio.Task[None]] = {}

    async def acquire(self, resource: str, owner: str, ttl_s: float | None, wait_s: float) -> Outcome:
        """Take a lock and keep it. What may have been granted unheard, or is not waited for any more, is given back."""
        request_id = str(uuid.uuid4())
        granted: list[Lease] = []

        def order(client: Client) -> Answer:
            lease = acquire(client, resource, owner, request_id, ttl_s, wait_s)
            granted.append(renew(client, lease) if wait_s else lease)
            return Answer(granted[0].lock, "", "", 0.0)

        def give_back(client: Client) -> Answer:
            return orders.release_request(resource, owner, request_id)(client)

        try:
            outcome = await orders.give(self._nodes(), order)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.create_task(orders.give(self._nodes(), give_back)))
            raise
        if outcome.kind == "done":
            self.held[resource] = granted[0]
            self._keeping[resource] = asyncio.create_task(self._keep(resource), name=f"lock {resource}")
        elif outcome.kind == "maybe":
            await orders.give(self._nodes(), give_back)
        return outcome

    async def release(self, resource: str) -> Outcome:
        """Give it back."""
        lease = self._drop(resource)
        return await orders.give(
            self._nodes(), orders.release(resource, lease.lock["owner"], lease.lock["fencingToken"])
        )

    async def release_all(self) -> list[Outcome]:
        """Give all of them back."""
        return [await self.release(resource) for resource in tuple(self.held)]

    def _drop(self, resource: str) -> Lease:
        self._keeping.pop(resource).cancel()
        return self.held.pop(resource)

    async def _keep(self, resource: str) -> None:
        while True:
            lease = self.held[resource]
            await asyncio.sleep(min(lease.renew_at, lease.ends_at) - now())
            why = await self._renew(resource, lease)
            if why:
                self._drop(resource)
                self._lost(resource, why)
                return

    async def _renew(self, resource: str, lease: Lease) -> str:
        """Renew it before it ends; why it is lost, if it is."""
        while (left_s := lease.ends_at - now()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    self.held[resource] = await asyncio.to_thread(renew, renewing(self._nodes(), lease), lease)
            except ClientError as error:
                if error.reason in NOT_OURS:
                    return refusal(error.data, error.message)
                await asyncio.sleep(min(lease.pause_s, max(0.0, lease.ends_at - now())))
            except TimeoutError:
                break
            else:
                return ""
        return text("locks.not_renewed")
