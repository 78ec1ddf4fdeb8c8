"""One device in a device list: its keys, what it can do, and its own word that it agrees to be listed.

The agreement is a counter-signature by each of the device's keys over (number, participant key,
device id, keys): nobody can list a key that belongs to another (SR-04).
Normative text: docs/spec/device-list.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from ..codec import tls
from ..crypto.provider import CryptoProvider
from ..errors import CryptoError, DecodeError, DeviceListError, InputError, LimitExceeded
from ..ids import DeviceId, Instant, Number
from . import ecdsa, labels

__all__ = [
    "DeviceEntry",
    "Sign",
    "check_entry",
    "check_entry_form",
    "create_entry",
    "decode_entry",
    "encode_entry",
    "identity_agreement",
    "mls_agreement",
]

Sign = Callable[[bytes], bytes]
"""Signs a message with a key that stays where it is: a provider call or a hardware token."""

IDENTITY_KEY_BYTES = 33
MLS_KEY_BYTES = 65
MAX_NAME_BYTES = 64
MAX_CAPABILITIES = 16
MAX_REGISTRATION_ID = 0x3FFF

_CAPABILITY = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}", re.ASCII)
_SIGNATURE_BYTES = 64
_UNPRINTABLE = ("Cc", "Cf", "Co", "Cs")


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One entry as it stands in a list. Trust it only inside a VerifiedDeviceList."""

    device: DeviceId
    registration_id: int
    identity_key: bytes
    """0x05 and 32 bytes."""
    mls_signature_key: bytes
    """65 bytes SEC1, or empty."""
    capabilities: tuple[str, ...]
    """Sorted, each once: `signal`, later `rcc16`."""
    added_at: Instant
    name: str
    """What the owner calls the device; for people, never for decisions."""
    identity_signature: bytes
    mls_signature: bytes


def create_entry(
    *,
    number: Number,
    participant_spki: bytes,
    device: DeviceId,
    registration_id: int,
    identity_key: bytes,
    sign_identity: Sign,
    capabilities: tuple[str, ...],
    name: str = "",
    mls_signature_key: bytes = b"",
    sign_mls: Sign | None = None,
) -> DeviceEntry:
    """A device's entry with its counter-signatures, made on that device.

    `sign_identity` gives an XEdDSA signature by the identity key, `sign_mls` a DER ECDSA signature by
    the MLS key. The primary fills in `added_at` when it lists the entry. Raises InputError when a field
    breaks the rules of the format.
    """
    if bool(mls_signature_key) != (sign_mls is not None):
        raise InputError("an MLS key and its signer come together", code="input.device_entry")
    about = (number, participant_spki, device, identity_key, mls_signature_key)
    entry = DeviceEntry(
        device=device,
        registration_id=registration_id,
        identity_key=identity_key,
        mls_signature_key=mls_signature_key,
        capabilities=tuple(sorted(set(capabilities))),
        added_at=0,
        name=name,
        identity_signature=sign_identity(identity_agreement(*about)),
        mls_signature=ecdsa.low_s(sign_mls(mls_agreement(*about))) if sign_mls else b"",
    )
    try:
        check_entry_form(entry)
    except DeviceListError as error:
        raise InputError(str(error), code="input.device_entry") from error
    return entry


def identity_agreement(number: Number, spki: bytes, device: DeviceId, identity_key: bytes, mls_key: bytes) -> bytes:
    """The text that a device's identity key signs to agree to its entry."""
    return labels.IDENTITY_COUNTER_SIGNATURE + _agreement(number, spki, device, identity_key, mls_key)


def mls_agreement(number: Number, spki: bytes, device: DeviceId, identity_key: bytes, mls_key: bytes) -> bytes:
    """The text that a device's MLS signature key signs to agree to its entry."""
    return labels.MLS_COUNTER_SIGNATURE + _agreement(number, spki, device, identity_key, mls_key)


def _agreement(number: Number, spki: bytes, device: DeviceId, identity_key: bytes, mls_key: bytes) -> bytes:
    return tls.opaque(number.encode()) + tls.opaque(spki) + tls.u8(device) + identity_key + tls.opaque(mls_key)


# --- checks ------------------------------------------------------------------------------------
def check_entry_form(entry: DeviceEntry) -> None:
    """The rules that need no key. Raises DeviceListError."""
    if not 1 <= entry.device <= 127:
        raise DeviceListError(f"device id {entry.device}", code="device_list.device_id")
    # libsignal keeps registration ids in 14 bits; zero would mean "none".
    if not 1 <= entry.registration_id <= MAX_REGISTRATION_ID:
        raise DeviceListError("registration id is not 1 to 16383", code="device_list.registration_id")
    if len(entry.identity_key) != IDENTITY_KEY_BYTES or entry.identity_key[0] != 0x05:
        raise DeviceListError("identity key is not of type 5", code="device_list.identity_key")
    if entry.mls_signature_key and (len(entry.mls_signature_key) != MLS_KEY_BYTES or entry.mls_signature_key[0] != 4):
        raise DeviceListError("MLS key is not a P-256 point", code="device_list.mls_key")
    # Presence of key and agreement go together: a key without its word is another's key (SR-04).
    if bool(entry.mls_signature_key) != bool(entry.mls_signature):
        raise DeviceListError("MLS key without its counter-signature", code="device_list.counter_signature")
    if len(entry.identity_signature) != _SIGNATURE_BYTES:
        raise DeviceListError("counter-signature of a wrong length", code="device_list.counter_signature")
    if list(entry.capabilities) != sorted(set(entry.capabilities)) or len(entry.capabilities) > MAX_CAPABILITIES:
        raise DeviceListError("capabilities not in order or too many", code="device_list.capabilities")
    if not all(_CAPABILITY.fullmatch(capability) for capability in entry.capabilities):
        raise DeviceListError("not a capability name", code="device_list.capabilities")
    # Controls and bidirectional overrides could make one device's name look like another's.
    # What no Unicode version has assigned yet passes: else a newer emoji would make the list invalid on an older Python.
    if any(unicodedata.category(c) in _UNPRINTABLE for c in entry.name) or len(entry.name.encode()) > MAX_NAME_BYTES:
        raise DeviceListError("device name too long or not printable", code="device_list.name")


def check_entry(entry: DeviceEntry, number: Number, spki: bytes, crypto: CryptoProvider) -> None:
    """Form, keys and counter-signatures (SR-04, SR-12). Raises DeviceListError."""
    check_entry_form(entry)
    about = (number, spki, entry.device, entry.identity_key, entry.mls_signature_key)
    try:
        crypto.x25519_check(entry.identity_key[1:])
    except CryptoError as error:
        raise DeviceListError("identity key is not a valid point", code="device_list.identity_key") from error
    try:
        crypto.xeddsa_verify(entry.identity_key[1:], identity_agreement(*about), entry.identity_signature)
        if entry.mls_signature_key:
            crypto.p256_verify(entry.mls_signature_key, mls_agreement(*about), entry.mls_signature)
    except CryptoError as error:
        raise DeviceListError(
            f"device {entry.device} did not agree to be listed",
            code="device_list.counter_signature",
            hint="somebody may have listed a key that is not theirs",
        ) from error


# --- codec -------------------------------------------------------------------------------------
def encode_entry(entry: DeviceEntry) -> bytes:
    """The bytes of an entry."""
    return b"".join(
        (
            tls.u8(entry.device),
            tls.u32(entry.registration_id),
            entry.identity_key,
            tls.opaque(entry.mls_signature_key),
            tls.opaque(b"".join(tls.opaque(capability.encode()) for capability in entry.capabilities)),
            tls.u64(entry.added_at),
            tls.opaque(entry.name.encode()),
            entry.identity_signature,
            tls.opaque(entry.mls_signature),
        )
    )


def decode_entry(reader: tls.Reader) -> DeviceEntry:
    """Read one entry. Raises DecodeError; says nothing about trust."""
    return DeviceEntry(
        device=DeviceId(reader.u8()),
        registration_id=reader.u32(),
        identity_key=reader.take(IDENTITY_KEY_BYTES),
        mls_signature_key=reader.opaque(MLS_KEY_BYTES),
        capabilities=_decode_capabilities(reader.opaque(MAX_CAPABILITIES * 33)),
        added_at=reader.u64(),
        name=_text(reader.opaque(MAX_NAME_BYTES), "utf-8"),
        identity_signature=reader.take(_SIGNATURE_BYTES),
        mls_signature=reader.opaque(ecdsa.MAX_SIGNATURE),
    )


def _decode_capabilities(data: bytes) -> tuple[str, ...]:
    reader = tls.Reader(data)
    found: list[str] = []
    while reader.more():
        if len(found) == MAX_CAPABILITIES:
            raise LimitExceeded(f"more than {MAX_CAPABILITIES} capabilities", code="device_list.limit")
        found.append(_text(reader.opaque(32), "ascii"))
    return tuple(found)


def _text(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DecodeError("text in a wrong encoding", code="device_list.text") from error
