"""Security advisories and defects of other MLS implementations, each as a test that passes here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.codec.tls import Reader, varint
from letterlock.errors import DecodeError, InvalidGroupMessage, MissingPsk
from letterlock.mls.client import Client
from letterlock.mls.group.committing import CommitOptions
from letterlock.mls.group.group import Group
from letterlock.mls.group.results import Application, Duplicate, ProposalReceived, StagedCommit
from letterlock.mls.key_packages import KeyPackages
from letterlock.mls.wire.framing import PublicMessage
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Add, PreSharedKey
from letterlock.mls.wire.psk import PreSharedKeyID
from letterlock.mls.wire.welcome import GroupInfo, Welcome

from .lab import NOW, Person, assert_agree, deliver, group_of, make_client


def public(data: bytes) -> PublicMessage:
    message = decode_message(data, RFC_PROPOSALS, 1 << 20)
    assert isinstance(message, PublicMessage)
    return message


@pytest.mark.parametrize("cut", [0, 1, 16, 31])
def test_a_tag_that_is_cut_short_is_refused(cut: int) -> None:
    """GHSA-8x3w-qj7j-gqhf (OpenMLS before 0.8.1): tags were compared over the shorter length only."""
    ana, ben = group_of(["ana", "ben"])
    message = public(ana.commit(public=True).message)
    assert message.membership_tag is not None and message.auth.confirmation_tag is not None
    shorter = replace(message, membership_tag=message.membership_tag[:cut])
    with pytest.raises(InvalidGroupMessage, match=r"MLS-6\.2-01"):
        ben.g.process(encode_message(shorter), now=NOW)
    auth = replace(message.auth, confirmation_tag=message.auth.confirmation_tag[:cut])
    with pytest.raises(InvalidGroupMessage):
        ben.g.process(encode_message(replace(message, auth=auth)), now=NOW)
    assert isinstance(ben.g.process(encode_message(message), now=NOW), StagedCommit)


def test_nothing_is_read_beyond_the_end() -> None:
    """GHSA-rrmv-c79f-cf5r (OpenMLS before 0.9.0): a length beyond the end made the decoder panic."""
    ana, ben = group_of(["ana", "ben"])
    data = ana.commit(public=True).message
    for place in range(len(data)):
        for value in (0x3F, 0x7F, 0xBF, 0xFF):
            broken = data[:place] + bytes((value,)) + data[place + 1 :]
            if broken != data:
                with pytest.raises((DecodeError, InvalidGroupMessage)):
                    _refused(ben.g, broken)
    assert isinstance(ben.g.process(data, now=NOW), StagedCommit)


def _refused(group: Group, message: bytes) -> None:
    """A damaged commit is refused, or says it is for an epoch that has not come; it is never taken."""
    result = group.process(message, now=NOW)
    assert not isinstance(result, (StagedCommit, ProposalReceived, Application))
    raise DecodeError("not taken")


@pytest.mark.parametrize("length", [0x3F, 0x40, 0x3FFE, 0x3FFF, 0x4000, 0x4001])
def test_lengths_around_the_borders_of_a_varint(length: int) -> None:
    """openmls #2147: a vector of 0x3fff bytes was written with a wrong length."""
    encoded = varint(length)
    assert len(encoded) == (1 if length < 0x40 else 2 if length < 0x4000 else 4)
    assert Reader(encoded).varint() == length
    ana, ben = group_of(["ana", "ben"])
    result = ben.g.process(ana.say(bytes(length)), now=NOW)
    assert isinstance(result, Application)
    assert result.data == bytes(length)


def test_bytes_behind_a_message_are_refused() -> None:
    """openmls #2134: they were ignored, so that one message had many forms."""
    ana, ben = group_of(["ana", "ben"])
    for message in (ana.say(b"hi"), ana.commit(public=True).message, ana.g.group_info()):
        with pytest.raises(DecodeError, match="too many"):
            ben.g.process(message + b"\0", now=NOW)


def test_a_group_info_after_a_key_rotation_is_signed_with_the_new_key() -> None:
    """openmls #2143: a Welcome was signed with the signer that the same commit had replaced."""
    ana, ben = group_of(["ana", "ben"])
    cleo = Person("cleo")
    new: Client = replace(make_client("other key"), credential=ana.client.credential, policy=ana.client.policy)
    pending = ana.g.commit([Add(cleo.package().key_package)], options=CommitOptions(rotate=new), rng=ana.rng, now=NOW)
    deliver(pending.message, [ana, ben])
    cleo.join(pending.welcomes[0].message)
    assert_agree([ana, ben, cleo])
    assert ana.g.client is new
    assert isinstance(ben.g.process(ana.say(b"signed anew"), now=NOW), Application)


def test_a_key_package_opens_one_welcome() -> None:
    """Offline-Protocol #309: one package for two peers made the second Welcome unreadable without a word."""
    ana, ben, cleo = Person("ana"), Person("ben"), Person("cleo")
    store = KeyPackages()
    store.add(cleo.package())
    welcomes = []
    for person in (ana, ben):
        person.create(person.name.encode())
        pending = person.commit([Add(cleo.bundle.key_package)])
        message = decode_message(pending.welcomes[0].message, RFC_PROPOSALS, 1 << 20)
        assert isinstance(message, Welcome)
        welcomes.append(message)
    bundle = store.find(welcomes[0])
    assert bundle is not None
    store.used(bundle, welcomes[0])
    assert store.find(welcomes[1]) is None
    assert list(store.take_changes().values()) == [None]


def test_a_message_that_comes_twice_is_a_duplicate() -> None:
    """marmot mdk #1557: a second delivery was an error that looked like damage."""
    ana, ben = group_of(["ana", "ben"])
    message = ana.say(b"once")
    assert isinstance(ben.g.process(message, now=NOW), Application)
    assert isinstance(ben.g.process(message, now=NOW), Duplicate)


def test_a_generation_that_is_two_ahead_leaves_the_ratchet_whole() -> None:
    """openmls #453: a message two generations ahead corrupted the ratchet."""
    ana, ben = group_of(["ana", "ben"])
    messages = [ana.say(b"%d" % n) for n in range(4)]
    read = [ben.g.process(messages[n], now=NOW) for n in (2, 0, 3, 1)]
    assert [result.data for result in read if isinstance(result, Application)] == [b"2", b"0", b"3", b"1"]


def test_a_group_info_signed_by_another_leaf_is_refused() -> None:
    """PyPI rfc9420 1.3.0: a GroupInfo was taken if any member's key had signed it."""
    ana, ben = group_of(["ana", "ben"])
    info = decode_message(ana.g.group_info(), RFC_PROPOSALS, 1 << 20)
    assert isinstance(info, GroupInfo)
    unsigned = replace(info, signer=0)
    suite = ben.g.state.suite
    forged = replace(unsigned, signature=suite.sign_with_label(ben.client.sign, "GroupInfoTBS", unsigned.tbs()))
    cleo = Person("cleo")
    with pytest.raises(InvalidGroupMessage, match=r"MLS-12\.4\.3\.1-07"):
        Group.join_externally(cleo.client, encode_message(forged), rng=cleo.rng, now=NOW)


def test_a_pre_shared_key_that_is_missing_is_never_made_up() -> None:
    """PyPI rfc9420 1.3.0: a missing PSK was derived from its public id."""
    ana, ben = group_of(["ana", "ben"])
    psk = PreSharedKey(PreSharedKeyID.external(b"shared", bytes(32)))
    with pytest.raises(MissingPsk):
        ana.commit([psk])
    ana.g._member.find_psk = lambda _: b"secret"
    pending = ana.commit([psk])
    with pytest.raises(MissingPsk):
        ben.g.process(pending.message, now=NOW)
    ben.g._member.find_psk = lambda _: b"another"
    with pytest.raises(InvalidGroupMessage, match=r"MLS-6\.1-01"):
        ben.g.process(pending.message, now=NOW)
    ben.g._member.find_psk = lambda _: b"secret"
    deliver(pending.message, [ana, ben])
    assert_agree([ana, ben])


def test_the_membership_tag_is_always_checked() -> None:
    """PyPI rfc9420 1.3.0: without a key at hand the check was left out. A proposal is signed by a member, and changed
    in its tag alone."""
    ana, ben = group_of(["ana", "ben"])
    message = public(ana.g.propose_update(rng=ana.rng, now=NOW, public=True))
    with pytest.raises(InvalidGroupMessage, match=r"MLS-6\.2-01"):
        ben.g.process(encode_message(replace(message, membership_tag=bytes(32))), now=NOW)
    assert not list(ben.g.proposals())


def test_a_tree_beside_the_welcome_is_used_and_checked() -> None:
    """PyPI rfc9420 1.3.0: a tree given beside the Welcome was ignored, and with it the GroupInfo's signature."""
    ana, ben = Person("ana"), Person("ben")
    ana.create()
    pending = ana.commit([Add(ben.package().key_package)], tree_in_welcome=False)
    ana.g.merge(pending, now=NOW)
    other = group_of(["dora", "eve"])[0].g.state.tree.encode()
    welcome = pending.welcomes[0].message
    for tree in (None, other):
        with pytest.raises(InvalidGroupMessage, match=r"MLS-12\.4\.3"):
            ben.join(welcome, tree=tree)
    ben.join(welcome, tree=ana.g.state.tree.encode())
    assert_agree([ana, ben])


def test_a_commit_brings_a_new_leaf_key_and_a_new_signature() -> None:
    """PyPI rfc9420 1.3.0: path commits kept the leaf's key and its old signature, so that nobody could take them."""
    ana, ben, cleo = group_of(["ana", "ben", "cleo"])
    before = ana.g.state.tree.leaf(0)
    deliver(ana.commit().message, [ana, ben, cleo])
    after = ben.g.state.tree.leaf(0)
    assert before is not None and after is not None
    assert before.encryption_key != after.encryption_key and before.signature != after.signature


def test_each_epoch_publishes_its_own_external_key() -> None:
    """PyPI rfc9420 1.3.0: the GroupInfo of a new epoch had the external key of the old one."""
    ana, ben = group_of(["ana", "ben"])
    pending = ana.commit()
    info = pending.group_info(with_tree=True)
    deliver(pending.message, [ana, ben])
    cleo = Person("cleo")
    cleo.group, joining = Group.join_externally(cleo.client, info, rng=cleo.rng, now=NOW)
    deliver(joining.message, [ana, ben])
    assert_agree([ana, ben, cleo])


def test_a_tree_in_which_several_have_committed_can_be_joined() -> None:
    """PyPI rfc9420 1.3.0: parent hashes were compared with ancestors that others had replaced since."""
    people = group_of([f"p{n}" for n in range(6)])
    for committer in (people[0], people[3], people[5], people[1]):
        deliver(committer.commit().message, people)
    late = Person("late")
    pending = people[2].commit([Add(late.package().key_package)])
    deliver(pending.message, people)
    late.join(pending.welcomes[0].message)
    assert_agree([*people, late])


def test_late_messages_of_past_epochs_are_read_by_default() -> None:
    """openmls keeps no past epoch unless told to, and late messages were lost (marmot mdk #207, libxmtp #935)."""
    ana, ben = group_of(["ana", "ben"])
    late = ana.say(b"on its way")
    deliver(ben.commit().message, [ana, ben])
    result = ben.g.process(late, now=NOW)
    assert isinstance(result, Application)
    assert result.epoch == 1
