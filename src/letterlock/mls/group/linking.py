"""Groups that continue or branch from another one (RFC 9420 sections 11.2 and 11.3).

Both are a new group whose first commit mixes in the resumption PSK of the old one: whoever joins proves, and sees
proven, to have been in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InputError
from ...ids import Instant, Rng
from ..client import Client
from ..evolution.proposal_list import QueuedProposal
from ..wire.extensions import Extension
from ..wire.framing import Sender
from ..wire.key_package import KeyPackage
from ..wire.proposals import Add, PreSharedKey, ReInit
from ..wire.psk import PreSharedKeyID, ResumptionPSKUsage
from .committing import CommitOptions, make_commit
from .creating import create_member
from .joining import FormerGroup
from .member import Member
from .psks import FindPsk, with_resumption
from .results import PendingCommit
from .rows import note_all

__all__ = ["check_parameters", "continue_group"]


def continue_group(
    client: Client,
    old: FormerGroup,
    own_leaf: int,
    find_psk: FindPsk,
    usage: ResumptionPSKUsage,
    group_id: bytes,
    extensions: Sequence[Extension],
    packages: Sequence[KeyPackage],
    rng: Rng,
    now: Instant,
) -> tuple[Member, PendingCommit]:
    """The new group with us alone, and its first commit, which is pending. Raises InputError."""
    _check_same_members(client, old, own_leaf, packages, usage)
    member = create_member(client, group_id, tuple(extensions), find_psk, rng, now)
    note_all(member)
    state = old.state
    psk = _linking_psk(client, usage, state.group_id, state.epoch, rng)
    member.pending = make_commit(
        client,
        member.state,
        member.index,
        member.active(),
        _first_commit(psk, packages),
        with_resumption(find_psk, {state.group_id: old}),
        CommitOptions(),
        rng,
        now,
        linking=usage,
    )
    member.note_pending()
    return member, member.pending


def _linking_psk(client: Client, usage: ResumptionPSKUsage, group_id: bytes, epoch: int, rng: Rng) -> PreSharedKeyID:
    """The PSK that ties the new group (of `client.suite`) to an epoch of the old one; the nonce is fresh."""
    return PreSharedKeyID.resumption(usage, group_id, epoch, rng(client.suite.hash_length))


def _first_commit(psk: PreSharedKeyID, packages: Sequence[KeyPackage]) -> list[QueuedProposal]:
    """The proposals of the commit that sets the new group up."""
    us = Sender.member(0)
    return [
        *(QueuedProposal(Add(package), us, None) for package in packages),
        QueuedProposal(PreSharedKey(psk), us, None),
    ]


def _check_same_members(
    client: Client, old: FormerGroup, own_leaf: int, packages: Sequence[KeyPackage], usage: ResumptionPSKUsage
) -> None:
    """A reinitialised group has all members of the old one, a branch none but those. Raises InputError."""
    identity = client.authentication.identity
    others = {identity(leaf.credential) for index, leaf in old.state.tree.leaves() if index != own_leaf}
    wanted = {identity(package.leaf_node.credential) for package in packages}
    if not wanted <= others:
        raise InputError("a key package of somebody who is not in the old group", code="mls.input.members")
    if usage == ResumptionPSKUsage.REINIT and wanted != others:
        raise InputError(
            "a key package of every member of the old group is needed",
            code="mls.input.members",
            hint=f"{len(others - wanted)} are missing",
        )


def check_parameters(client: Client, reinit: ReInit) -> None:
    """The client that reinitialises must be one for the suite that was agreed on. Raises InputError."""
    if client.suite.number != reinit.cipher_suite:
        raise InputError(
            f"the ReInit asks for cipher suite {reinit.cipher_suite}",
            code="mls.input.suite",
            hint="give a client for that suite",
        )
