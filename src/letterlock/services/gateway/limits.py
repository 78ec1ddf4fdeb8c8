"""Every bound of the gateway in one value (SR-08, SR-17): nothing below reads a constant of its own."""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.gateway import FrameLimits
from ..buckets import Rate

__all__ = ["GatewayLimits"]

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_FRAMES = FrameLimits(max_frame=(8 << 20) + 65_536, max_text=16_384, max_items=4_096)
"""A packet of RCC.16 that founds a large group has 8 MiB (`ConferenceConfig.max_message`)."""
_SENDS = Rate(300, 10 * _SECOND)
_REQUESTS = Rate(120, _MINUTE)
_FRAME_RATE = Rate(2_000, 10 * _SECOND)
_LINKS = Rate(30, _MINUTE)
_ENROLMENTS = Rate(20, _HOUR)
_ADDRESSES = Rate(600, _MINUTE)


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """The defaults suit one process with some thousand accounts. Times are in milliseconds."""

    # The wire.
    frames: FrameLimits = _FRAMES
    hello_ms: int = 10 * _SECOND
    """A link that has not said hello by then is closed."""
    heartbeat_ms: int = 30 * _SECOND
    """A ping so often; an answer has half of that."""
    send_ms: int = 60 * _SECOND
    """A client that does not read for so long loses its link; its inbox stays."""
    max_links: int = 20_000
    max_requests: int = 64
    """Of one link, under way at once; with so many of them its further frames wait in its own socket."""
    max_request_bytes: int = 16 << 20
    window: int = 256
    """Messages on their way to a client, not acknowledged."""
    window_bytes: int = 4 << 20
    page: int = 128
    page_bytes: int = 1 << 20
    """What is read from an inbox at once."""

    # HTTP.
    max_in_flight: int = 256
    max_in_flight_by_address: int = 32
    max_body: int = 4_096
    body_ms: int = 10 * _SECOND

    # What is kept, and how long.
    max_devices: int = 20_000
    max_devices_per_number: int = 10
    known_ms: int = 30 * _DAY
    """A device that has not linked for so long is forgotten: its registration, and what was kept for it."""
    enrolled_ms: int = _DAY
    """One that was enrolled and has never linked."""
    max_messages: int = 5_000
    """In one inbox; the oldest makes room, and leaves a gap that the client sees."""
    max_bytes: int = 64 << 20
    message_ms: int = 30 * _DAY
    max_total_bytes: int = 8 << 30
    """In all inboxes. Beyond it nothing is taken from the network, which keeps it and tries again."""
    max_results: int = 1_024
    result_ms: int = _HOUR
    """How long, and how many of one device, answers of the network are remembered that their client has not settled."""
    max_conferences: int = 1_024
    max_notices: int = 1_024
    max_tags: int = 64
    """Of one device."""

    # The carrier. Registrations at the start: so many a second.
    registrations_per_s: int = 50
    tidy_ms: int = 50
    """How long acknowledgements are collected before they are written."""

    # Waking.
    wake_after_ms: int = 10 * _SECOND
    """A linked device that has not acknowledged for so long is woken as if it had no link."""
    wake_every_ms: int = 5 * _SECOND
    """The push service is asked at most so often for one device."""

    # Rates, in memory, before any work.
    sends: Rate = _SENDS
    requests: Rate = _REQUESTS
    frame_rate: Rate = _FRAME_RATE
    links: Rate = _LINKS
    enrolments: Rate = _ENROLMENTS
    """Of one account from one address, right or wrong: nobody guesses a password."""
    addresses: Rate = _ADDRESSES
    max_buckets: int = 200_000
