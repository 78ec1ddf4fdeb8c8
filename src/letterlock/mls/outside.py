"""Proposals of those who are not in the group (RFC 9420 section 12.1.8): asking to be added, and external senders.

They need no secret of the group, only its id and epoch, and are always PublicMessages. A member has to commit them.
"""

from __future__ import annotations

from ..errors import InputError
from .client import Client, Sign
from .protect.content import sign_content
from .registries import PUBLIC_MESSAGE
from .suites import CipherSuite
from .wire.framing import (
    NEW_MEMBER_PROPOSAL,
    FramedContent,
    FramedContentAuthData,
    PublicMessage,
    Sender,
)
from .wire.key_package import KeyPackage
from .wire.message import encode_message
from .wire.proposals import RFC_PROPOSALS, Add, Proposal, ProposalTypes

__all__ = ["propose_as_external_sender", "propose_to_join"]


def propose_to_join(
    client: Client, package: KeyPackage, group_id: bytes, epoch: int, *, authenticated_data: bytes = b""
) -> bytes:
    """MLSMessage with an Add of our own key package. Raises InputError for a package of somebody else."""
    if package.leaf_node.signature_key != client.signature_key:
        raise InputError("only the owner of a key package may propose to join with it", code="mls.input.key_package")
    return _public(
        client.suite,
        client.sign,
        NEW_MEMBER_PROPOSAL,
        Add(package),
        group_id,
        epoch,
        authenticated_data,
        client.policy.proposal_types,
    )


def propose_as_external_sender(
    suite: CipherSuite,
    sign: Sign,
    sender_index: int,
    proposal: Proposal,
    group_id: bytes,
    epoch: int,
    *,
    authenticated_data: bytes = b"",
    types: ProposalTypes = RFC_PROPOSALS,
) -> bytes:
    """MLSMessage with a proposal of the sender at `sender_index` of the group's external_senders, whose key signs."""
    sender = Sender.external(sender_index)
    return _public(suite, sign, sender, proposal, group_id, epoch, authenticated_data, types)


def _public(
    suite: CipherSuite,
    sign: Sign,
    sender: Sender,
    proposal: Proposal,
    group_id: bytes,
    epoch: int,
    authenticated_data: bytes,
    types: ProposalTypes,
) -> bytes:
    content = FramedContent.build(
        group_id=group_id,
        epoch=epoch,
        sender=sender,
        authenticated_data=authenticated_data,
        content=proposal,
        types=types,
    )
    # Signed without a GroupContext, which outsiders need not know (section 6.1).
    auth = FramedContentAuthData(sign_content(suite, sign, PUBLIC_MESSAGE, content, None), None)
    return encode_message(PublicMessage(content, auth, None))
