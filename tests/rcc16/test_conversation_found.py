"""What the simulation found (tests/rcc16_sim): each of these failed once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.conversation_seam import (
    AddMembers,
    Conversation,
    EndEncryption,
    KeysSeen,
    Leave,
    LetterReceived,
    Packet,
    PacketHeader,
    RemoveMembers,
    Request,
    Revive,
    SetMetadata,
)
from letterlock.rcc16.choices import OURS
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.wire.content_types import APPLICATION, CLIENT_CONTROL, GROUP_INFO, SERVER_CONTROL
from letterlock.rcc16.wire.control import (
    Accepted,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    Operation,
    decode_client_message,
    encode_enhanced_group_info,
    encode_server_message,
)
from letterlock.rcc16.wire.packet_headers import NAMESPACE, ORIGINAL_MESSAGE_ID
from letterlock.rcc16.wire.reasons import ServerReason, encode_negative_receipt

from .certificates import key_pair
from .test_conversation_groups import agree
from .world import ANA, BEN, CLEO, DORA, EMIL, FAY, GROUP, Phone, Travelling, World


def test_nothing_is_due_for_ever_where_encryption_is_ended() -> None:
    """Somebody leaves a group that is ended: nobody commits it now, and nobody asks to be woken for it again and again."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ana.change(GROUP, EndEncryption())
    world.run()
    cleo.change(GROUP, Leave())
    world.run()
    world.pass_time(60_000)
    for phone in (ana, ben):
        assert phone.timer().wake_at is None or phone.timer().wake_at > world.now


def test_sr05_no_header_of_the_envelope_makes_a_letter_a_repeat() -> None:
    """SR-05: a network that adds Original-Message-ID would have a new letter taken for one that was read before."""
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    ana.write(GROUP, "first")
    world.run()
    first = ben.told(LetterReceived)[0].message_id

    def relabelled(travelling: Travelling) -> bool:
        packet = travelling.packet
        if travelling.to is ben and packet.content_type == APPLICATION:
            headers = (*packet.headers, PacketHeader(NAMESPACE, ORIGINAL_MESSAGE_ID, first))
            ben.receive(replace(packet, headers=headers), travelling.sender)
            return True
        return False

    world.drop = relabelled
    ana.write(GROUP, "second")
    world.run()
    second = ben.told(LetterReceived)[1]
    assert second.root == second.message_id != first


def test_sr04_another_key_under_our_own_number_is_shown() -> None:
    """SR-04: a key distribution server that hands out somebody else's package for us puts that one into our place."""
    world = World()
    twin = world.phone(BEN, participant="somebody else")
    genuine = world.phone(BEN)
    world.phones.remove(genuine)
    world.phones.append(genuine)
    ana = world.phone(ANA)
    world.found(GROUP, (ANA, BEN))
    ana.upgrade(GROUP, BEN)
    world.run()
    seen = [one for one in genuine.told(KeysSeen) if one.number == BEN]
    assert [(one.spki, one.before) for one in seen] == [(key_pair("somebody else").spki, genuine.participant.spki)]
    assert [one.number for one in twin.told(KeysSeen)].count(BEN) == 1


def test_a_welcome_that_nobody_can_open_does_not_keep_two_apart() -> None:
    """The key distribution server gave Ana a package that is not Ben's; Ben tries at the same time, and Ana's wins."""
    world = World()
    twin = world.phone(BEN, participant="somebody else")
    others = world.pools.pop((BEN, twin.device))
    world.phones.remove(twin)
    ben, ana = world.phone(BEN), world.phone(ANA)
    genuine = world.pools[BEN, ben.device]
    world.pools[BEN, ben.device] = others
    ana.upgrade(Conversation(peer=BEN), BEN)
    ben.upgrade(Conversation(peer=ANA), ANA)
    world.pools[BEN, ben.device] = genuine
    world.run()
    world.pass_time(600_000)
    assert ana.view(Conversation(peer=BEN)).encrypted and ben.view(Conversation(peer=ANA)).encrypted


def test_a_commit_of_what_was_proposed_is_tried_again() -> None:
    """The focus had refused it, all the same to everybody: letters would have waited for ever."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    focus = world.groups[GROUP]
    cleo.change(GROUP, Leave())
    focus.roster.add(DORA)  # a roster that no tree can be equal to
    world.run()
    world.pass_time(60_000)
    assert ana.write(GROUP, "not yet").waits is not None
    focus.roster.discard(DORA)
    world.pass_time(900_000)
    ana.write(GROUP, "now")
    world.run()
    assert "now" in ben.read()


def test_who_stands_in_an_epoch_that_never_was_hears_of_it() -> None:
    """A focus said "accepted" to a commit that it never took: Ana goes on alone, and reads and is read all the same
    until somebody tells her. Signed receipts of a later epoch than the order knows are such a reason."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    taken: list[Packet] = []

    def swallowed(packet: Packet) -> bool:
        if packet.content_type != CLIENT_CONTROL:
            return False
        taken.append(packet)
        return True

    send = world.send
    world.send = lambda phone, packet: None if phone is ana and swallowed(packet) else send(phone, packet)  # type: ignore[method-assign]
    ana.change(GROUP, SetMetadata(subject="alone"))
    world.send = send  # type: ignore[method-assign]
    request = decode_client_message(taken[0].body, OURS.control_numbers, DEPLOYED.control)
    where = EpochIdentifier(request.era, 2, request.epoch_authenticator)
    body = encode_server_message(Accepted(request.message_id, where), OURS.control_numbers)
    ana.receive(world.down(GROUP, "ack-lie", SERVER_CONTROL, body, ()), None)
    world.run()
    assert ana.view(GROUP).epoch == 2 and ben.view(GROUP).epoch == 1
    receipts: list[Travelling] = []

    def seen(travelling: Travelling) -> bool:
        if travelling.to is ben and travelling.sender == ANA:
            receipts.append(travelling)
        return False

    world.drop = seen
    ben.write(GROUP, "where are you?")
    world.run()
    world.pass_time(300_000)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).era == 2  # never back into an epoch that was left: a new era
    # Ana's receipt of epoch 2 of the era before, once more: that epoch is over, and not to be waited for in this era.
    ben.receive(receipts[0].packet, ANA)
    asked: list[Packet] = []
    world.send = lambda phone, packet: asked.append(packet) or send(phone, packet)  # type: ignore[method-assign, func-returns-value]
    world.pass_time(600_000)
    assert [one for one in asked if one.content_type == GROUP_INFO] == []


def test_who_missed_the_revival_finds_out_by_wishing_for_one() -> None:
    """Two want encryption back; one is first, and the other had not heard of it."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    ana.change(GROUP, EndEncryption())
    world.run()
    world.drop = lambda travelling: travelling.to is cleo
    ben.change(GROUP, Revive())
    world.run()
    world.drop = lambda travelling: False
    assert not ben.view(GROUP).ended and cleo.view(GROUP).ended
    cleo.change(GROUP, Revive())
    world.run()
    world.pass_time(120_000)
    agree(ana, ben, cleo)
    assert not cleo.view(GROUP).ended
    cleo.write(GROUP, "back")
    world.run()
    assert ana.read() == ben.read() == ["back"]


def test_who_loses_a_race_to_come_in_tries_again() -> None:
    """Nobody's Welcome came. All hear the same letter and come in by external commits at once: each epoch takes one of
    them, and the others have no group to fall back upon, nor anybody else to wait for."""
    world = World()
    world.drop = lambda travelling: travelling.packet.content_type == SERVER_CONTROL and travelling.to.number != ANA
    ana, *others = world.group(ANA, BEN, CLEO, DORA, EMIL, FAY)
    world.drop = lambda travelling: False
    ana.write(GROUP, "is anybody there?")
    world.run()
    world.pass_time(300_000, step=1_000)
    assert "INCORRECT_EPOCH" in {refused.reason.name for _, refused in world.refusals}
    agree(ana, *others)
    ana.write(GROUP, "good")
    world.run()
    assert all("good" in one.read() for one in others)


def test_sr07_an_order_that_always_names_somebody_faster_is_not_believed_for_ever() -> None:
    """SR-07: each try costs a whole external commit; after a few of them another way is taken."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.drop = lambda travelling: travelling.to is cleo
    ana.change(GROUP, SetMetadata(subject="missed"))
    world.run()
    world.drop = lambda travelling: False
    tried: list[Packet] = []
    send = world.send

    def faster(phone: Phone, packet: Packet) -> None:
        if packet.content_type == GROUP_INFO:
            packet = replace(packet, body=b"")  # no page of what was missed
        if packet.content_type == CLIENT_CONTROL and phone is cleo:
            request = decode_client_message(packet.body, OURS.control_numbers, DEPLOYED.control)
            if request.operation is Operation.EXTERNAL_COMMIT:
                tried.append(packet)
                body = encode_negative_receipt(packet.message_id, "2026-11-23T05:00:00Z", ServerReason.INCORRECT_EPOCH)
                phone.receive(world.down(GROUP, f"no-{len(tried)}", "message/imdn+xml", body, ()), None)
                return
        send(phone, packet)

    world.send = faster  # type: ignore[method-assign]
    ana.write(GROUP, "do you hear?")
    world.run()
    world.pass_time(3_600_000)
    assert 1 < len(tried) <= DEPLOYED.budgets.slot_attempts
    agree(ana, ben, cleo)
    assert ana.view(GROUP).era == 2  # a new era, as whoever cannot come in by itself makes one


def test_who_was_told_three_times_that_all_is_well_asks_again_later() -> None:
    """An order shows us a history of our own, and says that it is the one there is. When it stops, a letter that cannot
    be read is what tells us; three that were asked about before, in vain, do not have us stay there for ever."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    send = world.send
    taken: list[Packet] = []

    def apart(phone: Phone, packet: Packet) -> None:
        if phone is not ana or packet.content_type not in (CLIENT_CONTROL, GROUP_INFO):
            send(phone, packet)
            return
        taken.append(packet)
        request = decode_client_message(taken[0].body, OURS.control_numbers, DEPLOYED.control)
        here = EpochIdentifier(request.era, 2, request.epoch_authenticator)
        if packet.content_type == CLIENT_CONTROL:
            body = encode_server_message(Accepted(request.message_id, here), OURS.control_numbers)
            ana.receive(world.down(GROUP, "accepted", SERVER_CONTROL, body, ()), None)
            return
        info = GroupInfoMessage(request.group_info, request.ratchet_tree, here.authenticator)
        body = encode_enhanced_group_info(EnhancedGroupInfo(here, info), OURS.control_numbers)
        ana.receive(world.down(GROUP, f"page-{len(taken)}", GROUP_INFO, body, ()), None)

    world.send = apart  # type: ignore[method-assign]
    ana.change(GROUP, SetMetadata(subject="alone"))
    ben.change(GROUP, SetMetadata(subject="ours"))
    world.run()
    for number in range(5):
        ben.write(GROUP, f"letter {number}")
        world.run()
        world.pass_time(60_000)
    assert len(taken) == 1 + DEPLOYED.budgets.park[0].count and ana.view(GROUP).health == "healthy"
    world.send = send  # type: ignore[method-assign]
    world.pass_time(3_600_000)
    ben.write(GROUP, "an hour later")
    world.run()
    world.pass_time(60_000)
    agree(ana, ben, cleo)
    ben.write(GROUP, "together")
    world.run()
    assert "together" in ana.read()


def test_who_looks_for_a_revival_applies_all_that_was_missed() -> None:
    """Encryption was ended, somebody left, and the revival that took both in could not be read for want of the proposal.
    The page has the proposal first: after it we are as ended as before, and the revival is still to come."""
    world = World()
    ana, ben, cleo, dora = world.group(ANA, BEN, CLEO, DORA)
    ana.change(GROUP, EndEncryption())
    world.run()
    world.drop = lambda travelling: travelling.to is cleo
    dora.change(GROUP, Leave())
    world.run()
    world.drop = lambda travelling: False
    ben.change(GROUP, Revive())
    world.run()
    assert not ana.view(GROUP).ended and cleo.view(GROUP).ended
    cleo.change(GROUP, Revive())
    world.run()
    world.pass_time(30_000)
    agree(ana, ben, cleo)
    assert not cleo.view(GROUP).ended and cleo.view(GROUP).health == "healthy"


def test_who_left_is_taken_out_though_another_commit_came_between() -> None:
    """An external commit takes no proposal of others with it, and who left is not there to propose it once more."""
    world = World()
    ana, ben, cleo, dora = world.group(ANA, BEN, CLEO, DORA)
    world.drop = lambda travelling: travelling.to is ana  # whose turn it is first
    dora.change(GROUP, Leave())
    world.run()
    world.drop = lambda travelling: False
    cleo.state.apply(cleo.protocol.rolled_back(cleo.state))
    cleo.timer()
    world.run()
    assert ben.view(GROUP).epoch == 2 and DORA in {member.number for member in ben.view(GROUP).members}
    world.pass_time(30_000)
    agree(ana, ben, cleo)
    assert {member.number for member in ana.view(GROUP).members} == {ANA, BEN, CLEO}
    ana.change(GROUP, SetMetadata(subject="three"))
    world.run()
    assert cleo.view(GROUP).subject == "three"


def test_whom_the_order_never_added_does_not_keep_a_new_era_from_being_made() -> None:
    """Ana was told that her commit was accepted, and believes that Dora is in the group. Nobody else does, and a new era
    with Dora in it is refused: its tree would not be the roster."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.phone(DORA)
    send = world.send
    taken: list[Packet] = []

    def swallowed(phone: Phone, packet: Packet) -> None:
        if packet.content_type == CLIENT_CONTROL:
            taken.append(packet)
        else:
            send(phone, packet)

    world.send = swallowed  # type: ignore[method-assign]
    ana.change(GROUP, AddMembers((DORA,)))
    world.send = send  # type: ignore[method-assign]
    request = decode_client_message(taken[0].body, OURS.control_numbers, DEPLOYED.control)
    where = EpochIdentifier(request.era, 2, request.epoch_authenticator)
    body = encode_server_message(Accepted(request.message_id, where), OURS.control_numbers)
    ana.receive(world.down(GROUP, "ack-lie", SERVER_CONTROL, body, ()), None)
    assert {member.number for member in ana.view(GROUP).members} == {ANA, BEN, CLEO, DORA}
    ben.write(GROUP, "where are you?")
    world.run()
    world.pass_time(600_000)
    agree(ana, ben, cleo)
    assert {member.number for member in ana.view(GROUP).members} == {ANA, BEN, CLEO}


def test_who_is_removed_while_key_packages_are_asked_for_is_about_nothing_any_more() -> None:
    """The answer comes when there is no group that they could be added to."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.phone(DORA)
    answer = world.answer
    asked: list[Request] = []
    world.answer = lambda phone, request: asked.append(request)  # type: ignore[method-assign]
    ben.change(GROUP, AddMembers((DORA,)))
    assert len(asked) == 1
    world.answer = answer  # type: ignore[method-assign]
    ana.change(GROUP, RemoveMembers((BEN,)))
    world.run()
    world.answer(ben, asked[0])
    world.run()
    assert not ben.last.packets
    agree(ana, cleo)


def test_letters_of_the_era_before_have_us_look_whether_ours_is_anybodys() -> None:
    """Late, or an order has told us alone of a new era. Three times at most, as with everything that cannot be read."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    late: list[Travelling] = []
    world.drop = lambda travelling: travelling.to is ana and not late.append(travelling)  # type: ignore[func-returns-value]
    for number in range(5):
        ben.write(GROUP, f"late {number}")
        world.run()
    world.drop = lambda travelling: False
    world.found(GROUP, (ANA, BEN, CLEO))  # the focus has lost it: a new era
    cleo.change(GROUP, SetMetadata(subject="anew"))
    world.run()
    world.pass_time(120_000)
    agree(ana, ben, cleo)
    assert ana.view(GROUP).era == 2
    before = len(ana.sent)
    for travelling in late:
        ana.receive(travelling.packet, BEN)
        world.run()
        world.pass_time(60_000)
    asked = [one for one in ana.sent[before:] if one.content_type == GROUP_INFO]
    assert len(asked) == DEPLOYED.budgets.park[0].count and ana.view(GROUP).health == "healthy"


@pytest.mark.parametrize(("lies", "within"), [(1, 10_000), (2, 60_000)])
def test_who_was_told_that_there_is_no_group_asks_again(lies: int, within: int) -> None:
    """And made a new one, which was refused: there is a group, or somebody else was faster. It is looked for at once; and
    who may not make another one so soon does not sit waiting on what the order said once."""
    world = World()
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    world.drop = lambda travelling: travelling.to is ben
    ana.change(GROUP, SetMetadata(subject="missed"))
    world.run()
    world.drop = lambda travelling: False
    send = world.send
    told: list[str] = []

    def lied(phone: Phone, packet: Packet) -> None:
        if phone is ben and packet.content_type == GROUP_INFO and len(told) < lies:
            told.append(packet.message_id)
            reason = ServerReason.MLS_GROUP_NOT_FOUND
        elif phone is ben and packet.content_type == CLIENT_CONTROL:
            reason = ServerReason.INCORRECT_ERA
        else:
            send(phone, packet)
            return
        body = encode_negative_receipt(packet.message_id, "2026-11-23T05:00:00Z", reason)
        no = world.down(GROUP, f"no-{packet.message_id}"[:60], "message/imdn+xml", body, ())
        world.queue.append(Travelling(no, None, ben))

    world.send = lied  # type: ignore[method-assign]
    ana.write(GROUP, "are you there?")
    world.run()
    world.pass_time(within)
    assert len(told) == lies and ben.read() == ["are you there?"]
    agree(ana, ben, cleo)
