"""Who is there, by which key: devices, ghosts, keys that change, and what is refused because of them (SR-04)."""

from __future__ import annotations

import pytest

from letterlock.conversation_seam import (
    AddMembers,
    Conversation,
    KeysSeen,
    KeyState,
    Leave,
    LetterReceipt,
    Refusal,
    RemoveMembers,
    RosterChanged,
    Secured,
    Waits,
)
from letterlock.errors import InputError, TrustRequired

from .certificates import DAY, key_pair
from .test_conversation_groups import agree, chat_of, members
from .world import ANA, BEN, CLEO, GROUP, Phone, World

BEN_CHAT = Conversation(peer=BEN)


def trust(phone: Phone, number, spki, *, verified=True):  # type: ignore[no-untyped-def]
    return phone.do(lambda: phone.protocol.trust(phone.state, number, spki, verified, phone.world.now))


def test_all_devices_of_a_number_come_and_go_together() -> None:
    world = World()
    ana, ben, ben_tablet, cleo = (world.phone(n) for n in (ANA, BEN, BEN, CLEO))
    world.found(GROUP, (ANA, BEN, CLEO))
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    agree(ana, ben, ben_tablet, cleo)
    assert [m.devices for m in cleo.view(GROUP).members] == [1, 2, 1]
    ben_tablet.write(GROUP, "from my tablet")
    world.run()
    assert ana.read() == cleo.read() == ben.read() == ["from my tablet"]
    cleo.change(GROUP, RemoveMembers((BEN,)))
    world.run()
    agree(ana, cleo)
    assert ben.view(GROUP).left and ben_tablet.view(GROUP).left


def test_one_device_leaves_and_the_other_goes_with_it() -> None:
    world = World()
    ana, ben, _ben_tablet, cleo = (world.phone(n) for n in (ANA, BEN, BEN, CLEO))
    world.found(GROUP, (ANA, BEN, CLEO))
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    ben.change(GROUP, Leave())
    world.run()
    world.pass_time(20_000)
    agree(ana, cleo)
    assert members(ana) == [ANA, CLEO]


def test_a_new_device_of_a_member_is_added_and_shown() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    tablet = world.phone(BEN)
    cleo.change(GROUP, AddMembers((BEN,)))
    world.run()
    agree(ana, ben, cleo, tablet)
    change = ana.told(RosterChanged)[-1]
    assert (change.by, change.added, change.removed) == (CLEO, (BEN,), ())
    before = ana.view(GROUP).epoch
    cleo.change(GROUP, AddMembers((BEN,)))
    world.run()
    assert ana.view(GROUP).epoch == before


def test_a_new_device_comes_in_by_itself_and_is_shown() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    tablet = world.phone(BEN)
    tablet.upgrade(GROUP, ANA, CLEO)
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, cleo, tablet)
    assert ana.told(RosterChanged)[-1].added == (BEN,)


def test_a_changed_key_is_shown_and_after_a_comparison_it_stops_everything() -> None:
    world = World()
    ana, ben, chat, back = world.pair()
    (seen,) = ana.told(KeysSeen)
    trust(ana, BEN, seen.spki)
    assert ana.view(chat).members[1].keys is KeyState.VERIFIED
    world.phones.remove(ben)
    world.pools.pop((BEN, 1))
    other = world.phone(BEN, participant="another ben")
    other.upgrade(back, ANA)
    world.run()
    world.pass_time(120_000)
    new = ana.told(KeysSeen)[-1]
    assert (new.before, new.spki) == (seen.spki, key_pair("another ben").spki)
    assert ana.view(chat).members[1].keys is KeyState.BROKEN
    assert ana.write(chat, "is it you?").refused is Refusal.UNPINNED
    with pytest.raises(TrustRequired):
        trust(ana, BEN, key_pair("somebody").spki)
    trust(ana, BEN, new.spki)
    ana.write(chat, "it is you")
    world.run()
    assert other.read() == ["it is you"]


def test_no_group_is_made_with_a_key_that_took_the_place_of_a_verified_one() -> None:
    world = World()
    ana, ben, _, _ = world.pair()
    trust(ana, BEN, ana.told(KeysSeen)[0].spki)
    world.phones.remove(ben)
    world.pools.pop((BEN, 1))
    other, cleo = world.phone(BEN, participant="another ben"), world.phone(CLEO)
    world.found(GROUP, (ANA, BEN, CLEO))
    sent = len(ana.sent)
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    assert len(ana.sent) == sent and not cleo.notices
    assert ana.write(GROUP, "hello").refused is Refusal.UNPINNED
    trust(ana, BEN, key_pair("another ben").spki, verified=False)
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    agree(ana, other, cleo)


def test_somebody_without_keys_aborts_the_whole_group() -> None:
    world = World()
    ana, ben = world.phone(ANA), world.phone(BEN)
    world.found(GROUP, (ANA, BEN, CLEO))
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    assert not ben.notices and ana.write(GROUP, "hello").refused is Refusal.NO_KEYS
    cleo = world.phone(CLEO)
    ana.upgrade(GROUP, BEN, CLEO)
    world.run()
    agree(ana, ben, cleo)


def test_a_key_server_that_is_away_is_asked_again() -> None:
    world = World()
    ana, ben = world.phone(ANA), world.phone(BEN)
    world.kds_down = True
    ana.upgrade(BEN_CHAT, BEN)
    assert ana.write(BEN_CHAT, "wait").waits is Waits.SETTING_UP
    world.kds_down = False
    world.pass_time(60_000)
    assert ana.view(BEN_CHAT).encrypted and ben.told(Secured)


def test_without_a_certificate_nothing_is_sealed() -> None:
    world = World()
    ana, _, chat, _ = world.pair()
    world.now += 400 * DAY
    assert ana.write(chat, "too late").refused is Refusal.NOT_ENROLLED


def test_keys_are_refreshed_and_a_new_certificate_goes_into_the_group() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    before = set(chat_of(ana).members)
    world.pass_time(31 * DAY, step=DAY)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).epoch > 3
    assert {one.device for one in before} == {one.device for one in chat_of(ana).members}
    ben.write(GROUP, "still here")
    world.run()
    assert ana.read() == ["still here"] and len(ben.told(LetterReceipt)) == 2
    assert not [n for p in (ana, ben, cleo) for n in p.told(RosterChanged) if n.epoch > 1]


def test_wishes_that_make_no_sense_are_refused() -> None:
    world = World()
    ana, _, chat, _ = world.pair()
    for wanted in (AddMembers((CLEO,)), Leave(), RemoveMembers((BEN,))):
        with pytest.raises(InputError):
            ana.change(chat, wanted)
    with pytest.raises(InputError):
        ana.upgrade(GROUP, ANA)


def test_who_left_and_was_added_again_comes_back_even_without_its_welcome() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    cleo.change(GROUP, Leave())
    world.run()
    world.pass_time(20_000)
    assert cleo.write(GROUP, "x").refused is Refusal.LEFT
    world.drop = lambda travelling: travelling.to is cleo
    ben.change(GROUP, AddMembers((CLEO,)))
    world.run()
    world.drop = lambda travelling: False
    assert cleo.view(GROUP).left
    cleo.upgrade(GROUP, ANA, BEN)  # the engine sees that the conference has us again
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, cleo)
    ana.write(GROUP, "welcome back")
    world.run()
    assert cleo.read() == ["welcome back"]


def test_who_left_stays_out_whatever_the_focus_sends() -> None:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    cleo.change(GROUP, Leave())
    rows = [name for name in cleo.state.rows if name.startswith("rcc16-row")]
    assert not rows and cleo.view(GROUP).left
    world.run()
    world.pass_time(20_000)
    ana.write(GROUP, "not for cleo")
    world.run()
    for packet in [packet for phone in (ana, ben) for packet in phone.sent]:
        assert not cleo.receive(packet, ANA).packets
    assert cleo.view(GROUP).left and not cleo.read()
