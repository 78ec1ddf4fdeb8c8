"""What a user decided and cannot have is told, once, and not tried for ever."""

from __future__ import annotations

import pytest

from letterlock.conversation_seam import (
    AddMembers,
    Change,
    ChangeFailed,
    EndEncryption,
    RemoveMembers,
    Revive,
    SetMetadata,
)
from letterlock.rcc16.wire.control import Operation
from letterlock.rcc16.wire.reasons import ServerReason

from .certificates import key_pair
from .test_conversation_groups import agree
from .test_conversation_healing import refusing, requests
from .test_conversation_members import trust
from .world import ANA, BEN, CLEO, DORA, GROUP, World

WISHES = (RemoveMembers((CLEO,)), AddMembers((DORA,)), SetMetadata(subject="tulips"), SetMetadata(subject=""))


@pytest.mark.parametrize("wish", WISHES)
def test_a_commit_that_is_refused_time_after_time_is_given_up_and_told(wish: Change) -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.phone(DORA)
    focus = world.groups[GROUP]
    refusing(focus, Operation.COMMIT, reason=ServerReason.MISMATCHED_CONFIRMATION_TAG)
    ana.change(GROUP, wish)
    world.run()
    world.pass_time(3_600_000)
    assert ana.told(ChangeFailed) == [ChangeFailed(GROUP, wish, "mismatched-confirmation-tag")]
    assert requests(ana).count(Operation.COMMIT) == 5
    focus.group = focus.group._group  # type: ignore[attr-defined]
    ana.change(GROUP, wish)
    world.run()
    agree(ana, ben)
    assert len(ana.told(ChangeFailed)) == 1 and ana.view(GROUP).epoch == 2
    assert cleo.view(GROUP).left is isinstance(wish, RemoveMembers)


def test_somebody_without_keys_is_not_added_and_the_others_go_on() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    assert ana.told(ChangeFailed) == [ChangeFailed(GROUP, AddMembers((DORA,)), "no-keys")]
    ana.write(GROUP, "without her")
    world.run()
    assert ben.read() == ["without her"]


def test_somebody_whose_compared_key_changed_is_not_added_and_the_others_go_on() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    trust(ana, DORA, key_pair(f"participant {DORA}").spki)
    ana.change(GROUP, RemoveMembers((DORA,)))
    world.run()
    world.phones.remove(dora)
    world.pools.pop((DORA, 1))
    world.phone(DORA, participant="another dora")
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    assert ana.told(ChangeFailed) == [ChangeFailed(GROUP, AddMembers((DORA,)), "unpinned")]
    ana.write(GROUP, "without her")
    world.run()
    assert ben.read() == ["without her"]


def test_a_revival_that_is_refused_is_told_and_nothing_is_sent() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    ana.change(GROUP, EndEncryption())
    world.run()
    refusing(world.groups[GROUP], Operation.COMMIT, Operation.NEW_ERA)
    ben.change(GROUP, Revive())
    world.run()
    (told,) = ben.told(ChangeFailed)
    assert told.change == Revive() and ben.view(GROUP).ended
