"""GroupInfo: an epoch described and signed for those who are not in it yet (RFC 9420 section 12.4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from ..client import Client
from ..evolution.leaf_rules import check_extensions_once
from ..evolution.state import PublicState
from ..registries import EXTERNAL_PUB, RATCHET_TREE
from ..schedule.key_schedule import external_key_pair
from ..wire.extensions import Extension, ExternalPub
from ..wire.welcome import GroupInfo
from .epoch import EpochState

__all__ = ["make_group_info"]


def make_group_info(
    client: Client,
    state: PublicState,
    epoch: EpochState,
    *,
    with_tree: bool,
    with_external_pub: bool,
    extensions: Sequence[Extension] = (),
) -> GroupInfo:
    """A signed description of the epoch; with the external key others can join by themselves."""
    listed: list[Extension] = []
    if with_tree:
        listed.append(Extension(RATCHET_TREE, state.tree.encode()))
    if with_external_pub:
        _, public = external_key_pair(state.suite, epoch.keys.external_secret)
        listed.append(Extension(EXTERNAL_PUB, ExternalPub(public).encode()))
    listed.extend(extensions)
    check_extensions_once(listed)
    unsigned = GroupInfo(state.context, tuple(listed), state.confirmation_tag, epoch.own_leaf, b"")
    signature = state.suite.sign_with_label(client.sign, "GroupInfoTBS", unsigned.tbs())
    return GroupInfo(state.context, tuple(listed), state.confirmation_tag, epoch.own_leaf, signature)
