"""Application servers: which requests are theirs, and which of them a request comes from.

We open one connection to each, its link, and requests for it go there; it sends its own to the listener that is
reserved for application servers. What comes over either is trusted: no Digest, and its own P-Asserted-Identity.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from ..codec.sip import NameAddr, Request, Uri
from .settings import ApplicationServer

__all__ = ["Servers", "link_of"]


def link_of(index: int) -> int:
    """The connection of an application server's link. Negative, so that it is no peer's."""
    return -1 - index


class Servers:
    """The list of them; a place in it is for good, because dialogs name it."""

    def __init__(self, servers: Iterable[ApplicationServer]) -> None:
        self._servers = list(servers)

    def add(self, server: ApplicationServer) -> int:
        self._servers.append(server)
        return len(self._servers) - 1

    def __len__(self) -> int:
        return len(self._servers)

    def __getitem__(self, index: int) -> ApplicationServer:
        return self._servers[index]

    def serving(self, uri: Uri) -> int | None:
        """Whose user this is."""
        return next((index for index, server in enumerate(self._servers) if server.serves(uri.user)), None)

    def is_address(self, uri: Uri) -> bool:
        """Whether this is where one of them listens, as its Contact would say."""
        return any((server.host, server.port) == (uri.host, uri.port) for server in self._servers)

    def are_at(self, host: str) -> bool:
        """Whether one of them may connect from this address: where one listens, or this machine."""
        try:
            own = ipaddress.ip_address(host).is_loopback
        except ValueError:
            own = False
        return own or any(server.host == host for server in self._servers)

    def sender_of(self, request: Request) -> int | None:
        """Which of them sent a request: by the address in Contact, else by the user in Contact or From.

        They trust each other as we trust them: this is for finding the way back, not for telling them apart.
        """
        contacts = [NameAddr.parse(text).uri for text in request.headers.listed("Contact")]
        for uri in contacts:
            for index, server in enumerate(self._servers):
                if (server.host, server.port) == (uri.host, uri.port):
                    return index
        for uri in (*contacts, NameAddr.parse(request.headers.get("From") or "").uri):
            index_of = self.serving(uri)
            if index_of is not None:
                return index_of
        return None
