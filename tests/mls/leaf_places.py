"""Every place through which a leaf can come into a group. A place is given a flaw: the fields of a leaf of somebody.

Those who check are Ben, a member; Ben, a joiner; Eve, who joins from outside; a server; and Ben when his own
application asks him to bring in such a leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.mls.wire.framing import NEW_MEMBER_PROPOSAL
from letterlock.mls.wire.leaf_node import LeafNode, LeafNodeSource
from letterlock.mls.wire.proposals import Add, Update

from .invented import Invented, by_external_join, by_server, by_welcome
from .lab import Person
from .malformed import Fields, external_commit, key_package, leaf, member_commit, message
from .refusing import Attack
from .world import World

__all__ = [
    "ADDS",
    "COMMITTED",
    "EVERYWHERE",
    "EXTERNAL",
    "PATHS",
    "TREES",
    "UPDATES",
    "Place",
    "add_asked_for",
    "add_by_value",
    "add_proposal_asked_for",
]

Flaw = Callable[[Person], Fields]
Place = Callable[..., Attack]


# --- in a key package ------------------------------------------------------------------------------------------
def _add(w: World, flaw: Flaw) -> Add:
    return Add(key_package(w.eve.client, w.eve.rng, flaw(w.eve)))


def add_by_value(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(member_commit(w.mal, [_add(w, flaw)]).message)


def add_by_reference(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(message(w.mal, _add(w, flaw)))


def add_in_private(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(message(w.mal, _add(w, flaw), public=False))


def add_by_newcomer(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(message(w.mal, _add(w, flaw), sender=NEW_MEMBER_PROPOSAL, sign=w.eve.client.sign))


def add_at_server(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack_server(message(w.mal, _add(w, flaw)))


def add_committed_at_server(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack_server(member_commit(w.mal, [_add(w, flaw)]).message)


def add_asked_for(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.ask(lambda: w.ben.commit([_add(w, flaw)]))


def add_proposal_asked_for(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.ask(lambda: w.ben.propose(_add(w, flaw)))


# --- in an Update ------------------------------------------------------------------------------------------------
def _update(w: World, flaw: Flaw) -> LeafNode:
    mal = w.mal
    where = {"source": LeafNodeSource.UPDATE, "group_id": mal.g.group_id, "leaf_index": mal.g.own_leaf}
    return leaf(mal.client, mal.rng, **{**where, **flaw(mal)})


def update(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(message(w.mal, Update(_update(w, flaw))))


def update_in_private(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(message(w.mal, Update(_update(w, flaw)), public=False))


def update_at_server(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack_server(message(w.mal, Update(_update(w, flaw))))


def update_committed(flaw: Flaw, **options: Any) -> Attack:
    """What can only be seen beside the other leaves: Mal's Update is taken, Cleo's commit of it is not."""
    w = World(**options)
    w.spread(message(w.mal, Update(_update(w, flaw))))
    kept = [entry.queued for entry in w.cleo.g._member.proposals.values()]
    return w.attack(member_commit(w.cleo, kept).message)


def update_committed_at_server(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    w.spread(message(w.mal, Update(_update(w, flaw))))
    kept = [entry.queued for entry in w.cleo.g._member.proposals.values()]
    return w.attack_server(member_commit(w.cleo, kept).message)


# --- in the path of a commit ---------------------------------------------------------------------------------------
def path(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(member_commit(w.mal, in_leaf=flaw(w.mal)).message)


def path_in_private(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(member_commit(w.mal, in_leaf=flaw(w.mal), public=False).message)


def path_at_server(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack_server(member_commit(w.mal, in_leaf=flaw(w.mal)).message)


def external_path(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack(external_commit(w.eve, w.ben.g.group_info(), in_leaf=flaw(w.eve)).message)


def external_path_at_server(flaw: Flaw, **options: Any) -> Attack:
    w = World(**options)
    return w.attack_server(external_commit(w.eve, w.ben.g.group_info(), in_leaf=flaw(w.eve)).message)


# --- in a tree -----------------------------------------------------------------------------------------------------
def tree_of_welcome(flaw: Flaw, **options: Any) -> Attack:
    return by_welcome(Invented(leaf_of_cleo=flaw, **options))


def tree_of_group_info(flaw: Flaw, **options: Any) -> Attack:
    return by_external_join(Invented(leaf_of_cleo=flaw, **options))


def tree_at_server(flaw: Flaw, **options: Any) -> Attack:
    return by_server(Invented(leaf_of_cleo=flaw, **options))


ADDS: tuple[Place, ...] = (
    add_by_value,
    add_by_reference,
    add_in_private,
    add_by_newcomer,
    add_at_server,
    add_committed_at_server,
    add_asked_for,
    add_proposal_asked_for,
)
UPDATES: tuple[Place, ...] = (update, update_in_private, update_at_server)
EXTERNAL: tuple[Place, ...] = (external_path, external_path_at_server)
PATHS: tuple[Place, ...] = (path, path_in_private, path_at_server)
TREES: tuple[Place, ...] = (tree_of_welcome, tree_of_group_info, tree_at_server)
COMMITTED: tuple[Place, ...] = (update_committed, update_committed_at_server)
EVERYWHERE: tuple[Place, ...] = (*ADDS, *UPDATES, *PATHS, *EXTERNAL, *TREES)
