"""Proposals of types that not all members know are not sent: nobody could commit them (RFC 9420 section 12.2)."""

from __future__ import annotations

import pytest

from letterlock.errors import InvalidGroupMessage
from letterlock.mls.registries import SELF_REMOVE
from letterlock.mls.wire.proposals import SelfRemove
from mls.lab import Person, assert_agree, deliver, group_of


@pytest.mark.parametrize("capable", [True, False])
def test_a_self_remove_where_one_member_does_not_know_the_type(capable: bool) -> None:
    def make(name: str) -> Person:
        return Person(name, proposals=(SELF_REMOVE,) if capable or name != "old" else ())

    ann, bob, old = group_of(["ann", "bob", "old"], make=make)
    if capable:
        deliver(bob.propose(SelfRemove()), [ann, old])
        deliver(ann.commit().message, [ann, bob, old])
        assert not bob.g.active
        assert_agree([ann, old])
        return
    with pytest.raises(InvalidGroupMessage) as refused:
        bob.propose(SelfRemove())
    assert refused.value.rule == "MLS-12.2-09"
    assert not list(bob.g.proposals())
