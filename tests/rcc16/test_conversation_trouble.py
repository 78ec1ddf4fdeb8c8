"""Losses, races, crashes, old copies: what the machine does to be whole again."""

from __future__ import annotations

import pytest

from letterlock.conversation_seam import (
    AddMembers,
    Conversation,
    Ended,
    EndEncryption,
    LetterReceived,
    Refusal,
    RemoveMembers,
    Revive,
    Secured,
    SendAgain,
    Waits,
)
from letterlock.rcc16.wire.content_types import SERVER_CONTROL

from .test_conversation_groups import agree, chat_of, members
from .world import ANA, BEN, CLEO, DORA, EMIL, GROUP, World


def test_both_create_at_once_and_the_lower_number_wins() -> None:
    world = World()
    ana, ben = world.phone(ANA), world.phone(BEN)
    ana.upgrade(Conversation(peer=BEN), BEN)
    ben.upgrade(Conversation(peer=ANA), ANA)
    world.run()
    assert ana.view(Conversation(peer=BEN)).encrypted and ben.view(Conversation(peer=ANA)).encrypted
    assert [one.by for one in ana.told(Secured)] == [ANA] == [one.by for one in ben.told(Secured)]
    ben.write(Conversation(peer=ANA), "after the race")
    world.run()
    assert ana.read() == ["after the race"]


def test_a_lost_word_of_acceptance_is_asked_about() -> None:
    world = World()
    ana, ben, _cleo = world.group(ANA, BEN, CLEO)
    world.drop = lambda t: t.packet.message_id.startswith("ack-")
    ana.change(GROUP, RemoveMembers((CLEO,)))
    world.run()
    assert ana.view(GROUP).epoch == 1 and ben.view(GROUP).epoch == 2
    assert ana.write(GROUP, "to whom?").waits is Waits.COMMITTING
    world.pass_time(60_000)
    agree(ana, ben)
    assert members(ana) == [ANA, BEN]


def test_a_lost_acceptance_in_a_chat_of_two_is_said_again() -> None:
    world = World()
    ana, _ben = world.phone(ANA), world.phone(BEN)
    world.drop = lambda t: t.to is ana and t.packet.content_type == SERVER_CONTROL
    ana.upgrade(Conversation(peer=BEN), BEN)
    world.run()
    assert not ana.view(Conversation(peer=BEN)).encrypted
    world.drop = lambda t: False
    world.pass_time(120_000)
    assert ana.view(Conversation(peer=BEN)).encrypted


def test_missed_commits_are_fetched_and_replayed_in_order() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora, emil = world.phone(DORA), world.phone(EMIL)
    world.drop = lambda t: t.to is cleo
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    ben.change(GROUP, AddMembers((EMIL,)))
    world.run()
    ana.change(GROUP, RemoveMembers((BEN,)))
    world.run()
    world.drop = lambda t: False
    assert cleo.view(GROUP).epoch == 1
    dora.write(GROUP, "cleo, where are you?")
    world.run()
    world.pass_time(30_000)
    agree(ana, cleo, dora, emil)
    assert cleo.read() == ["cleo, where are you?"]
    assert [s.by for s in cleo.told(Secured)] == [ANA]


def test_a_member_that_missed_too_much_comes_back_by_itself() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    world.drop = lambda t: t.to is cleo
    for _ in range(3):
        ana.change(GROUP, AddMembers((DORA,)))
        world.run()
        ben.change(GROUP, RemoveMembers((DORA,)))
        world.run()
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    focus = world.groups[GROUP]
    assert focus.group.state is not None
    object.__setattr__(focus.group.state, "history", focus.group.state.history[-1:])
    world.drop = lambda t: False
    ben.write(GROUP, "you have missed a lot", "again")
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, cleo, dora)
    # What was sent before she came back is asked for again, and comes under another id.
    (again,) = ben.told(SendAgain)
    ben.write(GROUP, "you have missed a lot", "again-2", root="again", audience=(CLEO,))
    world.run()
    assert (again.message_id, again.member) == ("again", CLEO)
    assert [(one.message_id, one.root) for one in cleo.told(LetterReceived)] == [("again-2", "again")]


def test_an_old_copy_of_the_store_never_encrypts_with_old_keys() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    old = dict(ben.state.rows)
    ben.write(GROUP, "one")
    world.run()
    ben.state.rows = dict(old)
    ben.restart()
    ben.state.apply(ben.protocol.rolled_back(ben.state))
    assert not [name for name in ben.state.rows if name.startswith("rcc16-row")]
    assert ben.write(GROUP, "two").waits is Waits.HEALING
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, cleo)
    assert ben.view(GROUP).epoch == 2
    ben.write(GROUP, "two")
    world.run()
    assert cleo.read() == ["one", "two"]


def test_encryption_ends_for_all_and_nobody_writes_in_the_clear() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ben.change(GROUP, EndEncryption())
    world.run()
    for phone in (ana, ben, cleo):
        (ended,) = phone.told(Ended)
        assert ended.by == BEN and phone.view(GROUP).ended
        assert phone.write(GROUP, "in the clear?").refused is Refusal.ENDED
    cleo.change(GROUP, Revive())
    world.run()
    agree(ana, ben, cleo)
    assert ana.view(GROUP).encrypted
    ana.write(GROUP, "again")
    world.run()
    assert ben.read() == cleo.read() == ["again"]


@pytest.mark.parametrize("step", range(6))
def test_a_lost_step_leaves_nothing_behind(step: int) -> None:
    """SR-06: the outcome of one step is lost and the step done again: no key is used twice, all agree."""
    world = World()
    phones = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    for turn in range(6):
        phone = phones[turn % 3]
        phone.crash = turn == step
        phone.write(GROUP, f"letter {turn}")
        for other in phones:
            other.crash = other is not phone and turn == step
        world.run()
    phones[step % 3].crash = True
    phones[step % 3].change(GROUP, AddMembers((DORA,)))
    world.run()
    agree(*phones, dora)
    for number, phone in enumerate(phones):
        assert phone.read() == [f"letter {turn}" for turn in range(6) if turn % 3 != number]
    bodies = [packet.body for phone in phones for packet in phone.sent if packet.content_type == "message/mls"]
    assert len(bodies) == len(set(bodies))


def test_a_restart_loses_nothing() -> None:
    world = World()
    phones = world.group(ANA, BEN, CLEO)
    for turn in range(3):
        for phone in phones:
            phone.restart()
        phones[turn].write(GROUP, f"letter {turn}")
        world.run()
    assert [phone.read() for phone in phones] == [
        ["letter 1", "letter 2"],
        ["letter 0", "letter 2"],
        ["letter 0", "letter 1"],
    ]
    assert chat_of(phones[0]).sends == 1
