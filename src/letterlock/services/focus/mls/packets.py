"""The CPIM messages that the focus itself writes for members: what it accepted, what it refuses, what they missed.

They come from the conference's own address, which no member can write: whoever is told something by the focus knows it
from a member's word. The same bytes go to everybody. Order of headers: rcc16.md 3.1.
"""

from __future__ import annotations

import base64

from ....codec import cpim, imdn
from ....codec.cpim import Cpim, encode_cpim
from ....codec.dates import rfc3339_seconds
from ....codec.mime import MimePart
from ....ids import Instant
from ....rcc16.wire.content_types import GROUP_INFO, SERVER_CONTROL
from ....rcc16.wire.control import EpochIdentifier
from ....rcc16.wire.packet_headers import EPOCH_AUTHENTICATOR, ERA_ID, NAMESPACE
from ....rcc16.wire.reasons import ServerReason, encode_negative_receipt

__all__ = ["acceptance_packet", "control_packet", "pull_packet", "refusal_packet"]


def control_packet(address: str, message_id: str, data: bytes, at: EpochIdentifier, now: Instant) -> bytes:
    """A commit, Welcome or proposal; `at` is the epoch that its headers name."""
    authenticator = base64.b64encode(at.authenticator).decode()
    return _packet(
        address,
        message_id,
        SERVER_CONTROL,
        data,
        now,
        (
            ("NS", f"mls <{NAMESPACE}>"),
            (f"mls.{ERA_ID}", str(at.era)),
            (f"mls.{EPOCH_AUTHENTICATOR}", authenticator),
        ),
    )


def acceptance_packet(address: str, message_id: str, data: bytes, now: Instant) -> bytes:
    """AcceptedMlsRcsMessage. `message_id` is the packet's own: the one that was accepted stands inside."""
    return _packet(address, message_id, SERVER_CONTROL, data, now, ())


def pull_packet(address: str, message_id: str, data: bytes, now: Instant) -> bytes:
    """MlsEnhancedGroupInfo, under the id of the packet that asked."""
    return _packet(address, message_id, GROUP_INFO, data, now, ())


def refusal_packet(
    address: str, message_id: str, refused_id: str, date_time: str | None, reason: ServerReason, now: Instant
) -> bytes:
    """A negative receipt for what was refused. Reasons come out of band: the transport has said that all is well."""
    body = encode_negative_receipt(refused_id, date_time or rfc3339_seconds(now), reason)
    return _packet(address, message_id, imdn.MEDIA_TYPE, body, now, ())


def _packet(
    address: str, message_id: str, content_type: str, body: bytes, now: Instant, more: tuple[tuple[str, str], ...]
) -> bytes:
    headers = cpim.headers(
        ("From", f"<{address}>"),
        ("To", f"<{address}>"),
        ("NS", f"imdn <{cpim.IMDN}>"),
        ("imdn.Message-ID", message_id),
        ("DateTime", rfc3339_seconds(now)),
        *more,
    )
    return encode_cpim(Cpim(headers, MimePart.of(content_type, body)))
