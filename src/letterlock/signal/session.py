"""One session with one device: encrypts, decrypts, packs itself.

A `Session` is immutable. Every operation returns the next value; on any error the old one stands as it
was (SR-07), and nothing may be sent before the next one is stored (SR-06).
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final

from ..crypto.provider import CryptoProvider
from ..errors import BadMac, Downgrade, MalformedMessage, NoSession
from ..ids import Instant, Rng
from .double_ratchet import Ratchet
from .keys import IdentityKeyPair, VerifiedBundle
from .limits import Limits
from .messages import (
    MAC_SIZE,
    PREKEY_TYPE,
    SIGNAL_TYPE,
    PreKeySignalMessage,
    SignalMessage,
    encode_prekey_message,
    encode_signal_body,
)
from .origin import Ends, Origin
from .pqxdh import Secrets, initiate
from .session_format import Pending, pack_session, unpack_session

__all__ = ["Session"]


@final
class Session:
    """The state of one session. Its repr shows no key (SR-10)."""

    __slots__ = ("_pending", "_ratchet", "origin")

    def __init__(self, origin: Origin, ratchet: Ratchet, pending: Pending | None) -> None:
        """Not for callers: use `initiate`, `respond` or `unpack`."""
        self.origin = origin
        self._ratchet = ratchet
        self._pending = pending

    @classmethod
    def initiate(
        cls,
        crypto: CryptoProvider,
        identity: IdentityKeyPair,
        bundle: VerifiedBundle,
        *,
        local_address: bytes,
        remote_address: bytes,
        registration_id: int,
        now: Instant,
        rng: Rng,
    ) -> Session:
        """Start a session from a verified bundle; its messages are pre-key messages until the peer answers.

        An address is service id (17 bytes) and device (1). Raises BadPublicKey (SR-12).
        """
        initiation = initiate(crypto, identity, bundle, rng)
        origin = Origin(
            Ends(identity.public[1:], bundle.identity_key, local_address, remote_address),
            is_initiator=True,
            created_at=now,
            local_registration_id=registration_id,
            remote_registration_id=bundle.registration_id,
            base_key=initiation.base_key,
        )
        pending = Pending(bundle.one_time_id, bundle.signed_id, bundle.kem_id, initiation.kem_ciphertext)
        return cls(origin, Ratchet.initiator(crypto, initiation.secrets, bundle.signed_key), pending)

    @classmethod
    def respond(
        cls,
        crypto: CryptoProvider,
        identity: IdentityKeyPair,
        message: PreKeySignalMessage,
        secrets: Secrets,
        *,
        signed_private: bytes,
        signed_public: bytes,
        local_address: bytes,
        remote_address: bytes,
        registration_id: int,
        now: Instant,
    ) -> Session:
        """The matching session of a pre-key message. It proves nothing until it has decrypted that message."""
        origin = Origin(
            Ends(identity.public[1:], message.identity_key, local_address, remote_address),
            is_initiator=False,
            created_at=now,
            local_registration_id=registration_id,
            remote_registration_id=message.registration_id,
            base_key=message.base_key,
        )
        return cls(origin, Ratchet.responder(crypto, secrets, signed_private, signed_public), None)

    @property
    def is_acknowledged(self) -> bool:
        """Whether the peer has shown that it holds this session too."""
        return self._pending is None

    @property
    def epoch(self) -> int:
        """The post-quantum epoch under negotiation, from 1."""
        return self._ratchet.spqr.epoch

    def may_send(self, now: Instant, limits: Limits) -> bool:
        """Whether `encrypt` would accept to work: not when the peer has been silent for too long."""
        return self._pending is None or now - self.origin.created_at <= limits.unacknowledged_session_ms

    def has_chain(self, ratchet_key: bytes) -> bool:
        """Whether this session has met the peer's ratchet key, so that a message with it belongs here."""
        return any(chain.ratchet_key == ratchet_key for chain in self._ratchet.receiving)

    def encrypt(
        self, crypto: CryptoProvider, plaintext: bytes, now: Instant, limits: Limits, rng: Rng
    ) -> tuple[Session, int, bytes]:
        """(next session, message type, message). Raises NoSession when the peer has not answered for 30 days."""
        origin = self.origin
        pending = self._pending
        if pending is not None and not self.may_send(now, limits):
            raise NoSession("the peer never answered this session", code="protocol.no_session.unacknowledged")
        ratchet, ratchet_key, counter, previous_counter, pq_message, keys = self._ratchet.send(crypto, rng)
        body = encode_signal_body(
            ratchet_key,
            counter,
            previous_counter,
            crypto.aes_cbc_encrypt(keys[:32], keys[64:], plaintext),
            pq_message,
            # SR-03: the MAC covers them. As libsignal does, only until the session is known to both.
            b"" if pending is None else origin.addresses_out,
        )
        message = body + crypto.hmac_sha256(keys[32:64], origin.mac_out + body)[:MAC_SIZE]
        after = Session(origin, ratchet, pending)
        if pending is None:
            return after, SIGNAL_TYPE, message
        return (
            after,
            PREKEY_TYPE,
            encode_prekey_message(
                origin.local_registration_id,
                pending.one_time_id,
                pending.signed_id,
                pending.kem_id,
                pending.kem_ciphertext,
                origin.base_key,
                origin.ends.local_identity,
                message,
            ),
        )

    def decrypt(
        self, crypto: CryptoProvider, message: SignalMessage, limits: Limits, *, require_addresses: bool = False
    ) -> tuple[Session, bytes]:
        """(next session, plaintext); this value stays as it is, whatever happens (SR-07).

        Raises DuplicateMessage, TooFarAhead, NoSession, BadMac, BadPublicKey; MalformedMessage when the
        message was meant for other addresses (SR-03); Downgrade when they must be there and are not.
        """
        origin = self.origin
        ratchet, keys = self._ratchet.receive(crypto, message.ratchet_key, message.counter, message.pq_ratchet, limits)
        mac = crypto.hmac_sha256(keys[32:64], origin.mac_in + message.authenticated)[:MAC_SIZE]
        if not hmac.compare_digest(mac, message.mac):
            raise BadMac("the message is not genuine, or not of this session")
        if message.addresses:
            if not hmac.compare_digest(message.addresses, origin.addresses_in):
                raise MalformedMessage("meant for another sender or recipient", code="signal.message.addresses")
        elif require_addresses:
            raise Downgrade("the message does not name its ends", code="protocol.downgrade.addresses")
        plaintext = crypto.aes_cbc_decrypt(keys[:32], keys[64:], message.ciphertext)
        return Session(origin, ratchet, None), plaintext

    def pack(self) -> bytes:
        """The session as bytes, for the encrypted store."""
        return pack_session(self.origin, self._ratchet, self._pending)

    @classmethod
    def unpack(cls, crypto: CryptoProvider, data: bytes) -> Session:
        """What `pack` returned. Raises DecodeError on anything else."""
        return cls(*unpack_session(crypto, data))

    def __repr__(self) -> str:
        return f"<Session {self.origin} epoch={self.epoch} acknowledged={self.is_acknowledged}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; use pack (SR-10)")
