"""Keys of subject and icon for who came back by itself (10.5; rcc16.md 7.5).

In v3.0 members push them after an external commit, unasked. In v4.0 who came in and lacks a key sets F007 in the
GroupContext; one member, the first by rank that has the keys, takes it out again and sends GroupMetadataKeys with the same
commit. We ask only as v4.0; who asks is answered in either.
"""

from __future__ import annotations

from ...ids import Number
from ...mls.group.group import Group
from ..choices import Revision
from ..health.election import rank
from ..metadata import Slot
from ..wire.extensions import (
    METADATA_KEYS_REQUESTED,
    commitment_of,
    merge,
    metadata_keys_request_extension,
    metadata_keys_requested,
)
from .chat import Kind
from .committing import change_context
from .members import numbers_of
from .metadata import key_delivery
from .step import Work

__all__ = ["ask", "came_in", "give", "is_pushed", "look"]


def is_pushed(work: Work) -> bool:
    """Whether keys are sent to who came back before anybody asks."""
    return work.core.settings.choices.revision is Revision.V3


def came_in(work: Work) -> None:
    """Our external commit counts: what do we lack?"""
    group = work.group()
    if group is None or is_pushed(work) or work.is_pair:
        return
    there = {slot for slot in Slot if commitment_of(group.state.extensions, slot.commitment_extension) is not None}
    had = {slot for slot, held in ((Slot.SUBJECT, work.chat.subject), (Slot.ICON, work.chat.icon)) if held}
    if there - had or not work.chat.continuity:
        work.update(asks_keys=True)


def ask(work: Work) -> None:
    """Set F007, unless somebody has."""
    group = work.group()
    if group is None or metadata_keys_requested(group.state.extensions):
        work.update(asks_keys=False)
        return
    request = metadata_keys_request_extension(work.core.settings.choices.revision)
    change_context(work, Kind.ASK_KEYS, merge(group.state.extensions, {METADATA_KEYS_REQUESTED: request}))


def look(work: Work, group: Group, asked_before: bool, by: Number) -> None:
    """A commit of `by` took force: perhaps it asks, or has answered."""
    chat, asked = work.chat, metadata_keys_requested(group.state.extensions)
    if not asked or chat.left:
        work.update(gives_keys_at=0)
    elif not asked_before and (chat.subject is not None or chat.icon or chat.continuity):
        others = [number for number in numbers_of(chat.members) if number != by]
        turn = rank(work.core.number, others) * work.core.settings.commit_turn_ms
        work.update(gives_keys_at=work.now + turn)


def give(work: Work) -> None:
    """It is our turn: the keys, and the end of the question, in one commit."""
    group = work.group()
    work.update(gives_keys_at=0)
    if group is None or not metadata_keys_requested(group.state.extensions):
        return
    extensions = merge(group.state.extensions, {METADATA_KEYS_REQUESTED: None})
    change_context(work, Kind.GIVE_KEYS, extensions, delivery=key_delivery(work))
