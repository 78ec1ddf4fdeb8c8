"""Limits of the conversation machine beside the budgets of `health`; the edge picks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...codec.cpim import CpimLimits
from ...codec.xml import XmlLimits
from ...ids import Instant
from ..choices import OURS, Choices
from ..health.budgets import DEFAULTS, Budgets
from ..wire.control import ControlLimits

__all__ = ["DEPLOYED", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times in milliseconds."""

    budgets: Budgets
    choices: Choices
    control: ControlLimits
    content: CpimLimits
    receipts: XmlLimits
    live_groups: int
    """MLS groups kept in memory."""
    max_parked: int
    """Packets of one conversation that wait to be readable."""
    max_parked_bytes: int
    """All of these together."""
    max_parked_unknown: int
    """Packets of a conversation that we were never in, and"""
    max_strangers: int
    """how many such conversations there may be."""
    max_message_bytes: int
    received_kept_ms: Instant
    """How long a repeat of a letter is recognised as one; longer than letters are sent again."""
    sweep_ms: Instant
    """Between two looks at what is past its time."""
    claim_retry_ms: Instant
    """After a key distribution server that could not be asked."""
    commit_turn_ms: Instant
    """Between members, by their rank, before one commits what another proposed."""
    key_pushers: int
    """How many members give somebody who came back the keys of subject and icon."""
    max_subject_bytes: int
    max_icon_bytes: int


DEPLOYED: Final = Settings(
    budgets=DEFAULTS,
    choices=OURS,
    control=ControlLimits(max_size=64 << 20, max_roster=1_000, max_page=200),
    content=CpimLimits(max_size=16 << 20, max_headers=64, max_header_bytes=16_384),
    receipts=XmlLimits(max_size=65_536, max_depth=8, max_elements=64),
    live_groups=256,
    max_parked=500,
    max_parked_bytes=32 << 20,
    max_parked_unknown=16,
    max_strangers=64,
    max_message_bytes=64 << 20,
    received_kept_ms=30 * 86_400_000,
    sweep_ms=3_600_000,
    claim_retry_ms=30_000,
    commit_turn_ms=2_000,
    key_pushers=3,
    max_subject_bytes=1_024,
    max_icon_bytes=256 << 10,
)
"""What the client uses: deployed numbers where rcc16.md has one."""
