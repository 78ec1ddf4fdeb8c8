"""One life of a group, from its creation to the group that continues it, in every cipher suite."""

from __future__ import annotations

import pytest

from letterlock.errors import InputError
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application, OwnEcho, StagedCommit
from letterlock.mls.suites import CipherSuite, cipher_suite
from letterlock.mls.wire.proposals import Add, ReInit, Remove, SelfRemove

from .lab import CRYPTO, NOW, Person, assert_agree, deliver, group_of, make_client

POST_QUANTUM = {
    0xF101: "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
    0xF102: "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519",
    0xF103: "MLS_128_XWING_AES128GCM_SHA256_Ed25519",
    0xF104: "MLS_192_XWING_AES256GCM_SHA384_Ed25519",
}
SUITES = [cipher_suite(number, CRYPTO, POST_QUANTUM) for number in (1, 2, 3, 5, 7, *POST_QUANTUM)]


def person(name: str, suite: CipherSuite) -> Person:
    return Person(name, algorithms=suite)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("public", [False, True], ids=["private", "public"])
def test_a_group_lives(suite: CipherSuite, public: bool) -> None:
    ana, ben, cleo, dora, eve = people = group_of(
        ["ana", "ben", "cleo", "dora", "eve"], make=lambda name: person(name, suite)
    )
    assert_agree(people)

    message = ben.say(b"hello")
    for reader in (ana, cleo, dora, eve):
        result = reader.g.process(message, now=NOW)
        assert isinstance(result, Application)
        assert (result.data, result.sender, result.generation) == (b"hello", 1, 0)
    assert ben.g.process(message, now=NOW) == OwnEcho(None)

    for committer in people:
        deliver(committer.commit(public=public).message, people)
        assert_agree(people)

    removal = cleo.commit([Remove(3)], public=public).message
    deliver(removal, [ana, ben, cleo, eve])
    staged = dora.g.process(removal, now=NOW)
    assert isinstance(staged, StagedCommit)
    assert staged.effects.self_removed
    dora.g.merge(staged, now=NOW)
    assert not dora.g.active

    deliver(eve.g.propose_update(rng=eve.rng, now=NOW), [ana, ben, cleo])
    deliver(ben.commit(public=public).message, [ana, ben, cleo, eve])
    assert_agree([ana, ben, cleo, eve])

    leaving = eve.propose(SelfRemove())
    deliver(leaving, [ana, ben, cleo])
    fay = person("fay", suite)
    fay.group, joining = Group.join_externally(
        fay.client, ana.g.group_info(), self_removes=[leaving], rng=fay.rng, now=NOW
    )
    deliver(joining.message, [ana, ben, cleo])
    assert_agree([ana, ben, cleo, fay])
    assert {leaf.credential.identity for _, leaf in ana.g.members()} == {b"ana", b"ben", b"cleo", b"fay"}

    old_leaf = fay.g.own_leaf
    fay.client = make_client("fay", algorithms=suite, rng=fay.rng)  # lost its keys and its state
    fay.group, joining = Group.join_externally(fay.client, ben.g.group_info(), resync=old_leaf, rng=fay.rng, now=NOW)
    deliver(joining.message, [ana, ben, cleo])
    assert_agree([ana, ben, cleo, fay])

    small, setting_up = ana.g.branch(b"branch", [ben.package().key_package], rng=ana.rng, now=NOW)
    small.merge(setting_up, now=NOW)
    in_small = Group.join(
        ben.client, ben.bundle, setting_up.welcomes[0].message, groups={ben.g.group_id: ben.g}, now=NOW
    )
    assert in_small.epoch_authenticator == small.epoch_authenticator


@pytest.mark.parametrize("suite", SUITES[1:], ids=lambda suite: suite.name)
def test_a_group_moves_to_another_suite(suite: CipherSuite) -> None:
    ana, ben, cleo = old = group_of(["ana", "ben", "cleo"])
    deliver(ana.commit([ReInit(b"next", 1, suite.number, ())]).message, old)
    assert not any(member.g.active for member in old)

    after = [person(member.name, suite) for member in old]
    packages = {member.name: member.package() for member in after}
    others = [packages["ana"].key_package, packages["cleo"].key_package]
    next_group, setting_up = ben.g.reinitialize(after[1].client, others, rng=ben.rng, now=NOW)
    next_group.merge(setting_up, now=NOW)
    for member, was in ((after[0], ana), (after[2], cleo)):
        joined = Group.join(
            member.client,
            packages[member.name],
            setting_up.welcomes[0].message,
            groups={was.g.group_id: was.g},
            now=NOW,
        )
        assert joined.epoch_authenticator == next_group.epoch_authenticator
        assert joined.state.suite is suite


def test_post_quantum_suites_are_off_until_they_have_a_number() -> None:
    with pytest.raises(InputError, match="not supported"):
        cipher_suite(0xF101, CRYPTO)
    made = cipher_suite(0xF101, CRYPTO, POST_QUANTUM)
    assert made is cipher_suite(0xF101, CRYPTO, POST_QUANTUM)
    assert (made.number, made.name) == (SUITES[-4].number, SUITES[-4].name)


def test_members_are_added_by_a_commit_without_a_path() -> None:
    ana, ben = group_of(["ana", "ben"])
    cleo = Person("cleo")
    pending = ana.commit([Add(cleo.package().key_package)], path=False)
    deliver(pending.message, [ana, ben])
    cleo.join(pending.welcomes[0].message)
    assert_agree([ana, ben, cleo])
    deliver(cleo.commit().message, [ana, ben, cleo])
    assert_agree([ana, ben, cleo])
