"""Who repeats to us what we have: another device of our number lacks it, and should have that caller's next session.

A session reaches the device that answers first, and what is too large for a request can go no other way. So the caller
begins a new session for each repeat, and the device that has had its message lets the others answer first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...ids import MessageId, Peer

__all__ = ["Repeats"]

K = TypeVar("K")
V = TypeVar("V")

_MOST = 512  # of each kind that is remembered, the latest
_SECONDS = 300.0  # after a repeat; the engine of a caller may pause for longer, then it begins anew


class Repeats:
    """`time` is a clock in seconds that does not jump."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._taken: dict[tuple[Peer, MessageId], None] = {}
        self._repeating: dict[Peer, float] = {}

    def took(self, sender: Peer, message_id: MessageId) -> None:
        """A message has come over a session, and is safe."""
        if (sender, message_id) in self._taken:
            _put(self._repeating, sender, self._time() + _SECONDS)
        _put(self._taken, (sender, message_id), None)

    def is_repeating(self, sender: Peer) -> bool:
        """Whether the next session of this number had better go to another device of ours."""
        return self._repeating.get(sender, 0.0) > self._time()


def _put(known: dict[K, V], key: K, value: V) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > _MOST:
        del known[next(iter(known))]
