"""Every bound of the content server in one value: sizes, budgets, times, rates (SR-08, SR-17).

A deployment passes its own `ContentLimits`; nothing below reads a constant of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..buckets import Rate

__all__ = ["ContentLimits"]

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_MIB = 1 << 20
_ADDRESS = Rate(1200, _MINUTE)
_WRONG_PASSWORDS = Rate(30, 10 * _MINUTE)
_UPLOADS = Rate(240, _HOUR)


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """The defaults suit one operator with some ten thousand numbers and a terabyte."""

    # What is kept.
    max_file: int = 2048 * _MIB
    max_thumbnail: int = 256 * 1024
    max_name: int = 255
    account_bytes: int = 20 * 1024 * _MIB
    """Of one account, files and unfinished uploads together."""
    account_files: int = 10_000
    account_uploads: int = 16
    """Unfinished ones of one account."""
    total_bytes: int = 800 * 1024 * _MIB
    min_free_bytes: int = 512 * _MIB
    """Left on the disk for everybody else."""
    file_lifetime_ms: int = 30 * _DAY
    upload_lifetime_ms: int = _DAY
    """How long an unfinished upload can be resumed after its last byte."""

    # Receiving.
    block_bytes: int = _MIB
    """Written at once."""
    checkpoint_bytes: int = 16 * _MIB
    """After so many bytes they are forced to the disk and put down: what a killed server may lose of an upload."""
    max_parts: int = 8
    max_part_head: int = 8192
    body_grace_s: float = 30.0
    body_bytes_per_s: int = 4096
    """A body that keeps us waiting for longer than the grace and this rate allow is refused."""
    answer_grace_s: float = 60.0
    """For one block of a download to be taken."""

    # Requests.
    max_in_flight: int = 512
    max_in_flight_by_address: int = 64
    busy_retry_s: int = 10
    nonce_lifetime_ms: int = 5 * _MINUTE
    address: Rate = _ADDRESS
    wrong_passwords: Rate = _WRONG_PASSWORDS
    """By address: more of them and it has to wait, with the right one too."""
    uploads: Rate = _UPLOADS
    """By account."""
    max_buckets: int = 100_000
