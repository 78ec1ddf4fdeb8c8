"""Who may send what, and with which key it is signed: RFC 9420 sections 6, 6.1 and 12.1.8."""

from __future__ import annotations

from ...errors import BadPublicKey, BadSignature
from ..policy import Policy
from ..protect.content import verify_content
from ..registries import EXTERNAL_SENDERS, PUBLIC_MESSAGE
from ..rules import rule
from ..wire.commit import Commit
from ..wire.extensions import decode_external_senders
from ..wire.framing import AuthenticatedContent, ContentType, SenderType
from ..wire.proposals import (
    Add,
    CustomProposal,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    SelfRemove,
)
from .state import PublicState

__all__ = ["check_sender", "verify_sender"]

_APPLICATION = rule("MLS-6-20", "RFC 9420 section 6", "application data comes as PrivateMessage", module=__name__)
_GROUP = rule("MLS-6-21", "RFC 9420 section 6", "the message is for this group", module=__name__)
_EPOCH = rule("MLS-12.4.2-01", "RFC 9420 section 12.4.2", "a handshake is for the current epoch", module=__name__)
_MEMBER = rule("MLS-6.1-20", "RFC 9420 section 6.1", "the leaf of a member that sends is not blank", module=__name__)
_EXTERNAL_KNOWN = rule(
    "MLS-6.1-21", "RFC 9420 sections 6.1 and 12.1.8.1", "sender_index names an external sender", module=__name__
)
_EXTERNAL_TYPE = rule(
    "MLS-12.1.8-01", "RFC 9420 section 12.1.8", "external senders propose only what they may", module=__name__
)
_NEW_MEMBER_ADD = rule("MLS-6.1-22", "RFC 9420 section 6.1", "new_member_proposal carries an Add", module=__name__)
_NEW_MEMBER_COMMIT = rule(
    "MLS-6.1-23", "RFC 9420 section 6.1", "new_member_commit carries a Commit with a path", module=__name__
)
_SIGNATURE = rule("MLS-6.1-24", "RFC 9420 section 6.1", "the message is signed by its sender", module=__name__)
_OUTSIDER_CONTENT = rule(
    "MLS-6.1-25", "RFC 9420 section 6.1", "from outside come proposals and external commits only", module=__name__
)
_SELF_REMOVE_PUBLIC = rule(
    "MLS-X.6.3-03", "draft-ietf-mls-extensions section 6.3.1", "SelfRemove comes as PublicMessage", module=__name__
)
_SELF_REMOVE_MEMBER = rule(
    "MLS-X.6.3-04", "draft-ietf-mls-extensions section 6.3.1", "SelfRemove comes from a member", module=__name__
)

_EXTERNAL_PROPOSALS = (Add, Remove, PreSharedKey, ReInit, GroupContextExtensions)


def check_sender(state: PublicState, message: AuthenticatedContent, policy: Policy) -> bytes:
    """The signature key that the sender must have used. Raises InvalidGroupMessage, DecodeError."""
    content = message.content
    if content.group_id != state.group_id:
        _GROUP.fail("the message is for another group")
    if content.epoch != state.epoch:
        _EPOCH.fail(f"the message is for epoch {content.epoch}, the group is in {state.epoch}")
    sender = content.sender
    if content.content_type == ContentType.APPLICATION and message.wire_format == PUBLIC_MESSAGE:
        _APPLICATION.fail("application data in a PublicMessage")
    body = content.content
    if isinstance(body, SelfRemove):
        if message.wire_format != PUBLIC_MESSAGE:
            _SELF_REMOVE_PUBLIC.fail("a SelfRemove in a PrivateMessage")
        if sender.sender_type != SenderType.MEMBER:
            _SELF_REMOVE_MEMBER.fail("a SelfRemove that no member sent")
    if sender.sender_type == SenderType.MEMBER:
        leaf = state.tree.leaf(sender.index)
        if leaf is None:
            _MEMBER.fail(f"leaf {sender.index} is blank")
            return b""
        return leaf.signature_key
    if sender.sender_type == SenderType.NEW_MEMBER_COMMIT:
        if not isinstance(body, Commit) or body.path is None:
            _NEW_MEMBER_COMMIT.fail("new_member_commit without a commit with a path")
            return b""
        return body.path.leaf_node.signature_key
    if content.content_type != ContentType.PROPOSAL:
        _OUTSIDER_CONTENT.fail("somebody outside the group sent something other than a proposal")
    if sender.sender_type == SenderType.NEW_MEMBER_PROPOSAL:
        if not isinstance(body, Add):
            _NEW_MEMBER_ADD.fail("new_member_proposal without an Add")
            return b""
        return body.key_package.leaf_node.signature_key
    if not _external_may(body, policy):
        _EXTERNAL_TYPE.fail(f"an external sender proposes {type(body).__name__}")
    data = state.extension(EXTERNAL_SENDERS)
    known = () if data is None else decode_external_senders(data)
    if sender.index >= len(known):
        _EXTERNAL_KNOWN.fail(f"there is no external sender {sender.index}")
        return b""
    return known[sender.index].signature_key


def verify_sender(state: PublicState, message: AuthenticatedContent, policy: Policy) -> None:
    """Check the sender and the signature of a handshake message. Raises InvalidGroupMessage, DecodeError."""
    signature_key = check_sender(state, message, policy)
    try:
        verify_content(
            state.suite,
            signature_key,
            message.wire_format,
            message.content,
            state.context.encoded,
            message.auth.signature,
        )
    except (BadSignature, BadPublicKey):
        _SIGNATURE.fail("the signature of the message does not hold")


def _external_may(body: bytes | Proposal | Commit, policy: Policy) -> bool:
    if isinstance(body, CustomProposal):
        known = policy.proposal_types.custom.get(body.proposal_type)
        return known is not None and known.external_senders
    return isinstance(body, _EXTERNAL_PROPOSALS)
