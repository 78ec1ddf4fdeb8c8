"""A GroupInfo that whoever orders has given us: verified like one that we join by, before anything in it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ...errors import DecodeError, LetterlockError
from ...ids import Number
from ...mls.policy import Policy
from ...mls.public_group import PublicGroup, PublicProposal
from ...mls.registries import EXTERNAL_PUB
from ...mls.wire.extensions import Extension, find_extension
from ...mls.wire.framing import PublicMessage
from ...mls.wire.leaf_node import LeafNode
from ...mls.wire.message import decode_message
from ...mls.wire.proposals import SelfRemove
from ...mls.wire.welcome import GroupInfo
from ..credentials.leaf import certified_number
from ..wire.control import GroupInfoMessage
from ..wire.extensions import continuity_commitment_of, era_of
from .members import device_id
from .step import Work

__all__ = ["MOST_ERAS_AHEAD", "Fetched", "read_fetched", "saw_era"]

MOST_ERAS_AHEAD: Final = 1 << 16
"""An era further ahead is believed of nobody (our choice): at five a day it is 36 years away, and whoever could have us
take the last one there is would have made the conversation's end, because a new era has to be a later one."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What it says, and who vouches for it. `authenticator` is the order's word and no more."""

    message: GroupInfoMessage
    group_id: bytes
    era: int
    epoch: int
    authenticator: bytes
    extensions: tuple[Extension, ...]
    leaves: tuple[tuple[int, LeafNode], ...]
    signer: tuple[Number, bytes]
    """Number and device."""
    joinable: bool
    continuity: bytes | None
    """What it says about the group's token (F011)."""
    leaving: tuple[Number, ...]
    """Who has signed, in this very epoch, that it leaves; for nobody has committed it yet."""

    def leaf_of(self, signature_key: bytes) -> int | None:
        """The leaf that has this key."""
        return next((index for index, leaf in self.leaves if leaf.signature_key == signature_key), None)


def read_fetched(work: Work, message: GroupInfoMessage, waiting: Iterable[bytes] = ()) -> Fetched:
    """`waiting`: proposals that came with it. Raises InvalidGroupMessage, InvalidRcc16, DecodeError."""
    client = work.client
    assert client is not None
    policy = client.policy
    info = decode_message(message.group_info, policy.proposal_types, policy.max_message_bytes)
    if not isinstance(info, GroupInfo):
        raise DecodeError("not a GroupInfo", code="rcc16.group_info")
    public = PublicGroup(
        client.suite,
        message.group_info,
        tree=message.ratchet_tree,
        authentication=client.authentication,
        policy=policy,
        now=work.now,
    )
    context = public.state.context
    signer = public.state.tree.leaf(info.signer)
    era = era_of(context.extensions)
    if signer is None or era == 0:
        raise DecodeError("a group of no era, or vouched for by nobody", code="rcc16.group_info")
    return Fetched(
        message,
        context.group_id,
        era,
        context.epoch,
        message.epoch_authenticator,
        context.extensions,
        tuple(public.members()),
        (certified_number(signer.credential), device_id(signer.signature_key)),
        find_extension(info.extensions, EXTERNAL_PUB) is not None,
        continuity_commitment_of(info.extensions),
        tuple(dict.fromkeys(number for each in waiting if (number := _leaver(work, public, policy, each)) is not None)),
    )


def _leaver(work: Work, public: PublicGroup, policy: Policy, proposal: bytes) -> Number | None:
    """Whose SelfRemove it is; None for anything else, and for what does not hold. Its signature is made over the epoch;
    the membership tag only members can check, and it is no other's word without one (draft-ietf-mls-extensions 8.4)."""
    try:
        message = decode_message(proposal, policy.proposal_types, policy.max_message_bytes)
        if not isinstance(message, PublicMessage) or not isinstance(message.content.content, SelfRemove):
            return None
        if not isinstance(public.process(proposal, now=work.now), PublicProposal):
            return None
    except LetterlockError:
        return None
    leaf = public.state.tree.leaf(message.content.sender.index)
    assert leaf is not None  # its signature was checked
    return certified_number(leaf.credential)


def saw_era(work: Work, era: int) -> None:
    """The order speaks of an era, in a GroupInfo that holds: a group of ours has to be of a later one (rcc16.md 2.2)."""
    known = work.chat.era_seen
    if known < era <= known + MOST_ERAS_AHEAD:
        work.update(era_seen=era)
