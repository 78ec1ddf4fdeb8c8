"""A chat of two: made, used, its receipts, and what a race and losses do to it."""

from __future__ import annotations

from dataclasses import replace

from letterlock.conversation_seam import (
    Conversation,
    Ended,
    EndEncryption,
    KeysSeen,
    LetterReceipt,
    Refusal,
    Revive,
    Secured,
    Waits,
)
from letterlock.rcc16.conversation.chat import Chat
from letterlock.rcc16.conversation.records import chat_key

from .world import ANA, BEN, CLEO, Phone, World


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


def test_two_commits_at_once_and_the_lower_number_wins() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    for phone, conversation in ((ana, chat), (ben, back)):
        wish_refresh(phone, conversation)
    ana.timer()
    ben.timer()
    world.run()
    world.pass_time(120_000)
    assert standing(ana, chat) == standing(ben, back)
    assert ana.view(chat).epoch == 3
    ben.write(back, "both refreshed")
    world.run()
    assert ana.read() == ["both refreshed"]


def test_letters_go_on_while_the_peer_is_away() -> None:
    """A fresh leaf waits for the peer's word, letters do not."""
    world = World()
    ana, ben, chat, back = world.pair()
    world.hold = lambda travelling: travelling.to is ben
    wish_refresh(ana, chat)
    ana.timer()
    ana.write(chat, "while you were away")
    world.run()
    world.let_go()
    assert ben.read() == ["while you were away"]
    assert standing(ana, chat) == standing(ben, back) and ana.view(chat).epoch == 2


def test_a_peer_that_lost_everything_comes_back_into_the_chat() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    ana.write(chat, "before")
    world.run()
    ben.state.rows.clear()
    ben.restart()
    world.pools.pop((BEN, 1))
    ben.timer()
    ben.upgrade(back, ANA)
    world.run()
    world.pass_time(120_000)
    assert standing(ana, chat) == standing(ben, back)
    ana.write(chat, "after")
    world.run()
    assert ben.read() == ["before", "after"]
    assert [m.devices for m in ana.view(chat).members] == [1, 2]  # the lost device's leaf stays until it is removed


def test_an_old_copy_comes_back_into_a_chat_of_two() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    ben.state.apply(ben.protocol.rolled_back(ben.state))
    ben.restart()
    assert ben.write(back, "x").waits is Waits.HEALING
    world.run()
    world.pass_time(60_000)
    assert standing(ana, chat) == standing(ben, back)
    ana.write(chat, "there you are")
    world.run()
    assert ben.read() == ["there you are"]


def test_a_chat_of_two_is_ended_and_revived() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    ana.change(chat, EndEncryption())
    world.run()
    assert [one.by for one in ben.told(Ended)] == [ANA] and ana.view(chat).ended
    assert ben.write(back, "x").refused is Refusal.ENDED
    ben.change(back, Revive())
    world.run()
    world.pass_time(60_000)
    assert standing(ana, chat) == standing(ben, back) and ana.view(chat).encrypted
    ana.write(chat, "again")
    world.run()
    assert ben.read() == ["again"]


def test_a_carrier_between_two_cannot_speak_for_the_peer() -> None:
    """Whatever comes under somebody else's number, or nobody's, changes nothing."""
    world = World()
    ana, ben, chat, back = world.pair()
    wish_refresh(ben, back)
    ben.timer()
    (commit,) = [one for one in world.queue if one.to is ana]
    rows = dict(ana.state.rows)
    for sender in (None, CLEO):
        assert not ana.receive(commit.packet, sender).notices
        assert ana.state.rows == rows
    world.run()
    assert standing(ana, chat) == standing(ben, back)


def wish_refresh(phone: Phone, conversation: Conversation) -> None:
    chat = chat_in(phone, conversation)
    phone.state.apply({chat_key(conversation): replace(chat, refreshes=True)})


def chat_in(phone: Phone, conversation: Conversation) -> Chat:
    chat = phone.state.get(chat_key(conversation))
    assert chat is not None
    return chat


def standing(phone: Phone, conversation: Conversation) -> tuple[str, object, bytes]:
    chat = chat_in(phone, conversation)
    assert chat.group is not None
    return chat.mls_id, chat.moment, chat.authenticator
