"""A libsignal party with the same verbs as `signal_device.SignalDevice`, so that a test can swap the two."""

from __future__ import annotations

import uuid
from typing import Any

from interop.peer import LibsignalPeer, b64, raw
from letterlock.codec.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, SignedPreKey
from letterlock.ids import DeviceId

__all__ = ["LibsignalDevice"]


class LibsignalDevice:
    """One in-process party of the peer. `address` is its service id (17 bytes) and device (1)."""

    def __init__(self, peer: LibsignalPeer, party: str, device: int = 1) -> None:
        self.peer = peer
        self.party = party
        made = peer.call("new_party", party=party, device=device)
        self.address = b"\x00" + uuid.UUID(made["name"]).bytes + bytes((device,))
        self.identity_public = raw(made["identity_key"])

    def bundle(self, *, one_time: bool = True, last_resort: bool = False) -> PreKeyBundle:
        """Its KEM pre-keys are all last-resort ones in our sense: it keeps them after use."""
        made = self.peer.call("bundle", party=self.party, one_time=one_time)
        return PreKeyBundle(
            made["registration_id"],
            DeviceId(made["device"]),
            raw(made["identity_key"]),
            SignedPreKey(made["signed_pre_key_id"], raw(made["signed_pre_key"]), raw(made["signed_pre_key_signature"])),
            KemPreKey(made["kyber_pre_key_id"], raw(made["kyber_pre_key"]), raw(made["kyber_pre_key_signature"])),
            True,
            OneTimePreKey(made["pre_key_id"], raw(made["pre_key"])) if one_time else None,
        )

    def process_bundle(self, peer: bytes, bundle: PreKeyBundle) -> None:
        self.peer.call(
            "process_bundle",
            party=self.party,
            remote=_remote(peer),
            bundle={
                "registration_id": bundle.registration_id,
                "device": bundle.device,
                "identity_key": b64(bundle.identity_key),
                "signed_pre_key_id": bundle.signed.id,
                "signed_pre_key": b64(bundle.signed.public),
                "signed_pre_key_signature": b64(bundle.signed.signature),
                "kyber_pre_key_id": bundle.kem.id,
                "kyber_pre_key": b64(bundle.kem.public),
                "kyber_pre_key_signature": b64(bundle.kem.signature),
                "pre_key_id": None if bundle.one_time is None else bundle.one_time.id,
                "pre_key": None if bundle.one_time is None else b64(bundle.one_time.public),
            },
        )

    def encrypt(self, peer: bytes, plaintext: bytes) -> tuple[int, bytes]:
        made = self.peer.call("encrypt", party=self.party, remote=_remote(peer), plaintext=b64(plaintext))
        return made["type"], raw(made["body"])

    def decrypt(self, peer: bytes, kind: int, data: bytes) -> bytes:
        made = self.peer.call("decrypt", party=self.party, remote=_remote(peer), type=kind, body=b64(data))
        return raw(made["plaintext"])

    def restart(self) -> None:
        """Nothing to do: its stores hold bytes only."""


def _remote(address: bytes) -> dict[str, Any]:
    return {"name": str(uuid.UUID(bytes=address[1:17])), "device": address[17]}
