"""What the SMSC took, and whose receipt is whose: across reconnects and restarts.

A message is done when the SMSC has said of each of its parts that it arrived, or of one that it will not. A receipt
counts for the message whose part got this id, if it comes from the number that the message went to; any other one does
nothing (SR-05). An id that an SMSC gives again belongs to the later message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...codec.sms_user_data import Outcome
from ...ids import Instant, MessageId, Number
from .memory import Changes

__all__ = ["Done", "Submissions"]

_PREFIX = "sent/"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a message as a whole."""

    message_id: MessageId
    to: Number
    delivered: bool


@dataclass(slots=True)
class _Message:
    to: Number
    total: int
    at: Instant
    parts: dict[int, str] = field(default_factory=dict)
    """The SMSC's ids."""
    arrived: set[int] = field(default_factory=set)

    def written(self) -> str:
        parts = {str(number): carrier_id for number, carrier_id in self.parts.items()}
        return json.dumps([self.to, self.total, self.at, parts, sorted(self.arrived)])


class Submissions:
    """Every method that changes something gives the changes to keep."""

    def __init__(self, items: Iterable[tuple[str, str]], *, most: int, kept_ms: int) -> None:
        self._most = most
        self._kept_ms = kept_ms
        self._messages: dict[MessageId, _Message] = {}
        self._ids: dict[str, tuple[MessageId, int]] = {}
        for name, text in items:
            if name.startswith(_PREFIX):
                to, total, at, parts, arrived = json.loads(text)
                known = {int(number): carrier_id for number, carrier_id in parts.items()}
                message = _Message(Number(to), total, at, known, set(arrived))
                self._messages[MessageId(name.removeprefix(_PREFIX))] = message
        self._messages = dict(sorted(self._messages.items(), key=lambda item: item[1].at))
        for message_id, message in self._messages.items():
            self._ids.update({carrier_id: (message_id, number) for number, carrier_id in message.parts.items()})

    def taken(self, message_id: MessageId) -> frozenset[int]:
        """The parts that need not be submitted again."""
        message = self._messages.get(message_id)
        return frozenset(message.parts) if message is not None else frozenset()

    def take(
        self, message_id: MessageId, to: Number, total: int, number: int, carrier_id: str, now: Instant
    ) -> Changes:
        """The SMSC took this part, and calls it so."""
        changes: dict[str, str | None] = {}
        message = self._messages.get(message_id)
        if message is None:
            while len(self._messages) >= self._most:
                changes.update(self.forget(next(iter(self._messages))))
            message = self._messages[message_id] = _Message(to, total, now)
        message.parts[number] = carrier_id
        if carrier_id:
            self._ids[carrier_id] = (message_id, number)
        return {**changes, _PREFIX + message_id: message.written()}

    def report(self, carrier_id: str, source: Number | None, outcome: Outcome) -> tuple[Changes, Done | None]:
        """A receipt; with the last one of a message, or the first bad one, what became of it."""
        message_id, number = self._ids.get(carrier_id, (MessageId(""), 0))
        message = self._messages.get(message_id)
        if message is None or message.to != source or outcome is Outcome.PENDING:
            return {}, None
        if outcome is Outcome.FAILED:
            return {}, Done(message_id, message.to, False)
        message.arrived.add(number)
        if len(message.arrived) == message.total:
            return {}, Done(message_id, message.to, True)
        return {_PREFIX + message_id: message.written()}, None

    def forget(self, message_id: MessageId) -> Changes:
        """It is done."""
        message = self._messages.pop(message_id, None)
        if message is None:
            return {}
        for carrier_id in message.parts.values():
            if self._ids.get(carrier_id, ("", 0))[0] == message_id:
                del self._ids[carrier_id]
        return {_PREFIX + message_id: None}

    def expire(self, now: Instant) -> Changes:
        """No receipt comes after so long."""
        changes: dict[str, str | None] = {}
        for message_id in [each for each, message in self._messages.items() if message.at + self._kept_ms <= now]:
            changes.update(self.forget(message_id))
        return changes
