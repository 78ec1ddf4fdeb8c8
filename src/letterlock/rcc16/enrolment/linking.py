"""Devices that do not hold the participant key: the primary vouches for their leaf key (.4) and asks for their number.

The linked device asks with its public key and its signature, so that nobody can have another's key vouched for (SR-04);
the answer has all that a request to the KDS needs of the participant key. What travels here is not secret, but it must
come over a channel that the devices trust: whom to vouch for is decided by the user, who links a device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ...codec.tls import Reader, opaque, whole
from ...crypto.provider import CryptoProvider
from ...errors import DecodeError, LimitExceeded
from ...ids import Instant, Number
from ..credentials.algorithms import spki_of
from ..credentials.numbers import subject_alt_name, subject_name
from ..credentials.participant import decode_participant_information
from ..credentials.request import check_possession, proves_number
from ..rules import rule
from .records import Link, Own
from .settings import EnrolmentSettings, ParticipantKey
from .vouching import vouch

__all__ = ["LinkAnswer", "LinkRequest", "accepted", "answer", "decode_link_answer", "decode_link_request"]

_ANSWERED = rule(
    "RCC-P.1.8-11",
    "our choice (rcc16.md 1.3)",
    "what the primary signed is for this device's key, name and number, by the account's participant key, and holds now",
    module=__name__,
)

_MAX_BYTES: Final = 8_192
_POINT_BYTES: Final = 65


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """From a linked device."""

    client_id: str
    leaf_public: bytes
    leaf_pop: bytes = field(repr=False)

    def encode(self) -> bytes:
        return opaque(self.client_id.encode()) + opaque(self.leaf_public) + opaque(self.leaf_pop)


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """From the primary."""

    participant_information: bytes = field(repr=False)
    csr_pop: bytes = field(repr=False)

    def encode(self) -> bytes:
        return opaque(self.participant_information) + opaque(self.csr_pop)


def decode_link_request(data: bytes) -> LinkRequest:
    """Raises DecodeError."""
    return whole(_bounded(data), _read_request)


def decode_link_answer(data: bytes) -> LinkAnswer:
    """Raises DecodeError."""
    return whole(_bounded(data), lambda reader: LinkAnswer(reader.vector(), reader.vector()))


def answer(
    request: LinkRequest,
    number: Number,
    participant: ParticipantKey,
    settings: EnrolmentSettings,
    crypto: CryptoProvider,
    now: Instant,
) -> LinkAnswer:
    """The primary's word. Raises InvalidRcc16 if the device has not shown that it holds the key."""
    public = crypto.p256_from_spki(participant.spki)
    check_possession(number, public, request.leaf_public, request.leaf_pop, crypto)
    return LinkAnswer(*vouch(participant, number, request.client_id, request.leaf_public, settings, crypto, now))


def accepted(
    answered: LinkAnswer, own: Own, number: Number, participant_spki: bytes, crypto: CryptoProvider, now: Instant
) -> Link:
    """What a linked device keeps of the answer. Raises InvalidRcc16 if it is of no use here."""
    try:
        participant = decode_participant_information(answered.participant_information)
    except DecodeError as error:
        _ANSWERED.fail(f"what the primary sent cannot be read: {error}")
        raise
    good = participant.holds(
        crypto,
        subject=subject_name(own.client_id),
        leaf_spki=spki_of(own.public),
        subject_alt_name=subject_alt_name(number),
    )
    if (
        not good
        or participant.participant_spki != participant_spki
        or not participant.not_before <= now <= participant.not_after
        or not proves_number(number, crypto.p256_from_spki(participant_spki), answered.csr_pop, crypto)
    ):
        _ANSWERED.fail("what the primary signed is not for this device")
    return Link(participant_spki, answered.participant_information, answered.csr_pop, participant.not_after)


def _read_request(reader: Reader) -> LinkRequest:
    name, public, pop = reader.opaque(64), reader.opaque(_POINT_BYTES), reader.vector()
    try:
        return LinkRequest(name.decode(), public, pop)
    except UnicodeDecodeError as error:
        raise DecodeError("a client id that is no text", code="rcc16.link") from error


def _bounded(data: bytes) -> bytes:
    if len(data) > _MAX_BYTES:
        raise LimitExceeded("too long for what linked devices exchange", code="rcc16.link.limit")
    return data
