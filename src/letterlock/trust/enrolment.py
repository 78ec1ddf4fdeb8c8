"""Adding a second device: two strings that people carry between their own devices.

The primary shows an *offer* (which account, which device id is free); the new device answers with a
*request* (its keys, counter-signed for exactly that account and id). Neither holds a secret. The
checksum catches slips of copying, not attackers: the owner has to bring the request from the right
device himself, and `confirmation_digits` is what both screens show for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from .. import ids
from ..codec import tls
from ..crypto.provider import CryptoProvider
from ..errors import CryptoError, DecodeError, DeviceListError, InputError
from ..ids import DeviceId, Number
from . import labels
from .authoring import next_device
from .device_entry import DeviceEntry, check_entry, decode_entry, encode_entry
from .device_list import VerifiedDeviceList

__all__ = [
    "DeviceOffer",
    "confirmation_digits",
    "decode_offer",
    "decode_request",
    "encode_offer",
    "encode_request",
    "offer_for",
]

_OFFER = "ll-offer-"
_REQUEST = "ll-request-"
_VERSION = 1
_CHECKSUM = 6
_MAX_TEXT = 2048


@dataclass(frozen=True, slots=True)
class DeviceOffer:
    """What a new device needs to know before it can counter-sign its entry."""

    number: Number
    participant_spki: bytes
    device: DeviceId


def offer_for(current: VerifiedDeviceList) -> DeviceOffer:
    """The offer of the next free device id. Raises InputError when the list is full."""
    return DeviceOffer(current.number, current.participant_spki, next_device(current))


def encode_offer(offer: DeviceOffer) -> str:
    """The string that the primary shows."""
    return _to_text(
        _OFFER, tls.opaque(offer.number.encode()) + tls.opaque(offer.participant_spki) + tls.u8(offer.device)
    )


def decode_offer(text: str, crypto: CryptoProvider) -> DeviceOffer:
    """Read an offer on the new device. Raises DecodeError with what to do about it."""
    reader = tls.Reader(_from_text(_OFFER, text))
    raw_number, spki, device = reader.opaque(16), reader.opaque(128), reader.u8()
    reader.end()
    try:
        number = ids.number(raw_number.decode("ascii"))
        crypto.p256_from_spki(spki)
        # Device 1 is the primary: nobody is offered its place.
        if device == 1:
            raise InputError("not a device id to offer")
        return DeviceOffer(number, spki, ids.device_id(device))
    except (UnicodeDecodeError, InputError, CryptoError) as error:
        raise DecodeError("not an offer that makes sense", code="enrolment.malformed") from error


def encode_request(entry: DeviceEntry) -> str:
    """The string that the new device shows; the entry comes from `create_entry`."""
    return _to_text(_REQUEST, encode_entry(entry))


def decode_request(text: str, current: VerifiedDeviceList, crypto: CryptoProvider) -> DeviceEntry:
    """Read a request on the primary; the entry is ready for `add_device`.

    Raises DecodeError if it was copied wrongly, DeviceListError if the keys did not agree to be listed
    for this account and device id.
    """
    reader = tls.Reader(_from_text(_REQUEST, text))
    entry = decode_entry(reader)
    reader.end()
    if current.device(entry.device) is not None:
        raise DeviceListError(
            f"device {entry.device} is listed already",
            code="device_list.order",
            hint="make a new offer and answer that one",
        )
    check_entry(entry, current.number, current.participant_spki, crypto)
    return entry


def confirmation_digits(entry: DeviceEntry) -> str:
    """Thirty digits, equal on both screens when no other device's request slipped in between."""
    digest = hashlib.sha512(labels.ENROLMENT_DIGITS + encode_entry(entry)).digest()
    return " ".join(f"{int.from_bytes(digest[i : i + 5], 'big') % 100_000:05d}" for i in range(0, 30, 5))


# --- text form: prefix, base64url(version, payload, checksum) ---------------------------------------
def _to_text(prefix: str, payload: bytes) -> str:
    body = tls.u8(_VERSION) + payload
    return prefix + base64.urlsafe_b64encode(body + _checksum(prefix, body)).decode().rstrip("=")


def _from_text(prefix: str, text: str) -> bytes:
    # Mail programs and terminals break long lines.
    text = "".join(text[: 2 * _MAX_TEXT].split())
    if not text.startswith(prefix) or len(text) > _MAX_TEXT:
        raise DecodeError(
            f"a string that starts with {prefix} was expected",
            code="enrolment.kind",
            hint="an offer comes from the primary device, a request from the new one",
        )
    encoded = text[len(prefix) :]
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _copied_wrongly() from error
    body, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if not body or checksum != _checksum(prefix, body):
        raise _copied_wrongly()
    if body[0] != _VERSION:
        raise DecodeError("a string of another version", code="enrolment.version", hint="update both devices")
    return body[1:]


def _checksum(prefix: str, body: bytes) -> bytes:
    return hashlib.sha256(labels.ENROLMENT_CHECKSUM + prefix.encode() + body).digest()[:_CHECKSUM]


def _copied_wrongly() -> DecodeError:
    return DecodeError(
        "the string was not copied whole", code="enrolment.checksum", hint="copy it again, to the last letter"
    )
