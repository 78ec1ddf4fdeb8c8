"""Messages whose sender, place or protection is wrong (RFC 9420 sections 6 to 6.3 and 12.1.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterlock.mls.group.group import Group
from letterlock.mls.registries import EXTERNAL_SENDERS
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.extensions import Extension, ExternalSender, encode_external_senders
from letterlock.mls.wire.framing import NEW_MEMBER_COMMIT, NEW_MEMBER_PROPOSAL, Sender
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Add, Remove, SelfRemove

from .lab import LAB, NOW
from .malformed import external_commit, key_package, member_commit, message
from .refusing import Attack, on_outsider, refuses
from .world import World, at_member, at_server, make_person

Place = Callable[[World, bytes], Attack]
BOTH = (at_member, at_server)


def with_eve() -> World:
    """A group in which Eve is an external sender."""
    eve = make_person("eve").client
    senders = encode_external_senders([ExternalSender(eve.signature_key, eve.credential)])
    return World(context=[Extension(EXTERNAL_SENDERS, senders)])


# --- group, epoch and content ----------------------------------------------------------------------------------
@refuses("MLS-6-20", *BOTH)
def test_application_data_in_the_clear(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, b"hello"))


@refuses("MLS-6-21")
def test_server_gets_a_message_of_another_group() -> Attack:
    w = World()
    return w.attack_server(message(w.mal, Remove(2), group_id=b"another group"))


def self_remove_of(w: World, **change: object) -> Attack:
    """Eve joins, and is given a SelfRemove that does not belong there."""
    info = w.ben.g.group_info()
    wrong = message(w.mal, SelfRemove(), **change)  # type: ignore[arg-type]
    eve = w.eve
    return on_outsider(lambda: Group.join_externally(eve.client, info, self_removes=[wrong], rng=eve.rng, now=NOW))


@refuses("MLS-6-21")
def test_joiner_gets_a_self_remove_of_another_group() -> Attack:
    return self_remove_of(World(), group_id=b"another group")


@refuses("MLS-12.4.2-01")
def test_joiner_gets_a_self_remove_of_another_epoch() -> Attack:
    return self_remove_of(World(), epoch=0)


@refuses("MLS-6.1-24")
def test_joiner_gets_a_self_remove_that_nobody_signed() -> Attack:
    return self_remove_of(World(), signature=bytes(64))


@refuses("MLS-6-22")
def test_public_message_of_another_group() -> Attack:
    w = World()
    return w.attack(message(w.mal, Remove(2), group_id=b"another group"))


@refuses("MLS-6-22")
def test_private_message_of_another_group() -> Attack:
    w = World()
    return w.attack(message(w.mal, b"hello", group_id=b"another group", public=False))


# --- who may send what -------------------------------------------------------------------------------------------
@refuses("MLS-6.1-20", *BOTH)
def test_message_of_a_blank_leaf(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(2), sender=Sender.member(3)))


@refuses("MLS-6.1-20", *BOTH)
def test_commit_of_a_leaf_outside_the_tree(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Commit((), None), sender=Sender.member(2**32 - 1)))


@refuses("MLS-6.1-21", *BOTH)
def test_external_sender_where_there_are_none(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(2), sender=Sender.external(0), sign=w.eve.client.sign))


@refuses("MLS-6.1-21", *BOTH)
def test_external_sender_that_is_not_in_the_list(place: Place) -> Attack:
    w = with_eve()
    return place(w, message(w.mal, Remove(2), sender=Sender.external(1), sign=w.eve.client.sign))


@refuses("MLS-6.1-22", *BOTH)
def test_removal_by_somebody_new(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(2), sender=NEW_MEMBER_PROPOSAL, sign=w.eve.client.sign))


@refuses("MLS-6.1-23", *BOTH)
def test_proposal_as_an_external_commit(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(2), sender=NEW_MEMBER_COMMIT, sign=w.eve.client.sign))


@refuses("MLS-6.1-25", *BOTH)
def test_commit_of_an_external_sender(place: Place) -> Attack:
    w = with_eve()
    return place(w, message(w.mal, Commit((), None), sender=Sender.external(0), sign=w.eve.client.sign))


@refuses("MLS-6.1-25", *BOTH)
def test_external_commit_of_a_wrong_sender_type(place: Place) -> Attack:
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), sender=NEW_MEMBER_PROPOSAL).message)


# --- signatures ----------------------------------------------------------------------------------------------------
@refuses("MLS-6.1-24", *BOTH)
def test_proposal_without_a_right_signature(place: Place) -> Attack:
    w = World()
    return place(w, message(w.mal, Remove(2), signature=bytes(64)))


@refuses("MLS-6.1-24", *BOTH)
def test_commit_without_a_right_signature(place: Place) -> Attack:
    """With a confirmation tag over just this: only the signature is wrong."""
    w = World()
    return place(w, member_commit(w.mal, signature=bytes(64)).message)


@refuses("MLS-6.1-24")
def test_private_message_without_a_right_signature() -> Attack:
    w = World()
    return w.attack(message(w.mal, b"hello", public=False, signature=bytes(64)))


@refuses("MLS-6.1-24")
def test_private_commit_without_a_right_signature() -> Attack:
    w = World()
    return w.attack(member_commit(w.mal, public=False, signature=b"").message)


@refuses("MLS-6.1-24", *BOTH)
def test_message_in_the_name_of_another_member(place: Place) -> Attack:
    """Mal has all keys of the group but Cleo's signature key."""
    w = World()
    return place(w, message(w.mal, Remove(0), sender=Sender.member(2)))


@refuses("MLS-6.1-24")
def test_private_message_in_the_name_of_another_member() -> Attack:
    w = World()
    return w.attack(message(w.mal, b"hello", public=False, sender_leaf=2))


@refuses("MLS-6.1-24", *BOTH)
def test_external_sender_with_another_key(place: Place) -> Attack:
    w = with_eve()
    return place(w, message(w.mal, Remove(2), sender=Sender.external(0), sign=w.mal.client.sign))


@refuses("MLS-6.1-24", *BOTH)
def test_somebody_new_with_another_key(place: Place) -> Attack:
    w = World()
    add = Add(key_package(w.eve.client, w.eve.rng))
    return place(w, message(w.mal, add, sender=NEW_MEMBER_PROPOSAL, sign=w.mal.client.sign))


@refuses("MLS-6.1-24", *BOTH)
def test_external_commit_with_another_key(place: Place) -> Attack:
    """Signed with another key than that of the leaf in its path."""
    w = World()
    return place(w, external_commit(w.eve, w.ben.g.group_info(), sign=w.mal.client.sign).message)


@refuses("MLS-6.1-24", *BOTH)
def test_proposal_signed_for_another_wire_format(place: Place) -> Attack:
    """The signature covers the wire format, so that nobody can move what others have said."""
    w = World()
    private = message(w.mal, Remove(2), public=False)
    opened = w.cleo.g.process(private, now=NOW)
    signature = w.cleo.g._member.proposals[opened.reference].content.auth.signature  # type: ignore[union-attr]
    return place(w, message(w.mal, Remove(2), signature=signature))


# --- membership and sender data ------------------------------------------------------------------------------------
def tag_of(w: World) -> bytes:
    right = decode_message(message(w.mal, Remove(2)), RFC_PROPOSALS, 1 << 20)
    assert right.membership_tag is not None  # type: ignore[union-attr]
    return right.membership_tag  # type: ignore[union-attr]


def no_tag(tag: bytes) -> bytes:
    return b""


def zero_tag(tag: bytes) -> bytes:
    return bytes(len(tag))


def short_tag(tag: bytes) -> bytes:
    return tag[:-1]


def long_tag(tag: bytes) -> bytes:
    return tag + b"\x00"


def flipped_tag(tag: bytes) -> bytes:
    return tag[:-1] + bytes([tag[-1] ^ 1])


@refuses("MLS-6.2-01", no_tag, zero_tag, short_tag, long_tag, flipped_tag)
def test_membership_tag(place: Callable[[bytes], bytes]) -> Attack:
    w = World()
    return w.attack(message(w.mal, Remove(2), membership_tag=place(tag_of(w))))


@refuses("MLS-6.2-01")
def test_membership_tag_of_a_commit() -> Attack:
    w = World()
    made = decode_message(member_commit(w.mal).message, RFC_PROPOSALS, 1 << 20)
    return w.attack(encode_message(replace(made, membership_tag=bytes(32))))  # type: ignore[arg-type, type-var]


@refuses("MLS-6.3.2-20")
def test_sender_data_of_a_blank_leaf() -> Attack:
    w = World()
    return w.attack(message(w.mal, b"hello", public=False, sender_leaf=3))


@refuses("MLS-6.3.2-20")
def test_sender_data_of_a_leaf_outside_the_tree() -> Attack:
    w = World()
    return w.attack(message(w.mal, b"hello", public=False, sender_leaf=2**32 - 1))


# --- our policy ------------------------------------------------------------------------------------------------------
@refuses("MLS-P-03")
def test_public_handshake_where_none_is_wanted() -> Attack:
    w = World(each={"ben": {"policy": replace(LAB, public_handshakes=True, accept_public_handshakes=False)}})
    return w.attack(message(w.mal, Remove(2)))


@refuses("MLS-P-03")
def test_private_handshake_where_none_is_wanted() -> Attack:
    w = World(policy=replace(LAB, accept_private_handshakes=False))
    return w.attack(message(w.mal, Remove(2), public=False))
