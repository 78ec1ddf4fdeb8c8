"""ClientMlsRcsMessage: what a client asks of whoever orders a group. Its field numbers are ours (`Choices.control_numbers`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from ....codec.protobuf import bytes_field, decode, decode_repeated
from ....errors import DecodeError, InputError
from ....ids import Number, number
from ...choices import ControlNumbers
from .fields import ControlLimits, check_size, chunk_field, number_field, read_authenticator, read_text

__all__ = [
    "ClientMessage",
    "MetadataChange",
    "Operation",
    "RosterChange",
    "decode_client_message",
    "encode_client_message",
]


class Operation(IntEnum):
    """What a request to the focus is."""

    NEW_GROUP = 1
    NEW_ERA = 2
    COMMIT = 3
    EXTERNAL_COMMIT = 4
    PROPOSAL = 5


_OPERATIONS: Final = frozenset(Operation)


@dataclass(frozen=True, slots=True)
class RosterChange:
    """The change of the RCS roster that goes with a commit, in the same request."""

    add: tuple[Number, ...] = ()
    remove: tuple[Number, ...] = ()
    leave: bool = False


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """The change of subject or icon that goes with a commit. Empty and None: unchanged."""

    encrypted_subject: bytes | None = field(default=None, repr=False)
    encrypted_icon_url: str | None = field(default=None, repr=False)
    delete_subject: bool = False
    delete_icon: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMessage:
    """ClientMlsRcsMessage. Handshakes, GroupInfo, Welcome and key delivery are MLSMessages; the tree is
    `Node ratchet_tree<V>`. `base_epoch_authenticator` is of the epoch before the commit, the other of the one after."""

    operation: Operation
    era: int
    message_id: str
    commit: bytes = field(default=b"", repr=False)
    proposal: bytes = field(default=b"", repr=False)
    group_info: bytes = field(default=b"", repr=False)
    ratchet_tree: bytes = field(default=b"", repr=False)
    welcome: bytes = field(default=b"", repr=False)
    base_epoch_authenticator: bytes = b""
    epoch_authenticator: bytes = b""
    key_delivery: bytes = field(default=b"", repr=False)
    roster: RosterChange | None = None
    metadata: MetadataChange | None = None


def encode_client_message(message: ClientMessage, numbers: ControlNumbers) -> bytes:
    """The body of `message/mls-rcs-client`."""
    n = numbers
    parts = [
        chunk_field(n.commit, message.commit),
        chunk_field(n.group_info, message.group_info),
        chunk_field(n.ratchet_tree, message.ratchet_tree),
        chunk_field(n.welcome, message.welcome),
        chunk_field(n.base_epoch_authenticator, message.base_epoch_authenticator),
        chunk_field(n.epoch_authenticator, message.epoch_authenticator),
        number_field(n.era, message.era),
        chunk_field(n.key_delivery, message.key_delivery),
        chunk_field(n.message_id, message.message_id.encode()),
        b"" if message.roster is None else bytes_field(n.roster, _encode_roster(message.roster, n)),
        chunk_field(n.proposal, message.proposal),
        b"" if message.metadata is None else bytes_field(n.metadata, _encode_metadata(message.metadata, n)),
        number_field(n.operation, message.operation),
    ]
    return b"".join(parts)


def decode_client_message(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> ClientMessage:
    """Raises DecodeError, LimitExceeded. Which parts an operation needs is for its judge."""
    n = numbers
    check_size(data, limits)
    fields = decode(data)
    operation, era = fields.varints.get(n.operation, 0), fields.varints.get(n.era, 0)
    if operation not in _OPERATIONS:
        raise DecodeError(f"operation {operation}", code="rcc16.control")
    if not 1 <= era <= 0xFFFF_FFFF:
        raise DecodeError("era 0 is no era", code="rcc16.era")

    def part(number: int) -> bytes:
        return fields.chunks.get(number, b"")

    roster, metadata = fields.chunks.get(n.roster), fields.chunks.get(n.metadata)
    return ClientMessage(
        operation=Operation(operation),
        era=era,
        message_id=read_text(part(n.message_id)),
        commit=part(n.commit),
        proposal=part(n.proposal),
        group_info=part(n.group_info),
        ratchet_tree=part(n.ratchet_tree),
        welcome=part(n.welcome),
        base_epoch_authenticator=read_authenticator(part(n.base_epoch_authenticator)),
        epoch_authenticator=read_authenticator(part(n.epoch_authenticator)),
        key_delivery=part(n.key_delivery),
        roster=None if roster is None else _decode_roster(roster, n, limits),
        metadata=None if metadata is None else _decode_metadata(metadata, n),
    )


def _encode_roster(roster: RosterChange, n: ControlNumbers) -> bytes:
    return b"".join(
        (
            *(bytes_field(n.roster_add, one.encode()) for one in roster.add),
            *(bytes_field(n.roster_remove, one.encode()) for one in roster.remove),
            number_field(n.roster_leave, roster.leave),
        )
    )


def _decode_roster(data: bytes, n: ControlNumbers, limits: ControlLimits) -> RosterChange:
    most, fields = limits.max_roster, 2 * limits.max_roster + 1
    add, remove = (
        _numbers(decode_repeated(data, place, max_values=most, max_fields=fields))
        for place in (n.roster_add, n.roster_remove)
    )
    leave = decode(data, max_fields=fields).varints.get(n.roster_leave, 0)
    return RosterChange(add, remove, bool(leave))


def _numbers(raw: tuple[bytes, ...]) -> tuple[Number, ...]:
    try:
        return tuple(number(one.decode("ascii")) for one in raw)
    except (InputError, UnicodeDecodeError):
        raise DecodeError("not a phone number", code="rcc16.control") from None


def _encode_metadata(metadata: MetadataChange, n: ControlNumbers) -> bytes:
    subject, url = metadata.encrypted_subject, metadata.encrypted_icon_url
    return b"".join(
        (
            b"" if subject is None else bytes_field(n.metadata_subject, subject),
            b"" if url is None else bytes_field(n.metadata_icon_url, url.encode()),
            number_field(n.metadata_delete_subject, metadata.delete_subject),
            number_field(n.metadata_delete_icon, metadata.delete_icon),
        )
    )


def _decode_metadata(data: bytes, n: ControlNumbers) -> MetadataChange:
    fields = decode(data)
    url = fields.chunks.get(n.metadata_icon_url)
    return MetadataChange(
        fields.chunks.get(n.metadata_subject),
        None if url is None else read_text(url),
        bool(fields.varints.get(n.metadata_delete_subject, 0)),
        bool(fields.varints.get(n.metadata_delete_icon, 0)),
    )
