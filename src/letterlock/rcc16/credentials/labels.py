"""Domain labels of what RCC.16 leaves us to sign in our own form (SR-23): our choice, as no layout is sourced.

As in `trust/labels.py` a label is FF 80, `letterlock/PURPOSE/vN`, 00: it never parses as DER, and the participant key
and the keys of an ACS also sign DER.
"""

from __future__ import annotations

from typing import Final

from ..choices import OURS

__all__ = ["ANCHOR_LIST", "IDENTITY_PROOF", "LEAF_POSSESSION"]


def _label(purpose: str) -> bytes:
    return b"\xff\x80letterlock/%s/v1\x00" % purpose.encode("ascii")


IDENTITY_PROOF: Final = _label(OURS.identity_proof)
"""The ACS signs whose participant key it is (.5)."""

ANCHOR_LIST: Final = _label(OURS.anchor_list)
"""The signer named by the configuration signs the list of trust anchors."""

LEAF_POSSESSION: Final = _label(OURS.leaf_possession)
"""A leaf key agrees to be certified for a number under a participant key."""
