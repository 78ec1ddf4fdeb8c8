"""Messages that came before their epoch: held in order of arrival, bounded, until we are there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..policy import Policy

__all__ = ["HeldMessage", "HeldMessages"]


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """`arrival` counts up, so that the order survives in a store that has none."""

    arrival: int
    epoch: int
    data: bytes = field(repr=False)


class HeldMessages:
    """By the SHA-256 of the message. Nothing about them is checked yet; the bounds are what an attacker can make us
    keep."""

    __slots__ = ("_bytes", "_messages")

    def __init__(self, messages: Iterable[tuple[bytes, HeldMessage]] = ()) -> None:
        """`messages` as they were read back from a store."""
        self._messages = dict(sorted(messages, key=lambda entry: entry[1].arrival))
        self._bytes = sum(len(held.data) for held in self._messages.values())

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._messages)

    def find(self, digest: bytes) -> HeldMessage | None:
        return self._messages.get(digest)

    def hold(self, epoch: int, data: bytes, policy: Policy) -> bytes | None:
        """Keep a message of a later epoch; its key if there was room, None if it is let go."""
        digest = hashlib.sha256(data).digest()
        if digest in self._messages:
            return digest
        if len(self._messages) >= policy.future_messages or self._bytes + len(data) > policy.future_bytes:
            return None
        arrival = next(reversed(self._messages.values())).arrival + 1 if self._messages else 0
        self._messages[digest] = HeldMessage(arrival, epoch, data)
        self._bytes += len(data)
        return digest

    def release(self, epoch: int | None) -> list[tuple[bytes, bytes]]:
        """Take out what belongs to `epoch` or before, all if that is None, as (key, message)."""
        due = [(key, held.data) for key, held in self._messages.items() if epoch is None or held.epoch <= epoch]
        for key, data in due:
            del self._messages[key]
            self._bytes -= len(data)
        return due
