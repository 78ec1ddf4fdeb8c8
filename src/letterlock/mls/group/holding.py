"""Messages that came before their epoch: held in order of arrival, bounded, until we are there."""

from __future__ import annotations

import hashlib

from ..policy import Policy

__all__ = ["HeldMessages"]


class HeldMessages:
    """Nothing about them is checked yet; the bounds are what an attacker can make us keep."""

    __slots__ = ("_bytes", "_messages")

    def __init__(self) -> None:
        self._messages: dict[bytes, tuple[int, bytes]] = {}
        self._bytes = 0

    def hold(self, epoch: int, data: bytes, policy: Policy) -> bytes | None:
        """Keep a message of a later epoch; its key if there was room, None if it is let go."""
        digest = hashlib.sha256(data).digest()
        if digest in self._messages:
            return digest
        if len(self._messages) >= policy.future_messages or self._bytes + len(data) > policy.future_bytes:
            return None
        self._messages[digest] = (epoch, data)
        self._bytes += len(data)
        return digest

    def release(self, epoch: int | None) -> list[tuple[bytes, bytes]]:
        """Take out what belongs to `epoch` or before, all if that is None, as (key, message)."""
        due = [(key, data) for key, (of, data) in self._messages.items() if epoch is None or of <= epoch]
        for key, data in due:
            del self._messages[key]
            self._bytes -= len(data)
        return due
