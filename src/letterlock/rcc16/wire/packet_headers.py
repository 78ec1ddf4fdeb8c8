"""The CPIM headers of RCC.16 (rcc16.md 3.1 and 3.3), and the gate that a packet passes before it is opened.

Found by namespace URI and by name in any case: one deployed peer writes `Era-Id`. Of a header that is there twice
the first one counts.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...conversation_seam import PacketHeader
from ...ids import MessageId
from .content_types import Arm

__all__ = [
    "DERIVED_CONTENT_SIGNATURE",
    "EPOCH_AUTHENTICATOR",
    "ERA_ID",
    "NAMESPACE",
    "ORIGINAL_MESSAGE_ID",
    "Gate",
    "application_headers",
    "authenticator_of",
    "control_headers",
    "era_of_headers",
    "find_header",
    "judge_headers",
    "receipt_headers",
]

NAMESPACE: Final = "http://www.gsma.com/rcs/mls"
ERA_ID: Final = "Era-ID"
EPOCH_AUTHENTICATOR: Final = "Epoch-Authenticator"
ORIGINAL_MESSAGE_ID: Final = "Original-Message-ID"
DERIVED_CONTENT_SIGNATURE: Final = "MLS-Derived-Content-Signature"

_DECIMAL: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_MAX_ERA: Final = 0xFFFF_FFFF
_AUTHENTICATOR_BYTES: Final = 32


def application_headers(
    era: int, authenticator: bytes, *, original: MessageId | None = None
) -> tuple[PacketHeader, ...]:
    """Of a message. `original` only where it repeats an earlier one: elsewhere peers take it for a failure."""
    headers = control_headers(era, authenticator)
    return headers if original is None else (*headers, PacketHeader(NAMESPACE, ORIGINAL_MESSAGE_ID, original))


def control_headers(era: int, authenticator: bytes) -> tuple[PacketHeader, ...]:
    """Of a control message: with a commit, the authenticator of the epoch before it."""
    return (
        PacketHeader(NAMESPACE, ERA_ID, str(era)),
        PacketHeader(NAMESPACE, EPOCH_AUTHENTICATOR, base64.b64encode(authenticator).decode()),
    )


def receipt_headers(signature: str, era: int) -> tuple[PacketHeader, ...]:
    """Of a signed receipt: these two in this order and no others (rcc16.md 4.4)."""
    return (
        PacketHeader(NAMESPACE, DERIVED_CONTENT_SIGNATURE, signature),
        PacketHeader(NAMESPACE, ERA_ID, str(era)),
    )


def find_header(headers: Iterable[PacketHeader], name: str, namespace: str = NAMESPACE) -> str | None:
    """The value of the first header of that name."""
    wanted = name.lower()
    for header in headers:
        if header.namespace == namespace and header.name.lower() == wanted:
            return header.value
    return None


def era_of_headers(headers: Iterable[PacketHeader]) -> int | None:
    """Era-ID, None if it is missing or no era."""
    text = find_header(headers, ERA_ID)
    if text is None or not _DECIMAL.fullmatch(text):
        return None
    era = int(text)
    return era if 1 <= era <= _MAX_ERA else None


def authenticator_of(headers: Iterable[PacketHeader]) -> bytes | None:
    """Epoch-Authenticator, None if it is missing or not 32 bytes in base64."""
    text = find_header(headers, EPOCH_AUTHENTICATOR)
    if text is None or len(text) > 64:
        return None
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == _AUTHENTICATOR_BYTES else None


@dataclass(frozen=True, slots=True)
class Gate:
    """What the headers say. `fault` names what was missing, for a log. `drop`: no receipt of any kind, no answer."""

    era: int | None
    authenticator: bytes | None
    fault: str
    drop: bool


def judge_headers(headers: Iterable[PacketHeader], arm: Arm) -> Gate:
    """Era-ID first, then Epoch-Authenticator. A message without them is dropped in silence; a control message goes
    on, because small acknowledgements of servers come without (rcc16.md 3.1)."""
    kept = tuple(headers)
    era = era_of_headers(kept)
    authenticator = authenticator_of(kept)
    fault = ERA_ID if era is None else EPOCH_AUTHENTICATOR if authenticator is None else ""
    return Gate(era, authenticator, fault, drop=bool(fault) and arm is Arm.APPLICATION)
