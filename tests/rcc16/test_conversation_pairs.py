"""A chat of two: made, used, its receipts, and what a race and losses do to it."""

from __future__ import annotations

from letterlock.conversation_seam import Conversation, KeysSeen, LetterReceipt, Secured

from .world import ANA, BEN, World


def test_the_first_letter_makes_a_group_and_comes_through() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    assert ana.view(chat).encrypted and ben.view(back).encrypted
    assert [one.era for one in ana.told(Secured)] == [1] == [one.era for one in ben.told(Secured)]
    ana.write(chat, "hello ben", "first")
    ben.write(back, "hello ana")
    world.run()
    assert ben.read() == ["hello ben"] and ana.read() == ["hello ana"]
    (receipt,) = ana.told(LetterReceipt)
    assert (receipt.message_id, receipt.member, receipt.displayed) == ("first", BEN, False)
    assert [one.number for one in ana.told(KeysSeen)] == [BEN] and [one.number for one in ben.told(KeysSeen)] == [ANA]
    ben.do(lambda: ben.protocol.displayed(ben.state, Conversation(peer=ANA), "first", ANA, world.now, ben.rng))
    world.run()
    assert [one.displayed for one in ana.told(LetterReceipt)] == [False, True]
