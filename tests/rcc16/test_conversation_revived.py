"""Encryption that is taken up again before everybody has heard that it was ended (rcc16.md 5.7)."""

from __future__ import annotations

import pytest

from letterlock.conversation_seam import EndEncryption, Revive, Secured
from letterlock.errors import InputError

from .test_conversation_pairs import standing
from .world import ANA, BEN, World


def test_a_change_of_mind_before_the_peer_has_answered() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    before = len(ana.told(Secured))
    ana.change(chat, EndEncryption())
    assert not ana.view(chat).ended  # nobody has taken it yet
    ana.change(chat, Revive())
    world.run()
    world.pass_time(60_000)
    assert standing(ana, chat) == standing(ben, back) and ana.view(chat).encrypted
    assert len(ana.told(Secured)) > before
    assert [one.by for one in ben.told(Secured)][-1] == ANA
    ben.write(back, "as before")
    world.run()
    assert ana.read() == ["as before"]


def test_what_was_not_ended_is_not_taken_up_again() -> None:
    world = World()
    ana, _, chat, _ = world.pair()
    with pytest.raises(InputError) as refused:
        ana.change(chat, Revive())
    assert refused.value.code == "rcc16.input.not_ended"
    assert BEN not in [notice.by for notice in ana.told(Secured)]
