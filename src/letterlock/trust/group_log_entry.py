"""One entry of a group's membership log: its bytes, its name, and its author's signature.

An entry is one change to a group, signed by the identity key of the device that made it. It names the
entries that its author knew as the newest (`parents`), so the entries of a group form a graph without
cycles. What the graph means is in group_log_state.py; normative text and vectors: docs/spec/group-log.md.
"""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .. import ids
from ..codec import tls
from ..crypto.provider import CryptoProvider
from ..errors import CryptoError, DecodeError, InputError, LimitExceeded, ProtocolError
from ..ids import AccountId, DeviceId, GroupId, Instant, Number
from ..seam import Party
from . import labels
from .device_entry import Sign

__all__ = [
    "LIMITS",
    "Add",
    "Author",
    "Create",
    "Entry",
    "EntryId",
    "GroupLimits",
    "Icon",
    "Leave",
    "Member",
    "Operation",
    "Remove",
    "Revoke",
    "Subject",
    "Unknown",
    "check_signature",
    "decode_entry",
    "sign_entry",
]

EntryId: TypeAlias = bytes
"""32 bytes: a hash of the entry without its signature, so that signing again makes no other entry."""

_VERSION = 1
_SIGNATURE_BYTES = 64
_KEY_BYTES = 33
_NO_GROUP = bytes(16)
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """Bounds of the format and of what one reader keeps; the values of docs/spec/group-log.md are `LIMITS`."""

    max_members: int
    max_entries: int
    max_entries_of_account: int
    max_times_named: int
    """How often one account may be added."""
    max_named: int
    """Members in all entries that add somebody, together."""
    max_parents: int
    max_entry: int
    max_subject: int
    max_pointer: int
    max_pending: int


LIMITS = GroupLimits(
    max_members=1_000,
    max_entries=4_096,
    max_entries_of_account=1_024,
    max_times_named=64,
    max_named=8_192,
    max_parents=16,
    max_entry=49_152,
    max_subject=256,
    max_pointer=1_024,
    max_pending=256,
)


# --- who and what --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Member:
    """An account under the number that it had when it was added. Whoever adds it vouches for the pair."""

    number: Number
    account: AccountId


@dataclass(frozen=True, slots=True)
class Author:
    """The device that made an entry, and the identity key (0x05 and 32 bytes) that signed it."""

    party: Party
    identity_key: bytes


@dataclass(frozen=True, slots=True)
class Create:
    """The first entry. The author is the first member, `members` follow in this order. The nonce makes the group's id."""

    members: tuple[Member, ...]
    subject: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Add:
    """These are members from here on."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """This account is no member any more, nor by any addition that its author did not know of."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Leave:
    """The author's account is no member any more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The group is called so."""

    subject: str


@dataclass(frozen=True, slots=True)
class Icon:
    """The group's picture: a hash of its bytes and where to fetch it. Empty `pointer`: none."""

    digest: bytes
    pointer: str


@dataclass(frozen=True, slots=True)
class Revoke:
    """This key of a device of the author's account no longer signs; what it signed without being known here is void."""

    identity_key: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """An operation of a later version: kept and passed on, without any effect here."""

    code: int
    body: bytes = field(repr=False)


Operation: TypeAlias = Create | Add | Remove | Leave | Subject | Icon | Revoke | Unknown

_CODES: dict[type[Operation], int] = {Create: 1, Add: 2, Remove: 3, Leave: 4, Subject: 5, Icon: 6, Revoke: 7}


@dataclass(frozen=True, slots=True)
class Entry:
    """A decoded entry. What it says counts only in a GroupLog, which checks signature and author."""

    group: GroupId
    parents: tuple[EntryId, ...]
    author: Author
    time: Instant
    """The author's clock, for people; it decides nothing."""
    operation: Operation
    id: EntryId
    encoded: bytes = field(repr=False)


# --- making and checking ---------------------------------------------------------------------------
def sign_entry(
    group: GroupId | None,
    parents: Sequence[EntryId],
    author: Author,
    time: Instant,
    operation: Operation,
    sign: Sign,
    limits: GroupLimits,
) -> Entry:
    """A new entry; `group` is None for one that creates a group. `sign` gives an XEdDSA signature by the author's
    identity key. Raises InputError for one that readers would refuse."""
    try:
        body = b"".join(
            (
                tls.u8(_VERSION),
                group or _NO_GROUP,
                tls.opaque(b"".join(sorted(parents))),
                tls.opaque(author.party.number.encode()),
                author.party.account,
                tls.u8(author.party.device),
                author.identity_key,
                tls.u64(time),
                tls.u8(_CODES[type(operation)]),
                tls.opaque(_encode_operation(operation)),
            )
        )
        decode_entry(body + bytes(_SIGNATURE_BYTES), limits)
    except (DecodeError, UnicodeEncodeError) as error:
        raise InputError(f"the group cannot be changed so: {error}", code="input.group") from error
    return decode_entry(body + sign(labels.GROUP_ENTRY_SIGNATURE + body), limits)


def check_signature(entry: Entry, crypto: CryptoProvider) -> None:
    """Whether the named key signed it (SR-12, SR-23). Whose key that is, is another question. Raises ProtocolError."""
    body, signature = entry.encoded[:-_SIGNATURE_BYTES], entry.encoded[-_SIGNATURE_BYTES:]
    try:
        crypto.x25519_check(entry.author.identity_key[1:])
        crypto.xeddsa_verify(entry.author.identity_key[1:], labels.GROUP_ENTRY_SIGNATURE + body, signature)
    except CryptoError as error:
        raise ProtocolError("signature of a group entry does not hold", code="group.signature") from error


def decode_entry(data: bytes, limits: GroupLimits) -> Entry:
    """Read an entry. Raises DecodeError, LimitExceeded; says nothing about trust."""
    if len(data) > limits.max_entry:
        raise LimitExceeded(f"group entry of {len(data)} bytes", code="group.limit")
    reader = tls.Reader(data)
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(
            f"group entry version {version}",
            code="group.version",
            hint="somebody in the group runs a newer Letterlock; update this one",
        )
    group = GroupId(reader.take(16))
    parents = _parents(reader.opaque(32 * limits.max_parents))
    number = _number(reader.opaque(16))
    account, device = AccountId(reader.take(16)), _device(reader.u8())
    identity_key, time, code = reader.take(_KEY_BYTES), reader.u64(), reader.u8()
    if identity_key[0] != 0x05:
        raise DecodeError("identity key is not of type 5", code="group.identity_key")
    operation = _operation(code, reader.opaque(limits.max_entry), limits)
    body = data[: reader.position]
    reader.take(_SIGNATURE_BYTES)
    reader.end()
    author = Author(Party(number, account, device), identity_key)
    if isinstance(operation, Create):
        if group != _NO_GROUP or parents:
            raise DecodeError("the first entry follows nothing", code="group.parents")
        if any(member.account == account for member in operation.members):
            raise DecodeError("the creator is a member already", code="group.members")
        group = GroupId(hashlib.sha256(labels.GROUP_ID + body).digest()[:16])
    elif not parents:
        raise DecodeError("only the first entry follows nothing", code="group.parents")
    if isinstance(operation, Revoke) and (device != 1 or operation.identity_key == identity_key):
        # The primary signs the device list; it alone says that another device is gone.
        raise DecodeError("only the primary revokes, and not itself", code="group.revoke")
    entry_id = hashlib.sha256(labels.GROUP_ENTRY_ID + body).digest()
    return Entry(group, parents, author, time, operation, entry_id, data)


# --- codec -----------------------------------------------------------------------------------------
def _encode_operation(operation: Operation) -> bytes:
    match operation:
        case Create(members=members, subject=subject, nonce=nonce):
            return tls.opaque(_encode_members(members)) + tls.opaque(subject.encode()) + nonce
        case Add(members=members):
            return _encode_members(members)
        case Remove(account=account):
            return account
        case Leave():
            return b""
        case Subject(subject=subject):
            return subject.encode()
        case Icon(digest=digest, pointer=pointer):
            return digest + pointer.encode()
        case Revoke(identity_key=identity_key):
            return identity_key
        case Unknown(body=body):
            return body


def _encode_members(members: tuple[Member, ...]) -> bytes:
    return b"".join(tls.opaque(member.number.encode()) + member.account for member in members)


def _operation(code: int, body: bytes, limits: GroupLimits) -> Operation:
    reader = tls.Reader(body)
    operation: Operation
    if code == 1:
        members = _members(reader.opaque(limits.max_entry), limits.max_members - 1)
        operation = Create(members, _subject(reader.opaque(limits.max_subject)), reader.take(32))
    elif code == 2:
        operation = Add(_members(reader.rest(), limits.max_members))
        if not operation.members:
            raise DecodeError("nobody is added", code="group.members")
    elif code == 3:
        operation = Remove(AccountId(reader.take(16)))
    elif code == 4:
        operation = Leave()
    elif code == 5:
        if len(body) > limits.max_subject:
            raise LimitExceeded("subject too long", code="group.limit")
        operation = Subject(_subject(reader.rest()))
    elif code == 6:
        if len(body) > 32 + limits.max_pointer:
            raise LimitExceeded("pointer too long", code="group.limit")
        operation = Icon(reader.take(32), _text(reader.rest()))
    elif code == 7:
        operation = Revoke(reader.take(_KEY_BYTES))
    else:
        return Unknown(code, body)
    reader.end()
    return operation


def _parents(data: bytes) -> tuple[EntryId, ...]:
    if len(data) % 32:
        raise DecodeError("parents are hashes of 32 bytes", code="group.parents")
    parents = tuple(data[at : at + 32] for at in range(0, len(data), 32))
    if any(a >= b for a, b in itertools.pairwise(parents)):
        raise DecodeError("parents are not in order, each once", code="group.parents")
    return parents


def _members(data: bytes, most: int) -> tuple[Member, ...]:
    reader = tls.Reader(data)
    found: dict[AccountId, Member] = {}
    while reader.more():
        if len(found) >= most:
            raise LimitExceeded(f"more than {most} members", code="group.limit")
        member = Member(_number(reader.opaque(16)), AccountId(reader.take(16)))
        if member.account in found:
            raise DecodeError("an account stands twice", code="group.members")
        found[member.account] = member
    return tuple(found.values())


def _subject(data: bytes) -> str:
    text = _text(data)
    # Controls and bidirectional overrides could make one name look like another. What no Unicode version has
    # assigned yet passes: else a newer emoji would split the group between older and newer Pythons.
    if any(c in _BIDIRECTIONAL or unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp") for c in text):
        raise DecodeError("subject is not printable", code="group.subject")
    return text


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DecodeError("text is not UTF-8", code="group.text") from None


def _number(data: bytes) -> Number:
    try:
        return ids.number(data.decode("ascii"))
    except (UnicodeDecodeError, InputError) as error:
        raise DecodeError("not a phone number", code="group.number") from error


def _device(value: int) -> DeviceId:
    try:
        return ids.device_id(value)
    except InputError as error:
        raise DecodeError("not a device id", code="group.device") from error
