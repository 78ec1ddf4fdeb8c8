"""Groups over a focus: made, changed, left; what races and losses do to them."""

from __future__ import annotations

from letterlock.conversation_seam import (
    AddMembers,
    KeysSeen,
    Leave,
    LetterReceipt,
    Packet,
    Refusal,
    RemoveMembers,
    RosterChanged,
    Secured,
    SetMetadata,
)
from letterlock.ids import Number

from .world import ANA, BEN, CLEO, DORA, GROUP, Phone, World


def agree(*phones: Phone) -> None:
    """All of them hold the same epoch of the same group."""
    standings = {
        (p.view(GROUP).era, p.view(GROUP).epoch, tuple(m.number for m in p.view(GROUP).members)) for p in phones
    }
    assert len(standings) == 1, standings
    records = {chat_of(phone).authenticator for phone in phones}
    assert len(records) == 1


def chat_of(phone: Phone):  # type: ignore[no-untyped-def]
    from letterlock.rcc16.conversation.records import chat_key

    chat = phone.state.get(chat_key(GROUP))
    assert chat is not None
    return chat


def members(phone: Phone) -> list[Number]:
    return [member.number for member in phone.view(GROUP).members]


def test_a_group_of_three_is_made_in_one_commit_and_talks() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).epoch == 1 and members(cleo) == [ANA, BEN, CLEO]
    cleo.write(GROUP, "hello both", "c1")
    world.run()
    assert ana.read() == ben.read() == ["hello both"]
    assert {(r.member, r.displayed) for r in cleo.told(LetterReceipt)} == {(ANA, False), (BEN, False)}
    assert [len(p.told(Secured)) for p in (ana, ben, cleo)] == [1, 1, 1]


def test_members_are_added_and_removed_in_one_commit_each() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    ben.change(GROUP, AddMembers((DORA,)))
    world.run()
    agree(ana, ben, cleo, dora)
    assert members(ana) == [ANA, BEN, CLEO, DORA]
    assert [(r.by, r.added) for r in cleo.told(RosterChanged)][-1] == (BEN, (DORA,))
    dora.write(GROUP, "thanks")
    world.run()
    assert cleo.read() == ["thanks"]
    ana.change(GROUP, RemoveMembers((CLEO,)))
    world.run()
    agree(ana, ben, dora)
    assert cleo.view(GROUP).left and not cleo.view(GROUP).encrypted
    ben.write(GROUP, "without cleo")
    world.run()
    assert cleo.read() == ["thanks"] and dora.read() == ["without cleo"]
    assert cleo.write(GROUP, "hello?").refused is Refusal.LEFT


def test_who_leaves_is_gone_at_once_and_another_commits_it() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ben.change(GROUP, Leave())
    assert ben.view(GROUP).left and not ben.view(GROUP).members
    world.run()
    world.pass_time(20_000)
    agree(ana, cleo)
    assert members(ana) == [ANA, CLEO]
    assert [(r.by, r.removed) for r in cleo.told(RosterChanged)][-1] == (ANA, (BEN,))
    ana.write(GROUP, "he is gone")
    world.run()
    assert cleo.read() == ["he is gone"] and not ben.read()


def test_two_commits_at_once_and_both_wishes_are_met() -> None:
    world = World()
    ana, ben, _cleo = world.group(ANA, BEN, CLEO)
    dora = world.phone(DORA)
    ana.change(GROUP, AddMembers((DORA,)))
    ben.change(GROUP, RemoveMembers((CLEO,)))
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, dora)
    assert members(ana) == [ANA, BEN, DORA]


def test_a_subject_reaches_everybody_and_the_focus_has_no_key() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ben.change(GROUP, SetMetadata(subject="picnic"))
    world.run()
    agree(ana, ben, cleo)
    assert {p.view(GROUP).subject for p in (ana, ben, cleo)} == {"picnic"}
    dora = world.phone(DORA)
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    assert dora.view(GROUP).subject == "picnic"
    for packet in [p for phone in world.phones for p in phone.sent]:
        assert b"picnic" not in packet.body
    ana.change(GROUP, SetMetadata(subject=""))
    world.run()
    assert {p.view(GROUP).subject for p in (ana, ben, cleo, dora)} == {""}


def test_keys_are_shown_before_anything_is_sent_to_them() -> None:
    world = World()
    ana = world.phone(ANA)
    world.phone(BEN)
    world.phone(CLEO)
    world.found(GROUP, (ANA, BEN, CLEO))
    sent: list[int] = []
    real = world.send

    def noting(phone: Phone, packet: Packet) -> None:
        sent.append(len(ana.told(KeysSeen)))
        real(phone, packet)

    world.send = noting  # type: ignore[method-assign]
    ana.upgrade(GROUP, ANA, BEN, CLEO)
    assert sent[0] == 2
