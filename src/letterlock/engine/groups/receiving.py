"""What comes in a group: more of its log, requests for it, and messages, which count if their sender is a member.

The sender was authenticated before (inbox.py). A message whose sender is no member by the log as we know it is shown
only if more of the log, which it names, makes it one; until then it waits, within bounds. Otherwise it is refused,
and that is told: a removed member, or somebody who never was one, does not speak in the group.
"""

from __future__ import annotations

from dataclasses import replace

from ...errors import ProtocolError, RemoteError
from ...ids import GroupName
from ...seam import Content, Party
from ...trust import group_log
from ...trust.group_log_bundle import Bundle, decode_bundle, encode_bundle, encode_heads, fill
from ...trust.group_log_entry import Entry, EntryId
from .. import chats, receipts, trouble
from ..content import GROUP_TYPE, REQUEST_TYPE, GroupRequest, Parts, encode, with_heads
from ..core import Core
from ..events import MessageUnreadable
from ..record_values import Contact
from ..step import Turn
from . import applying as groups_applying
from . import log as groups_log
from . import posting as groups_posting
from .history import mismatch
from .log import Evidence
from .values import GROUP, GROUP_LETTER, Group, Letter, group_key, letter_key

__all__ = [
    "answer",
    "ask_again",
    "drop_letters",
    "learn",
    "letters",
    "may_return",
    "may_speak",
    "note_heads",
    "park",
    "take_up",
    "tell_out",
]

_TOLD_AFTER = 3
"""So many requests without an answer are told as entries that are withheld."""
_ENOUGH = 12
"""So many are made for a group that we are not in: the last one after hours."""


# --- the log -----------------------------------------------------------------------------------------------------
def learn(core: Core, turn: Turn, name: GroupName, data: bytes, sender: Party) -> None:
    """Entries that somebody sent. Nothing in them is believed that is not signed by who may (SR-04). Raises DecodeError."""
    bundle = decode_bundle(data, core.limits.max_list, core.limits.group)
    evidence = Evidence(core, turn, name)
    for signed in bundle.lists:
        evidence.add(signed)
    group = turn.staged.get(group_key(name))
    try:
        if group is None or not group.entries:
            log, entries = _begun(core, turn, name, bundle, evidence), bundle.entries[1:]
            group = group or Group(name, met_at=turn.now)
        else:
            log, entries = groups_log.load(core, turn, group), bundle.entries
    except RemoteError as error:
        # Without the beginning: it comes when whoever names more of the log than we have is asked.
        if error.code != "group.root":
            _refused(turn, name, sender, error.code)
        return
    admitted = group_log.admit(log, entries, evidence, core.crypto)
    for code in dict.fromkeys(admitted.refused):
        _refused(turn, name, sender, code)
    if not group.entries and admitted.log.state.standing(core.me.account) is None and not _has_room(core, turn, name):
        _refused(turn, name, sender, "group.too_many")
        return
    if admitted.log is not log or not group.entries:
        after = groups_applying.apply(core, turn, group, admitted.log, evidence)
        _bring_up_to_date(core, turn, group, after, admitted.log, evidence)


def _bring_up_to_date(
    core: Core, turn: Turn, before: Group, after: Group, log: group_log.GroupLog, evidence: Evidence
) -> None:
    """Somebody was added beside entries of ours: who added it did not know of these, and we did not know of it."""
    if not before.joined or not after.joined:
        return
    unknown: dict[EntryId, Entry] = {}
    for standing in log.state.members:
        if before.member(standing.member.account) is None:
            known = {entry.id for entry in log.after((), until=standing.entry)}
            ours = (node.entry for node in log.nodes if node.entry.author.party == core.me)
            unknown |= {entry.id: entry for entry in ours if entry.id not in known}
    if unknown:
        bundle = fill(unknown.values(), evidence.proof, core.limits.max_group_bundle)
        groups_posting.announce(core, turn, after, bundle, after.members)


def _begun(core: Core, turn: Turn, name: GroupName, bundle: Bundle, evidence: Evidence) -> group_log.GroupLog:
    if not bundle.entries:
        raise ProtocolError("nothing of the group", code="group.root")
    if len(list(turn.staged.scan(GROUP))) >= core.limits.max_groups and turn.staged.get(group_key(name)) is None:
        raise ProtocolError("too many groups", code="group.too_many")
    expected = groups_log.group_id(name)
    return group_log.join_group(bundle.entries[0], expected, evidence, core.crypto, core.limits.group)


def _has_room(core: Core, turn: Turn, name: GroupName) -> bool:
    """Groups cost a stranger nothing (SR-08): of those that we never came to be in, and in all, there is a bound."""
    known = [group for key in turn.staged.scan(GROUP) if (group := turn.staged.get(key)) is not None]
    outside = sum(not group.joined and not chats.exists(turn, group.name) for group in known)
    if any(group.name == name for group in known):
        return True
    return outside < core.limits.max_groups_outside and len(known) < core.limits.max_groups


def _refused(turn: Turn, name: GroupName, sender: Party, code: str) -> None:
    turn.tell(MessageUnreadable(name, "", sender.device, code, sender=sender.number))


# --- who lacks what ------------------------------------------------------------------------------------------------
def note_heads(core: Core, turn: Turn, name: GroupName, heads: tuple[EntryId, ...], sender: Party) -> bool:
    """Heads that a member's content names; whether we lack one. What we lack is asked for."""
    group = turn.staged.get(group_key(name))
    if group is None or not group.entries:
        if not _has_room(core, turn, name):
            return False
        group, lacks = group or Group(name, met_at=turn.now), heads
    else:
        lacks = groups_log.lacking(turn, group, heads)
    if not lacks:
        return False
    known, informant = (*lacks, *group.lacks), sender
    if not _is_inside(core, group, sender) and _is_asked_inside(core, group):
        # Whoever is out by what we know may be right, but does not take the place of a member that has yet to answer
        # (SR-05): it could name what does not exist, and swallow our questions for what does.
        known, informant = (*group.lacks, *lacks), group.informant or sender
    known = tuple(dict.fromkeys(known))[: core.limits.group.max_parents]
    news = known != group.lacks or informant != group.informant
    asks = min(group.asks, _TOLD_AFTER) if news else group.asks
    group = replace(group, lacks=known, informant=informant, asks=asks)
    turn.staged.put(group_key(name), group)
    _ask(core, turn, group)
    return True


def _is_inside(core: Core, group: Group, party: Party) -> bool:
    return party.account == core.me.account or group.member(party.account) is not None


def _is_asked_inside(core: Core, group: Group) -> bool:
    informant = group.informant
    return (
        bool(group.lacks) and informant is not None and group.asks <= _TOLD_AFTER and _is_inside(core, group, informant)
    )


def ask_again(core: Core, turn: Turn) -> None:
    """Ask again for what nobody has sent, ever more rarely."""
    for key in list(turn.staged.scan(GROUP)):
        group = turn.staged.get(key)
        if group is not None and group.lacks and group.informant is not None:
            _ask(core, turn, group)


def _ask(core: Core, turn: Turn, group: Group) -> None:
    informant = group.informant
    if not group.joined and group.asks >= _ENOUGH:
        # To whoever is out, nobody may want to answer.
        turn.staged.put(group_key(group.name), replace(group, lacks=(), informant=None, asks=0))
        return
    due = group.asked_at + min(core.limits.list_refresh_ms, core.limits.fetch_first_ms << min(group.asks, 30))
    if group.asks and due > turn.now:
        turn.wake(due)
        return
    contact = chats.contact_of(turn, informant.number) if informant is not None else None
    if informant is None or contact is None or contact.account != informant.account:
        return
    group = replace(group, asked_at=turn.now, asks=group.asks + 1)
    turn.staged.put(group_key(group.name), group)
    heads = group.heads if _is_inside(core, group, informant) else _known_outside(core, turn, group, informant)
    body = with_heads(encode(Parts(REQUEST_TYPE, encode_heads(heads)), turn.now), heads)
    receipts.send_control(core, turn, group.name, contact, body, only=(informant.device,))
    turn.wake(turn.now + (core.limits.fetch_first_ms << 1))
    if group.asks == _TOLD_AFTER and group.entries:
        mismatch(core, turn, group.name, "withheld", informant.number, ())


def _known_outside(core: Core, turn: Turn, group: Group, party: Party) -> tuple[EntryId, ...]:
    """What somebody who is out by our log knows that we have: up to its removal, or nothing (SR-04)."""
    if group.once(party.account) is None:
        return ()
    ended = groups_log.load(core, turn, group).state.ended.get(party.account)
    return () if ended is None else (ended,)


def answer(core: Core, turn: Turn, name: GroupName, contact: Contact, sender: Party, request: GroupRequest) -> None:
    """A member lacks entries: send them, not too often (SR-08). Whoever is out gets what there was until then, and whoever
    never was in gets nothing."""
    group = turn.staged.get(group_key(name))
    ours = sender.account == core.me.account
    if group is None or not group.entries:
        return
    if group.member(sender.account) is None and not ours:
        tell_out(core, turn, name, contact, sender, request.heads)
        return
    if not trouble.allow_resend(core, turn, sender.number):
        return
    bundle = groups_log.bundle_of(core, turn, groups_log.load(core, turn, group), request.heads)
    if bundle.entries:
        body = with_heads(encode(Parts(GROUP_TYPE, encode_bundle(bundle)), turn.now), group.heads)
        receipts.send_control(core, turn, name, contact, body, only=(sender.device,))


def tell_out(
    core: Core, turn: Turn, name: GroupName, contact: Contact, sender: Party, heads: tuple[EntryId, ...]
) -> None:
    """Somebody who was removed writes as if it did not know, or lacks what went before: send the entries up to the one
    that removed it, and nothing behind it."""
    group = turn.staged.get(group_key(name))
    if group is None or group.once(sender.account) is None or not trouble.allow_resend(core, turn, sender.number):
        return
    log = groups_log.load(core, turn, group)
    ended = log.state.ended.get(sender.account)
    bundle = groups_log.bundle_of(core, turn, log, heads, ended) if ended is not None else Bundle((), ())
    if bundle.entries and ended is not None:
        body = with_heads(encode(Parts(GROUP_TYPE, encode_bundle(bundle)), turn.now), (ended,))
        receipts.send_control(core, turn, name, contact, body, only=(sender.device,))


# --- who may speak -------------------------------------------------------------------------------------------------
def may_speak(core: Core, turn: Turn, name: GroupName, sender: Party) -> bool:
    """Whether content of this sender is content of the group, by the log as we know it. While we are no member we hear
    of the log alone."""
    group = turn.staged.get(group_key(name))
    if group is None or not group.joined:
        return False
    return sender.account == core.me.account or group.member(sender.account) is not None


def may_return(turn: Turn, name: GroupName) -> bool:
    """We are out by the log as we know it, and somebody writes to us who does not know that, or knows better: it is shown
    should we be added again."""
    group = turn.staged.get(group_key(name))
    return group is not None and bool(group.entries) and not group.joined and chats.exists(turn, name)


def park(core: Core, turn: Turn, name: GroupName, sender: Party, content: Content, digest: bytes) -> None:
    """Keep what may become genuine once the log is there; the oldest goes when there is too much (SR-08)."""
    letters = []
    for key in turn.staged.scan(GROUP_LETTER):
        letter = turn.staged.get(key)
        if letter is not None and (key.name.split("/")[1] == name or letter.party.account == sender.account):
            letters.append((letter.at, key))
    for _, key in sorted(letters, key=lambda each: each[0])[: max(0, len(letters) - core.limits.group_letters + 1)]:
        _give_up(turn, key.name.split("/")[1], turn.staged.get(key))
        turn.staged.delete(key)
    header = content.header
    turn.staged.put(
        letter_key(name, header.message_id, sender.account, sender.device), Letter(sender, content, digest, turn.now)
    )
    turn.wake(turn.now + core.limits.expiry_ms)


def letters(turn: Turn, name: GroupName) -> list[Letter]:
    """What waits for more of the log, oldest first."""
    found = [turn.staged.get(key) for key in turn.staged.scan(GROUP_LETTER, f"{name}/")]
    return sorted((letter for letter in found if letter is not None), key=lambda letter: letter.at)


def take_up(turn: Turn, name: GroupName, letter: Letter) -> None:
    """It waits no longer, unless it is parked again."""
    header, sender = letter.content.header, letter.party
    turn.staged.delete(letter_key(name, header.message_id, sender.account, sender.device))


def drop_letters(core: Core, turn: Turn) -> None:
    """Give up what has waited as long as any sender would try."""
    for key in list(turn.staged.scan(GROUP_LETTER)):
        letter = turn.staged.get(key)
        if letter is not None and letter.at + core.limits.expiry_ms <= turn.now:
            turn.staged.delete(key)
            _give_up(turn, key.name.split("/")[1], letter)


def _give_up(turn: Turn, name: str, letter: Letter | None) -> None:
    if letter is not None:
        sender, header = letter.party, letter.content.header
        turn.tell(
            MessageUnreadable(GroupName(name), header.message_id, sender.device, "group:unknown", sender=sender.number)
        )
