"""Control messages: what the focus hands on, and in a chat of two the peer (rcc16.md 2.6, 3.2).

Only whoever orders may send them. A commit is taken if MLS takes it and its authenticated data name the control id and
the era; what it does beyond that is judged before it takes force. Commits come as PublicMessage alone (client reason 5).
In a chat of two we answer for what a focus would: the peer's commit is accepted, or refused with a server reason.
"""

from __future__ import annotations

from ...conversation_seam import Packet
from ...errors import DecodeError, LetterlockError
from ...ids import Instant, MessageId, Number
from ...mls.group.group import Group
from ...mls.group.results import Application, OwnEcho, ProposalReceived, StagedCommit
from ...mls.registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE, WELCOME
from ...mls.wire.extensions import find_extension
from ...mls.wire.proposals import SelfRemove
from ..credentials.leaf import certified_number
from ..health.election import precedes, rank
from ..health.transitions import Moment
from ..rules import rule
from ..wire.control import (
    Accepted,
    CommitBundle,
    GroupInfoMessage,
    MlsMessage,
    ServerMessage,
    decode_server_message,
)
from ..wire.extensions import ERA, end_mls_of, metadata_keys_requested
from ..wire.reasons import ClientReason, ServerReason
from .adopting import enter, follow
from .chat import Kind
from .committing import wanted
from .ending import has_ended
from .fetched import read_fetched, saw_era
from .heads import Head, head_of
from .joining import take_welcome, unopenable
from .letters import check_binding, open_application
from .members import device_id, numbers_of
from .metadata import apply_own, apply_own_icon, push_keys, take_delivery
from .operations import matches, release
from .parking import park
from .recovery import came_in, is_pushed, look
from .refusals import lost
from .reports import report
from .standing_in import accept, refuse, said_before
from .step import Work
from .trouble import suspect

__all__ = ["accepted", "apply_control", "take_server"]

_MEMBER = rule(
    "RCC-9.5-01",
    "our choice (SR-04; rcc16.md 2.5)",
    "who comes in by an external commit is a number that was in the group",
    module=__name__,
)
_ERA_KEPT = rule("RCC-9.2-01", "RCC.16 9.2 (rcc16.md 2.1)", "a commit does not change the era", module=__name__)
_PAIR = rule("RCC-P-02", "our choice (SR-04)", "nobody is added to a chat of two but its two numbers", module=__name__)
_COMMITTER = rule(
    "RCC-7.5.3.1-04", "RCC.16 7.5.3 (rcc16.md 4.1)", "a commit is by whom the envelope names", module=__name__
)


def take_server(work: Work, packet: Packet, sender: Number | None) -> None:
    """Something of type message/mls-rcs-server came. In a group only the focus says this, in a chat of two the peer."""
    if sender != work.conversation.peer:
        return
    settings = work.core.settings
    try:
        message = decode_server_message(packet.body, settings.choices.control_numbers, settings.control)
    except DecodeError:
        return
    if isinstance(message, Accepted):
        if matches(work, message.message_id, message.identifier):
            accepted(work)
        return
    if isinstance(message, GroupInfoMessage):
        _born_ended(work, message)
        return
    apply_control(work, packet, message, sender)


def _born_ended(work: Work, message: GroupInfoMessage) -> None:
    """A new era without a Welcome: somebody ended encryption without the group (rcc16.md 5.2). It counts if the one who
    did was in the group with us; anything else that a GroupInfo says is asked about."""
    chat = work.chat
    if work.client is None or chat.left or chat.group is None:
        return
    fetched = read_fetched(work, message)
    if fetched.era <= chat.group.era or fetched.group_id != chat.mls_id.encode():
        return
    saw_era(work, fetched.era)
    end = end_mls_of(fetched.extensions)
    if end is not None and fetched.signer in {(one.number, one.device) for one in chat.members}:
        work.update(rejoin=True)
        has_ended(work, fetched.signer[0], end)
    else:
        suspect(work, "group-info", certain=True)


def accepted(work: Work) -> None:
    """Ours counts, in the very state that we made it for."""
    operation = work.chat.operation
    assert operation is not None
    ours = work.core.number
    if operation.candidate is not None:
        group = work.candidate()
        if group is None:
            return
        if group.pending is not None:
            group.merge(group.pending, now=work.now)
        release(work)
        enter(work, operation.candidate, group, ours, operation.numbers if operation.kind is Kind.EXTERNAL else ())
    else:
        group = work.group()
        if group is None or group.pending is None:
            return
        release(work)
        follow(work, group, group.pending, ours)
    _after_own(work, operation.kind, operation.numbers)


def _after_own(work: Work, kind: Kind, numbers: tuple[Number, ...]) -> None:
    chat = work.chat
    match kind:
        case Kind.ADD:
            work.update(adds=tuple(number for number in chat.adds if number not in numbers))
            push_keys(work)
        case Kind.REMOVE:
            work.update(removes=tuple(number for number in chat.removes if number not in numbers))
        case Kind.METADATA:
            apply_own(work)
        case Kind.ICON:
            apply_own_icon(work)
        case Kind.EXTERNAL:
            came_in(work)
        case Kind.ASK_KEYS:
            work.update(asks_keys=False)
        case Kind.ERA_ADVANCE | Kind.REVIVE_IN_NEW_ERA:
            push_keys(work)
        case _:
            pass


def apply_control(work: Work, packet: Packet, message: ServerMessage, sender: Number | None) -> bool:
    """A commit, Welcome or proposal, now or from a page of missed ones. Whether it took force, or was kept."""
    handshake = message.handshake if isinstance(message, CommitBundle) else b""
    if isinstance(message, MlsMessage):
        handshake = message.message
    if isinstance(message, (Accepted, GroupInfoMessage)):
        return False
    head = head_of(handshake, work.core.settings.max_message_bytes)
    if head is None:
        return False
    if head.wire_format == WELCOME:
        return isinstance(message, CommitBundle) and _welcome(work, packet, message, sender)
    if work.chat.left or not work.chat.mls_id or head.group_id != work.chat.mls_id.encode():
        return False
    if head.wire_format == PRIVATE_MESSAGE:
        report(work, packet, sender, ClientReason.COMMIT_IN_PRIVATEMESSAGE)
        return False
    bundle = message if isinstance(message, CommitBundle) else CommitBundle(handshake)
    return head.wire_format == PUBLIC_MESSAGE and _handshake(work, packet, bundle, head, sender)


def _welcome(work: Work, packet: Packet, bundle: CommitBundle, sender: Number | None) -> bool:
    by: list[Number | None] = [None]
    repeated = said_before(work, packet)
    if repeated:
        return False

    def take() -> None:
        by[0] = take_welcome(work, packet, bundle, sender)

    error = work.attempt(take)
    if error is not None:
        unopenable(work, bundle)
        refuse(work, packet, ServerReason.INCORRECT_ERA)
        return False
    if by[0] is None:
        return False
    accept(work, packet)
    return True


def _handshake(work: Work, packet: Packet, bundle: CommitBundle, head: Head, sender: Number | None) -> bool:
    chat, group = work.chat, work.group()
    if chat.group is None or group is None:
        return False
    at = Moment(chat.group.era, head.epoch)
    if at > chat.moment:
        park(work, packet, sender, at)
        suspect(work, "future-commit", from_future=True)
        return False
    if at < chat.moment:
        if not said_before(work, packet):
            refuse(work, packet, ServerReason.INCORRECT_EPOCH)
        return False
    taken: list[bool] = [False]

    def take() -> None:
        taken[0] = _take(work, packet, bundle, group, sender)

    error = work.attempt(take)
    if error is not None:
        _invalid(work, packet, sender, error)
    return taken[0]


def _take(work: Work, packet: Packet, bundle: CommitBundle, group: Group, sender: Number | None) -> bool:
    result = group.process(bundle.handshake, now=work.now)
    if isinstance(result, ProposalReceived):
        return _proposed(work, packet, group, result)
    if isinstance(result, OwnEcho) or not isinstance(result, StagedCommit):
        return False
    by = _judge(work, packet, group, result, sender)
    operation, peer = work.chat.operation, work.conversation.peer
    if operation is not None:
        if (
            peer is not None
            and not result.effects.external
            and _crossing(operation.kind)
            and precedes(work.core.number, peer)
        ):
            return False  # the peer will find that ours stands (our choice)
        if (operation.candidate is None and operation.control_id) or operation.kind is Kind.EXTERNAL:
            lost(work)
    external, asked = result.effects.external, metadata_keys_requested(group.state.extensions)
    follow(work, group, result, by)
    look(work, group, asked, by)
    accept(work, packet)
    if bundle.key_delivery:
        _delivered(work, group, bundle.key_delivery, packet.message_id, by)
    if external and is_pushed(work) and not work.chat.left:
        ours = rank(work.core.number, (n for n in numbers_of(work.chat.members) if n != by))
        if ours < work.core.settings.key_pushers:
            push_keys(work)
    return True


def _crossing(kind: Kind) -> bool:
    return not kind.makes_group


def _judge(work: Work, packet: Packet, group: Group, staged: StagedCommit, sender: Number | None) -> Number:
    """What a commit does, before it takes force. Gives the committer. Raises InvalidRcc16, DecodeError."""
    effects, peer = staged.effects, work.conversation.peer
    committer = staged.state.tree.leaf(effects.committer)
    assert committer is not None  # MLS has checked its signature
    by = certified_number(committer.credential)
    check_binding(work, effects.authenticated_data, packet.message_id, by, None)
    if sender is not None and by != sender:
        _COMMITTER.fail("somebody else's commit")
    if find_extension(staged.state.extensions, ERA) != find_extension(group.state.extensions, ERA):
        _ERA_KEPT.fail("the era is changed or dropped")
    members = numbers_of(work.chat.members)
    added = {certified_number(leaf.credential) for _, leaf in effects.added}
    if effects.external and not added <= set(members):
        _MEMBER.fail("a stranger lets itself in")
    if peer is not None and not added <= {peer, work.core.number}:
        _PAIR.fail("a third one in a chat of two")
    return by


def _proposed(work: Work, packet: Packet, group: Group, received: ProposalReceived) -> bool:
    """Somebody wants to leave: one of us commits it, the first by rank at once (our choice)."""
    if not wanted(work, group, received.proposal):
        work.forget_changes()
        return False
    leaf = group.state.tree.leaf(received.sender.index)
    assert leaf is not None
    by = certified_number(leaf.credential)
    check_binding(work, received.authenticated_data, packet.message_id, by, None)
    staying = [number for number in numbers_of(work.chat.members) if number != by]
    turn: Instant = rank(work.core.number, staying) * work.core.settings.commit_turn_ms
    if not work.chat.commit_at:
        work.update(commit_at=work.now + turn)
    if isinstance(received.proposal, SelfRemove):
        leaving = dict.fromkeys((*work.chat.leaving, device_id(leaf.signature_key)))
        staying_there = tuple(number for number in work.chat.roster if number != by)
        work.update(leaving=tuple(leaving), roster=staying_there)
    return True


def _delivered(work: Work, group: Group, delivery: bytes, message_id: MessageId, by: Number) -> None:
    """Keys that came with a commit: a message of the epoch after it, under the same id (rcc16.md 7.5)."""

    def take() -> None:
        now_in = work.group()
        if now_in is None:
            return
        result = now_in.process(delivery, now=work.now)
        if isinstance(result, Application):
            content = open_application(work, now_in, result, message_id, by)
            if content is not None:
                take_delivery(work, now_in, content, by)

    work.attempt(take)


def _invalid(work: Work, packet: Packet, sender: Number | None, error: LetterlockError) -> None:
    """A commit that does not hold. The order may know another one: we look."""
    if work.is_pair:
        refuse(work, packet, ServerReason.INVALID_COMMIT)
    else:
        suspect(work, f"invalid-commit: {error.code}", certain=True)
