"""All sessions with one device: the current one, and earlier ones that still read (Sesame, per-device keys).

Both ends may start a session at once, lose state or restore a copy; each reads with whatever session
fits and makes that one current, so the two converge. Earlier sessions expire by time and by count:
one that stays usable for ever would undo what a new one heals (SR-07, SR-08).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..crypto.provider import CryptoProvider
from ..errors import BadMac, DecodeError, DuplicateMessage, NoSession, RemoteError, TooFarAhead
from ..ids import Instant, Rng
from .limits import Limits
from .messages import SignalMessage
from .session import Session
from .spqr import key_index

__all__ = ["Archived", "Read", "SessionRecord", "pack_archive", "unpack_archive"]

_ENTRY = struct.Struct(">QI")
_MAX_ARCHIVED = 1_000
_OF_ANOTHER = (BadMac, NoSession, DuplicateMessage, TooFarAhead)
"""What a session answers to a message that is none of its own: counters of another session mean nothing to it."""


class Archived(NamedTuple):
    """An earlier session and when it stopped being the current one."""

    session: Session
    since: Instant


class Read(NamedTuple):
    """A decrypted message: the record after, the plaintext, and the session before and after."""

    record: SessionRecord
    plaintext: bytes
    before: Session
    after: Session

    def __repr__(self) -> str:
        return f"Read({self.record})"


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """`current` encrypts; `archived`, newest first, only read."""

    current: Session | None = None
    archived: tuple[Archived, ...] = ()

    def with_session(self, session: Session, now: Instant, limits: Limits) -> SessionRecord:
        """Make a new session the current one; the one before is archived."""
        return SessionRecord(session, self.without_current(now, limits).archived)

    def without_current(self, now: Instant, limits: Limits) -> SessionRecord:
        """Archive the current session, so that the next message starts a new one."""
        if self.current is None:
            return self
        return SessionRecord(None, (Archived(self.current, now), *self.archived)).pruned(now, limits)

    def pruned(self, now: Instant, limits: Limits) -> SessionRecord:
        """Without the archived sessions that are over their time or their number."""
        kept = tuple(
            entry
            for entry in self.archived[: limits.max_archived_sessions]
            if now - entry.since <= limits.archived_session_ms
        )
        return self if len(kept) == len(self.archived) else SessionRecord(self.current, kept)

    def encrypt(
        self, crypto: CryptoProvider, plaintext: bytes, now: Instant, limits: Limits, rng: Rng
    ) -> tuple[SessionRecord, int, bytes]:
        """(record after, message type, message). Raises NoSession when there is none to send with."""
        if self.current is None:
            raise NoSession("no session to encrypt with")
        session, kind, message = self.current.encrypt(crypto, plaintext, now, limits, rng)
        return SessionRecord(session, self.archived), kind, message

    def find(self, base_key: bytes, now: Instant, limits: Limits) -> Session | None:
        """The session that this base key began, so that a repeated pre-key message does not begin another."""
        return next((session for session in self._live(now, limits) if session.origin.base_key == base_key), None)

    def decrypt(
        self,
        crypto: CryptoProvider,
        message: SignalMessage,
        now: Instant,
        limits: Limits,
        *,
        base_key: bytes | None = None,
        require_addresses: bool = False,
    ) -> Read:
        """Read a message with whichever session fits, and make that one current.

        `base_key` narrows it to the session of a pre-key message. Raises what `Session.decrypt` raises, from
        the session that knows the message's ratchet key, or NoSession when none does and none reads it.
        """
        failure: RemoteError | None = None
        guesses = 2 * limits.max_forward_jump
        for session in self._live(now, limits):
            if base_key is not None and session.origin.base_key != base_key:
                continue
            if base_key is None and session is not self.current and not session.has_chain(message.ratchet_key):
                # SR-08: a forged counter may cost every earlier session its full jump, so they share an allowance.
                guesses -= message.counter + key_index(message.pq_ratchet)
                if guesses < 0:
                    break
            try:
                after, plaintext = session.decrypt(crypto, message, limits, require_addresses=require_addresses)
            except RemoteError as error:
                if base_key is not None or session.has_chain(message.ratchet_key):
                    # Ratchet keys are unique: no other session could read it, so this error is the answer.
                    raise
                if failure is None or isinstance(failure, _OF_ANOTHER):
                    failure = error
                continue
            return Read(self._promoted(session, after, now, limits), plaintext, session, after)
        if failure is None or isinstance(failure, _OF_ANOTHER):
            raise NoSession("no session reads this message") from failure
        raise failure

    def _live(self, now: Instant, limits: Limits) -> Iterable[Session]:
        if self.current is not None:
            yield self.current
        for session, since in self.archived:
            if now - since <= limits.archived_session_ms:
                yield session

    def _promoted(self, before: Session, after: Session, now: Instant, limits: Limits) -> SessionRecord:
        if before is self.current:
            return SessionRecord(after, self.archived)
        others = tuple(entry for entry in self.archived if entry.session is not before)
        return SessionRecord(self.current, others).with_session(after, now, limits)

    def pack(self) -> bytes:
        """The whole record as bytes."""
        current = b"" if self.current is None else self.current.pack()
        return len(current).to_bytes(4, "big") + current + pack_archive(self.archived)

    @classmethod
    def unpack(cls, crypto: CryptoProvider, data: bytes) -> SessionRecord:
        """What `pack` returned. Raises DecodeError on anything else."""
        size = int.from_bytes(data[:4], "big")
        current = data[4 : 4 + size]
        if len(data) < 4 or len(current) != size:
            raise DecodeError("the record ends in the middle", code="signal.record.format")
        return cls(Session.unpack(crypto, current) if current else None, unpack_archive(crypto, data[4 + size :]))


def pack_archive(archived: tuple[Archived, ...]) -> bytes:
    """The archived sessions as bytes: a record of its own, since it changes rarely and can be large."""
    parts: list[bytes] = []
    for session, since in archived:
        packed = session.pack()
        parts += (_ENTRY.pack(since, len(packed)), packed)
    return b"".join(parts)


def unpack_archive(crypto: CryptoProvider, data: bytes) -> tuple[Archived, ...]:
    """What `pack_archive` returned. Raises DecodeError on anything else."""
    archived: list[Archived] = []
    position = 0
    while position < len(data):
        if len(data) - position < _ENTRY.size or len(archived) == _MAX_ARCHIVED:
            raise DecodeError("not an archive of sessions", code="signal.record.format")
        since, size = _ENTRY.unpack_from(data, position)
        position += _ENTRY.size
        packed = data[position : position + size]
        if len(packed) != size:
            raise DecodeError("the archive ends in the middle", code="signal.record.format")
        position += size
        archived.append(Archived(Session.unpack(crypto, packed), since))
    return tuple(archived)
