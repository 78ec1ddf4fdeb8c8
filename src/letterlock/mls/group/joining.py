"""Joining by Welcome (RFC 9420 section 12.4.3.1), and checking a group that we are told about (GroupInfo)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ...errors import BadMac, BadPublicKey, DecodeError
from ...ids import Instant
from ..client import Client
from ..evolution.group_info import check_group_info
from ..evolution.state import PublicState
from ..key_packages import KeyPackageBundle
from ..registries import PROTOCOL_VERSION_MLS10
from ..rules import rule
from ..schedule.key_schedule import epoch_secrets, member_secret, welcome_key_nonce, welcome_secret
from ..schedule.secret_tree import SecretTree
from ..schedule.transcript import check_confirmation_tag
from ..tree.member_index import MemberIndex
from ..tree.ratchet_tree import RatchetTree
from ..tree.tree_math import common_ancestor
from ..tree.update_path import check_joiner_keys, path_secrets_from
from ..wire.proposals import ReInit
from ..wire.psk import PreSharedKeyID, ResumptionPSKUsage
from ..wire.welcome import GroupInfo, GroupSecrets, Welcome
from .epoch import EpochKeys, EpochState
from .psks import FindPsk, combine, only_linking_psk

__all__ = ["FormerGroup", "Joined", "join"]

_OURS = rule(
    "MLS-12.4.3.1-02", "RFC 9420 section 12.4.3.1", "the Welcome has an entry for our KeyPackage", module=__name__
)
_SUITE = rule(
    "MLS-12.4.3.1-03",
    "RFC 9420 section 12.4.3.1",
    "Welcome, KeyPackage and GroupInfo agree on the suite",
    module=__name__,
)
_SECRETS = rule("MLS-12.4.3.1-04", "RFC 9420 section 12.4.3.1", "the Welcome can be decrypted", module=__name__)
_GROUP_ID = rule(
    "MLS-12.4.3.1-08", "RFC 9420 section 12.4.3.1", "we are in no group with this group_id", module=__name__
)
_OWN_LEAF = rule("MLS-12.4.3.1-09", "RFC 9420 section 12.4.3.1", "our own leaf is in the tree", module=__name__)
_EPOCH_ONE = rule(
    "MLS-12.4.3.1-10",
    "RFC 9420 section 12.4.3.1",
    "a reinitialised or branched group starts in epoch 1",
    module=__name__,
)
_REINIT = rule(
    "MLS-12.4.3.1-11",
    "RFC 9420 section 12.4.3.1",
    "the new group is the one that the ReInit described",
    module=__name__,
)
_REINIT_MEMBERS = rule(
    "MLS-12.4.3.1-12", "RFC 9420 section 12.4.3.1", "reinitialising keeps all members", module=__name__
)
_BRANCH = rule("MLS-12.4.3.1-13", "RFC 9420 section 12.4.3.1", "a branch keeps version and suite", module=__name__)
_BRANCH_MEMBERS = rule(
    "MLS-12.4.3.1-14", "RFC 9420 section 12.4.3.1", "a branch has members of the old group only", module=__name__
)
_FORMER = rule(
    "MLS-12.4.3.1-15", "RFC 9420 section 12.4.3.1", "the group that a Welcome continues is known to us", module=__name__
)


class FormerGroup(Protocol):
    """What is asked about a group that we are or were in, when another one continues it."""

    @property
    def state(self) -> PublicState: ...

    @property
    def active(self) -> bool: ...

    @property
    def reinit(self) -> ReInit | None: ...

    def resumption_psk(self, epoch: int) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Joined:
    """A group that we may enter."""

    state: PublicState
    index: MemberIndex
    epoch: EpochState = field(repr=False)
    info: GroupInfo = field(repr=False)


def join(
    client: Client,
    bundle: KeyPackageBundle,
    welcome: Welcome,
    tree: bytes | None,
    find_psk: FindPsk,
    groups: Mapping[bytes, FormerGroup],
    now: Instant,
) -> Joined:
    """Check a Welcome and everything in it. Raises InvalidGroupMessage, MissingPsk, DecodeError; changes nothing.

    `groups` are the groups that we are in (and ended ones that may be continued), by group_id.
    """
    suite = client.suite
    secrets = _group_secrets(client, bundle, welcome)
    linking = only_linking_psk(secrets.psks)
    psk = combine(suite, secrets.psks, find_psk)
    member = member_secret(suite, secrets.joiner_secret, psk)
    key, nonce = welcome_key_nonce(suite, welcome_secret(suite, member))
    try:
        group_info = GroupInfo.decode(suite.aead_open(key, nonce, welcome.encrypted_group_info, b""))
    except BadMac:
        _SECRETS.fail("the GroupInfo of the Welcome cannot be decrypted")
        raise
    context = group_info.group_context
    former = groups.get(context.group_id)
    if former is not None and former.active:  # one that removed us or was closed may come again
        _GROUP_ID.fail("we are in a group with this group_id already")
    state, index = check_group_info(
        suite,
        group_info,
        tree,
        client.authentication,
        client.policy,
        now,
        supported=client.supported_extensions,
    )
    ratchet_tree = state.tree
    own_leaf = _own_leaf(ratchet_tree, index, bundle)

    secrets_of_epoch = epoch_secrets(suite, member, context.encoded)
    check_confirmation_tag(
        suite, secrets_of_epoch.confirmation_key, context.confirmed_transcript_hash, group_info.confirmation_tag
    )
    private_keys = {own_leaf * 2: bundle.encryption_private}
    if secrets.path_secret is not None:
        ancestor = common_ancestor(own_leaf, group_info.signer)
        private_keys |= path_secrets_from(ratchet_tree, secrets.path_secret, ancestor)[1]
    check_joiner_keys(ratchet_tree, own_leaf, private_keys)
    if linking is not None:
        _check_link(client, linking, ratchet_tree, group_info, groups)
    messages = SecretTree(suite, secrets_of_epoch.encryption_secret, ratchet_tree.leaf_count)
    epoch = EpochState(own_leaf, EpochKeys.of(secrets_of_epoch), messages, private_keys)
    return Joined(state, index, epoch, group_info)


def _group_secrets(client: Client, bundle: KeyPackageBundle, welcome: Welcome) -> GroupSecrets:
    suite = client.suite
    if welcome.cipher_suite != suite.number or bundle.key_package.cipher_suite != suite.number:
        _SUITE.fail("the Welcome is for another cipher suite than the KeyPackage")
    for entry in welcome.secrets:
        if entry.new_member == bundle.reference:
            break
    else:
        _OURS.fail("the Welcome has no entry for this KeyPackage")
        raise DecodeError("no entry", code="mls.welcome")
    sealed = entry.encrypted_group_secrets
    info = suite.encryption_context("Welcome", welcome.encrypted_group_info)
    try:
        plain = suite.decrypt_with_label(bundle.init_private, info, sealed.kem_output, sealed.ciphertext)
    except (BadMac, BadPublicKey):
        _SECRETS.fail("the secrets of the Welcome cannot be decrypted")
        raise
    return GroupSecrets.decode(plain)


def _own_leaf(tree: RatchetTree, index: MemberIndex, bundle: KeyPackageBundle) -> int:
    own = bundle.key_package.leaf_node
    leaf_index = index.signature_key_holder(own.signature_key)
    if leaf_index is None or tree.leaf(leaf_index) != own:
        _OWN_LEAF.fail("our leaf is not in the tree")
        raise DecodeError("no leaf", code="mls.leaf")
    return leaf_index


def _check_link(
    client: Client,
    linking: PreSharedKeyID,
    tree: RatchetTree,
    group_info: GroupInfo,
    groups: Mapping[bytes, FormerGroup],
) -> None:
    """A group that continues or branches from another (sections 11.2, 11.3 and the end of 12.4.3.1)."""
    context = group_info.group_context
    if context.epoch != 1:
        _EPOCH_ONE.fail(f"the Welcome is for epoch {context.epoch}")
    old = groups.get(linking.psk_group_id)
    if old is None:
        _FORMER.fail("the Welcome continues a group that we do not know")
        return
    identity = client.authentication.identity
    before = {identity(leaf.credential) for _, leaf in old.state.tree.leaves()}
    after = {identity(leaf.credential) for _, leaf in tree.leaves()}
    if linking.usage == ResumptionPSKUsage.REINIT:
        reinit = old.reinit
        if (
            reinit is None
            or linking.psk_epoch != old.state.epoch
            or (
                reinit.group_id,
                reinit.version,
                reinit.cipher_suite,
                reinit.extensions,
            )
            != (context.group_id, PROTOCOL_VERSION_MLS10, context.cipher_suite, context.extensions)
        ):
            _REINIT.fail("the new group is not the one that the last commit of the old group described")
        if not before <= after:
            _REINIT_MEMBERS.fail("members of the old group are missing in the new one")
    else:
        if context.cipher_suite != old.state.suite.number:
            _BRANCH.fail("the branch has another cipher suite")
        if not after <= before:
            _BRANCH_MEMBERS.fail("the branch has members that the old group has not")
