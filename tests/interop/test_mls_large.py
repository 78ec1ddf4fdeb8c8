"""Groups of 64 and 1,000 members with every node of the tree filled: the longest paths that there are."""

from __future__ import annotations

import pytest

from interop.mls_members import OurMember, agree, decode, now, suite_of
from interop.mls_pairing import Pairing
from interop.mls_peers import add, remove
from letterlock.mls.wire.leaf_node import Lifetime
from mls.populated import populated
from mls.populated_group import PopulatedGroup

pytestmark = pytest.mark.node
sizes = pytest.mark.parametrize("size", [64, pytest.param(1_000, marks=pytest.mark.slow)])


@sizes
def test_a_full_group(pairing: Pairing, size: int) -> None:
    """We are the last committer, the peer joins beside us; then each commits, adds and removes."""
    start = now() // 1000 - 3600
    them = pairing.theirs()
    package = decode(them.key_package())
    made = populated(
        suite_of(pairing.suite),
        size,
        group_id=b"full " + them.name.encode(),
        given={size - 2: package.leaf_node},
        lifetime=Lifetime(start, start + 84 * 86_400),
        keep=(),
    )
    assert sum(node is not None for node in made.tree.nodes()) == 2 * size - 1
    world = PopulatedGroup(made)
    us = OurMember.inside(world.group(size - 1))

    with pairing.passes("Welcome into a full group", "we", size=size):
        them.join(world.welcome(package))
        agree(us, them)
    with pairing.passes("Commit in a full group", "we", size=size):
        them.process(us.commit().commit, us.identity)
        agree(us, them)
    with pairing.passes("Commit in a full group", "peer", size=size):
        us.process(them.commit().commit)
        agree(us, them)
    with pairing.passes("messages in a full group", "we", size=size):
        assert them.process(us.encrypt(b"from us"), us.identity).data == b"from us"
    with pairing.passes("messages in a full group", "peer", size=size):
        assert us.process(them.encrypt(b"from them")).data == b"from them"
    new = pairing.ours()
    with pairing.passes("Welcome into a full group", "peer", size=size):
        step = them.commit(add(new.key_package()))
        us.process(step.commit)
        assert step.welcome is not None
        new.join(step.welcome)
        agree(us, them, new)
    with pairing.passes("Remove from a full group", "we", size=size):
        step = us.commit(remove(index=size // 3))
        for member in (them, new):
            member.process(step.commit, us.identity)
        agree(us, them, new)
    with pairing.passes("Remove from a full group", "peer", size=size):
        them.process(new.encrypt(b"so that mls-rs has heard of us"), new.identity)
        step = them.commit(remove(identity=new.identity))
        us.process(step.commit)
        new.process(step.commit)
        assert not new.g.active
        agree(us, them)
