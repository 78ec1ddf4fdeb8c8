"""Which message of a chatbot an answer is for, as CPM servers know it: by its Contribution-ID (rcs.md 2.3).

Kept in memory, for the latest messages: after a restart an answer goes without, and bots know it by its postback.
"""

from __future__ import annotations

import uuid

from ...carriage import Outbound, Peer
from ...ids import MessageId, bot_of

__all__ = ["Contributions"]

_REMEMBERED = 1_024
_LONGEST = 64


class Contributions:
    """Of one account."""

    def __init__(self) -> None:
        self._of: dict[tuple[Peer, str], str] = {}  # oldest first

    def note(self, sender: Peer | None, message_id: MessageId, contribution: str | None) -> None:
        """A message has come."""
        if sender is None or bot_of(sender) is None or contribution is None or len(contribution) > _LONGEST:
            return
        try:
            name = str(uuid.UUID(contribution))
        except ValueError:
            return
        self._of[sender, message_id] = name
        if len(self._of) > _REMEMBERED:
            del self._of[next(iter(self._of))]

    def answered_by(self, outbound: Outbound) -> str:
        """The Contribution-ID of what this answers; empty when it answers nothing that is remembered."""
        if outbound.to is None:
            return ""
        named = (value for name, value in outbound.headers if name.lower().endswith(".reference-id"))
        return next((self._of[outbound.to, each] for each in named if (outbound.to, each) in self._of), "")
