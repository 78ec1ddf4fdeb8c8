"""What the simulation found (tests/rcc16_sim): each of these failed once."""

from __future__ import annotations

from dataclasses import replace

from letterlock.conversation_seam import EndEncryption, KeysSeen, Leave, LetterReceived, PacketHeader
from letterlock.rcc16.wire.content_types import APPLICATION
from letterlock.rcc16.wire.packet_headers import NAMESPACE, ORIGINAL_MESSAGE_ID

from .certificates import key_pair
from .world import ANA, BEN, CLEO, GROUP, Travelling, World


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
