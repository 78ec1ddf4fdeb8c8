"""MLS group ids (rcc16.md 2.1): text in both kinds of conversation, because servers refuse raw random bytes.

A group's is its RCS id, 32 lower-case hexadecimal digits; a chat of two has a lower-case UUID of its own, 36 bytes.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

from ...ids import GroupId, Rng

__all__ = ["group_of_mls", "is_pair", "mls_group_id", "new_pair_id"]

_GROUP: Final = re.compile(rb"[0-9a-f]{32}")
_PAIR: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def mls_group_id(group: GroupId) -> bytes:
    """Of the RCS group."""
    return group.hex().encode()


def new_pair_id(rng: Rng) -> bytes:
    """A fresh one for a chat of two; it stays the same in later eras."""
    return str(uuid.UUID(bytes=rng(16), version=4)).encode()


def is_pair(group_id: bytes) -> bool:
    """Whether it has the form of a chat of two."""
    return _PAIR.fullmatch(group_id) is not None


def group_of_mls(group_id: bytes) -> GroupId | None:
    """The RCS group that it names, None for a chat of two."""
    return GroupId(bytes.fromhex(group_id.decode())) if _GROUP.fullmatch(group_id) else None
