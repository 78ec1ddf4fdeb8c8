"""Every kind of lie, in the order in which seeds tell them."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from .insiders import INSIDERS
from .lies import LIES, Lie

__all__ = ["KINDS", "make_lies"]

KINDS: Final[dict[str, type[Lie]]] = {made.kind: made for made in [*LIES, *INSIDERS]}


def make_lies(kinds: Iterable[str], seed: int, share: float | None = None) -> list[Lie]:
    """The lies of a seed."""
    return [KINDS[kind](Random(f"{kind} {seed}"), share) for kind in kinds]
