"""Sealing one file, chunk by chunk, under a key that is made here and used for nothing else (SR-06, SR-15, SR-23).

A nonce is a counter, so a key that seals changed content would use nonces twice, which gives away both contents and the
key of the tags. Therefore a sealer draws its own key, goes forward only, and cannot be given one: an upload that goes
on after a fault sends the bytes that were written down, and whoever seals anew does so under a new key.
"""

from __future__ import annotations

from ..crypto.provider import CryptoProvider, Octets
from ..crypto.secret import Secret
from ..errors import InputError
from ..ids import Rng
from .keys import KEY, derive, new_header
from .layout import TAG, Layout
from .seal import Seal

__all__ = ["Sealer"]


class Sealer:
    """Seals one file of `size` bytes. What is written is `header`, then each chunk in turn.

    Not for several threads, and not for a process that forks in the middle: both would take the same place twice.
    """

    __slots__ = ("_key", "_keys", "_next", "header", "layout")

    def __init__(self, size: int, *, crypto: CryptoProvider, rng: Rng) -> None:
        """Raises InputError for a file that is too long."""
        self.layout = Layout(size)
        self._key = Secret(rng(KEY))
        self.header = new_header(rng)
        self._keys = derive(crypto, self._key, self.header, self.layout)
        self._next = 0

    @property
    def next_content(self) -> int | None:
        """How many bytes of the file the next chunk takes; None when all chunks are sealed."""
        return None if self._next == self.layout.chunks else self.layout.content_in(self._next)

    def seal(self, content: Octets) -> bytes:
        """The next chunk. Raises InputError unless `content` is as long as `next_content` says."""
        index, padded = self._advance(content)
        return self._keys.aead.seal(self._nonce(index), padded, b"")

    def seal_into(self, content: Octets, out: memoryview) -> int:
        """The next chunk, written to the start of `out`; how long it is. Raises InputError as `seal` does."""
        index, padded = self._advance(content)
        length = len(padded) + TAG
        self._keys.aead.seal_into(self._nonce(index), padded, b"", out[:length])
        return length

    def finish(self, sha256: bytes) -> Seal:
        """The seal of the file; `sha256` is of all that was written. Raises InputError while chunks are missing."""
        if self._next != self.layout.chunks:
            raise InputError("not all of the file is sealed", code="input.unfinished")
        return Seal(self.layout.size, self._key, sha256)

    def _advance(self, content: Octets) -> tuple[int, Octets]:
        """Take the next place, which is used up whatever happens then; and the content with its padding."""
        index = self._next
        if len(content) != self.next_content:
            raise InputError(f"chunk {index} takes {self.next_content} bytes, not {len(content)}", code="input.chunk")
        self._next += 1
        zeros = self.layout.padded_in(index) - len(content)
        return index, content if not zeros else bytes(content) + bytes(zeros)

    def _nonce(self, index: int) -> bytes:
        return self._keys.nonce(index, self.layout.is_last(index))
