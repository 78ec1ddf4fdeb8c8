"""Which arriving messages are repeats: SMPP gives them no name, and people do send the same words twice.

An SMSC sends a message again when it did not hear our acknowledgement: in a later connection, or to a later process of
ours. So what was taken is remembered until the SMSC has answered something that we said after the acknowledgement, which
proves that it read it. Until then the same bytes in another connection are the same message; in the same connection, or
once the acknowledgement is known to have been read, they are another one. An SMSC that has bound us again and has not
repeated it for some minutes will not: somebody who then writes the same words means them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from ...ids import Instant, MessageId
from .memory import Changes

__all__ = ["Repeats", "Taken"]

_PREFIX = "taken/"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken in a connection. `before`: what was known of it, if it had been taken before."""

    message_id: MessageId
    before: tuple[str, str, Instant] | None = None

    @property
    def again(self) -> bool:
        return self.before is not None


class Repeats:
    """Methods that change something give the changes to keep."""

    def __init__(self, items: Iterable[tuple[str, str]], *, most: int, grace_ms: int) -> None:
        self._most = most
        self._grace_ms = grace_ms
        self._bound: tuple[str, Instant] | None = None
        self._known: dict[MessageId, tuple[str, str, Instant]] = {}  # digest, connection, when
        for name, text in items:
            if name.startswith(_PREFIX):
                digest, connection, at = json.loads(text)
                self._known[MessageId(name.removeprefix(_PREFIX))] = (digest, connection, at)
        self._known = dict(sorted(self._known.items(), key=lambda item: item[1][2]))

    def bound(self, connection: str, now: Instant) -> None:
        """There is a new connection."""
        self._bound = (connection, now)

    def take(self, digest: str, connection: str, fresh: MessageId, now: Instant) -> tuple[Taken, Changes]:
        """These bytes came in this connection; `fresh` is the id if they are new."""
        changes: dict[str, str | None] = {}
        found = next((known for known, (of, by, _) in self._known.items() if of == digest and by != connection), None)
        if found is None:
            while len(self._known) >= self._most:
                changes.update(self.confirm([next(iter(self._known))]))
        taken = Taken(fresh) if found is None else Taken(found, self._known.pop(found))
        self._known[taken.message_id] = (digest, connection, now)
        return taken, {**changes, _PREFIX + taken.message_id: json.dumps([digest, connection, now])}

    def undo(self, taken: Taken) -> None:
        """It could not be kept: what was known before is known, so that it is new, or known, when it comes again."""
        self._known.pop(taken.message_id, None)
        if taken.before is not None:
            self._known[taken.message_id] = taken.before

    def confirm(self, message_ids: Iterable[MessageId]) -> Changes:
        """The SMSC has read our acknowledgement of these."""
        return {_PREFIX + each: None for each in message_ids if self._known.pop(each, None) is not None}

    def expire(self, now: Instant) -> Changes:
        """Give up waiting for what no SMSC repeats any more."""
        if self._bound is None or 0 <= now - self._bound[1] < self._grace_ms:
            return {}
        return self.confirm([each for each, (_, by, _) in self._known.items() if by != self._bound[0]])
