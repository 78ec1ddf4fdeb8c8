"""Counting what goes wrong with a peer, and saying so within bounds (SR-07).

One small record per contact, and one for all strangers together, so that made-up numbers cost nothing.
"""

from __future__ import annotations

from dataclasses import replace

from ..ids import GroupName, Number, Peer
from .core import Core
from .events import DeviceListRefused, MessageUnreadable, OwnListMismatch
from .record_values import Trouble
from .records import contact_key, trouble_key
from .step import Turn

__all__ = [
    "STRANGERS",
    "allow_notice",
    "allow_request",
    "allow_resend",
    "allow_reset",
    "list_refused",
    "own_list_mismatch",
    "unreadable",
]

STRANGERS = "strangers"

_HOUR_MS = 3_600_000
_RECENT = 16


def unreadable(
    core: Core,
    turn: Turn,
    sender: Peer | None,
    message_id: str,
    device: int,
    reason: str,
    *,
    digest: bytes,
    asked_again: bool = False,
    group: GroupName | None = None,
) -> None:
    """Count something that could not be read, and show it: each bytes once, and so many an hour."""
    name, trouble = _load(turn, sender)
    repeat = digest[:8] in trouble.recent
    trouble = replace(trouble, total=min(trouble.total + 1, (1 << 64) - 1))
    if not repeat:
        recent = (*trouble.recent, digest[:8])[-_RECENT:]
        trouble = replace(trouble, unreadable=trouble.unreadable + 1, recent=recent)
        if trouble.unreadable <= core.limits.unreadable_per_hour:
            chat, author = (sender, "") if group is None else (group, sender or "")
            turn.tell(MessageUnreadable(chat, message_id, device, reason, asked_again, author))
    turn.staged.put(trouble_key(name), trouble)


def list_refused(core: Core, turn: Turn, number: Number, reason: str) -> None:
    """Show that a device list did not hold, within the same bound."""
    name, trouble = _load(turn, number)
    trouble = replace(trouble, unreadable=trouble.unreadable + 1)
    if trouble.unreadable <= core.limits.unreadable_per_hour:
        turn.tell(DeviceListRefused(number, reason))
    turn.staged.put(trouble_key(name), trouble)


def own_list_mismatch(core: Core, turn: Turn, number: Number, reason: str) -> None:
    """Show that this contact was shown another list of ours, within the same bound (SR-22)."""
    name, trouble = _load(turn, number)
    trouble = replace(trouble, unreadable=trouble.unreadable + 1)
    if trouble.unreadable <= core.limits.unreadable_per_hour:
        turn.tell(OwnListMismatch(reason, number))
    turn.staged.put(trouble_key(name), trouble)


def allow_notice(core: Core, turn: Turn, group: GroupName) -> bool:
    """Whether what the carrier claims about a group is told once more in this hour: it stays in the history (SR-08)."""
    key, hour = trouble_key(group), turn.now // _HOUR_MS
    trouble = turn.staged.get(key)
    if trouble is None or trouble.hour != hour:
        trouble = Trouble(hour, 0, 0, 0, 0)
    if trouble.unreadable >= core.limits.unreadable_per_hour:
        return False
    turn.staged.put(key, replace(trouble, unreadable=trouble.unreadable + 1))
    return True


def allow_request(core: Core, turn: Turn, number: Number) -> bool:
    """Whether we may ask this contact once more in this hour to send something again."""
    name, trouble = _load(turn, number)
    if trouble.requests >= core.limits.resend_requests_per_hour:
        return False
    turn.staged.put(trouble_key(name), replace(trouble, requests=trouble.requests + 1))
    return True


def allow_resend(core: Core, turn: Turn, number: Number) -> bool:
    """Whether we answer this contact's request once more in this hour."""
    name, trouble = _load(turn, number)
    if trouble.resends >= core.limits.resends_per_hour:
        return False
    turn.staged.put(trouble_key(name), replace(trouble, resends=trouble.resends + 1))
    return True


def allow_reset(core: Core, turn: Turn, number: Number) -> bool:
    """Whether a session with this contact may be retired again; a burst of trouble is one reason, not many."""
    name, trouble = _load(turn, number)
    if trouble.reset_at and 0 <= turn.now - trouble.reset_at < core.limits.session_reset_ms:
        return False
    turn.staged.put(trouble_key(name), replace(trouble, reset_at=turn.now))
    return True


def _load(turn: Turn, number: Peer | None) -> tuple[str, Trouble]:
    known = number is not None and turn.staged.get(contact_key(Number(number))) is not None
    name = number if known and number is not None else STRANGERS
    hour = turn.now // _HOUR_MS
    trouble = turn.staged.get(trouble_key(name)) or Trouble(hour, 0, 0, 0, 0)
    if trouble.hour != hour:
        trouble = Trouble(hour, 0, trouble.total, 0, 0, trouble.recent, trouble.reset_at)
    return name, trouble
