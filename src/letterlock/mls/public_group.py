"""`PublicGroup`: a group as a server sees it that orders commits and holds no secret of it.

It has the tree and makes every check that needs no secret, with the same code as a member: signatures, proposal
lists, leaves, paths, parent hashes, limits. What it cannot check is the membership tag, the confirmation tag and
what is encrypted; so handshakes must come as PublicMessage (RFC 9420 section 6.2, RFC 9750 section 5.2).

`process` judges and `merge` installs, so that a server can compare and swap on the epoch in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ..errors import GroupInactive, InputError
from ..ids import Instant
from .authentication import Authentication
from .evolution.effects import CommitEffects, effects_of
from .evolution.group_info import check_group_info
from .evolution.next_epoch import NextEpoch, confirmed_context, follow_commit, next_state
from .evolution.proposal_list import QueuedProposal, check_room, queue_proposal
from .evolution.senders import verify_sender
from .evolution.state import PublicState
from .policy import Policy
from .registries import PUBLIC_MESSAGE
from .rules import rule
from .suites import CipherSuite
from .wire.commit import Commit
from .wire.framing import AuthenticatedContent, PublicMessage
from .wire.leaf_node import LeafNode
from .wire.message import decode_message
from .wire.proposals import CustomProposal, Proposal
from .wire.welcome import GroupInfo

__all__ = ["PublicGroup", "PublicProposal", "PublicResult", "StagedPublicCommit", "WrongEpoch"]

_TAG = rule(
    "MLS-12.4.3-02", "RFC 9420 section 12.4.3", "a GroupInfo has the confirmation tag of its commit", module=__name__
)
_SAME_GROUP = rule(
    "MLS-12.4.3-03", "RFC 9420 section 12.4.3", "a GroupInfo describes the epoch that the commit opens", module=__name__
)
_CONFIRMATION = rule("MLS-6.1-26", "RFC 9420 section 6.1", "a commit carries a confirmation tag", module=__name__)


@dataclass(frozen=True, slots=True)
class PublicProposal:
    """A valid proposal, kept for a commit to refer to."""

    reference: bytes
    proposal: Proposal
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class StagedPublicCommit:
    """A commit that holds as far as can be seen without secrets. `state` is the epoch it leads to."""

    effects: CommitEffects
    digest: bytes
    """SHA-256 of the MLSMessage."""
    state: PublicState = field(repr=False)
    next_epoch: NextEpoch = field(repr=False)

    @property
    def epoch(self) -> int:
        return self.state.epoch


@dataclass(frozen=True, slots=True)
class WrongEpoch:
    """The message is for another epoch than the group's."""

    epoch: int
    current: int


PublicResult: TypeAlias = PublicProposal | StagedPublicCommit | WrongEpoch


class PublicGroup:
    """See the module. A method that raises has changed nothing. Not safe for two threads at once."""

    __slots__ = ("_authentication", "_closed", "_index", "_policy", "_proposals", "_state")

    def __init__(
        self,
        suite: CipherSuite,
        group_info: bytes,
        *,
        tree: bytes | None = None,
        authentication: Authentication,
        policy: Policy,
        now: Instant,
    ) -> None:
        """A group from MLSMessage(GroupInfo), `tree` if it came beside it. Raises InvalidGroupMessage, DecodeError."""
        info = _group_info(group_info, policy)
        self._state, self._index = check_group_info(suite, info, tree, authentication, policy, now)
        self._authentication = authentication
        self._policy = policy
        self._proposals: dict[bytes, tuple[QueuedProposal, bytes]] = {}
        self._closed = False

    @property
    def state(self) -> PublicState:
        return self._state

    @property
    def epoch(self) -> int:
        return self._state.epoch

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """(leaf, LeafNode) of everybody in the group."""
        return self._state.tree.leaves()

    def proposals(self) -> Iterator[PublicProposal]:
        """What waits for a commit; SelfRemoves of these go to external joiners with the GroupInfo."""
        for reference, (queued, message) in self._proposals.items():
            yield PublicProposal(reference, queued.proposal, message)

    def process(self, message: bytes, *, now: Instant) -> PublicResult:
        """Judge an MLSMessage(PublicMessage). Raises InvalidGroupMessage, DecodeError, MissingProposal; GroupInactive
        after a ReInit; InputError for a PrivateMessage, which no server can judge.
        """
        policy, state = self._policy, self._state
        decoded = decode_message(message, policy.proposal_types, policy.max_message_bytes)
        if not isinstance(decoded, PublicMessage):
            raise InputError("a server can judge PublicMessages only", code="mls.input.message")
        content = AuthenticatedContent(PUBLIC_MESSAGE, decoded.content, decoded.auth)
        if decoded.content.group_id == state.group_id and decoded.content.epoch != state.epoch:
            return WrongEpoch(decoded.content.epoch, state.epoch)
        if self._closed:
            raise GroupInactive("this group was closed by a ReInit")
        verify_sender(state, content, policy)
        if isinstance(decoded.content.content, Commit):
            return self._stage(content, message, now)
        return self._keep(content, message, now)

    def check_group_info(self, staged: StagedPublicCommit, group_info: bytes) -> GroupInfo:
        """The GroupInfo that came with a commit describes its epoch and has its confirmation tag.

        The signature is checked by those who join with it. Raises InvalidGroupMessage, DecodeError.
        """
        info = _group_info(group_info, self._policy)
        if info.group_context != staged.state.context:
            _SAME_GROUP.fail("the GroupInfo describes another epoch than the commit")
        if info.confirmation_tag != staged.state.confirmation_tag:
            _TAG.fail("the GroupInfo has another confirmation tag than the commit")
        return info

    def merge(self, staged: StagedPublicCommit) -> None:
        """The commit won its epoch. Raises InputError if it was staged for another state."""
        if staged.next_epoch.applied.before is not self._state:
            raise InputError("this commit was staged for another state of the group", code="mls.input.stale")
        staged.next_epoch.index.apply()
        self._state = staged.state
        self._closed = staged.effects.reinit is not None
        self._proposals.clear()

    def _keep(self, content: AuthenticatedContent, message: bytes, now: Instant) -> PublicProposal:
        proposal = content.content.content
        passing = isinstance(proposal, CustomProposal) and (proposal.proposal_type in self._policy.passing_proposals)
        if not passing:
            check_room(len(self._proposals), self._policy)
        queued = queue_proposal(self._state, content, self._authentication, self._policy, now)
        assert queued.reference is not None
        if not passing:
            self._proposals[queued.reference] = (queued, message)
        return PublicProposal(queued.reference, queued.proposal, message)

    def _stage(self, content: AuthenticatedContent, message: bytes, now: Instant) -> StagedPublicCommit:
        tag = content.auth.confirmation_tag
        if tag is None or len(tag) != self._state.suite.hash_length:
            _CONFIRMATION.fail("the confirmation tag has another length")
            tag = b""
        known = {reference: queued for reference, (queued, _) in self._proposals.items()}
        next_epoch = follow_commit(self._state, self._index, content, known, self._authentication, self._policy, now)
        context = confirmed_context(next_epoch, content)
        return StagedPublicCommit(
            effects=effects_of(next_epoch, None, content.content.authenticated_data),
            digest=hashlib.sha256(message).digest(),
            state=next_state(next_epoch, context, tag),
            next_epoch=next_epoch,
        )


def _group_info(data: bytes, policy: Policy) -> GroupInfo:
    info = decode_message(data, policy.proposal_types, policy.max_message_bytes)
    if not isinstance(info, GroupInfo):
        raise InputError("not a GroupInfo", code="mls.input.message")
    return info
