"""When a conversation is encrypted, and what that binds us to: the capability gate and the latch (rcc16.md 1.10, 9).

The latch is the whole defence against a stripped capability (SR-01, SR-02): once a conversation was encrypted, nothing
that a carrier says or leaves out sends a letter in the clear. It is cleared by a downgrade alone, which is shown.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final

from .states import State

__all__ = ["KDS_TAG", "VERSION_TAG", "Sending", "conversation_passes", "latched_after", "passes", "sending"]

VERSION_TAG: Final = "+g.gsma.rcs.mls.mls-version"
KDS_TAG: Final = "+g.gsma.rcs.mls.mls-kds"
_LAUNCH_TAG = "+g.google.rcs.mls-launch-iteration"
_GROUPS_TAG = "+g.google.rcs.mls-supports-groups"
_VERSION = "v1"
_LAUNCH = "1"

_CLEARS_LATCH = frozenset(map(State, (8, 9, 10, 15)))


class Sending(enum.Enum):
    """What may be done with a letter."""

    SEAL = "seal"
    REFUSE = "refuse"
    """A failed row: no plaintext, no SMS."""
    PLAINTEXT_ALLOWED = "plaintext-allowed"
    """Never encrypted so far: what then happens is the user's decision (SR-01), not this protocol's."""


def passes(tags: Mapping[str, str], group: bool) -> bool:
    """Whether one peer's feature tags say that it speaks this. The KDS tag is a hard gate."""
    if not tags.get(KDS_TAG):
        return False
    return (
        tags.get(VERSION_TAG) == _VERSION
        or tags.get(_LAUNCH_TAG) == _LAUNCH
        or (group and tags.get(_GROUPS_TAG) == "true")
    )


def conversation_passes(peers: Iterable[Mapping[str, str]], group: bool) -> bool:
    """Whether all peers pass; a conversation with nobody does not."""
    found = [passes(tags, group) for tags in peers]
    return bool(found) and all(found)


def latched_after(latched: bool, state: State, encrypted: bool) -> bool:
    """The latch after a step: set by the first encryption, cleared by a downgrade (states 8, 9, 10, 15) alone."""
    if state in _CLEARS_LATCH:
        return False
    return latched or encrypted


def sending(sealable: bool, latched: bool, readable: bool) -> Sending:
    """`readable`: our record of the conversation can be read. Unreadable and never latched is as never encrypted."""
    if sealable and readable:
        return Sending.SEAL
    return Sending.REFUSE if latched else Sending.PLAINTEXT_ALLOWED
