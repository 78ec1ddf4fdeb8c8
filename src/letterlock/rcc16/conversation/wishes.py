"""Wishes of the user that cannot be had: dropped, and told, because nobody else would notice."""

from __future__ import annotations

from ...conversation_seam import AddMembers, Change, ChangeFailed, EndEncryption, RemoveMembers, Revive, SetMetadata
from ...ids import Number
from .step import Work

__all__ = ["drop_adds", "drop_all", "drop_icon", "drop_metadata", "drop_removes", "drop_revival"]


def drop_adds(work: Work, numbers: tuple[Number, ...], why: str) -> None:
    """These are not added."""
    wished = tuple(number for number in work.chat.adds if number in numbers)
    if wished:
        work.update(adds=tuple(number for number in work.chat.adds if number not in wished))
        _tell(work, AddMembers(wished), why)


def drop_removes(work: Work, numbers: tuple[Number, ...], why: str) -> None:
    """These stay."""
    wished = tuple(number for number in work.chat.removes if number in numbers)
    if wished:
        work.update(removes=tuple(number for number in work.chat.removes if number not in wished))
        _tell(work, RemoveMembers(wished), why)


def drop_metadata(work: Work, why: str) -> None:
    """The subject stays what it is."""
    wish = work.chat.subject_wish
    if wish is not None:
        work.update(subject_wish=None, next_subject=None)
        _tell(work, SetMetadata(subject=wish), why)


def drop_icon(work: Work, why: str) -> None:
    """The icon stays what it is."""
    wish = work.chat.icon_wish
    if wish is not None:
        work.update(icon_wish=None)
        _tell(work, SetMetadata(icon=wish), why)


def drop_revival(work: Work, why: str) -> None:
    """Encryption stays ended."""
    if work.chat.revives:
        work.update(revives=False)
        _tell(work, Revive(), why)


def drop_all(work: Work, why: str) -> None:
    """Something of them cannot even be built."""
    drop_adds(work, work.chat.adds, why)
    drop_removes(work, work.chat.removes, why)
    drop_metadata(work, why)
    drop_icon(work, why)
    drop_revival(work, why)
    if work.chat.ends:
        work.update(ends="")
        _tell(work, EndEncryption(), why)


def _tell(work: Work, change: Change, why: str) -> None:
    work.notices.append(ChangeFailed(work.conversation, change, why))
