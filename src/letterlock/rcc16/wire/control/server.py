"""ServerMlsRcsMessage: what whoever orders a group says; sourced but for the contents of a bundle (rcc16.md 2.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ....codec.protobuf import Fields, bytes_field, decode
from ....errors import DecodeError, LimitExceeded
from ...choices import ControlNumbers
from .epoch import EpochIdentifier, decode_epoch_identifier, encode_epoch_identifier
from .fields import (
    ControlLimits,
    check_size,
    chunk_field,
    is_mls_message,
    read_authenticator,
    read_mls_message,
    read_text,
)

__all__ = [
    "Accepted",
    "CommitBundle",
    "GroupInfoMessage",
    "MlsMessage",
    "ServerMessage",
    "decode_group_info",
    "decode_server_message",
    "encode_group_info",
    "encode_server_message",
]

_DEPTH: Final = 4


@dataclass(frozen=True, slots=True)
class MlsMessage:
    """One MLSMessage: a proposal that waits for a commit."""

    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CommitBundle:
    """A commit, or a Welcome with the tree to join by; `key_delivery` is a PrivateMessage of the epoch after it."""

    handshake: bytes = field(repr=False)
    ratchet_tree: bytes = field(default=b"", repr=False)
    key_delivery: bytes = field(default=b"", repr=False)
    epoch_authenticator: bytes = b""


@dataclass(frozen=True, slots=True)
class GroupInfoMessage:
    """MlsGroupInfo: what an external commit needs."""

    group_info: bytes = field(repr=False)
    ratchet_tree: bytes = field(repr=False)
    epoch_authenticator: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took our message; `identifier` is where the group stands because of it. Never given to MLS."""

    message_id: str
    identifier: EpochIdentifier | None


ServerMessage: TypeAlias = MlsMessage | CommitBundle | GroupInfoMessage | Accepted


def encode_server_message(message: ServerMessage, numbers: ControlNumbers) -> bytes:
    """The body of `message/mls-rcs-server`."""
    n = numbers
    match message:
        case MlsMessage(raw):
            return bytes_field(1, raw)
        case CommitBundle(handshake, tree, delivery, authenticator):
            bundle = (
                chunk_field(n.bundle_handshake, handshake),
                chunk_field(n.bundle_ratchet_tree, tree),
                chunk_field(n.bundle_key_delivery, delivery),
                chunk_field(n.bundle_epoch_authenticator, authenticator),
            )
            return bytes_field(2, b"".join(bundle))
        case GroupInfoMessage():
            return bytes_field(3, encode_group_info(message))
        case Accepted(message_id, identifier):
            where = b"" if identifier is None else encode_epoch_identifier(identifier)
            return bytes_field(4, chunk_field(1, message_id.encode()) + chunk_field(2, where))


def decode_server_message(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> ServerMessage:
    """Raises DecodeError, LimitExceeded. A bundle inside a bundle, as one deployed server sends, gives the inner one."""
    check_size(data, limits)
    for _ in range(_DEPTH):
        fields = decode(data)
        arms = [arm for arm in (1, 2, 3, 4) if arm in fields.chunks]
        if len(arms) != 1:
            raise DecodeError("a server message says exactly one thing", code="rcc16.control")
        body = fields.chunks[arms[0]]
        if arms[0] == 1:
            return MlsMessage(read_mls_message(body))
        if arms[0] == 3:
            return decode_group_info(decode(body))
        if arms[0] == 4:
            return _decode_accepted(decode(body))
        inner = decode(body)
        handshake = inner.chunks.get(numbers.bundle_handshake, b"")
        if is_mls_message(handshake):
            return CommitBundle(
                handshake,
                inner.chunks.get(numbers.bundle_ratchet_tree, b""),
                inner.chunks.get(numbers.bundle_key_delivery, b""),
                read_authenticator(inner.chunks.get(numbers.bundle_epoch_authenticator, b"")),
            )
        data = handshake
    raise LimitExceeded(f"bundles nested more than {_DEPTH} deep", code="rcc16.limit")


def _decode_accepted(fields: Fields) -> Accepted:
    message_id = read_text(fields.chunks.get(1, b""))
    if not message_id:
        raise DecodeError("nothing was accepted", code="rcc16.control")
    where = fields.chunks.get(2, b"")
    # Opaque in the source; one that is no identifier says nothing.
    try:
        return Accepted(message_id, decode_epoch_identifier(where) if where else None)
    except DecodeError:
        return Accepted(message_id, None)


def encode_group_info(message: GroupInfoMessage) -> bytes:
    return b"".join(
        (
            chunk_field(1, message.group_info),
            chunk_field(2, message.ratchet_tree),
            chunk_field(4, message.epoch_authenticator),
        )
    )


def decode_group_info(fields: Fields) -> GroupInfoMessage:
    return GroupInfoMessage(
        read_mls_message(fields.chunks.get(1, b"")),
        fields.chunks.get(2, b""),
        read_authenticator(fields.chunks.get(4, b"")),
    )
