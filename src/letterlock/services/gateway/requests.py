"""What clients have handed to the network: each request once, however often its client has to ask (SR-06).

An answer of the network is on disk before the client hears it, and stays until the client has settled it. A request whose
answer nobody knows, because the gateway ended in between, goes to the network again under the same message id, as a client
that speaks with the carrier itself would do.
"""

from __future__ import annotations

import asyncio

from ...carriage import NetworkResult, Outbound
from ...codec.gateway import RequestId, Send
from ...errors import RemoteError, TransportError
from ...ids import Instant
from ...transport.rcs.transport import RcsTransport
from .house import House

__all__ = ["Requests"]


class Requests:
    """Of one device. `known` are the answers that are remembered, oldest first."""

    def __init__(self, house: House, device: int, known: list[tuple[bytes, Instant, NetworkResult]]) -> None:
        self._house = house
        self._device = device
        self._known = {RequestId(request): (at, result) for request, at, result in known}
        self._running: dict[RequestId, asyncio.Task[NetworkResult]] = {}
        self.settled: set[RequestId] = set()
        """Those to be deleted."""

    async def send(self, asked: Send, transport: RcsTransport) -> NetworkResult:
        """The network's answer, the first there was. Raises TransportError when there is none, StoreError when it could
        not be kept: then the client asks again."""
        known = self._known.get(asked.request)
        if known is not None and self._house.now() - known[0] < self._house.limits.result_ms:
            return known[1]
        running = self._running.get(asked.request)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._send(asked, transport))
            self._running[asked.request] = running
            running.add_done_callback(lambda task: self._ended(asked.request, task))
        # The link may end meanwhile; what was handed over goes on, for the next one to ask about.
        return await asyncio.shield(running)

    def settle(self, requests: tuple[RequestId, ...]) -> None:
        """The client has these answers: the same request is a new one from now on."""
        for request in requests:
            if self._known.pop(request, None) is not None:
                self.settled.add(request)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, asked: Send, transport: RcsTransport) -> NetworkResult:
        house = self._house
        house.checkpoint("send.before")
        outbound = Outbound(
            asked.to,
            asked.message_id,
            asked.conversation,
            asked.content_type,
            asked.body,
            large=asked.large,
            receipts=asked.receipts,
            group=asked.group,
            headers=asked.headers,
            packet=asked.packet,
            dispositions=asked.dispositions,
        )
        try:
            result = await transport.send(outbound)
        except RemoteError as error:
            raise TransportError(str(error), code=error.code) from error
        house.checkpoint("result.before")
        now = house.now()
        self.settled.discard(asked.request)
        await house.writer.run(lambda tables: house.office.remember(tables, self._device, asked.request, result, now))
        house.checkpoint("result.committed")
        self._known.pop(asked.request, None)
        self._known[asked.request] = (now, result)
        if len(self._known) > house.limits.max_results:
            self.settle((next(iter(self._known)),))
        return result

    def _ended(self, request: RequestId, task: asyncio.Task[NetworkResult]) -> None:
        if self._running.get(request) is task:
            del self._running[request]
        if not task.cancelled():
            task.exception()  # whoever asked has it; nobody may be there any more
