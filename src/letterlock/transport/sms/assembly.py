"""Arriving messages in parts: in any order, each part once, bounded in parts, senders, number and time (SR-08).

The parts are kept before the SMSC hears that we have them: an SMSC with a window of one sends the second part only when
the first was acknowledged. What is missing for too long, or stands in the way of newer ones, is shown as it is: also
where a phone gives a reference again, and the message that had it before never became whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...codec import sms_text
from ...codec.sms_text import Coding
from ...codec.sms_user_data import Concatenation
from ...ids import Instant, MessageId
from .memory import Changes

__all__ = ["Assembled", "Assembly"]

_PREFIX = "parts/"


@dataclass(frozen=True, slots=True)
class Assembled:
    """A message to show. `group` is its name here, to be forgotten once it is on disk."""

    group: str
    message_id: MessageId
    sender: str
    text: str = field(repr=False)


@dataclass(slots=True)
class _Group:
    message_id: MessageId
    sender: str
    total: int
    at: Instant
    parts: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def written(self) -> str:
        parts = {str(number): [coding, octets.hex()] for number, (coding, octets) in self.parts.items()}
        return json.dumps([self.message_id, self.sender, self.total, self.at, parts])


class Assembly:
    """`sender` is the name of the sender as the SMSC writes it. Methods give the changes to keep."""

    def __init__(self, items: Iterable[tuple[str, str]], *, most: int, most_per_sender: int, kept_ms: int) -> None:
        self._most = most
        self._most_per_sender = most_per_sender
        self._kept_ms = kept_ms
        self._groups: dict[str, _Group] = {}
        for name, text in items:
            if name.startswith(_PREFIX):
                message_id, sender, total, at, parts = json.loads(text)
                known = {int(number): (coding, bytes.fromhex(octets)) for number, (coding, octets) in parts.items()}
                self._groups[name.removeprefix(_PREFIX)] = _Group(MessageId(message_id), sender, total, at, known)
        self._groups = dict(sorted(self._groups.items(), key=lambda item: item[1].at))

    def add(
        self, sender: str, part: Concatenation, coding: Coding, octets: bytes, fresh: MessageId, now: Instant
    ) -> Changes:
        """Take a part. `fresh` is the id of the message if this is its first one."""
        # Hashed: what a sender is called is anybody's choice.
        named = f"{sender}\0{part.wide}\0{part.reference}\0{part.total}"
        name = hashlib.sha256(named.encode()).hexdigest()[:32]
        changes: dict[str, str | None] = {}
        group = self._groups.get(name)
        if group is not None and group.parts.get(part.number, (coding, octets)) != (coding, octets):
            # Another message: mixed they would be neither, and dropped its text would be lost.
            over = f"{name}.{group.message_id}"
            group.at = -self._kept_ms
            self._groups[over] = self._groups.pop(name)
            changes[_PREFIX + over] = group.written()
            group = None
        if group is None:
            group = self._groups[name] = _Group(fresh, sender, part.total, now)
        group.parts[part.number] = (coding, octets)
        return {**changes, _PREFIX + name: group.written()}

    def due(self, now: Instant) -> list[Assembled]:
        """What is to be shown now: complete, too old, or too much."""
        names = [
            name
            for name, group in self._groups.items()
            if len(group.parts) == group.total or not 0 <= now - group.at < self._kept_ms
        ]
        waiting = [name for name in self._groups if name not in names]
        by_sender: dict[str, list[str]] = {}
        for name in waiting:
            by_sender.setdefault(self._groups[name].sender, []).append(name)
        for of_sender in by_sender.values():
            names += of_sender[: max(0, len(of_sender) - self._most_per_sender)]
        waiting = [name for name in waiting if name not in names]
        names += waiting[: max(0, len(waiting) - self._most)]
        return [self._assembled(name) for name in names]

    def forget(self, assembled: Assembled) -> Changes:
        """It is on disk."""
        self._groups.pop(assembled.group, None)
        return {_PREFIX + assembled.group: None}

    def _assembled(self, name: str) -> Assembled:
        group = self._groups[name]
        pieces: list[str] = []
        run: list[bytes] = []
        run_coding = Coding.GSM
        for number in range(1, group.total + 1):
            coding, octets = group.parts.get(number, (None, b""))
            if coding is None or (run and coding != run_coding):
                pieces.append(sms_text.decode(b"".join(run), run_coding))
                run = []
            if coding is None:
                pieces.append("[...]")
                continue
            # Some senders cut through a character: the octets are joined before they are read.
            run_coding = Coding(coding)
            run.append(octets)
        pieces.append(sms_text.decode(b"".join(run), run_coding))
        return Assembled(name, group.message_id, group.sender, "".join(pieces))
