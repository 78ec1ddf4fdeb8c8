"""Every bound of the mailbox in one value (SR-08, SR-17): nothing below reads a constant of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec.sip import Limits
from ..sip_link import SipSettings

__all__ = ["MailboxLimits"]

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class MailboxLimits:
    """The defaults suit one operator with some ten thousand numbers. Times are in milliseconds."""

    # What is kept, and how long.
    max_age_ms: int = 7 * _DAY
    min_age_ms: int = 30 * _SECOND
    """Whatever `Expires` a sender writes: a device that is there must have time to take it."""
    known_ms: int = 30 * _DAY
    """A device that has not registered for so long is forgotten, and what was kept for it."""
    max_devices_per_number: int = 10
    max_devices: int = 100_000
    max_messages_per_device: int = 1000
    max_bytes_per_device: int = 16 << 20
    max_messages_per_sender: int = 500
    """Of one sender for one device: nobody fills another's mailbox alone."""
    max_bytes: int = 4 << 30

    # Sending on. The first pause after a failure, doubled each time up to the longest.
    retry_first_ms: int = 2 * _SECOND
    retry_longest_ms: int = _HOUR
    retry_away_ms: int = _MINUTE
    """The first pause when the device is not there: its registration ends the pause sooner."""
    max_sending: int = 256
    """Copies under way at once, to all devices together; one for each device, which keeps their order."""
    batch: int = 16
    """Read at once and forgotten at once, in one commit: as many may come twice after a crash, none is lost."""
    answer_timeout_ms: int = 20 * _SECOND
    reconnect_ms: int = _SECOND

    # The wire. A message with our headers must still fit what the proxy takes.
    sip: Limits = field(
        default_factory=lambda: Limits(max_header_bytes=32_768, max_headers=200, max_line=16_384, max_body=262_144)
    )
    max_open: int = 4096
    """Requests from the proxy that wait for the disk; with more of them 503."""
    max_connections: int = 64
    max_message: int = 327_680
    max_unsent: int = 64 << 20
    ping_ms: int = 60 * _SECOND

    def link(self) -> SipSettings:
        """Of a connection with the proxy."""
        return SipSettings(
            self.sip,
            timeout_ms=self.answer_timeout_ms,
            # Nothing repeats over TCP: an answer need not be remembered (RFC 3261 section 17.2.2, timer J).
            absorb_ms=0,
            max_open=self.max_open,
            max_message=self.max_message,
            max_unsent=self.max_unsent,
            max_links=self.max_connections,
            ping_ms=self.ping_ms,
            pong_ms=self.answer_timeout_ms,
            reconnect_ms=self.reconnect_ms,
        )
