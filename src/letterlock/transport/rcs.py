"""RCS over SIP: stays registered, sends frames as pager messages, hands arriving ones up before it acknowledges.

This is the edge: a socket, a clock and random numbers around `letterlock.sip`. Bodies are wrapped
into CPIM; whether they are ciphertext is not known here. `rcs_presence` keeps us registered, `rcs_arrivals`
takes what comes; here is what a client calls.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

from ..codec.sip import Headers, NameAddr, Request, Response, Uri, delta_seconds
from ..engine.carriage import Inbound, NetworkResult, Outbound
from ..errors import DecodeError, LimitExceeded, TransportError
from ..ids import Instant, Number, Rng
from ..sip.message import call_id, new_tag
from ..sip.options import LETTERLOCK_FEATURES, FeatureTags, features_of, options_headers
from ..sip.pager import PAGER_LIMIT, OutgoingMessage, PagerProfile, build_message
from .rcs_arrivals import Arrivals
from .rcs_config import USER_AGENT, RcsConfig, check
from .rcs_content import wrap
from .rcs_presence import Presence, RcsStatus, printable

__all__ = ["RcsTransport"]


class RcsTransport:
    """The transport of one account. `start` it, or use it as an async context manager.

    `on_message` is awaited for each arriving message; 200 goes to the network when it returns, 500 when it
    raises, so that the network keeps what was not committed (SR-06). Raises InputError for a configuration that
    would speak in the clear beyond this machine.
    """

    def __init__(
        self,
        config: RcsConfig,
        on_message: Callable[[Inbound], Awaitable[None]],
        on_state: Callable[[RcsStatus], None] | None = None,
        *,
        rng: Rng = os.urandom,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        check(config)
        self._rng = rng
        self._clock = clock
        self._profile = PagerProfile(config.identity, None if config.tel_addresses else config.domain, USER_AGENT)
        self._presence = Presence(config, Arrivals(config, on_message, clock), on_state, rng)
        self._slots = asyncio.Semaphore(config.max_in_flight)

    async def start(self) -> None:
        """Connect and stay registered, in the background."""
        self._presence.start()

    async def close(self) -> None:
        """Take no more messages, finish acknowledging, remove the registration, disconnect. Takes seconds at most."""
        await self._presence.close()

    async def __aenter__(self) -> RcsTransport:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def status(self) -> RcsStatus:
        """Whether messages can be sent now, and why not."""
        return self._presence.status

    async def registered(self) -> None:
        """Wait until messages can be sent."""
        await self._presence.registered()

    async def send(self, outbound: Outbound) -> NetworkResult:
        """Hand one message to the network and wait for its answer.

        Raises TransportError when there is none (offline, time-out, connection lost): the network may then have
        the message or not. A message over the carrier's size is answered 513 without being sent.
        """
        body = wrap(outbound, self._clock())
        large = outbound.large or len(body) > PAGER_LIMIT
        async with self._slots:
            flow = await self._presence.flow()
            request = build_message(
                self._profile,
                OutgoingMessage(outbound.to, outbound.message_id, outbound.conversation, body, large),
                flow.service_route,
                self._rng,
            )
            try:
                response = await flow.connection.request(request)
            except LimitExceeded as error:
                if error.code == "sip.limit.message":
                    return NetworkResult(False, 513, str(error))
                raise TransportError(str(error), code="transport.busy") from error
        return NetworkResult(
            200 <= response.status < 300, response.status, printable(response.reason), _retry_after(response)
        )

    async def capabilities(self, number: Number) -> FeatureTags | None:
        """The feature tags of a number: empty when the network says that it has no RCS, None when nobody knows now.

        A hint of the carrier, which may have been stripped or made up (SR-02). Raises TransportError.
        """
        flow = await self._presence.flow()
        identity = NameAddr(self._profile.identity)
        to = Uri.of_number(number, self._profile.domain)
        items = [
            *(("Route", value) for value in flow.service_route),
            ("From", identity.with_param("tag", new_tag(self._rng)).encode()),
            ("To", NameAddr(to).encode()),
            ("Call-ID", call_id(self._rng)),
            ("CSeq", "1 OPTIONS"),
            ("P-Preferred-Identity", identity.encode()),
            ("User-Agent", USER_AGENT),
            *options_headers(flow.contact, LETTERLOCK_FEATURES),
        ]
        async with self._slots:
            response = await flow.connection.request(Request("OPTIONS", to.encode(), Headers(items)))
        if 200 <= response.status < 300:
            try:
                return features_of(response) or FeatureTags()
            except DecodeError:
                return None
        return FeatureTags() if response.status in (404, 405, 410, 501, 604) else None


def _retry_after(response: Response) -> int | None:
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return min(delta_seconds(text), 86_400) * 1000
    except DecodeError:
        return None
