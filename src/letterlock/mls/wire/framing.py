"""Message framing: content, who sent it, and what authenticates it (RFC 9420 section 6).

A FramedContent keeps its bytes: they are signed and hashed, and never encoded a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from ...codec.tls import Reader, opaque, u8, u16, u32, u64, whole
from ...errors import DecodeError
from .commit import Commit
from .proposals import RFC_PROPOSALS, Proposal, ProposalTypes, encode_proposal, read_proposal

__all__ = [
    "NEW_MEMBER_COMMIT",
    "NEW_MEMBER_PROPOSAL",
    "AuthenticatedContent",
    "ContentType",
    "FramedContent",
    "FramedContentAuthData",
    "PrivateMessage",
    "PrivateMessageContent",
    "PublicMessage",
    "Sender",
    "SenderData",
    "SenderType",
]


class ContentType(IntEnum):
    """What a message carries."""

    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(IntEnum):
    """What the sender is to the group."""

    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


@dataclass(frozen=True, slots=True)
class Sender:
    """`index` is the leaf of a member, or the place of an external sender in its extension; else 0."""

    sender_type: SenderType
    index: int

    @classmethod
    def member(cls, leaf_index: int) -> Self:
        return cls(SenderType.MEMBER, leaf_index)

    @classmethod
    def external(cls, sender_index: int) -> Self:
        return cls(SenderType.EXTERNAL, sender_index)

    def encode(self) -> bytes:
        return u8(self.sender_type) + (u32(self.index) if self.sender_type <= SenderType.EXTERNAL else b"")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        number = reader.u8()
        if not 1 <= number <= 4:
            raise DecodeError(f"sender_type {number}", code="mls.sender_type")
        sender_type = SenderType(number)
        return cls(sender_type, reader.u32() if sender_type <= SenderType.EXTERNAL else 0)


NEW_MEMBER_PROPOSAL = Sender(SenderType.NEW_MEMBER_PROPOSAL, 0)
"""Somebody who proposes to be added."""

NEW_MEMBER_COMMIT = Sender(SenderType.NEW_MEMBER_COMMIT, 0)
"""Somebody who joins by an external commit."""


@dataclass(frozen=True, slots=True)
class FramedContent:
    """What is said, where and by whom; `read` or `build` makes one. `encoded` is the whole structure.

    The content is bytes for application data. It may be what the users wrote, so no repr shows it.
    """

    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content_type: ContentType
    content: bytes | Proposal | Commit = field(repr=False)
    encoded: bytes = field(repr=False)

    @classmethod
    def build(
        cls,
        *,
        group_id: bytes,
        epoch: int,
        sender: Sender,
        authenticated_data: bytes,
        content: bytes | Proposal | Commit,
        types: ProposalTypes = RFC_PROPOSALS,
    ) -> Self:
        """The content type follows from the content."""
        content_type = _content_type(content)
        header = _header(group_id, epoch, sender, authenticated_data, content_type)
        encoded = header + _encode_content(content, types)
        return cls(group_id, epoch, sender, authenticated_data, content_type, content, encoded)

    @property
    def encoded_content(self) -> bytes:
        """Only the bytes of `content`: where a PrivateMessageContent begins."""
        header = _header(self.group_id, self.epoch, self.sender, self.authenticated_data, self.content_type)
        return self.encoded[len(header) :]

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader, types: ProposalTypes) -> Self:
        start = reader.position
        group_id = reader.vector()
        epoch = reader.u64()
        sender = Sender.read(reader)
        authenticated_data = reader.vector()
        content_type = _read_content_type(reader)
        content = _read_content(reader, content_type, types)
        return cls(group_id, epoch, sender, authenticated_data, content_type, content, reader.slice(start))

    @classmethod
    def decode(cls, data: bytes, types: ProposalTypes) -> Self:
        return whole(data, lambda reader: cls.read(reader, types))


@dataclass(frozen=True, slots=True)
class FramedContentAuthData:
    """The sender's signature, and for a commit the tag that confirms the next epoch."""

    signature: bytes
    confirmation_tag: bytes | None

    def encode(self) -> bytes:
        tag = b"" if self.confirmation_tag is None else opaque(self.confirmation_tag)
        return opaque(self.signature) + tag

    @classmethod
    def read(cls, reader: Reader, content_type: ContentType) -> Self:
        return cls(reader.vector(), reader.vector() if content_type == ContentType.COMMIT else None)


@dataclass(frozen=True, slots=True)
class AuthenticatedContent:
    """What a signature covers and transcripts hash, in whichever wire format it travelled."""

    wire_format: int
    content: FramedContent
    auth: FramedContentAuthData

    def encode(self) -> bytes:
        return u16(self.wire_format) + self.content.encoded + self.auth.encode()

    @classmethod
    def read(cls, reader: Reader, types: ProposalTypes) -> Self:
        wire_format = reader.u16()
        content = FramedContent.read(reader, types)
        return cls(wire_format, content, FramedContentAuthData.read(reader, content.content_type))

    @classmethod
    def decode(cls, data: bytes, types: ProposalTypes) -> Self:
        return whole(data, lambda reader: cls.read(reader, types))


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """Signed, not encrypted. Only a member's has a membership tag."""

    content: FramedContent
    auth: FramedContentAuthData
    membership_tag: bytes | None

    def encode(self) -> bytes:
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.content.encoded + self.auth.encode() + tag

    @classmethod
    def read(cls, reader: Reader, types: ProposalTypes) -> Self:
        content = FramedContent.read(reader, types)
        auth = FramedContentAuthData.read(reader, content.content_type)
        member = content.sender.sender_type == SenderType.MEMBER
        return cls(content, auth, reader.vector() if member else None)

    @classmethod
    def decode(cls, data: bytes, types: ProposalTypes) -> Self:
        return whole(data, lambda reader: cls.read(reader, types))


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """Signed and encrypted; what is in the clear is bound by the encryption."""

    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        return b"".join(
            (
                opaque(self.group_id),
                u64(self.epoch),
                u8(self.content_type),
                opaque(self.authenticated_data),
                opaque(self.encrypted_sender_data),
                opaque(self.ciphertext),
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        group_id = reader.vector()
        epoch = reader.u64()
        content_type = _read_content_type(reader)
        return cls(group_id, epoch, content_type, reader.vector(), reader.vector(), reader.vector())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


@dataclass(frozen=True, slots=True)
class PrivateMessageContent:
    """The plaintext of a PrivateMessage, without its padding. `encoded_content` is the bytes of `content`."""

    content_type: ContentType
    content: bytes | Proposal | Commit = field(repr=False)
    auth: FramedContentAuthData
    encoded_content: bytes = field(repr=False)

    @classmethod
    def of(cls, content: FramedContent, auth: FramedContentAuthData) -> Self:
        return cls(content.content_type, content.content, auth, content.encoded_content)

    def framed(self, group_id: bytes, epoch: int, sender: Sender, authenticated_data: bytes) -> FramedContent:
        """The FramedContent that was encrypted; the PrivateMessage and its sender data say the rest."""
        header = _header(group_id, epoch, sender, authenticated_data, self.content_type)
        encoded = header + self.encoded_content
        return FramedContent(group_id, epoch, sender, authenticated_data, self.content_type, self.content, encoded)

    def encode(self, padding: int) -> bytes:
        """With that many zero bytes behind."""
        return self.encoded_content + self.auth.encode() + bytes(padding)

    @classmethod
    def decode(cls, data: bytes, content_type: ContentType, types: ProposalTypes) -> Self:
        """Padding that is not all zeros is refused, so that it carries nothing."""
        reader = Reader(data)
        content = _read_content(reader, content_type, types)
        encoded_content = reader.slice(0)
        auth = FramedContentAuthData.read(reader, content_type)
        padding = reader.rest()
        if padding.count(0) != len(padding):
            raise DecodeError("padding is not zero", code="mls.padding")
        return cls(content_type, content, auth, encoded_content)


@dataclass(frozen=True, slots=True)
class SenderData:
    """Which key opens a PrivateMessage: encrypted by itself, so that the sender stays hidden."""

    leaf_index: int
    generation: int
    reuse_guard: bytes

    def encode(self) -> bytes:
        return u32(self.leaf_index) + u32(self.generation) + self.reuse_guard

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.u32(), reader.u32(), reader.take(4))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


def _content_type(content: bytes | Proposal | Commit) -> ContentType:
    if isinstance(content, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(content, Commit) else ContentType.PROPOSAL


def _header(group_id: bytes, epoch: int, sender: Sender, authenticated_data: bytes, content_type: ContentType) -> bytes:
    return b"".join((opaque(group_id), u64(epoch), sender.encode(), opaque(authenticated_data), u8(content_type)))


def _encode_content(content: bytes | Proposal | Commit, types: ProposalTypes) -> bytes:
    if isinstance(content, bytes):
        return opaque(content)
    return content.encode(types) if isinstance(content, Commit) else encode_proposal(content, types)


def _read_content_type(reader: Reader) -> ContentType:
    number = reader.u8()
    if not 1 <= number <= 3:
        raise DecodeError(f"content_type {number}", code="mls.content_type")
    return ContentType(number)


def _read_content(reader: Reader, content_type: ContentType, types: ProposalTypes) -> bytes | Proposal | Commit:
    if content_type == ContentType.APPLICATION:
        return reader.vector()
    return Commit.read(reader, types) if content_type == ContentType.COMMIT else read_proposal(reader, types)
