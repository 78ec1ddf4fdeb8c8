"""Whether secrets that were read back from a store are all there, and the right ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..schedule.secret_tree import RowKey as MessageKey
from ..schedule.secret_tree import SecretTree
from ..stored_row import bad_row
from ..suites import CipherSuite
from ..tree.ratchet_tree import RatchetTree
from ..tree.tree_math import direct_path, first_leaf, level

__all__ = ["check_private_keys", "secret_tree_of"]


def check_private_keys(tree: RatchetTree, own_leaf: int, private_keys: Mapping[int, bytes]) -> None:
    """Our leaf's, and that of each parent above us but those where we are not merged yet; each the right one."""
    if tree.leaf(own_leaf) is None:
        raise bad_row("our leaf is blank")
    path = (2 * own_leaf, *direct_path(2 * own_leaf, tree.leaf_count))
    if not private_keys.keys() <= set(path):
        raise bad_row("a private key for a node that is not above us")
    for index in path:
        node, parent, private = tree.node(index), tree.parent(index), private_keys.get(index)
        if private is None:
            if node is not None and (parent is None or own_leaf not in parent.unmerged_leaves):
                raise bad_row(f"the private key of node {index} is missing")
        elif node is None or tree.suite.public_of(private) != node.encryption_key:
            raise bad_row(f"the private key of node {index} is that of another key")


def secret_tree_of(suite: CipherSuite, height: int, rows: Sequence[tuple[MessageKey, bytes]]) -> SecretTree:
    """With every leaf covered exactly once, by both of its ratchets or by a node secret at or above it."""
    covered: list[tuple[int, int]] = []  # (first leaf, one behind the last)
    ratchets: dict[int, int] = {}
    tree = SecretTree.from_rows(suite, 1 << height, rows)  # has checked the form of the keys
    for key, _ in rows:
        match key:
            case ("node", int(node)):
                start = first_leaf(node)
                covered.append((start, start + (1 << level(node))))
            case ("ratchet", int(leaf), int(_)):
                ratchets[leaf] = ratchets.get(leaf, 0) + 1
    covered.extend((leaf, leaf + 1) for leaf in ratchets)
    end = 0
    for start, behind in sorted(covered):
        if start != end:
            break
        end = behind
    else:
        if end == 1 << height and all(count == 2 for count in ratchets.values()):
            return tree
    raise bad_row("message keys are missing")
