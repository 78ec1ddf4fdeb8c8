"""Coming into a group: by Welcome, or by an external commit (rcc16.md 2.3, 2.4, 2.5).

A Welcome is taken only if it is whole: ours to open, its tree beside it and equal to what it says, its era and group id
those of the conversation, every member certified, whoever invited among those we were with, in a chat of two nobody
else than the two. It must advance the era; one of the same or a lower era is of the past or of a race, and never replaces a group.
"""

from __future__ import annotations

from ...conversation_seam import Packet
from ...errors import DecodeError, LetterlockError, ProtocolError
from ...ids import Number
from ...mls.group.group import Group
from ...mls.wire.message import decode_message
from ...mls.wire.welcome import GroupInfo, Welcome
from ..credentials.leaf import certified_number
from ..health.election import precedes
from ..health.transitions import Moment
from ..rules import rule
from ..wire.authenticated_data import encode_authenticated_data
from ..wire.control import CommitBundle
from ..wire.control import Operation as Request
from ..wire.extensions import era_of
from ..wire.group_ids import group_of_mls, is_pair
from ..wire.message_ids import new_message_id
from .adopting import enter
from .chat import Kind
from .continuity import learn
from .described import file_keys, keys_in
from .fetched import MOST_ERAS_AHEAD, Fetched
from .operations import Outgoing, begin, post
from .refusals import lost
from .step import Work

__all__ = ["come_in", "take_welcome", "unopenable"]

_GROUP = rule(
    "RCC-9.3-01", "RCC.16 9.3 (rcc16.md 2.1)", "a Welcome is for the group of its conversation", module=__name__
)
_ERA = rule(
    "RCC-9.3-02",
    "RCC.16 9.3 (rcc16.md 2.3)",
    "a Welcome has an era, a later one than ours, and leads to no moment of the past",
    module=__name__,
)
_INVITER = rule(
    "RCC-9.3-03", "RCC.16 9.3 (rcc16.md 2.3)", "who signed a Welcome is the asserted sender", module=__name__
)
_PAIR = rule("RCC-P-01", "our choice (SR-04)", "in a chat of two there is nobody but the two", module=__name__)
_STRANGER = rule(
    "RCC-9.3-05",
    "our choice (SR-04; rcc16.md 2.3)",
    "a group that we were in is replaced by one of its members alone",
    module=__name__,
)
_AUTHENTICATOR = rule(
    "RCC-9.3-04",
    "RCC.16 9.3 (rcc16.md 2.2)",
    "the group of a Welcome has the epoch authenticator that came beside it",
    module=__name__,
)


def take_welcome(work: Work, packet: Packet, bundle: CommitBundle, sender: Number | None) -> Number | None:
    """Enter the group of a Welcome that is for us: the number of who invited. None if it is not for us.

    Raises InvalidRcc16, InvalidGroupMessage, DecodeError for one that does not hold.
    """
    client, now = work.client, work.now
    if client is None:
        return None
    message = decode_message(bundle.handshake, client.policy.proposal_types, client.policy.max_message_bytes)
    if not isinstance(message, Welcome):
        raise DecodeError("not a Welcome", code="rcc16.welcome")
    key = work.core.enrolment.bundle_for(work.state, message)
    if _ours_wins(work):
        return None
    if key is None:
        if work.is_pair:
            # There is nobody else whom it could be for: the peer was given a package that is not ours, and has to hear it.
            raise ProtocolError("no key package of ours opens this Welcome", code="protocol.rcc16.welcome")
        return None
    group, info = Group.join_with_info(client, key, bundle.handshake, tree=bundle.ratchet_tree, now=now)
    by = _check(work, group, info, bundle, sender)
    learn(work, info.extensions)
    file_keys(work, keys_in(info.extensions))
    work.state.merge(work.core.enrolment.used(work.state, key, message, now))
    if work.chat.operation is not None:
        lost(work)
    held = work.hold(group, era_of(group.state.extensions))
    enter(work, held, group, by)
    return by


def unopenable(work: Work, bundle: CommitBundle) -> None:
    """A Welcome that did not hold: if it was for us, our key packages may have to be replaced."""
    client = work.client
    if client is None:
        return
    try:
        message = decode_message(bundle.handshake, client.policy.proposal_types, client.policy.max_message_bytes)
    except LetterlockError:
        return
    if isinstance(message, Welcome):
        work.state.merge(work.core.enrolment.unopenable(work.state, message, work.now))


def come_in(work: Work, fetched: Fetched) -> None:
    """An external commit to the group as the order has it; our former leaf, if it is still there, goes with it.

    It takes no SelfRemove of others along, though draft-ietf-mls-extensions 6.3 asks for it (our choice): nobody outside
    can check a membership tag, and where one is wrong no member has the proposal, so that all of them would have to come
    back from outside as well. We take out who leaves by a Remove, once we are in.

    Raises InvalidGroupMessage, InvalidRcc16, DecodeError.
    """
    client = work.client
    assert client is not None
    control_id = new_message_id(work.rng)
    era = fetched.era
    group, join = Group.join_externally(
        client,
        fetched.message.group_info,
        tree=fetched.message.ratchet_tree,
        resync=fetched.leaf_of(client.signature_key),
        authenticated_data=encode_authenticated_data(control_id, era),
        rng=work.rng,
        now=work.now,
    )
    _check_members(work, group)
    begin(work, Kind.EXTERNAL, tuple(number for number in fetched.leaving if number != work.core.number))
    candidate = work.hold(group, era)
    post(
        work,
        Outgoing(
            control_id=control_id,
            request=Request.EXTERNAL_COMMIT,
            commit=join.message,
            group_info=join.group_info,
            tree=group.state.tree.encode(),
            base=fetched.authenticator,
            base_era=era,
            era=era,
            epoch=group.epoch,
            authenticator=group.epoch_authenticator,
        ),
        candidate,
    )


def _ours_wins(work: Work) -> bool:
    """Both made a group at once: that of the lower number stands, in a chat of two, where nobody orders (our choice)."""
    operation, peer = work.chat.operation, work.conversation.peer
    if peer is None or operation is None or not operation.control_id or operation.kind is Kind.EXTERNAL:
        return False
    return operation.kind.makes_group and precedes(work.core.number, peer)


def _check(work: Work, group: Group, info: GroupInfo, bundle: CommitBundle, sender: Number | None) -> Number:
    era = era_of(group.state.extensions)
    _check_members(work, group)
    if era == 0 or (work.chat.group is not None and not work.chat.left and era <= work.chat.group.era):
        _ERA.fail(f"a Welcome to era {era}")
    if Moment(era, group.epoch) <= work.chat.held or era > work.chat.era_seen + MOST_ERAS_AHEAD:
        _ERA.fail(f"a Welcome to era {era}, epoch {group.epoch}")  # kept back until we had left, say (SR-05)
    if bundle.epoch_authenticator and bundle.epoch_authenticator != group.epoch_authenticator:
        _AUTHENTICATOR.fail("the Welcome leads to another state than it was sent with")
    inviter = group.state.tree.leaf(info.signer)
    assert inviter is not None  # joining has checked its signature
    by = certified_number(inviter.credential)
    if sender is not None and by != sender:
        _INVITER.fail("somebody else's Welcome")
    known = {one.number for one in work.chat.members}
    if known and by not in known:
        _STRANGER.fail("a stranger makes a new era")
    return by


def _check_members(work: Work, group: Group) -> None:
    """The group id is that of the conversation, and in a chat of two nobody else is in it."""
    wanted = work.conversation.group
    if (wanted is None and not is_pair(group.group_id)) or (
        wanted is not None and group_of_mls(group.group_id) != wanted
    ):
        _GROUP.fail("the MLS group of another conversation")
    numbers = {certified_number(leaf.credential) for _, leaf in group.members()}
    if work.is_pair and numbers != {work.core.number, work.conversation.peer}:
        _PAIR.fail("somebody else is in a chat of two")
