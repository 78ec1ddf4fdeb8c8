"""Owners of numbers and their devices, from a seed: the same keys on every run."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from letterlock import ids, trust
from letterlock.codec.prekeys import KemPreKey, OneTimePreKey, PreKeyUpload, SignedPreKey
from letterlock.crypto.pyca import Pyca
from letterlock.ids import AccountId, DeviceId, Instant, Number
from letterlock.seam import Party
from letterlock.trust import ecdsa, labels
from letterlock.trust.device_entry import DeviceEntry, identity_agreement, mls_agreement
from letterlock.trust.device_list import VerifiedDeviceList
from letterlock.trust.signed_list import DeviceList, encode_body, encode_list

__all__ = ["CRYPTO", "DAY", "NOW", "Device", "Owner", "stream"]

CRYPTO = Pyca()
NOW: Instant = 1_790_000_000_000
DAY = 86_400_000


def stream(seed: str) -> Callable[[int], bytes]:
    """A random source that gives the same bytes on every run."""
    state = hashlib.shake_256(seed.encode())
    place = 0

    def rng(n: int) -> bytes:
        nonlocal place
        place += n
        return state.digest(place)[-n:] if n else b""

    return rng


@dataclass
class Device:
    """A device's private side."""

    id: DeviceId
    registration_id: int
    identity_private: bytes
    identity_key: bytes
    mls_private: bytes
    mls_key: bytes
    rng: Callable[[int], bytes]

    @classmethod
    def make(cls, seed: str, device: int, *, mls: bool = False) -> Device:
        rng = stream(f"device {seed} {device}")
        private, public = CRYPTO.x25519_generate(rng)
        mls_private = CRYPTO.p256_generate(rng) if mls else b""
        mls_key = CRYPTO.p256_public(mls_private) if mls else b""
        return cls(DeviceId(device), 1000 + device, private, b"\x05" + public, mls_private, mls_key, rng)

    def sign_identity(self, message: bytes) -> bytes:
        return CRYPTO.xeddsa_sign(self.identity_private, message, self.rng)

    def sign_mls(self, message: bytes) -> bytes:
        return CRYPTO.p256_sign(self.mls_private, message)

    def entry(self, number: Number, spki: bytes, **changes: object) -> DeviceEntry:
        """The entry for an account, then changed as a forger would."""
        entry = trust.create_entry(
            number=number,
            participant_spki=spki,
            device=self.id,
            registration_id=self.registration_id,
            identity_key=self.identity_key,
            sign_identity=self.sign_identity,
            capabilities=("signal", "rcc16") if self.mls_key else ("signal",),
            name=f"device {self.id}",
            mls_signature_key=self.mls_key,
            sign_mls=self.sign_mls if self.mls_key else None,
        )
        return dataclasses.replace(entry, added_at=NOW, **changes)

    def agree_again(self, entry: DeviceEntry, number: Number, spki: bytes) -> DeviceEntry:
        """New counter-signatures over whatever the entry says now."""
        about = (number, spki, entry.device, entry.identity_key, entry.mls_signature_key)
        return dataclasses.replace(
            entry,
            identity_signature=self.sign_identity(identity_agreement(*about)),
            mls_signature=ecdsa.low_s(self.sign_mls(mls_agreement(*about))) if self.mls_key else b"",
        )

    def prekeys(self, first: int, count: int, *, kem: int | None = None) -> PreKeyUpload:
        """Pre-keys with ids from `first`; KEM publics are random bytes of the right form, for the directory looks no further."""
        ec_public = b"\x05" + CRYPTO.x25519_generate(self.rng)[1]

        def kem_key(key_id: int) -> KemPreKey:
            public = b"\x08" + self.rng(1568)
            return KemPreKey(key_id, public, self.sign_identity(public))

        return PreKeyUpload(
            self.registration_id,
            SignedPreKey(1, ec_public, self.sign_identity(ec_public)),
            kem_key(1_000_000),
            tuple(OneTimePreKey(first + n, b"\x05" + CRYPTO.x25519_generate(self.rng)[1]) for n in range(count)),
            tuple(kem_key(first + n) for n in range(count if kem is None else kem)),
        )


@dataclass
class Owner:
    """A number's owner: participant key, primary device, current list."""

    number: Number
    private: bytes
    spki: bytes
    primary: Device
    list: VerifiedDeviceList
    others: dict[int, Device] = field(default_factory=dict)

    @classmethod
    def make(cls, number: str, seed: str = "", *, now: Instant = NOW, mls: bool = False) -> Owner:
        checked = ids.number(number)
        private = CRYPTO.p256_generate(stream(f"owner {number} {seed}"))
        spki = CRYPTO.p256_spki(CRYPTO.p256_public(private))
        primary = Device.make(number + seed, 1, mls=mls)
        first = trust.create_list(
            number=checked,
            participant_spki=spki,
            primary=primary.entry(checked, spki),
            sign=lambda message: CRYPTO.p256_sign(private, message),
            crypto=CRYPTO,
            now=now,
        )
        return cls(checked, private, spki, primary, first)

    @property
    def account(self) -> AccountId:
        return self.list.account

    def sign(self, message: bytes) -> bytes:
        return CRYPTO.p256_sign(self.private, message)

    def add(self, device: int, *, now: Instant = NOW, mls: bool = False, seed: str = "") -> VerifiedDeviceList:
        """List another device; the new current list."""
        made = Device.make(self.number + seed, device, mls=mls)
        entry = made.entry(self.number, self.spki)
        self.list = trust.add_device(self.list, entry, sign=self.sign, crypto=CRYPTO, now=now)
        self.others[device] = made
        return self.list

    def remove(self, device: int, *, now: Instant = NOW) -> VerifiedDeviceList:
        self.list = trust.remove_device(self.list, DeviceId(device), sign=self.sign, crypto=CRYPTO, now=now)
        return self.list

    def renew(self, *, now: Instant = NOW) -> VerifiedDeviceList:
        self.list = trust.renew_list(self.list, sign=self.sign, crypto=CRYPTO, now=now)
        return self.list

    def device(self, device: int = 1) -> Device:
        return self.primary if device == 1 else self.others[device]

    def signer(self, device: int = 1) -> trust.RequestSigner:
        me = Party(self.number, self.account, DeviceId(device))
        return trust.RequestSigner(CRYPTO, me, self.device(device).identity_private)

    def signed(self, **changes: object) -> bytes:
        """A list as a careless or hostile owner would sign it: the current one, changed, with a genuine signature."""
        return self.sign_content(dataclasses.replace(self.list.content, **changes))

    def sign_content(self, content: DeviceList) -> bytes:
        signature = ecdsa.low_s(self.sign(labels.DEVICE_LIST_SIGNATURE + encode_body(content)))
        return encode_list(dataclasses.replace(content, signature=signature))
