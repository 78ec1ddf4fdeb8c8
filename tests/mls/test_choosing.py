"""Which of the waiting proposals a commit covers, and that a bad one of somebody else cannot keep us from committing."""

from __future__ import annotations

import pytest

from letterlock.errors import InvalidGroupMessage
from letterlock.mls.group.choosing import without_offenders
from letterlock.mls.group.results import ProposalReceived
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import Add, GroupContextExtensions, PreSharedKey, ReInit, Remove, SelfRemove, Update
from letterlock.mls.wire.psk import PreSharedKeyID

from .lab import NOW, Person, assert_agree, deliver, group_of


def test_proposals_that_make_the_list_invalid_are_left_out() -> None:
    """An Add of somebody who is in the group already, a PSK that we lack, an extension that nobody supports."""
    ana, ben, cleo, _dora = group_of(["ana", "ben", "cleo", "dora"])
    again = Person("ben")
    again.client = ben.client
    bad = [
        cleo.propose(Add(again.package().key_package)),
        cleo.propose(PreSharedKey(PreSharedKeyID.external(b"unknown", bytes(32)))),
        cleo.propose(GroupContextExtensions((Extension(0xF123, b""),))),
    ]
    good = [cleo.propose(Remove(3)), ben.g.propose_update(rng=ben.rng, now=NOW)]
    for message in [*bad, *good]:
        for person in (ana, ben, cleo):
            person.g.process(message, now=NOW)
    pending = ana.commit()
    assert [leaf for leaf, _ in pending.staged.effects.removed] == [3]
    assert {leaf for leaf, _, _ in pending.staged.effects.updated} == {0, 1}
    deliver(pending.message, [ana, ben, cleo])
    assert_agree([ana, ben, cleo])


def test_named_references_are_taken_as_they_are() -> None:
    ana, ben = group_of(["ana", "ben"])
    result = ana.g.process(ben.propose(GroupContextExtensions((Extension(0xF123, b""),))), now=NOW)
    assert isinstance(result, ProposalReceived)
    with pytest.raises(InvalidGroupMessage, match=r"MLS-13\.4-03"):
        ana.g.commit(references=[result.reference], rng=ana.rng, now=NOW)


def test_a_removal_wins_over_an_update_and_a_self_removal_over_both() -> None:
    ana, ben, cleo = group_of(["ana", "ben", "cleo"])
    for message in (
        cleo.g.propose_update(rng=cleo.rng, now=NOW),
        ben.propose(Remove(2)),
        cleo.propose(SelfRemove()),
    ):
        ana.g.process(message, now=NOW)
    pending = ana.commit()
    kinds = [type(entry) for _, entry, _ in ana.g.proposals()]
    assert set(kinds) == {Update, Remove, SelfRemove}
    assert pending.staged.next_epoch.applied.proposals.self_removes == [2]
    assert not pending.staged.next_epoch.applied.proposals.removes
    assert not pending.staged.next_epoch.applied.proposals.updates


def test_a_reinit_waits_for_an_epoch_of_its_own() -> None:
    ana, ben, cleo = group_of(["ana", "ben", "cleo"])
    for message in (ben.propose(ReInit(b"next", 1, 1, ())), cleo.g.propose_update(rng=cleo.rng, now=NOW)):
        for person in (ana, ben, cleo):
            person.g.process(message, now=NOW)
    first = ana.commit()
    assert first.staged.effects.reinit is None
    deliver(first.message, [ana, ben, cleo])
    ana.g.process(ben.propose(ReInit(b"next", 1, 1, ())), now=NOW)
    assert ana.commit().staged.effects.reinit is not None


@pytest.mark.parametrize("bad", [set(), {0}, {7}, {3, 4}, set(range(8))])
def test_halving_finds_every_offender(bad: set[int]) -> None:
    entries = [type("Entry", (), {"reference": bytes([n]), "n": n})() for n in range(8)]
    asked = 0

    def holds(part: list[object]) -> bool:
        nonlocal asked
        asked += 1
        return not bad & {entry.n for entry in part}  # type: ignore[attr-defined]

    found = without_offenders(entries, holds)  # type: ignore[arg-type,type-var]
    assert {entry.n for entry in found} == set(range(8)) - bad  # type: ignore[attr-defined]
    assert asked <= 15
