"""Members whose certificates are believed no more, because an authority was revoked or a root taken off the list (rcc16.md 1.7).

MLS judges a leaf when it comes in; a list of trust anchors that comes later says something about leaves that are in
already. Such a member's letters are refused, and nothing is sent while it is there: whoever has that authority may have
made a leaf for any number. It ends with a commit that brings the member a leaf that holds, or takes it out. That a
certificate has merely run out is another matter (rcc16.md 1.6), and so nobody is refused here for the time.
"""

from __future__ import annotations

from typing import Final

from ...conversation_seam import Conversation, Stalled
from ...errors import InvalidRcc16
from ...ids import Number
from ...mls.group.group import Group
from ...mls.wire.credential import Credential
from ...seam import RecordKind, State
from ..credentials.issuing import BACKDATED_MS
from ..credentials.leaf import certified_number, decode_chain
from ..forms import TEXT, kind_of, many
from .records import chat_text
from .step import Work

__all__ = ["check_member", "look", "withdrawn_in", "withdrawn_members"]

_REASON: Final = "certificate-withdrawn"

WITHDRAWN: Final[RecordKind[tuple[str, ...]]] = kind_of("rcc16-withdrawn", many(TEXT))
"""Numbers in the group in force, by chat: found when anchors or epochs change, so that a letter costs one look."""


def withdrawn_members(work: Work) -> tuple[str, ...]:
    """Members with a leaf that is not believed any more."""
    return withdrawn_in(work.state, work.conversation)


def withdrawn_in(state: State, conversation: Conversation) -> tuple[str, ...]:
    """The same, for a look."""
    return state.get(WITHDRAWN.key(chat_text(conversation))) or ()


def check_member(work: Work, credential: Credential) -> None:
    """Raises InvalidRcc16 if a certificate was withdrawn since its leaf came in."""
    judge = work.core.enrolment.authentication(work.state)
    if judge is None:
        return  # nothing can be read without anchors
    try:
        judge.certify(credential, work.now)
    except InvalidRcc16:
        judge.certify(credential, min(work.now, decode_chain(credential)[0].not_before + BACKDATED_MS))


def look(work: Work, group: Group | None) -> bool:
    """There are new anchors, or there is a new epoch: who is not to be believed now. True if that is over."""
    before = withdrawn_members(work)
    key = WITHDRAWN.key(chat_text(work.conversation))
    if group is None:
        if before and work.chat.group is None:
            work.state.delete(key)
        return False
    own = group.own_leaf
    found: set[Number] = set()
    for index, leaf in group.members():
        if index != own and _is_withdrawn(work, leaf.credential):
            found.add(certified_number(leaf.credential))
    if tuple(sorted(found)) == before:
        return False
    if not found:
        work.state.delete(key)
        return True
    work.state.put(key, tuple(sorted(found)))
    if found - set(before):
        work.notices.append(Stalled(work.conversation, _REASON))
    return False


def _is_withdrawn(work: Work, credential: Credential) -> bool:
    try:
        check_member(work, credential)
    except InvalidRcc16:
        return True
    return False
