"""`Member`: all that one member holds about one group. The modules of this package are functions on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import GroupInactive, InputError
from ..client import Client
from ..evolution.proposal_list import QueuedProposal
from ..evolution.state import PublicState
from ..tree.member_index import MemberIndex
from ..wire.framing import AuthenticatedContent, Sender
from ..wire.proposals import ReInit, SelfRemove
from .epoch import EpochState
from .holding import HeldMessages
from .past import PastEpochs
from .psks import FindPsk
from .results import PendingCommit
from .row_keys import PENDING, RowKey, proposal_key, update_key

__all__ = ["KeptProposal", "Member"]


@dataclass(frozen=True, slots=True)
class KeptProposal:
    """A proposal of this epoch, with the message that a commit refers to by its hash."""

    queued: QueuedProposal
    content: AuthenticatedContent
    arrival: int
    """Counts up, so that the order survives in a store that has none."""


@dataclass(slots=True, eq=False, repr=False)
class Member:
    """`epoch` is None once we are no longer in the group."""

    client: Client
    state: PublicState
    index: MemberIndex
    epoch: EpochState | None
    find_psk: FindPsk
    proposals: dict[bytes, KeptProposal] = field(default_factory=dict)
    updates: dict[bytes, bytes] = field(default_factory=dict)
    """Private keys of Updates that we proposed in this epoch, by encryption_key."""
    pending: PendingCommit | None = None
    past: PastEpochs = field(default_factory=PastEpochs)
    held: HeldMessages = field(default_factory=HeldMessages)
    reinit: ReInit | None = None
    """Set when the last commit was a ReInit: the group is closed and another one continues it."""
    dirty: set[RowKey] = field(default_factory=set)
    """Rows that may differ from what is stored, or are gone. `rows.take_changes` looks at what they are by then;
    secret trees keep a log of their own."""

    def active(self) -> EpochState:
        """The current secrets. Raises GroupInactive if nothing can be sent any more."""
        if self.epoch is None:
            raise GroupInactive("we are no longer in this group")
        if self.reinit is not None:
            raise GroupInactive("this group was closed by a ReInit", hint="go on in the group that continues it")
        return self.epoch

    def active_or_closed(self) -> EpochState:
        """The last secrets, also of a group that a ReInit closed. Raises GroupInactive once we are out."""
        if self.epoch is None:
            raise GroupInactive("we are no longer in this group")
        return self.epoch

    def keep_update(self, public: bytes, private: bytes) -> None:
        """Remember the private key of an Update that we propose."""
        self.updates[public] = private
        self.dirty.add(update_key(public))

    def keep_proposal(self, reference: bytes, queued: QueuedProposal, content: AuthenticatedContent) -> None:
        """Remember a proposal that was judged."""
        arrival = next(reversed(self.proposals.values())).arrival + 1 if self.proposals else 0
        self.proposals[reference] = KeptProposal(queued, content, arrival)
        self.dirty.add(proposal_key(reference))

    def own_self_remove(self) -> AuthenticatedContent | None:
        """Our request to be removed, if there is one in this epoch."""
        us = Sender.member(self.active().own_leaf)
        for kept in self.proposals.values():
            if isinstance(kept.queued.proposal, SelfRemove) and kept.queued.sender == us:
                return kept.content
        return None

    def kept_proposals(self, references: Sequence[bytes] | None) -> list[KeptProposal]:
        """What waits, all of it or by name. Raises InputError for a name that is not here."""
        if references is None:
            return list(self.proposals.values())
        try:
            return [self.proposals[reference] for reference in references]
        except KeyError:
            raise InputError("no proposal with this reference is waiting", code="mls.input.reference") from None

    def drop_proposals(self, references: Sequence[bytes] | None) -> None:
        """Forget some proposals, or all."""
        for reference in list(self.proposals) if references is None else references:
            if self.proposals.pop(reference, None) is not None:
                self.dirty.add(proposal_key(reference))

    def note_pending(self) -> None:
        """The pending commit differs from what is stored."""
        self.dirty.add(PENDING)
