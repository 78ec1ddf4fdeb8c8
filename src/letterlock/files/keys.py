"""From the key of a file to the keys and nonces of its chunks: header and key schedule (docs/spec/files.md 2 and 3).

The header stands in the clear and is bound by the derivation, and so is the true length, which is not in it: whoever
says another length has other keys, and nothing opens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..codec.tls import u32, u64
from ..crypto.provider import AesGcm, CryptoProvider
from ..crypto.secret import Secret
from ..ids import Rng
from .layout import CHUNK, HEADER, Layout
from .rules import rule

__all__ = ["KEY", "LABEL", "ChunkKeys", "check_header", "derive", "new_header"]

KEY: Final = 32

LABEL: Final = b"\xff\x80letterlock/file/v1\x00"
"""The domain of this derivation and of no other (SR-23)."""

_MAGIC: Final = b"\xffLLFILE"
_VERSION: Final = 1
_SALT: Final = 20
_PREFIX: Final = 7

_NO_HEADER = rule("LL-FILE-01", "2", "a sealed file begins with a header of 32 bytes and its magic", module=__name__)
_UNKNOWN = rule("LL-FILE-02", "2", "the version is one that is known", module=__name__)
_CHUNK_SIZE = rule("LL-FILE-03", "2", "the chunk size is that of the version", module=__name__)


@dataclass(frozen=True, slots=True)
class ChunkKeys:
    """The AES key of one sealed file, ready for use, and what its nonces begin with. Shows nothing of either."""

    aead: AesGcm
    _prefix: Secret

    def nonce(self, index: int, last: bool) -> bytes:
        """STREAM (Hoang and others, CRYPTO 2015): prefix, counter, and whether it is the last chunk."""
        return self._prefix.reveal() + u32(index) + (b"\x01" if last else b"\x00")


def new_header(rng: Rng) -> bytes:
    """A header with a fresh salt."""
    return _MAGIC + bytes((_VERSION,)) + u32(CHUNK) + rng(_SALT)


def check_header(header: bytes) -> None:
    """Raises InvalidFile for what is no header of a version that is known."""
    if len(header) != HEADER or not header.startswith(_MAGIC):
        _NO_HEADER.fail("not a sealed file")
    if header[7:8] != bytes((_VERSION,)):
        _UNKNOWN.fail("a sealed file of an unknown version; a newer Letterlock may open it")
    if header[8:12] != u32(CHUNK):
        _CHUNK_SIZE.fail("a sealed file with other chunks than its version has")


def derive(crypto: CryptoProvider, key: Secret, header: bytes, layout: Layout) -> ChunkKeys:
    """The keys of a sealed file: one derivation, whose salt is new for each file, like the key."""
    info = LABEL + header + u64(layout.size)
    derived = crypto.hkdf_sha256(key.reveal(), header[-_SALT:], info, KEY + _PREFIX)
    return ChunkKeys(crypto.aes_gcm(derived[:KEY]), Secret(derived[KEY:]))
