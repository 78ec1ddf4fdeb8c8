"""A group that never was: the tree, the secrets and the history are whatever its inventor likes.

Key packages are public, so Mal can put anybody's leaf into a tree, and with a Welcome or a GroupInfo offer the group to
Ben or to a server. What he makes is right in everything that is not changed on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from letterlock.mls.group.group import Group
from letterlock.mls.group.psks import FindPsk, combine, no_psks
from letterlock.mls.key_packages import KeyPackageBundle
from letterlock.mls.public_group import PublicGroup
from letterlock.mls.registries import EXTERNAL_PUB, RATCHET_TREE
from letterlock.mls.schedule.key_schedule import (
    epoch_secrets,
    external_key_pair,
    member_secret,
    welcome_key_nonce,
    welcome_secret,
)
from letterlock.mls.schedule.transcript import confirmation_tag
from letterlock.mls.tree.ratchet_tree import Node, RatchetTree
from letterlock.mls.tree.update_path import create_path
from letterlock.mls.wire.commit import HPKECiphertext
from letterlock.mls.wire.extensions import Extension, ExternalPub
from letterlock.mls.wire.leaf_node import LeafNode, LeafNodeSource
from letterlock.mls.wire.message import encode_message
from letterlock.mls.wire.psk import PreSharedKeyID
from letterlock.mls.wire.welcome import EncryptedGroupSecrets, GroupContext, GroupInfo, GroupSecrets, Welcome

from .lab import NOW, Person
from .malformed import Fields, leaf
from .refusing import Attack, on_joiner, on_outsider
from .world import make_person

__all__ = ["Invented", "by_external_join", "by_server", "by_welcome"]


class Invented:
    """Leaves: Mal 0, Ben 1, Cleo 2, Dan 3. With `parents` all three parents above them are filled.

    `nodes` replaces nodes of the array, None makes one blank; `leaf_of_cleo` gives fields of a leaf in place of hers.
    Other options are as in `World`.
    """

    def __init__(
        self,
        *,
        parents: bool = False,
        nodes: Mapping[int, Node] | None = None,
        group_id: bytes = b"invented",
        epoch: int = 1,
        context: Sequence[Extension] = (),
        leaf_of_cleo: Callable[[Person], Fields] | None = None,
        each: Mapping[str, Mapping[str, Any]] | None = None,
        **everybody: Any,
    ) -> None:
        single = dict(each or {})
        self.mal, self.ben, self.cleo, self.dan = (
            make_person(name, **{**everybody, **single.get(name, {})}) for name in ("mal", "ben", "cleo", "dan")
        )
        self.eve = make_person("eve", **{**everybody, **single.get("eve", {})})
        self.people = [self.mal, self.ben, self.cleo, self.dan]
        self.suite = self.mal.client.suite
        self.rng = self.mal.rng
        self.group_id = group_id
        placed = [person.package().key_package.leaf_node for person in self.people]
        array: list[Node] = [None] * 7
        array[::2] = placed
        if leaf_of_cleo is not None:
            array[4] = leaf(self.cleo.client, self.rng, **leaf_of_cleo(self.cleo))
        tree = RatchetTree.from_nodes(self.suite, array)
        self.path_secret: bytes | None = None
        if parents:
            tree = self._path(tree, 3, self.dan)[0]
            tree, own = self._path(tree, 0, self.mal)
            self.path_secret = own.path_secrets[1]
            array = list(tree.nodes())
        for index, node in (nodes or {}).items():
            array[index] = node
        self.array = array
        self.tree = RatchetTree.from_nodes(self.suite, array)
        self.context = GroupContext(
            self.suite.number, group_id, epoch, self.tree.tree_hash(), b"history", tuple(context)
        )
        self.joiner_secret = self.rng(self.suite.hash_length)

    def _path(self, tree: RatchetTree, index: int, person: Person) -> Any:
        def build(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
            return leaf(
                person.client,
                person.rng,
                LeafNodeSource.COMMIT,
                group_id=self.group_id,
                leaf_index=index,
                encryption_key=encryption_key,
                parent_hash=parent_hash,
            )

        return create_path(tree, index, build, person.rng)

    def group_info(
        self,
        psks: Sequence[PreSharedKeyID] = (),
        find_psk: FindPsk = no_psks,
        *,
        context: GroupContext | None = None,
        with_tree: bool = True,
        external_pub: bool = True,
        extensions: Sequence[Extension] = (),
        signer: int = 0,
        tag: bytes | None = None,
        signature: bytes | None = None,
    ) -> GroupInfo:
        """Signed by Mal, with the confirmation tag of the secrets that the Welcome will carry."""
        suite, context = self.suite, context or self.context
        secrets = epoch_secrets(
            suite, member_secret(suite, self.joiner_secret, combine(suite, psks, find_psk)), context.encoded
        )
        listed = list(extensions)
        if with_tree:
            listed.append(Extension(RATCHET_TREE, self.tree.encode()))
        if external_pub:
            public = external_key_pair(suite, secrets.external_secret)[1]
            listed.append(Extension(EXTERNAL_PUB, ExternalPub(public).encode()))
        if tag is None:
            tag = confirmation_tag(suite, secrets.confirmation_key, context.confirmed_transcript_hash)
        info = GroupInfo(context, tuple(listed), tag, signer, b"")
        if signature is None:
            signature = suite.sign_with_label(self.mal.client.sign, "GroupInfoTBS", info.tbs())
        return replace(info, signature=signature)

    def welcome(
        self,
        info: GroupInfo | None = None,
        *,
        bundle: KeyPackageBundle | None = None,
        psks: Sequence[PreSharedKeyID] = (),
        find_psk: FindPsk = no_psks,
        path_secret: bytes | None = None,
        suite: int | None = None,
        reference: bytes | None = None,
        init_key: bytes | None = None,
        key: bytes | None = None,
    ) -> bytes:
        """For Ben's key package."""
        algorithms = self.suite
        bundle = bundle or self.ben.bundle
        info = info or self.group_info(psks, find_psk)
        member = member_secret(algorithms, self.joiner_secret, combine(algorithms, psks, find_psk))
        right_key, nonce = welcome_key_nonce(algorithms, welcome_secret(algorithms, member))
        encrypted = algorithms.aead_seal(key or right_key, nonce, info.encode(), b"")
        secrets = GroupSecrets(self.joiner_secret, path_secret or self.path_secret, tuple(psks))
        sealed = algorithms.encrypt_with_label(
            init_key or bundle.key_package.init_key,
            algorithms.encryption_context("Welcome", encrypted),
            secrets.encode(),
            self.rng,
        )
        entry = EncryptedGroupSecrets(reference or bundle.reference, HPKECiphertext(*sealed))
        return encode_message(Welcome(suite or algorithms.number, (entry,), encrypted))


def by_welcome(group: Invented) -> Attack:
    """Ben gets a Welcome to it."""
    return on_joiner(group.ben, group.welcome(), group.cleo)


def by_external_join(group: Invented) -> Attack:
    """Eve is given its GroupInfo, to join by an external commit."""
    eve = group.eve
    info = encode_message(group.group_info())
    return on_outsider(lambda: Group.join_externally(eve.client, info, rng=eve.rng, now=NOW))


def by_server(group: Invented) -> Attack:
    """A server is asked to order its commits."""
    client = group.ben.client
    info = encode_message(group.group_info())
    return on_outsider(
        lambda: PublicGroup(client.suite, info, authentication=client.authentication, policy=client.policy, now=NOW)
    )
