"""Connections with the proxy, both ways: it comes to us, and we keep one to it for what we send.

Only the proxy may come (SR-17): who connects must have one of the addresses in `peers`, and there are so many places.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from .sip_link import SipLink, SipSettings

__all__ = ["ProxyLinks"]

L = TypeVar("L", bound=SipLink)


class ProxyLinks(Generic[L]):
    """`make(admit)` is a new link that asks `admit` before it takes anything. `proxy` is its listener for us.

    `on_connected` is awaited for each new link of ours.
    """

    def __init__(
        self,
        proxy: tuple[str, int],
        peers: tuple[str, ...],
        make: Callable[[Callable[[SipLink], bool]], L],
        on_connected: Callable[[L], Awaitable[None]],
        settings: SipSettings,
        log: logging.Logger,
    ) -> None:
        self._proxy = proxy
        self._peers = tuple(ipaddress.ip_network(each) for each in peers)
        self._make, self._on_connected = make, on_connected
        self._settings, self._log = settings, log
        self._server: asyncio.Server | None = None
        self._from_proxy: set[SipLink] = set()
        self._to_proxy: L | None = None

    @property
    def to_proxy(self) -> L | None:
        """Ours, while it is there."""
        return None if self._to_proxy is None or self._to_proxy.closed.done() else self._to_proxy

    def __iter__(self) -> Iterator[SipLink]:
        yield from self._from_proxy
        if self._to_proxy is not None:
            yield self._to_proxy

    async def listen(self, host: str, port: int) -> int:
        """Let the proxy come; the port. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._make(self._admit), host, port)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stay_connected(self) -> None:
        """Keep a link to the proxy for ever; for a task, which `close` expects to have been cancelled."""
        loop = asyncio.get_running_loop()
        lost = False
        while True:
            try:
                _, link = await loop.create_connection(lambda: self._make(lambda _: True), *self._proxy)
            except OSError as error:
                if not lost:
                    self._log.warning("no connection to the proxy at %s:%d: %s; trying on", *self._proxy, error)
                lost = True
            else:
                lost = False
                self._to_proxy = link
                await self._on_connected(link)
                await asyncio.shield(link.closed)
                self._to_proxy = None
            await asyncio.sleep(self._settings.reconnect_ms / 1000)

    def stop(self) -> None:
        """Let nobody come any more."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """End every link after what is queued."""
        self.stop()
        links = list(self)
        for link in links:
            link.close()
        if links:
            await asyncio.wait({link.closed for link in links}, timeout=2)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _admit(self, link: SipLink) -> bool:
        address = ipaddress.ip_address(link.peer.partition("%")[0])
        if len(self._from_proxy) >= self._settings.max_links or not any(address in each for each in self._peers):
            return False
        self._from_proxy.add(link)
        link.closed.add_done_callback(lambda _: self._from_proxy.discard(link))
        return True
