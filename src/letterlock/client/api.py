"""What can be asked of a profile, whether this process owns it (`local/`) or another one does (`remote/`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..codec.ft_http import RemoteFile
from ..codec.push_subscription import Subscription
from ..engine.content import File, FileFormat, Sendable
from ..engine.events import Recorded
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..engine.view import MessageView
from ..files.pointer import FilePointer
from ..ids import ChatName, GroupName, Instant, MessageId, Number, Peer
from ..rcc16.wire.file_info import FileMetadata
from ..trust import SecurityCode
from .files.cached import CacheInfo
from .files.records import TransferInfo
from .history import HistoryApi

__all__ = [
    "MOST_MESSAGES",
    "CertificateInfo",
    "ChatState",
    "Delivered",
    "DeviceInfo",
    "EncryptionInfo",
    "GroupInfo",
    "GroupMember",
    "Me",
    "ProfileApi",
    "SmsInfo",
]

MOST_MESSAGES = 1_000
"""Of a chat's history at once."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who this profile is."""

    number: Number
    account: str
    device: int
    name: str
    primary: bool


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device of our own list."""

    device: int
    name: str
    added_at: int
    this: bool


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One member. `security` is the state of its keys; `current` False: the number has other keys now than the ones that
    were added, and gets nothing until it is added again; `removable`: it came after us."""

    number: Number
    account: str
    security: Security
    current: bool
    me: bool
    removable: bool


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group as its members have signed it. `members` in the order in which they came: each may remove those behind it.

    `joined` False: we were removed or have left. `icon` is where the picture lies, `icon_digest` the SHA-256 of its bytes;
    of a group by RCC.16 its ciphertext lies there, and the digest only tells it from another one: `Group.fetch_picture`.
    """

    group: GroupName
    subject: str
    members: tuple[GroupMember, ...]
    joined: bool
    security: Security
    cursor: int
    icon: str = ""
    icon_digest: bytes = b""
    protocol: str = "signal"
    """`signal`: a log that the members sign, and sessions with each. `rcc16`: an MLS group that the focus orders."""


@dataclass(frozen=True, slots=True)
class EncryptionInfo:
    """By which protocol a chat goes, and how that stands. `era`, `epoch` and `health` are of `rcc16` alone.

    `health` is the state of repair, `healthy` when there is nothing to repair (rcc16.md 5.1).
    """

    chat: ChatName
    protocol: str
    security: Security
    era: int = 0
    epoch: int = 0
    health: str = ""


@dataclass(frozen=True, slots=True)
class SmsInfo:
    """The account for SMS, without its password."""

    host: str
    port: int
    username: str
    tls: bool


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """What this device has at the key distribution server. `ready`: it can be encrypted to by RCC.16.

    `not_after` is when the certificate ends, 0 if there is none; `packages` how many key packages were published last;
    `trouble` what the last request to the server came to, empty when it was answered.
    """

    ready: bool
    not_after: Instant
    packages: int
    trouble: str


class Delivered(NamedTuple):
    """How many members have a message of ours, and have seen it, of how many it was for."""

    delivered: int
    displayed: int
    members: int


class ChatState(NamedTuple):
    """The security state of a chat as it was after the event with this cursor."""

    number: ChatName
    security: Security
    cursor: int


class ProfileApi(HistoryApi, Protocol):
    """Every method raises StoreError when the profile cannot be used, ConnectionLost when its owner went away."""

    me: Me
    shared: bool
    """Whether another process does the work, and may end in the middle of it."""

    def security(self, number: ChatName) -> Security: ...
    async def capabilities(self, number: Number, fresh: bool) -> tuple[str, ...] | None: ...
    async def set_push(self, push: Subscription | None) -> None: ...
    async def open_chat(self, number: Peer) -> ChatState: ...
    async def chats(self) -> Sequence[ChatState]: ...
    async def send(
        self,
        number: ChatName,
        content: Sendable,
        allow: PlainOption | None,
        wait: bool,
        request: str,
        message_id: str = "",
        only_encrypted: bool = False,
        keep: bool = False,
    ) -> MessageId: ...
    async def keep_waiting(self, number: ChatName) -> None: ...
    async def options(self, number: ChatName) -> Sequence[PlainOption]: ...
    async def release(self, number: Number, allow: PlainOption) -> int: ...
    async def typing(self, number: Number, active: bool) -> None: ...
    async def mark_displayed(self, number: ChatName, message_id: MessageId) -> None: ...
    async def messages(self, number: ChatName, limit: int, before: str) -> Sequence[MessageView]: ...
    async def find(self, number: ChatName, message_id: MessageId) -> Sequence[MessageView]: ...
    async def carried(self, medium: str) -> bool: ...
    async def security_code(self, number: Number) -> SecurityCode: ...
    async def verify(self, number: Number, scanned: bytes | None, last_group: str | None) -> None: ...
    async def accept_keys(self, number: Number) -> None: ...
    async def create_group(self, numbers: Sequence[Number], subject: str, request: str, protocol: str) -> GroupName: ...
    async def group(self, group: GroupName) -> GroupInfo: ...
    async def groups(self) -> Sequence[GroupInfo]: ...
    async def add_members(self, group: GroupName, numbers: Sequence[Number], request: str) -> None: ...
    async def remove_member(self, group: GroupName, number: Number, request: str) -> None: ...
    async def leave_group(self, group: GroupName, request: str) -> None: ...
    async def set_subject(self, group: GroupName, subject: str, request: str) -> None: ...
    async def set_icon(self, group: GroupName, digest: bytes, url: str, request: str) -> None: ...
    async def set_sealed_icon(self, group: GroupName, file: File, request: str) -> None: ...
    async def icon(self, group: GroupName) -> File | None: ...
    async def encryption(self, number: ChatName) -> EncryptionInfo: ...
    async def end_encryption(self, number: ChatName) -> None: ...
    async def revive_encryption(self, number: ChatName) -> None: ...
    async def retry_encryption(self, number: ChatName) -> None: ...
    async def certificate(self) -> CertificateInfo | None: ...
    async def sms(self) -> SmsInfo | None: ...
    async def delivered(self, message_id: MessageId) -> Delivered: ...
    async def devices(self) -> Sequence[DeviceInfo]: ...
    async def device_offer(self) -> str: ...
    async def add_device(self, request: str) -> int: ...
    async def vouch_for_device(self, request: str) -> str: ...
    async def remove_device(self, device: int) -> None: ...
    async def file_format(self, number: ChatName, wait: bool = False) -> FileFormat: ...
    async def upload(
        self,
        transfer: str,
        path: str,
        name: str,
        content_type: str,
        thumbnail: str | None,
        thumbnail_type: str,
        form: FileFormat = FileFormat.PLAIN,
        described: bool = True,
    ) -> TransferInfo: ...
    async def download(
        self,
        transfer: str,
        file: RemoteFile,
        size: int | None,
        to: str,
        sha256: bytes | None,
        sealed: FileMetadata | None = None,
    ) -> TransferInfo: ...
    async def download_sealed(self, transfer: str, pointer: FilePointer, to: str, thumbnail: bool) -> TransferInfo: ...
    async def read_file(
        self, reader: str, pointer: FilePointer, thumbnail: bool, offset: int, length: int
    ) -> bytes: ...
    async def close_file(self, reader: str) -> None: ...
    async def cache(self) -> CacheInfo: ...
    async def prune_cache(self, to: int) -> int: ...
    async def set_cache_budget(self, budget: int) -> None: ...
    async def transfers(self) -> Sequence[TransferInfo]: ...
    async def transfer(self, transfer: str) -> TransferInfo: ...
    async def pause_transfer(self, transfer: str) -> TransferInfo: ...
    async def resume_transfer(self, transfer: str) -> TransferInfo: ...
    async def cancel_transfer(self, transfer: str) -> None: ...
    async def cursor(self) -> int: ...
    async def recall(self, consumer: str) -> int | None: ...
    async def keep(self, consumer: str, cursor: int) -> None: ...
    async def settled(self) -> None: ...
    def events(self, after: int) -> AsyncGenerator[Recorded, None]: ...
    async def close(self) -> None: ...
