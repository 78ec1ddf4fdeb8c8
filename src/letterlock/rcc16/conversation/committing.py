"""Commits to the group in force: members added and removed, what others proposed, our own fresh leaf, the context.

All are PublicMessages (the focus judges them; rcc16.md 4.5, reason 5), carry our control id and the era in their
authenticated data, and wait as `pending` in the group until they are accepted.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ids import Number
from ...mls.group.group import CommitOptions, Group
from ...mls.wire.extensions import Extension
from ...mls.wire.key_package import KeyPackage
from ...mls.wire.proposals import Add, CustomProposal, GroupContextExtensions, Proposal, Remove, SelfRemove
from ..credentials.leaf import certified_number
from ..wire.authenticated_data import encode_authenticated_data
from ..wire.control import MetadataChange, RosterChange
from ..wire.control import Operation as Request
from ..wire.message_ids import new_message_id
from ..wire.proposals import SERVER_REMOVE
from .chat import Kind
from .continuity import committed
from .members import leaves_of
from .operations import Outgoing, begin, post
from .step import Work

__all__ = ["add", "change_context", "commit", "commit_proposals", "drop_unwanted", "refresh", "remove", "wanted"]


def add(work: Work, packages: Sequence[KeyPackage], numbers: tuple[Number, ...], inside: tuple[Extension, ...]) -> None:
    """All devices of these numbers in one commit, with the change of the RCS roster in the same request (rcc16.md 6)."""
    there = {*work.chat.roster, work.core.number}
    strangers = tuple(number for number in numbers if number not in there)
    proposals = [Add(package) for package in packages]
    commit(work, proposals, path=False, roster=RosterChange(add=strangers) if strangers else None, inside=inside)


def remove(work: Work, numbers: tuple[Number, ...]) -> None:
    """All leaves of these numbers in one commit. Without leaves somebody else was faster, and the wish is met: letters wait
    for as long as it stands."""
    group = work.group()
    if group is None:
        return
    leaves = [index for number in numbers for index in leaves_of(group.members(), number)]
    if not leaves:
        work.update(removes=tuple(number for number in work.chat.removes if number not in numbers))
        return
    begin(work, Kind.REMOVE, numbers)
    there = tuple(number for number in numbers if number in work.chat.roster)
    commit(work, [Remove(index) for index in leaves], roster=RosterChange(remove=there) if there else None)


def refresh(work: Work) -> None:
    """Self-Update: a commit without proposals; its path brings our fresh leaf with the certificate of today (9.5.3)."""
    begin(work, Kind.REFRESH)
    commit(work, [])


def commit_proposals(work: Work) -> None:
    """What members proposed: in RCC.16 that somebody leaves. All other leaves of who leaves go with it."""
    group = work.group()
    if group is None:
        return
    drop_unwanted(work, group)
    leaving = {sender.index for _, proposal, sender in group.proposals() if isinstance(proposal, SelfRemove)}
    gone = {certified_number(leaf.credential) for index, leaf in group.members() if index in leaving}
    gone |= {one.number for one in work.chat.members if one.device in work.chat.leaving}
    others = [
        index
        for index, leaf in group.members()
        if index not in leaving and certified_number(leaf.credential) in gone and index != group.own_leaf
    ]
    work.update(commit_at=0)
    if not others and not list(group.proposals()):
        return
    begin(work, Kind.COMMIT_PROPOSALS, tuple(sorted(gone)))
    commit(work, [Remove(index) for index in others])


def change_context(
    work: Work,
    kind: Kind,
    extensions: tuple[Extension, ...],
    *,
    metadata: MetadataChange | None = None,
    delivery: bytes | None = None,
) -> None:
    """Replace the GroupContext's extensions; `extensions` is the full list (rcc16.md 2.1). `delivery`: content of a
    message of the epoch after it, which goes along."""
    begin(work, kind)
    commit(work, [GroupContextExtensions(extensions)], metadata=metadata, delivery=delivery)


def commit(
    work: Work,
    proposals: Sequence[Proposal],
    *,
    path: bool = True,
    roster: RosterChange | None = None,
    metadata: MetadataChange | None = None,
    inside: tuple[Extension, ...] = (),
    delivery: bytes | None = None,
) -> None:
    """Build the pending operation's commit, and send it. Raises InvalidGroupMessage for a list that is not valid."""
    group, held = work.group(), work.chat.group
    assert group is not None and held is not None
    drop_unwanted(work, group)
    control_id = new_message_id(work.rng)
    data = encode_authenticated_data(control_id, held.era)
    base = group.epoch_authenticator
    options = CommitOptions(
        path=path,
        authenticated_data=data,
        public=True,
        tree_in_welcome=False,
        group_info_extensions=inside,
    )
    pending = group.commit(proposals, options=options, rng=work.rng, now=work.now)
    key_delivery = b""
    if delivery is not None:
        key_delivery = group.encrypt_ahead(delivery, rng=work.rng, authenticated_data=data)
    post(
        work,
        Outgoing.of(
            pending,
            committed(work, pending),
            control_id=control_id,
            request=Request.COMMIT,
            base=base,
            base_era=held.era,
            era=held.era,
            roster=roster,
            metadata=metadata,
            key_delivery=key_delivery,
        ),
    )


def drop_unwanted(work: Work, group: Group) -> None:
    """Forget the proposals that nobody here commits."""
    unwanted = [reference for reference, proposal, _ in group.proposals() if not wanted(work, group, proposal)]
    if unwanted:
        group.drop_proposals(unwanted)


def wanted(work: Work, group: Group, proposal: Proposal) -> bool:
    """Whether we would commit what somebody proposes: that it leaves, and almost nothing else (rcc16.md 6).

    A commit stands in the name of who makes it: whoever could have us add, remove or change the context by a proposal
    would do it in our name (SR-03). An end_mls proposal (F001) would have us end encryption on somebody else's word, and
    v4.0 has withdrawn it. A ServerRemove (F004) is committed only if it names a leaf of somebody whom the RCS group no
    longer has (SR-04).
    """
    if isinstance(proposal, SelfRemove):
        return True
    if not isinstance(proposal, CustomProposal) or proposal.proposal_type != SERVER_REMOVE or not work.chat.roster:
        return False
    leaf = group.state.tree.leaf(int.from_bytes(proposal.body, "big"))
    return leaf is not None and certified_number(leaf.credential) not in {*work.chat.roster, work.core.number}
