"""A second encryption protocol, as simple as can be: it proves that the engine knows nothing of Signal.

Sessions are numbered streams; the "cipher" is a keyed stream and a MAC over a key that the carrier of
the tests does not know. What it shares with a real protocol is the behaviour behind the seam: bundles,
introductions, single-use keys, duplicates, rejections, archived sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace

from letterlock.codec import tls
from letterlock.errors import BadSignature, DecodeError, NoSession
from letterlock.ids import AccountId, ConversationId, DeviceId, Instant, MessageId, Number, Rng
from letterlock.seam import (
    Content,
    Device,
    Frame,
    Header,
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
    Seen,
    Staged,
    State,
    TimerStep,
    Writes,
)

_SECRET = b"known to the ends of these tests alone"
_KEPT = 4


@dataclass(frozen=True)
class ToySession:
    id: bytes
    sent: int = 0
    received: frozenset[int] = frozenset()
    confirmed: bool = False


@dataclass(frozen=True)
class ToySessions:
    """The current one first; `current` False when the first is retired too."""

    all: tuple[ToySession, ...] = ()
    current: bool = False
    gone: frozenset[bytes] = frozenset()
    """Sessions that were forgotten: begun again, they would use their keys again."""

    def with_first(self, session: ToySession) -> ToySessions:
        order = (session, *(s for s in self.all if s.id != session.id))
        return ToySessions(order[:_KEPT], True, self.gone | {s.id for s in order[_KEPT:]})


def _encode(sessions: ToySessions) -> bytes:
    return json.dumps(
        [
            sessions.current,
            [[s.id.hex(), s.sent, sorted(s.received), s.confirmed] for s in sessions.all],
            sorted(i.hex() for i in sessions.gone),
        ]
    ).encode()


def _decode(data: bytes) -> ToySessions:
    current, rows, gone = json.loads(data)
    return ToySessions(
        tuple(ToySession(bytes.fromhex(i), sent, frozenset(got), ok) for i, sent, got, ok in rows),
        current,
        frozenset(bytes.fromhex(i) for i in gone),
    )


SESSIONS: RecordKind[ToySessions] = RecordKind("toy-session", _encode, _decode)
PUBLISHED: RecordKind[bytes] = RecordKind("toy-published", bytes, bytes)


class ToyProtocol:
    """Implements seam.DeviceProtocol."""

    name = "toy"

    def __init__(self, me: Party) -> None:
        self._me = me

    def needs(self, state: State, recipients: tuple[Recipient, ...], now: Instant) -> tuple[MaterialNeeded, ...]:
        return tuple(
            MaterialNeeded(recipient.number, recipient.account, device.id)
            for recipient in recipients
            for device in recipient.devices
            if not self._is_me(recipient.account, device.id)
            and device.material is None
            and not self._sessions(state, recipient.account, device.id).current
        )

    def seal(
        self, state: State, content: Content, recipients: tuple[Recipient, ...], now: Instant, rng: Rng
    ) -> tuple[Sealed, ...]:
        out = []
        below: State = state
        for recipient in recipients:
            staged = Staged(below)
            copies = []
            for device in recipient.devices:
                if not self._is_me(recipient.account, device.id):
                    copies.append(self._seal(staged, content, recipient, device, rng))
            out.append(Sealed(recipient, tuple(copies), staged.writes, any(copy.type == 3 for copy in copies)))
            below = staged
        return tuple(out)

    def _seal(self, staged: Staged, content: Content, recipient: Recipient, device: Device, rng: Rng) -> SealedFor:
        key = self._key(recipient.account, device.id)
        sessions = staged.get(key) or ToySessions()
        if not sessions.current:
            if device.material is None:
                raise NoSession("no session and no bundle")
            if device.material != bundle(Party(recipient.number, recipient.account, device.id)):
                raise BadSignature("not a bundle of this device")
            sessions = sessions.with_first(ToySession(rng(8)))
        session = replace(sessions.all[0], sent=sessions.all[0].sent + 1)
        staged.put(key, replace(sessions, all=(session, *sessions.all[1:])))
        to = Party(recipient.number, recipient.account, device.id)
        header = replace(content.header, recipient=to)
        plain = _encode_content(Content(header, content.body))
        nonce = session.id + tls.u32(session.sent)
        stream = _stream(nonce, self._me, to, len(plain))
        body = nonce + bytes(a ^ b for a, b in zip(plain, stream, strict=True))
        return SealedFor(device.id, 2 if session.confirmed else 3, body + _mac(body, self._me, to))

    def open(self, state: State, frame: Frame, now: Instant) -> Opened | Rejected:
        data, tag = frame.ciphertext[:-16], frame.ciphertext[-16:]
        if len(data) < 12 or frame.type not in (2, 3):
            return Rejected(Rejection.MALFORMED)
        session_id, counter = data[:8], int.from_bytes(data[8:12], "big")
        sessions = self._sessions(state, frame.sender.account, frame.sender.device)
        session = next((s for s in sessions.all if s.id == session_id), None)
        if session is not None and counter in session.received:
            return Rejected(Rejection.DUPLICATE)
        if not hmac.compare_digest(_mac(data, frame.sender, self._me), tag):
            return Rejected(Rejection.BAD_MAC, ask_again=True)
        if session is None:
            if frame.type == 2 or session_id in sessions.gone:
                return Rejected(Rejection.NO_SESSION, ask_again=True)
            session = ToySession(session_id)
        sessions = sessions.with_first(replace(session, received=session.received | {counter}, confirmed=True))
        stream = _stream(data[:12], frame.sender, self._me, len(data) - 12)
        plain = bytes(a ^ b for a, b in zip(data[12:], stream, strict=True))
        try:
            content = _decode_content(plain)
        except DecodeError:
            return Rejected(Rejection.MALFORMED)
        return Opened(content, {self._key(frame.sender.account, frame.sender.device): sessions})

    def on_rejected(self, state: State, peer: Party, now: Instant) -> Writes:
        sessions = self._sessions(state, peer.account, peer.device)
        return {self._key(peer.account, peer.device): replace(sessions, current=False)}

    def rolled_back(self, state: State) -> Writes:
        writes: Writes = {}
        for key in state.scan(SESSIONS):
            sessions = state.get(key) or ToySessions()
            writes[key] = ToySessions(gone=sessions.gone | {session.id for session in sessions.all})
        return writes

    def on_timer(self, state: State, now: Instant, rng: Rng) -> TimerStep:
        publish = None if state.get(PUBLISHED.key("done")) else Publish(bundle(self._me))
        return TimerStep({}, publish, now + 86_400_000)

    def published(self, state: State, publish: Publish, remaining: int | None, now: Instant) -> Writes:
        return {PUBLISHED.key("done"): b"1"}

    def _is_me(self, account: AccountId, device: DeviceId) -> bool:
        return (account, device) == (self._me.account, self._me.device)

    def _key(self, account: AccountId, device: DeviceId) -> Key[ToySessions]:
        return SESSIONS.key(account.hex(), str(device))

    def _sessions(self, state: State, account: AccountId, device: DeviceId) -> ToySessions:
        return state.get(self._key(account, device)) or ToySessions()


def bundle(device: Party) -> bytes:
    """The key material of a device."""
    return hashlib.sha256(b"bundle" + _SECRET + device.account + bytes((device.device,))).digest()


def _ends(sender: Party, recipient: Party) -> bytes:
    return sender.account + bytes((sender.device,)) + recipient.account + bytes((recipient.device,))


def _stream(nonce: bytes, sender: Party, recipient: Party, size: int) -> bytes:
    return hashlib.shake_128(_SECRET + nonce + _ends(sender, recipient)).digest(size)


def _mac(body: bytes, sender: Party, recipient: Party) -> bytes:
    return hmac.digest(_SECRET, body + _ends(sender, recipient), "sha256")[:16]


def _encode_content(content: Content) -> bytes:
    h = content.header
    return json.dumps(
        [
            [_party(h.sender), _party(h.recipient), h.conversation.hex(), h.message_id, h.lamport, h.sequence],
            [[s.account.hex(), s.device, s.sequence] for s in h.seen],
            h.sender_list_head.hex(),
            h.recipient_list_head.hex(),
            content.body.decode("latin-1"),
        ]
    ).encode()


def _decode_content(data: bytes) -> Content:
    try:
        (sender, recipient, conversation, message_id, lamport, sequence), seen, mine, yours, body = json.loads(data)
    except ValueError:
        raise DecodeError("not ours") from None
    header = Header(
        _unparty(sender),
        _unparty(recipient),
        ConversationId(bytes.fromhex(conversation)),
        MessageId(message_id),
        lamport,
        sequence,
        tuple(Seen(AccountId(bytes.fromhex(a)), DeviceId(d), s) for a, d, s in seen),
        bytes.fromhex(mine),
        bytes.fromhex(yours),
    )
    return Content(header, body.encode("latin-1"))


def _party(party: Party) -> list[object]:
    return [party.number, party.account.hex(), party.device]


def _unparty(row: list[object]) -> Party:
    return Party(Number(str(row[0])), AccountId(bytes.fromhex(str(row[1]))), DeviceId(int(str(row[2]))))
