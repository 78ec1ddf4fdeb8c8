"""Conferences through the real edge: made, joined, changed, left, restarted; over loopback with a proxy of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus.town import DOMAIN, FACTORY, LEAVE, Town, number
from letterlock.codec import group_data
from letterlock.codec.conference_info import Disconnection, State
from letterlock.codec.group_data import GroupData, GroupTarget
from letterlock.codec.resource_lists import CopyControl, ListEntry, encode_resource_list

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]


async def test_a_conference_and_a_message_to_all(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        assert await ana.create(bob.number, carla.number, subject="lunch") == 200
        assert ana.focus.startswith("sip:conf-")
        assert await ana.say("hello") == 200
        for device in (bob, carla):
            assert await device.got(1) == ["hello"]
            assert device.inbox[0].sender == f"sip:{ana.number}@{DOMAIN}"
            assert device.focus == ana.focus
            assert device.contribution == "c-1"
        assert ana.inbox == []


async def test_a_message_to_one_member_reaches_no_other(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        assert await ana.say("for bob", to=bob.number) == 200
        assert await ana.say("for all") == 200
        assert await bob.got(2) == ["for bob", "for all"]
        assert bob.inbox[0].recipient == f"sip:{bob.number}@{DOMAIN}"
        assert bob.inbox[1].recipient == ana.focus
        assert await carla.got(1) == ["for all"]


async def test_the_same_message_id_to_each_member_is_not_a_repeat(tmp_path: Path) -> None:
    """Pairwise ciphertext: one frame for each member under one logical message id."""
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        for _ in range(2):  # the second round is a retry
            assert await ana.say("b", to=bob.number, message_id="m-1") == 200
            assert await ana.say("c", to=carla.number, message_id="m-1") == 200
        assert await ana.say("end") == 200
        assert await bob.got(2) == ["b", "end"]
        assert await carla.got(2) == ["c", "end"]


async def test_the_roster_is_whole_first_and_then_told_in_changes(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla, dan = (town.device(i) for i in (1, 2, 3, 4))
        await ana.create(bob.number, carla.number, subject="lunch")
        await bob.attending()
        ana.subscribe()
        bob.subscribe()
        await ana.until(lambda device: set(device.members.values()) == {"connected"})
        assert ana.views[0].state is State.FULL
        assert ana.view is not None
        assert (ana.view.subject, ana.view.maximum_user_count) == ("lunch", 1000)
        assert set(ana.members) == {ana.number, bob.number, carla.number}
        roles = {user.entity: user.roles for user in ana.view.users or ()}
        assert roles[f"sip:{ana.number}@{DOMAIN}"] == ("administrator",)

        assert await bob.refer(f"sip:{dan.number}@{DOMAIN}") == 202
        await ana.until(lambda device: device.members.get(dan.number) == "connected")
        assert all(view.state is State.PARTIAL for view in ana.views[1:])
        assert await ana.say("welcome") == 200
        assert await dan.got(1) == ["welcome"]

        assert await ana.refer(f"sip:{carla.number}@{DOMAIN};method=BYE") == 202
        await bob.until(lambda device: carla.number not in device.members)
        assert bob.view is not None
        gone = next(user for user in bob.view.users or () if carla.number in user.entity)
        assert gone.endpoints[0].disconnection is Disconnection.BOOTED
        assert gone.endpoints[0].removed_by == f"sip:{ana.number}@{DOMAIN}"
        await carla.until(lambda device: device.session is None)
        assert await ana.say("without carla") == 200
        await bob.got(2)
        assert carla.texts == ["welcome"]


async def test_several_are_added_at_once(tmp_path: Path) -> None:
    """RFC 5368: one REFER with a list."""
    async with Town(tmp_path) as town:
        ana, bob, carla, dan = (town.device(i) for i in (1, 2, 3, 4))
        await ana.create(bob.number)
        targets = [f"sip:{each.number}@{DOMAIN}" for each in (carla, dan)]
        assert await ana.refer(*targets, several=True) == 202
        await carla.attending()
        await dan.attending()
        assert await ana.refer(*(f"{each};method=BYE" for each in targets), several=True) == 202
        await dan.until(lambda device: device.session is None)


async def test_each_removes_those_who_came_later(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        await carla.attending()
        assert await bob.refer(f"sip:{ana.number}@{DOMAIN};method=BYE") == 403
        assert await carla.refer(f"sip:{bob.number}@{DOMAIN};method=BYE") == 403
        # Oneself: that is leaving.
        assert await ana.refer(f"sip:{ana.number}@{DOMAIN}?method=BYE") == 202
        assert await bob.refer(f"sip:{carla.number}@{DOMAIN};method=BYE") == 202
        await carla.until(lambda device: device.session is None)


async def test_a_bye_that_says_so_leaves_and_any_other_does_not(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        await ana.create(bob.number, carla.number)
        await bob.attending()
        await carla.attending()
        ana.subscribe()
        carla.hang_up()
        bob.hang_up(LEAVE)
        await ana.until(lambda device: set(device.members) == {ana.number, carla.number})
        assert await ana.say("who is left?") == 200
        assert await carla.got(1) == ["who is left?"]
        assert bob.inbox == []
        assert await bob.call(ana.focus) == 404


async def test_leaving_is_of_the_last_session_only(tmp_path: Path) -> None:
    """A BYE with Reason of one phone, while another phone of the member is there, ends that session alone."""
    async with Town(tmp_path) as town:
        ana, phone, tablet = town.device(1), town.device(2), town.device(2, "2")
        await ana.create(phone.number)
        await phone.attending()
        tablet.focus = phone.focus
        assert await tablet.call(phone.focus) == 200
        ana.subscribe()
        phone.hang_up(LEAVE)
        phone.answers = None
        assert await ana.say("still here?") == 200
        assert await tablet.got(1) == ["still here?"]
        tablet.hang_up(LEAVE)
        await ana.until(lambda device: set(device.members) == {ana.number})


async def test_every_device_of_a_member_gets_its_copy(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, phone, tablet = town.device(1), town.device(2), town.device(2, "2")
        await ana.create(phone.number)
        await phone.attending()
        assert await tablet.call(phone.focus) == 200
        assert await ana.say("one") == 200
        assert await phone.got(1) == ["one"]
        assert await tablet.got(1) == ["one"]
        # Known by now: what comes while it is away waits for it, whatever the other has read.
        tablet.hang_up()
        phone.answers = tablet.answers = 486
        assert await ana.say("two") == 200
        assert await phone.got(2) == ["one", "two"]
        assert await tablet.call(phone.focus) == 200
        assert await tablet.got(2) == ["one", "two"]


async def test_subject_and_icon_are_changed_by_a_message_to_the_focus(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number, subject="lunch")
        await bob.attending()
        ana.subscribe()
        await ana.until(lambda device: device.view is not None)
        change = group_data.encode_group_data(GroupData(GroupTarget.SUBJECT, "dinner"))
        assert await bob.say(change, content_type=group_data.MEDIA_TYPE) == 200
        icon = group_data.encode_group_data(GroupData(GroupTarget.ICON, "https://content.example.test/i"))
        assert await bob.say(icon, content_type=group_data.MEDIA_TYPE) == 200
        await ana.until(lambda device: device.view and device.view.icon == "https://content.example.test/i")
        assert ana.view is not None
        assert ana.view.subject == "dinner"
        assert ana.inbox == []
        delete = group_data.encode_group_data(GroupData(GroupTarget.SUBJECT, None))
        assert await bob.say(delete, content_type=group_data.MEDIA_TYPE) == 200
        await ana.until(lambda device: device.view and device.view.subject == "")


async def test_who_declines_is_taken_off_and_who_is_away_is_not(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob, carla = (town.device(i) for i in (1, 2, 3))
        bob.answers, carla.answers = 603, None
        await ana.create(bob.number, carla.number)
        ana.subscribe()
        await ana.until(lambda device: bob.number not in device.members and device.view is not None)
        assert ana.members == {ana.number: "connected", carla.number: "pending"}
        carla.answers = True
        await ana.until(lambda device: device.members.get(carla.number) == "connected")


async def test_a_conference_that_nobody_is_in_is_gone(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana = town.device(1)
        await ana.create()
        ana.subscribe()
        await ana.until(lambda device: device.view is not None)
        assert await ana.refer(f"sip:{ana.number}@{DOMAIN};method=BYE") == 202
        await ana.until(lambda device: "subscription noresource" in device.ended)
        assert ana.views[-1].state is State.DELETED
        assert await ana.call(ana.focus) == 404


async def test_a_restart_by_a_member_finds_the_conference_again(tmp_path: Path) -> None:
    """The same Contribution-ID of a member: the same conference, with whoever is new. Of anybody else: another one."""
    async with Town(tmp_path) as town:
        ana, bob, carla, eve = (town.device(i) for i in (1, 2, 3, 9))
        await ana.create(bob.number, contribution="g")
        await bob.attending()
        first = bob.focus
        bob.hang_up()
        assert await bob.create(ana.number, carla.number, contribution="g") == 200
        assert bob.focus == first
        await carla.until(lambda device: device.focus == first)
        assert await eve.create(bob.number, contribution="g") == 200
        assert eve.focus != first


async def test_what_an_address_is_can_be_asked(tmp_path: Path) -> None:
    """RFC 5366 section 5 and RFC 4579 section 5.13; whether there is such a conference is not told."""
    async with Town(tmp_path) as town:
        ana = town.device(1)
        for uri in (FACTORY, f"sip:conf-0@{DOMAIN}"):
            answer = await ana.request("OPTIONS", uri)
            assert answer.status == 200
            assert "recipient-list-invite" in (answer.headers.get("Supported") or "")
        await ana.create()
        assert (await ana.request("INVITE", FACTORY, (("Require", "frobnication"),))).status == 420
        listed = encode_resource_list([ListEntry(f"sip:{number(2)}@{DOMAIN}", CopyControl.TO)])
        assert await ana.call(ana.focus, listed=listed) == 420
        assert (await ana.request("MESSAGE", ana.focus)).status == 405


async def test_a_roster_of_hundreds_passes_a_proxy(tmp_path: Path) -> None:
    """A proxy takes 65,535 bytes: deflated it all fits; a subscriber that does not inflate gets the count and what fits."""
    async with Town(tmp_path) as town:
        ana = town.device(1)
        await ana.create(*(number(i) for i in range(2, 800)))
        ana.subscribe()
        await ana.until(lambda device: device.view is not None and len(device.members) == 799)
        before = len(ana.views)
        ana.subscribe(encoding="identity")
        await ana.until(lambda device: len(device.views) > before)
        plain = next(view for view in ana.views[before:] if view.state is State.FULL)
        assert plain.user_count == 799
        assert 100 < len(plain.users or ()) < 799
