"""The `signal` protocol in the world of the engine's tests, with the directory's side of its pre-keys."""

from __future__ import annotations

import dataclasses

from engine.world import CRYPTO, Account
from letterlock.codec.prekeys import (
    KemPreKey,
    OneTimePreKey,
    PreKeyBundle,
    PreKeyUpload,
    decode_upload,
    encode_bundle,
)
from letterlock.ids import DeviceId
from letterlock.seam import DeviceProtocol, Party
from letterlock.signal.keys import IdentityKeyPair
from letterlock.signal.limits import LIBSIGNAL_LIMITS
from letterlock.signal.protocol import SignalProtocol


class SignalKeys:
    """Hands out one-time keys once, then the last resort."""

    capability = "signal"

    def __init__(self, one_time_prekeys: int = 8) -> None:
        self.limits = dataclasses.replace(LIBSIGNAL_LIMITS, one_time_prekeys=one_time_prekeys, prekey_batch=4)
        self._identities: dict[Party, bytes] = {}
        self._uploads: dict[Party, PreKeyUpload] = {}
        self._one_time: dict[Party, dict[int, OneTimePreKey]] = {}
        self._one_time_kem: dict[Party, dict[int, KemPreKey]] = {}
        self._seen: set[tuple[Party, bytes]] = set()

    def protocol(self, account: Account, device: int) -> DeviceProtocol:
        private, _ = account.identities[device]
        pair = IdentityKeyPair.of(CRYPTO, private)
        self._identities[account.party(device)] = pair.public
        return SignalProtocol(CRYPTO, account.party(device), pair, self.limits, registration_id=device)

    def publish(self, party: Party, payload: bytes) -> int | None:
        upload = decode_upload(payload, max_one_time=200)
        if (party, payload) not in self._seen:
            self._seen.add((party, payload))
            self._uploads[party] = upload
            self._one_time.setdefault(party, {}).update({key.id: key for key in upload.one_time})
            self._one_time_kem.setdefault(party, {}).update({key.id: key for key in upload.one_time_kem})
        return min(len(self._one_time[party]), len(self._one_time_kem[party]))

    def drained(self, party: Party) -> int:
        """One-time keys of both sorts that are left."""
        return len(self._one_time[party]) + len(self._one_time_kem[party])

    def material(self, party: Party) -> bytes | None:
        upload = self._uploads.get(party)
        if upload is None:
            return None
        one_time, kem = self._one_time[party], self._one_time_kem[party]
        last_resort = not kem
        return encode_bundle(
            PreKeyBundle(
                upload.registration_id,
                DeviceId(party.device),
                self._identities[party],
                upload.signed,
                kem.pop(next(iter(kem))) if kem else upload.last_resort,
                last_resort,
                one_time.pop(next(iter(one_time))) if one_time else None,
            )
        )
