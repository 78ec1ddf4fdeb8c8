"""Sealed files in the engine: the pointer travels inside the encryption, for every device, and nowhere else (SR-01)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.test_engine_content import DAY, say, shown
from engine.test_engine_forgery import LiarKeys
from engine.test_engine_order import settled
from engine.world import ALICE, BOB, Hostility, World
from letterlock.codec.ft_http import RemoteFile
from letterlock.crypto.secret import Secret
from letterlock.engine.content import Delete, File, FileFormat, Reaction, Reference, Text, Unknown, pointed
from letterlock.engine.events import MessageFailed, MessageReceived, MessageResent, MessageSent
from letterlock.engine.view import Quote
from letterlock.errors import InputError, TrustRequired
from letterlock.files.pointer import Dimensions, FilePointer, RemoteSeal, ThumbnailPointer, encode_pointer
from letterlock.files.seal import Seal
from letterlock.ids import MessageId
from letterlock.seam import Content

KEY = b"the key of this file, 32 bytes.."
POINTER = FilePointer(
    RemoteSeal(Seal(100_000, Secret(KEY), b"d" * 32), "https://cs.example.test/f/1", 1_800_000_000_000),
    "Crane.ogg",
    "audio/ogg",
    ThumbnailPointer(
        RemoteSeal(Seal(900, Secret(b"k" * 32), b"e" * 32), "https://cs.example.test/f/1t"), Dimensions(20, 10)
    ),
    Dimensions(200, 100),
    61_500,
    bytes(range(64)),
)
FILE = pointed(POINTER)


def test_the_pointer_arrives_on_every_device_and_is_in_nothing_that_is_sent() -> None:
    world = World()
    (alice, laptop), (bob, tablet) = world.person(ALICE, 2), world.person(BOB, 2)
    alice.send(BOB, "hello")
    world.run()
    assert alice.engine.file_format(alice.state, BOB, world.now) is FileFormat.SEALED
    sent = say(alice, BOB, FILE)
    world.run()
    for phone, chat in ((alice, BOB), (laptop, BOB), (bob, ALICE), (tablet, ALICE)):
        message = shown(phone, chat)[sent]
        assert message.content == FILE and message.encrypted and message.text is None
        assert message.content_type == "application/vnd.letterlock.file"
    (told,) = [event.content for event in bob.told(MessageReceived) if event.message_id == sent]
    assert told is not None
    assert {
        name: told[name] for name in ("kind", "name", "save_as", "media", "size", "content_type", "duration_ms")
    } == {
        "kind": "file",
        "name": "Crane.ogg",
        "save_as": "Crane.ogg",
        "media": "audio",
        "size": 100_000,
        "content_type": "audio/ogg",
        "duration_ms": 61_500,
    }
    assert [event.content == told for event in laptop.told(MessageSent) if event.message_id == sent] == [True]
    for _, outbound in world.sent:
        assert not [secret for secret in (KEY, b"Crane", b"cs.example", b"audio/ogg") if secret in outbound.body]


def test_a_file_answers_a_message_on_every_device() -> None:
    """As a text does: it names what it answers, and what is shown of that is the reader's own."""
    world = World()
    (alice, laptop), (bob, tablet) = world.person(ALICE, 2), world.person(BOB, 2)
    asked = alice.send(BOB, "which one?")
    world.run()
    answer = say(bob, ALICE, replace(FILE, reply_to=Reference(asked)))
    world.run()
    for phone, chat in ((alice, BOB), (laptop, BOB), (bob, ALICE), (tablet, ALICE)):
        message = shown(phone, chat)[answer]
        assert message.content == replace(FILE, reply_to=Reference(asked, ALICE))
        assert message.reply == Quote(asked, ALICE, "which one?")
    assert [event.reply_to for event in alice.told(MessageReceived) if event.message_id == answer] == [asked]
    say(alice, BOB, Delete(asked))
    world.run()
    assert shown(alice, BOB)[answer].reply == Quote(asked, ALICE, deleted=True)
    with pytest.raises(InputError) as refused:
        say(bob, ALICE, replace(FILE, reply_to=Reference(MessageId("of-another-chat"))))
    assert refused.value.code == "input.target"


def test_a_pointer_that_cannot_be_read_is_of_a_kind_that_cannot_be_shown() -> None:
    """SR-09: with its reason; one of a later version, too."""
    good = encode_pointer(POINTER)
    lying = good[:1] + (10**6).to_bytes(8, "big") + good[9:]
    for body, reason in (
        (b"", "tls.truncated"),
        (b"\x02" + good[1:], "file.pointer.version"),
        (lying, "file.11"),
        (good + b"x", "tls.trailing"),
        (good[:-1], "tls.truncated"),
    ):
        keys = LiarKeys()
        world = World(11, keys)
        (alice,), (bob,) = world.person(ALICE), world.person(BOB)
        entity = b"Content-Type: application/vnd.letterlock.file\r\n\r\n" + body
        keys.liars[ALICE].lie = lambda content, entity=entity: Content(content.header, entity)  # type: ignore[misc]
        message_id = alice.send(BOB, "x")
        world.run_for(DAY)
        content = shown(bob, ALICE)[message_id].content
        assert isinstance(content, Unknown) and content.reason == reason, (body[:4], content)


def test_sr01_what_waits_is_never_released_in_the_clear() -> None:
    world, (alice,), _ = settled()
    world.hostility = Hostility(directory_down=1.0)
    world.run_for(40 * DAY)
    waits = say(alice, BOB, FILE)
    text = alice.send(BOB, "this may be read")
    count = len(world.sent)
    (option,) = alice.engine.options(alice.state, BOB)
    assert alice.do(alice.engine.release, BOB, option) == 1
    world.run()
    assert [(event.message_id, event.reason) for event in alice.told(MessageFailed)] == [(waits, "file-encrypted")]
    sent = {outbound.message_id: outbound.body for _, outbound in world.sent[count:]}
    assert sent[text] == b"this may be read" and waits not in sent
    assert not [body for body in sent.values() if KEY in body or b"Crane" in body]


def test_what_is_refused() -> None:
    _, (alice,), _ = settled()
    readable = File(RemoteFile(1, "x/y", "https://cs.example.test/f/2"))
    for wrong, code in (
        (readable, "input.file_encrypted"),
        (replace(FILE, file=readable.file), "input.file"),
        (replace(FILE, thumbnail=None), "input.file"),
        (pointed(replace(POINTER, content_type="Audio/OGG")), "input.file_pointer"),
        (pointed(replace(POINTER, name="x" * 256)), "input.file_pointer"),
    ):
        with pytest.raises(InputError) as refused:
            say(alice, BOB, wrong)
        assert refused.value.code == code


def test_keys_that_changed_are_the_users_business_before_the_first_byte_leaves() -> None:
    world, (alice,), (bob,) = settled()
    alice.do(alice.engine.mark_verified, BOB, bob.account.party(1).account)
    world.accounts.pop(BOB)
    (other,) = world.person(BOB)
    alice.do(alice.engine.on_lists, BOB, [other.account.list.encoded])
    with pytest.raises(TrustRequired):
        alice.engine.file_format(alice.state, BOB, world.now)


def test_it_can_be_answered_reacted_to_and_deleted() -> None:
    world, (alice,), (bob,) = settled()
    sent = say(alice, BOB, FILE)
    world.run()
    answer = say(bob, ALICE, Text("lovely", Reference(sent)))
    say(bob, ALICE, Reaction(Reference(sent), "👍"))
    world.run()
    assert [mark.emoji for mark in shown(alice, BOB)[sent].reactions] == ["👍"]
    reply = shown(alice, BOB)[answer].reply
    assert reply is not None and reply.message_id == sent and not reply.missing
    say(alice, BOB, Delete(sent))
    world.run()
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        assert shown(phone, chat)[sent].deleted
        # The key has gone with it.
        assert not [name for name, data in phone.state.records.items() if KEY in data]


def test_sr07_it_is_sent_again_to_a_device_that_could_not_read_it() -> None:
    world, (alice,), (bob,) = settled()
    bob.send(ALICE, "hello")
    world.run()
    for name in [name for name in bob.state.records if name.startswith("toy-session/")]:
        del bob.state.records[name]
    bob.state.forget_cache()
    sent = say(alice, BOB, FILE)
    world.run_for(60_000)
    assert alice.told(MessageResent) == [MessageResent(BOB, sent, 1)]
    assert shown(bob, ALICE)[sent].content == FILE
