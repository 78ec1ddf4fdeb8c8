"""Welcomes and GroupInfos that nobody may join by (RFC 9420 sections 11.2, 11.3, 12.4.3 to 12.4.3.3 and 13.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from letterlock.mls.group.group import Group
from letterlock.mls.public_group import StagedPublicCommit
from letterlock.mls.registries import (
    EXTERNAL_PUB,
    EXTERNAL_SENDERS,
    PROTOCOL_VERSION_MLS10,
    RATCHET_TREE,
    REQUIRED_CAPABILITIES,
)
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import (
    Extension,
    ExternalPub,
    ExternalSender,
    RequiredCapabilities,
    encode_external_senders,
)
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, ReInit
from letterlock.mls.wire.psk import PreSharedKeyID, ResumptionPSKUsage
from letterlock.mls.wire.tree_nodes import encode_ratchet_tree
from letterlock.mls.wire.welcome import GroupContext, GroupInfo

from .invented import Invented, by_external_join, by_server, by_welcome
from .lab import LAB, NOW
from .malformed import certified
from .refusing import Attack, on_joiner, on_outsider, refuses
from .test_validation_proposals import Doorkeeper
from .world import World

NUMBER = 0xF00D


def shown(group: Invented, place: Callable[[Invented], Attack], **change: Any) -> Attack:
    """The group with a GroupInfo in which something is different."""
    info = group.group_info(**change)
    group.group_info = lambda *_: info  # type: ignore[method-assign, assignment]
    return place(group)


def other_context(group: Invented, **change: Any) -> GroupContext:
    return replace(group.context, **change)


JOINS = (by_welcome, by_external_join, by_server)
Place = Callable[[Invented], Attack]


# --- GroupInfo -------------------------------------------------------------------------------------------------------
@refuses("MLS-12.4.3-01", *JOINS)
def test_group_of_another_suite(place: Place) -> Attack:
    group = Invented()
    return shown(group, place, context=other_context(group, cipher_suite=3))


@refuses("MLS-12.4.3.1-05", *JOINS)
def test_another_tree_than_the_context_says(place: Place) -> Attack:
    group = Invented()
    return shown(group, place, context=other_context(group, tree_hash=bytes(32)))


@refuses("MLS-12.4.3.1-06", *JOINS)
def test_signer_that_is_blank(place: Place) -> Attack:
    group = Invented(nodes={6: None})
    return shown(group, place, signer=3)


@refuses("MLS-12.4.3.1-06", *JOINS)
def test_signer_outside_the_tree(place: Place) -> Attack:
    return shown(Invented(), place, signer=2**32 - 1)


@refuses("MLS-12.4.3.1-07", *JOINS)
def test_group_info_that_nobody_signed(place: Place) -> Attack:
    return shown(Invented(), place, signature=bytes(64))


@refuses("MLS-12.4.3.1-07", *JOINS)
def test_group_info_signed_by_another_member(place: Place) -> Attack:
    return shown(Invented(), place, signer=2)


@refuses("MLS-12.4.3.3-01", *JOINS)
def test_no_tree(place: Place) -> Attack:
    return shown(Invented(), place, with_tree=False)


TWICE = (Extension(NUMBER, b"one"), Extension(NUMBER, b"two"))


@refuses("MLS-13.4-01", *JOINS)
def test_group_info_with_an_extension_twice(place: Place) -> Attack:
    return shown(Invented(), place, extensions=TWICE)


@refuses("MLS-13.4-01", *JOINS)
def test_context_with_an_extension_twice(place: Place) -> Attack:
    return place(Invented(context=TWICE, extensions=[NUMBER]))


@refuses("MLS-13.4-04", by_welcome)
def test_context_extension_that_the_joiner_does_not_support(place: Place) -> Attack:
    return place(Invented(context=[Extension(NUMBER, b"")], extensions=[NUMBER], each=POOR_BEN))


@refuses("MLS-13.4-04", by_external_join)
def test_context_extension_that_the_outsider_does_not_support(place: Place) -> Attack:
    return place(Invented(context=[Extension(NUMBER, b"")], extensions=[NUMBER], each=POOR_EVE))


POOR_BEN: dict[str, dict[str, Any]] = {"ben": {"extensions": []}}
POOR_EVE: dict[str, dict[str, Any]] = {"eve": {"extensions": []}}


@refuses("MLS-5.3.1-01", *JOINS)
def test_context_with_an_external_sender_whom_the_application_refuses(place: Place) -> Attack:
    senders = encode_external_senders([ExternalSender(b"k" * 32, Credential.basic(b"bad"))])
    return place(Invented(context=[Extension(EXTERNAL_SENDERS, senders)], authentication=Doorkeeper()))


@refuses("MLS-5.3-01", *JOINS)
def test_context_with_an_external_sender_with_a_certificate_for_another_key(place: Place) -> Attack:
    senders = encode_external_senders([ExternalSender(b"k" * 32, certified(bytes(range(32))))])
    return place(Invented(context=[Extension(EXTERNAL_SENDERS, senders)]))


@refuses("MLS-P-01", *JOINS)
def test_group_that_is_too_large(place: Place) -> Attack:
    return place(Invented(policy=replace(LAB, max_members=3)))


@refuses("MLS-P-01", *JOINS)
def test_tree_that_is_too_wide(place: Place) -> Attack:
    """Blank nodes cost a sender one byte each, and whoever makes a tree of them much more."""
    group = Invented(policy=replace(LAB, max_members=4))
    wide = Extension(RATCHET_TREE, encode_ratchet_tree([*group.array, *[None] * 33, group.array[0]]))
    return shown(group, place, with_tree=False, extensions=[wide])


# --- joining by an external commit -----------------------------------------------------------------------------------
@refuses("MLS-12.4.3.2-02")
def test_group_info_without_external_pub() -> Attack:
    return shown(Invented(), by_external_join, external_pub=False)


@refuses("MLS-12.4.3.2-02")
def test_external_pub_that_is_no_key() -> Attack:
    wrong = Extension(EXTERNAL_PUB, ExternalPub(b"k" * 31).encode())
    return shown(Invented(), by_external_join, external_pub=False, extensions=[wrong])


@refuses("MLS-12-01")
def test_group_in_its_last_epoch() -> Attack:
    return by_external_join(Invented(epoch=2**64 - 1))


@refuses("MLS-12-01")
def test_nobody_commits_in_the_last_epoch() -> Attack:
    group = Invented(epoch=2**64 - 1)
    group.ben.group = Group.join(group.ben.client, group.ben.bundle, group.welcome(), now=NOW)
    return on_outsider(lambda: group.ben.commit())


@refuses("MLS-7.3-02")
def test_nobody_joins_without_what_the_group_requires() -> Attack:
    required = Extension(REQUIRED_CAPABILITIES, RequiredCapabilities((), (NUMBER,), ()).encode())
    return by_external_join(Invented(context=[required], proposals=[NUMBER], each={"eve": {"proposals": []}}))


@refuses("MLS-13.4-04", by_welcome, by_external_join)
def test_grease_is_nothing_that_we_support(place: Place) -> Attack:
    """A leaf lists GREASE for others to pass over; a group that uses it is no group for us (section 13.5)."""
    return place(Invented(context=[Extension(0x0A0A, b"")], extensions=[0x0A0A]))


# --- the GroupInfo that comes with a commit ------------------------------------------------------------------------------
def beside_a_commit(change: Callable[[GroupInfo], GroupInfo]) -> Attack:
    w = World()
    pending = w.ben.commit()
    staged = w.server.process(pending.message, now=NOW)
    assert isinstance(staged, StagedPublicCommit)
    w.ben.g.merge(pending, now=NOW)
    info = decode_message(w.ben.g.group_info(), RFC_PROPOSALS, 1 << 20)
    assert isinstance(info, GroupInfo)
    w.server.check_group_info(staged, encode_message(info))
    wrong = encode_message(change(info))
    return on_outsider(lambda: w.server.check_group_info(staged, wrong), lambda: w.server.merge(staged))


@refuses("MLS-12.4.3-02")
def test_group_info_with_another_confirmation_tag() -> Attack:
    return beside_a_commit(lambda info: replace(info, confirmation_tag=bytes(32)))


@refuses("MLS-12.4.3-03")
def test_group_info_of_another_epoch() -> Attack:
    return beside_a_commit(lambda info: replace(info, group_context=replace(info.group_context, epoch=9)))


@refuses("MLS-12.4.3-03")
def test_group_info_of_another_tree() -> Attack:
    return beside_a_commit(lambda info: replace(info, group_context=replace(info.group_context, tree_hash=bytes(32))))


# --- Welcome -------------------------------------------------------------------------------------------------------------
def welcomed(group: Invented, welcome: bytes, **options: Any) -> Attack:
    return on_joiner(group.ben, welcome, group.cleo, **options)


@refuses("MLS-12.4.3.1-02")
def test_welcome_for_somebody_else() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(reference=group.cleo.bundle.reference))


@refuses("MLS-12.4.3.1-03")
def test_welcome_of_another_suite() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(suite=3))


@refuses("MLS-12.4.3.1-04")
def test_welcome_sealed_to_another_key() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(init_key=group.cleo.bundle.key_package.init_key))


@refuses("MLS-12.4.3.1-04")
def test_welcome_whose_group_info_does_not_open() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(key=bytes(16)))


@refuses("MLS-12.4.3.1-08")
def test_welcome_to_a_group_that_we_are_in() -> Attack:
    group = Invented(group_id=b"group")
    return welcomed(group, group.welcome(), groups={b"group": World().ben.g})


@refuses("MLS-12.4.3.1-09")
def test_welcome_to_a_group_without_us() -> Attack:
    group = Invented(nodes={2: None})
    return welcomed(group, group.welcome())


@refuses("MLS-12.4.3.1-09")
def test_welcome_to_a_group_with_another_leaf_of_ours() -> Attack:
    group = Invented()
    bundle = group.ben.package()
    return welcomed(group, group.welcome(bundle=bundle))


@refuses("MLS-6.1-01")
def test_welcome_without_the_right_confirmation_tag() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(group.group_info(tag=bytes(32))))


@refuses("MLS-6.1-01")
def test_welcome_without_a_confirmation_tag() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(group.group_info(tag=b"")))


@refuses("MLS-7.4-20")
def test_welcome_with_a_path_secret_that_is_too_short() -> Attack:
    group = Invented(parents=True)
    assert group.path_secret is not None
    return welcomed(group, group.welcome(path_secret=group.path_secret[:-1]))


@refuses("MLS-7.4-21")
def test_welcome_with_a_path_secret_of_other_keys() -> Attack:
    group = Invented(parents=True)
    return welcomed(group, group.welcome(path_secret=bytes(32)))


@refuses("MLS-7.4-21")
def test_welcome_with_a_path_secret_for_a_blank_parent() -> Attack:
    group = Invented()
    return welcomed(group, group.welcome(path_secret=bytes(32)))


@refuses("MLS-7.4-22")
def test_welcome_without_a_path_secret() -> Attack:
    """Ben is merged at two parents and could not follow the next commit."""
    group = Invented(parents=True)
    group.path_secret = None
    return welcomed(group, group.welcome())


# --- groups that continue or branch from another one ------------------------------------------------------------------------
SECRET = b"the resumption secret of the old group, which all of its members have"


def linking(usage: ResumptionPSKUsage, epoch: int = 1, nonce: int = 0) -> PreSharedKeyID:
    return PreSharedKeyID.resumption(usage, b"group", epoch, bytes([nonce]) * 32)


def linked(group: Invented, old: Group | None, *psks: PreSharedKeyID) -> Attack:
    def find(psk: PreSharedKeyID) -> bytes | None:
        known = old.resumption_psk(psk.psk_epoch) if old is not None else None
        return known or SECRET

    welcome = group.welcome(psks=psks, find_psk=find)
    groups = {} if old is None else {old.group_id: old}
    return welcomed(group, welcome, groups=groups, find_psk=find)


BRANCH, REINIT = ResumptionPSKUsage.BRANCH, ResumptionPSKUsage.REINIT


@refuses("MLS-12.4.3.1-01")
def test_branch_from_two_epochs() -> Attack:
    return linked(Invented(), World("dan").ben.g, linking(BRANCH), linking(BRANCH, nonce=1))


@refuses("MLS-12.4.3.1-01")
def test_branch_and_reinitialisation_at_once() -> Attack:
    return linked(Invented(), World("dan").ben.g, linking(BRANCH), linking(REINIT))


@refuses("MLS-12.4.3.1-10")
def test_branch_in_a_later_epoch() -> Attack:
    return linked(Invented(epoch=2), World("dan").ben.g, linking(BRANCH))


@refuses("MLS-12.4.3.1-10")
def test_branch_in_epoch_zero() -> Attack:
    return linked(Invented(epoch=0), World("dan").ben.g, linking(BRANCH))


def closed(group_id: bytes = b"invented", *more: str, **change: Any) -> Group:
    """Ben's group after a ReInit."""
    w = World(*(more or ("dan",)))
    reinit = ReInit(group_id, PROTOCOL_VERSION_MLS10, 1, ())
    w.commit(w.mal, [replace(reinit, **change)])
    assert w.ben.g.reinit is not None
    return w.ben.g


@refuses("MLS-12.4.3.1-10")
def test_reinitialised_group_in_a_later_epoch() -> Attack:
    return linked(Invented(epoch=2), closed(), linking(REINIT, epoch=2))


@refuses("MLS-12.4.3.1-11")
def test_reinitialised_without_a_reinit() -> Attack:
    return linked(Invented(), World("dan").ben.g, linking(REINIT))


@refuses("MLS-12.4.3.1-11")
def test_reinitialised_from_an_epoch_before() -> Attack:
    return linked(Invented(), closed(), linking(REINIT, epoch=1))


@refuses("MLS-12.4.3.1-11")
def test_reinitialised_with_another_group_id() -> Attack:
    return linked(Invented(), closed(b"wanted"), linking(REINIT, epoch=2))


@refuses("MLS-12.4.3.1-11")
def test_reinitialised_with_another_suite() -> Attack:
    return linked(Invented(), closed(cipher_suite=2), linking(REINIT, epoch=2))


@refuses("MLS-12.4.3.1-11")
def test_reinitialised_with_another_version() -> Attack:
    return linked(Invented(), closed(version=2), linking(REINIT, epoch=2))


@refuses("MLS-12.4.3.1-11")
def test_reinitialised_with_other_extensions() -> Attack:
    return linked(Invented(), closed(extensions=(Extension(NUMBER, b""),)), linking(REINIT, epoch=2))


@refuses("MLS-12.4.3.1-12")
def test_reinitialised_without_a_member() -> Attack:
    return linked(Invented(), closed(b"invented", "dan", "fay"), linking(REINIT, epoch=2))


@refuses("MLS-12.4.3.1-13")
def test_branch_with_another_suite() -> Attack:
    return linked(Invented(number=3), World("dan").ben.g, linking(BRANCH))


@refuses("MLS-12.4.3.1-14")
def test_branch_with_somebody_new() -> Attack:
    return linked(Invented(), World().ben.g, linking(BRANCH))


@refuses("MLS-12.4.3.1-15")
def test_branch_from_a_group_that_we_do_not_know() -> Attack:
    return linked(Invented(), None, linking(BRANCH))
