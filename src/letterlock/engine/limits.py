"""Every bound and interval of the engine (SR-08). Cores have no defaults: the profile layer picks a set.

`DEFAULTS` is the set that the client uses.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..trust.group_log_entry import LIMITS as GROUP_LIMITS
from ..trust.group_log_entry import GroupLimits

__all__ = ["DEFAULTS", "EngineLimits", "Privacy"]

_SECOND = 1_000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Sizes in bytes, times in milliseconds."""

    # What is read
    max_text: int
    max_sms_parts: int
    """Short messages that one text may need."""
    max_emoji: int
    max_label: int
    """Of a location."""
    max_entity: int
    """Of content that is kept as it came: what is longer is shown by type and size alone."""
    max_marks: int
    """Emojis of one account on one message that are remembered, removed ones included."""
    max_pending: int
    """Changes of one account in one chat that wait for their message."""
    pending_ms: int
    """... and how long; after that it will not come any more."""
    max_frame: int
    max_list: int
    max_copies: int
    max_lists: int
    # Outbox
    retry_first_ms: int
    """Until the network answers, a frame is sent again after this, then after twice as long, and so on ..."""
    retry_longest_ms: int
    """... but never after longer than this."""
    retry_accepted_ms: int
    """The same once the network took it: it may have swallowed it (SR-05)."""
    retry_accepted_longest_ms: int
    expiry_ms: int
    control_expiry_ms: int
    """For receipts and requests, which a repeat of the message calls forth again."""
    max_waiting: int
    """Messages of one chat that wait for keys."""
    # Directory
    fetch_first_ms: int
    fetch_longest_ms: int
    list_refresh_ms: int
    """A pinned list older than this is looked up again, beside sending."""
    look_again_ms: int
    """"No keys found" is asked again whenever the user or the contact gives a reason, at most this often (SR-08)."""
    absent_refresh_ms: int
    """What waits for key packages has them asked for this often: key servers count claims, and take a few for one number
    within ten minutes."""
    material_patience_ms: int
    """After this a device without key material no longer holds up the others."""
    self_check_ms: int
    # Inbox
    parked_per_peer: int
    parked_strangers: int
    """From numbers that are no contacts, nothing is parked beyond this many frames in all."""
    parked_ms: int
    repeat_receipt_ms: int
    """A repeat of a message calls forth its receipt again at most this often."""
    remember_ms: int
    """How long a message id is remembered against repeats; longer than any expiry."""
    # Order
    reorder_ms: int
    reorder_count: int
    """Messages of one chat that are held back."""
    max_gaps: int
    max_lamport_jump: int
    # Trouble
    unreadable_per_hour: int
    """Events of one peer; the rest is only counted."""
    resend_requests_per_hour: int
    """That we send to one contact."""
    session_reset_ms: int
    """A session that cannot be read is retired at most this often per contact."""
    resends_per_message: int
    """That we answer for one message and device."""
    resends_per_hour: int
    typing_ms: int
    # Groups
    group: GroupLimits
    max_group_bundle: int
    """Of a log's entries in one frame; whoever lacks the rest asks for it."""
    max_groups: int
    max_groups_outside: int
    """That somebody has named and that we are not in."""
    group_letters: int
    """Content of one group, or of one sender, that waits for more of the log."""
    # Retention
    events_kept: int
    prune_ms: int


@dataclass(frozen=True, slots=True)
class Privacy:
    """What leaks only as far as the user chose (SR-18)."""

    delivery_receipts: bool = True
    display_receipts: bool = True
    typing: bool = True
    receipts_to_strangers: bool = True
    """False: nobody whom the user has never written to learns that a message arrived."""
    receipt_jitter_ms: int = 0
    """Delivery receipts wait a random time up to this."""


DEFAULTS = EngineLimits(
    max_text=8_192,
    max_sms_parts=20,
    max_emoji=64,
    max_label=256,
    max_entity=64 * 1024,
    max_marks=32,
    max_pending=256,
    pending_ms=8 * _DAY,
    max_frame=256 * 1024,
    max_list=32_768,
    max_copies=32,
    max_lists=64,
    retry_first_ms=4 * _SECOND,
    retry_longest_ms=10 * _MINUTE,
    retry_accepted_ms=30 * _SECOND,
    retry_accepted_longest_ms=_HOUR,
    expiry_ms=7 * _DAY,
    control_expiry_ms=10 * _MINUTE,
    max_waiting=1_000,
    fetch_first_ms=2 * _SECOND,
    fetch_longest_ms=5 * _MINUTE,
    list_refresh_ms=_DAY,
    look_again_ms=10 * _SECOND,
    absent_refresh_ms=10 * _MINUTE,
    material_patience_ms=30 * _SECOND,
    self_check_ms=6 * _HOUR,
    parked_per_peer=32,
    parked_strangers=64,
    parked_ms=10 * _MINUTE,
    repeat_receipt_ms=5 * _SECOND,
    remember_ms=21 * _DAY,
    reorder_ms=10 * _SECOND,
    reorder_count=256,
    max_gaps=32,
    max_lamport_jump=1 << 40,
    unreadable_per_hour=20,
    resend_requests_per_hour=20,
    session_reset_ms=10 * _MINUTE,
    resends_per_message=3,
    resends_per_hour=60,
    typing_ms=3 * _SECOND,
    group=GROUP_LIMITS,
    max_group_bundle=160 * 1024,
    max_groups=4_096,
    max_groups_outside=64,
    group_letters=128,
    events_kept=200_000,
    prune_ms=_HOUR,
)
