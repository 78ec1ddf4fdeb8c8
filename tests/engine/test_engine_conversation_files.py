"""Encrypted files in conversations: key and document, in whatever order they come (rcc16.md 7.3)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.conversations import BOTH, KEEP, TOY, ConversationWorld
from engine.test_engine_sealed_files import FILE as SEALED
from engine.test_engine_sealed_files import KEY
from engine.toy_conversation import RECEIPT, mask
from engine.world import ALICE, BOB, CRYPTO, Hostility, Phone
from letterlock.carriage import NetworkResult
from letterlock.codec.ft_http import RemoteFile
from letterlock.codec.mime import MimePart, encode
from letterlock.conversation_seam import ClaimOutcome, Conversation, LetterReceived, PacketHeader
from letterlock.engine.content import Delete, File, FileFormat, Reference
from letterlock.engine.content.file import express_file
from letterlock.engine.content.parts import LETTERLOCK
from letterlock.engine.conversations import arriving
from letterlock.engine.events import (
    MessageDelivered,
    MessageExpired,
    MessageFailed,
    MessageReceived,
    MessageUnreadable,
    ProtocolSwitched,
)
from letterlock.engine.record_values import Status
from letterlock.engine.step import Step, Turn
from letterlock.engine.view import Quote
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import Instant, MessageId, Rng
from letterlock.rcc16.files import SealedFile, describe, seal_file
from letterlock.rcc16.wire.content_types import FILE, FILE_INFO
from letterlock.rcc16.wire.file_info import FileInfo, encode_file_info
from letterlock.seam import State

DAY = 24 * 3_600_000
URL = "https://content.example.net/files/"


def sealed(world: ConversationWorld, name: str, size: int = 100, *, thumbnail: bool = False) -> File:
    made = seal_file(bytes(size), name, "image/png", crypto=CRYPTO, rng=world.rng)
    small = seal_file(bytes(9), "thumbnail", "image/png", crypto=CRYPTO, rng=world.rng) if thumbnail else None
    return File(
        describe(len(made.ciphertext), URL + "1", None),
        None if small is None else describe(len(small.ciphertext), URL + "2", None),
        sealed=made.metadata,
        sealed_thumbnail=None if small is None else small.metadata,
    )


def settled() -> tuple[ConversationWorld, Phone, Phone]:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    alice.send(BOB, "begin")
    world.run()
    return world, alice, bob


def files_of(phone: Phone) -> list[File]:
    found = [phone.engine.view(phone.state, BOB if phone.number == ALICE else ALICE, m) for m in history(phone)]
    return [message.content for message in found if isinstance(message.content, File)]


def history(phone: Phone) -> list:  # type: ignore[type-arg]
    return phone.history(BOB if phone.number == ALICE else ALICE)


def left(phone: Phone, *kinds: str) -> list[str]:
    return [name for name in phone.state.records if name.startswith(kinds)]


# --- between two of ours -----------------------------------------------------------------------------------------
def test_a_file_with_its_thumbnail_has_its_real_name_type_and_size() -> None:
    world, alice, bob = settled()
    file = sealed(world, "Crane über the pier.png", 1_234, thumbnail=True)
    message_id = alice.do(alice.engine.send, BOB, file)
    world.run()
    assert files_of(bob) == [file] == files_of(alice)
    event = bob.told(MessageReceived)[-1]
    assert event.content is not None
    assert (event.content["name"], event.content["content_type"], event.content["size"]) == (
        "Crane über the pier.png",
        "image/png",
        1_234,
    )
    assert alice.told(MessageDelivered)[-1].message_id == message_id
    assert len(alice.told(MessageDelivered)) == 2  # of the text and of the file; that a key came says nothing
    assert not left(alice, "packet/") and not left(bob, "key-came/", "key-waited-for/")


def test_a_file_answers_a_message() -> None:
    world, alice, bob = settled()
    asked = history(bob)[0].message_id
    file = sealed(world, "a.png")
    answer = bob.do(bob.engine.send, ALICE, replace(file, reply_to=Reference(asked)))
    world.run()
    for phone, other in ((alice, BOB), (bob, ALICE)):
        (found,) = [phone.engine.view(phone.state, other, m) for m in history(phone) if m.message_id == answer]
        assert found.content == replace(file, reply_to=Reference(asked, ALICE))
        assert found.reply == Quote(asked, ALICE, "begin")


def test_the_key_goes_first_and_apart_from_the_document() -> None:
    world, alice, _ = settled()
    count = len(world.sent)
    alice.do(alice.engine.send, BOB, sealed(world, "a.png"))
    world.run()
    letters = [json.loads(mask(out.body)) for phone, out in world.sent[count:] if phone is alice]
    entities = [bytes.fromhex(letter["entity"]) for letter in letters if "entity" in letter]
    assert len(entities) == 2
    assert FILE_INFO.encode() in entities[0] and b"attachment" in entities[0] and b"a.png" in entities[0]
    assert b"<file-name>encrypted_file</file-name>" in entities[1] and FILE.encode() in entities[1]
    assert b"image/png" not in entities[1]
    assert not any("File-Info" in header for letter in letters for each in letter.get("headers", ()) for header in each)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_network_does_each_file_comes_once_with_its_own_key(seed: int) -> None:
    """SR-05, SR-06."""
    world = ConversationWorld(seed=seed)
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    alice.send(BOB, "begin")
    world.run()
    world.hostility = Hostility(refuse=0.2, swallow=0.3, duplicate=0.3, longest_delay=60_000)
    made = []
    for n in range(6):
        made.append(sealed(world, f"{n}.png"))
        alice.do(alice.engine.send, BOB, made[-1])
        world.run_for(500)
    world.hostility = Hostility()
    world.run_for(6 * 3_600_000)
    assert files_of(bob) == made
    assert len([event for event in bob.told(MessageReceived) if event.content is not None]) == 6
    assert not left(alice, "packet/") and not left(bob, "key-waited-for/", "key-came/")


def test_a_key_that_could_not_be_read_is_sealed_again_with_its_document() -> None:
    world, alice, bob = settled()
    world.hostility = Hostility(swallow=1.0)
    alice.do(alice.engine.send, BOB, sealed(world, "a.png"))
    world.run_for(10)
    world.hostility = Hostility()
    (key,) = [name.split("/")[1] for name in left(alice, "key-letter/")]
    before = world.claims
    again = mask(json.dumps({"kind": "again", "of": key}).encode())
    out = next(out for phone, out in world.sent if phone is bob and out.content_type == RECEIPT)
    world.inject(alice, BOB, replace(out, message_id=MessageId("again-1"), body=again))
    world.run_for(10)
    assert len(left(alice, "key-letter/")) == 2
    world.run_for(3_600_000)
    assert [file.name for file in files_of(bob)] == ["a.png"] and world.claims == before
    assert not left(alice, "packet/", "again/") and not left(bob, "key-came/", "key-waited-for/")


def test_a_key_that_the_network_refuses_fails_the_file() -> None:
    world, alice, _ = settled()
    message_id = alice.do(alice.engine.send, BOB, sealed(world, "a.png"))
    (key,) = [name.split("/")[1] for name in left(alice, "key-letter/")]
    (row,) = [effect.row for effect in alice.todo if key in getattr(effect, "row", "")]
    alice.do(alice.engine.on_network, row, NetworkResult(False, 403, "Forbidden"))
    assert [(event.message_id, event.status) for event in alice.told(MessageFailed)] == [(message_id, 403)]
    assert history(alice)[-1].status is Status.FAILED


def test_deleted_with_its_key() -> None:
    world, alice, bob = settled()
    file = sealed(world, "a.png")
    message_id = alice.do(alice.engine.send, BOB, file)
    world.run()
    alice.do(alice.engine.send, BOB, Delete(message_id))
    world.run()
    assert file.sealed is not None
    assert not [data for phone in (alice, bob) for data in phone.state.records.values() if b"a.png" in data]


# --- of others -----------------------------------------------------------------------------------------------------
def _letter(message_id: str, part: MimePart, *, of: str = "", device: bytes = b"d" * 16) -> LetterReceived:
    headers = (PacketHeader(LETTERLOCK, "Key-Of", of),) if of else ()
    known = MessageId(message_id)
    return LetterReceived(Conversation(peer=ALICE), ALICE, device, known, known, headers, encode(part))


def _key(made: SealedFile, message_id: str = "k", **named: str) -> LetterReceived:
    info = encode_file_info(FileInfo(file=made.metadata))
    return _letter(message_id, MimePart.of(FILE_INFO, info, disposition="attachment"), **named)  # type: ignore[arg-type]


def _document(made: SealedFile, message_id: str, media_type: str = "", name: str = "encrypted_file") -> LetterReceived:
    file = RemoteFile(len(made.ciphertext), FILE, URL + message_id, None, name)
    parts = express_file(File(file))
    return _letter(message_id, MimePart.of(media_type or parts.content_type, parts.body, disposition="inline"))


def come(phone: Phone, *letters: LetterReceived) -> None:
    def step(state: State, now: Instant, rng: Rng) -> Step[None]:
        turn = Turn(state, now, rng)
        for each in letters:
            arriving.letter(phone.engine._core, turn, ALICE, each)
        return turn.finish(None)

    phone.do(step)


def made(world: ConversationWorld, name: str, size: int) -> SealedFile:
    return seal_file(bytes(size), name, "image/png", crypto=CRYPTO, rng=world.rng)


@pytest.mark.parametrize("media_type", ["", FILE])
@pytest.mark.parametrize("turned", [False, True])
def test_a_foreign_client_names_no_message(media_type: str, turned: bool) -> None:
    world, _, bob = settled()
    one, two = made(world, "one.png", 100), made(world, "two.png", 5_000)
    letters = [_key(one, "k1"), _key(two, "k2"), _document(two, "d2", media_type), _document(one, "d1", media_type)]
    come(bob, *(letters[::-1] if turned else letters))
    assert sorted((file.name, file.file.url[-2:]) for file in files_of(bob)) == [("one.png", "d1"), ("two.png", "d2")]
    assert not left(bob, "key-came/", "key-waited-for/")


def test_a_key_for_another_message_opens_nothing() -> None:
    world, _, bob = settled()
    one = made(world, "one.png", 100)
    come(bob, _key(one, of="other"), _document(one, "d1"))
    assert files_of(bob) == []
    come(bob, _key(one, "k2", of="d1"))
    assert [file.name for file in files_of(bob)] == ["one.png"]


def test_a_repeat_of_a_key_is_not_kept() -> None:
    world, _, bob = settled()
    one = made(world, "one.png", 100)
    come(bob, _key(one, of="d1"), _document(one, "d1"), _key(one, "k2", of="d1"))
    assert len(files_of(bob)) == 1 and not left(bob, "key-came/")


def test_a_document_of_a_file_in_the_clear_is_refused() -> None:
    """RCC-7.3-01: inside the encryption, whose bytes at the server everybody can read."""
    world, _, bob = settled()
    one = made(world, "one.png", 100)
    come(bob, _key(one), _document(one, "d1", name="one.png"))
    assert files_of(bob) == []
    assert [event.reason for event in bob.told(MessageUnreadable)] == ["content:rcc16.7.3-01"]


def test_keys_of_no_file_and_broken_ones_are_nothing() -> None:
    world, _, bob = settled()
    one = made(world, "one.png", 100)
    subject = encode_file_info(FileInfo(subject=one.metadata))
    long = encode_file_info(FileInfo(file=replace(one.metadata, name="x" * 256)))
    for n, info in enumerate((subject, b"\xff\xff", b"", long)):
        come(bob, _letter(f"k{n}", MimePart.of(FILE_INFO, info)))
    assert not left(bob, "key-came/") and [m.text for m in history(bob)] == ["begin"]


def test_what_waits_is_bounded_in_number_and_time() -> None:
    """SR-08."""
    world, _, bob = settled()
    for n in range(20):
        world.now += 1
        one = made(world, f"{n}.png", 100)
        come(bob, _document(one, f"d{n}"), _key(one, f"k{n}", of="nothing"))
    assert len(left(bob, "key-came/")) == 16 == len(left(bob, "key-waited-for/"))
    assert [(event.message_id, event.reason) for event in bob.told(MessageUnreadable)] == [
        (f"d{n}", "file-key") for n in range(4)
    ]
    world.run_for(8 * DAY)
    assert not left(bob, "key-came/", "key-waited-for/")
    assert len(bob.told(MessageUnreadable)) == 20


# --- what is refused -------------------------------------------------------------------------------------------------
def test_sr01_a_sealed_file_never_goes_without_its_encryption() -> None:
    world = ConversationWorld()
    (alice,), _, _ = (
        world.person(ALICE, capability=BOTH),
        world.person(BOB, capability=TOY),
        world.person("+15550177", capability=""),
    )
    file = sealed(world, "a.png")
    alice.send(BOB, "by sessions")
    world.run()
    with pytest.raises(InputError) as refused:
        alice.do(alice.engine.send, BOB, file)
    assert refused.value.code == "input.file_sealed"
    assert alice.engine.file_format(alice.state, BOB, world.now) is FileFormat.SEALED
    other = world.accounts["+15550177"].number
    alice.do(alice.engine.open_chat, other)
    world.run()
    with pytest.raises(NotEncrypted) as choice:
        alice.send(other, "hi")
    with pytest.raises(NotEncrypted):
        alice.engine.file_format(alice.state, other, world.now)
    with pytest.raises(InputError) as refused:
        alice.do(alice.engine.send, other, file, allow=choice.value.options[0])
    assert refused.value.code == "input.file_sealed"
    alice.send(other, "hi", allow=choice.value.options[0])
    assert alice.engine.file_format(alice.state, other, world.now) is FileFormat.PLAIN


def test_sr01_the_form_of_a_file_that_waits_for_keys() -> None:
    """As its chat would go by sessions; a profile that speaks none does not guess."""
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    with pytest.raises(NotEncrypted):
        alice.engine.file_format(alice.state, BOB, world.now)
    assert alice.engine.file_format(alice.state, BOB, world.now, wait=True) is FileFormat.SEALED
    assert bob.engine.file_format(bob.state, ALICE, world.now, wait=True) is FileFormat.RCC16


def test_what_a_file_that_is_sent_has_to_be() -> None:
    world, alice, _ = settled()
    file = sealed(world, "a.png")
    assert alice.engine.file_format(alice.state, BOB, world.now) is FileFormat.RCC16
    assert file.sealed is not None
    for wrong, code in (
        (replace(file, sealed=None), "input.file_encrypted"),
        (replace(file, file=replace(file.file, name="a.png")), "input.file_name"),
        (replace(file, sealed=replace(file.sealed, name="x" * 256)), "input.file"),
        (replace(file, sealed=replace(file.sealed, name="")), "input.file"),
    ):
        with pytest.raises(InputError) as refused:
            alice.do(alice.engine.send, BOB, wrong)
        assert refused.value.code == code
    assert not alice.told(MessageExpired)


# --- the chat goes another way before its keys came ------------------------------------------------------------------
def waiting() -> tuple[ConversationWorld, Phone]:
    """Alice has written to Bob by sessions; his list is old, and the directory does not answer."""
    world = ConversationWorld()
    (alice,), _ = world.person(ALICE, capability=BOTH), world.person(BOB, capability=BOTH)
    alice.send(BOB, "begin")
    world.run()
    world.hostility = Hostility(directory_down=1.0)
    world.run_for(40 * DAY)
    return world, alice


def test_sr01_a_sealed_file_that_waits_does_not_go_into_a_chat_that_has_turned_to_rcc16() -> None:
    """Another vendor could not open it. The user is told, and what was written before and after it goes."""
    world, alice = waiting()
    alice.send(BOB, "before")
    waits = alice.do(alice.engine.send, BOB, SEALED)
    alice.send(BOB, "after")
    account = world.accounts[BOB]
    account.capability = KEEP
    tablet = world.link(account, 2)
    count = len(world.sent)
    world.hostility = Hostility()
    alice.do(alice.engine.open_chat, BOB)
    world.run_for(DAY)
    assert alice.told(ProtocolSwitched) == [ProtocolSwitched(BOB, "toy", "keep")]
    assert tablet.shown() == ["before", "after"]
    assert [(event.message_id, event.reason) for event in alice.told(MessageFailed)] == [(waits, "file-protocol")]
    assert {message.message_id: message.status for message in history(alice)}[waits] is Status.FAILED
    assert alice.chat(BOB).waiting == 0
    sent = [mask(out.body) for phone, out in world.sent[count:] if phone is alice and out.packet]
    assert not [body for body in sent if KEY.hex().encode() in body or KEY in body]


def test_sr01_nor_does_one_of_rcc16_into_a_chat_that_has_turned_to_sessions() -> None:
    world = ConversationWorld()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=KEEP)
    world.claim_outcome[BOB] = ClaimOutcome.FAILED
    alice.send(BOB, "before")
    world.run()
    waits = alice.do(alice.engine.send, BOB, sealed(world, "a.png"))
    alice.send(BOB, "after")
    assert alice.told(MessageFailed) == [] and not bob.shown()
    account = world.accounts.pop(BOB)
    world.phones.remove(bob)
    (bob,) = world.person(BOB, capability=BOTH)
    assert account is not world.accounts[BOB]
    world.now += 2 * DAY
    alice.do(alice.engine.open_chat, BOB)
    world.run_for(DAY)
    assert bob.shown() == ["before", "after"] and not files_of(bob)
    assert [(event.message_id, event.reason) for event in alice.told(MessageFailed)] == [(waits, "file-protocol")]
