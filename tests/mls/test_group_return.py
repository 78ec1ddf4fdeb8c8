"""Coming back into a group that we were removed from (RFC 9420 section 12.4.3.1): its id is no obstacle any more."""

from __future__ import annotations

import pytest

from letterlock.errors import InvalidGroupMessage
from letterlock.mls.wire.proposals import Add, PreSharedKey, Remove
from letterlock.mls.wire.psk import PreSharedKeyID, ResumptionPSKUsage
from mls.lab import Person, assert_agree, deliver, group_of


def test_a_removed_member_returns_with_the_key_of_an_epoch_it_was_in() -> None:
    ann, bob = group_of(["ann", "bob"])
    old = bob.g
    psk = PreSharedKeyID.resumption(ResumptionPSKUsage.APPLICATION, ann.g.group_id, 1, bytes(32))
    deliver_own(ann, [Remove(1)], [bob])
    assert not old.active
    welcome = deliver_own(ann, [Add(bob.package().key_package), PreSharedKey(psk)], [])
    bob.join(welcome, groups={old.group_id: old})
    assert_agree([ann, bob])


def test_a_welcome_into_a_group_that_we_are_in_is_refused() -> None:
    _, bob = group_of(["ann", "bob"])
    other = Person("ann")
    other.create(bob.g.group_id)
    pending = other.commit([Add(bob.package().key_package)])
    current = bob.g
    with pytest.raises(InvalidGroupMessage) as refused:
        bob.join(pending.welcomes[0].message, groups={current.group_id: current})
    assert refused.value.rule == "MLS-12.4.3.1-08"
    assert bob.g is current


def deliver_own(who: Person, proposals: list[object], others: list[Person]) -> bytes:
    pending = who.commit(proposals)  # type: ignore[arg-type]
    deliver(pending.message, [who, *others])
    return pending.welcomes[0].message if pending.welcomes else b""
