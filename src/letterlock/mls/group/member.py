"""`Member`: all that one member holds about one group. The modules of this package are functions on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import GroupInactive, InputError
from ..client import Client
from ..evolution.proposal_list import QueuedProposal
from ..evolution.state import PublicState
from ..tree.member_index import MemberIndex
from ..wire.framing import AuthenticatedContent
from ..wire.proposals import ReInit
from .epoch import EpochState
from .holding import HeldMessages
from .past import PastEpochs
from .psks import FindPsk
from .results import PendingCommit

__all__ = ["KeptProposal", "Member"]


@dataclass(frozen=True, slots=True)
class KeptProposal:
    """A proposal of this epoch, with the message that a commit refers to by its hash."""

    queued: QueuedProposal
    content: AuthenticatedContent


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
    changes: dict[str, bytes | None] = field(default_factory=dict)
    """Rows that differ since they were last taken; those of secret trees are collected on top of it."""

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
        self.changes[f"update/{public.hex()}"] = None

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
                self.changes[f"proposal/{reference.hex()}"] = None

    def note_pending(self) -> None:
        """The pending commit differs from what is stored."""
        self.changes["pending"] = None
