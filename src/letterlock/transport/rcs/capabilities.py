"""What other numbers can do: asked with OPTIONS, kept for a while, learned from who asks us (rcs.md 2.2).

A claim of the carrier, which may have been stripped or made up: it picks between ways that both work, never whether
anything is encrypted (SR-02).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ...codec.sip import Headers, NameAddr, Request, Uri
from ...errors import DecodeError
from ...ids import Instant, Number, Rng
from ...sip.capabilities import CapabilitiesChanged, CapabilityCache, told_by
from ...sip.message import call_id, new_tag
from ...sip.options import FeatureTags, options_headers
from ...sip.pager import asserted_sender
from .config import USER_AGENT, RcsConfig
from .flow import Flow

__all__ = ["Capabilities"]


class Capabilities:
    """The cache of one account. `on_change` is called for each number whose tags are others than before."""

    def __init__(
        self,
        config: RcsConfig,
        *,
        rng: Rng,
        clock: Callable[[], Instant],
    ) -> None:
        self._config = config
        self.on_change: Callable[[CapabilitiesChanged], None] | None = None
        self._rng = rng
        self._clock = clock
        sessions = config.sessions
        self._cache = CapabilityCache(sessions.capability_s * 1000, sessions.max_capabilities)

    def announce(self, config: RcsConfig) -> None:
        """Our feature tags are those of this configuration."""
        self._config = config

    def known(self, number: Number) -> FeatureTags | None:
        """What is known without asking; None when nobody knows."""
        return self._cache.of(number, self._clock())

    async def ask(self, number: Number, flow: Flow) -> FeatureTags | None:
        """Ask the network; None when it does not know now. Raises TransportError."""
        identity = NameAddr(self._config.identity)
        to = Uri.of_number(number, None if self._config.tel_addresses else self._config.domain)
        items = [
            *(("Route", value) for value in flow.service_route),
            ("From", identity.with_param("tag", new_tag(self._rng)).encode()),
            ("To", NameAddr(to).encode()),
            ("Call-ID", call_id(self._rng)),
            ("CSeq", "1 OPTIONS"),
            ("P-Preferred-Identity", identity.encode()),
            ("User-Agent", USER_AGENT),
            *options_headers(flow.contact, self._config.features),
        ]
        response = await flow.connection.request(Request("OPTIONS", to.encode(), Headers(items)))
        self._tell(self._cache.on_answer(number, response, self._clock()))
        return told_by(response)

    def learn(self, request: Request) -> None:
        """A request that tells its sender's tags has come."""
        with contextlib.suppress(DecodeError):
            sender = asserted_sender(request, trust_from=self._config.trust_from)
            if sender is not None:
                self._tell(self._cache.on_request(sender, request, self._clock()))

    def _tell(self, changed: CapabilitiesChanged | None) -> None:
        if changed is not None and self.on_change is not None:
            self.on_change(changed)
