"""What `Group.process` makes of a message: one frozen value for each kind of answer.

An answer that needs no trust (the message is old, early or known) is a value, because it is everyday life on a
real network; a message that breaks a rule raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..client import Client
from ..evolution.effects import CommitEffects
from ..evolution.next_epoch import NextEpoch
from ..evolution.proposal_list import QueuedProposal
from ..evolution.state import PublicState
from ..schedule.ratchet import StagedKey
from ..wire.extensions import Extension
from ..wire.framing import AuthenticatedContent, Sender
from ..wire.leaf_node import LeafNode
from ..wire.message import encode_message
from ..wire.proposals import CustomProposal, Proposal
from ..wire.psk import ResumptionPSKUsage
from .epoch import EpochState
from .group_infos import make_group_info

__all__ = [
    "Application",
    "Duplicate",
    "Fork",
    "FutureEpoch",
    "OwnEcho",
    "PassingProposal",
    "PastEpoch",
    "PendingCommit",
    "ProposalReceived",
    "Result",
    "StagedCommit",
    "WelcomeFor",
]


@dataclass(frozen=True, slots=True)
class Application:
    """A message of a member. `generation` counts the sender's messages of that epoch from 0."""

    epoch: int
    sender: int
    leaf: LeafNode
    data: bytes = field(repr=False)
    authenticated_data: bytes
    generation: int


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A proposal is kept for the next commit. Before application data can be sent somebody has to commit it."""

    reference: bytes
    proposal: Proposal
    sender: Sender
    authenticated_data: bytes


@dataclass(frozen=True, slots=True)
class PassingProposal:
    """A proposal that no commit will cover, signed by the member at `sender` in `epoch`. `leaf` is its leaf there."""

    epoch: int
    sender: int
    leaf: LeafNode
    proposal: CustomProposal
    authenticated_data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class StagedCommit:
    """A commit that holds, not yet in force. Give it to `Group.merge`, or drop it and nothing happened."""

    base_epoch: int
    effects: CommitEffects
    digest: bytes
    """SHA-256 of the commit's MLSMessage."""
    state: PublicState = field(repr=False)
    next_epoch: NextEpoch = field(repr=False)
    secrets: EpochState | None = field(repr=False)
    """None if the commit removes us."""
    key: StagedKey | None = field(repr=False, default=None)
    """The message key of a commit that came encrypted; used up when it is merged, so that it can be dropped and
    processed again."""

    @property
    def epoch(self) -> int:
        """The epoch that it leads to."""
        return self.base_epoch + 1

    @property
    def epoch_authenticator(self) -> bytes:
        """Equal for all members that merge the same commit (RFC 9420 section 8.7); empty if it removes us."""
        return self.secrets.keys.epoch_authenticator if self.secrets else b""


@dataclass(frozen=True, slots=True)
class WelcomeFor:
    """One Welcome message and the KeyPackageRefs of those it is for."""

    message: bytes = field(repr=False)
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PendingCommit:
    """A commit of ours: send `message`; when it is accepted merge it, and only then send the Welcomes."""

    staged: StagedCommit
    message: bytes = field(repr=False)
    welcomes: tuple[WelcomeFor, ...]
    content: AuthenticatedContent = field(repr=False)
    covered: tuple[QueuedProposal, ...] = field(repr=False)
    """The proposals, in the order of the commit."""
    linking: ResumptionPSKUsage | None
    """Set for the first commit of a group that continues or branches from another."""
    client: Client = field(repr=False)
    """Ourselves in the new epoch: another than before if the commit rotates our keys."""

    @property
    def epoch(self) -> int:
        return self.staged.epoch

    @property
    def epoch_authenticator(self) -> bytes:
        return self.staged.epoch_authenticator

    def group_info(
        self, *, with_tree: bool = False, external_pub: bool = True, extensions: Sequence[Extension] = ()
    ) -> bytes:
        """MLSMessage(GroupInfo) of the epoch that the commit opens, to publish along with it."""
        assert self.staged.secrets is not None  # a commit of ours does not remove us
        info = make_group_info(
            self.client,
            self.staged.state,
            self.staged.secrets,
            with_tree=with_tree,
            with_external_pub=external_pub,
            extensions=extensions,
        )
        return encode_message(info)


@dataclass(frozen=True, slots=True)
class OwnEcho:
    """A message of ours came back. `pending` is the own commit that is now accepted and can be merged."""

    pending: PendingCommit | None


@dataclass(frozen=True, slots=True)
class PastEpoch:
    """A message of an epoch that is over, and that cannot be read (any more)."""

    epoch: int


@dataclass(frozen=True, slots=True)
class FutureEpoch:
    """A message of an epoch that we have not reached: something is missing. `held` says whether it is kept."""

    epoch: int
    held: bool


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Seen before, or its key is gone: nothing was done with it."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Fork:
    """A different commit for an epoch that we have left: some members may have followed the other one."""

    epoch: int
    ours: bytes
    theirs: bytes
    """SHA-256 of the two commits' MLSMessages."""


Result: TypeAlias = Application | ProposalReceived | StagedCommit | OwnEcho | PastEpoch | FutureEpoch | Duplicate | Fork
