"""Encrypted files: Annex C.2 and C.3 (rcc16.md 7.1). Thumbnails, icons and subjects are files, too.

Every file has a fresh key K and a fresh IV. HKDF-SHA-256 with the first 32 bytes of the fraction of pi as salt, K as
input and the file's name as info gives an AES key and a MAC key. What is encrypted is

    content | zeros up to the Padmé length | u32 length of the content | u32 number of zeros

with AES-256-CTR, counter block IV | 00000000; the tag is HMAC-SHA-256(IV | ciphertext) and stands with the key in a
FileMetadata, not behind the ciphertext. Opening checks the tag first and gives plaintext only if everything holds.

Whole files in memory, bounded by the caller.

The FT-HTTP document of such a file describes its ciphertext: size, the type `message/mls-ft`, and `encrypted_file` as
name, for peers refuse anything else. What the file is really called stands in its FileMetadata, which is sent first.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from ..codec.ft_http import RemoteFile
from ..codec.tls import u32
from ..crypto.padme import padded_length
from ..crypto.provider import CryptoProvider
from ..errors import InputError, LimitExceeded
from ..ids import Instant, Rng
from .rules import rule
from .wire.content_types import FILE
from .wire.file_info import FileEncryptionInfo, FileMetadata

__all__ = [
    "DESCRIPTOR_NAME",
    "SALT",
    "SealedFile",
    "check_descriptor",
    "ciphertext_length",
    "describe",
    "open_file",
    "seal_file",
]

SALT: Final = bytes.fromhex("3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c8")

DESCRIPTOR_NAME: Final = "encrypted_file"

_KEY: Final = 32
_IV: Final = 12
_TRAILER: Final = 8
_MAX_LENGTH: Final = 1 << 31

_TAG = rule("RCC-C.3-01", "RCC.16 C.3 (rcc16.md 7.1)", "the tag is HMAC(IV | ciphertext)", module=__name__)
_SHORT = rule("RCC-C.3-02", "RCC.16 C.3 (rcc16.md 7.1)", "a ciphertext has at least eight bytes", module=__name__)
_LONG = rule("RCC-C.3-03", "RCC.16 C.3 (rcc16.md 7.1)", "the length is below 2^31", module=__name__)
_HINT = rule(
    "RCC-C.3-04", "RCC.16 C.3 (rcc16.md 7.1)", "the length is that of the hint, where one is given", module=__name__
)
_SUM = rule(
    "RCC-C.3-05", "RCC.16 C.3 (rcc16.md 7.1)", "content, padding and trailer make up the ciphertext", module=__name__
)
_PADME = rule("RCC-C.3-06", "RCC.16 C.3 (rcc16.md 7.1)", "the padding is as long as Padmé says", module=__name__)
_DESCRIPTOR = rule(
    "RCC-7.3-01",
    "RCC.16 7.3 (rcc16.md 7.3)",
    "the file document of an encrypted file names encrypted_file",
    module=__name__,
)
_ZEROS = rule("RCC-C.3-07", "RCC.16 C.3 (rcc16.md 7.1)", "the padding is zeros", module=__name__)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """`ciphertext` goes to the content server, `metadata` to the members and nobody else."""

    ciphertext: bytes = field(repr=False)
    metadata: FileMetadata


def ciphertext_length(length: int) -> int:
    """How many bytes the ciphertext of a file of that length has."""
    return padded_length(length) + _TRAILER


def seal_file(content: bytes, name: str, content_type: str, *, crypto: CryptoProvider, rng: Rng) -> SealedFile:
    """Encrypt under a fresh key and IV. Raises InputError for a file of 2 GiB."""
    if len(content) >= _MAX_LENGTH:
        raise InputError("a file of 2 GiB or more", code="rcc16.input.file")
    key, iv = rng(_KEY), rng(_IV)
    encryption_key, tag_key = _keys(crypto, key, name)
    zeros = padded_length(len(content)) - len(content)
    block = b"".join((content, bytes(zeros), u32(len(content)), u32(zeros)))
    ciphertext = crypto.aes_ctr(encryption_key, iv + bytes(4), block)
    tag = crypto.hmac_sha256(tag_key, iv + ciphertext)
    return SealedFile(ciphertext, FileMetadata(name, content_type, FileEncryptionInfo(key, iv, tag, len(content))))


def open_file(metadata: FileMetadata, ciphertext: bytes, *, crypto: CryptoProvider, max_bytes: int) -> bytes:
    """The content. Raises InvalidRcc16; LimitExceeded for more than `max_bytes`, before anything is computed where
    the ciphertext shows it."""
    if len(ciphertext) > ciphertext_length(max_bytes):
        raise LimitExceeded(f"a file of {len(ciphertext)} bytes, at most {max_bytes} allowed", code="rcc16.limit")
    sealed = metadata.encryption
    encryption_key, tag_key = _keys(crypto, sealed.key_material, metadata.name)
    if not hmac.compare_digest(crypto.hmac_sha256(tag_key, sealed.iv + ciphertext), sealed.tag):
        _TAG.fail("the tag of the file does not hold")
    if len(ciphertext) < _TRAILER:
        _SHORT.fail(f"a ciphertext of {len(ciphertext)} bytes")
    block = crypto.aes_ctr(encryption_key, sealed.iv + bytes(4), ciphertext)
    length, zeros = int.from_bytes(block[-8:-4], "big"), int.from_bytes(block[-4:], "big")
    if length >= _MAX_LENGTH:
        _LONG.fail(f"a length of {length}")
    if length > max_bytes:
        raise LimitExceeded(f"a file of {length} bytes, at most {max_bytes} allowed", code="rcc16.limit")
    if sealed.length_hint and length != sealed.length_hint:
        _HINT.fail(f"{length} bytes where {sealed.length_hint} were announced")
    if len(ciphertext) != length + zeros + _TRAILER:
        _SUM.fail(f"{length} bytes and {zeros} zeros in {len(ciphertext)}")
    if zeros != padded_length(length) - length:
        _PADME.fail(f"{zeros} zeros behind {length} bytes")
    if any(block[length:-_TRAILER]):
        _ZEROS.fail("padding that is not zero")
    return block[:length]


def describe(ciphertext_size: int, url: str, until: Instant | None) -> RemoteFile:
    """A file or thumbnail at a content server, for the FT-HTTP document."""
    return RemoteFile(ciphertext_size, FILE, url, until, DESCRIPTOR_NAME)


def check_descriptor(file: RemoteFile) -> None:
    """Raises InvalidRcc16 for a document inside an encrypted message that points at a file in the clear."""
    if file.name != DESCRIPTOR_NAME:
        _DESCRIPTOR.fail("the file is not an encrypted one")


def _keys(crypto: CryptoProvider, key_material: bytes, name: str) -> tuple[bytes, bytes]:
    """(AES key, MAC key). The name is bound by the derivation: renamed, a file opens no more."""
    derived = crypto.hkdf_sha256(key_material, SALT, name.encode(), 2 * _KEY)
    return derived[:_KEY], derived[_KEY:]
