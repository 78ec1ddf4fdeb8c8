"""Trees that nobody may join, start from or order commits for (RFC 9420 sections 7.1, 7.3, 7.7, 7.9.2, 12.4.3.1).

Mal invents them: leaves 0 Mal, 1 Ben, 2 Cleo, 3 Dan; parents 1 over Mal and Ben, 5 over Cleo and Dan, 3 over all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterlock.mls.tree.ratchet_tree import Node
from letterlock.mls.wire.tree_nodes import ParentNode

from .invented import Invented, by_external_join, by_server, by_welcome
from .refusing import Attack, refuses

Place = Callable[[Invented], Attack]
JOINS = (by_welcome, by_external_join, by_server)


def changed(*, parents: bool = True, **nodes: Callable[[Node], Node]) -> Invented:
    """The group with other nodes: `n3=` gives the node at index 3 from the one that is right."""
    right = Invented(parents=parents).array
    return Invented(
        parents=parents, nodes={int(name[1:]): change(right[int(name[1:])]) for name, change in nodes.items()}
    )


def unmerged(*leaves: int) -> Callable[[Node], Node]:
    def change(node: Node) -> Node:
        assert isinstance(node, ParentNode)
        return replace(node, unmerged_leaves=leaves)

    return change


def keyed(key: bytes) -> Callable[[Node], Node]:
    def change(node: Node) -> Node:
        assert isinstance(node, ParentNode)
        return replace(node, encryption_key=key)

    return change


def blank(node: Node) -> Node:
    return None


def key_of(index: int) -> bytes:
    node = Invented(parents=True).array[index]
    assert node is not None
    return node.encryption_key


@refuses("MLS-7.1-20", *JOINS)
def test_unmerged_leaves_out_of_order(place: Place) -> Attack:
    return place(changed(n3=unmerged(3, 2), n5=unmerged(2, 3)))


@refuses("MLS-7.1-20", *JOINS)
def test_unmerged_leaf_twice(place: Place) -> Attack:
    return place(changed(n5=unmerged(2, 2)))


@refuses("MLS-7.1-21", *JOINS)
def test_unmerged_leaf_of_another_subtree(place: Place) -> Attack:
    return place(changed(n5=unmerged(0)))


@refuses("MLS-7.1-21", *JOINS)
def test_unmerged_leaf_outside_the_tree(place: Place) -> Attack:
    return place(changed(n3=unmerged(2**32 - 1)))


@refuses("MLS-7.1-22", *JOINS)
def test_unmerged_leaf_that_is_blank(place: Place) -> Attack:
    return place(changed(n4=blank, n3=unmerged(2), n5=unmerged(2)))


@refuses("MLS-7.1-23", *JOINS)
def test_unmerged_leaf_that_a_parent_below_does_not_list(place: Place) -> Attack:
    return place(changed(n3=unmerged(2)))


@refuses("MLS-7.1-24", *JOINS)
def test_parent_with_a_key_of_a_wrong_length(place: Place) -> Attack:
    return place(changed(n3=keyed(b"k" * 33)))


@refuses("MLS-7.1-24", *JOINS)
def test_parent_with_a_key_that_nobody_can_encrypt_to(place: Place) -> Attack:
    return place(changed(n5=keyed(bytes(32))))


@refuses("MLS-7.1-25", *JOINS)
def test_two_parents_with_one_key(place: Place) -> Attack:
    return place(changed(n5=keyed(key_of(3))))


@refuses("MLS-7.1-25", *JOINS)
def test_parent_with_the_key_of_a_leaf(place: Place) -> Attack:
    return place(changed(n5=keyed(key_of(4))))


@refuses("MLS-7.3-20", *JOINS)
def test_two_leaves_with_one_encryption_key(place: Place) -> Attack:
    key = Invented().dan.bundle.key_package.leaf_node.encryption_key
    return place(Invented(leaf_of_cleo=lambda cleo: {"encryption_key": key}))


@refuses("MLS-7.3-21", *JOINS)
def test_two_leaves_with_one_signature_key(place: Place) -> Attack:
    dan = Invented().dan.client
    return place(Invented(leaf_of_cleo=lambda cleo: {"signature_key": dan.signature_key, "sign": dan.sign}))


@refuses("MLS-7.7-20", *JOINS)
def test_tree_whose_right_half_is_empty(place: Place) -> Attack:
    """Four leaves where two would do: the parent over the empty half shows that somebody left it standing."""
    return place(changed(n4=blank, n6=blank))


@refuses("MLS-7.9-20", *JOINS)
def test_parent_that_nobody_below_it_has_set(place: Place) -> Attack:
    return place(changed(n5=keyed(key_of(4)[::-1])))


@refuses("MLS-7.9-20", *JOINS)
def test_root_that_nobody_below_it_has_set(place: Place) -> Attack:
    return place(changed(n3=keyed(key_of(4)[::-1])))


@refuses("MLS-7.9-20", *JOINS)
def test_parent_above_members_who_never_committed(place: Place) -> Attack:
    return place(Invented(nodes={5: ParentNode(key_of(4)[::-1], b"", ())}))


@refuses("MLS-7.9-20", *JOINS)
def test_parent_with_another_parent_hash(place: Place) -> Attack:
    def change(node: Node) -> Node:
        assert isinstance(node, ParentNode)
        return replace(node, parent_hash=bytes(32))

    return place(changed(n1=change))


@refuses("MLS-7.9-20", *JOINS)
def test_leaf_beside_the_path_exchanged(place: Place) -> Attack:
    """A parent hash covers the other side as it was."""
    other = Invented().cleo.package().key_package.leaf_node
    return place(changed(n4=lambda node: other))
