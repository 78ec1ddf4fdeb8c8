"""What a second device and the primary carry to each other so that both can be encrypted to by RCC.16 (SR-21).

The second device has no participant key: the primary vouches for its leaf key. It asks with a *link request*, signed by
the identity key under which it is listed; the primary gives back a *link answer*, signed by the participant key, with its
word (rcc16.enrolment.linking), with what the operator said about the key distribution server, and with where the
conferences of groups are, which call devices that they know. Neither is secret. Who
carries them decides whom the primary vouches for, as with the request to be listed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ..codec import tls
from ..crypto.provider import CryptoProvider
from ..errors import CryptoError, DecodeError, InputError
from ..ids import DeviceId, GroupId, Number, Rng, device_id
from ..rcc16.enrolment.linking import (
    LinkAnswer,
    LinkRequest,
    decode_link_answer,
    decode_link_request,
)
from ..trust import labels
from .accounts import KdsAccount
from .identity import Identity

__all__ = [
    "Linking",
    "LinkingDevice",
    "decode_answer",
    "decode_asking",
    "encode_answer",
    "encode_asking",
    "joined",
    "parts",
]

_ASKING, _ANSWER = "ll-link-", "ll-linked-"
_VERSION = 1
_CHECKSUM = 6
_MAX_TEXT = 65_536
_MAX_CONFERENCES = 256
"""As many as a device keeps."""
_SEPARATOR = "."


@dataclass(frozen=True, slots=True)
class LinkingDevice:
    """A device that asks, and its request. `text` and `signature` are to be held against its identity key."""

    device: DeviceId
    request: LinkRequest
    text: bytes
    signature: bytes

    def check(self, identity_key: bytes, number: Number, crypto: CryptoProvider) -> None:
        """Raises InputError unless the device that is listed with this key, type byte first, has asked."""
        try:
            crypto.xeddsa_verify(identity_key[1:], _asked(number, self.text), self.signature)
        except CryptoError as error:
            raise InputError("this is not of the device that is listed", code="device.link") from error


def joined(request: str, asking: str) -> str:
    """Both requests of a new device as one string."""
    return request + _SEPARATOR + asking


def parts(request: str) -> tuple[str, str]:
    """The request to be listed and the one to be vouched for; each may be empty."""
    text = "".join(request[: 2 * _MAX_TEXT].split())
    if text.startswith(_ASKING):
        return "", text
    listed, _, asking = text.partition(_SEPARATOR)
    return listed, asking


def encode_asking(identity: Identity, request: LinkRequest, crypto: CryptoProvider, rng: Rng) -> str:
    """What the second device shows."""
    text = tls.u8(identity.device) + tls.opaque(request.encode())
    signature = crypto.xeddsa_sign(identity.identity_private.reveal(), _asked(identity.number, text), rng)
    return _to_text(_ASKING, tls.opaque(text) + tls.opaque(signature))


def decode_asking(asking: str) -> LinkingDevice:
    """Raises DecodeError."""
    reader = tls.Reader(_from_text(_ASKING, asking))
    text, signature = reader.vector(), reader.opaque(64)
    reader.end()
    inner = tls.Reader(text)
    raw_device, request = inner.u8(), decode_link_request(inner.vector())
    inner.end()
    try:
        return LinkingDevice(device_id(raw_device), request, text, signature)
    except InputError as error:
        raise DecodeError("no device of an account", code="device.link") from error


@dataclass(frozen=True, slots=True)
class Linking:
    """What the primary gives: its word, the key distribution server, and the conferences of groups by name."""

    answer: LinkAnswer
    account: KdsAccount
    conferences: Mapping[str, str]


def encode_answer(identity: Identity, linking: Linking, crypto: CryptoProvider) -> str:
    """What the primary shows. Raises InputError on a linked device."""
    answer, account = linking.answer, linking.account
    conferences = sorted(linking.conferences.items())[:_MAX_CONFERENCES]
    text = b"".join(
        (
            tls.opaque(answer.encode()),
            tls.opaque(account.url.encode()),
            tls.opaque(account.identity_proof),
            tls.opaque(account.anchors_uri.encode()),
            tls.u64(account.anchors_generation),
            tls.opaque(account.anchors_signer),
            tls.u32(account.vendor),
            tls.opaque(b"".join(tls.opaque(part.encode()) for pair in conferences for part in pair)),
        )
    )
    signature = crypto.p256_sign(identity.participant_key().reveal(), _answered(identity.number, text))
    return _to_text(_ANSWER, tls.opaque(text) + tls.opaque(signature))


def decode_answer(answer: str, identity: Identity, crypto: CryptoProvider) -> Linking:
    """What the primary of our account said. Raises DecodeError, and InputError for another one's word."""
    reader = tls.Reader(_from_text(_ANSWER, answer))
    text, signature = reader.vector(), reader.opaque(80)
    reader.end()
    try:
        public = crypto.p256_from_spki(identity.participant_spki)
        crypto.p256_verify(public, _answered(identity.number, text), signature)
    except CryptoError as error:
        raise InputError("this is not of the primary device of this account", code="device.link") from error
    inner = tls.Reader(text)
    linked = decode_link_answer(inner.vector())
    try:
        account = KdsAccount(
            inner.vector().decode(),
            inner.vector(),
            inner.vector().decode(),
            inner.u64(),
            inner.vector(),
            None,
            inner.u32(),
        )
        listed, conferences = inner.sub(), {}
        while listed.more():
            name = GroupId(bytes.fromhex(listed.opaque(32).decode()))
            conferences[name.hex()] = listed.vector().decode()
    except ValueError as error:
        raise DecodeError("an address that is no text", code="device.link") from error
    inner.end()
    return Linking(linked, account, conferences)


def _asked(number: Number, text: bytes) -> bytes:
    return labels.LINK_REQUEST + tls.opaque(number.encode()) + text


def _answered(number: Number, text: bytes) -> bytes:
    return labels.LINK_ANSWER + tls.opaque(number.encode()) + text


# --- text form: prefix, base64url(version, payload, checksum), as that of offers and requests ------------------------
def _to_text(prefix: str, payload: bytes) -> str:
    body = tls.u8(_VERSION) + payload
    return prefix + base64.urlsafe_b64encode(body + _checksum(prefix, body)).decode().rstrip("=")


def _from_text(prefix: str, text: str) -> bytes:
    text = "".join(text[: 2 * _MAX_TEXT].split())
    if not text.startswith(prefix) or len(text) > _MAX_TEXT:
        raise DecodeError(f"a string that starts with {prefix} was expected", code="enrolment.kind")
    encoded = text[len(prefix) :]
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    body, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if len(body) < 2 or checksum != _checksum(prefix, body):
        raise DecodeError(
            "the string was not copied whole", code="enrolment.checksum", hint="copy it again, to the last letter"
        )
    if body[0] != _VERSION:
        raise DecodeError("a string of another version", code="enrolment.version", hint="update both devices")
    return body[1:]


def _checksum(prefix: str, body: bytes) -> bytes:
    return hashlib.sha256(labels.ENROLMENT_CHECKSUM + prefix.encode() + body).digest()[:_CHECKSUM]
