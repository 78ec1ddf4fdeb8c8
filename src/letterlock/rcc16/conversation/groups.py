"""Making an MLS group for a conversation: the first one, or one of the next era (rcc16.md 2.1, 2.2).

It begins at epoch 0 with us alone; one commit adds everybody, without a path. Until the order has taken it, it is a
candidate beside the group in force.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ids import MessageId
from ...mls.group.group import CommitOptions, Group
from ...mls.wire.extensions import Extension
from ...mls.wire.key_package import KeyPackage
from ...mls.wire.proposals import Add
from ..wire.authenticated_data import encode_authenticated_data
from ..wire.control import Operation as Request
from ..wire.group_ids import mls_group_id, new_pair_id
from ..wire.message_ids import new_message_id, welcome_id
from .continuity import committed
from .operations import Outgoing, post
from .step import Work

__all__ = ["found", "group_id_of"]


def group_id_of(work: Work) -> bytes:
    """The MLS group id: that of the RCS group, or of a chat of two the one it has, else a fresh one."""
    group = work.conversation.group
    if group is not None:
        return mls_group_id(group)
    if not work.chat.mls_id:
        return new_pair_id(work.rng)
    return work.chat.mls_id.encode()


def found(
    work: Work,
    era: int,
    extensions: Sequence[Extension],
    packages: Sequence[KeyPackage],
    inside: tuple[Extension, ...],
    *,
    request: Request,
) -> None:
    """Make the group of the pending operation and send it. `inside` goes into the Welcome's GroupInfo alone."""
    assert work.client is not None
    group_id = group_id_of(work)
    group = Group.create(work.client, group_id, extensions=extensions, rng=work.rng, now=work.now)
    base = group.epoch_authenticator
    control_id = _control_id(work, group_id, era)
    options = CommitOptions(
        path=False,  # an add-only commit carries none (rcc16.md 6)
        authenticated_data=encode_authenticated_data(control_id, era),
        public=True,
        tree_in_welcome=False,
        group_info_extensions=inside,
    )
    pending = group.commit([Add(package) for package in packages], options=options, rng=work.rng, now=work.now)
    candidate = work.hold(group, era)
    work.update(mls_id=group_id.decode())
    post(
        work,
        Outgoing.of(
            pending, committed(work, pending), control_id=control_id, request=request, base=base, base_era=era, era=era
        ),
        candidate,
    )


def _control_id(work: Work, group_id: bytes, era: int) -> MessageId:
    """The Welcome of a chat of two has a name of its own (rcc16.md 3.2); in later eras with the era, so that a network
    that drops repeated ids does not drop it (our choice)."""
    if not work.is_pair:
        return new_message_id(work.rng)
    first = welcome_id(group_id)
    return first if era == 1 else MessageId(f"{first}-{era}")
