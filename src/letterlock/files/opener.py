"""Opening any chunk of a sealed file by itself: nothing is released before its tag has verified (SR-15).

Which chunk a tag belongs to, and whether it is the last, is in its nonce, and whose file it is of, in its key. So a
chunk in another place, of another file, or behind the end does not verify, and a file that was cut has no last chunk.
"""

from __future__ import annotations

from ..crypto.provider import CryptoProvider, Octets
from ..errors import BadMac, InputError
from .keys import check_header, derive
from .layout import TAG
from .rules import rule
from .seal import Seal

__all__ = ["Opener", "check_digest", "check_sealed_size"]

_SIZE = rule("LL-FILE-04", "4", "the sealed file is as long as the length of the file says", module=__name__)
_CHUNK_LENGTH = rule("LL-FILE-05", "4", "a chunk is as long as its place says", module=__name__)
_TAG = rule("LL-FILE-06", "4", "the tag of a chunk holds, in its place of its file", module=__name__)
_ZEROS = rule("LL-FILE-07", "4", "padding is zeros", module=__name__)
_DIGEST = rule("LL-FILE-08", "4", "SHA-256 of the sealed file is that of the seal", module=__name__)


class Opener:
    """Opens the chunks of one sealed file, in any order and any number of times. Safe to share between threads."""

    __slots__ = ("_keys", "layout")

    def __init__(self, seal: Seal, header: bytes, *, crypto: CryptoProvider) -> None:
        """`header` is the first 32 bytes of the sealed file. Raises InvalidFile for what is none."""
        check_header(header)
        self.layout = seal.layout
        self._keys = derive(crypto, seal.key, header, self.layout)

    def open(self, index: int, sealed: Octets) -> bytes:
        """The bytes of the file that are in chunk `index`, without padding. Raises InvalidFile."""
        out = bytearray(self.layout.padded_in(index))
        return bytes(memoryview(out)[: self.open_into(index, sealed, memoryview(out))])

    def open_into(self, index: int, sealed: Octets, out: memoryview) -> int:
        """The same, to the start of `out`; how many bytes of the file there are.

        `out` has room for the padding as well. Raises InvalidFile, and nothing of the chunk is in `out` then;
        InputError for a chunk that is not there.
        """
        padded, content = self.layout.padded_in(index), self.layout.content_in(index)
        if len(sealed) != padded + TAG:
            _CHUNK_LENGTH.fail(f"chunk {index} has {len(sealed)} bytes instead of {padded + TAG}")
        if len(out) < padded:
            raise InputError(f"no room for the {padded} bytes of a chunk", code="input.length")
        place = out[:padded]
        try:
            self._keys.aead.open_into(self._keys.nonce(index, self.layout.is_last(index)), sealed, b"", place)
        except BadMac:
            _TAG.fail(f"chunk {index} was changed, or is not of this file or not in its place")
            raise
        if content < padded and bytes(place[content:]).strip(b"\0"):
            place[:] = bytes(padded)
            _ZEROS.fail("padding that is not zero")
        return content


def check_sealed_size(seal: Seal, length: int) -> None:
    """Raises InvalidFile for a sealed file that was cut or extended: before any of it is opened."""
    if length != seal.layout.sealed_size:
        _SIZE.fail(f"{length} bytes where {seal.layout.sealed_size} were announced")


def check_digest(seal: Seal, sha256: bytes) -> None:
    """Raises InvalidFile when the sealed file is another one than the sender's."""
    if sha256 != seal.sha256:
        _DIGEST.fail("the sealed file is not the one that was announced")
