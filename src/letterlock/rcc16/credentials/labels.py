"""Domain labels of what RCC.16 leaves us to sign in our own form (SR-23): our choice, as no layout is sourced.

As in `trust/labels.py` a label is FF 80, `letterlock/PURPOSE/vN`, 00: it never parses as DER, and the participant key
and the keys of an ACS also sign DER.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ANCHOR_LIST", "IDENTITY_PROOF", "LEAF_POSSESSION"]

IDENTITY_PROOF: Final = b"\xff\x80letterlock/rcc16-identity-proof/v1\x00"
"""The ACS signs whose participant key it is (.5)."""

ANCHOR_LIST: Final = b"\xff\x80letterlock/rcc16-trust-anchors/v1\x00"
"""The signer named by the configuration signs the list of trust anchors."""

LEAF_POSSESSION: Final = b"\xff\x80letterlock/rcc16-leaf-possession/v1\x00"
"""A leaf key agrees to be certified for a number under a participant key."""
