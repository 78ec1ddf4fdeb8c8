"""GroupInfo and Welcome: what a committer makes for those who are to come in (RFC 9420 section 12.4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from ...ids import Rng
from ..evolution.state import PublicState
from ..schedule.key_schedule import welcome_key_nonce, welcome_secret
from ..tree.tree_math import common_ancestor
from ..tree.update_path import OwnPath
from ..wire.commit import HPKECiphertext
from ..wire.key_package import KeyPackage
from ..wire.message import encode_message
from ..wire.psk import PreSharedKeyID
from ..wire.welcome import EncryptedGroupSecrets, GroupInfo, GroupSecrets, Welcome
from .following import FreshSecrets
from .results import WelcomeFor

__all__ = ["make_welcomes"]


def make_welcomes(
    state: PublicState,
    fresh: FreshSecrets,
    own_path: OwnPath | None,
    added: Sequence[tuple[int, KeyPackage]],
    psks: Sequence[PreSharedKeyID],
    group_info: GroupInfo,
    rng: Rng,
    *,
    one_each: bool,
) -> tuple[WelcomeFor, ...]:
    """Welcomes for the members that a commit adds: one for all, or `one_each` for a server that fans out."""
    if not added:
        return ()
    suite = state.suite
    key, nonce = welcome_key_nonce(suite, welcome_secret(suite, fresh.member_secret))
    encrypted_group_info = suite.aead_seal(key, nonce, group_info.encode(), b"")
    # The GroupInfo may be megabytes, and it is the HPKE info of every entry: it is hashed once, not once each.
    info = suite.encryption_context("Welcome", encrypted_group_info)
    own_leaf = fresh.epoch.own_leaf
    entries: list[EncryptedGroupSecrets] = []
    for leaf_index, package in added:
        path_secret = None
        if own_path is not None:
            path_secret = own_path.path_secrets[common_ancestor(own_leaf, leaf_index)]
        secrets = GroupSecrets(fresh.joiner_secret, path_secret, tuple(psks))
        sealed = suite.encrypt_with_label(package.init_key, info, secrets.encode(), rng)
        entries.append(EncryptedGroupSecrets(suite.key_package_ref(package.encoded), HPKECiphertext(*sealed)))
    groups = [[entry] for entry in entries] if one_each else [entries]
    return tuple(
        WelcomeFor(
            encode_message(Welcome(suite.number, tuple(group), encrypted_group_info)),
            tuple(entry.new_member for entry in group),
        )
        for group in groups
    )
