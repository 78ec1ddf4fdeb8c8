"""MLS groups through the real focus, over MSRP sessions, on both databases: accepted, refused, fanned out, caught up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from focus.mls_town import Member, MlsTown
from focus.ordering import GROUP_ID, WIRE
from focus.town import DOMAIN, Town
from letterlock.codec import group_data
from letterlock.codec.group_data import GroupData, GroupTarget
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.wire.content_types import APPLICATION, CLIENT_CONTROL, GROUP_INFO, SERVER_CONTROL
from letterlock.rcc16.wire.control import (
    CommitBundle,
    EpochIdentifier,
    MetadataChange,
    Operation,
    decode_enhanced_group_info,
)
from letterlock.rcc16.wire.reasons import ServerReason
from letterlock.services.focus import FocusLimits, Rate

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]


def _here(member: Member) -> EpochIdentifier:
    return EpochIdentifier(1, member.phone.g.epoch, member.phone.g.epoch_authenticator)


async def test_a_group_is_made_changed_and_talked_in(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob, carla = await town.group(3)
        await bob.do(bob.phone.commit())
        for each in (ana, carla):
            await each.took(2)
            assert each.phone.g.epoch_authenticator == bob.phone.g.epoch_authenticator
        status, message_id = await carla.say(b"hello")
        assert status == 200
        for each in (ana, bob):
            await each.device.until(lambda device: device.inbox[-1].content_type == APPLICATION)
            assert each.device.inbox[-1].message_id == message_id
            assert each.device.inbox[-1].sender == f"sip:{carla.device.number}@{DOMAIN}"


async def test_roster_and_tree_move_together(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob, carla = await town.group(3)
        ana.device.subscribe()
        await ana.device.until(lambda device: device.view is not None)
        dan = town.member(4)
        await ana.do(ana.phone.add(dan.phone))
        await dan.took()  # it is called, comes, and finds its Welcome
        for each in (bob, carla):
            await each.took(2)
        await ana.device.until(lambda device: device.members.get(dan.device.number) == "connected")
        await dan.do(dan.phone.commit())

        await bob.took(3)
        await bob.do(bob.phone.remove(carla.device.number))
        for each in (ana, dan):
            await each.took(4)
        await ana.device.until(lambda device: carla.device.number not in device.members)
        await carla.device.until(lambda device: bool(device.ended))
        carla.read()
        assert not carla.phone.g.active  # the commit that removes it was the last that it got

        await dan.do_and_leave()
        for each in (ana, bob):
            await each.device.until(lambda _, each=each: each.read() or bool(list(each.phone.g.proposals())))  # type: ignore[misc]
        assert await ana.refused(ana.phone.commit(references=())) is ServerReason.PENDING_PROPOSAL
        await ana.do(ana.phone.commit())
        await bob.took(5)
        assert ana.device.view is not None
        await ana.device.until(lambda device: set(device.members) == {ana.device.number, bob.device.number})


async def test_a_refusal_comes_out_of_band_and_changes_nothing(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob = await town.group(2)
        late = bob.phone.commit()
        await ana.do(ana.phone.commit())
        assert await bob.refused(late) is ServerReason.INCORRECT_EPOCH
        await bob.took(2)
        await bob.do(bob.phone.commit())
        await ana.took(3)
        assert ana.phone.g.epoch_authenticator == bob.phone.g.epoch_authenticator
        assert await ana.refused(replace(ana.phone.commit(), era=9)) is ServerReason.INCORRECT_ERA
        assert await ana.device.say(b"garbage", message_id="g-1", content_type=CLIENT_CONTROL) == 200
        await ana.told("g-1")
        assert ana.refusals["g-1"] is ServerReason.INVALID_INPUT
        # The same request again, as of a device that did not hear of its acceptance.
        request = ana.phone.commit()
        await ana.do(request)
        ana.acceptances.clear()
        await ana.do(request)
        await bob.took(4)


async def test_of_two_commits_at_once_one_wins(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        members = await town.group(4)
        requests = [each.phone.commit() for each in members]
        assert await asyncio.gather(*(each.send(one) for each, one in zip(members, requests, strict=True))) == [200] * 4
        for each, request in zip(members, requests, strict=True):
            await each.told(request.message_id) if each.phone.waiting else None
        winners = [each for each, one in zip(members, requests, strict=True) if one.message_id in each.acceptances]
        assert len(winners) == 1


async def test_an_encrypted_group_is_closed_to_what_is_not(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob, carla = await town.group(3)
        stranger = town.device(9)
        assert await ana.device.say("in the clear") == 403
        data = group_data.encode_group_data(GroupData(GroupTarget.SUBJECT, "plain"))
        assert await ana.device.say(data, content_type=group_data.MEDIA_TYPE) == 403
        assert await ana.device.say(b"\x22\x00", content_type=SERVER_CONTROL) == 403
        added = await ana.device.request_refer(f"sip:{stranger.number}@{DOMAIN}")
        assert added.status == 403
        assert "mismatched-rcs-group-state" in (added.headers.get("Warning") or "")
        removed = await ana.device.request_refer(f"sip:{bob.device.number}@{DOMAIN};method=BYE")
        assert removed.status == 403
        invited = await ana.device.create(stranger.number, contribution=GROUP_ID.decode())
        assert invited == 403
        # Whoever wants to leave may leave, and is then in the way of nobody's message.
        assert await carla.device.refer(f"sip:{carla.device.number}@{DOMAIN};method=BYE") == 202
        status, _ = await ana.say(b"still here")
        assert status == 200
        # The user ended encryption: everything goes as in any conference.
        await ana.do(ana.phone.remove_stale_and_end(carla.device.number))
        assert await ana.device.say("in the clear") == 200
        await bob.device.until(lambda device: device.inbox[-1].body == b"in the clear")
        assert (await ana.device.request_refer(f"sip:{stranger.number}@{DOMAIN}")).status == 202


async def test_messages_of_other_epochs_are_refused(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob = await town.group(2)
        for era, authenticator, reason in (
            (2, None, ServerReason.INCORRECT_ERA),
            (1, bytes(32), ServerReason.INCORRECT_EPOCH_AUTHENTICATOR),
        ):
            status, message_id = await ana.say(b"hello", era=era, authenticator=authenticator)
            assert status == 200
            await ana.told(message_id)
            assert ana.refusals[message_id] is reason
        bob.read()
        assert all(each.content_type != APPLICATION for each in bob.device.inbox)


async def test_without_a_group_or_without_mls_there_is_no_encryption(tmp_path: Path) -> None:
    async with Town(tmp_path) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number, contribution=GROUP_ID.decode())
        for kind in (CLIENT_CONTROL, GROUP_INFO, APPLICATION):
            assert await ana.say(b"x", content_type=kind, message_id=kind.replace("/", "-")) == 200
        await ana.until(lambda device: len(device.inbox) == 3)
        assert all(b"encryption-not-available" in each.body for each in ana.inbox)
        assert await ana.say("plain") == 200
    async with MlsTown(tmp_path) as town:
        device = town.device(1)
        await device.create(town.device(2).number, contribution="another-id")
        member = Member(device, town.member(1).phone)
        assert await member.refused(member.phone.found([])) is ServerReason.ENCRYPTION_NOT_AVAILABLE
        assert await device.say(b"", content_type=GROUP_INFO, message_id="p-1") == 200
        await member.told("p-1")
        assert member.refusals["p-1"] is ServerReason.MLS_GROUP_NOT_FOUND


async def test_who_was_away_gets_it_all_and_who_lost_it_asks(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob, carla = await town.group(3)
        start = _here(carla)
        carla.device.answers = None
        carla.device.hang_up()
        for _ in range(3):
            await ana.do(ana.phone.commit())
        await bob.took(4)
        await bob.do(bob.phone.commit())
        carla.device.answers = True
        await carla.took(5)
        assert carla.phone.g.epoch_authenticator == bob.phone.g.epoch_authenticator
        answer = decode_enhanced_group_info(await carla.pull(start), OURS.control_numbers, WIRE)
        assert answer.latest == _here(carla)
        assert [type(each.message) for each in answer.messages] == [CommitBundle] * 4
        assert answer.page_end == answer.latest
        nothing = decode_enhanced_group_info(await carla.pull(None), OURS.control_numbers, WIRE)
        assert (nothing.messages, nothing.page_end) == ((), None)
        assert nothing.group_info.ratchet_tree == carla.phone.g.state.tree.encode()


async def test_questions_are_throttled(tmp_path: Path) -> None:
    limits = FocusLimits(pulls=Rate(2, 60_000), controls=Rate(2, 60_000))
    async with MlsTown(tmp_path, limits=limits) as town:
        ana, _ = await town.group(2)
        for _ in range(2):
            await ana.pull(None)
        assert await ana.device.say(b"", content_type=GROUP_INFO) == 413
        await ana.do(ana.phone.commit())
        request = ana.phone.commit()
        assert await ana.send(request) == 413


async def test_a_focus_that_is_started_again_goes_on(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob, carla = await town.group(3)
        await carla.do_and_leave()
        await bob.device.until(lambda _: bob.read() or bool(list(bob.phone.g.proposals())))  # type: ignore[func-returns-value]
        await town.stop_focus()
        await town.start_focus()
        assert await bob.device.call(bob.device.focus) == 200
        assert await bob.device.say("in the clear") == 403
        await bob.do(bob.phone.commit())
        assert await ana.device.call(ana.device.focus) == 200
        await ana.took(2)
        status, _ = await ana.say(b"hello")
        assert status == 200
        await bob.device.until(lambda device: device.inbox[-1].content_type == APPLICATION)


async def test_other_devices_of_the_committer_get_its_commit(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob = await town.group(2)
        second = town.member(1, "2")
        assert await second.device.call(ana.device.focus) == 200
        await ana.do(ana.phone.commit([second.phone.package()], path=False))
        await second.took()
        await bob.took(2)
        await ana.do(ana.phone.commit())
        await second.took(3)
        await second.do(second.phone.commit())
        await ana.took(4)
        await bob.took(4)
        ana.read()
        assert ana.phone.g.epoch_authenticator == second.phone.g.epoch_authenticator == bob.phone.g.epoch_authenticator


async def test_rosters_show_what_is_encrypted(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob = await town.group(2)
        bob.device.subscribe()
        await bob.device.until(lambda device: device.view is not None)
        request = ana.phone.commit(metadata=MetadataChange(b"ciphertext", "https://content/icon"))
        await ana.do(request)
        await bob.device.until(lambda device: device.view.encrypted_subject is not None)
        view = bob.device.view
        assert view is not None
        assert view.encrypted_subject is not None
        assert view.encrypted_icon is not None
        assert view.encrypted_subject.text == "Y2lwaGVydGV4dA=="
        assert view.encrypted_subject.participant == f"sip:{ana.device.number}@{DOMAIN}"
        assert view.encrypted_icon.text == "https://content/icon"
        assert view.mls_group_info == request.group_info
        await town.stop_focus()
        await town.start_focus()
        assert await bob.device.call(bob.device.focus) == 200
        bob.device.view = None
        bob.device.subscribe()
        await bob.device.until(lambda device: device.view is not None)
        assert bob.device.view is not None
        assert bob.device.view.encrypted_subject == view.encrypted_subject
        assert bob.device.view.mls_group_info == request.group_info


async def test_who_is_added_by_a_commit_counts_as_invited(tmp_path: Path) -> None:
    """SR-17: a commit is no way around the rate of calls to strangers."""
    limits = FocusLimits(invited=Rate(2, 3_600_000))
    async with MlsTown(tmp_path, limits=limits) as town:
        ana, bob = await town.group(2)
        dan, eve = town.member(4), town.member(5)
        await ana.do(ana.phone.add(dan.phone))
        await bob.took(2)
        request = ana.phone.add(eve.phone)
        assert await ana.send(request) == 413
        ana.phone.refused()
        await ana.do(ana.phone.commit())
        await bob.took(3)


async def test_who_asks_and_does_not_listen_fills_no_disk(tmp_path: Path) -> None:
    """SR-17: answers of the focus itself are kept for a member's devices, a bounded number of them."""
    async with MlsTown(tmp_path, limits=FocusLimits(max_answers=3)) as town:
        ana, _ = await town.group(2)
        silent = town.member(1, "2")
        assert await silent.device.call(ana.device.focus) == 200
        silent.device.hang_up()
        silent.device.answers = None
        statuses = [
            await ana.device.say(b"garbage", message_id=f"g-{place}", content_type=CLIENT_CONTROL) for place in range(5)
        ]
        assert statuses[0] == 200 and statuses[-1] == 413


async def test_commits_make_room_as_messages_do(tmp_path: Path) -> None:
    """SR-17: what is kept for all is bounded whichever way it came."""
    limits = FocusLimits(max_stored_messages=3)
    async with MlsTown(tmp_path, limits=limits) as town:
        ana, bob = await town.group(2)
        bob.device.answers = None
        bob.device.hang_up()
        for _ in range(6):
            await ana.do(ana.phone.commit())
        room = town.focus._rooms.all()[0]
        assert room.journal.kept[0] <= 3


async def test_a_tree_that_cannot_be_loaded_is_not_the_end_of_a_group(tmp_path: Path) -> None:
    async with MlsTown(tmp_path) as town:
        ana, bob = await town.group(2)
        await town.stop_focus()
        await town.start_focus()
        await town.focus._writer.run(
            lambda tables: tables.connection.execute("UPDATE mls_groups SET tree = ?", (b"garbage",))
        )
        for each in (ana, bob):
            assert await each.device.call(ana.device.focus) == 200
        assert await ana.refused(ana.phone.commit()) is ServerReason.MLS_GROUP_NOT_FOUND
        await ana.do(ana.phone.found([bob.phone], era=2, operation=Operation.NEW_ERA))
        await ana.do(ana.phone.commit())
        await bob.device.until(lambda _: bob.read() or bob.phone.g.epoch == 2)  # type: ignore[func-returns-value]


async def test_who_types_may_commit(tmp_path: Path) -> None:
    async with MlsTown(tmp_path, limits=FocusLimits(typing=Rate(1, 3_600_000))) as town:
        ana, bob = await town.group(2)
        for _ in range(2):
            await ana.do(ana.phone.commit())
        await bob.took(3)


async def test_requests_count_with_their_bytes(tmp_path: Path) -> None:
    """SR-17: one has up to 8 MiB."""
    async with MlsTown(tmp_path, limits=FocusLimits(bytes_sent=Rate(64 * 1024, 3_600_000))) as town:
        ana, bob = await town.group(2)
        assert await ana.device.say(bytes(100_000), message_id="g-1", content_type=CLIENT_CONTROL) == 413
        await bob.do(bob.phone.commit())
