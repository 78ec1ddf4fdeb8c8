"""Identity keys, and bundles that have been verified.

`VerifiedBundle` can only be made by `verify_bundle`; `pqxdh` takes nothing else (SR-12).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import NamedTuple

from ..codec.prekeys import EC_PUBLIC_SIZE, KEM_PUBLIC_SIZE, PreKeyBundle
from ..crypto.provider import CryptoProvider
from ..errors import BadPublicKey, BadSignature, IdentityChanged, InputError, MalformedMessage
from ..ids import DeviceId, Rng

__all__ = ["IdentityKeyPair", "VerifiedBundle", "identity_of", "verify_bundle"]

_EC_TYPE = b"\x05"
_KEM_TYPE = b"\x08"


@dataclass(frozen=True, slots=True)
class IdentityKeyPair:
    """The long-term Curve25519 key pair of this device. `public` carries its type byte, `private` is raw."""

    public: bytes
    private: bytes = field(repr=False)

    @classmethod
    def generate(cls, crypto: CryptoProvider, rng: Rng) -> IdentityKeyPair:
        """A fresh pair."""
        private, public = crypto.x25519_generate(rng)
        return cls(_EC_TYPE + public, private)

    @classmethod
    def of(cls, crypto: CryptoProvider, private: bytes) -> IdentityKeyPair:
        """The pair of a stored private key. Raises InputError unless it is 32 bytes."""
        if len(private) != 32:
            raise InputError("an identity private key is 32 bytes", code="input.identity_key")
        return cls(_EC_TYPE + crypto.x25519_public(private), private)

    def sign(self, crypto: CryptoProvider, message: bytes, rng: Rng) -> bytes:
        """An XEdDSA signature, 64 bytes."""
        return crypto.xeddsa_sign(self.private, message, rng)


class VerifiedBundle(NamedTuple):
    """A pre-key bundle whose identity key was the expected one and whose signatures held. Keys are raw.

    Only `verify_bundle` makes one.
    """

    registration_id: int
    device: DeviceId
    identity_key: bytes
    signed_id: int
    signed_key: bytes
    kem_id: int
    kem_key: bytes
    one_time_id: int | None
    one_time_key: bytes | None


def identity_of(public: bytes) -> bytes:
    """The raw 32 bytes of an identity key in its 33-byte form. Raises BadPublicKey on a wrong type or length (SR-12)."""
    if len(public) != EC_PUBLIC_SIZE or public[:1] != _EC_TYPE:
        raise BadPublicKey("not a Curve25519 key with its type byte", code="crypto.public_key.type")
    return public[1:]


def verify_bundle(
    crypto: CryptoProvider, bundle: PreKeyBundle, *, identity_key: bytes, device: DeviceId
) -> VerifiedBundle:
    """Check everything about a bundle before any of it is used (SR-12).

    `identity_key` is the 33-byte key that the device's verified list names; the point itself was checked with the list
    (`trust.device_entry.check_entry`), the other points are checked here. Raises IdentityChanged when the
    bundle has another, MalformedMessage for another device, BadPublicKey or BadSignature.
    """
    identity = identity_of(identity_key)
    if not hmac.compare_digest(bundle.identity_key, identity_key):
        raise IdentityChanged(
            "the bundle's identity key is not the listed one", old=identity_key, new=bundle.identity_key
        )
    if bundle.device != device:
        raise MalformedMessage(f"bundle of device {bundle.device}, not {device}", code="signal.bundle.device")
    signed_key = identity_of(bundle.signed.public)
    if len(bundle.kem.public) != KEM_PUBLIC_SIZE or bundle.kem.public[:1] != _KEM_TYPE:
        raise BadPublicKey("not a Kyber1024 key with its type byte", code="crypto.public_key.type")
    if len(bundle.signed.signature) != 64 or len(bundle.kem.signature) != 64:
        raise BadSignature("an XEdDSA signature is 64 bytes")
    crypto.xeddsa_verify(identity, bundle.signed.public, bundle.signed.signature)
    crypto.xeddsa_verify(identity, bundle.kem.public, bundle.kem.signature)
    # Clamped scalars lose a torsion component, so what this refuses is a key that no honest owner made.
    crypto.x25519_check(signed_key)
    one_time_id = one_time_key = None
    if bundle.one_time is not None:
        # Unsigned by design: the directory could put in its own, and would gain nothing but a lost message.
        one_time_id = bundle.one_time.id
        one_time_key = identity_of(bundle.one_time.public)
        crypto.x25519_check(one_time_key)
    return VerifiedBundle(
        bundle.registration_id,
        device,
        identity,
        bundle.signed.id,
        signed_key,
        bundle.kem.id,
        bundle.kem.public[1:],
        one_time_id,
        one_time_key,
    )
