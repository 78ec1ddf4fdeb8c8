"""PrivateMessage (RFC 9420 section 6.3): content encrypted with a key of the secret tree, and the sender data that
says which key, encrypted with one that comes from a sample of the ciphertext.

A receiver opens the sender data, asks the secret tree for the key (`stage`), opens the content, verifies the
signature, and only then lets the tree delete the key (`consume`).

Order and shape of the code follow speed: an application message passes here once at either end.
"""

from __future__ import annotations

from ...codec.tls import opaque
from ...errors import InputError
from ...ids import Rng
from ..registries import PRIVATE_MESSAGE
from ..schedule.ratchet import MessageKey, RatchetKind
from ..suites import CipherSuite
from ..wire.framing import (
    AuthenticatedContent,
    ContentType,
    PrivateMessage,
    PrivateMessageContent,
    Sender,
    SenderData,
    SenderType,
)
from ..wire.proposals import ProposalTypes
from .content import UnverifiedContent

__all__ = ["open_private", "open_sender_data", "ratchet_kind", "seal_private"]


def ratchet_kind(content_type: ContentType) -> RatchetKind:
    """Which of the sender's ratchets a message takes its key from (section 6.3.1)."""
    return RatchetKind.APPLICATION if content_type == ContentType.APPLICATION else RatchetKind.HANDSHAKE


def seal_private(
    suite: CipherSuite,
    content: AuthenticatedContent,
    key: MessageKey,
    sender_data_secret: bytes,
    padding: int,
    rng: Rng,
) -> PrivateMessage:
    """Encrypt signed content of a member, with that many zero bytes of padding.

    `key` is the next one of the sender's ratchet of `ratchet_kind(content_type)`, taken for this message alone.
    Raises InputError for another sender than a member and for content signed for another wire format.
    """
    framed = content.content
    if content.wire_format != PRIVATE_MESSAGE:
        raise InputError("signed for another wire format", code="mls.wire_format")
    if framed.sender.sender_type != SenderType.MEMBER:
        raise InputError("only members send encrypted messages", code="mls.sender")
    sender_data_aad = _sender_data_aad(framed.group_id, framed.epoch, framed.content_type)
    reuse_guard = rng(4)
    ciphertext = suite.aead_seal(
        key.key,
        _guarded(key.nonce, reuse_guard),
        PrivateMessageContent.of(framed, content.auth).encode(padding),
        sender_data_aad + opaque(framed.authenticated_data),
    )
    sender_data_key, sender_data_nonce = _sender_data_keys(suite, sender_data_secret, ciphertext)
    sender_data = SenderData(framed.sender.index, key.generation, reuse_guard).encode()
    sealed_sender_data = suite.aead_seal(sender_data_key, sender_data_nonce, sender_data, sender_data_aad)
    return PrivateMessage(
        framed.group_id,
        framed.epoch,
        framed.content_type,
        framed.authenticated_data,
        sealed_sender_data,
        ciphertext,
    )


def open_sender_data(suite: CipherSuite, sender_data_secret: bytes, message: PrivateMessage) -> SenderData:
    """Which key the content needs. Raises BadMac or DecodeError.

    Any member can have written any leaf and generation here: the caller checks that the leaf is not blank
    (section 6.3.2), and the secret tree bounds the jump.
    """
    key, nonce = _sender_data_keys(suite, sender_data_secret, message.ciphertext)
    aad = _sender_data_aad(message.group_id, message.epoch, message.content_type)
    return SenderData.decode(suite.aead_open(key, nonce, message.encrypted_sender_data, aad))


def open_private(
    suite: CipherSuite, message: PrivateMessage, sender_data: SenderData, key: MessageKey, types: ProposalTypes
) -> UnverifiedContent:
    """Decrypt the content with the key that `sender_data` names. Raises BadMac or DecodeError.

    The signature is not verified: every member could have made this message in the name of any other.
    """
    plaintext = suite.aead_open(
        key.key,
        _guarded(key.nonce, sender_data.reuse_guard),
        message.ciphertext,
        _sender_data_aad(message.group_id, message.epoch, message.content_type) + opaque(message.authenticated_data),
    )
    content = PrivateMessageContent.decode(plaintext, message.content_type, types)
    sender = Sender(SenderType.MEMBER, sender_data.leaf_index)
    framed = content.framed(message.group_id, message.epoch, sender, message.authenticated_data)
    return UnverifiedContent(AuthenticatedContent(PRIVATE_MESSAGE, framed, content.auth))


def _sender_data_aad(group_id: bytes, epoch: int, content_type: ContentType) -> bytes:
    """SenderDataAAD; with authenticated_data behind it, it is the PrivateContentAAD."""
    return opaque(group_id) + (epoch << 8 | content_type).to_bytes(9, "big")


def _sender_data_keys(suite: CipherSuite, sender_data_secret: bytes, ciphertext: bytes) -> tuple[bytes, bytes]:
    sample = ciphertext[: suite.hash_length]
    expand = suite.expand_with_label
    return (
        expand(sender_data_secret, "key", sample, suite.key_length),
        expand(sender_data_secret, "nonce", sample, suite.nonce_length),
    )


def _guarded(nonce: bytes, reuse_guard: bytes) -> bytes:
    """The nonce with the reuse guard XORed into its first four bytes."""
    first = int.from_bytes(nonce[:4], "big") ^ int.from_bytes(reuse_guard, "big")
    return first.to_bytes(4, "big") + nonce[4:]
