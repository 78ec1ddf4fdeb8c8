"""Times and bounds of the focus's edge, which the operator may change."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...sip.answering import RepeatTimes
from ...sip.notifying import NotifierSettings
from ...sip.refer import EXTENSIONS
from ...sip.session_events import SessionSettings
from ...sip.session_timer import TimerPolicy
from ..sip_link import SipSettings

__all__ = ["ALLOW", "FocusSettings"]

ALLOW = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, SUBSCRIBE, NOTIFY, REFER"


@dataclass(frozen=True, slots=True)
class FocusSettings:
    """Times of this edge in milliseconds. `factory` is the user part of the address at which conferences are made.

    `reach` are the networks in which the focus connects to devices that cannot connect to it: a device names the address,
    so it is this machine only unless the operator says more (SR-14).
    """

    factory: str = "conference-factory"
    idle_ms: int = 30_000
    publish_ms: int = 200
    flush_ms: int = 200
    sweep_ms: int = 500
    purge_ms: int = 3_600_000
    retry_ms: tuple[int, int] = (2_000, 300_000)
    max_calling: int = 64
    max_subscribers: int = 50_000
    reach: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    session: SessionSettings = field(
        default_factory=lambda: SessionSettings(
            TimerPolicy(1800, 90), RepeatTimes(500, 4_000, 32_000), ring_ms=60_000, allow=ALLOW
        )
    )
    notifier: NotifierSettings = field(
        default_factory=lambda: NotifierSettings(
            frozenset({"conference"}), longest_s=3600, shortest_s=60, max_queued=64
        )
    )
    sip: SipSettings = field(
        default_factory=lambda: SipSettings(extensions=EXTENSIONS | {"recipient-list-invite", "timer"})
    )
    msrp_report_ms: int = 60_000
