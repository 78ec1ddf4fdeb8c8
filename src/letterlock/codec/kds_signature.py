"""Signatures of requests to a key distribution server, and of what one such server answers another (SR-17).

The text covers method, path, body, who asks whom, when, and a nonce; one header carries it all. Three kinds, each with
its own label (SR-23): a device signs with its leaf key, an account with its participant key, a server with its
federation key. The leaf key signs MLS too: the structures there start with the length of a label, whose first two
bits are never 11, and so with no octet that a label of ours starts with. Normative text: docs/spec/kds-federation.md.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
from dataclasses import dataclass, field, replace

from ..errors import DecodeError
from ..ids import Instant
from . import tls

__all__ = [
    "ANSWER_HEADER",
    "HEADER",
    "MAX_HEADER",
    "NONCE_BYTES",
    "RequestSignature",
    "SignerKind",
    "answer_text",
    "decode_answer",
    "decode_signature",
    "encode_answer",
    "encode_signature",
    "key_id",
    "signed_text",
]

HEADER = "Letterlock-Kds-Signature"
ANSWER_HEADER = "Letterlock-Kds-Answer"
MAX_HEADER = 512
NONCE_BYTES = 16

_VERSION = 1
_KEY_ID_BYTES = 16
_POINT_BYTES = 65
_MAX_SIGNATURE = 72
_ANSWER_LABEL = b"\xff\x80letterlock/kds-federation-answer/v1\x00"


class SignerKind(enum.IntEnum):
    """Whose key it is."""

    DEVICE = 1
    """`signer` is the number, the key that of its leaf certificate."""
    PARTICIPANT = 2
    """`signer` is the number, the key that of the account."""
    SERVER = 3
    """`signer` is the number of a server (`mls-kds`) in decimal, the key its federation key."""


_LABELS = {
    SignerKind.DEVICE: b"\xff\x80letterlock/kds-request/v1\x00",
    SignerKind.PARTICIPANT: b"\xff\x80letterlock/kds-participant-request/v1\x00",
    SignerKind.SERVER: b"\xff\x80letterlock/kds-federation-request/v1\x00",
}


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """Who claims to ask, and when. Believe it after the signature was verified over `signed_text` only.

    `key` is the public key, the 65-byte point: whether it is the signer's, tables say. `to` is the server that is
    asked, in requests of servers, else 0.
    """

    kind: SignerKind
    signer: str
    key: bytes
    to: int
    timestamp: Instant
    nonce: bytes
    signature: bytes = field(default=b"", repr=False)


def key_id(public_key: bytes) -> bytes:
    """What names the device of a leaf key, the 65-byte point: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(public_key).digest()[:_KEY_ID_BYTES]


def signed_text(method: str, path: str, body: bytes, unsigned: RequestSignature) -> bytes:
    """The bytes that the key signs: ECDSA with SHA-256."""
    return b"".join(
        (
            _LABELS[unsigned.kind],
            tls.opaque(method.encode()),
            tls.opaque(path.encode()),
            hashlib.sha256(body).digest(),
            _who(unsigned),
        )
    )


def answer_text(request: RequestSignature, server: int, status: int, body: bytes) -> bytes:
    """The bytes that a server signs under its answer to another server's request; bound to that request."""
    asked = hashlib.sha256(_who(request) + tls.opaque(request.signature)).digest()
    return _ANSWER_LABEL + asked + tls.u32(server) + tls.u16(status) + hashlib.sha256(body).digest()


def encode_signature(signed: RequestSignature) -> str:
    """The header value: base64url without padding."""
    data = tls.u8(_VERSION) + _who(signed) + tls.opaque(signed.signature)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def encode_answer(signature: bytes) -> str:
    """The header value of an answer's signature."""
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")


def decode_answer(text: str) -> bytes:
    """Read it. Raises DecodeError."""
    try:
        signature = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError("the signature header is malformed", code="kds.signature") from error
    if not 8 <= len(signature) <= _MAX_SIGNATURE:
        raise DecodeError("the signature header is malformed", code="kds.signature")
    return signature


def decode_signature(text: str) -> RequestSignature:
    """Read a header value. Raises DecodeError."""
    if len(text) > MAX_HEADER:
        raise DecodeError("the signature header is too long", code="kds.signature")
    try:
        reader = tls.Reader(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if reader.u8() != _VERSION:
            raise DecodeError("a signature header of another version", code="kds.signature")
        unsigned = RequestSignature(
            SignerKind(reader.u8()),
            reader.opaque(16).decode("ascii"),
            reader.take(_POINT_BYTES),
            reader.u32(),
            reader.u64(),
            reader.take(NONCE_BYTES),
        )
        signature = reader.opaque(_MAX_SIGNATURE)
        reader.end()
    except (binascii.Error, ValueError) as error:
        raise DecodeError("the signature header is malformed", code="kds.signature") from error
    return replace(unsigned, signature=signature)


def _who(signed: RequestSignature) -> bytes:
    return b"".join(
        (
            tls.u8(signed.kind),
            tls.opaque(signed.signer.encode()),
            signed.key,
            tls.u32(signed.to),
            tls.u64(signed.timestamp),
            signed.nonce,
        )
    )
