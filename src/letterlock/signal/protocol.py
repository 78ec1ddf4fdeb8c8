"""`signal` behind the seam: what the engine sees of this package.

One session per pair of devices, whatever chats they share. Opening checks three things beside the
cipher: the session's peer is the device that the sender's verified list names (SR-04), the inner header
says what the envelope says (SR-03), and nothing changes unless all of it holds (SR-07).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ..codec.prekeys import decode_bundle
from ..crypto.provider import CryptoProvider
from ..errors import (
    BadMac,
    BadPublicKey,
    DecodeError,
    Downgrade,
    DuplicateMessage,
    IdentityChanged,
    InputError,
    MalformedMessage,
    NoSession,
    RemoteError,
    TooFarAhead,
    UnknownPrekey,
)
from ..ids import DeviceAddress, Instant, Rng, service_id
from ..seam import (
    Content,
    Device,
    Frame,
    Key,
    MaterialNeeded,
    Opened,
    Party,
    Publish,
    Recipient,
    RecordKind,
    Rejected,
    Rejection,
    Sealed,
    SealedFor,
    Staged,
    State,
    TimerStep,
    Writes,
)
from . import prekeys
from .inner import decode_inner, encode_inner
from .keys import IdentityKeyPair, identity_of, verify_bundle
from .limits import Limits
from .messages import PREKEY_TYPE, SIGNAL_TYPE, PreKeySignalMessage, decode_prekey_message, decode_signal_message
from .record import Archived, Read, SessionRecord, pack_archive, unpack_archive
from .session import Session

__all__ = ["SignalProtocol"]


class SignalProtocol:
    """Implements `seam.DeviceProtocol` for one device. Holds keys and limits, no state."""

    name = "signal"

    def __init__(
        self, crypto: CryptoProvider, me: Party, identity: IdentityKeyPair, limits: Limits, *, registration_id: int
    ) -> None:
        """`registration_id` (1 to 16383) is the one in our device list."""
        if not 1 <= registration_id <= 0x3FFF:
            raise InputError("registration ids are 1 to 16383", code="input.registration_id")
        self._crypto = crypto
        self._me = me
        self._identity = identity
        self._limits = limits
        self._registration_id = registration_id
        self.sessions: RecordKind[Session] = RecordKind("signal-session", Session.pack, partial(Session.unpack, crypto))
        self.archives: RecordKind[tuple[Archived, ...]] = RecordKind(
            "signal-archive", pack_archive, partial(unpack_archive, crypto)
        )

    # --- sending -----------------------------------------------------------------------------------
    def needs(self, state: State, recipients: tuple[Recipient, ...], now: Instant) -> tuple[MaterialNeeded, ...]:
        """The devices whose pre-key bundle must be fetched before `seal`."""
        return tuple(
            MaterialNeeded(recipient.number, recipient.account, device.id)
            for recipient in recipients
            for device in recipient.devices
            if not self._is_me(recipient, device)
            and device.material is None
            and self._sendable(state, DeviceAddress(recipient.account, device.id), device, now) is None
        )

    def seal(
        self, state: State, content: Content, recipients: tuple[Recipient, ...], now: Instant, rng: Rng
    ) -> tuple[Sealed, ...]:
        """One copy per device; our own is skipped. The inner header names the recipient of each copy (SR-03).

        Raises IdentityChanged, BadSignature or BadPublicKey for a bundle that does not belong to its device
        or does not hold, NoSession for a device without session and bundle, InputError for a foreign sender.
        """
        if content.header.sender != self._me:
            raise InputError("content of another sender", code="input.sender")
        staged = Staged(state)
        sealed: list[Sealed] = []
        for recipient in recipients:
            sealed.append(self._seal_for(Staged(staged), content, recipient, now, rng))
            staged.merge(sealed[-1].writes)
        return tuple(sealed)

    def _seal_for(self, staged: Staged, content: Content, recipient: Recipient, now: Instant, rng: Rng) -> Sealed:
        copies: list[SealedFor] = []
        for device in recipient.devices:
            if self._is_me(recipient, device):
                continue
            address = DeviceAddress(recipient.account, device.id)
            session = self._sendable(staged, address, device, now)
            if session is None:
                session = self._begin(staged, address, device, now, rng)
            header = replace(
                content.header,
                recipient=Party(recipient.number, recipient.account, device.id),
                recipient_list_head=recipient.list_head,
            )
            plaintext = encode_inner(Content(header, content.body))
            session, kind, message = session.encrypt(self._crypto, plaintext, now, self._limits, rng)
            staged.put(self.session_key(address), session)
            copies.append(SealedFor(device.id, kind, message))
        introduces = any(copy.type == PREKEY_TYPE for copy in copies)
        return Sealed(recipient, tuple(copies), staged.writes, introduces)

    def _sendable(self, state: State, address: DeviceAddress, device: Device, now: Instant) -> Session | None:
        """The current session, unless it is worn out or with an identity that the device's list no longer names."""
        session = state.get(self.session_key(address))
        if session is None or not session.may_send(now, self._limits):
            return None
        return session if session.origin.ends.remote_identity == identity_of(_listed(device)) else None

    def _begin(self, staged: Staged, address: DeviceAddress, device: Device, now: Instant, rng: Rng) -> Session:
        if device.material is None:
            raise NoSession(f"no session and no pre-key bundle for device {device.id}")
        # SR-12: both signatures and the listed identity are checked before any key of the bundle is used.
        bundle = verify_bundle(
            self._crypto, decode_bundle(device.material), identity_key=_listed(device), device=device.id
        )
        session = Session.initiate(
            self._crypto,
            self._identity,
            bundle,
            local_address=_address(DeviceAddress(self._me.account, self._me.device)),
            remote_address=_address(address),
            registration_id=self._registration_id,
            now=now,
            rng=rng,
        )
        record = self._record(staged, address)
        self._store(staged, address, record, record.with_session(session, now, self._limits))
        return session

    # --- receiving ---------------------------------------------------------------------------------
    def open(self, state: State, frame: Frame, now: Instant) -> Opened | Rejected:
        """Decrypt our copy. Every error that a peer or carrier can cause is a `Rejected` (SR-07)."""
        try:
            return self._open(Staged(state), frame, now)
        except RemoteError as error:
            return _rejected(error)

    def _open(self, staged: Staged, frame: Frame, now: Instant) -> Opened | Rejected:
        if frame.recipient != self._me or frame.sender_device.id != frame.sender.device:
            return Rejected(Rejection.ENVELOPE_MISMATCH, "for another device")
        if (frame.sender.account, frame.sender.device) == (self._me.account, self._me.device):
            return Rejected(Rejection.ENVELOPE_MISMATCH, "from ourselves")  # SR-05: a reflection
        listed = frame.sender_device.keys.get(self.name)
        if listed is None:
            return Rejected(Rejection.ENVELOPE_MISMATCH, "the sender's list has no key for this protocol")
        address = DeviceAddress(frame.sender.account, frame.sender.device)
        if frame.type == SIGNAL_TYPE:
            read, notes = self._read(staged, frame, address, identity_of(listed), now)
        elif frame.type == PREKEY_TYPE:
            read, notes = self._read_prekey(staged, frame, address, identity_of(listed), now)
        else:
            return Rejected(Rejection.MALFORMED, "neither a message nor a pre-key message")
        if read.after.epoch > read.before.epoch:
            notes += ("epoch_advanced",)
        content = decode_inner(read.plaintext, self._limits.max_message)
        header, envelope = content.header, frame.envelope
        # SR-03: what the sender encrypted counts; an envelope or list that says otherwise is a forgery.
        if (
            header.sender != frame.sender
            or header.recipient != frame.recipient
            or (header.sender.number, header.recipient.number) != (envelope.sender, envelope.recipient)
            or header.message_id != envelope.message_id
        ):
            return Rejected(Rejection.ENVELOPE_MISMATCH, "the inner header says otherwise")
        return Opened(content, staged.writes, notes)

    def _read(
        self, staged: Staged, frame: Frame, address: DeviceAddress, identity: bytes, now: Instant
    ) -> tuple[Read, tuple[str, ...]]:
        message = decode_signal_message(frame.ciphertext, self._limits.max_message)
        current = staged.get(self.session_key(address))
        # The archive is looked at only when the message is not plainly one of the current session.
        known = current is not None and current.has_chain(message.ratchet_key)
        record = SessionRecord(current) if known else self._record(staged, address)
        read = record.decrypt(self._crypto, message, now, self._limits)
        _check_listed(read, identity)
        self._store(staged, address, record, read.record)
        return read, ()

    def _read_prekey(
        self, staged: Staged, frame: Frame, address: DeviceAddress, identity: bytes, now: Instant
    ) -> tuple[Read, tuple[str, ...]]:
        message = decode_prekey_message(frame.ciphertext, self._limits.max_message)
        if message.identity_key != identity:
            # SR-04: only the key that the verified list names may begin a session.
            raise IdentityChanged("not the listed identity key", old=_typed(identity), new=_typed(message.identity_key))
        record = self._record(staged, address)
        if record.find(message.base_key, now, self._limits) is not None:
            read = record.decrypt(
                self._crypto,
                message.message,
                now,
                self._limits,
                base_key=message.base_key,
                require_addresses=True,
            )
            # The identity key beside the message is under no MAC: it says nothing of the session that has read it.
            _check_listed(read, identity)
            self._store(staged, address, record, read.record)
            return read, ()
        return self._answer(staged, address, record, message, now)

    def _answer(
        self,
        staged: Staged,
        address: DeviceAddress,
        record: SessionRecord,
        message: PreKeySignalMessage,
        now: Instant,
    ) -> tuple[Read, tuple[str, ...]]:
        answer = prekeys.answer(staged, self._crypto, self._identity, message, limits=self._limits, now=now)
        session = Session.respond(
            self._crypto,
            self._identity,
            message,
            answer.secrets,
            signed_private=answer.signed_private,
            signed_public=answer.signed_public,
            local_address=_address(DeviceAddress(self._me.account, self._me.device)),
            remote_address=_address(address),
            registration_id=self._registration_id,
            now=now,
        )
        after, plaintext = session.decrypt(self._crypto, message.message, self._limits, require_addresses=True)
        notes = ["session_started"]
        if not answer.one_time:
            notes.append("session_without_one_time_prekey")
        former = record.current
        if former is not None and former.origin.ends.remote_identity != message.identity_key:
            notes.append("identity_changed")
        staged.merge(answer.writes)
        next_record = record.with_session(after, now, self._limits)
        self._store(staged, address, record, next_record)
        return Read(next_record, plaintext, session, after), tuple(notes)

    # --- upkeep ------------------------------------------------------------------------------------
    def on_rejected(self, state: State, peer: Party, now: Instant) -> Writes:
        """Archive the session with a device that told us, authenticated, that it cannot read us."""
        staged = Staged(state)
        address = DeviceAddress(peer.account, peer.device)
        record = self._record(staged, address)
        self._store(staged, address, record, record.without_current(now, self._limits))
        return staged.writes

    def rolled_back(self, state: State) -> Writes:
        """Drop every session and every pre-key (SR-06).

        An archived session that still reads would become current again. A first message that a pre-key opened after the
        copy was made would open again, and begin the very chains that have been sent with since.
        """
        kinds: tuple[RecordKind[Any], ...] = (self.sessions, self.archives, *prekeys.RECORD_KINDS)
        return {key: None for kind in kinds for key in state.scan(kind)}

    def on_timer(self, state: State, now: Instant, rng: Rng) -> TimerStep:
        """Rotate and replenish pre-keys; forget sessions and pre-keys that are over their time."""
        step = prekeys.replenish(
            state,
            self._crypto,
            self._identity,
            registration_id=self._registration_id,
            limits=self._limits,
            now=now,
            rng=rng,
        )
        writes = dict(step.writes)
        for key in state.scan(self.archives):
            archived = state.get(key) or ()
            kept = SessionRecord(None, archived).pruned(now, self._limits).archived
            if len(kept) != len(archived):
                writes[key] = kept or None
        return replace(step, writes=writes)

    def published(self, state: State, publish: Publish, remaining: int | None, now: Instant) -> Writes:
        """The directory took an upload. Call `on_timer` soon after: there may be more to publish."""
        return prekeys.on_published(state, publish, remaining)

    # --- records -----------------------------------------------------------------------------------
    def session_key(self, address: DeviceAddress) -> Key[Session]:
        """The record of the current session with a device."""
        return self.sessions.key(address.account.hex(), f"{address.device:03d}")

    def archive_key(self, address: DeviceAddress) -> Key[tuple[Archived, ...]]:
        """The record of the earlier sessions with a device."""
        return self.archives.key(address.account.hex(), f"{address.device:03d}")

    def _record(self, state: State, address: DeviceAddress) -> SessionRecord:
        return SessionRecord(state.get(self.session_key(address)), state.get(self.archive_key(address)) or ())

    def _store(self, staged: Staged, address: DeviceAddress, before: SessionRecord, after: SessionRecord) -> None:
        for key, was, value in (
            (self.session_key(address), before.current, after.current),
            (self.archive_key(address), before.archived, after.archived),
        ):
            if value is not was:
                staged.writes[key] = value or None  # an empty archive is none

    def _is_me(self, recipient: Recipient, device: Device) -> bool:
        return (recipient.account, device.id) == (self._me.account, self._me.device)


_REJECTIONS: tuple[tuple[type[RemoteError], Rejection, bool], ...] = (
    # class, reason, whether a fresh copy could be read; subclasses before their bases
    (DuplicateMessage, Rejection.DUPLICATE, False),
    (TooFarAhead, Rejection.TOO_FAR_AHEAD, True),
    (UnknownPrekey, Rejection.UNKNOWN_PREKEY, True),
    (IdentityChanged, Rejection.IDENTITY_CHANGED, False),
    (Downgrade, Rejection.DOWNGRADE, False),
    (MalformedMessage, Rejection.MALFORMED, False),
    (DecodeError, Rejection.MALFORMED, False),
    (BadPublicKey, Rejection.MALFORMED, False),
    (BadMac, Rejection.BAD_MAC, True),
    (NoSession, Rejection.NO_SESSION, True),
    (RemoteError, Rejection.NO_SESSION, True),
)


def _rejected(error: RemoteError) -> Rejected:
    if error.code == "signal.message.addresses":
        return Rejected(Rejection.ENVELOPE_MISMATCH, str(error))
    for kind, reason, ask_again in _REJECTIONS:
        if isinstance(error, kind):
            return Rejected(reason, str(error), ask_again)
    raise AssertionError("RemoteError is the last row")


def _check_listed(read: Read, identity: bytes) -> None:
    remote = read.before.origin.ends.remote_identity
    if remote != identity:
        # SR-04: genuine, but from an identity that the verified list has dropped.
        raise IdentityChanged("the session is with a former identity", old=_typed(remote), new=_typed(identity))


def _listed(device: Device) -> bytes:
    key = device.keys.get(SignalProtocol.name)
    if key is None:
        raise InputError(f"device {device.id} lists no key for signal", code="input.device_key")
    return key


def _address(address: DeviceAddress) -> bytes:
    return service_id(address.account) + bytes((address.device,))


def _typed(public: bytes) -> bytes:
    return b"\x05" + public
