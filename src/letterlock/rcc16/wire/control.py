"""What clients and the focus tell each other (rcc16.md 2.6), protobuf.

Messages of a server have sourced field numbers but for the contents of a bundle; those of a client are ours (the
contract's table, `Choices.control_numbers`). Missing bytes fields read as empty, as proto3 has it; what has to be there
is said by whoever needs it. Reading is bounded: bundles nest to a depth of four, rosters and pages to what is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from ...codec.protobuf import Fields, bytes_field, decode, decode_repeated, varint_field
from ...codec.tls import Reader
from ...errors import DecodeError, InputError, LimitExceeded
from ...ids import Number, number
from ..choices import ControlNumbers
from .file_info import FileInfo, decode_file_info, encode_file_info

__all__ = [
    "Accepted",
    "ClientMessage",
    "CommitBundle",
    "ControlLimits",
    "ControlMessage",
    "EndReason",
    "EnhancedGroupInfo",
    "EpochIdentifier",
    "GroupInfoMessage",
    "MetadataChange",
    "MetadataKeys",
    "MlsMessage",
    "Operation",
    "RosterChange",
    "ServerMessage",
    "decode_client_message",
    "decode_end_metadata",
    "decode_enhanced_group_info",
    "decode_epoch_identifier",
    "decode_metadata_keys",
    "decode_server_message",
    "encode_client_message",
    "encode_end_metadata",
    "encode_enhanced_group_info",
    "encode_epoch_identifier",
    "encode_metadata_keys",
    "encode_server_message",
]

_AUTHENTICATOR: Final = 32
_TOKEN: Final = 32
_DEPTH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimits:
    """Bounds, checked before memory is taken (SR-08)."""

    max_size: int
    max_roster: int
    max_page: int
    """Control messages in one answer to a pull."""


# --- where a group stands ------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class EpochIdentifier:
    """One state of a group: equal numbers with another authenticator are another state."""

    era: int
    epoch: int
    authenticator: bytes


def encode_epoch_identifier(identifier: EpochIdentifier) -> bytes:
    """Also the body of a pull."""
    return b"".join(
        (
            _number(1, identifier.era),
            _number(2, identifier.epoch),
            _bytes(3, identifier.authenticator),
        )
    )


def decode_epoch_identifier(data: bytes) -> EpochIdentifier:
    """Raises DecodeError."""
    fields = decode(data)
    era, authenticator = fields.varints.get(1, 0), fields.chunks.get(3, b"")
    if not 1 <= era <= 0xFFFF_FFFF or len(authenticator) != _AUTHENTICATOR:
        raise DecodeError("not the name of an epoch", code="rcc16.epoch_identifier")
    return EpochIdentifier(era, fields.varints.get(2, 0), authenticator)


# --- what a client sends ---------------------------------------------------------------------------------------
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
        _bytes(n.commit, message.commit),
        _bytes(n.group_info, message.group_info),
        _bytes(n.ratchet_tree, message.ratchet_tree),
        _bytes(n.welcome, message.welcome),
        _bytes(n.base_epoch_authenticator, message.base_epoch_authenticator),
        _bytes(n.epoch_authenticator, message.epoch_authenticator),
        _number(n.era, message.era),
        _bytes(n.key_delivery, message.key_delivery),
        _bytes(n.message_id, message.message_id.encode()),
        b"" if message.roster is None else bytes_field(n.roster, _encode_roster(message.roster, n)),
        _bytes(n.proposal, message.proposal),
        b"" if message.metadata is None else bytes_field(n.metadata, _encode_metadata(message.metadata, n)),
        _number(n.operation, message.operation),
    ]
    return b"".join(parts)


def decode_client_message(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> ClientMessage:
    """Raises DecodeError, LimitExceeded. Which parts an operation needs is for its judge."""
    n = numbers
    _check_size(data, limits)
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
        message_id=_text(part(n.message_id)),
        commit=part(n.commit),
        proposal=part(n.proposal),
        group_info=part(n.group_info),
        ratchet_tree=part(n.ratchet_tree),
        welcome=part(n.welcome),
        base_epoch_authenticator=_authenticator(part(n.base_epoch_authenticator)),
        epoch_authenticator=_authenticator(part(n.epoch_authenticator)),
        key_delivery=part(n.key_delivery),
        roster=None if roster is None else _decode_roster(roster, n, limits),
        metadata=None if metadata is None else _decode_metadata(metadata, n),
    )


def _encode_roster(roster: RosterChange, n: ControlNumbers) -> bytes:
    return b"".join(
        (
            *(bytes_field(n.roster_add, one.encode()) for one in roster.add),
            *(bytes_field(n.roster_remove, one.encode()) for one in roster.remove),
            _number(n.roster_leave, roster.leave),
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
            _number(n.metadata_delete_subject, metadata.delete_subject),
            _number(n.metadata_delete_icon, metadata.delete_icon),
        )
    )


def _decode_metadata(data: bytes, n: ControlNumbers) -> MetadataChange:
    fields = decode(data)
    url = fields.chunks.get(n.metadata_icon_url)
    return MetadataChange(
        fields.chunks.get(n.metadata_subject),
        None if url is None else _text(url),
        bool(fields.varints.get(n.metadata_delete_subject, 0)),
        bool(fields.varints.get(n.metadata_delete_icon, 0)),
    )


# --- what a server sends -----------------------------------------------------------------------------------------
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
                _bytes(n.bundle_handshake, handshake),
                _bytes(n.bundle_ratchet_tree, tree),
                _bytes(n.bundle_key_delivery, delivery),
                _bytes(n.bundle_epoch_authenticator, authenticator),
            )
            return bytes_field(2, b"".join(bundle))
        case GroupInfoMessage():
            return bytes_field(3, _encode_group_info(message))
        case Accepted(message_id, identifier):
            where = b"" if identifier is None else encode_epoch_identifier(identifier)
            return bytes_field(4, _bytes(1, message_id.encode()) + _bytes(2, where))


def decode_server_message(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> ServerMessage:
    """Raises DecodeError, LimitExceeded. A bundle inside a bundle, as one deployed server sends, gives the inner one."""
    _check_size(data, limits)
    for _ in range(_DEPTH):
        fields = decode(data)
        arms = [arm for arm in (1, 2, 3, 4) if arm in fields.chunks]
        if len(arms) != 1:
            raise DecodeError("a server message says exactly one thing", code="rcc16.control")
        body = fields.chunks[arms[0]]
        if arms[0] == 1:
            return MlsMessage(_mls_message(body))
        if arms[0] == 3:
            return _decode_group_info(decode(body))
        if arms[0] == 4:
            return _decode_accepted(decode(body))
        inner = decode(body)
        handshake = inner.chunks.get(numbers.bundle_handshake, b"")
        if _is_mls_message(handshake):
            return CommitBundle(
                handshake,
                inner.chunks.get(numbers.bundle_ratchet_tree, b""),
                inner.chunks.get(numbers.bundle_key_delivery, b""),
                _authenticator(inner.chunks.get(numbers.bundle_epoch_authenticator, b"")),
            )
        data = handshake
    raise LimitExceeded(f"bundles nested more than {_DEPTH} deep", code="rcc16.limit")


def _decode_accepted(fields: Fields) -> Accepted:
    message_id = _text(fields.chunks.get(1, b""))
    if not message_id:
        raise DecodeError("nothing was accepted", code="rcc16.control")
    where = fields.chunks.get(2, b"")
    # Opaque in the source; one that is no identifier says nothing.
    try:
        return Accepted(message_id, decode_epoch_identifier(where) if where else None)
    except DecodeError:
        return Accepted(message_id, None)


def _encode_group_info(message: GroupInfoMessage) -> bytes:
    return b"".join(
        (
            _bytes(1, message.group_info),
            _bytes(2, message.ratchet_tree),
            _bytes(4, message.epoch_authenticator),
        )
    )


def _decode_group_info(fields: Fields) -> GroupInfoMessage:
    return GroupInfoMessage(
        _mls_message(fields.chunks.get(1, b"")),
        fields.chunks.get(2, b""),
        _authenticator(fields.chunks.get(4, b"")),
    )


# --- what was missed ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ControlMessage:
    """A control message of the past, under the id that it came with."""

    message_id: str
    message: ServerMessage


@dataclass(frozen=True, slots=True)
class EnhancedGroupInfo:
    """MlsEnhancedGroupInfo: the answer to a pull. `page_end` None: there are no more pages, and if the messages do
    not reach `latest`, only an external commit does."""

    latest: EpochIdentifier
    group_info: GroupInfoMessage
    messages: tuple[ControlMessage, ...] = ()
    page_end: EpochIdentifier | None = None


def encode_enhanced_group_info(info: EnhancedGroupInfo, numbers: ControlNumbers) -> bytes:
    """The body of the answer."""
    return b"".join(
        (
            bytes_field(2, encode_epoch_identifier(info.latest)),
            bytes_field(3, _encode_group_info(info.group_info)),
            *(
                bytes_field(
                    4, _bytes(1, one.message_id.encode()) + bytes_field(2, encode_server_message(one.message, numbers))
                )
                for one in info.messages
            ),
            b"" if info.page_end is None else bytes_field(5, encode_epoch_identifier(info.page_end)),
        )
    )


def decode_enhanced_group_info(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> EnhancedGroupInfo:
    """Raises DecodeError, LimitExceeded: also for an answer without GroupInfo, tree, or authenticator (rcc16.md 2.6)."""
    _check_size(data, limits)
    fields = decode(data, max_fields=limits.max_page + 8)
    group_info = _decode_group_info(decode(fields.chunks.get(3, b"")))
    if not group_info.group_info or not group_info.ratchet_tree:
        raise DecodeError("an answer without GroupInfo or tree", code="rcc16.control")
    page_end = fields.chunks.get(5)
    return EnhancedGroupInfo(
        decode_epoch_identifier(fields.chunks.get(2, b"")),
        group_info,
        tuple(_control_message(raw, numbers, limits) for raw in _pages(data, limits)),
        None if page_end is None else decode_epoch_identifier(page_end),
    )


def _pages(data: bytes, limits: ControlLimits) -> tuple[bytes, ...]:
    return decode_repeated(data, 4, max_values=limits.max_page, max_fields=limits.max_page + 8)


def _control_message(data: bytes, numbers: ControlNumbers, limits: ControlLimits) -> ControlMessage:
    fields = decode(data)
    return ControlMessage(
        _text(fields.chunks.get(1, b"")), decode_server_message(fields.chunks.get(2, b""), numbers, limits)
    )


# --- keys, and the end ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MetadataKeys:
    """GroupMetadataKeys: what a member that came back asks for."""

    continuity_token: bytes = field(repr=False)
    keys: FileInfo


def encode_metadata_keys(keys: MetadataKeys) -> bytes:
    return _bytes(1, keys.continuity_token) + bytes_field(2, encode_file_info(keys.keys))


def decode_metadata_keys(data: bytes) -> MetadataKeys:
    """Raises DecodeError."""
    chunks = decode(data).chunks
    token = chunks.get(1, b"")
    if token and len(token) != _TOKEN:
        raise DecodeError("a continuity token of another length", code="rcc16.continuity")
    return MetadataKeys(token, decode_file_info(chunks.get(2, b"")))


class EndReason(IntEnum):
    """Why a group runs unencrypted: EndMlsMetadata.downgrade_reason."""

    UNSET = 0
    SERVER_FAILURE_ENCRYPTION_NOT_AVAILABLE = 1
    CLIENT_FAILURE_ENCRYPTION_NOT_AVAILABLE = 2
    MEMBER_FAILS_CAPABILITIES = 3
    UNTRUSTED_ROOT = 4
    CONTINUITY_TOKEN_MISMATCH = 5
    CONTINUITY_TOKEN_NOT_RECEIVED = 6
    PERSISTENT_REFRESH_FAILURE = 7
    CANNOT_FETCH_KEYPACKAGES = 8
    INTERNAL_CLIENT_ERROR = 9
    OUTGOING_COMMIT_FAILED = 10
    ERA_ADVANCEMENT_QUOTA_REACHED = 11


_END_REASONS: Final = frozenset(EndReason)


def encode_end_metadata(reason: EndReason) -> bytes:
    """EndMlsMetadata."""
    return _number(1, reason)


def decode_end_metadata(data: bytes) -> EndReason:
    """UNSET for a reason that nobody knows. Raises DecodeError."""
    number = decode(data).varints.get(1, 0)
    return EndReason(number) if number in _END_REASONS else EndReason.UNSET


# --- inside -----------------------------------------------------------------------------------------------------------
def _check_size(data: bytes, limits: ControlLimits) -> None:
    if len(data) > limits.max_size:
        raise LimitExceeded(f"{len(data)} bytes, at most {limits.max_size} allowed", code="rcc16.limit")


def _number(number: int, value: int) -> bytes:
    """proto3 leaves out what is zero."""
    return varint_field(number, int(value)) if value else b""


def _bytes(number: int, value: bytes) -> bytes:
    return bytes_field(number, value) if value else b""


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise DecodeError("text that is not UTF-8", code="rcc16.control") from None


def _authenticator(raw: bytes) -> bytes:
    if raw and len(raw) != _AUTHENTICATOR:
        raise DecodeError("an epoch authenticator of another length", code="rcc16.control")
    return raw


def _is_mls_message(raw: bytes) -> bool:
    """MLSMessage begins with version 1 in two bytes; no protobuf message begins with a zero."""
    return raw[:2] == b"\x00\x01"


def _mls_message(raw: bytes) -> bytes:
    """Bare, or behind its length: both were seen (rcc16.md 2.6)."""
    if not raw or _is_mls_message(raw):
        return raw
    reader = Reader(raw)
    inner = reader.vector()
    reader.end()
    return inner
