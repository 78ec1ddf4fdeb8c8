"""The account at an SMSC, and the bounds and times of a connection to it."""

from __future__ import annotations

import enum
import ssl
from dataclasses import dataclass, field

from ...codec.addresses import is_loopback
from ...codec.smpp import SmppLimits
from ...errors import InputError
from ...ids import Number

__all__ = ["LongMessages", "SmsConfig", "check", "tls_context"]


class LongMessages(enum.Enum):
    """How a text that needs several short messages goes out. The value is its stable name."""

    WIDE = "udh16"
    """In parts with a reference of 16 bits: the fewest mix-ups."""
    NARROW = "udh8"
    """In parts with a reference of 8 bits, for an SMSC that knows no other."""
    PAYLOAD = "payload"
    """Whole, in `message_payload`: the SMSC makes the parts."""


@dataclass(frozen=True, slots=True)
class SmsConfig:
    """Times in seconds. `number` is ours, and what others see. `tls_name`: what its certificate is for, if not `host`."""

    number: Number
    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    tls: bool = True
    ca_file: str | None = None
    tls_name: str | None = None
    insecure_lab: bool = False
    system_type: str = ""
    long_messages: LongMessages = LongMessages.WIDE
    window: int = 10
    """Submissions without an answer at a time."""
    connect_s: float = 10.0
    answer_s: float = 30.0
    enquire_s: float = 30.0
    """A connection that was quiet for so long is asked whether it still stands."""
    confirm_s: float = 0.5
    """So long after an acknowledgement it is asked, too: what it answers then, it has read before."""
    retry_first_s: float = 1.0
    retry_longest_s: float = 60.0
    pace_first_s: float = 0.5
    """After "throttled" nothing is submitted for this long, then twice as long, and so on ..."""
    pace_longest_s: float = 30.0
    patience_s: float = 50.0
    """... and a message that was under way for so long is left to a later attempt, with the parts that are not out."""
    max_waiting: int = 64
    """Arriving messages that are not on disk yet; the SMSC keeps what goes beyond."""
    max_parts: int = 40
    """Of an arriving message; parts of a longer one are shown by themselves."""
    max_groups: int = 256
    """Arriving messages of which parts are missing ..."""
    max_groups_per_sender: int = 8
    parts_ms: int = 24 * 3_600_000
    """... and how long they wait; then they are shown as they are."""
    repeats_ms: int = 10 * 60_000
    """So long after a new connection the SMSC may repeat what we acknowledged in the last one."""
    max_submissions: int = 4_096
    """Messages of which a receipt may come ..."""
    receipts_ms: int = 8 * 24 * 3_600_000
    """... and how long."""
    limits: SmppLimits = SmppLimits(max_pdu=70_000, max_parameters=64)  # noqa: RUF009 - a frozen value


def check(config: SmsConfig) -> None:
    """Raises InputError for a configuration that would speak in the clear beyond this machine (SR-19), or cannot be said."""
    if not config.tls and not config.insecure_lab and not is_loopback(config.host):
        raise InputError(
            f"SMPP without TLS to {config.host}",
            code="sms.plaintext",
            hint="use smpps:, or insecure_lab for a closed test network; the password would be readable, too",
        )
    # SMPP 3.4 section 4.1.5; nine octets and sixteen, with the zero at the end.
    for name, value, longest in (("user", config.system_id, 15), ("password", config.password, 8)):
        if len(value) > longest or not value.isascii() or not all(each.isprintable() for each in value):
            raise InputError(f"an SMPP {name} has at most {longest} ASCII characters", code="sms.account")
    if not config.system_id:
        raise InputError("an SMSC wants to know who binds", code="sms.account", hint="smpp://USER@HOST:PORT")


def tls_context(config: SmsConfig) -> ssl.SSLContext:
    """Verification on, name checked, TLS 1.2 or newer (SR-19)."""
    context = ssl.create_default_context(cafile=config.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
