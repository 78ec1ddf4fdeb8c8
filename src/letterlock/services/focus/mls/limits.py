"""The numbers of the ordering, none of them GSMA's but the fifty external commits a day (rcc16.md 5.6: [N], our choice)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OrderingLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingLimits:
    """Times in milliseconds."""

    max_external_commits_a_day: int
    """RCC.16 11.2.2: fifty."""
    max_eras_an_hour: int
    max_eras_a_day: int
    max_epochs_an_hour: int
    max_external_commits_a_day_by_one: int
    """What one member may have of a quota, so that none can use it up against all others."""
    max_eras_a_day_by_one: int
    max_epochs_an_hour_by_one: int
    min_credential_ms: int
    """How long every credential of a group has to last (RCC.16 A.4.3.1: thirty days)."""
    max_pending: int
    """Proposals that wait for a commit."""
    recent_epochs: int
    """Application messages may be of so many epochs that have passed, and"""
    recent_ms: int
    """for how long after each ended."""
    max_history: int
    """Accepted requests that are kept for members who fell behind, and"""
    max_history_bytes: int
    """how many bytes of them."""
    max_page_bytes: int
    """Control messages in one answer to a pull; one that is larger by itself still goes."""
    max_group_info: int
    """Bytes of a GroupInfo, with the GroupContext in it: everybody who comes back is given it."""
    max_leaf: int
    """Bytes of a new leaf. A commit has so many for each device and `max_group_info` more; a Welcome for each added one."""
    max_leaves_of_one: int
    """Devices of one number in the tree."""
    max_key_delivery: int
    max_subject: int
    """Bytes of an encrypted subject."""
    max_icon: int
    """Characters of the address of an encrypted icon."""
