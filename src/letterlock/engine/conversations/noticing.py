"""What a protocol reports, as events, messages and the standing of a chat."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from ...conversation_seam import (
    AddMembers,
    ChangeFailed,
    ConversationProtocol,
    Ended,
    EndEncryption,
    HealthMoved,
    KeysSeen,
    LetterFailed,
    LetterReceipt,
    LetterReceived,
    MetadataChanged,
    Notice,
    Progress,
    RemoveMembers,
    Revive,
    RosterChanged,
    Secured,
    SendAgain,
    SetMetadata,
    Stalled,
    StrangeGroup,
    Unreadable,
)
from ...errors import InputError
from ...ids import ChatName, GroupName, Number, group_of
from .. import chats, policy, trouble
from ..core import Core
from ..events import (
    ConversationChangeFailed,
    EncryptionEnded,
    EncryptionStalled,
    EncryptionStarted,
    ProtocolNoted,
)
from ..groups import history as groups_history
from ..record_values import Chat, Standing
from ..records import delivery_key
from ..step import Turn
from . import arriving, choosing, history, members, outbox
from .file_records import key_letter_key
from .records import again_key, copy_key, membership_key
from .values import Again, chat_of

__all__ = ["Noticed", "notice"]

_AILING = frozenset(
    {
        "epoch-advancement-requested",
        "ongoing-epoch-advancement",
        "ongoing-era-advancement",
        "era-advancement-requested",
        "self-heal-failed",
    }
)
"""States of repair (rcc16.md 5.1)."""


_UNSECURED = frozenset((Standing.NONE, Standing.SETTING_UP, Standing.NO_KEYS, Standing.ENDED, Standing.LEFT))


@dataclass(frozen=True, slots=True)
class Noticed:
    """`may_go`: what waits may be sealed now. `steps` of the protocol that the notice called for."""

    may_go: bool = False
    steps: tuple[Progress, ...] = field(default=())
    keys_of: Number | None = None
    """Keys of this number were seen."""


def notice(core: Core, turn: Turn, protocol: ConversationProtocol, noted: Notice) -> Noticed:
    """Take one notice."""
    if isinstance(noted, KeysSeen):
        return Noticed(True, (members.keys_seen(core, turn, protocol, noted),), noted.number)
    name = chat_of(noted.conversation)
    if name is None or name == core.me.number:
        return Noticed()
    match noted:
        case Secured():
            return _secured(core, turn, protocol, name, noted)
        case LetterReceived():
            arriving.letter(core, turn, name, noted)
        case LetterReceipt():
            arriving.receipt(core, turn, name, noted)
        case SendAgain():
            return Noticed(_send_again(core, turn, name, noted))
        case LetterFailed():
            _failed(turn, noted)
        case Unreadable():
            _unreadable(core, turn, name, noted)
        case RosterChanged():
            _roster(core, turn, protocol, name, noted)
            return Noticed(True)
        case MetadataChanged():
            _metadata(core, turn, protocol, name, noted)
        case Ended():
            _ended(core, turn, protocol, name, noted)
        case HealthMoved():
            return _health(core, turn, protocol, name, noted)
        case Stalled():
            _stalled(core, turn, protocol, name, noted)
        case ChangeFailed():
            _change_failed(turn, name, noted)
        case StrangeGroup() if group_of(name) is not None and trouble.allow_notice(core, turn, GroupName(name)):
            groups_history.mismatch(core, turn, GroupName(name), "other-group", "", tuple(noted.numbers))
    return Noticed()


# --- encrypted, or not any more ------------------------------------------------------------------------------------
def _secured(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, noted: Secured) -> Noticed:
    known, stood, was_encrypted = (
        chats.exists(turn, name),
        chats.load(turn, name).standing,
        chats.load(turn, name).sticky,
    )
    before = members.membership(turn, name)
    after = members.learn(core, turn, protocol, name)
    chat = _latched(core, turn, protocol, name)
    if chat is None:
        return Noticed()  # it goes by sessions: what comes is shown, what is written goes the other way
    back = stood is Standing.LEFT
    fresh = stood in _UNSECURED
    if before.members != after.members:
        chat = replace(chat, base=chat.sequence)
    chat = chats.save(core, turn, replace(chat, standing=members.standing(turn, name), sticky=True))
    if group_of(name) is not None and not before.ours and (not known or back or not before.members):
        history.joined(core, turn, GroupName(name), noted.by, after)
    if was_encrypted:
        members.come_in(core, turn, before, after)
    if fresh:
        turn.tell(EncryptionStarted(name, protocol.name, noted.era, noted.by))
    steps: tuple[Progress, ...] = ()
    view = protocol.view(turn.staged, noted.conversation)
    if before.ours and before.subject and view is not None and not view.subject:
        # The name that the user gave it, now that there is somebody to tell it to.
        try:
            wanted = SetMetadata(subject=before.subject)
            steps = (protocol.change(turn.staged, noted.conversation, wanted, turn.now, turn.rng),)
        except InputError:
            steps = ()
    return Noticed(True, steps)


def _ended(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, noted: Ended) -> None:
    chat = _latched(core, turn, protocol, name)
    if chat is not None and chat.standing is not Standing.ENDED:
        turn.tell(EncryptionEnded(name, noted.by or "", noted.reason))
        chats.save(core, turn, replace(chat, standing=Standing.ENDED, sticky=True))


def _stalled(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, noted: Stalled) -> None:
    chat = _latched(core, turn, protocol, name)
    if chat is not None and chat.standing is not Standing.STALLED:
        turn.tell(EncryptionStalled(name, noted.reason))
        chats.save(core, turn, replace(chat, standing=Standing.STALLED))


def _change_failed(turn: Turn, name: ChatName, noted: ChangeFailed) -> None:
    numbers: tuple[Number, ...] = ()
    match noted.change:
        case AddMembers(numbers):
            what = "add"
        case RemoveMembers(numbers):
            what = "remove"
        case SetMetadata(subject=None):
            what = "icon"
        case SetMetadata():
            what = "subject"
        case EndEncryption():
            what = "end"
        case Revive():
            what = "revive"
        case _:
            return  # leaving and trying again are done at once
    turn.tell(ConversationChangeFailed(name, what, tuple(numbers), noted.reason))


def _health(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, noted: HealthMoved) -> Noticed:
    """Told when it falls ill and when it is well again; the steps between are many, and nobody can do anything about
    them. A chat that was ended or stuck and is encrypted again is open again."""
    group, healthy = members.membership(turn, name), noted.state not in _AILING
    if group.healthy is not healthy:
        turn.staged.put(membership_key(name), replace(group, healthy=healthy))
        turn.tell(ProtocolNoted(name, protocol.name, f"health:{noted.state}"))
    view = protocol.view(turn.staged, noted.conversation)
    stood = chats.load(turn, name).standing
    if view is None or not view.encrypted or view.ended or view.stuck or noted.state != "healthy":
        return Noticed(healthy)
    if stood in (Standing.ENDED, Standing.STALLED):
        return _secured(core, turn, protocol, name, Secured(noted.conversation, view.era, Number("")))
    return Noticed(True)


def _latched(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName) -> Chat | None:
    """The chat, which goes by this protocol from now on; None when what comes first in our order reaches the contact."""
    chat = chats.load(turn, name)
    if group_of(name) is None:
        contact = chats.contact_of(turn, chat.number)  # type: ignore[arg-type]
        if policy.encrypting(core, contact, turn.now) is not None:
            return None
    return choosing.begin(core, turn, chat, protocol)


# --- members ------------------------------------------------------------------------------------------------------------
def _roster(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, noted: RosterChanged) -> None:
    out = core.me.number in noted.removed
    if chats.load(turn, name).standing in _UNSECURED and not out:
        return  # what `Secured` finds is how it begins here
    before = members.membership(turn, name)
    after = members.learn(core, turn, protocol, name)
    chat = _latched(core, turn, protocol, name)
    if chat is None:
        return
    if noted.added:
        # Newcomers expect nothing of what was said before (ordering.py).
        chat = replace(chat, base=chat.sequence)
    chat = replace(chat, standing=Standing.LEFT if out else members.standing(turn, name))
    chats.save(core, turn, chat)
    if group_of(name) is not None:
        history.roster(core, turn, GroupName(name), noted, before)
        members.come_in(core, turn, before, after)


def _metadata(core: Core, turn: Turn, protocol: ConversationProtocol, name: ChatName, noted: MetadataChanged) -> None:
    if group_of(name) is None:
        return
    group = members.membership(turn, name)
    after = replace(
        group,
        subject=group.subject if noted.subject is None else noted.subject,
        icon=group.icon if noted.icon is None else noted.icon,
    )
    turn.staged.put(membership_key(name), after)
    history.metadata(core, turn, GroupName(name), noted, group, after)


# --- letters ------------------------------------------------------------------------------------------------------------
def _send_again(core: Core, turn: Turn, name: ChatName, noted: SendAgain) -> bool:
    copy = turn.staged.get(copy_key(noted.message_id)) or turn.staged.get(key_letter_key(noted.message_id))
    root = copy.root if copy is not None else noted.message_id
    delivery = turn.staged.get(delivery_key(root))
    if delivery is None or delivery.chat != name or not delivery.order:
        return False
    # It could not read these bytes: sending them once more helps nobody.
    outbox.confirmed(turn, noted.message_id, noted.member)
    expires = delivery.at + core.limits.expiry_ms
    turn.staged.put(again_key(name, root, noted.member), Again(root, delivery.order, noted.member, expires))
    return True


def _failed(turn: Turn, noted: LetterFailed) -> None:
    row = outbox.drop(turn, noted.message_id)
    if row is not None:
        outbox.fail(turn, row, noted.reason)


def _unreadable(core: Core, turn: Turn, name: ChatName, noted: Unreadable) -> None:
    digest = hashlib.sha256(f"{name}/{noted.message_id}/{noted.reason}/{noted.repairing}".encode()).digest()
    trouble.unreadable(
        core,
        turn,
        noted.sender,
        noted.message_id,
        0,
        noted.reason,
        digest=digest,
        asked_again=noted.repairing,
        group=GroupName(name) if group_of(name) is not None else None,
    )
