"""One tree or path that breaks each rule of `mls.tree`: refused by that rule, and without it not by that rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.errors import InvalidGroupMessage
from letterlock.mls.rules import RULES, Rule
from letterlock.mls.suites import cipher_suite
from letterlock.mls.tree.ratchet_tree import Node, RatchetTree
from letterlock.mls.tree.update_path import check_joiner_keys, decrypt_path, merge_path, path_secrets_from
from letterlock.mls.tree.validation import check_tree
from letterlock.mls.wire.commit import HPKECiphertext, UpdatePath, UpdatePathNode
from letterlock.mls.wire.tree_nodes import ParentNode
from mls.array_tree import ArrayTree, key, plain_leaf
from mls.populated import check_leaf_signatures, populated
from mls.test_tree_path import CONTEXT, Received

SUITE = cipher_suite(1, Pyca())
GROUP = populated(SUITE, 8)
Break = Callable[[], object]


def nodes_of(**changes: Node) -> RatchetTree:
    """The group's tree with other nodes: `n3=...` is the node at index 3."""
    nodes = list(GROUP.tree.nodes())
    for name, value in changes.items():
        nodes[int(name[1:])] = value
    return RatchetTree.from_nodes(SUITE, nodes)


def parent(index: int) -> ParentNode:
    value = GROUP.tree.parent(index)
    assert value is not None
    return value


def unmerged(index: int, *leaves: int) -> ParentNode:
    return replace(parent(index), unmerged_leaves=leaves)


def right_half_empty() -> object:
    tree = ArrayTree([plain_leaf(1), None, plain_leaf(2)])
    tree.set_path(0, [key(5)], lambda parent_hash: plain_leaf(3, parent_hash))
    tree.nodes[2] = None
    return check_tree(RatchetTree.from_nodes(SUITE, tree.nodes))


def leaf_with(index: int, **changes: object) -> Node:
    leaf = GROUP.tree.leaf(index)
    assert leaf is not None
    changed = replace(leaf, **changes)  # type: ignore[arg-type]
    return replace(changed, encoded=changed.encoded + repr(sorted(changes.items())).encode())


def missing_joiner_key() -> object:
    keys = GROUP.keys_of(6)
    del keys[11]
    return check_joiner_keys(GROUP.tree, 6, keys)


def received(change: Callable[[Received], object]) -> Break:
    return lambda: change(Received())


def merged_with(change: Callable[[list[UpdatePathNode]], object]) -> Break:
    return lambda: merge_path(GROUP.tree, 5, Received().with_nodes(change), frozenset())


def sealed_secret(secret_of: Callable[[Received], bytes]) -> Break:
    """Member 2 opens a path whose root carries another path secret."""

    def run() -> object:
        given = Received()
        info = SUITE.encryption_context("UpdatePathNode", CONTEXT)
        root = given.path.nodes[2]
        sealed = HPKECiphertext(*SUITE.encrypt_with_label(GROUP.tree.public_key(3), info, secret_of(given), given.rng))
        spoilt = UpdatePathNode(root.encryption_key, (sealed,))
        return given.opened(given.with_nodes(lambda nodes: nodes.__setitem__(2, spoilt)))

    return run


def with_other_leaf(given: Received) -> object:
    leaf = GROUP.build_leaf(5)(given.path.leaf_node.encryption_key, b"p" * 32)
    return merge_path(GROUP.tree, 5, UpdatePath(leaf, given.path.nodes), frozenset())


def unknown_recipient(given: Received) -> object:
    keys = GROUP.keys_of(2)
    del keys[3]
    return decrypt_path(given.after, 5, 2, keys, given.path, CONTEXT, frozenset())


BROKEN: dict[str, list[Break]] = {
    "MLS-7.7-20": [right_half_empty],
    "MLS-7.1-20": [
        lambda: check_tree(nodes_of(n3=unmerged(3, 1, 0), n1=unmerged(1, 0, 1))),
        lambda: check_tree(nodes_of(n1=unmerged(1, 1, 1))),
    ],
    "MLS-7.1-21": [
        lambda: check_tree(nodes_of(n3=unmerged(3, 4))),
        lambda: check_tree(nodes_of(n11=unmerged(11, 3))),
        lambda: check_tree(nodes_of(n7=unmerged(7, 4_000_000_000))),
    ],
    "MLS-7.1-22": [
        lambda: check_tree(nodes_of(n0=None, n1=unmerged(1, 0))),
        lambda: check_tree(nodes_of(n0=None, n1=None, n2=None, n3=unmerged(3, 1))),
    ],
    "MLS-7.1-23": [
        lambda: check_tree(nodes_of(n3=unmerged(3, 0))),
        lambda: check_tree(nodes_of(n7=unmerged(7, 6), n13=unmerged(13, 6))),
    ],
    "MLS-7.1-24": [
        lambda: check_tree(nodes_of(n3=replace(parent(3), encryption_key=b"k" * 31))),
        lambda: check_tree(nodes_of(n3=replace(parent(3), encryption_key=b""))),
        lambda: check_tree(nodes_of(n3=replace(parent(3), encryption_key=bytes(32)))),
    ],
    "MLS-7.1-25": [
        lambda: check_tree(nodes_of(n3=replace(parent(3), encryption_key=parent(9).encryption_key))),
        lambda: check_tree(nodes_of(n3=replace(parent(3), encryption_key=GROUP.tree.public_key(12)))),
    ],
    "MLS-7.3-20": [lambda: check_tree(nodes_of(n4=leaf_with(2, encryption_key=GROUP.tree.public_key(10))))],
    "MLS-7.3-21": [
        lambda: check_tree(nodes_of(n4=leaf_with(2, signature_key=GROUP.tree.leaf(5).signature_key)))  # type: ignore[union-attr]
    ],
    "MLS-7.9-20": [
        lambda: check_tree(nodes_of(n3=replace(parent(3), encryption_key=key(99)))),
        lambda: check_tree(nodes_of(n7=replace(parent(7), parent_hash=b"x"))),
        lambda: check_tree(nodes_of(n14=plain_leaf(9))),
        lambda: check_tree(nodes_of(n14=plain_leaf(9, b""))),
        lambda: check_tree(nodes_of(n0=None, n2=None)),
        lambda: check_tree(nodes_of(n11=None)),
        lambda: check_tree(nodes_of(n13=unmerged(13, 6), n11=unmerged(11, 6), n7=unmerged(7, 6))),
        lambda: check_tree(nodes_of(n13=unmerged(13, 6, 7), n11=unmerged(11, 6, 7), n7=unmerged(7, 6, 7))),
    ],
    "MLS-7.9-21": [
        received(with_other_leaf),
        merged_with(lambda n: n.__setitem__(1, replace(n[1], encryption_key=key(7)))),
    ],
    "MLS-7.5-20": [
        merged_with(lambda n: n.pop()),
        merged_with(lambda n: n.append(n[0])),
        merged_with(lambda n: n.clear()),
    ],
    "MLS-7.6-20": [
        merged_with(lambda n: n.__setitem__(1, replace(n[1], encrypted_path_secret=()))),
        merged_with(lambda n: n.__setitem__(1, replace(n[1], encrypted_path_secret=n[1].encrypted_path_secret * 2))),
    ],
    "MLS-7.6-21": [
        merged_with(lambda n: n.__setitem__(1, replace(n[1], encryption_key=b"k" * 31))),
        merged_with(lambda n: n.__setitem__(1, replace(n[1], encryption_key=bytes(32)))),
    ],
    "MLS-7.5-21": [received(unknown_recipient)],
    "MLS-7.5-22": [sealed_secret(lambda given: b"s" * 32)],
    "MLS-7.4-20": [
        sealed_secret(lambda given: given.own.path_secrets[7][:31]),
        sealed_secret(lambda given: given.own.path_secrets[7] + b"\x00"),
    ],
    "MLS-7.4-21": [
        lambda: path_secrets_from(GROUP.tree, b"s" * 32, 13),
        lambda: path_secrets_from(nodes_of(n13=None), GROUP.path_secrets[13], 13),
    ],
    "MLS-7.4-22": [missing_joiner_key],
}


def test_every_rule_of_the_tree_is_here() -> None:
    ours = {id for id, rule in RULES.items() if rule.module.startswith("letterlock.mls.tree.")}
    assert ours == BROKEN.keys()


@pytest.mark.parametrize(("id", "number"), [(id, number) for id in BROKEN for number in range(len(BROKEN[id]))])
def test_what_breaks_a_rule_is_refused_by_it(id: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = BROKEN[id][number]
    with pytest.raises(InvalidGroupMessage) as refused:
        spoilt()
    assert refused.value.rule == id
    fail = Rule.fail
    monkeypatch.setattr(Rule, "fail", lambda rule, what: None if rule.id == id else fail(rule, what))
    try:
        spoilt()
    except InvalidGroupMessage as other:
        assert other.rule != id


def test_the_same_group_unspoilt_passes() -> None:
    check_tree(GROUP.tree)
    check_tree(nodes_of())
    check_leaf_signatures(GROUP.tree, GROUP.group_id)
    given = Received()
    after = merge_path(GROUP.tree, 5, given.path, frozenset())
    assert after.tree_hash() == given.after.tree_hash()
    check_tree(after)
    path_secrets_from(GROUP.tree, GROUP.welcome_path_secret, 13)
    check_joiner_keys(GROUP.tree, 6, GROUP.keys_of(6))
