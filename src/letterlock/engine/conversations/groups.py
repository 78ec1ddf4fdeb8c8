"""Groups whose members are those of an MLS group at a focus: made, changed, left, and as people see them.

The conference at the carrier is made once. From then on the focus changes its roster itself, in the same request as the
commit (rcc16.md 5.8), so nobody is invited or removed beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...carriage import Conference, ConferenceView
from ...conversation_seam import (
    AddMembers,
    Change,
    ConversationProtocol,
    EndEncryption,
    Leave,
    RemoveMembers,
    Retry,
    SetMetadata,
)
from ...errors import InputError
from ...ids import ChatName, GroupId, GroupName, Number, account_uuid, group_name, group_of
from ...seam import State
from ...trust.group_log_entry import Member as SignedMember
from .. import chats, trouble
from ..content import File, check
from ..core import Core
from ..effects import MakeConference
from ..events import EncryptionEnded
from ..groups import history as groups_history
from ..groups.security import MemberState
from ..groups.values import Group
from ..record_values import Chat, Standing
from ..records import chat_key
from ..security import Security
from ..step import Turn
from . import choosing, history, icons, members, progress, sending
from .records import MEMBERSHIP, membership_key, participant_key
from .values import Member, Membership, conversation_of_chat

__all__ = [
    "add",
    "change",
    "conference_seen",
    "create",
    "group_of_name",
    "leave",
    "look_up",
    "make_all",
    "members_of",
    "remove",
    "set_icon",
    "set_sealed_icon",
    "set_subject",
]

_KEYS = {
    Standing.ENCRYPTED: Security.ENCRYPTED,
    Standing.VERIFIED: Security.VERIFIED,
    Standing.KEYS_NEW: Security.KEYS_NEW,
    Standing.BROKEN: Security.NO_LONGER_VERIFIED,
}


# --- what the user does -----------------------------------------------------------------------------------------------
def create(
    core: Core, turn: Turn, protocol: ConversationProtocol, numbers: Sequence[Number], subject: str
) -> GroupName:
    """A new group of ourselves and these; its id is drawn by chance (rcc16.md 2.1). Raises InputError."""
    others = tuple(dict.fromkeys(number for number in numbers if number != core.me.number))
    if not others:
        raise InputError("a group needs somebody else", code="input.group_empty")
    limits = core.limits.group
    if len(others) >= limits.max_members:
        raise InputError(f"a group has {limits.max_members} members at most", code="input.group_full")
    _check_subject(core, subject)
    name = group_name(GroupId(turn.rng(16)))
    group = Membership(
        name, tuple(Member(number, members.account_of(core, turn, name, number)) for number in others), subject=subject
    )
    group = replace(group, ours=True)
    turn.staged.put(membership_key(name), group)
    chat = Chat(name, sticky=True, accepted=True, protocol=protocol.name, standing=Standing.SETTING_UP)
    chats.save(core, turn, chat)
    history.created(core, turn, name, group)
    _make(turn, group)
    step = protocol.upgrade(turn.staged, conversation_of_chat(name), others, turn.now, turn.rng)
    if progress.take(core, turn, protocol, step):
        sending.flush_all(core, turn)
    return name


def add(core: Core, turn: Turn, name: GroupName, numbers: Sequence[Number]) -> None:
    """Add these, all their devices, in one commit."""
    known = {member.number for member in members.membership(turn, name).members}
    fresh = tuple(dict.fromkeys(number for number in numbers if number not in known and number != core.me.number))
    if len(known) + len(fresh) >= core.limits.group.max_members:
        raise InputError(f"a group has {core.limits.group.max_members} members at most", code="input.group_full")
    if fresh:
        change(core, turn, name, AddMembers(fresh))


def remove(core: Core, turn: Turn, name: GroupName, number: Number) -> None:
    """Remove somebody, all its devices, in one commit. Anybody in such a group may (rcc16.md 6)."""
    if number == core.me.number:
        raise InputError("leave the group instead", code="input.own_number")
    if all(member.number != number for member in members.membership(turn, name).members):
        raise InputError(f"{number} is no member of this group", code="input.group_member")
    change(core, turn, name, RemoveMembers((number,)))


def leave(core: Core, turn: Turn, name: GroupName) -> None:
    """Leave: another member commits that we are out."""
    change(core, turn, name, Leave())
    chat = chats.load(turn, name)
    if chat.standing is not Standing.LEFT:
        chats.save(core, turn, replace(chat, standing=Standing.LEFT))


def set_subject(core: Core, turn: Turn, name: GroupName, subject: str) -> None:
    """Call the group so, encrypted."""
    _check_subject(core, subject)
    change(core, turn, name, SetMetadata(subject=subject))


def set_icon(core: Core, turn: Turn, name: GroupName, digest: bytes, pointer: str) -> None:
    """Take it away; a new one is given by `set_sealed_icon`, because what lies there has to be encrypted."""
    if pointer:
        raise InputError(
            "the picture of such a group is encrypted",
            code="input.group_icon",
            hint="give it by its path: then it is encrypted before it is uploaded",
        )
    change(core, turn, name, SetMetadata(icon=b""))


def set_sealed_icon(core: Core, turn: Turn, name: GroupName, file: File) -> None:
    """Give the group this picture, whose ciphertext was uploaded. Raises InputError for a group of another kind."""
    check(file, core.limits)
    change(core, turn, name, SetMetadata(icon=icons.pointer_of(file)))


def change(core: Core, turn: Turn, name: ChatName, wanted: Change) -> None:
    """A decision about a conversation. Raises InputError for a chat that goes by no such protocol, or for one that makes
    no sense there."""
    protocol = choosing.of(core, turn, name)
    chat = turn.staged.get(chat_key(name))
    if protocol is None or chat is None or not chat.protocol:
        raise InputError(
            "this chat goes by sessions with each device, which are not ended, begun or repaired as a whole",
            code="input.protocol",
        )
    if chat.standing is Standing.LEFT and not isinstance(wanted, Leave):
        raise InputError(
            "you are not a member of this group any more",
            code="input.group_left",
            hint="somebody in the group can add you again",
        )
    step = protocol.change(turn.staged, conversation_of_chat(name), wanted, turn.now, turn.rng)
    may_go = progress.take(core, turn, protocol, step)
    chat = chats.load(turn, name)
    if isinstance(wanted, Retry) and chat.standing is Standing.STALLED:
        # Whether it helps is told by the next notice; what waits may be tried.
        chats.save(core, turn, replace(chat, standing=members.standing(turn, name)))
        may_go = True
    if isinstance(wanted, EndEncryption) and chat.standing is not Standing.ENDED:
        # At once: nothing more is written here while the others are being told.
        turn.tell(EncryptionEnded(name, core.me.number, "user"))
        chats.save(core, turn, replace(chat, standing=Standing.ENDED))
    if may_go:
        sending.flush_all(core, turn)


def make_all(turn: Turn) -> None:
    """After a restart: the conferences of groups that were being set up, or wait for keys. Nobody knows whether they were
    made before."""
    for key in turn.staged.scan(MEMBERSHIP):
        group = turn.staged.get(key)
        chat = turn.staged.get(chat_key(group.chat)) if group is not None and group.ours else None
        if group is not None and chat is not None and chat.standing in (Standing.SETTING_UP, Standing.NO_KEYS):
            _make(turn, group)


# --- as people see them -------------------------------------------------------------------------------------------------
def group_of_name(core: Core, state: State, name: GroupName) -> Group | None:
    """The group in the form of all groups; None when there is none of this kind."""
    group, chat = state.get(membership_key(name)), state.get(chat_key(name))
    if group is None or chat is None or not chat.protocol:
        return None
    joined = chat.standing is not Standing.LEFT
    all_members = tuple(SignedMember(member.number, member.account) for member in group.members)
    if joined:
        all_members = (SignedMember(core.me.number, core.me.account), *all_members)
    return Group(
        name,
        members=all_members,
        subject=group.subject,
        icon=icons.address_of(group.icon),
        icon_digest=icons.digest_of(group.icon),
        entries=1,
        joined=joined,
    )


def look_up(core: Core, turn: Turn, name: GroupName) -> Group | None:
    """The user looks at it: where somebody had no key packages, ask once more. None when it is not of this kind."""
    protocol, chat = choosing.of(core, turn, name), turn.staged.get(chat_key(name))
    if protocol is not None and chat is not None:
        sending.open_chat(core, turn, protocol, chat)
    return group_of_name(core, turn.staged, name)


def members_of(core: Core, state: State, name: GroupName) -> tuple[MemberState, ...] | None:
    """Its members, we first; None when there is no such group of this kind."""
    group = group_of_name(core, state, name)
    if group is None:
        return None
    found = []
    for member in group.members:
        mine = member.number == core.me.number
        participant = state.get(participant_key(member.number))
        held = Security.VERIFIED if mine else Security.CHECKING
        if participant is not None and not mine:
            held = _KEYS[Standing[_STANDING_OF[participant.state.value]]]
        found.append(
            MemberState(member.number, account_uuid(member.account), held, True, mine, group.joined and not mine)
        )
    return tuple(found)


_STANDING_OF = {"pinned": "ENCRYPTED", "verified": "VERIFIED", "new": "KEYS_NEW", "broken": "BROKEN"}


def conference_seen(core: Core, turn: Turn, view: ConferenceView) -> bool:
    """What the focus claims, beside the members of the MLS group: told once, believed by nobody (SR-04). False when the
    group is not of this kind."""
    name = group_name(view.group)
    group, chat = turn.staged.get(membership_key(name)), turn.staged.get(chat_key(name))
    _described(core, turn, chat, view)
    if group is None or chat is None or not chat.protocol:
        return False
    if chat.standing in (Standing.LEFT, Standing.SETTING_UP, Standing.NONE, Standing.NO_KEYS):
        return True
    group = members.membership(turn, name)
    claimed = set(view.members) - {core.me.number}
    there = {member.number for member in group.members}
    ghosts, missing = sorted(claimed - there), sorted(there - claimed)
    seen = core.crypto.hmac_sha256(b"view", repr((view.focus, ghosts, missing)).encode()) if ghosts or missing else b""
    if seen == group.view or (seen and not trouble.allow_notice(core, turn, name)):
        return True
    turn.staged.put(membership_key(name), replace(group, view=seen))
    most = core.limits.group.max_members
    if ghosts:
        groups_history.mismatch(core, turn, name, "ghost", view.focus, tuple(ghosts[:most]))
    if missing:
        groups_history.mismatch(core, turn, name, "missing", view.focus, tuple(missing))
    return True


# --- inside ---------------------------------------------------------------------------------------------------------------
def _described(core: Core, turn: Turn, chat: Chat | None, view: ConferenceView) -> None:
    """The encrypted name and picture, for who has their keys, or will have: often this comes before a group does."""
    if view.encrypted_subject is None and view.encrypted_icon is None:
        return
    conversation = conversation_of_chat(group_name(view.group))
    for protocol in core.keeping.values():
        if chat is None or chat.protocol == protocol.name:
            step = protocol.described(
                turn.staged, conversation, view.encrypted_subject, view.encrypted_icon, turn.now, turn.rng
            )
            progress.take(core, turn, protocol, step)


def _make(turn: Turn, group: Membership) -> None:
    group_id = group_of(group.chat)
    assert group_id is not None, "only a group has a conference"
    numbers = tuple(member.number for member in group.members)
    # The name of an encrypted group is nobody's business at the carrier.
    turn.effects.append(MakeConference(Conference(group_id, "", numbers)))


def _check_subject(core: Core, subject: str) -> None:
    if len(subject.encode()) > core.limits.group.max_subject or not (subject.isprintable() or not subject):
        raise InputError("a subject that is too long, or not printable", code="input.group_subject")
