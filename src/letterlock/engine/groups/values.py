"""The records of groups: what a group's log says, who gets our messages since when, and what waits for the log."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from ...codec import tls
from ...ids import AccountId, ConversationId, DeviceId, GroupName, Instant, MessageId, Number
from ...seam import Content, Header, Key, Party, RecordKind, Seen
from ...trust.group_log_entry import EntryId, Member
from ..record_forms.basics import read_blob, read_text, text

__all__ = [
    "GROUP",
    "GROUP_ENTRY",
    "GROUP_KNOWN",
    "GROUP_LETTER",
    "GROUP_LIST",
    "GROUP_PENDING",
    "GROUP_SINCE",
    "Group",
    "Letter",
    "Since",
    "entry_key",
    "group_key",
    "known_key",
    "letter_key",
    "list_key",
    "pending_entry_key",
    "since_key",
]


@dataclass(frozen=True, slots=True)
class Group:
    """What the log said when it changed last, so that no message has to read the log itself."""

    name: GroupName
    members: tuple[Member, ...] = ()
    """In the order of their ranks; each may remove those behind it."""
    former: tuple[Member, ...] = ()
    """Who is out, the last ones: they still have to hear of it."""
    subject: str = ""
    icon: str = ""
    icon_digest: bytes = b""
    heads: tuple[EntryId, ...] = ()
    """What our messages name."""
    entries: int = 0
    """Stored, under the numbers 0 to `entries` - 1."""
    joined: bool = False
    """We are a member."""
    lacks: tuple[EntryId, ...] = ()
    """Entries that somebody has named and nobody has sent."""
    informant: Party | None = None
    """Who named them last: whom we ask."""
    asked_at: Instant = 0
    asks: int = 0
    """How often we have asked for them."""
    waiting: int = 0
    """Copies for members that wait for keys."""
    met_at: Instant = 0
    """When we first heard of it."""
    ours: bool = False
    """The last change was made by this device: it is the one that brings the conference in line."""
    view: bytes = b""
    """Hash of the claimed roster that was told last, so that it is told once."""

    def member(self, account: AccountId) -> Member | None:
        """The member with this account."""
        return next((member for member in self.members if member.account == account), None)

    def once(self, account: AccountId) -> Member | None:
        """The same of those who are members or have been lately."""
        return self.member(account) or next((each for each in self.former if each.account == account), None)


@dataclass(frozen=True, slots=True)
class Since:
    """After which sequence of ours this member's present devices began to get our messages (ordering.py)."""

    devices: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Letter:
    """Opened and authenticated, but its sender is no member by the log as we know it, and named more of it."""

    party: Party
    content: Content = field(repr=False)
    digest: bytes
    at: Instant


# --- forms -----------------------------------------------------------------------------------------------
def _members(members: tuple[Member, ...]) -> bytes:
    return tls.opaque(b"".join(text(member.number) + member.account for member in members))


def _read_members(reader: tls.Reader) -> tuple[Member, ...]:
    inner = tls.Reader(read_blob(reader))
    found = []
    while inner.more():
        found.append(Member(Number(read_text(inner)), AccountId(inner.take(16))))
    return tuple(found)


def _hashes(hashes: tuple[bytes, ...]) -> bytes:
    return tls.opaque(b"".join(hashes))


def _read_hashes(reader: tls.Reader) -> tuple[bytes, ...]:
    data = read_blob(reader)
    return tuple(data[at : at + 32] for at in range(0, len(data), 32))


def _party(party: Party) -> bytes:
    return text(party.number) + party.account + tls.u8(party.device)


def _read_party(reader: tls.Reader) -> Party:
    return Party(Number(read_text(reader)), AccountId(reader.take(16)), DeviceId(reader.u8()))


_GROUP = struct.Struct(">BIQIIQ")


def _encode_group(group: Group) -> bytes:
    flags = group.joined | (group.informant is not None) << 1 | group.ours << 2
    return b"".join(
        (
            _GROUP.pack(flags, group.entries, group.asked_at, group.asks, group.waiting, group.met_at),
            text(group.name),
            _members(group.members),
            _members(group.former),
            text(group.subject),
            text(group.icon),
            tls.opaque(group.icon_digest),
            _hashes(group.heads),
            _hashes(group.lacks),
            tls.opaque(group.view),
            _party(group.informant) if group.informant is not None else b"",
        )
    )


def _decode_group(data: bytes) -> Group:
    flags, entries, asked_at, asks, waiting, met_at = _GROUP.unpack(data[: _GROUP.size])
    reader = tls.Reader(data[_GROUP.size :])
    name = GroupName(read_text(reader))
    members, former, subject = _read_members(reader), _read_members(reader), read_text(reader)
    icon, digest = read_text(reader), read_blob(reader)
    heads, lacks, view = _read_hashes(reader), _read_hashes(reader), read_blob(reader)
    informant = _read_party(reader) if flags & 2 else None
    reader.end()
    return Group(
        name=name,
        members=members,
        former=former,
        subject=subject,
        icon=icon,
        icon_digest=digest,
        heads=heads,
        entries=entries,
        joined=bool(flags & 1),
        lacks=lacks,
        informant=informant,
        asked_at=asked_at,
        asks=asks,
        waiting=waiting,
        met_at=met_at,
        ours=bool(flags & 4),
        view=view,
    )


def _encode_since(since: Since) -> bytes:
    return struct.pack(">I", since.sequence) + since.devices


def _decode_since(data: bytes) -> Since:
    return Since(data[4:], int.from_bytes(data[:4], "big"))


def _encode_letter(letter: Letter) -> bytes:
    header = letter.content.header
    seen = b"".join(each.account + tls.u8(each.device) + tls.u64(each.sequence) for each in header.seen)
    return b"".join(
        (
            tls.u64(letter.at),
            tls.opaque(letter.digest),
            _party(letter.party),
            _party(header.sender),
            _party(header.recipient),
            header.conversation,
            text(header.message_id),
            tls.u64(header.lamport),
            tls.u64(header.sequence),
            tls.opaque(seen),
            header.sender_list_head,
            header.recipient_list_head,
            letter.content.body,
        )
    )


def _decode_letter(data: bytes) -> Letter:
    reader = tls.Reader(data)
    at, digest, party = reader.u64(), read_blob(reader), _read_party(reader)
    sender, recipient = _read_party(reader), _read_party(reader)
    conversation, message_id = ConversationId(reader.take(16)), MessageId(read_text(reader))
    lamport, sequence, inner = reader.u64(), reader.u64(), tls.Reader(read_blob(reader))
    seen = []
    while inner.more():
        seen.append(Seen(AccountId(inner.take(16)), DeviceId(inner.u8()), inner.u64()))
    header = Header(
        sender, recipient, conversation, message_id, lamport, sequence, tuple(seen), reader.take(32), reader.take(32)
    )
    return Letter(party, Content(header, reader.rest()), digest, at)


# --- kinds and keys ----------------------------------------------------------------------------------------
GROUP: RecordKind[Group] = RecordKind("group", _encode_group, _decode_group)
GROUP_ENTRY: RecordKind[bytes] = RecordKind("group-entry", bytes, bytes)
GROUP_KNOWN: RecordKind[bytes] = RecordKind("group-known", bytes, bytes)
GROUP_PENDING: RecordKind[bytes] = RecordKind("group-pending", bytes, bytes)
GROUP_LIST: RecordKind[bytes] = RecordKind("group-list", bytes, bytes)
GROUP_SINCE: RecordKind[Since] = RecordKind("group-since", _encode_since, _decode_since)
GROUP_LETTER: RecordKind[Letter] = RecordKind("group-letter", _encode_letter, _decode_letter)


def group_key(name: GroupName) -> Key[Group]:
    return Key(GROUP, "group/" + name)


def entry_key(name: GroupName, place: int) -> Key[bytes]:
    """An entry of the log, in the order in which they were admitted."""
    return Key(GROUP_ENTRY, f"group-entry/{name}/{place:08d}")


def known_key(name: GroupName, entry: EntryId) -> Key[bytes]:
    """Stands where an entry was admitted."""
    return Key(GROUP_KNOWN, f"group-known/{name}/{entry.hex()}")


def pending_entry_key(name: GroupName, entry: EntryId) -> Key[bytes]:
    return Key(GROUP_PENDING, f"group-pending/{name}/{entry.hex()}")


def list_key(name: GroupName, account: AccountId, head: bytes) -> Key[bytes]:
    """A device list that proves whose key signed an entry."""
    return Key(GROUP_LIST, f"group-list/{name}/{account.hex()}.{head.hex()}")


def since_key(name: GroupName, account: AccountId) -> Key[Since]:
    return Key(GROUP_SINCE, f"group-since/{name}/{account.hex()}")


def letter_key(name: GroupName, message_id: str, account: AccountId, device: int) -> Key[Letter]:
    return Key(GROUP_LETTER, f"group-letter/{name}/{message_id}/{account.hex()}.{device}")
