"""Where the conferences of one device's groups are: read at once, written soon after, told to its client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping

__all__ = ["Addresses"]

_GROUP = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ADDRESS = re.compile(r"[!-~]{1,1024}", re.ASCII)


class Addresses(MutableMapping[str, str]):
    """Names of groups to addresses of focuses. `on_change` is called with each change; None: gone. With too many of them
    the oldest goes: its focus calls again when it has something to say."""

    def __init__(self, known: dict[str, str], most: int, on_change: Callable[[str, str | None], None]) -> None:
        self._known = dict(known)
        self._most = most
        self._on_change = on_change

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def __setitem__(self, name: str, address: str) -> None:
        # A focus chose it: what no client would take is not kept (SR-08).
        if _fits(name, address) and self._known.get(name) != address:
            self._known[name] = address
            self._on_change(name, address)
            if len(self._known) > self._most:
                del self[next(iter(self._known))]

    def __delitem__(self, name: str) -> None:
        del self._known[name]
        self._on_change(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, told: tuple[tuple[str, str], ...]) -> dict[str, str | None]:
        """A client has told what it knows: what is not known here is taken over; where it differs, and how.

        What is no address is passed over; it does not end the link, because a focus chose it and not the client.
        """
        for name, address in told:
            if name not in self._known and len(self._known) < self._most:
                self[name] = address
        theirs = dict(told)
        return {name: address for name, address in self._known.items() if theirs.get(name) != address}


def _fits(name: str, address: str) -> bool:
    return bool(_GROUP.fullmatch(name) and _ADDRESS.fullmatch(address))
