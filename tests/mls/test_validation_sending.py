"""What RFC 9420 forbids a sender and does not tell a receiver to check: a caller's mistake here, not a numbered rule."""

from __future__ import annotations

import pytest

from letterlock.errors import GroupInactive, InputError, InvalidGroupMessage, MissingPsk
from letterlock.mls.client import make_capabilities
from letterlock.mls.group.group import Group
from letterlock.mls.key_packages import make_key_package
from letterlock.mls.public_group import StagedPublicCommit, WrongEpoch
from letterlock.mls.registries import BASIC, PROTOCOL_VERSION_MLS10, REQUIRED_CAPABILITIES, UPDATE
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import ReInit, Remove, SelfRemove
from letterlock.mls.wire.psk import PreSharedKeyID

from .invented import Invented
from .lab import NOW, deliver
from .world import World, make_person


def test_default_types_are_not_listed() -> None:
    """Section 7.2."""
    with pytest.raises(InputError):
        make_capabilities([1], [BASIC], extensions=[REQUIRED_CAPABILITIES])
    with pytest.raises(InputError):
        make_capabilities([1], [BASIC], proposals=[UPDATE])


def test_extensions_of_a_key_package_are_listed() -> None:
    """Section 10."""
    w = World()
    with pytest.raises(InputError):
        make_key_package(w.eve.client, NOW, w.eve.rng, lifetime_seconds=3600, extensions=(Extension(0xF00D, b""),))


def test_linked_groups_are_made_of_the_right_members() -> None:
    """Sections 11.2 and 11.3; who joins checks it again (MLS-12.4.3.1-10 to -15)."""
    w = World()
    mal, cleo, eve = (person.package().key_package for person in (w.mal, w.cleo, w.eve))
    with pytest.raises(InputError):
        w.ben.g.branch(b"branch", [mal, eve], rng=w.ben.rng, now=NOW)
    w.commit(w.mal, [ReInit(b"next", PROTOCOL_VERSION_MLS10, 1, ())])
    for packages in ([mal], [mal, cleo, eve]):
        with pytest.raises(InputError):
            w.ben.g.reinitialize(w.ben.client, packages, rng=w.ben.rng, now=NOW)
    of_another_suite = make_person("ben", number=2).client
    with pytest.raises(InputError):
        w.ben.g.reinitialize(of_another_suite, [mal, cleo], rng=w.ben.rng, now=NOW)
    w.ben.g.reinitialize(w.ben.client, [mal, cleo], rng=w.ben.rng, now=NOW)


def test_welcome_with_a_psk_that_is_not_here() -> None:
    """Section 12.4.3.1."""
    group = Invented()
    psk = PreSharedKeyID.external(b"unknown", bytes(32))
    welcome = group.welcome(psks=[psk], find_psk=lambda psk: b"known to Mal")
    with pytest.raises(MissingPsk):
        Group.join(group.ben.client, group.ben.bundle, welcome, now=NOW)
    Group.join(group.ben.client, group.ben.bundle, welcome, find_psk=lambda psk: b"known to Mal", now=NOW)


def test_no_application_data_while_a_proposal_waits() -> None:
    """Section 12.4."""
    w = World()
    w.proposed(w.mal, Remove(2))
    with pytest.raises(InputError):
        w.ben.say(b"hello")


def test_one_self_remove_in_an_epoch() -> None:
    """draft-ietf-mls-extensions section 6.3.1."""
    w = World()
    first = w.ben.propose(SelfRemove())
    assert w.ben.propose(SelfRemove(), authenticated_data=b"again") == first
    deliver(first, w.others)
    assert w.mal.propose(SelfRemove()) != first
    w.ben.g.drop_proposals()
    w.commit(w.ben)
    assert w.ben.propose(SelfRemove()) != first


def test_no_extension_twice_in_a_group_info() -> None:
    """Section 13.4."""
    w = World()
    twice = (Extension(0xF00D, b"one"), Extension(0xF00D, b"two"))
    with pytest.raises(InvalidGroupMessage, match=r"MLS-13\.4-01"):
        w.ben.g.group_info(extensions=twice)


def test_a_server_takes_nothing_after_a_reinit() -> None:
    """Section 12.4.2; a member does not either (`test_group_process`)."""
    w = World()
    before = w.mal.propose(Remove(2))
    closing = w.ben.commit([ReInit(b"next", PROTOCOL_VERSION_MLS10, 1, ())])
    staged = w.server.process(closing.message, now=NOW)
    assert isinstance(staged, StagedPublicCommit)
    w.server.merge(staged)
    follower = w.cleo.g.process(closing.message, now=NOW)
    w.cleo.g.merge(follower, now=NOW)  # type: ignore[arg-type]
    w.cleo.g._member.reinit = None  # somebody does not care
    for message in (w.cleo.commit().message, w.cleo.propose(Remove(1))):
        with pytest.raises(GroupInactive):
            w.server.process(message, now=NOW)
    assert isinstance(w.server.process(before, now=NOW), WrongEpoch)
