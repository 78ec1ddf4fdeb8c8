"""Who is in a conversation and with which keys: as the protocol reports it, and as the user thinks of it.

The participant key is the account's in both protocols, so there is one security code for both; what the user has
compared in one counts in the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace

from ...conversation_seam import ConversationProtocol, KeysSeen, KeyState, Progress
from ...ids import AccountId, ChatName, Number, account_id, account_uuid, group_of
from .. import chats, ordering
from ..core import NOBODY, Core
from ..events import ContactKeysSeen, KeysChanged, OwnListMismatch
from ..record_values import Standing
from ..records import chat_key
from ..step import Turn
from .records import MEMBERSHIP, membership_key, participant_key
from .values import Member, Membership, Participant, conversation_of_chat

__all__ = [
    "accept",
    "account_of",
    "come_in",
    "keys_changed",
    "keys_seen",
    "learn",
    "mark_verified",
    "membership",
    "refresh",
    "standing",
    "withdraw",
    "without_keys",
]

_MOST_FORMER = 64
_LABEL = b"\xff\x80letterlock/number-account/v1\x00"  # SR-23
_ENCRYPTED = frozenset((Standing.ENCRYPTED, Standing.VERIFIED, Standing.KEYS_NEW, Standing.BROKEN))


def membership(turn: Turn, chat: ChatName) -> Membership:
    """What is known of who is in it."""
    return turn.staged.get(membership_key(chat)) or Membership(chat)


def learn(core: Core, turn: Turn, protocol: ConversationProtocol, chat: ChatName) -> Membership:
    """Take over who is in it now, as its MLS group has it."""
    before = membership(turn, chat)
    view = protocol.view(turn.staged, conversation_of_chat(chat))
    if view is None:
        return before
    now = tuple(
        Member(each.number, account_id(each.participant_spki) if each.participant_spki else NOBODY)
        for each in view.members
        if each.number != core.me.number
    )
    numbers = {member.number for member in now}
    former = tuple(member for member in (*before.former, *before.members) if member.number not in numbers)
    after = replace(before, members=now, former=former[-_MOST_FORMER:], subject=view.subject or before.subject)
    if after != before:
        turn.staged.put(membership_key(chat), after)
    return after


def come_in(core: Core, turn: Turn, before: Membership, after: Membership) -> None:
    """Who is in a group now and was not before, or came with other keys: from here on, in our order of it."""
    accounts = {member.account for member in after.members} - {member.account for member in before.members}
    if accounts and group_of(after.chat) is not None:
        chats.save(core, turn, ordering.come_in(chats.load(turn, after.chat), accounts))


def account_of(core: Core, turn: Turn, chat: ChatName, number: Number) -> AccountId:
    """The account that a certified number stands for here. Of one whose key is not reported (it has just left, say) an
    account of its own, made of the number alone: two numbers are never taken for one author."""
    if number == core.me.number:
        return core.me.account
    participant = turn.staged.get(participant_key(number))
    if participant is not None:
        return account_id(participant.spki)
    known = membership(turn, chat).account(number)
    if known is not None and known != NOBODY:
        return known
    return AccountId(hashlib.sha256(_LABEL + number.encode()).digest()[:16])


def standing(turn: Turn, chat: ChatName) -> Standing:
    """What the keys of its members make of an encrypted conversation: its worst member counts."""
    states = []
    for member in membership(turn, chat).members:
        participant = turn.staged.get(participant_key(member.number))
        states.append(participant.state if participant is not None else KeyState.PINNED)
    if KeyState.BROKEN in states:
        return Standing.BROKEN
    if KeyState.NEW in states:
        return Standing.KEYS_NEW
    return Standing.VERIFIED if states and set(states) == {KeyState.VERIFIED} else Standing.ENCRYPTED


def keys_changed(core: Core, turn: Turn, protocol: ConversationProtocol, numbers: Collection[Number]) -> None:
    """Keys of these were seen in this step: who is in their conversations, and where those stand. Once for all of them: a
    large group brings as many keys as it has members (SR-08)."""
    for key in list(turn.staged.scan(MEMBERSHIP)):
        group = turn.staged.get(key)
        if group is not None and any(member.number in numbers for member in group.members):
            after = learn(core, turn, protocol, group.chat)
            if chats.load(turn, group.chat).sticky:
                come_in(core, turn, group, after)
    refresh(core, turn, numbers)


def refresh(core: Core, turn: Turn, numbers: Collection[Number]) -> None:
    """Something was decided about the keys of these numbers: where their conversations stand now."""
    for key in list(turn.staged.scan(MEMBERSHIP)):
        group = turn.staged.get(key)
        if group is None or not any(member.number in numbers for member in group.members):
            continue
        chat = turn.staged.get(chat_key(group.chat))
        if chat is not None and chat.protocol and chat.standing in _ENCRYPTED:
            chats.save(core, turn, replace(chat, standing=standing(turn, group.chat)))


def without_keys(core: Core, turn: Turn, numbers: Collection[Number]) -> None:
    """The key distribution server has no packages of these: what was being set up with them is not, for now (SR-02)."""
    names: set[ChatName] = set(numbers)
    for key in turn.staged.scan(MEMBERSHIP) if numbers else ():
        group = turn.staged.get(key)
        if group is not None and any(member.number in numbers for member in group.members):
            names.add(group.chat)
    for name in sorted(names):
        chat = turn.staged.get(chat_key(name))
        if chat is not None and chat.protocol and chat.standing is Standing.SETTING_UP:
            chats.save(core, turn, replace(chat, standing=Standing.NO_KEYS, claimed_at=turn.now))


# --- what the protocol saw -----------------------------------------------------------------------------------------
def keys_seen(core: Core, turn: Turn, protocol: ConversationProtocol, seen: KeysSeen) -> Progress:
    """A participant key that was not pinned, or another one than before; what the protocol has to do about it.

    A key that the signed device list names is no news, and what was compared there was compared here. Another one than
    the list's is: one of the two is not this person's.
    """
    if seen.number == core.me.number:
        if account_id(seen.spki) != core.me.account:
            turn.tell(OwnListMismatch("participant-key"))
        return Progress()
    contact, known = chats.contact_of(turn, seen.number), turn.staged.get(participant_key(seen.number))
    account = account_id(seen.spki)
    listed = contact is not None and contact.account == account
    old = _old_account(seen, known, None if contact is None or listed else contact.account)
    was_verified = (known is not None and known.verified_at > 0) or (contact is not None and contact.verified_at > 0)
    if contact is not None and listed:
        state = (
            KeyState.BROKEN
            if contact.broken
            else KeyState.NEW
            if contact.keys_new
            else KeyState.VERIFIED
            if contact.verified_at
            else KeyState.PINNED
        )
        verified_at = contact.verified_at
    elif old is None:
        state, verified_at = KeyState.PINNED, 0
        turn.tell(ContactKeysSeen(seen.number, account_uuid(account), 0))
    else:
        state, verified_at = (KeyState.BROKEN if was_verified else KeyState.NEW), 0
        turn.tell(KeysChanged(seen.number, account_uuid(old), account_uuid(account), was_verified))
    turn.staged.put(participant_key(seen.number), Participant(seen.spki, state, verified_at))
    progress = Progress()
    if state is KeyState.VERIFIED or (seen.before and state is KeyState.PINNED):
        progress = protocol.trust(turn.staged, seen.number, seen.spki, state is KeyState.VERIFIED, turn.now)
    return progress


# --- decisions of the user --------------------------------------------------------------------------------------------
def mark_verified(
    core: Core, turn: Turn, number: Number, account: bytes
) -> list[tuple[ConversationProtocol, Progress]]:
    """The user compared the code of exactly this account: the same in every protocol that knows the number by it."""
    participant = turn.staged.get(participant_key(number))
    if participant is None or account_id(participant.spki) != account:
        return []
    turn.staged.put(participant_key(number), replace(participant, state=KeyState.VERIFIED, verified_at=turn.now))
    found = _trusted(core, turn, number, participant.spki, True)
    refresh(core, turn, (number,))
    return found


def accept(core: Core, turn: Turn, number: Number) -> list[tuple[ConversationProtocol, Progress]]:
    """The user goes on with the new keys, unverified."""
    participant = turn.staged.get(participant_key(number))
    if participant is None or participant.state in (KeyState.PINNED, KeyState.VERIFIED):
        return []
    turn.staged.put(participant_key(number), replace(participant, state=KeyState.PINNED, verified_at=0))
    found = _trusted(core, turn, number, participant.spki, False)
    refresh(core, turn, (number,))
    return found


def withdraw(core: Core, turn: Turn, number: Number) -> list[tuple[ConversationProtocol, Progress]]:
    """The user no longer vouches for the keys. What is broken stays so."""
    participant = turn.staged.get(participant_key(number))
    if participant is None or participant.state is not KeyState.VERIFIED:
        return []
    turn.staged.put(participant_key(number), replace(participant, state=KeyState.PINNED, verified_at=0))
    found = _trusted(core, turn, number, participant.spki, False)
    refresh(core, turn, (number,))
    return found


def _trusted(
    core: Core, turn: Turn, number: Number, spki: bytes, verified: bool
) -> list[tuple[ConversationProtocol, Progress]]:
    return [
        (protocol, protocol.trust(turn.staged, number, spki, verified, turn.now)) for protocol in core.keeping.values()
    ]


def _old_account(seen: KeysSeen, known: Participant | None, listed: AccountId | None) -> AccountId | None:
    """The account that the number stood for before; None when nothing of it was known."""
    if seen.before:
        return account_id(seen.before)
    if known is not None and known.spki != seen.spki:
        return account_id(known.spki)
    return listed
