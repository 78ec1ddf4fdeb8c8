"""Every bound of the focus in one value: sizes, rates, times (SR-08, SR-17).

A deployment passes its own `FocusLimits`; nothing below reads a constant of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..buckets import Rate

__all__ = ["FocusLimits", "Rate"]

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_CREATED = Rate(30, _HOUR)
_INVITED = Rate(5000, _HOUR)
_DESCRIBED = Rate(60, 10 * _MINUTE)
_MESSAGES = Rate(6000, _MINUTE)
_BYTES_SENT = Rate(64 << 20, _MINUTE)
_TYPING = Rate(60, _MINUTE)
_CONTROLS = Rate(120, _MINUTE)
_PULLS = Rate(20, _MINUTE)


@dataclass(frozen=True, slots=True)
class FocusLimits:
    """The defaults suit one operator with some ten thousand numbers."""

    # Conferences.
    max_members: int = 1000
    """`max_adhoc_group_size` of RCS, the creator included."""
    max_conferences: int = 20_000
    max_conferences_by_account: int = 500
    max_subject: int = 256
    max_icon: int = 2048
    unused_age_ms: int = 400 * _DAY
    """A conference in which nothing happened for so long is forgotten."""

    # Rates of one account, over all its conferences.
    created: Rate = _CREATED
    invited: Rate = _INVITED
    described: Rate = _DESCRIBED
    messages: Rate = _MESSAGES
    """High, because a message to each of a hundred members is a hundred messages."""
    bytes_sent: Rate = _BYTES_SENT
    typing: Rate = _TYPING
    controls: Rate = _CONTROLS
    """Requests to MLS groups, and"""
    pulls: Rate = _PULLS
    """questions after what was missed in them: an answer is as large as the group (rcc16.md 5.5: deployed servers throttle
    these after about ten)."""
    max_buckets: int = 100_000

    # Messages.
    max_message: int = 256 * 1024
    max_control: int = 8 << 20
    """Of a request to an MLS group, which has the tree with it: some two kilobytes for each device."""
    max_stored_messages: int = 50_000
    """In one conference; beyond it, and beyond `max_stored_bytes`, the oldest that all may read go first."""
    max_stored_bytes: int = 256 << 20
    max_private_messages: int = 5000
    """For one member of one conference; beyond it, and beyond `max_private_bytes`, its next is refused."""
    max_private_bytes: int = 32 << 20
    max_answers: int = 1000
    """Of the focus itself to one member about its requests to MLS groups; beyond it they get none, and 413."""
    max_age_ms: int = 7 * _DAY
    max_known_ids: int = 20_000
    """Message ids of one conference by which a repeat is recognised."""
    known_ids_age_ms: int = 2 * _DAY

    # Devices and their sessions.
    max_devices: int = 8
    device_age_ms: int = 30 * _DAY
    """A device that did not come for so long is forgotten, and with it what is kept for it alone."""
    max_sessions: int = 20_000
    window_messages: int = 32
    """Handed to one session and not acknowledged; what is more waits in the store, so that a slow reader costs no memory."""
    window_bytes: int = 512 * 1024
    tail_bytes: int = 32 << 20
    """Of the newest messages, kept in memory for those who read a little later."""

    @property
    def largest(self) -> int:
        """The largest message of any kind."""
        return max(self.max_message, self.max_control)
