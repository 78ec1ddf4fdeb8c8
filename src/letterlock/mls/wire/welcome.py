"""GroupContext and GroupInfo, which describe an epoch, and Welcome, which lets new members into it
(RFC 9420 sections 8.1, 12.4.3 and 12.4.3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from ...codec.tls import Reader, opaque, optional, u16, u32, u64, whole
from ...errors import DecodeError
from ..registries import PROTOCOL_VERSION_MLS10
from .commit import HPKECiphertext
from .extensions import Extension, encode_extensions, read_extensions
from .psk import PreSharedKeyID

__all__ = ["EncryptedGroupSecrets", "GroupContext", "GroupInfo", "GroupSecrets", "Welcome"]


@dataclass(frozen=True, slots=True)
class GroupContext:
    """All that the members agree on in one epoch. `encoded` is bound into every secret of it."""

    cipher_suite: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: tuple[Extension, ...]
    encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        encoded = b"".join(
            (
                u16(PROTOCOL_VERSION_MLS10),
                u16(self.cipher_suite),
                opaque(self.group_id),
                u64(self.epoch),
                opaque(self.tree_hash),
                opaque(self.confirmed_transcript_hash),
                encode_extensions(self.extensions),
            )
        )
        object.__setattr__(self, "encoded", encoded)

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> Self:
        version = reader.u16()
        if version != PROTOCOL_VERSION_MLS10:
            raise DecodeError(f"group context of protocol version {version}", code="mls.version")
        return cls(
            cipher_suite=reader.u16(),
            group_id=reader.vector(),
            epoch=reader.u64(),
            tree_hash=reader.vector(),
            confirmed_transcript_hash=reader.vector(),
            extensions=read_extensions(reader),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """An epoch for somebody who is not in it yet, signed by a member."""

    group_context: GroupContext
    extensions: tuple[Extension, ...]
    confirmation_tag: bytes
    signer: int
    signature: bytes

    def tbs(self) -> bytes:
        """GroupInfoTBS: all before the signature."""
        return b"".join(
            (
                self.group_context.encoded,
                encode_extensions(self.extensions),
                opaque(self.confirmation_tag),
                u32(self.signer),
            )
        )

    def encode(self) -> bytes:
        return self.tbs() + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(
            group_context=GroupContext.read(reader),
            extensions=read_extensions(reader),
            confirmation_tag=reader.vector(),
            signer=reader.u32(),
            signature=reader.vector(),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


@dataclass(frozen=True, slots=True)
class GroupSecrets:
    """What a new member gets: the way into the key schedule, and its part of the committer's path."""

    joiner_secret: bytes = field(repr=False)
    path_secret: bytes | None = field(repr=False)
    psks: tuple[PreSharedKeyID, ...]

    def encode(self) -> bytes:
        path_secret = None if self.path_secret is None else opaque(self.path_secret)
        psks = opaque(b"".join([psk.encode() for psk in self.psks]))
        return opaque(self.joiner_secret) + optional(path_secret) + psks

    @classmethod
    def read(cls, reader: Reader) -> Self:
        joiner_secret = reader.vector()
        path_secret = reader.vector() if reader.optional() else None
        inner = reader.sub()
        psks: list[PreSharedKeyID] = []
        while inner.more():
            psks.append(PreSharedKeyID.read(inner))
        return cls(joiner_secret, path_secret, tuple(psks))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)


@dataclass(frozen=True, slots=True)
class EncryptedGroupSecrets:
    """GroupSecrets for one new member; `new_member` is its KeyPackageRef."""

    new_member: bytes
    encrypted_group_secrets: HPKECiphertext

    def encode(self) -> bytes:
        return opaque(self.new_member) + self.encrypted_group_secrets.encode()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.vector(), HPKECiphertext.read(reader))


@dataclass(frozen=True, slots=True)
class Welcome:
    """One epoch for one or more new members."""

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    def encode(self) -> bytes:
        secrets = b"".join([secret.encode() for secret in self.secrets])
        return u16(self.cipher_suite) + opaque(secrets) + opaque(self.encrypted_group_info)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        cipher_suite = reader.u16()
        inner = reader.sub()
        secrets: list[EncryptedGroupSecrets] = []
        while inner.more():
            secrets.append(EncryptedGroupSecrets.read(inner))
        return cls(cipher_suite, tuple(secrets), reader.vector())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return whole(data, cls.read)
