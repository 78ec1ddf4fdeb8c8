"""A group's icon beside its subject, and how who came back gets the keys of both (rcc16.md 7.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.conversation_seam import AddMembers, Conversation, MetadataChanged, SetMetadata
from letterlock.errors import DecodeError, InputError
from letterlock.rcc16.choices import OURS, Revision
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.files import seal_file
from letterlock.rcc16.metadata import Slot
from letterlock.rcc16.wire.content_types import CLIENT_CONTROL
from letterlock.rcc16.wire.control import decode_client_message
from letterlock.rcc16.wire.extensions import metadata_keys_requested
from letterlock.rcc16.wire.icon_pointer import IconPointer, decode_icon_pointer, encode_icon_pointer

from .certificates import CRYPTO
from .crooked import group_of, working
from .test_conversation_continuity import look, shut_out
from .world import ANA, BEN, CLEO, CONTROL, DORA, GROUP, Phone, World

V4 = replace(DEPLOYED, choices=replace(OURS, revision=Revision.V4))
URL = "https://content.example.net/files/1"


def icon(world: World, name: str = Slot.ICON.value, size: int = 100, url: str = URL) -> bytes:
    made = seal_file(bytes(size), name, "image/png", crypto=CRYPTO, rng=world.phones[0].rng)
    return encode_icon_pointer(IconPointer(url, made.metadata))


def icon_of(phone: Phone) -> bytes:
    with working(phone, GROUP) as work:
        return work.chat.icon


def key(pointer: bytes) -> bytes:
    return decode_icon_pointer(pointer).metadata.encryption.key_material


# --- icons ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [DEPLOYED, V4], ids=["v3", "v4"])
def test_an_icon_reaches_everybody_and_the_focus_has_no_key(settings: object) -> None:
    world = World(settings=settings)  # type: ignore[arg-type]
    ana, ben, cleo = world.group(ANA, BEN, CLEO)
    wish = icon(world)
    ben.change(GROUP, SetMetadata(subject="picnic", icon=wish))
    world.run()
    assert {icon_of(phone) for phone in (ana, ben, cleo)} == {wish}
    assert {phone.view(GROUP).subject for phone in (ana, ben, cleo)} == {"picnic"}
    assert [one for one in ana.told(MetadataChanged) if one.icon] == [MetadataChanged(GROUP, BEN, None, wish)]
    requests = [
        decode_client_message(packet.body, OURS.control_numbers, CONTROL)
        for packet in ben.sent
        if packet.content_type == CLIENT_CONTROL
    ]
    assert requests[-1].metadata is not None and requests[-1].metadata.encrypted_icon_url == URL
    assert not [packet for phone in world.phones for packet in phone.sent if key(wish) in packet.body]
    dora = world.phone(DORA)
    ana.change(GROUP, AddMembers((DORA,)))
    world.run()
    assert icon_of(dora) == wish and dora.view(GROUP).subject == "picnic"


def test_another_icon_and_none() -> None:
    world = World()
    ana, ben = world.group(ANA, BEN)
    first, second = icon(world), icon(world)
    ana.change(GROUP, SetMetadata(icon=first))
    ana.change(GROUP, SetMetadata(icon=second))  # before the first is accepted
    world.run()
    assert icon_of(ana) == icon_of(ben) == second
    ben.change(GROUP, SetMetadata(icon=b""))
    world.run()
    assert icon_of(ana) == icon_of(ben) == b""
    assert ana.told(MetadataChanged)[-1].icon == b"" == ben.told(MetadataChanged)[-1].icon


def test_icons_that_are_none() -> None:
    world = World()
    (ana, _) = world.group(ANA, BEN)
    for wrong in (b"\xff", icon(world, name="cat.png"), icon(world, size=0), icon(world, size=(256 << 10) + 1)):
        with pytest.raises(InputError):
            ana.change(GROUP, SetMetadata(icon=wrong))
    with pytest.raises(InputError):
        ana.change(GROUP, SetMetadata())
    with pytest.raises(InputError):
        ana.change(Conversation(peer=BEN), SetMetadata(icon=icon(world)))


@pytest.mark.parametrize("url", ["", "ftp://x", "https://a b", "https://\xe9", "https://" + "a" * 1_100])
def test_addresses_that_are_none(url: str) -> None:
    world = World()
    world.group(ANA, BEN)
    with pytest.raises(DecodeError):
        decode_icon_pointer(icon(world, url=url))


# --- coming back ---------------------------------------------------------------------------------------------------
def asked(phone: Phone) -> bool:
    with working(phone, GROUP) as work:
        return metadata_keys_requested(group_of(work).state.extensions)


def test_v4_who_came_back_asks_and_one_answers() -> None:
    """10.5: F007 is set, and taken out by the commit that brings the keys."""
    world = World(settings=V4)
    ana, ben, cleo = phones = world.group(ANA, BEN, CLEO)
    wish = icon(world)
    ben.change(GROUP, SetMetadata(icon=wish))
    world.run()
    shut_out(world, ana)
    with working(ana, GROUP) as work:
        work.update(icon=b"", continuity=b"")  # as on a phone that lost them
    seen: list[bool] = []
    real = world.send

    def noting(phone: Phone, packet: object) -> None:
        seen.append(phone is not ana and asked(phone))
        real(phone, packet)  # type: ignore[arg-type]

    world.send = noting  # type: ignore[method-assign,assignment]
    look(world, ben)
    assert any(seen) and not any(asked(phone) for phone in phones)
    assert ana.view(GROUP).subject == "on" and icon_of(ana) == wish
    tokens = set()
    for phone in (ana, ben, cleo):
        with working(phone, GROUP) as work:
            tokens.add(work.chat.continuity)
            assert not work.chat.asks_keys and not work.chat.gives_keys_at
    assert len(tokens) == 1


def test_v3_pushes_them_unasked_but_answers_who_asks() -> None:
    world = World()
    ana, ben, _ = world.group(ANA, BEN, CLEO)
    ben.change(GROUP, SetMetadata(subject="old"))
    world.run()
    shut_out(world, ana)
    look(world, ben)
    assert ana.view(GROUP).subject == "on" and not asked(ana)
    with working(ana, GROUP) as work:
        work.update(subject=None, asks_keys=True)
    ana.timer()
    world.run()
    world.pass_time(10_000)
    assert ana.view(GROUP).subject == "on" and not asked(ana) and not asked(ben)
