"""RCS over SIP: stays registered, sends frames as requests or over sessions, hands arriving ones up before it acknowledges.

This is the edge: sockets, a clock and random numbers around `letterlock.sip` and `letterlock.msrp`. Bodies are wrapped
into CPIM; whether they are ciphertext is not known here. `rcs_presence` keeps us registered, `rcs_arrivals` takes what
comes, `rcs_sessions` has the message sessions, `rcs_capabilities` knows what others can do; here is what a client calls.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from types import TracebackType

from ...carriage import Conference, ConferenceView, Inbound, NetworkResult, Outbound
from ...errors import LimitExceeded, TransportError
from ...ids import Instant, MessageId, Number, Peer, Rng, bot_of
from ...rcc16.wire.capability_tags import passes
from ...sip.capabilities import CapabilitiesChanged
from ...sip.options import CPM_SESSION, FeatureTags
from ...sip.pager import PAGER_LIMIT, OutgoingMessage, PagerProfile, build_message
from ..msrp.settings import MsrpSettings
from .arrivals import Arrivals
from .capabilities import Capabilities
from .conferences import Conferences
from .config import USER_AGENT, RcsConfig, check, session_settings
from .content import ACCEPTED_TYPES, wrap
from .dialogs import Dialogs
from .media import Media
from .presence import Presence, RcsStatus, printable
from .replies import Contributions
from .sessions import ACCEPTED_WRAPPED_TYPES, NoSession, Sessions, retry_after

__all__ = ["RcsTransport"]

_MAX_REMEMBERED = 1_000
_HEADERS = 4_096  # what stands around a body in a request
_REMEMBERED = 1_024


class RcsTransport:
    """The transport of one account. `start` it, or use it as an async context manager.

    `on_message` is awaited for each arriving message; the network's acknowledgement goes out when it returns, a refusal
    when it raises, so that the network keeps what was not committed (SR-06). `tls` is a context of `tls_context`, for many
    accounts that share one: each has a megabyte. Raises InputError for a configuration that would speak in the clear beyond
    this machine.
    """

    def __init__(
        self,
        config: RcsConfig,
        on_message: Callable[[Inbound], Awaitable[None]],
        on_state: Callable[[RcsStatus], None] | None = None,
        *,
        rng: Rng = os.urandom,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
        msrp: MsrpSettings | None = None,
        kept_conferences: MutableMapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        check(config)
        self._config = config
        self._rng = rng
        self._clock = clock
        self._profile = PagerProfile(config.identity, None if config.tel_addresses else config.domain, USER_AGENT)
        self._capabilities = Capabilities(config, rng=rng, clock=clock)
        self.dialogs = Dialogs(session_settings(config), config.sessions.max_dialogs, rng)
        self._contributions = Contributions()
        self._arrivals = Arrivals(config, on_message, self.dialogs, self._capabilities, clock, self._contributions)
        self.presence = Presence(config, self._arrivals, self.dialogs, on_state, rng, tls)
        self.media = Media(config, ACCEPTED_TYPES, ACCEPTED_WRAPPED_TYPES, rng, msrp, tls)
        self.sessions = Sessions(
            config, self.dialogs, self.media, self.presence.flow, on_message, self._capabilities, rng=rng, clock=clock
        )
        self.conferences = Conferences(
            config, self.dialogs, self.media, self.presence.flow, on_message, kept_conferences, rng=rng, clock=clock
        )
        self._wants_addresses: dict[Peer, None] = {}  # in the order in which they said so
        self._slots = asyncio.Semaphore(config.max_in_flight)
        self._by_session: dict[MessageId, None] = {}  # the latest that went over a session, oldest first

    async def start(self) -> None:
        """Connect and stay registered, in the background."""
        self.presence.start()

    async def close(self) -> None:
        """Take no more messages, finish acknowledging, remove the registration, disconnect. Takes seconds at most."""
        await self.conferences.close()
        await self.sessions.close()
        await self.presence.close()

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
        return self.presence.status

    async def registered(self) -> None:
        """Wait until messages can be sent."""
        await self.presence.registered()

    async def send(self, outbound: Outbound) -> NetworkResult:
        """Hand one message to the network and wait for its answer; over a session that is the peer's success report.

        Raises TransportError when there is none (offline, time-out, connection lost): the network may then have
        the message or not. What can go no way at all is answered 413 or 513 without being sent.
        """
        if outbound.group is not None:
            result = await self._send_in_conference(outbound)
            if result is not None:
                return result
        if outbound.to is None:
            return NetworkResult(False, 0, "it is for nobody")
        body = self._wrap(outbound)
        fits = len(body) + _HEADERS <= self._config.max_message
        async with self._slots:
            # A session reaches one device of a number, a request all of them, and a peer whose sessions are silent may
            # still answer requests. What is handed over once more has not been confirmed by all.
            again = outbound.message_id in self._by_session
            if (again and fits) or not self._goes_over_session(outbound.to, len(body)):
                return await self._send_request(outbound, body)
            if again:
                self.sessions.renew(outbound.to)
            try:
                result = await self.sessions.send(outbound, body)
                self._remember(outbound.message_id)
                return result
            except NoSession as error:
                if fits:
                    return await self._send_request(outbound, body)
                if isinstance(error.why, TransportError):
                    raise error.why from error
                return error.why

    def watch_capabilities(self, on_change: Callable[[Number, tuple[str, ...], tuple[str, ...]], None]) -> None:
        """Tell of each number whose features are others than before: their names, and the former ones."""

        def tell(changed: CapabilitiesChanged) -> None:
            if changed.before is not None:  # to hear of them for the first time is no change
                on_change(changed.number, _names(changed.tags), _names(changed.before))

        self._capabilities.on_change = tell

    async def features(self, number: Number, *, fresh: bool = False) -> tuple[str, ...] | None:
        """The names of a number's feature tags, as `capabilities` gives them, and `rcc16` if they say that it takes part
        in that (rcc16.md 1.10)."""
        tags = await self.capabilities(number, fresh=fresh)
        return None if tags is None else _names(tags)

    async def capabilities(self, number: Number, *, fresh: bool = False) -> FeatureTags | None:
        """The feature tags of a number: empty when the network says that it has no RCS, None when nobody knows now.

        Kept for a day; `fresh` asks all the same. A hint of the carrier, which may have been stripped or made up
        (SR-02). Raises TransportError.
        """
        known = None if fresh else self._capabilities.known(number)
        if known is not None:
            return known
        async with self._slots:
            return await self._capabilities.ask(number, await self.presence.flow())

    def advertise(self, tags: tuple[tuple[str, str], ...]) -> None:
        """Further feature tags from now on, instead of those before: the carrier and whoever asks are told so."""
        if tags == self._config.tags:
            return
        self._config = replace(self._config, tags=tags)
        self._arrivals.announce(self._config)
        self._capabilities.announce(self._config)
        self.presence.advertise(self._config)

    def watch_conferences(self, on_conference: Callable[[ConferenceView], Awaitable[None]]) -> None:
        """Report every roster that the focus of a conference claims there. Before `start`."""
        self.conferences.watch(on_conference)

    async def sync_conference(self, conference: Conference, leave: bool) -> None:
        """Make the group's conference look like this, or leave it; keep trying while connected.

        A later call for the same group replaces an earlier one. Raises TransportError when it cannot now.
        """
        if self._config.sessions.offered:
            await self.conferences.sync(conference, leave)

    def remember_conferences(self, kept: MutableMapping[str, str]) -> None:
        """Read and write the addresses of conferences there. Before `start`."""
        self.conferences.remember(kept)

    def visit_conferences(self) -> None:
        """Make this device known in every conference that is remembered. After `start`."""
        if self._config.sessions.offered:
            self.conferences.visit()

    async def make_conference(self, conference: Conference) -> None:
        """Have the group's conference made, or find it: with these members, and nothing beyond. Raises TransportError."""
        if not self._config.sessions.offered:
            raise TransportError("conferences need sessions, which are switched off", code="transport.sessions")
        await self.conferences.make(conference)

    async def _send_in_conference(self, outbound: Outbound) -> NetworkResult | None:
        if outbound.packet:
            # Its order among the others of the conference matters, and it waits for the conference to be made.
            return await self.conferences.send_packet(outbound)
        async with self._slots:
            return await self.conferences.send(outbound)

    def _remember(self, message_id: MessageId) -> None:
        self._by_session[message_id] = None
        if len(self._by_session) > _REMEMBERED:
            del self._by_session[next(iter(self._by_session))]

    def _goes_over_session(self, peer: Peer, size: int) -> bool:
        """An open session is used; a new one is made for what is large. Tags only choose where both ways would work."""
        if self.sessions.open_with(peer):
            return True
        if size <= self._config.max_pager or not self._config.sessions.offered:
            return False
        tags = None if bot_of(peer) else self._capabilities.known(Number(peer))
        return tags is None or CPM_SESSION in tags.icsi or size + _HEADERS > self._config.max_message

    def _wrap(self, outbound: Outbound) -> bytes:
        addresses = None
        if outbound.to is not None and outbound.to in self._wants_addresses:
            to = bot_of(outbound.to) or f"sip:{outbound.to}@{self._config.domain}"
            addresses = (f"<{self._profile.identity.encode()}>", f"<{to}>")
        return wrap(outbound, self._clock(), addresses)

    async def _send_request(self, outbound: Outbound, body: bytes) -> NetworkResult:
        """Pager mode. Who refuses what RCS writes, and is not RCS, may take CPIM with addresses in it: Linphone does."""
        result = await self._try_request(outbound, body)
        if result.status == 488 and outbound.to is not None and outbound.to not in self._wants_addresses:
            if len(self._wants_addresses) >= _MAX_REMEMBERED:
                del self._wants_addresses[next(iter(self._wants_addresses))]
            self._wants_addresses[outbound.to] = None
            result = await self._try_request(outbound, self._wrap(outbound))
        return result

    async def _try_request(self, outbound: Outbound, body: bytes) -> NetworkResult:
        """One request, one answer."""
        assert outbound.to is not None, "requests go to a number or a chatbot"
        large = outbound.large or len(body) > PAGER_LIMIT
        flow = await self.presence.flow()
        request = build_message(
            self._profile,
            OutgoingMessage(
                outbound.to,
                outbound.message_id,
                outbound.conversation,
                body,
                large,
                in_reply_to=self._contributions.answered_by(outbound),
            ),
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
            200 <= response.status < 300, response.status, printable(response.reason), retry_after(response)
        )


def _names(tags: FeatureTags) -> tuple[str, ...]:
    return (*tags.names, "rcc16") if passes(dict(tags.bare), group=False) else tags.names
