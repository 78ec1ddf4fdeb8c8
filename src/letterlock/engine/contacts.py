"""Pinned device lists: first contact, changes that chain, new keys, and what strangers are told about us.

Only here does a list become the contact's: after its signatures, counter-signatures and chain were
verified (SR-04, SR-22). The directory and the frames merely bring them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import DecodeError, DeviceListError, InputError, TrustRequired
from ..ids import Number, account_id, account_uuid
from ..seam import Party
from ..trust.device_list import VerifiedDeviceList, changes_between, verify_list, verify_successor
from ..trust.signed_list import decode_list, head_of
from . import chats, fetching, ordering, outbox, trouble, waiting
from .core import Core
from .events import ContactKeysSeen, DeviceListChanged, KeysChanged, NumberReset, OwnListMismatch
from .groups import actions as groups
from .groups import applying as groups_applying
from .groups import security as groups_security
from .record_values import Contact
from .records import contact_key
from .step import Turn

__all__ = ["Unknown", "accept_keys", "adopt_list", "follow", "learn", "mark_verified", "meet", "pin", "withdraw"]

_PAST_HEADS = 16


@dataclass(frozen=True, slots=True)
class Unknown:
    """A list is needed that we do not have: ask the directory for those of `number` after `since_serial`."""

    number: Number
    since_serial: int


# --- lists that frames bring -------------------------------------------------------------------------
def meet(core: Core, number: Number, signed: bytes, now: int) -> Contact:
    """The contact that a first list makes (trust on first use). Raises DeviceListError; nothing is stored yet."""
    verified = verify_list(signed, core.crypto, now)
    if verified.number != number:
        raise DeviceListError("device list of another number", code="device_list.other_account")
    return Contact(verified)


def follow(core: Core, contact: Contact, signed: bytes, now: int) -> Contact | Unknown:
    """The contact after the list that a frame carries; the same one for a list that is known.

    Raises DeviceListError for a list that does not hold.
    """
    head = head_of(signed)
    if head == contact.head or head in contact.past_heads:
        return contact
    try:
        verified = verify_successor(contact.list, (signed,), core.crypto, now)
    except DeviceListError as error:
        if error.code == "device_list.replay":
            return _with_older(core, contact, signed, now)
        if error.code in ("device_list.gap", "device_list.expired"):
            return Unknown(contact.list.number, contact.list.serial)
        raise
    return _succeeded(contact, verified, (signed,))


def _with_older(core: Core, contact: Contact, signed: bytes, now: int) -> Contact:
    """A device of theirs has not heard of the newest list. It must still be in that one (SR-22), but may name its own."""
    older = verify_list(signed, core.crypto, now)
    if (older.number, older.account) != (contact.list.number, contact.account):
        raise DeviceListError("device list of another account", code="device_list.other_account")
    return replace(contact, past_heads=(*contact.past_heads, older.head)[-_PAST_HEADS:])


def pin(core: Core, turn: Turn, before: Contact | None, after: Contact) -> None:
    """Make a verified contact the stored one, and tell what changed (SR-04)."""
    number = after.list.number
    turn.staged.put(contact_key(number), after)
    if before is None:
        turn.tell(ContactKeysSeen(number, account_uuid(after.account), after.list.serial))
        groups_applying.contact_changed(core, turn, number)
    elif before.account != after.account:
        _new_keys(core, turn, before, after)
    elif before.head != after.head:
        changes = changes_between(before.list, after.list)
        for device in (*changes.removed, *changes.rekeyed):
            _retire(core, turn, Party(number, after.account, device))
        if changes:
            added = (*changes.added, *changes.rekeyed)
            removed = (*changes.removed, *changes.rekeyed)
            turn.tell(DeviceListChanged(number, after.list.serial, added, removed))
            if number == core.me.number:
                gone = (before.list.device(device) for device in (*changes.removed, *changes.rekeyed))
                groups.revoke(core, turn, [entry.identity_key for entry in gone if entry is not None])
    if number != core.me.number:
        chats.save(core, turn, chats.load(turn, number))


# --- lists that the directory brings -----------------------------------------------------------------------
def learn(core: Core, turn: Turn, number: Number, lists: Sequence[bytes] | None) -> None:
    """The directory's answer for a number: nothing in it is believed that does not verify."""
    if lists is None:
        fetching.failed(core, turn, number)
        return
    lists = tuple(lists)[-core.limits.max_lists :]
    if number == core.me.number:
        fetching.answered(turn, number)
        _learn_own(core, turn, lists)
        return
    contact = chats.contact_of(turn, number)
    if not lists:
        _nothing_new(core, turn, number, contact)
        return
    try:
        after = _newest(core, contact, number, lists, turn.now)
    except DeviceListError as error:
        if error.code == "device_list.expired":
            _nothing_new(core, turn, number, contact)
        else:
            fetching.answered(turn, number)
            trouble.list_refused(core, turn, number, error.code)
        return
    fetching.answered(turn, number)
    pin(core, turn, contact, replace(after, fetched_at=turn.now))


def adopt_list(core: Core, turn: Turn, signed: bytes) -> None:
    """See Engine.adopt_list."""
    me, own = core.me, chats.contact_of(turn, core.me.number)
    after = meet(core, me.number, signed, turn.now) if own is None else _own_after(core, own, signed, turn.now)
    if after.account != me.account or after.list.device(me.device) is None:
        raise InputError("the device list does not name this device", code="input.list")
    pin_own(core, turn, own, replace(after, fetched_at=turn.now))


def pin_own(core: Core, turn: Turn, before: Contact | None, after: Contact) -> None:
    """Store our own list; changes of our devices are told under our number."""
    if before is None:
        turn.staged.put(contact_key(core.me.number), after)
    else:
        pin(core, turn, before, after)


# --- decisions of the user -------------------------------------------------------------------------------
def mark_verified(core: Core, turn: Turn, number: Number, account: bytes) -> None:
    """See Engine.mark_verified."""
    contact = _known(core, turn, number)
    if contact.account != account:
        raise TrustRequired("the keys changed while the codes were compared", hint="compare the codes again")
    turn.staged.put(contact_key(number), replace(contact, verified_at=turn.now, keys_new=False, broken=False))
    chats.save(core, turn, chats.load(turn, number))
    groups_security.refresh_all(core, turn, number)


def accept_keys(core: Core, turn: Turn, number: Number) -> None:
    """See Engine.accept_keys."""
    contact = _known(core, turn, number)
    verified_at = 0 if contact.broken else contact.verified_at
    turn.staged.put(contact_key(number), replace(contact, verified_at=verified_at, keys_new=False, broken=False))
    chats.save(core, turn, chats.load(turn, number))
    groups_security.refresh_all(core, turn, number)


def withdraw(core: Core, turn: Turn, number: Number) -> None:
    """See Engine.withdraw. What paused sending still does: that the keys changed has nothing to do with this."""
    contact = _known(core, turn, number)
    turn.staged.put(contact_key(number), replace(contact, verified_at=0))
    chats.save(core, turn, chats.load(turn, number))
    groups_security.refresh_all(core, turn, number)


# --- helpers -------------------------------------------------------------------------------------------------
def _known(core: Core, turn: Turn, number: Number) -> Contact:
    chats.load_peer(core, turn, number)
    contact = chats.contact_of(turn, number)
    if contact is None:
        raise InputError("no keys of this number are known yet", code="input.no_keys")
    return contact


def _nothing_new(core: Core, turn: Turn, number: Number, contact: Contact | None) -> None:
    chat = chats.load(turn, number)
    if chat.waiting or waiting.is_awaited(turn, number):
        fetching.failed(core, turn, number)
    else:
        fetching.answered(turn, number)
    if contact is None:
        # Absence is unproven: this is "no keys found" (SR-02).
        chats.save(core, turn, replace(chat, absent_at=turn.now))
    else:
        # What is pinned stays pinned (SR-01): a directory that forgets a number takes nothing away.
        turn.staged.put(contact_key(number), replace(contact, fetched_at=turn.now))


def _newest(core: Core, contact: Contact | None, number: Number, lists: Sequence[bytes], now: int) -> Contact:
    """Where the directory's lists lead: the same account further on, or another account. Raises DeviceListError."""
    try:
        newest = decode_list(lists[-1])
    except DecodeError as error:
        raise DeviceListError(f"malformed device list: {error}", code="device_list.malformed") from error
    if contact is not None and account_id(newest.participant_spki) == contact.account:
        if head_of(lists[-1]) in contact.past_heads:
            raise DeviceListError("an older device list was sent again", code="device_list.replay")
        same = [signed for signed in lists if head_of(signed) not in contact.past_heads]
        verified = verify_successor(contact.list, same, core.crypto, now)
        return contact if verified is contact.list else _succeeded(contact, verified, same)
    after = meet(core, number, lists[-1], now)
    if contact is None:
        return after
    return replace(after, keys_new=True, broken=contact.broken or contact.verified_at > 0)


def _succeeded(contact: Contact, verified: VerifiedDeviceList, chain: Sequence[bytes]) -> Contact:
    """The contact with the end of a verified chain; messages under way may name any list of it."""
    heads = dict.fromkeys((*contact.past_heads, contact.head, *(head_of(signed) for signed in chain)))
    past = [head for head in heads if head != verified.head]
    return replace(contact, list=verified, past_heads=tuple(past[-_PAST_HEADS:]))


def _new_keys(core: Core, turn: Turn, before: Contact, after: Contact) -> None:
    """Another participant key holds the number now (SR-21): shown always, and sending to a verified contact pauses."""
    number = after.list.number
    turn.tell(KeysChanged(number, account_uuid(before.account), account_uuid(after.account), before.verified_at > 0))
    chat = chats.load(turn, number)
    chats.save(core, turn, ordering.reset_account(core, turn, chat, before.account))
    # What nobody has confirmed was encrypted for keys that may be another's: it is not encrypted again
    # without the user, for whoever took the number over would read it.
    outbox.give_up_account(core, turn, before.account)
    groups_applying.contact_changed(core, turn, number)


def _learn_own(core: Core, turn: Turn, lists: Sequence[bytes]) -> None:
    """What strangers are told about us (SR-22, SR-21)."""
    own = chats.contact_of(turn, core.me.number)
    if own is None:
        return
    if not lists:
        turn.tell(OwnListMismatch("absent"))
        return
    try:
        after = _newest(core, own, core.me.number, lists, turn.now)
    except DeviceListError as error:
        turn.tell(OwnListMismatch(error.code))
        return
    if after.account != own.account:
        turn.tell(NumberReset(account_uuid(after.account)))
        return
    if after.head == own.head:
        turn.staged.put(contact_key(core.me.number), replace(own, fetched_at=turn.now))
        return
    if core.me.device == 1:
        # The primary alone signs; a list that it did not make means that its key is in other hands.
        turn.tell(OwnListMismatch("not-ours"))
        return
    pin_own(core, turn, own, replace(after, fetched_at=turn.now))
    if after.list.device(core.me.device) is None:
        turn.tell(OwnListMismatch("removed"))


def _own_after(core: Core, own: Contact, signed: bytes, now: int) -> Contact:
    verified = verify_successor(own.list, (signed,), core.crypto, now)
    return own if verified is own.list else _succeeded(own, verified, (signed,))


def _retire(core: Core, turn: Turn, peer: Party) -> None:
    for protocol in core.protocols.values():
        turn.staged.merge(protocol.on_rejected(turn.staged, peer, turn.now))
