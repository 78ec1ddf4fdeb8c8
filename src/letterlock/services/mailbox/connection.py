"""A connection with the proxy on which requests are asked and answered: `SipLink` without dialogs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...codec.sip import Request, Response
from ...ids import Rng
from ...sip.transaction import TransactionKey
from ...sip.user_agent_events import Answered, Event, Received, TimedOut
from ..sip_link import SipLink, SipSettings, loop_now

__all__ = ["Connection", "OnRequest"]

OnRequest = Callable[["Connection", TransactionKey, Request], None]
"""Called for each new request; somebody must `respond` to its key."""


class Connection(SipLink):
    """It ends once; `closed` is done then."""

    def __init__(
        self, settings: SipSettings, on_request: OnRequest, rng: Rng, admit: Callable[[SipLink], bool]
    ) -> None:
        super().__init__(settings, rng, self._on, admit)
        self._on_request = on_request
        self._waiting: dict[int, asyncio.Future[Response | None]] = {}

    async def request(self, request: Request) -> Response | None:
        """The final answer; None when there is none in time, or the connection ends first.

        Raises LimitExceeded or InputError for a request that cannot go out.
        """
        if self.closed.done():
            return None
        handle = self.agent.send(request, loop_now(), authenticate=False)
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        self._waiting[handle] = answer
        self.flush()
        try:
            return await answer
        finally:
            self._waiting.pop(handle, None)

    def respond(
        self, key: TransactionKey, status: int, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Answer a request; nothing happens when the connection has ended."""
        if not self.closed.done():
            self.agent.respond(key, status, loop_now(), reason, headers)
            self.flush()

    def _on(self, _: SipLink, event: Event | None) -> None:
        if event is None:
            waiting, self._waiting = self._waiting, {}
            for answer in waiting.values():
                if not answer.done():
                    answer.set_result(None)
        elif isinstance(event, Received):
            self._on_request(self, event.key, event.request)
        elif isinstance(event, Answered | TimedOut):
            found = self._waiting.pop(event.handle, None)
            if found is not None and not found.done():
                found.set_result(event.response if isinstance(event, Answered) else None)
