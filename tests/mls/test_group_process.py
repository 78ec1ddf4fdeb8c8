"""Every answer of `Group.process`, when it is given, and what it leaves behind (RFC 9420 sections 6, 12.4.2 and 15).

Each limit of the policy on what a network can make us keep or compute is tried from both sides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crypto.deterministic import seeded_rng
from letterlock.errors import (
    BadMac,
    GroupInactive,
    InputError,
    InvalidGroupMessage,
    LimitExceeded,
    MissingProposal,
    MissingPsk,
    TooFarAhead,
)
from letterlock.mls.group.results import (
    Application,
    Duplicate,
    Fork,
    FutureEpoch,
    OwnEcho,
    PastEpoch,
    ProposalReceived,
    StagedCommit,
)
from letterlock.mls.policy import DEFAULT_POLICY
from letterlock.mls.wire.framing import Sender
from letterlock.mls.wire.proposals import Add, PreSharedKey, ReInit, Remove, SelfRemove
from letterlock.mls.wire.psk import PreSharedKeyID

from .lab import LAB, NOW, Person, assert_agree, deliver, group_of
from .snapshot import snapshot

SUITES = pytest.mark.parametrize("number", [1, 2])
WIRE = pytest.mark.parametrize("public", [True, False], ids=["public", "private"])
NAMES = ("ana", "ben", "cas", "dee")


def people(names: tuple[str, ...] = NAMES, *, number: int = 1, **policy: Any) -> list[Person]:
    return group_of(names, make=lambda name: Person(name, number=number, policy=replace(LAB, **policy)))


def staged(person: Person, message: bytes) -> StagedCommit:
    result = person.g.process(message, now=NOW)
    assert isinstance(result, StagedCommit)
    return result


def advance(everybody: list[Person], by: int = 1) -> None:
    """So many empty commits of the first."""
    for _ in range(by):
        deliver(everybody[0].commit().message, everybody)


def test_a_snapshot_sees_what_changes() -> None:
    """The proofs below that nothing has changed stand on it."""
    everybody = people()
    ana, ben, *_ = everybody
    ana.g.take_changes()
    steps = (
        lambda: ana.say(b""),
        lambda: ana.g.take_changes(),
        lambda: ana.g.process(ben.say(b""), now=NOW),
        lambda: ana.g.take_changes(),
        lambda: ana.propose(Remove(3)),
        lambda: ana.g.drop_proposals(),
        lambda: ana.g.propose_update(rng=ana.rng, now=NOW),
        lambda: ana.commit(),
        lambda: ana.g.discard(),
        lambda: ana.g.take_changes(),
        lambda: advance(everybody),
        lambda: ana.g.process(_of_next_epoch(everybody), now=NOW),
    )
    for number, step in enumerate(steps):
        before = snapshot(ana.g)
        assert snapshot(ana.g) == before
        step()
        assert snapshot(ana.g) != before, number
    before = snapshot(ana.g, held=False)
    ana.g.process(_of_next_epoch(everybody), now=NOW)
    assert snapshot(ana.g, held=False) == before


def _of_next_epoch(everybody: list[Person]) -> bytes:
    """What all others have gone on to say."""
    _, ben, *others = everybody
    deliver(ben.commit().message, [ben, *others])
    return ben.say(b"later")


# --- Application -----------------------------------------------------------------------------------
@SUITES
def test_application(number: int) -> None:
    ana, ben, *_ = people(number=number)
    ana.say(b"zeroth")
    message = ana.g.encrypt(b"first", rng=ana.rng, authenticated_data=b"header")
    result = ben.g.process(message, now=NOW)
    leaf = dict(ben.g.members())[0]
    assert result == Application(1, 0, leaf, b"first", b"header", 1)
    assert b"first" not in repr(result).encode()


def test_application_of_a_past_epoch_names_the_leaf_of_then() -> None:
    """The sender may have other keys by now; what it said is judged by those it had."""
    everybody = people()
    ana, ben, *_ = everybody
    early = [dict(ben.g.members())[0]]
    late = [ana.say(b"epoch 1")]
    for epoch in (2, 3):
        advance(everybody)
        early.append(dict(ben.g.members())[0])
        late.append(ana.say(b"epoch %d" % epoch))
    for epoch in (2, 1, 3):
        result = ben.g.process(late[epoch - 1], now=NOW)
        assert isinstance(result, Application)
        assert (result.epoch, result.leaf, result.data) == (epoch, early[epoch - 1], b"epoch %d" % epoch)
        assert ben.g.process(late[epoch - 1], now=NOW) == Duplicate(epoch)


def test_application_of_a_member_that_was_removed_since() -> None:
    everybody = people()
    ana, ben, cas, _ = everybody
    late = cas.say(b"before I went")
    deliver(ana.commit([Remove(2)]).message, everybody)
    result = ben.g.process(late, now=NOW)
    assert isinstance(result, Application)
    assert (result.leaf.credential.identity, result.data) == (b"cas", b"before I went")


@SUITES
def test_messages_in_any_order(number: int) -> None:
    ana, ben, *_ = people(number=number)
    messages = [ana.say(b"%d" % i) for i in range(8)]
    for index in (5, 2, 7, 0, 1, 6, 3, 4):
        result = ben.g.process(messages[index], now=NOW)
        assert isinstance(result, Application)
        assert (result.generation, result.data) == (index, b"%d" % index)
    assert [ben.g.process(m, now=NOW) for m in messages] == [Duplicate(1)] * 8


# --- ProposalReceived ------------------------------------------------------------------------------
@SUITES
@WIRE
def test_proposal(number: int, public: bool) -> None:
    ana, ben, *_ = people(number=number)
    message = ana.propose(Remove(3), public=public, authenticated_data=b"why")
    result = ben.g.process(message, now=NOW)
    assert isinstance(result, ProposalReceived)
    assert (result.proposal, result.sender, result.authenticated_data) == (Remove(3), Sender.member(0), b"why")
    assert list(ben.g.proposals()) == [(result.reference, Remove(3), Sender.member(0))]
    assert list(ana.g.proposals()) == list(ben.g.proposals())
    kept = snapshot(ben.g)
    assert ben.g.process(message, now=NOW) == Duplicate(1)
    assert snapshot(ben.g) == kept


def test_nothing_is_sent_while_proposals_wait() -> None:
    """Section 12.4: they have to be committed first; the application may also refuse them."""
    ana, ben, *_ = people()
    result = ben.g.process(ana.propose(Remove(3)), now=NOW)
    assert isinstance(result, ProposalReceived)
    before = snapshot(ben.g)
    with pytest.raises(InputError, match="proposals are waiting"):
        ben.say(b"too early")
    assert snapshot(ben.g) == before
    ben.g.drop_proposals([result.reference])
    assert isinstance(ana.g.process(ben.say(b"now"), now=NOW), Application)


@WIRE
def test_a_commit_by_reference_needs_its_proposals(public: bool) -> None:
    """MissingProposal names them, uses up nothing, and the same commit works once they are here."""
    everybody = people(public_handshakes=public)
    ana, ben, cas, _ = everybody
    proposal = ana.propose(Remove(3))
    ben.g.process(proposal, now=NOW)
    reference = next(ben.g.proposals())[0]
    commit = ben.commit().message
    before = snapshot(cas.g)
    for _ in range(2):
        with pytest.raises(MissingProposal) as raised:
            cas.g.process(commit, now=NOW)
        assert raised.value.references == (reference,)
        assert snapshot(cas.g) == before
    cas.g.process(proposal, now=NOW)
    cas.g.merge(staged(cas, commit), now=NOW)
    deliver(commit, [ana, ben])
    assert_agree([ana, ben, cas])


def test_a_commit_of_unknown_references_is_the_callers_mistake() -> None:
    ana, *_ = people()
    with pytest.raises(InputError) as raised:
        ana.g.commit(references=[bytes(32)], rng=ana.rng, now=NOW)
    assert raised.value.code == "mls.input.reference"
    assert ana.g.pending is None


# --- StagedCommit ----------------------------------------------------------------------------------
@SUITES
@WIRE
def test_staged_commit(number: int, public: bool) -> None:
    everybody = people(number=number, public_handshakes=public)
    ana, ben, *_ = everybody
    new = Person("eve", number=number)
    pending = ana.commit([Add(new.package().key_package), Remove(3)], authenticated_data=b"because")
    result = staged(ben, pending.message)
    assert (result.base_epoch, result.epoch) == (1, 2)
    assert result.epoch_authenticator == pending.epoch_authenticator != ben.g.epoch_authenticator
    effects = result.effects
    assert [(i, leaf.credential.identity) for i, leaf in effects.added] == [(3, b"eve")]
    assert [(i, leaf.credential.identity) for i, leaf in effects.removed] == [(3, b"dee")]
    assert [i for i, _, _ in effects.updated] == [0]
    assert (effects.committer, effects.external, effects.self_removed) == (0, False, False)
    assert effects.authenticated_data == b"because"


@SUITES
@WIRE
def test_nothing_changes_before_merge(number: int, public: bool) -> None:
    everybody = people(number=number, public_handshakes=public)
    ana, ben, cas, dee = everybody
    commit = ana.commit([Remove(3)]).message
    for person in (ben, dee):
        before = snapshot(person.g)
        first = staged(person, commit)
        assert snapshot(person.g) == before
        # Dropped, or lost with the process: the same commit comes again and is the same commit.
        del first
        second = staged(person, commit)
        assert snapshot(person.g) == before
        person.g.merge(second, now=NOW)
        assert person.g.epoch == 2
    deliver(commit, [ana, cas])
    assert_agree([ana, ben, cas])


@WIRE
def test_a_stale_commit_cannot_be_merged(public: bool) -> None:
    """Merged twice, overtaken by another, or made for a group that has moved on: refused, and nothing happens."""
    everybody = people(public_handshakes=public)
    ana, ben, cas, dee = everybody
    theirs, ours = ana.commit(), ben.commit()
    one, two = staged(cas, theirs.message), staged(cas, ours.message)
    cas.g.merge(one, now=NOW)
    after = snapshot(cas.g)
    for stale in (one, two):
        with pytest.raises(InputError, match="staged for another state") as raised:
            cas.g.merge(stale, now=NOW)
        assert raised.value.code == "mls.input.stale"
        assert snapshot(cas.g) == after
    # Our own commit that lost is stale as well, and nothing is pending any more.
    ben.g.merge(staged(ben, theirs.message), now=NOW)
    assert ben.g.pending is None
    with pytest.raises(InputError, match="staged for another state"):
        ben.g.merge(ours, now=NOW)
    ana.g.merge(theirs, now=NOW)
    deliver(ben.commit().message, [ana, ben, cas])
    assert_agree([ana, ben, cas])
    assert dee.g.epoch == 1


def test_a_commit_staged_by_another_member_is_not_ours() -> None:
    """A StagedCommit holds its member's secrets; another member's group refuses it."""
    ana, ben, cas, _ = people()
    commit = ana.commit().message
    for_cas = staged(cas, commit)
    before = snapshot(ben.g)
    with pytest.raises(InputError, match="staged for another state"):
        ben.g.merge(for_cas, now=NOW)
    assert snapshot(ben.g) == before


def test_two_commits_cannot_be_pending() -> None:
    ana, *_ = people()
    ana.commit()
    before = snapshot(ana.g)
    with pytest.raises(InputError) as raised:
        ana.commit()
    assert raised.value.code == "mls.input.pending"
    assert snapshot(ana.g) == before
    ana.g.discard()
    ana.commit()


@WIRE
def test_the_key_of_a_private_commit_goes_when_it_is_merged(public: bool) -> None:
    """Section 9.2: the key is deleted once the message is processed, and a late copy is recognised."""
    everybody = people(public_handshakes=public)
    ana, ben, *_ = everybody
    commit = ana.commit().message
    ben.g.merge(staged(ben, commit), now=NOW)
    past = next(iter(ben.g._member.past))
    assert past.messages is not None
    used = () if public else (("ratchet", 0, 0),)
    assert [key for key, _ in past.messages.rows() if key[:2] == ("ratchet", 0) and key[2] == 0] == list(used)
    if not public:
        row = dict(past.messages.rows())["ratchet", 0, 0]
        assert int.from_bytes(row[1:9], "big") == 1
    assert ben.g.process(commit, now=NOW) == Duplicate(1)


# --- OwnEcho ---------------------------------------------------------------------------------------
@SUITES
@WIRE
def test_echoes_of_our_own(number: int, public: bool) -> None:
    everybody = people(number=number, public_handshakes=public)
    ana, ben, *_ = everybody
    said = ana.say(b"hello")
    assert ana.g.process(said, now=NOW) == OwnEcho(None)
    proposed = ana.propose(Remove(3))
    assert ana.g.process(proposed, now=NOW) == OwnEcho(None)
    assert len(list(ana.g.proposals())) == 1
    ana.g.drop_proposals()
    pending = ana.commit()
    before = snapshot(ana.g)
    for _ in range(2):
        echo = ana.g.process(pending.message, now=NOW)
        assert isinstance(echo, OwnEcho) and echo.pending is pending
        assert snapshot(ana.g) == before
    ana.g.merge(pending, now=NOW)
    assert ana.g.process(pending.message, now=NOW) == Duplicate(1)
    assert isinstance(ben.g.process(said, now=NOW), Application)


def test_a_commit_in_our_name_that_we_did_not_make() -> None:
    """After a discard, or with a stolen key: it is not merged as if it were somebody else's."""
    everybody = people(public_handshakes=True)
    ana, *_ = everybody
    lost = ana.commit().message
    ana.g.discard()
    before = snapshot(ana.g)
    with pytest.raises(InvalidGroupMessage) as raised:
        ana.g.process(lost, now=NOW)
    assert raised.value.rule == "MLS-P-04"
    assert snapshot(ana.g) == before


# --- PastEpoch -------------------------------------------------------------------------------------
def test_past_epochs_that_cannot_be_read() -> None:
    """Before we joined, and no longer kept."""
    everybody = people(past_epochs=2)
    ana, ben, *_ = everybody
    early = ana.say(b"epoch 1")
    kept = ana.say(b"and another")
    advance(everybody, 2)
    assert isinstance(ben.g.process(kept, now=NOW), Application)
    advance(everybody)
    before = snapshot(ben.g)
    assert ben.g.process(early, now=NOW) == PastEpoch(1)
    assert snapshot(ben.g) == before
    new = Person("eve")
    pending = ana.commit([Add(new.package().key_package)])
    of_before = ben.say(b"before she came")
    deliver(pending.message, everybody)
    new.join(pending.welcomes[0].message)
    for message in (early, of_before, pending.message):
        assert isinstance(new.g.process(message, now=NOW), PastEpoch)


@WIRE
def test_late_handshakes_do_nothing(public: bool) -> None:
    everybody = people(public_handshakes=public)
    _, ben, cas, _ = everybody
    proposal = cas.propose(Remove(3))
    cas.g.drop_proposals()
    advance(everybody)
    before = snapshot(ben.g)
    assert ben.g.process(proposal, now=NOW) == PastEpoch(1)
    assert snapshot(ben.g) == before


def test_no_past_epochs_where_the_policy_keeps_none() -> None:
    everybody = people(past_epochs=0)
    ana, ben, *_ = everybody
    late = ana.say(b"late")
    advance(everybody)
    assert ben.g.process(late, now=NOW) == PastEpoch(1)
    past = next(iter(ben.g._member.past))
    assert past.messages is None and not past.sender_data_secret
    assert ben.g.resumption_psk(1)


def test_past_epochs_end_by_time() -> None:
    """Without any commit that would prune them: what is too old is neither read nor kept (section 9.2)."""
    everybody = people(past_epoch_ms=1_000)
    ana, ben, *_ = everybody
    late = [ana.say(b"%d" % i) for i in range(2)]
    advance(everybody)
    assert isinstance(ben.g.process(late[0], now=NOW + 1_000), Application)
    assert ben.g.process(late[1], now=NOW + 1_001) == PastEpoch(1)
    past = next(iter(ben.g._member.past))
    assert past.messages is None and not past.sender_data_secret
    # The keys are gone, whatever the clock says afterwards.
    assert ben.g.process(late[1], now=NOW) == PastEpoch(1)


def test_past_epochs_end_by_time_whatever_arrives() -> None:
    """A group that still talks, and whose late messages have all come, does not keep old keys for ever."""
    everybody = people(past_epoch_ms=1_000)
    ana, ben, *_ = everybody
    advance(everybody)
    ben.g.process(ana.say(b"later"), now=NOW + 1_001)
    assert [past.messages for past in ben.g._member.past] == [None]


# --- FutureEpoch -----------------------------------------------------------------------------------
@SUITES
@WIRE
def test_messages_that_come_too_early(number: int, public: bool) -> None:
    """Wrong epoch is recoverable: what is early is held and comes out of `merge` when its time has come."""
    everybody = people(number=number, public_handshakes=public)
    ana, ben, *others = everybody
    first = ana.commit()
    deliver(first.message, [ana, *others])
    in_two = ana.say(b"in epoch 2")
    second = ana.commit()
    deliver(second.message, [ana, *others])
    in_three = ana.say(b"in epoch 3")
    for message, epoch in ((in_three, 3), (second.message, 2), (in_two, 2), (in_two, 2)):
        assert ben.g.process(message, now=NOW) == FutureEpoch(epoch, True)
    due = ben.g.merge(staged(ben, first.message), now=NOW)
    assert due == [second.message, in_two]
    assert isinstance(ben.g.process(in_two, now=NOW), Application)
    assert ben.g.merge(staged(ben, second.message), now=NOW) == [in_three]
    assert isinstance(ben.g.process(in_three, now=NOW), Application)
    assert not ben.g._member.held._messages and not ben.g._member.held._bytes
    assert_agree(everybody)


def test_early_messages_are_bounded_by_epochs_count_and_bytes() -> None:
    everybody = people(future_epochs=2, future_messages=3, future_bytes=10_000)
    ana, ben, *others = everybody
    early: list[list[bytes]] = []
    for _ in range(3):
        deliver(ana.commit().message, [ana, *others])
        early.append([ana.say(bytes(i)) for i in range(5)])
    assert ben.g.process(early[2][0], now=NOW) == FutureEpoch(4, False)
    answers = [ben.g.process(message, now=NOW) for message in (*early[0], *early[1])]
    assert answers[:3] == [FutureEpoch(2, True)] * 3
    assert answers[3:] == [FutureEpoch(2, False)] * 2 + [FutureEpoch(3, False)] * 5
    held = ben.g._member.held
    assert len(held._messages) == 3 and held._bytes == sum(map(len, early[0][:3]))

    # The same by bytes: two of these fit and one more does not, but something small still does.
    everybody = people(future_messages=100, future_bytes=10_000)
    ana, ben, *others = everybody
    deliver(ana.commit().message, [ana, *others])
    big = [ana.say(bytes(4_000)) for _ in range(3)]
    small = ana.say(b"")
    assert [ben.g.process(m, now=NOW) for m in (*big, small)] == [
        FutureEpoch(2, True),
        FutureEpoch(2, True),
        FutureEpoch(2, False),
        FutureEpoch(2, True),
    ]


# --- Fork ------------------------------------------------------------------------------------------
@WIRE
def test_fork(public: bool) -> None:
    """Two commits for one epoch, and somebody shows us the other one."""
    everybody = people(public_handshakes=public)
    ana, ben, cas, dee = everybody
    ours, theirs = ana.commit(), ben.commit()
    deliver(ours.message, [ana, cas])
    deliver(theirs.message, [ben, dee])
    before = snapshot(cas.g)
    result = cas.g.process(theirs.message, now=NOW)
    assert result == Fork(1, ours.staged.digest, theirs.staged.digest)
    assert snapshot(cas.g) == before
    assert dee.g.process(ours.message, now=NOW) == Fork(1, theirs.staged.digest, ours.staged.digest)
    # The two halves cannot read each other, and say so.
    with pytest.raises(BadMac):
        dee.g.process(ana.say(b"are you there?"), now=NOW)


# --- an end, and what is not for the group ---------------------------------------------------------
@WIRE
def test_a_removed_member_is_out(public: bool) -> None:
    everybody = people(public_handshakes=public)
    ana, ben, cas, _ = everybody
    late = ana.say(b"said before")
    commit = ana.commit([Remove(1)]).message
    result = staged(ben, commit)
    assert result.effects.self_removed and result.secrets is None and result.epoch_authenticator == b""
    assert ben.g.active
    early = []
    deliver(commit, [ana, cas])
    early.append(ana.say(b"without ben"))
    deliver(ana.commit().message, [ana, cas])
    early.append(ana.say(b"later still"))
    assert ben.g.process(early[1], now=NOW) == FutureEpoch(3, True)
    assert ben.g.process(early[0], now=NOW) == FutureEpoch(2, True)
    # What was held for the time after is let go: we shall never be able to read it.
    assert ben.g.merge(result, now=NOW) == []
    assert not ben.g._member.held._messages
    assert not ben.g.active
    kept = snapshot(ben.g)
    for message in early:
        with pytest.raises(GroupInactive):
            ben.g.process(message, now=NOW)
    assert snapshot(ben.g) == kept
    for attempt in (lambda: ben.say(b"?"), lambda: ben.commit(), lambda: ben.propose(Remove(0))):
        with pytest.raises(GroupInactive):
            attempt()
    with pytest.raises(GroupInactive):
        ben.g.epoch_authenticator  # noqa: B018
    # Late messages of its own time it may still read, and the commit that came again it knows.
    assert isinstance(ben.g.process(late, now=NOW), Application)
    assert ben.g.process(commit, now=NOW) == Duplicate(1)


def test_a_self_remove_ends_it_too() -> None:
    everybody = people(public_handshakes=True)
    ana, ben, *others = everybody
    proposal = ben.propose(SelfRemove())
    deliver(proposal, [ana, *others])
    commit = ana.commit().message
    result = staged(ben, commit)
    assert result.effects.self_removed
    ben.g.merge(result, now=NOW)
    assert not ben.g.active
    deliver(commit, [ana, *others])
    assert_agree([ana, *others])


@WIRE
def test_a_closed_group_stays_closed(public: bool) -> None:
    """After a ReInit no member may say anything there; an insider cannot open the group again (section 11.2)."""
    everybody = people(public_handshakes=public)
    ana, ben, *_ = everybody
    commit = ana.commit([ReInit(b"next", 1, 1, ())]).message
    deliver(commit, everybody)
    assert not ben.g.active and ben.g.reinit == ReInit(b"next", 1, 1, ())
    # An insider that does not keep to it.
    rogue = ana.g._member
    rogue.reinit = None
    kept = snapshot(ben.g)
    for message in (ana.say(b"anybody?"), ana.commit().message):
        with pytest.raises(GroupInactive):
            ben.g.process(message, now=NOW)
        assert snapshot(ben.g) == kept
    ana.g.discard()
    with pytest.raises(GroupInactive):
        ben.g.process(ana.propose(Remove(2)), now=NOW)
    assert snapshot(ben.g) == kept
    assert ben.g.reinit == ReInit(b"next", 1, 1, ())


def test_what_is_not_for_a_group() -> None:
    ana, ben, *_ = people()
    new = Person("eve")
    pending = ana.commit([Add(new.package().key_package)])
    before = snapshot(ben.g)
    for message in (new.bundle.message, pending.welcomes[0].message, ana.g.group_info()):
        with pytest.raises(InputError) as raised:
            ben.g.process(message, now=NOW)
        assert raised.value.code == "mls.input.message"
    assert snapshot(ben.g) == before


def test_a_message_of_another_group() -> None:
    _, ben, *_ = people()
    other = group_of(NAMES, group_id=b"other")
    before = snapshot(ben.g)
    for message in (other[0].say(b"?"), other[0].commit().message, other[1].propose(Remove(0), public=True)):
        with pytest.raises(InvalidGroupMessage) as raised:
            ben.g.process(message, now=NOW)
        assert raised.value.rule == "MLS-6-22"
    assert snapshot(ben.g) == before


# --- bounds ----------------------------------------------------------------------------------------
def test_forward_bound() -> None:
    ana, ben, *_ = people(forward=10)
    messages = [ana.say(b"%d" % i) for i in range(12)]
    before = snapshot(ben.g)
    with pytest.raises(TooFarAhead):
        ben.g.process(messages[11], now=NOW)
    assert snapshot(ben.g) == before
    assert isinstance(ben.g.process(messages[10], now=NOW), Application)
    assert isinstance(ben.g.process(messages[11], now=NOW), Application)


def test_forward_bound_holds_for_handshakes_and_past_epochs() -> None:
    everybody = people(forward=3)
    ana, ben, *others = everybody
    proposals = [ana.propose(ana.g.external_psk(b"%d" % i, rng=ana.rng), public=False) for i in range(5)]
    ana.g.drop_proposals()
    late = [ana.say(b"") for _ in range(5)]
    before = snapshot(ben.g)
    with pytest.raises(TooFarAhead):
        ben.g.process(proposals[4], now=NOW)
    assert snapshot(ben.g) == before
    # The commit of somebody else, because the sixth generation of ana's would be too far as well.
    deliver(others[0].commit().message, everybody)
    before = snapshot(ben.g)
    with pytest.raises(TooFarAhead):
        ben.g.process(late[4], now=NOW)
    assert snapshot(ben.g) == before
    assert isinstance(ben.g.process(late[3], now=NOW), Application)


def test_out_of_order_window() -> None:
    """Of the keys that were jumped over the newest are kept; a message whose key went is a Duplicate, not an error."""
    ana, ben, *_ = people(out_of_order=3)
    messages = [ana.say(b"%d" % i) for i in range(10)]
    assert isinstance(ben.g.process(messages[9], now=NOW), Application)
    answers = [ben.g.process(m, now=NOW) for m in messages[:9]]
    assert answers[:6] == [Duplicate(1)] * 6
    assert [type(a) for a in answers[6:]] == [Application] * 3
    rows = [key for key, _ in ben.g._member.epoch.messages.rows() if key[0] == "skipped"]  # type: ignore[union-attr]
    assert rows == []


def test_proposal_bound() -> None:
    """Also for our own: what could not be committed should not be sent."""
    ana, ben, *_ = people(max_proposals=3)
    messages = [ana.propose(ana.g.external_psk(b"%d" % i, rng=ana.rng), public=i % 2 == 0) for i in range(3)]
    with pytest.raises(InvalidGroupMessage) as raised:
        ana.propose(Remove(2))
    assert raised.value.rule == "MLS-P-05"
    for message in messages:
        assert isinstance(ben.g.process(message, now=NOW), ProposalReceived)
    assert len(list(ben.g.proposals())) == 3
    ana.g.drop_proposals()
    for public in (True, False):
        over = ana.propose(Remove(2), public=public)
        ana.g.drop_proposals()
        before = snapshot(ben.g)
        with pytest.raises(InvalidGroupMessage) as raised:
            ben.g.process(over, now=NOW)
        assert raised.value.rule == "MLS-P-05"
        assert snapshot(ben.g) == before


def test_message_size_bound() -> None:
    ana, ben, *_ = people(max_message_bytes=2_000)
    fits = ana.say(bytes(1_700))
    assert 1_700 < len(fits) <= 2_000
    assert isinstance(ben.g.process(fits, now=NOW), Application)
    before = snapshot(ben.g)
    with pytest.raises(LimitExceeded):
        ben.g.process(ana.say(bytes(2_000)), now=NOW)
    assert snapshot(ben.g) == before


def test_past_epoch_bounds() -> None:
    """By count, message secrets and resumption PSKs apart."""
    everybody = people(past_epochs=2, resumption_epochs=4)
    ben = everybody[1]
    advance(everybody, 7)
    epochs = {past.epoch: past.messages is not None for past in ben.g._member.past}
    assert epochs == {4: False, 5: False, 6: True, 7: True}
    assert [ben.g.resumption_psk(e) is not None for e in range(1, 10)] == [False] * 3 + [True] * 5 + [False]


def test_default_policy_keeps_past_epochs() -> None:
    assert DEFAULT_POLICY.past_epochs >= 5
    assert 0 < DEFAULT_POLICY.past_epoch_ms <= 7 * 86_400_000
    assert DEFAULT_POLICY.future_epochs >= 2 and DEFAULT_POLICY.future_messages > 0
    assert DEFAULT_POLICY.forward > 0 and DEFAULT_POLICY.out_of_order > 0


# --- pre-shared keys -------------------------------------------------------------------------------
@WIRE
def test_a_missing_psk_can_arrive_later(public: bool) -> None:
    keys: dict[bytes, bytes] = {}

    def find(psk: PreSharedKeyID) -> bytes | None:
        return keys.get(psk.psk_id)

    ana, ben = (Person(name, policy=replace(LAB, public_handshakes=public)) for name in ("ana", "ben"))
    ana.create(find_psk=lambda psk: b"secret")
    pending = ana.commit([Add(ben.package().key_package)])
    ana.g.merge(pending, now=NOW)
    ben.join(pending.welcomes[0].message, find_psk=find)
    commit = ana.commit([ana.g.external_psk(b"shared", rng=ana.rng)]).message
    before = snapshot(ben.g)
    for _ in range(2):
        with pytest.raises(MissingPsk):
            ben.g.process(commit, now=NOW)
        assert snapshot(ben.g) == before
    keys[b"shared"] = b"wrong"
    with pytest.raises(InvalidGroupMessage):
        ben.g.process(commit, now=NOW)
    assert snapshot(ben.g) == before
    keys[b"shared"] = b"secret"
    deliver(commit, [ana, ben])
    assert_agree([ana, ben])


def test_a_commit_without_the_psk_is_not_made() -> None:
    ana, *_ = people()
    nonce = seeded_rng("nonce")(32)
    before = snapshot(ana.g)
    with pytest.raises(MissingPsk):
        ana.commit([PreSharedKey(PreSharedKeyID.external(b"nobody has it", nonce))])
    assert snapshot(ana.g) == before
