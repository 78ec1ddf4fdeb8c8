"""A device for the tests: identity, pre-keys and one session record per peer, all of it replaceable by its packed form."""

from __future__ import annotations

from letterlock.codec.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, SignedPreKey, decode_upload
from letterlock.crypto.provider import CryptoProvider
from letterlock.ids import DeviceId, Rng
from letterlock.seam import Key, Staged
from letterlock.signal import prekeys
from letterlock.signal.keys import IdentityKeyPair, verify_bundle
from letterlock.signal.limits import LIBSIGNAL_LIMITS, Limits
from letterlock.signal.messages import PREKEY_TYPE, decode_prekey_message, decode_signal_message
from letterlock.signal.record import SessionRecord
from letterlock.signal.session import Session

NOW = 1_700_000_000_000


class Memory:
    """`seam.State` over a dict. Every value goes through its codec, so that no live object survives a step."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.kinds: dict[str, object] = {}

    def get(self, key):  # type: ignore[no-untyped-def]
        data = self.records.get(key.name)
        return None if data is None else key.kind.decode(data)

    def scan(self, kind, prefix=""):  # type: ignore[no-untyped-def]
        start = f"{kind.name}/{prefix}"
        return [Key(kind, name) for name in sorted(self.records) if name.startswith(start)]

    def apply(self, writes) -> None:  # type: ignore[no-untyped-def]
        for key, value in writes.items():
            if value is None:
                self.records.pop(key.name, None)
            else:
                self.records[key.name] = key.kind.encode(value)


class SignalDevice:
    """One end of Signal sessions without the seam around it."""

    def __init__(
        self,
        crypto: CryptoProvider,
        rng: Rng,
        address: bytes,
        *,
        registration_id: int = 4242,
        limits: Limits = LIBSIGNAL_LIMITS,
        always_pack: bool = False,
    ) -> None:
        self.crypto = crypto
        self.rng = rng
        self.address = address
        self.registration_id = registration_id
        self.limits = limits
        self.now = NOW
        self.identity = IdentityKeyPair.generate(crypto, rng)
        self.memory = Memory()
        self.records: dict[bytes, SessionRecord] = {}
        self.always_pack = always_pack

    def bundle(self, *, one_time: bool = True, last_resort: bool = False) -> PreKeyBundle:
        """Make an upload and take one bundle out of it, as a directory would."""
        for key in self.memory.scan(prekeys.STOCK.kind):
            self.memory.records.pop(key.name)
        step = prekeys.replenish(
            self.memory,
            self.crypto,
            self.identity,
            registration_id=self.registration_id,
            limits=self.limits,
            now=self.now,
            rng=self.rng,
        )
        self.memory.apply(step.writes)
        assert step.publish is not None
        upload = decode_upload(step.publish.payload, max_one_time=100)
        return PreKeyBundle(
            self.registration_id,
            DeviceId(self.address[-1]),
            self.identity.public,
            upload.signed,
            upload.last_resort if last_resort else upload.one_time_kem[0],
            last_resort,
            upload.one_time[0] if one_time else None,
        )

    def process_bundle(self, peer: bytes, bundle: PreKeyBundle) -> None:
        verified = verify_bundle(self.crypto, bundle, identity_key=bundle.identity_key, device=DeviceId(peer[-1]))
        session = Session.initiate(
            self.crypto,
            self.identity,
            verified,
            local_address=self.address,
            remote_address=peer,
            registration_id=self.registration_id,
            now=self.now,
            rng=self.rng,
        )
        self._keep(peer, self.record(peer).with_session(session, self.now, self.limits))

    def record(self, peer: bytes) -> SessionRecord:
        return self.records.get(peer, SessionRecord())

    def encrypt(self, peer: bytes, plaintext: bytes) -> tuple[int, bytes]:
        record, kind, message = self.record(peer).encrypt(self.crypto, plaintext, self.now, self.limits, self.rng)
        self._keep(peer, record)
        return kind, message

    def decrypt(self, peer: bytes, kind: int, data: bytes) -> bytes:
        record = self.record(peer)
        if kind != PREKEY_TYPE:
            message = decode_signal_message(data, self.limits.max_message)
            read = record.decrypt(self.crypto, message, self.now, self.limits)
            self._keep(peer, read.record)
            return read.plaintext
        prekey = decode_prekey_message(data, self.limits.max_message)
        if record.find(prekey.base_key, self.now, self.limits) is not None:
            read = record.decrypt(
                self.crypto, prekey.message, self.now, self.limits, base_key=prekey.base_key, require_addresses=True
            )
            self._keep(peer, read.record)
            return read.plaintext
        answer = prekeys.answer(
            Staged(self.memory), self.crypto, self.identity, prekey, limits=self.limits, now=self.now
        )
        session = Session.respond(
            self.crypto,
            self.identity,
            prekey,
            answer.secrets,
            signed_private=answer.signed_private,
            signed_public=answer.signed_public,
            local_address=self.address,
            remote_address=peer,
            registration_id=self.registration_id,
            now=self.now,
        )
        session, plaintext = session.decrypt(self.crypto, prekey.message, self.limits, require_addresses=True)
        self.memory.apply(answer.writes)
        self._keep(peer, record.with_session(session, self.now, self.limits))
        return plaintext

    def snapshot(self) -> tuple[dict[str, bytes], dict[bytes, bytes]]:
        """Everything this device holds, as bytes."""
        return dict(self.memory.records), {peer: record.pack() for peer, record in self.records.items()}

    def restart(self) -> None:
        """Forget every live object."""
        for peer, record in list(self.records.items()):
            packed = record.pack()
            self.records[peer] = SessionRecord.unpack(self.crypto, packed)
            assert self.records[peer].pack() == packed

    def _keep(self, peer: bytes, record: SessionRecord) -> None:
        self.records[peer] = SessionRecord.unpack(self.crypto, record.pack()) if self.always_pack else record


__all__ = ["NOW", "KemPreKey", "Memory", "OneTimePreKey", "PreKeyBundle", "SignalDevice", "SignedPreKey"]
