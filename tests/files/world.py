"""What the tests of sealed files share: content, a stream for keys, whole files in parts, and negative cases of the rules.

A case is a function that makes something which breaks one rule, and returns the act that must be refused.
`@refuses("LL-FILE-06", ...)` makes a test of it, which runs it twice: refused by exactly that rule; and with the rule
switched off, not refused by it. A case with `places` runs for each of them.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Sequence

import letterlock.files
import switching
from letterlock.crypto.pyca import Pyca
from letterlock.files import HEADER, Layout, Opener, Seal, seal_bytes
from letterlock.files.rules import RULES, Rule
from letterlock.ids import Rng

__all__ = ["CRYPTO", "Parts", "content", "every_rule", "open_all", "refuses", "seeded"]

CRYPTO = Pyca()


def content(size: int) -> bytes:
    """That of the vectors: the digests of 0, 1, 2 ... as four bytes each, one after the other."""
    blocks = (hashlib.sha256(k.to_bytes(4, "big")).digest() for k in range(-(-size // 32)))
    return b"".join(blocks)[:size]


def seeded(seed: str = "files") -> Rng:
    """Randomness that is the same each time."""
    count = 0

    def rng(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{seed} {count}".encode()).digest(size)

    return rng


class Parts:
    """A sealed file, taken apart: `header` and `chunks`, to be changed and put together again."""

    def __init__(self, size: int, seed: str = "files") -> None:
        self.seal, sealed = seal_bytes(content(size), crypto=CRYPTO, rng=seeded(seed))
        layout = self.seal.layout
        self.header = sealed[:HEADER]
        self.chunks = [sealed[layout.sealed_at(i) : layout.sealed_at(i + 1)] for i in range(layout.chunks)]

    @property
    def whole(self) -> bytes:
        return self.header + b"".join(self.chunks)


def open_all(seal: Seal, header: bytes, chunks: Sequence[bytes]) -> bytes:
    """As many chunks as the size of the seal says, from these."""
    opener = Opener(seal, header, crypto=CRYPTO)
    return b"".join(opener.open(i, chunks[i]) for i in range(Layout(seal.size).chunks))


def every_rule() -> dict[str, Rule]:
    """The registry, with every module of `letterlock.files` imported."""
    for module in pkgutil.walk_packages(letterlock.files.__path__, "letterlock.files."):
        importlib.import_module(module.name)
    return RULES


refuses = switching.refusals(Rule, RULES)
