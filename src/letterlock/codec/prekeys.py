"""Pre-keys on their way to and from the directory, in the TLS presentation language (docs/spec/frame.md).

A device uploads a `PreKeyUpload`; the directory hands out a `PreKeyBundle`, each one-time key once
(SR-13). Public keys carry the type byte that libsignal puts before them, and every XEdDSA signature
by the device's identity key is over the public key exactly as it stands here. Decoding checks form
and bounds only: a bundle is used after `signal.keys.verify_bundle`, never before (SR-12).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DecodeError, LimitExceeded
from ..ids import DeviceId
from . import tls

__all__ = [
    "EC_PUBLIC_SIZE",
    "KEM_PUBLIC_SIZE",
    "MAX_PREKEY_ID",
    "KemPreKey",
    "OneTimePreKey",
    "PreKeyBundle",
    "PreKeyUpload",
    "SignedPreKey",
    "decode_bundle",
    "decode_upload",
    "encode_bundle",
    "encode_upload",
]

EC_PUBLIC_SIZE = 33
"""0x05 and the 32 bytes of a Curve25519 public key."""

KEM_PUBLIC_SIZE = 1569
"""0x08 and the 1568 bytes of a Kyber1024 public key."""

SIGNATURE_SIZE = 64

MAX_PREKEY_ID = 0xFFFFFF
"""Ids run from 1 to this and wrap: other implementations keep them in 24 bits."""

_VERSION = 1
_EC_TYPE = 0x05
_KEM_TYPE = 0x08
_MAX_REGISTRATION_ID = 0x3FFF


@dataclass(frozen=True, slots=True)
class SignedPreKey:
    """A Curve25519 key that serves many sessions until it is rotated."""

    id: int
    public: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class KemPreKey:
    """A signed Kyber1024 key: one-time, or the last resort that serves when those have run out."""

    id: int
    public: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class OneTimePreKey:
    """A Curve25519 key that serves one session."""

    id: int
    public: bytes


@dataclass(frozen=True, slots=True)
class PreKeyUpload:
    """What a device publishes.

    `signed` and `last_resort` replace the ones before; the one-time keys are added to those still there, unless
    `replaces` says that the device has forgotten those: then only the ones of this upload stay.
    Uploading the same bytes twice must change nothing the second time, also when a key was handed out in between.
    """

    registration_id: int
    signed: SignedPreKey
    last_resort: KemPreKey
    one_time: tuple[OneTimePreKey, ...]
    one_time_kem: tuple[KemPreKey, ...]
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class PreKeyBundle:
    """What the directory hands out for one device. Not verified: every field is the directory's claim.

    `kem_is_last_resort` says that the one-time KEM keys had run out; `one_time` is None when the EC ones had.
    """

    registration_id: int
    device: DeviceId
    identity_key: bytes
    signed: SignedPreKey
    kem: KemPreKey
    kem_is_last_resort: bool
    one_time: OneTimePreKey | None


def encode_upload(upload: PreKeyUpload) -> bytes:
    """The bytes of an upload."""
    return b"".join(
        (
            tls.u8(_VERSION),
            tls.u32(upload.registration_id),
            _encode_signed(upload.signed),
            _encode_signed(upload.last_resort),
            tls.opaque(b"".join(tls.u32(key.id) + key.public for key in upload.one_time)),
            tls.opaque(b"".join(_encode_signed(key) for key in upload.one_time_kem)),
            tls.u8(upload.replaces),
        )
    )


def decode_upload(data: bytes, *, max_one_time: int) -> PreKeyUpload:
    """Read an upload with at most `max_one_time` one-time keys of each sort. Raises DecodeError or LimitExceeded."""
    ec_size = 4 + EC_PUBLIC_SIZE
    kem_size = 4 + KEM_PUBLIC_SIZE + SIGNATURE_SIZE
    if len(data) > 4096 + max_one_time * (ec_size + kem_size):
        raise LimitExceeded(f"upload of {len(data)} bytes", code="prekeys.limit")
    reader = tls.Reader(data)
    _version(reader)
    registration_id = _registration_id(reader)
    signed = _decode_signed(reader)
    last_resort = _decode_kem(reader)
    one_time_bytes = tls.Reader(reader.opaque(max_one_time * ec_size))
    one_time_kem_bytes = tls.Reader(reader.opaque(max_one_time * kem_size))
    replaces = _flag(reader)
    reader.end()
    one_time: list[OneTimePreKey] = []
    while one_time_bytes.more():
        one_time.append(_decode_one_time(one_time_bytes))
    one_time_kem: list[KemPreKey] = []
    while one_time_kem_bytes.more():
        one_time_kem.append(_decode_kem(one_time_kem_bytes))
    _distinct([key.id for key in one_time])
    _distinct([last_resort.id, *(key.id for key in one_time_kem)])
    return PreKeyUpload(registration_id, signed, last_resort, tuple(one_time), tuple(one_time_kem), replaces)


def encode_bundle(bundle: PreKeyBundle) -> bytes:
    """The bytes of a bundle."""
    one_time = b"" if bundle.one_time is None else tls.u32(bundle.one_time.id) + bundle.one_time.public
    return b"".join(
        (
            tls.u8(_VERSION),
            tls.u32(bundle.registration_id),
            tls.u8(bundle.device),
            bundle.identity_key,
            _encode_signed(bundle.signed),
            _encode_signed(bundle.kem),
            tls.u8(bundle.kem_is_last_resort),
            tls.opaque(one_time),
        )
    )


def decode_bundle(data: bytes) -> PreKeyBundle:
    """Read a bundle. Raises DecodeError."""
    if len(data) > 4096:
        raise LimitExceeded(f"bundle of {len(data)} bytes", code="prekeys.limit")
    reader = tls.Reader(data)
    _version(reader)
    registration_id = _registration_id(reader)
    device = reader.u8()
    if not 1 <= device <= 127:
        raise DecodeError(f"device id {device}", code="prekeys.device")
    identity_key = _public(reader, _EC_TYPE, EC_PUBLIC_SIZE)
    signed = _decode_signed(reader)
    kem = _decode_kem(reader)
    last_resort = _flag(reader)
    one_time_bytes = tls.Reader(reader.opaque(4 + EC_PUBLIC_SIZE))
    reader.end()
    one_time = None
    if one_time_bytes.more():
        one_time = _decode_one_time(one_time_bytes)
        one_time_bytes.end()
    return PreKeyBundle(registration_id, DeviceId(device), identity_key, signed, kem, last_resort, one_time)


def _encode_signed(key: SignedPreKey | KemPreKey) -> bytes:
    return tls.u32(key.id) + key.public + key.signature


def _decode_signed(reader: tls.Reader) -> SignedPreKey:
    return SignedPreKey(_id(reader), _public(reader, _EC_TYPE, EC_PUBLIC_SIZE), reader.take(SIGNATURE_SIZE))


def _decode_kem(reader: tls.Reader) -> KemPreKey:
    return KemPreKey(_id(reader), _public(reader, _KEM_TYPE, KEM_PUBLIC_SIZE), reader.take(SIGNATURE_SIZE))


def _decode_one_time(reader: tls.Reader) -> OneTimePreKey:
    return OneTimePreKey(_id(reader), _public(reader, _EC_TYPE, EC_PUBLIC_SIZE))


def _version(reader: tls.Reader) -> None:
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(f"pre-key format {version}", code="prekeys.version")


def _registration_id(reader: tls.Reader) -> int:
    value = reader.u32()
    if not 1 <= value <= _MAX_REGISTRATION_ID:
        raise DecodeError(f"registration id {value}", code="prekeys.registration_id")
    return value


def _flag(reader: tls.Reader) -> bool:
    value = reader.u8()
    if value > 1:
        raise DecodeError("neither yes nor no", code="prekeys.flag")
    return value == 1


def _id(reader: tls.Reader) -> int:
    value = reader.u32()
    if not 1 <= value <= MAX_PREKEY_ID:
        raise DecodeError(f"pre-key id {value}", code="prekeys.id")
    return value


def _public(reader: tls.Reader, type_byte: int, size: int) -> bytes:
    public = reader.take(size)
    # SR-12: the type byte keeps an EC key from being taken for a KEM key and the other way round.
    if public[0] != type_byte:
        raise DecodeError(f"key of type {public[0]:#04x}, not {type_byte:#04x}", code="prekeys.key_type")
    return public


def _distinct(ids: list[int]) -> None:
    if len(set(ids)) != len(ids):
        raise DecodeError("the same pre-key id twice", code="prekeys.id")
