"""Encryption that a member's program has ended is taken up again by itself; what a person ended is not (rcc16.md 5.7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.conversation_seam import Ended, EndEncryption, Refusal, Revive
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.conversation.chat import Kind
from letterlock.rcc16.conversation.committing import change_context
from letterlock.rcc16.conversation.records import chat_key
from letterlock.rcc16.health.states import State
from letterlock.rcc16.wire.control import EndReason, Operation
from letterlock.rcc16.wire.extensions import END_MLS, end_mls_extension, merge

from .crooked import group_of, working
from .test_conversation_groups import agree, chat_of
from .test_conversation_healing import refusing, requests
from .world import ANA, BEN, CLEO, GROUP, Phone, World

MINUTE = 60_000
HOUR = 60 * MINUTE


def ended(world: World, by: Phone, reason: EndReason) -> None:
    """What a deployed client does on its own account (v4.0 says why)."""
    with working(by, GROUP) as work:
        work.move(State.END_MLS_REQUESTED)
        extension = end_mls_extension(reason, Revision.V4)
        change_context(work, Kind.END_MLS, merge(group_of(work).state.extensions, {END_MLS: extension}))
        work.move(State.ONGOING_END_MLS)
        packets = list(work.packets)
    for packet in packets:
        world.send(by, packet)
    world.run()


def begun(reason: EndReason) -> tuple[World, Phone, Phone, Phone]:
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ended(world, ana, reason)
    return world, ana, ben, cleo


def test_a_program_ended_it_and_after_the_wait_a_member_begins_again() -> None:
    world, ana, ben, cleo = begun(EndReason.CANNOT_FETCH_KEYPACKAGES)
    assert [one.reason for one in ben.told(Ended)] == ["cannot-fetch-keypackages"]
    assert ben.write(GROUP, "x").refused is Refusal.ENDED
    world.pass_time(50_000)
    assert ben.view(GROUP).ended
    world.pass_time(20_000)
    agree(ana, ben, cleo)
    assert all(phone.view(GROUP).encrypted for phone in (ana, ben, cleo))
    # Whose turn comes first does it; the others find that it is done.
    assert requests(ben) == [Operation.COMMIT] and not requests(cleo)


def test_the_wait_doubles_and_is_forgotten_after_a_day() -> None:
    world, ana, ben, _ = begun(EndReason.INTERNAL_CLIENT_ERROR)
    waited = []
    for _ in range(3):
        at = world.now
        while ben.view(GROUP).ended:
            world.pass_time(10_000)
        waited.append((world.now - at) // MINUTE)
        ended(world, ana, EndReason.INTERNAL_CLIENT_ERROR)
    assert waited == [1, 2, 4]
    world.pass_time(25 * HOUR, step=HOUR)
    ended(world, ana, EndReason.INTERNAL_CLIENT_ERROR)
    world.pass_time(70_000)
    assert ben.view(GROUP).encrypted


@pytest.mark.parametrize("reason", [EndReason.UNSET, EndReason.UNTRUSTED_ROOT, EndReason.CONTINUITY_TOKEN_MISMATCH])
def test_without_a_reason_or_for_one_of_trust_a_person_decides(reason: EndReason) -> None:
    world, ana, ben, cleo = begun(reason)
    world.pass_time(48 * HOUR, step=HOUR)
    assert all(phone.view(GROUP).ended for phone in (ana, ben, cleo)) and not requests(ben)
    ben.change(GROUP, Revive())
    world.run()
    assert cleo.view(GROUP).encrypted


def test_who_has_decided_to_leave_it_so_does_not_begin_again() -> None:
    world, _, ben, cleo = begun(EndReason.INTERNAL_CLIENT_ERROR)
    for phone in (ben, cleo):
        phone.change(GROUP, EndEncryption())
    world.pass_time(48 * HOUR, step=HOUR)
    assert ben.view(GROUP).ended and not requests(ben) and not requests(cleo)


def test_a_try_that_is_refused_is_made_again_later_each_time() -> None:
    world, _, ben, cleo = begun(EndReason.INTERNAL_CLIENT_ERROR)
    cleo.change(GROUP, EndEncryption())
    focus = world.groups[GROUP]
    refusing(focus, Operation.COMMIT, Operation.NEW_ERA)
    world.pass_time(60 * MINUTE, step=10_000)
    assert 2 <= len(requests(ben)) <= 8 and ben.view(GROUP).ended
    focus.group = focus.group._group  # type: ignore[attr-defined]
    world.pass_time(120 * MINUTE, step=MINUTE)
    assert ben.view(GROUP).encrypted and cleo.view(GROUP).encrypted


def test_a_clock_that_was_set_back_does_not_block_for_ever() -> None:
    world, _, ben, cleo = begun(EndReason.INTERNAL_CLIENT_ERROR)
    cleo.change(GROUP, EndEncryption())
    chat = chat_of(ben)
    future = replace(chat, backoff=replace(chat.backoff, last=world.now + 400 * 24 * HOUR))
    ben.state.apply({chat_key(GROUP): future})
    ben.timer()
    world.run()
    assert ben.view(GROUP).encrypted
