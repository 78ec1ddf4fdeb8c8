"""Proposals of ours, which somebody has to commit (RFC 9420 section 12.1)."""

from __future__ import annotations

from ...ids import Instant, Rng
from ..evolution.membership import check_proposals_supported
from ..registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE
from ..wire.leaf_node import LeafNodeSource
from ..wire.proposals import CustomProposal, Proposal, SelfRemove, Update, proposal_type_of
from .member import Member
from .messages import authenticate, own_content, protect
from .receiving import keep_own_proposal

__all__ = ["propose", "propose_update"]


def propose(
    member: Member, proposal: Proposal, authenticated_data: bytes, public: bool | None, rng: Rng, now: Instant
) -> bytes:
    """See `Group.propose`."""
    epoch = member.active()
    types = member.client.policy.proposal_types
    passing = isinstance(proposal, CustomProposal) and (
        proposal.proposal_type in member.client.policy.passing_proposals
    )
    if not passing:
        # Members that do not know the type could not even parse it, and nobody could commit it (section 12.2). What
        # passes is nobody's to commit, and deployed peers take it without listing it (rcc16.md 1.10).
        check_proposals_supported(member.index, [proposal_type_of(proposal, types)])
    if isinstance(proposal, SelfRemove) and (first := member.own_self_remove()) is not None:
        return protect(member.state, epoch, first, 0, rng)
    as_public = member.client.policy.public_handshakes if public is None else public
    as_public = as_public or isinstance(proposal, SelfRemove)
    content = own_content(member, proposal, authenticated_data)
    signed = authenticate(member.client, member.state, PUBLIC_MESSAGE if as_public else PRIVATE_MESSAGE, content)
    if not passing:
        keep_own_proposal(member, signed, now)
    return protect(member.state, epoch, signed, member.client.policy.padding(len(content.encoded)), rng)


def propose_update(member: Member, authenticated_data: bytes, public: bool | None, rng: Rng, now: Instant) -> bytes:
    """See `Group.propose_update`."""
    epoch = member.active()
    private, key = member.state.suite.generate_key_pair(rng)
    leaf = member.client.leaf(key, LeafNodeSource.UPDATE, group_id=member.state.group_id, leaf_index=epoch.own_leaf)
    message = propose(member, Update(leaf), authenticated_data, public, rng, now)
    member.keep_update(key, private)
    return message
