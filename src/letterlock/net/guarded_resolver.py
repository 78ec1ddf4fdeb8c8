"""Names that peers chose become addresses here, and only public ones (SR-14)."""

from __future__ import annotations

import socket
from collections.abc import Collection

from aiohttp.abc import AbstractResolver, ResolveResult

from ..codec.addresses import is_public

__all__ = ["ForbiddenAddress", "GuardedResolver"]


class ForbiddenAddress(OSError):
    """The name stands for addresses that strangers may not send us to."""


class GuardedResolver(AbstractResolver):
    """Gives only public addresses, but for the servers that the user configured, by host and port: what else listens on
    such a host is as private as its address.

    The check stands here, between the name and the connection, so that a name cannot mean one address when it is
    checked and another when it is used.
    """

    def __init__(self, inner: AbstractResolver, trusted: Collection[tuple[str, int]]) -> None:
        self._inner = inner
        self._trusted = frozenset(trusted)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as error:  # the system's encoder: labels of nothing, or of more than 63 characters
            raise OSError(f"{host[:64]!r} is no name") from error
        if (host, port) in self._trusted:
            return found
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise ForbiddenAddress(f"{host} is inside a private network")
        return public

    async def close(self) -> None:
        await self._inner.close()
