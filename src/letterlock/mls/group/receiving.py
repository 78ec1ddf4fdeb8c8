"""What a message is, and what follows from it: the way of everything that `Group.process` is given.

By epoch first (past, current, to come), then by content. Only what has been authenticated has an effect, and the
only effects are: a message key is used up, a proposal is kept, a message is held.
"""

from __future__ import annotations

import hashlib
from typing import Final

from ...errors import (
    BadMac,
    BadPublicKey,
    BadSignature,
    DuplicateMessage,
    InputError,
)
from ...ids import Instant
from ..evolution.effects import effects_of
from ..evolution.next_epoch import confirmed_context, follow_commit, next_state
from ..evolution.proposal_list import check_room, queue_proposal
from ..protect.content import verify_content
from ..protect.private_message import open_private, open_sender_data
from ..registries import PUBLIC_MESSAGE
from ..rules import rule
from ..schedule.secret_tree import SecretTree
from ..schedule.transcript import check_confirmation_tag
from ..wire.commit import Commit
from ..wire.framing import AuthenticatedContent, PrivateMessage, PublicMessage, Sender, SenderType
from ..wire.message import decode_message
from ..wire.proposals import CustomProposal
from .epoch import EpochState, PastEpochState
from .following import follow
from .member import Member
from .messages import Opened, open_current, stage_key
from .psks import FindPsk
from .results import (
    Application,
    Duplicate,
    Fork,
    FutureEpoch,
    OwnEcho,
    PassingProposal,
    PastEpoch,
    ProposalReceived,
    Result,
    StagedCommit,
)
from .row_keys import held_key
from .rows import prune_past

__all__ = ["keep_own_proposal", "receive", "verify_passing"]

_GROUP = rule("MLS-6-22", "RFC 9420 section 6", "the message names this group", module=__name__)
_PASSING = rule(
    "MLS-P-06", "our policy", "what is verified as a passing proposal is a member's, of a passing type", module=__name__
)
_PASSING_SIGNATURE = rule(
    "MLS-P-07", "our policy", "a passing proposal of a past epoch is signed by the member it names", module=__name__
)
_OWN_COMMIT = rule("MLS-P-04", "our policy", "a commit in our own name is the one that we made", module=__name__)
_KEM: Final = rule(
    "MLS-12.4.2-03", "RFC 9420 section 12.4.2", "path secrets and external init can be decrypted", module=__name__
)


def receive(member: Member, data: bytes, find_psk: FindPsk, now: Instant) -> Result:
    """Raises InvalidGroupMessage, DecodeError, BadMac, MissingProposal, MissingPsk, TooFarAhead, GroupInactive."""
    policy = member.client.policy
    message = decode_message(data, policy.proposal_types, policy.max_message_bytes)
    if isinstance(message, PublicMessage):
        group_id, epoch = message.content.group_id, message.content.epoch
    elif isinstance(message, PrivateMessage):
        group_id, epoch = message.group_id, message.epoch
    else:
        raise InputError(f"a {type(message).__name__} is not for a group that we are in", code="mls.input.message")
    if group_id != member.state.group_id:
        _GROUP.fail("the message is for another group")
    prune_past(member, now)
    current = member.state.epoch
    if epoch < current:
        return _past(member, message, epoch, data)
    if epoch > current:
        member.active()  # nothing comes after the end
        return _future(member, epoch, data)
    digest = hashlib.sha256(data).digest()
    if member.pending is not None and member.pending.staged.digest == digest:
        return OwnEcho(member.pending)
    active = member.active()  # a group that a ReInit closed stays closed, whatever its members send
    try:
        opened = open_current(member.state, active, message, policy)
    except DuplicateMessage:
        return Duplicate(epoch)
    if opened is None:
        return OwnEcho(None)
    return _take(member, active, opened, digest, find_psk, now)


def verify_passing(member: Member, data: bytes, now: Instant) -> PassingProposal | PastEpoch | FutureEpoch:
    """A proposal of a passing type (`Policy.passing_proposals`), judged wherever it came from and kept nowhere.

    In the current epoch the membership tag and the signature hold; in a past one, whose membership key is gone, the
    signature alone, which covers the GroupContext of that epoch. Raises InvalidGroupMessage, DecodeError, GroupInactive.
    """
    policy, state = member.client.policy, member.state
    message = decode_message(data, policy.proposal_types, policy.max_message_bytes)
    if (
        not isinstance(message, PublicMessage)
        or not isinstance(message.content.content, CustomProposal)
        or message.content.content.proposal_type not in policy.passing_proposals
        or message.content.sender.sender_type != SenderType.MEMBER
    ):
        _PASSING.fail("not a passing proposal of a member")
        raise InputError("not a passing proposal", code="mls.input.message")
    framed, proposal = message.content, message.content.content
    sender, epoch = framed.sender, framed.epoch
    if framed.group_id != state.group_id:
        _GROUP.fail("the message is for another group")
    prune_past(member, now)
    if epoch > state.epoch:
        return FutureEpoch(epoch, False)
    if epoch == state.epoch:
        open_current(state, member.active_or_closed(), message, policy)
        leaf = state.tree.leaf(sender.index)
    else:
        past = member.past.find(epoch)
        if past is None or past.messages is None:
            return PastEpoch(epoch)
        leaf = member.past.leaf(epoch, sender.index, state.tree)
        if _open_past(member, past, past.messages, message) is None:
            _PASSING_SIGNATURE.fail("the signature of the message does not hold")
    if leaf is None:  # both ways have looked at it
        raise InputError("nobody's message", code="mls.input.message")
    return PassingProposal(epoch, sender.index, leaf, proposal, framed.authenticated_data)


def _take(member: Member, epoch: EpochState, opened: Opened, digest: bytes, find_psk: FindPsk, now: Instant) -> Result:
    framed = opened.content.content
    own = framed.sender == Sender.member(epoch.own_leaf)
    result: Result
    if isinstance(framed.content, bytes):
        leaf = member.state.tree.leaf(framed.sender.index)
        assert leaf is not None and opened.key is not None  # open_current has checked both
        generation = opened.key.generation
        result = Application(
            framed.epoch, framed.sender.index, leaf, framed.content, framed.authenticated_data, generation
        )
    elif isinstance(framed.content, Commit):
        if own:
            _OWN_COMMIT.fail("a commit in our own name that we did not make")
        return _stage(member, epoch, opened, digest, find_psk, now)
    else:
        result = OwnEcho(None) if own else _keep(member, opened.content, now)
    if opened.key is not None:
        epoch.messages.consume(opened.key)
    return result


def keep_own_proposal(member: Member, content: AuthenticatedContent, now: Instant) -> None:
    """A proposal of ours goes through the same checks before it is sent. Raises InvalidGroupMessage."""
    _keep(member, content, now, sending=True)


def _keep(member: Member, content: AuthenticatedContent, now: Instant, *, sending: bool = False) -> Result:
    """A proposal: judged by itself at once, so that a bad one is refused where its sender is known."""
    client, state = member.client, member.state
    framed = content.content
    proposal = framed.content
    assert not isinstance(proposal, (bytes, Commit))
    reference = state.suite.proposal_ref(content.encode())
    received = ProposalReceived(reference, proposal, framed.sender, framed.authenticated_data)
    if isinstance(proposal, CustomProposal) and proposal.proposal_type in client.policy.passing_proposals:
        return received
    if reference in member.proposals:
        return Duplicate(framed.epoch)
    check_room(len(member.proposals), client.policy)
    queued = queue_proposal(state, content, client.authentication, client.policy, now, sending=sending)
    member.keep_proposal(reference, queued, content)
    return received


def _stage(
    member: Member,
    epoch: EpochState,
    opened: Opened,
    digest: bytes,
    find_psk: FindPsk,
    now: Instant,
) -> StagedCommit:
    """A commit of somebody else, followed into its epoch as far as it can be without taking force."""
    client, state, content = member.client, member.state, opened.content
    framed, auth = content.content, content.auth
    commit = framed.content
    assert isinstance(commit, Commit)
    known = {reference: kept.queued for reference, kept in member.proposals.items()}
    next_epoch = follow_commit(state, member.index, content, known, client.authentication, client.policy, now)
    context = confirmed_context(next_epoch, content)
    effects = effects_of(next_epoch, epoch.own_leaf, framed.authenticated_data)
    secrets = None
    if not effects.self_removed:
        try:
            secrets = follow(epoch, next_epoch, context, commit.path, find_psk, member.updates)
        except (BadMac, BadPublicKey):
            _KEM.fail("the commit's secrets for us cannot be decrypted")
            raise
        check_confirmation_tag(
            state.suite, secrets.keys.confirmation_key, context.confirmed_transcript_hash, auth.confirmation_tag
        )
    return StagedCommit(
        base_epoch=state.epoch,
        effects=effects,
        digest=digest,
        state=next_state(next_epoch, context, auth.confirmation_tag or b""),
        next_epoch=next_epoch,
        secrets=secrets,
        key=opened.key,
    )


def _future(member: Member, epoch: int, data: bytes) -> FutureEpoch:
    policy = member.client.policy
    if epoch - member.state.epoch > policy.future_epochs:
        return FutureEpoch(epoch, False)
    key = member.held.hold(epoch, data, policy)
    if key is not None:
        member.dirty.add(held_key(key))
    return FutureEpoch(epoch, key is not None)


def _past(member: Member, message: PublicMessage | PrivateMessage, epoch: int, data: bytes) -> Result:
    """A message of an epoch that is over: a late application message, the same commit again, or a fork."""
    past = member.past.find(epoch)
    if past is None:
        return PastEpoch(epoch)
    digest = hashlib.sha256(data).digest()
    if digest == past.digest:
        return Duplicate(epoch)
    if past.messages is None:
        return PastEpoch(epoch)
    try:
        opened = _open_past(member, past, past.messages, message)
    except DuplicateMessage:
        return Duplicate(epoch)
    if opened is None:
        return PastEpoch(epoch)
    framed = opened.content.content
    if isinstance(framed.content, Commit):
        # Not consumed: the fork may be looked at again, and the epoch is over for sending anyway.
        return Fork(epoch, past.digest, digest)
    leaf = member.past.leaf(epoch, framed.sender.index, member.state.tree)
    if not isinstance(framed.content, bytes) or opened.key is None or leaf is None:
        return PastEpoch(epoch)
    generation = opened.key.generation
    past.messages.consume(opened.key)
    if framed.sender.index == past.own_leaf:
        return OwnEcho(None)
    return Application(epoch, framed.sender.index, leaf, framed.content, framed.authenticated_data, generation)


def _open_past(
    member: Member, past: PastEpochState, messages: SecretTree, message: PublicMessage | PrivateMessage
) -> Opened | None:
    """Decrypted and its signature checked against the member of that epoch; None if nobody in it signed this.

    A public commit is judged by its signature alone: the membership key of the epoch is gone. That is enough to
    speak of a fork, which changes nothing here.
    """
    suite, policy = member.state.suite, member.client.policy
    key = None
    if isinstance(message, PublicMessage):
        content = AuthenticatedContent(PUBLIC_MESSAGE, message.content, message.auth)
    else:
        sender_data = open_sender_data(suite, past.sender_data_secret, message)
        if member.past.leaf(past.epoch, sender_data.leaf_index, member.state.tree) is None:
            return None
        key = stage_key(messages, sender_data, message, policy)
        content = open_private(suite, message, sender_data, key, policy.proposal_types).claimed
    framed = content.content
    signature_key = None
    if framed.sender.sender_type == SenderType.MEMBER:
        leaf = member.past.leaf(past.epoch, framed.sender.index, member.state.tree)
        signature_key = None if leaf is None else leaf.signature_key
    elif isinstance(framed.content, Commit) and framed.content.path is not None:
        signature_key = framed.content.path.leaf_node.signature_key
    if signature_key is None:
        return None
    try:
        verify_content(suite, signature_key, content.wire_format, framed, past.context, content.auth.signature)
    except (BadSignature, BadPublicKey):
        return None
    return Opened(content, key)
