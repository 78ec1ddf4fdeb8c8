"""What a member sends and receives: content signed and protected with the keys of its epoch, and back.

Opening stages everything: a message that fails leaves no trace in the secret tree (SR-07). The caller consumes
the staged key when it takes the message.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...ids import Rng
from ..client import Client
from ..evolution.senders import verify_sender
from ..evolution.state import PublicState
from ..policy import Policy
from ..protect.content import sign_content
from ..protect.private_message import open_private, open_sender_data, ratchet_kind, seal_private
from ..protect.public_message import check_membership_tag, protect_public
from ..registries import PUBLIC_MESSAGE
from ..rules import rule
from ..schedule.ratchet import StagedKey
from ..schedule.secret_tree import SecretTree
from ..wire.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    FramedContentAuthData,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderData,
)
from ..wire.message import encode_message
from ..wire.proposals import Proposal
from .epoch import EpochState
from .member import Member

__all__ = ["Opened", "authenticate", "open_current", "own_content", "protect", "stage_key"]

_WIRE_FORMAT = rule("MLS-P-03", "our policy", "handshakes come in an accepted wire format", module=__name__)
_SENDER_LEAF = rule(
    "MLS-6.3.2-20", "RFC 9420 section 6.3.2", "leaf_index of the sender data is not a blank leaf", module=__name__
)


@dataclass(frozen=True, slots=True)
class Opened:
    """Content whose membership and signature hold. `key` is to be consumed once the message is taken."""

    content: AuthenticatedContent
    key: StagedKey | None = field(repr=False)


def own_content(member: Member, content: bytes | Proposal, authenticated_data: bytes) -> FramedContent:
    """What we say in the current epoch, not yet signed."""
    state = member.state
    return FramedContent.build(
        group_id=state.group_id,
        epoch=state.epoch,
        sender=Sender.member(member.active().own_leaf),
        authenticated_data=authenticated_data,
        content=content,
        types=member.client.policy.proposal_types,
    )


def authenticate(
    client: Client,
    state: PublicState,
    wire_format: int,
    content: FramedContent,
    confirmation_tag: bytes | None = None,
) -> AuthenticatedContent:
    """Sign content of ours for the current epoch."""
    signature = sign_content(state.suite, client.sign, wire_format, content, state.context.encoded)
    return AuthenticatedContent(wire_format, content, FramedContentAuthData(signature, confirmation_tag))


def protect(state: PublicState, epoch: EpochState, content: AuthenticatedContent, padding: int, rng: Rng) -> bytes:
    """The MLSMessage of authenticated content of ours. A PrivateMessage uses up one generation of our ratchet."""
    if content.wire_format == PUBLIC_MESSAGE:
        return encode_message(protect_public(state.suite, content, state.context.encoded, epoch.keys.membership_key))
    kind = ratchet_kind(content.content.content_type)
    key = epoch.messages.next_key(epoch.own_leaf, kind)
    return encode_message(seal_private(state.suite, content, key, epoch.keys.sender_data_secret, padding, rng))


def open_current(
    state: PublicState, epoch: EpochState, message: PublicMessage | PrivateMessage, policy: Policy
) -> Opened | None:
    """Check everything about a message of the current epoch but what it says.

    None for a PrivateMessage of our own: its key was used up when it was sent, and we know what it says.

    Raises InvalidGroupMessage, BadMac, DecodeError; DuplicateMessage and TooFarAhead for its generation.
    """
    if isinstance(message, PublicMessage):
        if not policy.accept_public_handshakes:
            _WIRE_FORMAT.fail("a PublicMessage where the policy wants PrivateMessage")
        check_membership_tag(state.suite, message, state.context.encoded, epoch.keys.membership_key)
        content, key = AuthenticatedContent(PUBLIC_MESSAGE, message.content, message.auth), None
    else:
        if message.content_type != ContentType.APPLICATION and not policy.accept_private_handshakes:
            _WIRE_FORMAT.fail("a PrivateMessage handshake where the policy wants PublicMessage")
        sender = open_sender_data(state.suite, epoch.keys.sender_data_secret, message)
        if state.tree.leaf(sender.leaf_index) is None:
            _SENDER_LEAF.fail(f"sender data name leaf {sender.leaf_index}, which is blank")
        if sender.leaf_index == epoch.own_leaf:
            return None
        key = stage_key(epoch.messages, sender, message, policy)
        content = open_private(state.suite, message, sender, key, policy.proposal_types).claimed
    verify_sender(state, content, policy)
    return Opened(content, key)


def stage_key(messages: SecretTree, sender: SenderData, message: PrivateMessage, policy: Policy) -> StagedKey:
    """The key that the sender data name. Raises DuplicateMessage, TooFarAhead."""
    kind = ratchet_kind(message.content_type)
    return messages.stage(sender.leaf_index, kind, sender.generation, policy.forward, policy.out_of_order)
