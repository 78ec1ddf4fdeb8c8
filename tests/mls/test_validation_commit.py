"""Commits that nobody may follow (RFC 9420 sections 7.4 to 7.6, 7.9, 12.4 and 12.4.2), and limits of our policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterlock.mls.group.group import Group
from letterlock.mls.tree.update_path import OwnPath
from letterlock.mls.wire.commit import HPKECiphertext, UpdatePath, UpdatePathNode
from letterlock.mls.wire.leaf_node import LeafNodeSource
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import (
    RFC_PROPOSALS,
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Remove,
    SelfRemove,
    Update,
)
from letterlock.mls.wire.psk import PreSharedKeyID

from .lab import LAB, NOW
from .malformed import by_reference, external_commit, key_package, leaf, member_commit, message
from .refusing import Attack, on_outsider, refuses
from .world import World, at_member, at_server

Place = Callable[[World, bytes], Attack]
BOTH = (at_member, at_server)


def kept(w: World) -> list:  # type: ignore[type-arg]
    return [by_reference(w.mal, reference) for reference, _, _ in w.mal.g.proposals()]


# --- with or without a path ----------------------------------------------------------------------------------------
@refuses("MLS-12.4-01", *BOTH)
def test_empty_commit_without_path(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, path=False).message)


@refuses("MLS-12.4-01", *BOTH)
def test_removal_without_path(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [Remove(2)], path=False).message)


@refuses("MLS-12.4-01", *BOTH)
def test_removal_beside_a_psk_without_path(place: Place) -> Attack:
    w = World()
    for person in w.people:
        person.g._member.find_psk = lambda psk: b"known"
    psk = PreSharedKey(PreSharedKeyID.external(b"known", bytes(32)))
    return place(w, member_commit(w.mal, [psk, Remove(2)], path=False).message)


@refuses("MLS-12.4-01", *BOTH)
def test_update_without_path(place: Place) -> Attack:
    w = World()
    w.spread(w.cleo.g.propose_update(rng=w.cleo.rng, now=NOW))
    return place(w, member_commit(w.mal, kept(w), path=False).message)


@refuses("MLS-12.4-01", *BOTH)
def test_self_remove_without_path(place: Place) -> Attack:
    w = World()
    w.proposed(w.cleo, SelfRemove())
    return place(w, member_commit(w.mal, kept(w), path=False).message)


@refuses("MLS-12.4-01", *BOTH)
def test_new_context_without_path(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, [GroupContextExtensions(())], path=False).message)


@refuses("MLS-6.1-23", *BOTH)
def test_external_commit_without_path(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), path=False).message)


# --- the keys of a path -----------------------------------------------------------------------------------------------
def with_nodes(change: Callable[[list[UpdatePathNode]], object]) -> Callable[[UpdatePath], UpdatePath]:
    def changed(path: UpdatePath) -> UpdatePath:
        nodes = list(path.nodes)
        change(nodes)
        return UpdatePath(path.leaf_node, tuple(nodes))

    return changed


def other_key(w: World) -> bytes:
    return w.mal.client.suite.generate_key_pair(w.mal.rng)[1]


@refuses("MLS-12.4.2-02", *BOTH)
def test_path_with_one_key_twice(place: Place) -> Attack:
    w = World()
    twice = with_nodes(lambda nodes: nodes.__setitem__(1, replace(nodes[1], encryption_key=nodes[0].encryption_key)))
    return place(w, member_commit(w.mal, change_path=twice).message)


@refuses("MLS-12.4.2-02", *BOTH)
def test_path_whose_leaf_has_the_key_of_a_parent(place: Place) -> Attack:
    w = World()
    key = other_key(w)
    twice = with_nodes(lambda nodes: nodes.__setitem__(1, replace(nodes[1], encryption_key=key)))
    return place(w, member_commit(w.mal, in_leaf={"encryption_key": key}, change_path=twice).message)


@refuses("MLS-12.4.2-02", *BOTH)
def test_path_with_the_key_of_another_member(place: Place) -> Attack:
    w = World()
    key = w.ben.g.state.tree.public_key(4)
    stolen = with_nodes(lambda nodes: nodes.__setitem__(0, replace(nodes[0], encryption_key=key)))
    return place(w, member_commit(w.mal, change_path=stolen).message)


@refuses("MLS-12.4.2-02", *BOTH)
def test_path_that_leaves_a_key_as_it_was(place: Place) -> Attack:
    """Section 12.4.2 means the tree before the path is merged: the committer has to renew every key."""
    w = World()
    w.commit(w.mal)
    key = w.ben.g.state.tree.public_key(1)
    same = with_nodes(lambda nodes: nodes.__setitem__(0, replace(nodes[0], encryption_key=key)))
    return place(w, member_commit(w.mal, change_path=same).message)


@refuses("MLS-12.4.2-02", *BOTH)
def test_path_with_the_key_of_somebody_added(place: Place) -> Attack:
    w = World()
    key = other_key(w)
    package = key_package(w.eve.client, w.eve.rng, {"encryption_key": key})
    return place(w, member_commit(w.mal, [Add(package)], in_leaf={"encryption_key": key}).message)


@refuses("MLS-12.4.2-02", *BOTH)
def test_path_with_the_key_of_an_update(place: Place) -> Attack:
    w = World()
    key = other_key(w)
    where = {"group_id": b"group", "leaf_index": 2}
    update = leaf(w.cleo.client, w.cleo.rng, LeafNodeSource.UPDATE, encryption_key=key, **where)
    w.spread(message(w.cleo, Update(update)))
    return place(w, member_commit(w.mal, kept(w), in_leaf={"encryption_key": key}).message)


@refuses("MLS-12.4.2-02", *BOTH)
def test_external_commit_with_the_key_of_a_member(place: Place) -> Attack:
    w = World()
    key = w.ben.g.state.tree.public_key(0)
    return place(w, external_commit(w.eve, w.ben.g.group_info(), in_leaf={"encryption_key": key}).message)


@refuses("MLS-7.5-20", *BOTH)
def test_path_with_a_node_too_few(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, change_path=with_nodes(lambda nodes: nodes.pop())).message)


@refuses("MLS-7.5-20", *BOTH)
def test_path_without_nodes(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, change_path=with_nodes(lambda nodes: nodes.clear())).message)


@refuses("MLS-7.5-20", *BOTH)
def test_path_with_a_node_too_many(place: Place) -> Attack:
    w = World()
    more = UpdatePathNode(other_key(w), ())
    return place(w, member_commit(w.mal, change_path=with_nodes(lambda nodes: nodes.append(more))).message)


@refuses("MLS-7.6-20", *BOTH)
def test_path_sealed_to_too_few(place: Place) -> Attack:
    w = World()
    fewer = with_nodes(lambda nodes: nodes.__setitem__(1, replace(nodes[1], encrypted_path_secret=())))
    return place(w, member_commit(w.mal, change_path=fewer).message)


@refuses("MLS-7.6-20", *BOTH)
def test_path_sealed_to_too_many(place: Place) -> Attack:
    w = World()
    again = with_nodes(
        lambda nodes: nodes.__setitem__(0, replace(nodes[0], encrypted_path_secret=nodes[0].encrypted_path_secret * 2))
    )
    return place(w, member_commit(w.mal, change_path=again).message)


@refuses("MLS-7.6-20", *BOTH)
def test_path_sealed_to_somebody_just_added(place: Place) -> Attack:
    """New members get it by their Welcome; in a path they have to be left out (section 7.6)."""
    w = World()
    more = HPKECiphertext(bytes(32), bytes(48))
    also = with_nodes(
        lambda nodes: nodes.__setitem__(
            1, replace(nodes[1], encrypted_path_secret=(*nodes[1].encrypted_path_secret, more))
        )
    )
    return place(w, member_commit(w.mal, [Add(key_package(w.eve.client, w.eve.rng))], change_path=also).message)


@refuses("MLS-7.6-21", *BOTH)
def test_path_with_a_key_of_a_wrong_length(place: Place) -> Attack:
    w = World()
    short = with_nodes(lambda nodes: nodes.__setitem__(0, replace(nodes[0], encryption_key=b"k" * 31)))
    return place(w, member_commit(w.mal, change_path=short).message)


@refuses("MLS-7.6-21", *BOTH)
def test_external_path_with_a_key_of_a_wrong_length(place: Place) -> Attack:
    w = World()
    short = with_nodes(lambda nodes: nodes.__setitem__(0, replace(nodes[0], encryption_key=bytes(32))))
    return place(w, external_commit(w.eve, w.ben.g.group_info(), change_path=short).message)


@refuses("MLS-7.9-21", *BOTH)
def test_leaf_with_another_parent_hash(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, in_leaf={"parent_hash": bytes(32)}).message)


@refuses("MLS-7.9-21", *BOTH)
def test_leaf_without_parent_hash(place: Place) -> Attack:
    w = World()
    return place(w, member_commit(w.mal, in_leaf={"parent_hash": b""}).message)


@refuses("MLS-7.9-21", *BOTH)
def test_path_whose_leaf_was_made_for_other_keys(place: Place) -> Attack:
    w = World()
    key = other_key(w)
    swapped = with_nodes(lambda nodes: nodes.__setitem__(1, replace(nodes[1], encryption_key=key)))
    return place(w, member_commit(w.mal, change_path=swapped).message)


@refuses("MLS-7.9-21", *BOTH)
def test_external_leaf_with_another_parent_hash(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), in_leaf={"parent_hash": bytes(32)}).message)


# --- its secrets, which only members see ----------------------------------------------------------------------------------
def sealing(node: int, change: Callable[[bytes], bytes]) -> Callable[[OwnPath], OwnPath]:
    return lambda own: replace(own, path_secrets={**own.path_secrets, node: change(own.path_secrets[node])})


@refuses("MLS-7.5-22")
def test_path_secret_of_other_keys() -> Attack:
    """The public keys are right; what is sealed to Ben leads elsewhere (section 16.12)."""
    w = World()
    return w.attack(member_commit(w.mal, sealed=sealing(1, lambda secret: secret[::-1])).message)


@refuses("MLS-7.4-20")
def test_path_secret_that_is_too_short() -> Attack:
    w = World()
    return w.attack(member_commit(w.mal, sealed=sealing(1, lambda secret: secret[:-1])).message)


@refuses("MLS-7.4-20")
def test_path_secret_that_is_too_long() -> Attack:
    w = World()
    return w.attack(member_commit(w.mal, sealed=sealing(1, lambda secret: secret + b"\x00")).message)


@refuses("MLS-7.5-21")
def test_path_sealed_to_a_key_that_we_have_lost() -> Attack:
    """Our Update is committed, but its private key did not survive."""
    w = World()
    w.spread(w.ben.g.propose_update(rng=w.ben.rng, now=NOW))
    w.ben.g._member.updates.clear()
    return w.attack(member_commit(w.mal, kept(w)).message)


@refuses("MLS-12.4.2-03")
def test_path_secret_that_does_not_open() -> Attack:
    w = World()

    def spoil(nodes: list[UpdatePathNode]) -> None:
        sealed = nodes[0].encrypted_path_secret[0]
        spoilt = replace(sealed, ciphertext=bytes(len(sealed.ciphertext)))
        nodes[0] = replace(nodes[0], encrypted_path_secret=(spoilt,))

    return w.attack(member_commit(w.mal, change_path=with_nodes(spoil)).message)


@refuses("MLS-12.4.2-03")
def test_path_secret_without_a_kem_output() -> Attack:
    w = World()

    def spoil(nodes: list[UpdatePathNode]) -> None:
        nodes[0] = replace(nodes[0], encrypted_path_secret=(HPKECiphertext(b"", b""),))

    return w.attack(member_commit(w.mal, change_path=with_nodes(spoil)).message)


@refuses("MLS-12.4.2-03")
def test_external_init_that_does_not_open() -> Attack:
    w = World()
    made = external_commit(w.eve, w.ben.g.group_info(), [ExternalInit(b"no key")], inits=0)
    return w.attack(made.message)


@refuses("MLS-6.1-01")
def test_external_init_of_another_group() -> Attack:
    """A key, but not for this: the joiner comes to another epoch secret than the members."""
    w = World()
    made = external_commit(w.eve, w.ben.g.group_info(), [ExternalInit(other_key(w))], inits=0)
    return w.attack(made.message)


# --- the confirmation tag -----------------------------------------------------------------------------------------------
def flipped(data: bytes) -> bytes:
    commit = decode_message(data, RFC_PROPOSALS, 1 << 20)
    tag = commit.auth.confirmation_tag  # type: ignore[union-attr]
    return tag[:-1] + bytes([tag[-1] ^ 1])  # type: ignore[index]


def tag_flipped(w: World) -> Attack:
    right = member_commit(World().mal).message
    return w.attack(member_commit(w.mal, tag=flipped(right)).message)


def tag_cut(w: World) -> Attack:
    right = member_commit(World().mal)
    return w.attack(member_commit(w.mal, tag=right.state.confirmation_tag[:-1]).message)


def tag_empty(w: World) -> Attack:
    return w.attack(member_commit(w.mal, tag=b"").message)


def tag_lengthened(w: World) -> Attack:
    right = member_commit(World().mal)
    return w.attack(member_commit(w.mal, tag=right.state.confirmation_tag + b"\x00").message)


def tag_flipped_in_private(w: World) -> Attack:
    return w.attack(member_commit(w.mal, tag=bytes(32), public=False).message)


@refuses("MLS-6.1-01", tag_flipped, tag_cut, tag_empty, tag_lengthened, tag_flipped_in_private)
def test_commit_without_the_right_confirmation_tag(place: Callable[[World], Attack]) -> Attack:
    return place(World())


def no_tag(w: World) -> Attack:
    return w.attack_server(member_commit(w.mal, tag=b"").message)


def short_tag(w: World) -> Attack:
    return w.attack_server(member_commit(w.mal, tag=bytes(31)).message)


def long_tag(w: World) -> Attack:
    return w.attack_server(member_commit(w.mal, tag=bytes(33)).message)


@refuses("MLS-6.1-26", no_tag, short_tag, long_tag)
def test_a_server_sees_at_least_the_length_of_the_tag(place: Callable[[World], Attack]) -> Attack:
    return place(World())


# --- our policy ----------------------------------------------------------------------------------------------------------
@refuses("MLS-P-01", *BOTH)
def test_group_that_grows_too_large(place: Place) -> Attack:
    w = World(policy=replace(LAB, max_members=3))
    return place(w, member_commit(w.mal, [Add(key_package(w.eve.client, w.eve.rng))]).message)


@refuses("MLS-P-01", *BOTH)
def test_external_join_to_a_group_that_is_full(place: Place) -> Attack:
    w = World(policy=replace(LAB, max_members=3))
    return place(w, external_commit(w.eve, w.ben.g.group_info()).message)


@refuses("MLS-P-01")
def test_nobody_adds_more_than_fit() -> Attack:
    w = World(policy=replace(LAB, max_members=3))
    return w.ask(lambda: w.ben.commit([Add(key_package(w.eve.client, w.eve.rng))]))


@refuses("MLS-P-02", *BOTH)
def test_external_commit_where_none_is_wanted(place: Place) -> Attack:
    w = World(policy=replace(LAB, external_commits=False))
    return place(w, external_commit(w.eve, w.ben.g.group_info()).message)


@refuses("MLS-P-02", *BOTH)
def test_resync_where_none_is_wanted(place: Place) -> Attack:
    w = World(policy=replace(LAB, resync=False))
    return place(w, external_commit(w.cleo, w.ben.g.group_info(), [Remove(2)]).message)


@refuses("MLS-P-02")
def test_nobody_joins_a_group_where_it_is_not_wanted() -> Attack:
    w = World(policy=replace(LAB, external_commits=False))
    info = w.ben.g.group_info()
    return on_outsider(lambda: Group.join_externally(w.eve.client, info, rng=w.eve.rng, now=NOW))


@refuses("MLS-P-04")
def test_commit_in_our_own_name_that_we_did_not_make() -> Attack:
    """Somebody has our keys, or we have forgotten what we did."""
    w = World()
    return w.attack(member_commit(w.ben).message)


@refuses("MLS-P-05", *BOTH)
def test_too_many_proposals(place: Place) -> Attack:
    w = World(policy=replace(LAB, max_proposals=1))
    w.spread(message(w.mal, Remove(2)))
    return place(w, message(w.mal, Remove(0)))
