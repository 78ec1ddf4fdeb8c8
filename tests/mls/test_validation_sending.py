"""What RFC 9420 forbids a sender and does not tell a receiver to check: a caller's mistake here, not a numbered rule."""

from __future__ import annotations

import pytest

from letterlock.errors import GroupInactive, InputError, InvalidGroupMessage
from letterlock.mls.client import make_capabilities
from letterlock.mls.key_packages import make_key_package
from letterlock.mls.public_group import StagedPublicCommit, WrongEpoch
from letterlock.mls.registries import BASIC, PROTOCOL_VERSION_MLS10, REQUIRED_CAPABILITIES, UPDATE
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import ReInit, Remove, SelfRemove

from .lab import NOW, deliver
from .world import World


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
