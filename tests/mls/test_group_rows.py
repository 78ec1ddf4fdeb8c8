"""What each step of a group writes: a few small rows, from which the group goes on as if nothing had been.

`Keeper.save` compares the group with one that is loaded from the store, so that every `save` here is a test of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from crypto.deterministic import seeded_rng
from letterlock.errors import DecodeError, GroupInactive, InputError
from letterlock.ids import Instant
from letterlock.mls.group.group import Group
from letterlock.mls.group.pending_row import decode_pending
from letterlock.mls.group.results import Application, Duplicate, Fork, FutureEpoch, OwnEcho, StagedCommit
from letterlock.mls.group.row_codec import decode_past
from letterlock.mls.stored_row import open_row, seal_row
from letterlock.mls.suites import cipher_suite
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.proposals import Add, ReInit, Remove

from .lab import LAB, NOW, Person, assert_agree, deliver, group_of, make_client
from .populated import populated
from .populated_group import PopulatedGroup
from .storing import Keeper, assert_same, find_psk

SUITES = pytest.mark.parametrize("number", [1, 2, 5])
WIRE = pytest.mark.parametrize("public", [True, False], ids=["public", "private"])
NAMES = ("ana", "ben", "cas", "dee")


def people(names: tuple[str, ...] = NAMES, *, number: int = 1, **policy: Any) -> list[Keeper]:
    """In one group, and stored."""
    made = group_of(names, make=lambda name: Keeper(name, number=number, policy=replace(LAB, **policy)))
    keepers = [person for person in made if isinstance(person, Keeper)]
    assert len(keepers) == len(names)
    save(keepers)
    return keepers


def save(keepers: list[Keeper]) -> None:
    for keeper in keepers:
        keeper.save()


def kinds(changes: Mapping[str, bytes | None]) -> Counter[str]:
    """How many rows of which kind were written, and with a minus in front how many were deleted."""
    return Counter(("" if row is not None else "-") + key.split("/")[0] for key, row in changes.items())


def staged(keeper: Keeper, message: bytes) -> StagedCommit:
    result = keeper.g.process(message, now=NOW)
    assert isinstance(result, StagedCommit)
    return result


def size(changes: Mapping[str, bytes | None]) -> int:
    return sum(len(row) for row in changes.values() if row is not None)


# --- what a step writes ------------------------------------------------------------------------------
@SUITES
def test_messages_write_rows_of_the_secret_tree(number: int) -> None:
    ana, ben, *_ = people(number=number)
    messages = [ana.say(b"%d" % i) for i in range(8)]
    first = ana.save()
    # Four members: the root goes, its two children and the other leaf beside ours come, and two ratchets.
    assert kinds(first) == {"messages": 4, "-messages": 1}
    ana.say(b"more")
    assert list(ana.save()) == ["messages/1/ratchet/0/1"]
    ben.g.process(messages[0], now=NOW)
    assert kinds(ben.save()) == {"messages": 4, "-messages": 1}
    ben.g.process(messages[1], now=NOW)
    assert list(ben.save()) == ["messages/1/ratchet/0/1"]
    ben.g.process(messages[4], now=NOW)
    assert sorted(ben.save()) == ["messages/1/ratchet/0/1", "messages/1/skipped/0/1/2", "messages/1/skipped/0/1/3"]
    ben.g.process(messages[3], now=NOW)
    assert ben.save() == {"messages/1/skipped/0/1/3": None}
    ben.g.process(messages[3], now=NOW)
    assert ben.save() == {}
    late = ana.say(b"late")
    ana.save()
    deliver(ana.commit().message, [ana, ben])
    ben.save()
    ben.g.process(late, now=NOW)
    assert all(key.startswith("messages/1/") for key in ben.save())


@WIRE
def test_what_waits_is_one_row_each(public: bool) -> None:
    ana, ben, *_ = people(public_handshakes=public)
    handshake = {} if public else {"messages": 1}
    advance = {} if public else {"messages": 4, "-messages": 1}  # the first of an epoch
    message = ana.propose(Remove(3))
    assert kinds(ana.save()) == Counter({"proposal": 1, **advance})
    ana.g.propose_update(rng=ana.rng, now=NOW)
    assert kinds(ana.save()) == Counter({"proposal": 1, "update": 1, **handshake})
    ben.g.process(message, now=NOW)
    assert kinds(ben.save()) == Counter({"proposal": 1, **advance})
    ana.g.drop_proposals()
    assert kinds(ana.save()) == {"-proposal": 2}
    ana.commit([Remove(2)])
    changes = ana.save()
    assert kinds(changes) == Counter({"pending": 1, **handshake})
    ana.g.discard()
    assert ana.save() == {"pending": None}


def test_a_held_message_is_one_row() -> None:
    everybody = people()
    ana, ben, cas, _ = everybody
    commit = ana.commit().message
    deliver(commit, [ana, cas])
    messages = [ana.say(b"%d" % i) for i in range(5)]
    for message in (messages[3], messages[1], messages[3]):
        assert ben.g.process(message, now=NOW) == FutureEpoch(2, True)
    changes = ben.save()
    assert kinds(changes) == {"held": 2}
    assert size(changes) < len(messages[3]) + len(messages[1]) + 2 * 30
    # In the order of arrival, restart or not; and again what had been let go.
    for message in (messages[4], messages[0]):
        ben.crash()
        assert ben.g.process(message, now=NOW) == FutureEpoch(2, True)
        ben.save()
    ben.crash()
    due = ben.g.merge(staged(ben, commit), now=NOW)
    assert due == [messages[3], messages[1], messages[4], messages[0]]
    assert kinds(ben.save())["-held"] == 4


@SUITES
@WIRE
def test_a_merge_writes_what_changed(number: int, public: bool) -> None:
    ana, ben, cas, _ = people(number=number, public_handshakes=public)
    ana.propose(Remove(3))
    ana.g.propose_update(rng=ana.rng, now=NOW)
    ana.save()
    pending = ana.commit([Remove(3)])
    ana.save()
    ana.g.merge(pending, now=NOW)
    # Leaf 3 went; our leaf and the two parents above it have new keys.
    merged = {"head": 1, "keys": 1, "tree": 3, "-tree": 1, "past": 1, "messages": 1}
    assert kinds(ana.save()) == {**merged, "private": 3, "-proposal": 2, "-update": 1, "-pending": 1}
    for other in (ben, cas):
        deliver(pending.message, [other])
        changes = other.save()
        # Above ben both parents are new, above cas the root.
        merged["private"] = 2 if other is ben else 1
        of_old = {key for key in changes if key.startswith("messages/1/")}
        assert kinds({key: row for key, row in changes.items() if key not in of_old}) == merged
        # The commit was the third handshake of ana: two that were not seen before are skipped. Six rows come, one goes.
        assert len(of_old) == (0 if public else 7)
    assert_agree([ana, ben, cas])


def test_only_what_changed_is_written_when_nothing_is_said() -> None:
    ana, ben, *_ = people()
    message = ana.say(b"once")
    ana.save()
    ben.g.process(message, now=NOW)
    ben.save()
    ana.g.group_info()
    for _ in range(3):
        ben.g.process(message, now=NOW)
    staged(ben, ana.commit().message)  # looked at, and not merged
    assert ben.save() == {}


def test_past_epochs_go_with_their_rows() -> None:
    """By count, by time, and all of them: what is deleted from memory is deleted from the store."""
    everybody = people(past_epochs=2, resumption_epochs=4, past_epoch_ms=1_000)
    ana, ben, *_ = everybody
    late = []
    for _ in range(4):
        ana.say(b"never arrives")
        late.append(ana.say(b"late"))
        ben.g.process(late[-1], now=NOW)
        deliver(ana.commit().message, everybody)
        save(everybody)
    epochs = {key.split("/")[1] for key in ben.store if key.startswith("messages/")}
    assert epochs == {"3", "4", "5"}
    assert {key for key in ben.store if key.startswith("past/")} == {f"past/{epoch}" for epoch in (1, 2, 3, 4)}
    # Time goes on and a message comes.
    ben.g.process(ana.say(b"much later"), now=NOW + 1_001)
    changes = ben.save()
    assert {key.split("/")[1] for key, row in changes.items() if row is None and key.startswith("mess")} >= {"3", "4"}
    assert {key.split("/")[1] for key in ben.store if key.startswith("messages/")} == {"5"}
    ben.crash()
    assert [ben.g.resumption_psk(epoch) is not None for epoch in range(7)] == [False] + [True] * 5 + [False]


def test_rows_of_a_past_epoch_that_changed_before_they_were_taken() -> None:
    """A row that is deleted twice over, by a message and by pruning, and one that was never stored."""
    everybody = people(past_epochs=1)
    ana, ben, *_ = everybody
    messages = [ana.say(b"%d" % i) for i in range(4)]
    ben.g.process(messages[3], now=NOW)
    ben.save()
    ben.g.process(messages[1], now=NOW)
    for _ in range(3):
        deliver(ana.commit().message, everybody)
    save(everybody)
    assert {key.split("/")[1] for key in ben.store if key.startswith("messages/")} == {"3", "4"}


def test_without_past_epochs() -> None:
    everybody = people(past_epochs=0, resumption_epochs=0)
    ana, ben, *_ = everybody
    ben.g.process(ana.say(b"hello"), now=NOW)
    deliver(ana.commit().message, everybody)
    save(everybody)
    assert {key.split("/")[0] for key in ben.store} == {"head", "keys", "tree", "private", "messages"}
    assert {key.split("/")[1] for key in ben.store if key.startswith("messages/")} == {"2"}


def test_a_past_epoch_is_not_readable_longer_than_those_after_it() -> None:
    """The clock was set back; who spoke in the older epoch is known from the leaves that the newer one replaced."""
    everybody = people(past_epoch_ms=1_000, resumption_epochs=1)
    ana, ben, *_ = everybody
    late = ana.say(b"late")
    for now in (NOW + 5_000, NOW):
        pending = ana.commit()
        for person in everybody:
            person.g.merge(pending if person is ana else staged(person, pending.message), now=now)
        save(everybody)
    assert isinstance(ben.g.process(late, now=NOW + 900), Application)
    ben.g.process(ana.say(b"now"), now=NOW + 1_500)
    ben.save()
    assert [key for key in ben.store if key.startswith("past/")] == ["past/2"]


# --- large groups --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def thousand() -> PopulatedGroup:
    return PopulatedGroup(populated(cipher_suite(1, make_client("ana").suite.crypto), 1_000, keep=(0, 500)))


def large(thousand: PopulatedGroup, leaf_index: int) -> Keeper:
    """A member of the group of a thousand, stored."""
    keeper = Keeper(f"member {leaf_index}")
    keeper.client = thousand.client(leaf_index)
    group = thousand.group(leaf_index)
    keeper.store = group.rows()
    keeper.group = Group.load(keeper.client, keeper.store, find_psk=find_psk)
    assert_same(keeper.group, group)
    return keeper


def test_a_thousand_members(thousand: PopulatedGroup) -> None:
    """Nothing that is written within an epoch grows with the group, and a commit's rows with its logarithm."""
    ana, ben = large(thousand, 0), large(thousand, 500)
    assert len(ana.store) > 2_000

    first, second = ana.say(bytes(100)), ana.say(bytes(100))
    changes = ana.save()
    # Ten node secrets beside the path to our leaf, the root that goes, two ratchets.
    assert kinds(changes) == {"messages": 12, "-messages": 1}
    assert size(changes) < 12 * 50
    third = ana.say(bytes(100))
    changes = ana.save()
    assert list(changes) == ["messages/7/ratchet/0/1"]
    assert size(changes) < 50

    for message, rows in ((first, 13), (second, 1), (third, 1)):
        ben.g.process(message, now=NOW)
        changes = ben.save()
        assert len(changes) == rows and all(key.startswith("messages/7/") for key in changes)
        assert size(changes) < 50 * rows

    proposal = ana.propose(Remove(3), public=True)
    assert kinds(ana.save()) == {"proposal": 1}
    ana.g.drop_proposals()
    assert kinds(ana.save()) == {"-proposal": 1}
    assert len(proposal) < 400

    pending = ana.commit(public=True)
    changes = ana.save()
    assert kinds(changes) == {"pending": 1}
    assert size(changes) < 2 * len(pending.message) + 2_000
    ana.g.merge(pending, now=NOW)
    changes = ana.save()
    # The committer's leaf and the ten parents above it.
    assert kinds(changes) == {
        "head": 1, "keys": 1, "tree": 11, "private": 11, "past": 1, "messages": 1, "-pending": 1,
    }  # fmt: skip
    assert size(changes) < 5_000

    deliver(pending.message, [ben])
    changes = ben.save()
    # Ben gets the keys from where the two paths meet: the root and the left one of its children.
    assert kinds(changes) == {"head": 1, "keys": 1, "tree": 11, "private": 2, "past": 1, "messages": 1}
    assert size(changes) < 5_000
    assert_agree([ana, ben])
    for _ in range(3):
        deliver(ana.say(b"in the new epoch"), [ben])
    ben.save()


# --- a pending commit ------------------------------------------------------------------------------------
@SUITES
@WIRE
def test_a_pending_commit_survives(number: int, public: bool) -> None:
    """It was accepted while we were not running: adding, removing and by reference, and its Welcomes are there."""
    everybody = people(number=number, public_handshakes=public)
    ana, ben, cas, _ = everybody
    new, other = Keeper("new", number=number), Keeper("other", number=number)
    proposals = [ben.propose(Add(new.package().key_package)), cas.propose(Remove(3))]
    deliver(proposals[0], [ana, cas])
    deliver(proposals[1], [ana, ben])
    psk = ana.g.external_psk(b"shared", rng=ana.rng)
    message = ana.commit([Add(other.package().key_package), psk], welcome_each=True).message
    ana.save()
    # What it refers to may be dropped meanwhile.
    ana.g.drop_proposals()
    ana.save()
    ana.crash()
    assert ana.g.pending is not None and ana.g.pending.epoch == 2
    deliver(message, [ben, cas])
    result = ana.g.process(message, now=NOW)
    assert isinstance(result, OwnEcho) and result.pending is ana.g.pending
    ana.g.merge(result.pending, now=NOW)
    ana.save()
    ana.crash()
    new.join(result.pending.welcomes[0].message)
    other.join(result.pending.welcomes[1].message)
    save([new, other])
    everybody = [ana, ben, cas, new, other]
    assert_agree(everybody)
    for person in everybody:
        deliver(person.say(b"hello"), [p for p in everybody if p is not person])
    deliver(other.commit().message, everybody)
    save(everybody)
    assert_agree(everybody)


def test_a_pending_commit_without_a_path_survives() -> None:
    everybody = people()
    ana, *_ = everybody
    new = Keeper("new")
    pending = ana.commit([Add(new.package().key_package)], path=False)
    ana.save()
    ana.crash()
    deliver(pending.message, everybody)
    new.join(pending.welcomes[0].message)
    save([*everybody, new])
    assert_agree([*everybody, new])


def test_a_pending_commit_is_not_judged_again() -> None:
    """It was valid when it was made, and it was accepted: a lifetime that has run out since changes nothing."""
    everybody = people()
    ana, *others = everybody
    new = Keeper("new")
    message = ana.commit([Add(new.package().key_package)]).message
    ana.save()
    strict = replace(LAB, max_members=1, max_lifetime_seconds=1, check_received_lifetimes=True, max_proposals=0)
    ana.client = replace(ana.client, policy=strict, authentication=Nobody())
    ana.crash()
    result = ana.g.process(message, now=NOW * 2)
    assert isinstance(result, OwnEcho) and result.pending is not None
    ana.g.merge(result.pending, now=NOW)
    deliver(message, others)
    assert_agree(everybody)


class Nobody:
    """Accepts nobody any more."""

    def validate(self, credential: Credential, signature_key: bytes, now: Instant) -> str | None:
        return "revoked"

    def identity(self, credential: Credential) -> bytes:
        return b""


def test_somebody_elses_commit_wins() -> None:
    everybody = people()
    ana, ben, *_ = everybody
    ana.commit()
    ana.save()
    ana.crash()
    deliver(ben.commit().message, everybody)
    assert ana.g.pending is None
    assert kinds(ana.save())["-pending"] == 1
    assert_agree(everybody)


@WIRE
def test_a_rotation_survives(public: bool) -> None:
    everybody = people(public_handshakes=public)
    ana, *others = everybody
    fresh = make_client("ana", rng=seeded_rng("the next key of ana"), policy=ana.client.policy)
    old = ana.client
    message = ana.commit(rotate=fresh).message
    ana.rotated = fresh
    ana.save()
    for wrong in (None, old):
        with pytest.raises(InputError) as raised:
            Group.load(old, ana.store, find_psk=find_psk, rotated=wrong)
        assert raised.value.code == "mls.input.rotate"
    ana.crash()
    assert ana.g.client is old and ana.g.pending is not None and ana.g.pending.client is fresh
    deliver(message, everybody)
    save(everybody)
    assert ana.client is fresh
    ana.crash()
    assert_agree(everybody)
    deliver(ana.say(b"signed with the new key"), others)
    with pytest.raises(InputError) as raised:
        Group.load(old, ana.store)
    assert raised.value.code == "mls.input.client"


# --- groups that follow from others, and ends --------------------------------------------------------------
def test_a_branch_survives_its_first_commit() -> None:
    ana, ben, *_ = people()
    bundle = ben.package()
    group, pending = ana.g.branch(b"branch", [bundle.key_package], rng=ana.rng, now=NOW)
    branch = Keeper("ana")
    branch.group = group
    branch.save()
    branch.crash()
    assert branch.g.pending is not None
    branch.g.merge(branch.g.pending, now=NOW)
    branch.save()
    of_ben = Keeper("ben")
    of_ben.bundle = bundle
    of_ben.join(pending.welcomes[0].message, groups={b"group": ben.load()})
    of_ben.save()
    assert_agree([branch, of_ben])
    deliver(branch.say(b"among us"), [of_ben])


def test_a_closed_group_and_the_one_that_continues_it() -> None:
    everybody = people()
    ana, *others = everybody
    reinit = ReInit(b"next", 1, 1, ())
    deliver(ana.commit([reinit]).message, everybody)
    save(everybody)
    for person in everybody:
        person.crash()
        assert person.g.reinit == reinit and not person.g.active
    packages = [person.package().key_package for person in others]
    group, pending = ana.g.reinitialize(ana.client, packages, rng=ana.rng, now=NOW)
    after = Keeper("ana")
    after.group = group
    after.save()
    after.crash()
    assert after.g.pending is not None
    after.g.merge(after.g.pending, now=NOW)
    after.save()
    joined: list[Person] = [after]
    for person in others:
        one = Keeper(person.name)
        one.bundle = person.bundle
        one.join(pending.welcomes[0].message, groups={b"group": person.g})
        one.save()
        joined.append(one)
    assert_agree(joined)


def test_a_removed_member_stays_out() -> None:
    everybody = people()
    ana, ben, *_ = everybody
    late = ana.say(b"late")
    deliver(ana.commit([Remove(1)]).message, [ana, ben])
    changes = ben.save()
    assert kinds(changes)["-keys"] == 1 and kinds(changes)["-private"] == 3
    ben.crash()
    assert not ben.g.active
    with pytest.raises(GroupInactive):
        ben.say(b"?")
    assert isinstance(ben.g.process(late, now=NOW), Application)
    ben.save()


def test_an_external_joiner_is_stored_like_anybody() -> None:
    everybody = people()
    ana, *_ = everybody
    eve = Keeper("eve")
    eve.group, made = Group.join_externally(eve.client, ana.g.group_info(), find_psk=find_psk, rng=eve.rng, now=NOW)
    eve.save()
    eve.crash()
    deliver(made.message, everybody)
    assert_agree([*everybody, eve])
    deliver(eve.commit().message, [*everybody, eve])
    save([*everybody, eve])


# --- past epochs -------------------------------------------------------------------------------------------
@WIRE
def test_a_past_epoch_after_a_restart(public: bool) -> None:
    """Late messages, of somebody whose leaf has changed and of somebody who is gone; duplicates; a fork."""
    everybody = people(public_handshakes=public)
    ana, ben, cas, dee = everybody
    then = dict(ben.g.members())
    late = {3: dee.say(b"dee"), 0: ana.say(b"ana")}
    commit, other = ana.commit([Remove(3)]).message, cas.commit().message
    deliver(commit, [ana, ben])
    deliver(ana.commit().message, [ana, ben])
    ben.save()
    for sender, message in late.items():
        ben.crash()
        result = ben.g.process(message, now=NOW)
        assert isinstance(result, Application)
        assert (result.epoch, result.sender, result.leaf) == (1, sender, then[sender])
        ben.save()
        ben.crash()
        assert ben.g.process(message, now=NOW) == Duplicate(1)
    ben.crash()
    assert ben.g.process(commit, now=NOW) == Duplicate(1)
    assert isinstance(ben.g.process(other, now=NOW), Fork)
    assert ben.save() == {}


@WIRE
def test_an_update_of_ours_survives(public: bool) -> None:
    everybody = people(public_handshakes=public)
    ana, ben, *_ = everybody
    proposal = ana.g.propose_update(rng=ana.rng, now=NOW)
    ana.save()
    ana.crash()
    deliver(proposal, everybody[1:])
    deliver(ben.commit().message, everybody)
    save(everybody)
    assert_agree(everybody)
    deliver(everybody[2].commit().message, everybody)
    assert_agree(everybody)
    save(everybody)


def test_the_order_of_proposals_survives() -> None:
    """What a commit covers depends on it: of two that exclude each other the later one wins."""
    everybody = people()
    ana, ben, *_ = everybody
    for index in range(12):
        proposal = ana.propose(ana.g.external_psk(b"%d" % index, rng=ana.rng))
        deliver(proposal, [ben])
        if index == 7:
            ana.g.drop_proposals([next(ana.g.proposals())[0]])
        save(everybody)
        ana.crash()
    assert [reference for reference, *_ in ana.g.proposals()] == [reference for reference, *_ in ben.g.proposals()][1:]


# --- rows that are not the ones we wrote ---------------------------------------------------------------------
def rich() -> Keeper:
    """A group with rows of every kind."""
    everybody = people()
    ana, ben, cas, _ = everybody
    ben.say(b"lost")
    deliver(ben.say(b"of the first epoch"), [ana])
    deliver(ben.commit().message, everybody)
    cas.say(b"lost")
    deliver(cas.say(b"hello"), [ana])
    ana.g.propose_update(rng=ana.rng, now=NOW)
    deliver(ben.propose(Remove(3)), [ana, cas])
    ana.commit([Add(Keeper("new").package().key_package)])
    deliver(cas.commit().message, [ben, cas])
    ana.g.process(ben.say(b"of the next epoch"), now=NOW)
    ana.save()
    assert {key.split("/")[0] for key in ana.store} == {
        "head", "keys", "tree", "private", "messages", "proposal", "update", "pending", "past", "held",
    }  # fmt: skip
    assert {key.split("/")[2] for key in ana.store if key.startswith("messages/")} == {"node", "ratchet", "skipped"}
    return ana


def refuses(ana: Keeper, rows: Mapping[str, bytes]) -> str:
    with pytest.raises(DecodeError) as raised:
        Group.load(ana.client, rows, find_psk=find_psk)
    assert raised.value.code == "mls.row"
    return str(raised.value)


def test_rows_of_another_version() -> None:
    ana = rich()
    for key, row in ana.store.items():
        assert row[0] == 1
        assert "version" in refuses(ana, {**ana.store, key: b"\x02" + row[1:]})


def test_damaged_rows() -> None:
    ana = rich()
    count = 0
    for key, row in ana.store.items():
        others = [b"", row[:1], row[:4], row[:-1], row + b"\0", row[1:]]
        for place in {*range(0, len(row), max(1, len(row) // 7)), len(row) - 1}:
            others.append(row[:place] + bytes([row[place] ^ 1 << place % 8]) + row[place + 1 :])
        for other in others:
            refuses(ana, {**ana.store, key: other})
            count += 1
    assert count > 450


def test_rows_in_each_others_place() -> None:
    ana = rich()
    for kind in ("tree/0", "tree/1", "private/0", "messages/2/node/2"):
        others = [key for key in ana.store if key.rsplit("/", 1)[0] == kind.rsplit("/", 1)[0] and key != kind]
        assert others
        for other in others:
            refuses(ana, {**ana.store, kind: ana.store[other]})


def test_keys_that_are_not_ours() -> None:
    ana = rich()
    for key in (
        "", "/", "head/", "head/1", "Head", "tree", "tree/", "tree/x", "tree/01", "tree/+1", "tree/ 1", "tree/1_0", "tree/-1",
        "tree/٣", "tree/1/2", "tree/" + "9" * 5_000, "tree/100", "private/4", "private/1000000", "messages", "messages/2",
        "messages/2/node", "messages/2/node/1/1", "messages/2/ratchet/0/2", "messages/2/nothing/1", "messages/9/node/3",
        "messages/2/skipped/0/0/0", "messages/-1/node/3", "proposal/", "proposal/0", "proposal/GG", "proposal/AB", "update/00",
        "past/0", "past/2", "past/-1", "held/00", "something/1",
    ):  # fmt: skip
        for body in (b"", bytes(32), bytes(100)):
            refuses(ana, {**ana.store, key: seal_row(key, body)})


def test_missing_rows() -> None:
    """An error, or where a missing row is a state of its own, a whole group in that state."""
    ana = rich()
    refuses(ana, {})
    loaded = set()
    for key in ana.store:
        rows = {other: row for other, row in ana.store.items() if other != key}
        kind = key.split("/")[2 if key.startswith("messages/") else 0]
        if kind in ("skipped", "held", "proposal", "pending"):
            group = Group.load(ana.client, rows, find_psk=find_psk)
            assert group.rows() == rows
            loaded.add(kind)
        else:
            refuses(ana, rows)
    assert loaded == {"skipped", "held", "proposal", "pending"}


def test_rows_of_two_moments() -> None:
    """Half of a transaction was written: any one kind of rows is older than the rest."""
    everybody = people()
    ana, ben, *_ = everybody
    moments = [dict(ana.store)]
    deliver(ana.commit().message, everybody)
    ana.save()
    moments.append(dict(ana.store))
    deliver(ben.commit().message, everybody)
    ana.save()
    count = 0
    for older in moments:
        for kind in ("head", "keys", "tree", "private", "past", "messages"):
            rows = {key: row for key, row in ana.store.items() if key.split("/")[0] != kind}
            rows |= {key: row for key, row in older.items() if key.split("/")[0] == kind}
            refuses(ana, rows)
            count += 1
    assert count == 12


def test_another_client() -> None:
    ana = rich()
    for client, code in (
        (make_client("ben"), "mls.input.client"),
        (make_client("ana", number=3), "mls.input.suite"),
    ):
        with pytest.raises(InputError) as raised:
            Group.load(client, ana.store, find_psk=find_psk)
        assert raised.value.code == code


def test_any_body_with_a_valid_check() -> None:
    """Were the check right, whatever is in a row leads to a group or to the one error, and never to anything else."""
    ana = rich()
    random = Random(6)
    answers: Counter[str] = Counter()
    for key, row in ana.store.items():
        body = open_row(key, row)
        for _ in range(25):
            rows = {**ana.store, key: seal_row(key, mutated(body, random))}
            try:
                group = Group.load(ana.client, rows, find_psk=find_psk)
            except DecodeError as error:
                assert error.code == "mls.row"
                answers["refused"] += 1
            except InputError as error:
                assert error.code.startswith("mls.input.")
                answers["not ours"] += 1
            else:
                assert group.rows().keys() == rows.keys()
                answers["loaded"] += 1
    assert answers["refused"] > 500 and answers["loaded"] > 50


def mutated(body: bytes, random: Random) -> bytes:
    data = bytearray(body)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        place = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0:
                data[place:place] = random.randbytes(random.choice((1, 4)))
            case 1:
                del data[place : place + random.choice((1, 4, 100))]
            case 2:
                data[place : place + 4] = random.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
            case _ if place < len(data):
                data[place] ^= 1 << random.randrange(8)
    return bytes(data)


def test_nothing_secret_shows() -> None:
    ana = rich()
    pending = decode_pending(open_row("pending", ana.store["pending"]), 32, ana.client.policy.proposal_types)
    shown = repr(pending)
    for name in pending.keys.__slots__:
        assert repr(getattr(pending.keys, name))[2:-1] not in shown
    assert not any(repr(private)[2:-1] in shown for private in pending.private_keys.values())
    past = decode_past(1, open_row("past/1", ana.store["past/1"]))
    assert repr(past.past.resumption_psk)[2:-1] not in repr(past)
