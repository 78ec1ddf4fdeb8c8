"""Keys of subject and icon from a Welcome, a FileInfo or a GroupContext, and what they open from the conference
(rcc16.md 2.6, 7.5): as deployed clients give them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from letterlock.codec.mime import MimePart, encode
from letterlock.conversation_seam import AddMembers, Conversation, LetterReceived, MetadataChanged, SetMetadata
from letterlock.ids import GroupId, MessageId
from letterlock.mls.wire.extensions import Extension
from letterlock.mls.wire.proposals import GroupContextExtensions
from letterlock.rcc16.choices import OURS, SharedWith
from letterlock.rcc16.conversation.described import file_keys, keys_in
from letterlock.rcc16.conversation.encrypting import encrypted
from letterlock.rcc16.conversation.posting import letter_packet
from letterlock.rcc16.conversation.settings import DEPLOYED
from letterlock.rcc16.files import seal_file
from letterlock.rcc16.metadata import Slot, context_changes, seal_subject, welcome_extensions
from letterlock.rcc16.wire.content_types import FILE_INFO
from letterlock.rcc16.wire.extensions import ICON_KEY, SUBJECT_KEY, merge, opaque_extension
from letterlock.rcc16.wire.file_info import FileInfo, FileMetadata, decode_file_metadata, encode_file_info
from letterlock.rcc16.wire.icon_pointer import IconPointer, decode_icon_pointer, encode_icon_pointer
from letterlock.rcc16.wire.secret_payload import encode_content

from .certificates import CRYPTO
from .crooked import commit_packet, group_of, working
from .test_conversation_groups import chat_of
from .world import ANA, BEN, CLEO, GROUP, Phone, Travelling, World

URL = "https://content.example.net/files/1"


def describe(phone: Phone, subject: bytes | str | None = None, icon: str | None = None) -> None:
    text = base64.b64encode(subject).decode() if isinstance(subject, bytes) else subject
    phone.do(lambda: phone.protocol.described(phone.state, GROUP, text, icon, phone.world.now, phone.rng))


def made(world: World) -> tuple[Phone, Phone, bytes, bytes]:
    """Ana and Ben, with a subject and an icon: the subject's ciphertext, and the icon."""
    ana, ben = world.group(ANA, BEN)
    sealed = seal_file(bytes(100), Slot.ICON.value, "image/png", crypto=CRYPTO, rng=ana.rng)
    icon = encode_icon_pointer(IconPointer(URL, sealed.metadata))
    ana.change(GROUP, SetMetadata(subject="picnic", icon=icon))
    world.run()
    subject = chat_of(ana).subject
    assert subject is not None and chat_of(ana).icon == icon
    return ana, ben, subject.ciphertext, icon


def only_control(of: Phone) -> Callable[[Travelling], bool]:
    return lambda travelling: travelling.to is of and travelling.packet.content_type == "message/mls"


@pytest.mark.parametrize("first", ["description", "welcome"])
def test_who_comes_in_reads_the_subject_by_the_key_in_its_welcome(first: str) -> None:
    """No member pushes anything here: the Welcome's F003 and F005, and what the conference says, are enough."""
    world = World()
    ana, _, ciphertext, icon = made(world)
    cleo = world.phone(CLEO)
    world.drop = only_control(cleo)
    if first == "description":
        describe(cleo, ciphertext, URL)
    ana.change(GROUP, AddMembers((CLEO,)))
    world.run()
    if first == "welcome":
        assert cleo.view(GROUP).subject == ""
        describe(cleo, ciphertext, URL)
    assert cleo.view(GROUP).subject == "picnic" and chat_of(cleo).icon == icon
    told = cleo.told(MetadataChanged)
    assert {(one.by, one.subject, one.icon) for one in told} == {(None, "picnic", None), (None, None, icon)}
    describe(cleo, ciphertext, URL)
    assert cleo.told(MetadataChanged) == told


def test_a_file_info_without_our_headers_is_no_letter_and_opens_what_is_described() -> None:
    """As deployed clients send it: the keys alone."""
    world = World()
    ana, ben, ciphertext, icon = made(world)
    forget(ben)
    info = FileInfo(subject=key_of(ana), icon=decode_icon_pointer(icon).metadata)
    with working(ana, GROUP) as work:
        entity = encode(MimePart.of(FILE_INFO, encode_file_info(info), disposition="attachment"))
        group = group_of(work)
        body = encrypted(work, group, 1, MessageId("info-1"), encode_content((), entity))
        packet = letter_packet(work, MessageId("info-1"), body, 1, group.epoch_authenticator, None)
    ben.receive(packet, ANA)
    assert not ben.told(LetterReceived) and ben.view(GROUP).subject == ""
    describe(ben, ciphertext, URL)
    assert ben.view(GROUP).subject == "picnic" and chat_of(ben).icon == icon


def key_of(phone: Phone) -> FileMetadata:
    subject = chat_of(phone).subject
    assert subject is not None
    return decode_file_metadata(subject.key)


def forget(phone: Phone) -> None:
    with working(phone, GROUP) as work:
        work.update(subject=None, icon=b"", keys=())


def test_keys_in_the_group_context_are_read_and_never_written() -> None:
    """Deployed v3.0 clients put them there, where the focus reads them too (rcc16.md 7.5)."""
    world = World()
    ana, ben = world.group(ANA, BEN)
    sealed = seal_subject("picnic", crypto=CRYPTO, rng=ana.rng)
    changes = context_changes(Slot.SUBJECT, sealed.metadata, replace(OURS, metadata_keys_with=SharedWith.SERVERS))
    with working(ana, GROUP) as work:
        extensions = merge(group_of(work).state.extensions, changes)
    packet, _ = commit_packet(ana, GROUP, [GroupContextExtensions(extensions)])
    ben.receive(packet, None)
    describe(ben, sealed.ciphertext)
    assert ben.view(GROUP).subject == "picnic"
    ours = context_changes(Slot.SUBJECT, sealed.metadata, OURS)
    assert ours[SUBJECT_KEY] is None


def test_what_the_focus_describes_otherwise_is_not_shown() -> None:
    """SR-04: ciphertext of another key, and a key that the group has not committed to."""
    world = World()
    ana, ben, ciphertext, icon = made(world)
    forget(ben)
    other = seal_subject("poker", crypto=CRYPTO, rng=ana.rng)
    with working(ben, GROUP) as work:
        file_keys(work, (other.metadata, key_of(ana), decode_icon_pointer(icon).metadata))
    for lie in (other.ciphertext, ciphertext[:-1], b"x", "no base64", "", bytes(5_000)):
        describe(ben, lie, "file:///etc/passwd")
        assert ben.view(GROUP).subject == "" and not chat_of(ben).icon
    describe(ben, ciphertext)
    assert ben.view(GROUP).subject == "picnic"


def test_the_address_that_a_member_named_stays() -> None:
    world = World()
    _, ben, ciphertext, icon = made(world)
    told = len(ben.told(MetadataChanged))
    describe(ben, ciphertext, "https://elsewhere.example.net/")
    assert chat_of(ben).icon == icon and len(ben.told(MetadataChanged)) == told


def test_four_keys_of_each_are_kept_the_newest() -> None:
    world = World()
    ana, _ = world.group(ANA, BEN)
    subjects = [seal_subject(f"subject {number}", crypto=CRYPTO, rng=ana.rng).metadata for number in range(6)]
    icon = seal_file(b"x", Slot.ICON.value, "image/png", crypto=CRYPTO, rng=ana.rng).metadata
    wrong = seal_file(b"x", "holiday.jpg", "image/png", crypto=CRYPTO, rng=ana.rng).metadata
    with working(ana, GROUP) as work:
        file_keys(work, (icon, *subjects, subjects[3], wrong, None))
        kept = [decode_file_metadata(each) for each in work.chat.keys]
    assert kept == [subjects[2], subjects[4], subjects[5], subjects[3], icon]


def test_keys_that_cannot_be_read_are_left_out() -> None:
    world = World()
    ana, _ = world.group(ANA, BEN)
    metadata = seal_subject("picnic", crypto=CRYPTO, rng=ana.rng).metadata
    assert keys_in(welcome_extensions(metadata, None, b"")) == (metadata,)
    assert keys_in((opaque_extension(SUBJECT_KEY, bytes(32)), Extension(ICON_KEY, b"\x40"))) == ()


def test_strangers_are_described_in_bounds() -> None:
    """SR-08: whoever names conferences to us fills no store."""
    world = World()
    ana = world.phone(ANA)
    for number in range(DEPLOYED.max_strangers + 20):
        conversation = Conversation(group=GroupId(number.to_bytes(16, "big")))
        ana.do(lambda where=conversation: ana.protocol.described(ana.state, where, "AAAA", URL, world.now, ana.rng))
    found = [name for name in ana.state.rows if name.startswith("rcc16-chat/")]
    assert len(found) == DEPLOYED.max_strangers
