"""How much a Signal session may grow and how long it may live (SR-08). The cores have no defaults; the profile chooses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIBSIGNAL_LIMITS", "Limits"]

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of sessions, session records and pre-keys."""

    max_forward_jump: int
    """How far a counter may run ahead of its chain."""
    max_message_keys: int
    """Skipped keys kept per receiving chain; the oldest go first."""
    max_receiving_chains: int
    """Receiving chains kept, so how many turns late a message may come."""
    max_archived_sessions: int
    """Earlier sessions with one device that still read."""
    archived_session_ms: int
    """How long an earlier session still reads: an old one undoes the healing of a new one (Sesame's weak spot)."""
    unacknowledged_session_ms: int
    """How long a session may be used that the other side has never answered."""
    max_message: int
    """Bytes of one ciphertext message."""
    one_time_prekeys: int
    """One-time pre-keys of each sort to keep at the directory."""
    prekey_batch: int
    """One-time pre-keys of each sort made in one step, so that a step stays short; also how many may be used up before more are made."""
    prekey_rotation_ms: int
    """Age at which the signed and the last-resort pre-key are replaced."""
    prekey_retention_ms: int
    """How long a replaced pre-key still opens a session, for messages that were under way."""
    one_time_prekey_ms: int
    """How long the private half of a one-time pre-key is kept when nobody uses it."""
    max_one_time_held: int
    """Private halves of one-time pre-keys of each sort kept at most, whatever the directory says is left; the oldest go first."""
    max_base_keys: int
    """Base keys remembered per last-resort pre-key; one that is worn out is rotated early."""


LIBSIGNAL_LIMITS = Limits(
    max_forward_jump=25_000,
    max_message_keys=2_000,
    max_receiving_chains=5,
    max_archived_sessions=40,
    archived_session_ms=30 * _DAY_MS,
    unacknowledged_session_ms=30 * _DAY_MS,
    max_message=1 << 20,
    one_time_prekeys=100,
    prekey_batch=20,
    prekey_rotation_ms=2 * _DAY_MS,
    prekey_retention_ms=30 * _DAY_MS,
    one_time_prekey_ms=90 * _DAY_MS,
    max_one_time_held=1_000,
    max_base_keys=4_096,
)
"""libsignal's constants where it has them, ours where it leaves the choice to the app."""
