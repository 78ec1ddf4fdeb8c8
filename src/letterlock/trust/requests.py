"""Signatures of directory requests by a device's identity key.

The text covers method, path, body, who asks, when, and a nonce; the directory checks that the key is
listed for that device, that the time is near and that the nonce is new (SR-17). One header carries
it all. Normative text: docs/spec/directory.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from .. import ids
from ..codec import tls
from ..crypto.provider import CryptoProvider
from ..errors import DecodeError, InputError
from ..ids import AccountId, DeviceId, Instant, Number, Rng
from ..seam import Party
from . import labels

__all__ = [
    "HEADER",
    "RequestSignature",
    "RequestSigner",
    "decode_signature",
    "encode_signature",
    "participant_key_hash",
    "signed_text",
    "verify_request",
]

HEADER = "Letterlock-Signature"

_VERSION = 1
_NONCE_BYTES = 16
_MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """Who claims to ask, when, and the proof. Believe it after `verify_request` only."""

    number: Number
    account: AccountId
    device: DeviceId
    timestamp: Instant
    nonce: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """One device's hand under its requests."""

    crypto: CryptoProvider = field(repr=False)
    me: Party
    identity_private: bytes = field(repr=False)

    def sign(self, method: str, path: str, body: bytes, now: Instant, rng: Rng) -> str:
        """The value of the `Letterlock-Signature` header. Each call makes a new nonce."""
        nonce = rng(_NONCE_BYTES)
        unsigned = RequestSignature(self.me.number, self.me.account, self.me.device, now, nonce, b"")
        signature = self.crypto.xeddsa_sign(self.identity_private, signed_text(method, path, body, unsigned), rng)
        return encode_signature(
            RequestSignature(self.me.number, self.me.account, self.me.device, now, nonce, signature)
        )


def verify_request(
    crypto: CryptoProvider, identity_key: bytes, signed: RequestSignature, method: str, path: str, body: bytes
) -> None:
    """Raises BadSignature or BadPublicKey unless the identity key (0x05 and 32 bytes) signed this request.

    Time and nonce are the caller's to check.
    """
    crypto.xeddsa_verify(identity_key[1:], signed_text(method, path, body, signed), signed.signature)


def participant_key_hash(participant_spki: bytes) -> bytes:
    """The 32 bytes that a one-time code is bound to (SR-21)."""
    return hashlib.sha256(labels.PARTICIPANT_KEY_HASH + participant_spki).digest()


def encode_signature(signed: RequestSignature) -> str:
    """The header value."""
    data = tls.u8(_VERSION) + _who(signed) + signed.signature
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_signature(text: str) -> RequestSignature:
    """Read a header value. Raises DecodeError."""
    if len(text) > _MAX_TEXT:
        raise DecodeError("signature header too long", code="request.signature")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        reader = tls.Reader(data)
        if reader.u8() != _VERSION:
            raise DecodeError("signature header of another version", code="request.version")
        number = ids.number(reader.opaque(16).decode("ascii"))
        account, device = AccountId(reader.take(16)), ids.device_id(reader.u8())
        signed = RequestSignature(number, account, device, reader.u64(), reader.take(_NONCE_BYTES), reader.take(64))
        reader.end()
    except (binascii.Error, ValueError, InputError) as error:
        raise DecodeError("signature header is malformed", code="request.signature") from error
    return signed


def signed_text(method: str, path: str, body: bytes, signed: RequestSignature) -> bytes:
    """The bytes that the identity key signs."""
    return b"".join(
        (
            labels.DIRECTORY_REQUEST,
            tls.opaque(method.encode()),
            tls.opaque(path.encode()),
            hashlib.sha256(body).digest(),
            _who(signed),
        )
    )


def _who(signed: RequestSignature) -> bytes:
    return b"".join(
        (
            tls.opaque(signed.number.encode()),
            signed.account,
            tls.u8(signed.device),
            tls.u64(signed.timestamp),
            signed.nonce,
        )
    )
