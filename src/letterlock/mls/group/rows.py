"""The store's view of a `Member`: small rows under text keys, of which a step writes only those that changed.

    head                     what fits in one row: version, context, our leaf, flags
    keys                     the secrets of the current epoch
    tree/NODE                one node of the ratchet tree
    private/NODE             one private key of ours
    messages/EPOCH/...       rows of the secret tree of the current or a past epoch
    proposal/REF, update/KEY what waits for a commit
    pending                  a commit of ours that is not accepted yet
    past/EPOCH, past/EPOCH/LEAF
    held/DIGEST              a message of a later epoch

Every row starts with a version byte. Rows hold secrets: they belong into an encrypted store (SR-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...codec.tls import u8
from ..client import Client
from .epoch import EpochState, PastEpochState
from .member import Member
from .psks import FindPsk
from .results import StagedCommit

__all__ = ["load_member", "note_all", "note_epoch", "note_past", "take_changes"]

VERSION: Final = 1
_V = u8(VERSION)


def note_all(member: Member) -> None:
    """TODO"""


def note_epoch(member: Member, staged: StagedCommit, before: EpochState) -> None:
    """TODO"""


def note_past(member: Member, past: PastEpochState) -> None:
    """TODO"""


def take_changes(member: Member) -> dict[str, bytes | None]:
    """TODO"""
    changes, member.changes = member.changes, {}
    return changes


def load_member(client: Client, rows: Mapping[str, bytes], find_psk: FindPsk, rotated: Client | None) -> Member:
    """TODO"""
    raise NotImplementedError
