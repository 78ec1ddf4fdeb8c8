"""Content in chats that the user left unencrypted: what foreign clients send and are sent (rcs.md 2.4 to 2.9)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.test_engine_content import say, shown
from engine.test_engine_order import settled
from engine.world import ALICE, BOB, Hostility, Phone, World
from letterlock.carriage import Inbound, Outbound
from letterlock.codec import cpim, imdn, iscomposing
from letterlock.codec.ft_http import MEDIA_TYPE as FILE_TYPE
from letterlock.codec.ft_http import RemoteFile
from letterlock.codec.push_location import MEDIA_TYPE as LOCATION_TYPE
from letterlock.codec.xml import XmlLimits
from letterlock.engine.content import Delete, Edit, File, Location, Reaction, Reference, Text, Unknown
from letterlock.engine.events import (
    ChangeRefused,
    MessageDeleted,
    MessageDelivered,
    MessageDisplayed,
    MessageEdited,
    MessageFailed,
    MessageReceived,
    MessageUnreadable,
    ReactionChanged,
    TypingChanged,
)
from letterlock.engine.limits import Privacy
from letterlock.engine.record_values import Status
from letterlock.engine.security import Security
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import MessageId

DAY = 86_400_000
XML = XmlLimits(4_096, 8, 64)
FILE = File(
    RemoteFile(1_234, "image/jpeg", "https://cs.example.test/f/1", 1_800_000_000_000, "grün & <b>.jpg"),
    RemoteFile(77, "image/png", "https://cs.example.test/f/1t"),
    digest="sha-256=:AAAA:",
)


def decided(phone: Phone) -> MessageId:
    """The user has decided to leave the chat with Bob unencrypted, and has written there."""
    phone.do(phone.engine.open_chat, BOB)
    phone.world.run()
    with pytest.raises(NotEncrypted) as caught:
        phone.send(BOB, "?")
    message_id = phone.send(BOB, "hello", allow=caught.value.options[0])
    phone.world.run()
    return message_id


def alone(**named: Any) -> tuple[World, Phone]:
    """Alice, and a number that no directory knows."""
    world = World(**named)
    (alice,) = world.person(ALICE)
    return world, alice


def arrives(
    phone: Phone, body: bytes, kind: str = "text/plain", message_id: str = "f-1", *headers: tuple[str, str]
) -> None:
    """A foreign client at Bob's number sends this."""
    pairs = cpim.headers(("NS", f"imdn <{cpim.IMDN}>"), *headers)
    inbound = Inbound(BOB, ALICE, MessageId(message_id), kind, body, phone.world.now, headers=pairs)
    phone.do(phone.engine.received, inbound)


def last_sent(world: World) -> Outbound:
    return world.sent[-1][1]


ASKS = ("imdn.Disposition-Notification", "positive-delivery, display")


# --- out -----------------------------------------------------------------------------------------------------
def test_what_rcs_has_values_for_goes_as_rcs() -> None:
    world, alice = alone()
    hello = decided(alice)
    arrives(alice, b"hi", message_id="Mx0123456789abcdefghijk=")
    say(alice, BOB, Reaction(Reference(MessageId("Mx0123456789abcdefghijk=")), "👍"))
    world.run()
    sent = last_sent(world)
    assert (sent.content_type, sent.body.decode(), sent.receipts) == ("text/plain", "👍", True)
    assert sent.headers[:3] == (
        ("NS", "n1 <http://www.gsma.com>"),
        ("n1.Reference-ID", "Mx0123456789abcdefghijk="),
        ("n1.Reference-Type", "+Reaction"),
    )
    say(alice, BOB, Location(1.5, -2.25, 'a "café" & <b>'))
    world.run()
    assert last_sent(world).content_type == LOCATION_TYPE
    assert b"<gml:pos>1.5 -2.25</gml:pos>" in last_sent(world).body
    say(alice, BOB, FILE)
    world.run()
    assert last_sent(world).content_type == FILE_TYPE
    assert b"https://cs.example.test/f/1" in last_sent(world).body
    reply = say(alice, BOB, Text("yes", Reference(hello)))
    world.run()
    assert (last_sent(world).message_id, last_sent(world).body) == (reply, b"yes")
    assert ("ll.Reference-Type", "Reply") in last_sent(world).headers
    say(alice, BOB, replace(FILE, digest="sha-256=:AA==:", reply_to=Reference(hello)))
    world.run()
    assert last_sent(world).content_type == FILE_TYPE
    assert [value for name, value in last_sent(world).headers if name == "NS"] == ["ll <urn:letterlock:cpim:v1>"]
    said = dict(last_sent(world).headers)
    assert said["ll.Digest"] == "sha-256=:AA==:" and said["ll.Reference-ID"] == hello


def test_what_rcs_has_no_values_for_is_a_text_for_those_who_do_not_know_better() -> None:
    world, alice = alone()
    hello = decided(alice)
    say(alice, BOB, Edit(hello, "hallo"))
    world.run()
    assert (last_sent(world).content_type, last_sent(world).body) == ("text/plain", b"hallo")
    say(alice, BOB, Delete(hello))
    world.run()
    assert last_sent(world).body == b"(a message was deleted)"
    assert shown(alice, BOB)[hello].deleted


def test_two_of_us_without_encryption_understand_each_other() -> None:
    world = World()
    (alice,) = world.person(ALICE, capability="")
    (bob,) = world.person(BOB, capability="")
    hello = decided(alice)
    say(alice, BOB, FILE)
    say(alice, BOB, Location(1, 2, "here", 3))
    say(alice, BOB, Edit(hello, "hallo"))
    say(alice, BOB, Reaction(Reference(hello), "👍"))
    world.run()
    first, file, place = shown(bob, ALICE).values()
    assert (first.text, first.original, first.encrypted) == ("hallo", "hello", False)
    assert [(mark.sender, mark.emoji) for mark in first.reactions] == [(ALICE, "👍")]
    assert file.content == FILE
    assert place.content == Location(1, 2, "here", 3)
    assert [event.encrypted for event in bob.told(MessageEdited)] == [False]
    say(alice, BOB, Delete(hello))
    world.run()
    assert shown(bob, ALICE)[hello].deleted
    assert not [name for name, data in bob.state.records.items() if b"hello" in data or b"hallo" in data]


def test_sr01_a_file_whose_bytes_are_readable_is_not_sent_into_an_encrypted_chat() -> None:
    world, (alice,), (bob,) = settled()
    count = len(world.sent)
    with pytest.raises(InputError) as caught:
        say(alice, BOB, FILE)
    assert caught.value.code == "input.file_encrypted"
    world.run_for(DAY)
    assert not [sent for _, sent in world.sent[count:] if sent.content_type == FILE_TYPE]
    assert FILE not in [message.content for message in shown(bob, ALICE).values()]


def test_sr01_what_waits_is_released_with_its_changes_or_not_at_all() -> None:
    world, (alice,), _ = settled()
    message_id = alice.send(BOB, "encrypted")
    world.run_for(DAY)
    # The keys are gone: the list that the directory has now is of another account.
    world.accounts.pop(BOB)
    (bob,) = world.person(BOB, capability="")
    alice.do(alice.engine.on_lists, BOB, [bob.account.list.encoded])
    options = alice.engine.options(alice.state, BOB)
    count = len(world.sent)
    with pytest.raises(InputError) as caught:
        say(alice, BOB, Edit(message_id, "now readable"), allow=options[0])
    assert caught.value.code == "input.target_protection"
    world.run_for(DAY)
    assert all(b"now readable" not in sent.body for _, sent in world.sent[count:])


# --- in ------------------------------------------------------------------------------------------------------
REACTION = (("NS", "n1 <http://www.gsma.com>"), ("n1.Reference-Type", "+Reaction"))


def test_reactions_of_deployed_clients_are_read() -> None:
    """rcs.md 2.9: as sourced, its assumed removal, and Google's older form."""
    _world, alice = alone()
    hello = decided(alice)
    surface = (("NS", "n2 <urn:rcs:message:reactions:>"), ("n2.Origin-Surface-Type", "1"))
    arrives(alice, "👍".encode(), "text/plain", "r-1", *REACTION, ("n1.Reference-ID", hello), *surface)
    assert [mark.emoji for mark in shown(alice, BOB)[hello].reactions] == ["👍"]
    old = (("NS", "g <urn:rcs:message:reactions:>"), ("g.In-Reply-To-Message-Id", hello))
    arrives(
        alice, "\u200a❤\u200a".encode(), "text/plain", "r-2", *old, ("g.Message-Reply-Type", "message-reaction-add")
    )
    assert [mark.emoji for mark in shown(alice, BOB)[hello].reactions] == ["👍", "❤"]
    arrives(
        alice, "\u200a❤\u200a".encode(), "text/plain", "r-3", *old, ("g.Message-Reply-Type", "message-reaction-remove")
    )
    arrives(
        alice,
        "👍".encode(),
        "text/plain;charset=utf-8",
        "r-4",
        ("NS", "n1 <http://www.gsma.com>"),
        ("n1.Reference-Type", "-Reaction"),
        ("n1.Reference-ID", hello),
    )
    assert shown(alice, BOB)[hello].reactions == ()
    assert [event.removed for event in alice.told(ReactionChanged)] == [False, False, True, True]
    assert not alice.told(MessageReceived), "a reaction is no message"


def test_unknown_kinds_are_shown_by_type_and_size_and_kept() -> None:
    _world, alice = alone()
    decided(alice)
    arrives(alice, b"{}" * 10, "application/vnd.gsma.botmessage.v1.0+json", "u-1")
    arrives(alice, b"vote", "text/plain", "u-2", ("NS", "n1 <http://www.gsma.com>"), ("n1.Reference-Type", "Poll"))
    arrives(alice, b"\xff" * 100_000, "video/mp4", "u-3")
    bot, poll, video = list(shown(alice, BOB).values())[1:]
    assert isinstance(bot.content, Unknown)
    assert (bot.content.size, bot.content.body, bot.text) == (20, b"{}" * 10, None)
    assert isinstance(poll.content, Unknown)
    assert (poll.text, [header.value for header in poll.content.headers][-1]) == ("vote", "Poll")
    assert isinstance(video.content, Unknown)
    assert (video.content.content_type, video.content.body) == ("video/mp4", None)
    assert video.content.size > 100_000 - 1
    assert len(alice.state.records[f"message/{BOB}/{video.order}"]) < 400
    kinds = [event.content["kind"] for event in alice.told(MessageReceived) if event.content is not None]
    assert kinds == ["unknown"] * 3


def test_sr01_a_ciphertext_that_is_called_text_is_not_shown_as_text() -> None:
    """SR-01, SR-14: a carrier relabelled the envelope. A legacy charset without a declaration is text all the same."""
    _world, alice = alone()
    decided(alice)
    arrives(alice, b"\x01\x16\x8f\xe2\x00\x1f" * 40, "text/plain;charset=UTF-8", "t-1")
    assert [event.reason for event in alice.told(MessageUnreadable)] == ["not_text"]
    assert not alice.told(MessageReceived)
    arrives(alice, "Grüße\r\n\taus Köln".encode("latin-1"), "text/plain", "t-2")
    arrives(alice, "Grüße \x07".encode(), "text/plain", "t-3")
    assert [event.message_id for event in alice.told(MessageReceived)] == ["t-2", "t-3"]


def test_sr05_the_network_changes_no_encrypted_message() -> None:
    world, (alice,), (bob,) = settled()
    message_id = bob.send(ALICE, "I owe you 100")
    world.run()
    mine = alice.send(BOB, "thanks")
    world.run()
    ll = ("NS", "ll <urn:letterlock:cpim:v1>")
    for n, (kind, target) in enumerate(
        (("Edit", message_id), ("Delete", message_id), ("Edit", mine), ("Delete", mine))
    ):
        arrives(
            alice, b"I owe you 1", "text/plain", f"x-{n}", ll, ("ll.Reference-ID", target), ("ll.Reference-Type", kind)
        )
    arrives(alice, "👎".encode(), "text/plain", "x-9", *REACTION, ("n1.Reference-ID", message_id))
    for message in (shown(alice, BOB)[message_id], shown(alice, BOB)[mine]):
        assert (message.deleted, message.reactions, message.edited_at) == (False, (), None)
    assert shown(alice, BOB)[message_id].text == "I owe you 100"
    assert [event.reason for event in alice.told(ChangeRefused)] == ["unencrypted"] * 5
    assert not alice.told(MessageDeleted) and not alice.told(MessageEdited) and not alice.told(ReactionChanged)


def test_sr05_a_message_in_the_clear_takes_no_changes_of_an_encrypted_one() -> None:
    """The network puts a message of its own under the id that it reads on the envelope, before the genuine one."""
    world, (alice,), (bob,) = settled()
    world.on_transmit = lambda phone, outbound: None
    message_id = bob.send(ALICE, "genuine")
    arrives(alice, b"injected", message_id=message_id)
    world.run()
    say(bob, ALICE, Edit(message_id, "genuine, edited"))
    say(bob, ALICE, Reaction(Reference(message_id), "👍"))
    answer = say(bob, ALICE, Text("as I said", Reference(message_id)))
    world.run()
    quote = shown(alice, BOB)[answer].reply
    assert quote is not None
    assert quote.text == "genuine, edited"
    texts = {
        message.encrypted: message
        for message in (
            alice.engine.view(alice.state, BOB, m) for m in alice.history(BOB) if m.message_id == message_id
        )
    }
    assert (texts[False].text, texts[False].reactions) == ("injected", ())
    assert texts[True].text == "genuine, edited"
    assert [mark.emoji for mark in texts[True].reactions] == ["👍"]


def test_a_change_in_the_clear_whose_message_is_unknown_is_told() -> None:
    _world, alice = alone()
    hello = decided(alice)
    arrives(alice, "👍".encode(), "text/plain", "r-1", *REACTION, ("n1.Reference-ID", "never-seen"))
    ll = ("NS", "ll <urn:letterlock:cpim:v1>")
    arrives(alice, b"x", "text/plain", "r-2", ll, ("ll.Reference-ID", hello), ("ll.Reference-Type", "Delete"))
    assert [(event.change, event.reason) for event in alice.told(ChangeRefused)] == [
        ("reaction", "no-message"),
        ("delete", "not-author"),
    ]
    assert shown(alice, BOB)[hello].text == "hello"
    assert not [name for name in alice.state.records if name.startswith("pending/")]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((("NS", "n1 <http://www.gsma.com>"), ("n1.Reference-Type", "+Reaction")), "content.message_id"),
        ((*REACTION, ("n1.Reference-ID", "a/b")), "content.message_id"),
        ((*REACTION, ("n1.Reference-ID", "a"), ("n1.Reference-ID", "b")), "content.header"),
        (
            (
                *REACTION,
                ("n1.Reference-ID", "a"),
                ("NS", "ll <urn:letterlock:cpim:v1>"),
                ("ll.Reference-Author", "you"),
            ),
            "content.author",
        ),
    ],
)
def test_changes_that_make_no_sense_are_shown_as_unknown(headers: tuple[tuple[str, str], ...], reason: str) -> None:
    _, alice = alone()
    decided(alice)
    arrives(alice, b"x", "text/plain", "m-1", *headers)
    content = shown(alice, BOB)[MessageId("m-1")].content
    assert isinstance(content, Unknown)
    assert content.reason == reason


# --- receipts and typing ----------------------------------------------------------------------------------------
def receipts_sent(world: World) -> list[imdn.Imdn]:
    return [imdn.decode_imdn(sent.body, XML) for _, sent in world.sent if sent.content_type == imdn.MEDIA_TYPE]


def test_receipts_go_out_when_they_are_asked_for() -> None:
    world, alice = alone()
    decided(alice)
    arrives(alice, b"hi", "text/plain", "aB~3-Z", ASKS, ("DateTime", "2026-11-23T10:00:00+02:00"))
    world.run()
    (delivered,) = receipts_sent(world)
    assert (delivered.message_id, delivered.status) == ("aB~3-Z", imdn.Status.DELIVERED)
    assert delivered.date_time == "2026-11-23T08:00:00.000Z"
    for _ in range(2):
        alice.do(alice.engine.mark_displayed, BOB, MessageId("aB~3-Z"))
    world.run()
    assert [receipt.status for receipt in receipts_sent(world)] == [imdn.Status.DELIVERED, imdn.Status.DISPLAYED]
    arrives(alice, b"hi", "text/plain", "not-asked")
    alice.do(alice.engine.mark_displayed, BOB, MessageId("not-asked"))
    world.run()
    assert len(receipts_sent(world)) == 2
    assert not [sent for _, sent in world.sent if sent.content_type == imdn.MEDIA_TYPE and sent.receipts]


@pytest.mark.parametrize("privacy", [Privacy(delivery_receipts=False, display_receipts=False)])
def test_sr18_no_receipts_for_those_who_want_none(privacy: Privacy) -> None:
    world, alice = alone(privacy=privacy)
    decided(alice)
    arrives(alice, b"hi", "text/plain", "f-1", ASKS)
    alice.do(alice.engine.mark_displayed, BOB, MessageId("f-1"))
    world.run()
    assert receipts_sent(world) == []


def test_sr18_the_network_gets_no_receipt_out_of_a_chat_that_is_not_plain() -> None:
    """Whoever injects a message into an encrypted chat, or one without a decision, does not learn whether a phone is on."""
    world, (alice,), _ = settled()
    arrives(alice, b"are you there?", "text/plain", "f-1", ASKS)
    alice.do(alice.engine.mark_displayed, BOB, MessageId("f-1"))
    world.run_for(DAY)
    assert world.plaintexts_sent == 0
    world, alice = alone()
    arrives(alice, b"are you there?", "text/plain", "f-1", ASKS)
    world.run_for(DAY)
    assert world.plaintexts_sent == 0


def test_foreign_receipts_count_for_what_they_name() -> None:
    world, alice = alone(hostility=Hostility(swallow=1.0))
    hello = decided(alice)
    world.run()

    def receipt(kind: imdn.Disposition, status: imdn.Status) -> None:
        arrives(alice, imdn.encode_imdn(imdn.Imdn(hello, "", kind, status)), imdn.MEDIA_TYPE, "i-1")

    receipt(imdn.Disposition.PROCESSING, imdn.Status.PROCESSED)
    assert shown(alice, BOB)[hello].status is Status.ACCEPTED
    receipt(imdn.Disposition.DELIVERY, imdn.Status.DELIVERED)
    receipt(imdn.Disposition.DISPLAY, imdn.Status.DISPLAYED)
    receipt(imdn.Disposition.DELIVERY, imdn.Status.FAILED)
    assert shown(alice, BOB)[hello].status is Status.DISPLAYED
    assert len(alice.told(MessageDelivered)) == len(alice.told(MessageDisplayed)) == 1
    assert not alice.told(MessageFailed)
    other = alice.send(BOB, "other")
    world.run()
    arrives(
        alice,
        imdn.encode_imdn(imdn.Imdn(other, "", imdn.Disposition.DELIVERY, imdn.Status.FORBIDDEN)),
        imdn.MEDIA_TYPE,
    )
    assert [event.reason for event in alice.told(MessageFailed)] == ["recipient"]


def test_typing_goes_both_ways_in_a_plain_chat_alone() -> None:
    world, alice = alone()
    decided(alice)
    alice.do(alice.engine.typing, BOB, True)
    world.run()
    assert last_sent(world).content_type == iscomposing.MEDIA_TYPE
    document = iscomposing.encode_iscomposing(iscomposing.IsComposing(True))
    arrives(alice, document, iscomposing.MEDIA_TYPE, "t-1")
    arrives(alice, document, iscomposing.MEDIA_TYPE, "t-2")
    assert [(event.active, event.encrypted) for event in alice.told(TypingChanged)] == [(True, False)]
    world, (alice,), _ = settled()
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED
    arrives(alice, document, iscomposing.MEDIA_TYPE, "t-1")
    assert not alice.told(TypingChanged)
