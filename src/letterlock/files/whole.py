"""Small files in one piece: thumbnails. What is larger goes chunk by chunk."""

from __future__ import annotations

import hashlib

from ..crypto.provider import CryptoProvider
from ..ids import Rng
from .layout import HEADER
from .opener import Opener, check_digest, check_sealed_size
from .seal import Seal
from .sealer import Sealer

__all__ = ["open_bytes", "seal_bytes"]


def seal_bytes(content: bytes, *, crypto: CryptoProvider, rng: Rng) -> tuple[Seal, bytes]:
    """The seal, and the sealed file."""
    sealer = Sealer(len(content), crypto=crypto, rng=rng)
    parts, at = [sealer.header], 0
    while (count := sealer.next_content) is not None:
        parts.append(sealer.seal(content[at : at + count]))
        at += count
    sealed = b"".join(parts)
    return sealer.finish(hashlib.sha256(sealed).digest()), sealed


def open_bytes(seal: Seal, sealed: bytes, *, crypto: CryptoProvider) -> bytes:
    """The content. Raises InvalidFile. How large it may be the caller sees from `seal.size` before it fetches."""
    check_sealed_size(seal, len(sealed))
    check_digest(seal, hashlib.sha256(sealed).digest())
    opener = Opener(seal, sealed[:HEADER], crypto=crypto)
    at = opener.layout.sealed_at
    # What is behind the content is opened, too: padding that does not verify is a changed file.
    return b"".join(opener.open(i, sealed[at(i) : at(i + 1)]) for i in range(opener.layout.chunks))
