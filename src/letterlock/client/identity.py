"""What this device is: its keys, kept as records of the encrypted store and nowhere else (SR-11)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from ..codec import tls
from ..crypto.provider import CryptoProvider
from ..crypto.secret import Secret
from ..errors import DecodeError, InputError
from ..ids import AccountId, DeviceId, Number, Rng, account_id
from ..seam import Key, Party, RecordKind
from ..signal.keys import IdentityKeyPair
from ..trust import DeviceEntry, RequestSigner, create_entry
from ..trust.enrolment import DeviceOffer
from ..trust.signed_list import PRIMARY

__all__ = ["IDENTITY", "UNPUBLISHED_LIST", "Identity", "Stage", "linked_identity", "primary_identity"]


class Stage(enum.IntEnum):
    """How far a profile has got."""

    UNCLAIMED = 0
    """Keys made, the number not yet claimed at the directory."""
    PENDING = 1
    """A second device that the primary has not listed yet."""
    ACTIVE = 2


@dataclass(frozen=True, slots=True, eq=False)  # a Secret is not compared with ==
class Identity:
    """The device's keys. `participant_private` is there on the primary device only."""

    number: Number
    participant_spki: bytes
    device: DeviceId
    registration_id: int
    name: str
    stage: Stage
    identity_private: Secret
    participant_private: Secret | None

    @property
    def account(self) -> AccountId:
        return account_id(self.participant_spki)

    @property
    def party(self) -> Party:
        return Party(self.number, self.account, self.device)

    def key_pair(self, crypto: CryptoProvider) -> IdentityKeyPair:
        return IdentityKeyPair.of(crypto, self.identity_private.reveal())

    def signer(self, crypto: CryptoProvider) -> RequestSigner:
        """Signs requests to the directory."""
        return RequestSigner(crypto, self.party, self.identity_private.reveal())

    def entry(self, crypto: CryptoProvider, rng: Rng, capabilities: Sequence[str]) -> DeviceEntry:
        """Our entry for the device list, counter-signed; `capabilities` are the protocols that this device speaks."""
        return create_entry(
            number=self.number,
            participant_spki=self.participant_spki,
            device=self.device,
            registration_id=self.registration_id,
            identity_key=self.key_pair(crypto).public,
            sign_identity=lambda text: crypto.xeddsa_sign(self.identity_private.reveal(), text, rng),
            capabilities=tuple(capabilities),
            name=self.name,
        )

    def participant_key(self) -> Secret:
        """The key of the account. Raises InputError on a linked device, which does not have it."""
        if self.participant_private is None:
            raise InputError(
                "only the primary device can change the device list",
                code="input.not_primary",
                hint="do this on the device that was set up first",
            )
        return self.participant_private


def primary_identity(number: Number, name: str, crypto: CryptoProvider, rng: Rng) -> Identity:
    """Fresh keys for a new account."""
    participant = crypto.p256_generate(rng)
    spki = crypto.p256_spki(crypto.p256_public(participant))
    return Identity(
        number,
        spki,
        PRIMARY,
        _registration_id(rng),
        name,
        Stage.UNCLAIMED,
        Secret(crypto.x25519_generate(rng)[0]),
        Secret(participant),
    )


def linked_identity(offer: DeviceOffer, name: str, crypto: CryptoProvider, rng: Rng) -> Identity:
    """Fresh keys for another device of an account."""
    return Identity(
        offer.number,
        offer.participant_spki,
        offer.device,
        _registration_id(rng),
        name,
        Stage.PENDING,
        Secret(crypto.x25519_generate(rng)[0]),
        None,
    )


def _registration_id(rng: Rng) -> int:
    # 14 bits, not zero, as libsignal has them.
    return int.from_bytes(rng(4), "big") % 0x3FFF + 1


# --- the record ----------------------------------------------------------------------------------------------
def _encode(identity: Identity) -> bytes:
    return b"".join(
        (
            tls.u8(1),
            tls.opaque(identity.number.encode()),
            tls.opaque(identity.participant_spki),
            tls.u8(identity.device),
            tls.u32(identity.registration_id),
            tls.opaque(identity.name.encode()),
            tls.u8(identity.stage),
            tls.opaque(identity.identity_private.reveal()),
            tls.opaque(b"" if identity.participant_private is None else identity.participant_private.reveal()),
        )
    )


def _decode(data: bytes) -> Identity:
    reader = tls.Reader(data)
    if reader.u8() != 1:
        raise DecodeError("identity of a newer version", code="record.identity")
    try:
        identity = Identity(
            number=Number(reader.opaque(16).decode()),
            participant_spki=reader.opaque(128),
            device=DeviceId(reader.u8()),
            registration_id=reader.u32(),
            name=reader.opaque(256).decode(),
            stage=Stage(reader.u8()),
            identity_private=Secret(reader.opaque(32)),
            participant_private=Secret(private) if (private := reader.opaque(32)) else None,
        )
    except ValueError as error:
        raise DecodeError("identity record is damaged", code="record.identity") from error
    reader.end()
    return identity


IDENTITY = Key(RecordKind[Identity]("client", _encode, _decode), "client/identity")
UNPUBLISHED_LIST = Key(RecordKind[bytes]("client", bytes, bytes), "client/unpublished-list")
"""A list of our account that the directory has not confirmed yet."""
