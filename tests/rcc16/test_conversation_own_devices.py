"""Devices of our own number: another one comes into what there is, and one is taken out (SR-22)."""

from __future__ import annotations

import pytest

from letterlock.conversation_seam import AddMembers, RemoveDevice, RosterChanged, Waits
from letterlock.errors import InputError
from letterlock.rcc16.conversation.members import device_id

from .world import ANA, BEN, CLEO, GROUP, Phone, World


def _id(phone: Phone) -> bytes:
    leaf = phone.protocol.enrolment.leaf_key(phone.state)
    assert leaf is not None
    return device_id(leaf.public)


def _devices(phone: Phone) -> dict[str, int]:
    return {member.number: member.devices for member in phone.view(GROUP).members}


def test_a_second_device_comes_in_reads_and_writes_and_is_taken_out() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    tablet = world.phone(ANA)
    ana.change(GROUP, AddMembers((ANA,)))
    world.run()
    assert _devices(ben) == {ANA: 2, BEN: 1, CLEO: 1}
    ana.write(GROUP, "from the phone")
    tablet.write(GROUP, "from the tablet")
    world.run()
    assert tablet.read() == ["from the phone"] and ana.read() == ["from the tablet"]
    assert sorted(ben.read()) == ["from the phone", "from the tablet"]
    ana.change(GROUP, RemoveDevice(_id(tablet)))
    world.run()
    assert _devices(ben) == {ANA: 1, BEN: 1, CLEO: 1}
    ana.write(GROUP, "between us")
    world.run()
    assert "between us" in ben.read() and "between us" not in tablet.read()
    assert not [change for change in ben.told(RosterChanged) if change.removed]  # the number is still in it


def test_nothing_is_written_while_a_device_is_to_be_taken_out() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    tablet = world.phone(ANA)
    ana.change(GROUP, AddMembers((ANA,)))
    world.run()
    world.drop = lambda travelling: True
    ana.change(GROUP, RemoveDevice(_id(tablet)))
    assert ana.write(GROUP, "not yet").waits is Waits.COMMITTING
    assert not ben.read()


def test_the_device_itself_and_one_that_is_not_there() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    with pytest.raises(InputError) as refused:
        ana.change(GROUP, RemoveDevice(_id(ana)))
    assert refused.value.code == "rcc16.input.device"
    assert not ana.change(GROUP, RemoveDevice(_id(ben))).packets  # another number's devices are not ours to remove
    assert ana.write(GROUP, "as before").waits is None
