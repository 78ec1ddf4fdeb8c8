"""Reactions, replies, edits, deletes, positions, unknown content: what each device shows of them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.test_engine_forgery import LiarKeys
from engine.test_engine_order import Post, settled
from engine.world import ALICE, BOB, Phone, World
from letterlock.engine.content import Delete, Edit, Location, Reaction, Reference, Text, Unknown
from letterlock.engine.events import (
    ChangeRefused,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
)
from letterlock.engine.record_values import Status
from letterlock.engine.view import MessageView, Quote, Reacted
from letterlock.errors import InputError
from letterlock.ids import MessageId, Number
from letterlock.seam import Content

DAY = 86_400_000


def shown(phone: Phone, chat: Number) -> dict[str, MessageView]:
    """The chat as it is shown, by message id."""
    return {
        message.message_id: phone.engine.view(phone.state, chat, message)
        for message in phone.history(chat)
        if message.status is not Status.MISSING
    }


def say(phone: Phone, chat: Number, content: Any, **named: Any) -> MessageId:
    return phone.do(phone.engine.send, chat, content, **named)


def talk() -> tuple[World, Phone, Phone, MessageId]:
    """Two people, and a message from Alice to Bob."""
    world, (alice,), (bob,) = settled()
    message_id = alice.send(BOB, "hello")
    world.run()
    return world, alice, bob, message_id


def test_a_reaction_is_shown_on_its_message_and_taken_away_again() -> None:
    world, alice, bob, message_id = talk()
    say(bob, ALICE, Reaction(Reference(message_id), "👍"))
    say(bob, ALICE, Reaction(Reference(message_id), "🎉"))
    say(alice, BOB, Reaction(Reference(message_id), "👍"))
    world.run()
    expected = {Reacted(BOB, False, "👍"), Reacted(BOB, False, "🎉"), Reacted(ALICE, True, "👍")}
    assert set(shown(alice, BOB)[message_id].reactions) == expected
    say(bob, ALICE, Reaction(Reference(message_id), "👍", remove=True))
    world.run()
    expected = {Reacted(BOB, False, "🎉"), Reacted(ALICE, True, "👍")}
    assert set(shown(alice, BOB)[message_id].reactions) == expected
    assert {(mark.sender, mark.emoji) for mark in shown(bob, ALICE)[message_id].reactions} == {
        (mark.sender, mark.emoji) for mark in expected
    }
    told = [(event.sender, event.emoji, event.removed) for event in alice.told(ReactionChanged)]
    assert sorted(told) == sorted([(BOB, "👍", False), (BOB, "🎉", False), (ALICE, "👍", False), (BOB, "👍", True)])
    assert bob.shown(ALICE)[-1] == "hello", "a reaction is no message"


def test_an_edit_replaces_the_text_and_keeps_the_first_one_readable() -> None:
    world, alice, bob, message_id = talk()
    first = say(alice, BOB, Edit(message_id, "hallo"))
    world.run()
    second = say(alice, BOB, Edit(message_id, "hej"))
    world.run()
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        message = shown(phone, chat)[message_id]
        assert (message.text, message.original) == ("hej", "hello")
        assert message.edited_at is not None
        assert message.content == Text("hej")
        assert [event.change_id for event in phone.told(MessageEdited)] == [first, second]


def test_a_delete_takes_the_text_out_of_every_store() -> None:
    world, alice, bob, _ = talk()
    secret = "the password is tulip"
    message_id = alice.send(BOB, secret)
    world.run()
    say(alice, BOB, Edit(message_id, secret + " 2"))
    say(alice, BOB, Edit(message_id, secret + " 3"))
    world.run()
    assert all(any(secret.encode() in data for data in phone.state.records.values()) for phone in (alice, bob))
    say(alice, BOB, Delete(message_id))
    world.run()
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        left = [name for name, data in phone.state.records.items() if secret.encode() in data]
        assert not left
        message = shown(phone, chat)[message_id]
        assert (message.deleted, message.text, message.content, message.reactions) == (True, None, None, ())
        assert len(phone.told(MessageDeleted)) == 1


def test_a_reply_shows_what_it_answers_from_the_readers_own_store() -> None:
    world, alice, bob, message_id = talk()
    answer = say(bob, ALICE, Text("hello you", Reference(message_id)))
    world.run()
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        assert shown(phone, chat)[answer].reply == Quote(message_id, ALICE, "hello")
    assert alice.told(MessageReceived)[-1].reply_to == message_id
    say(alice, BOB, Edit(message_id, "hallo"))
    world.run()
    assert shown(bob, ALICE)[answer].reply == Quote(message_id, ALICE, "hallo")
    say(alice, BOB, Delete(message_id))
    world.run()
    assert shown(bob, ALICE)[answer].reply == Quote(message_id, ALICE, deleted=True)


def test_a_reply_to_a_message_that_is_not_here_says_so() -> None:
    world, (first, second), (bob,) = settled(2)
    message_id = bob.send(ALICE, "before")
    world.run_for(DAY)
    newcomer = world.link(first.account, 3)
    world.run_for(DAY)
    answer = say(first, BOB, Text("after", Reference(message_id)))
    world.run_for(DAY)
    assert shown(newcomer, BOB)[answer].reply == Quote(message_id, missing=True)
    assert shown(second, BOB)[answer].reply == Quote(message_id, BOB, "before")


def test_changes_reach_our_other_devices() -> None:
    world, (first, second), (bob,) = settled(2)
    message_id = first.send(BOB, "hello")
    world.run()
    say(second, BOB, Edit(message_id, "hallo"))
    say(second, BOB, Reaction(Reference(message_id), "❤"))
    world.run()
    for phone, chat in ((first, BOB), (second, BOB), (bob, ALICE)):
        message = shown(phone, chat)[message_id]
        assert (message.text, [mark.emoji for mark in message.reactions]) == ("hallo", ["❤"])
    say(first, BOB, Delete(message_id))
    world.run()
    assert all(shown(phone, chat)[message_id].deleted for phone, chat in ((first, BOB), (second, BOB), (bob, ALICE)))


def test_a_position_arrives_as_one() -> None:
    world, alice, bob, _ = talk()
    message_id = say(alice, BOB, Location(48.7319640, -3.4582900, "the café «⁧by⁩ the sea»", 10))
    world.run()
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        message = shown(phone, chat)[message_id]
        assert message.content == Location(48.731964, -3.45829, "the café «⁧by⁩ the sea»", 10)
        assert message.text is None
    content = bob.told(MessageReceived)[-1].content
    assert content is not None
    assert (content["kind"], content["latitude"]) == ("location", 48.731964)


@pytest.mark.parametrize("whose", ["edit", "delete"])
def test_only_the_author_changes_a_message(whose: str) -> None:
    world, alice, bob, message_id = talk()
    change = Edit(message_id, "forged") if whose == "edit" else Delete(message_id)
    with pytest.raises(InputError, match="author"):
        say(bob, ALICE, change)
    # A client of Bob's that does not ask itself.
    forged = say(bob, ALICE, Text("x"))
    world.run()
    assert shown(alice, BOB)[forged].text == "x"


def test_what_is_sent_is_bounded() -> None:
    _, alice, _, message_id = talk()
    limit = alice.world.limits
    for content, code in (
        (Text(""), "input.text_empty"),
        (Text("\ud800"), "input.text_unicode"),
        (Text("x" * (limit.max_text + 1)), "input.text_size"),
        (Edit(message_id, ""), "input.text_empty"),
        (Reaction(Reference(message_id), ""), "input.emoji"),
        (Reaction(Reference(message_id), "👍" * 17), "input.emoji"),
        (Reaction(Reference(message_id), " 👍"), "input.emoji"),
        (Location(91, 0), "input.location"),
        (Location(0, float("nan")), "input.location"),
        (Location(0, 0, "x" * 257), "input.label"),
        (Edit(MessageId("unknown"), "x"), "input.target"),
        (Text("x", Reference(MessageId("unknown"))), "input.target"),
    ):
        with pytest.raises(InputError) as caught:
            say(alice, BOB, content)
        assert caught.value.code == code
    say(alice, BOB, Delete(message_id))
    for content in (Edit(message_id, "x"), Delete(message_id), Reaction(Reference(message_id), "👍")):
        with pytest.raises(InputError) as caught:
            say(alice, BOB, content)
        assert caught.value.code == "input.deleted"


def test_hostile_unicode_is_data() -> None:
    world, alice, bob, _ = talk()
    text = "a" + "\u0301" * 4_000 + "\u202e\u2066\x00\x1b[2J"
    message_id = say(alice, BOB, Text(text))
    world.run()
    assert shown(bob, ALICE)[message_id].text == text


def test_a_change_that_overtakes_its_message_waits_for_it() -> None:
    """Held back with what follows it, or when patience ends, kept for the message."""
    world, (alice,), (bob,) = settled()
    post = Post(world)
    message_id = alice.send(BOB, "hello")
    edit = say(alice, BOB, Edit(message_id, "hallo"))
    reaction = say(alice, BOB, Reaction(Reference(message_id), "👍"))
    world.run()
    world.on_transmit = lambda phone, outbound: None
    post.hand_on(reaction)
    post.hand_on(edit)
    world.run_for(world.limits.reorder_ms + 1)
    assert bob.chat(ALICE).pending == 2
    post.hand_on(message_id)
    assert bob.chat(ALICE).pending == 0
    message = shown(bob, ALICE)[message_id]
    assert (message.text, message.original, message.reactions) == ("hallo", "hello", (Reacted(ALICE, False, "👍"),))


def test_a_change_whose_message_never_comes_is_given_up_and_told() -> None:
    world, (alice,), (bob,) = settled()
    post = Post(world)
    message_id = alice.send(BOB, "hello")
    edit = say(alice, BOB, Edit(message_id, "hallo"))
    world.run()
    post.hand_on(edit)
    world.run_for(world.limits.pending_ms + 2 * world.limits.prune_ms)
    (refused,) = bob.told(ChangeRefused)
    assert (refused.change, refused.reason, refused.message_id) == ("edit", "no-message", message_id)
    assert bob.chat(ALICE).pending == 0
    assert not [name for name in bob.state.records if name.startswith("pending/")]
    assert not [name for name, data in bob.state.records.items() if b"hallo" in data]


def test_unknown_content_is_kept_for_whoever_knows_more() -> None:
    keys = LiarKeys()
    world = World(11, keys)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    entity = b"NS: z <urn:z>\r\nz.What: poll\r\n\r\nContent-Type: application/x-poll\r\n\r\n{yes|no}"
    keys.liars[ALICE].lie = lambda content: Content(content.header, entity)
    message_id = alice.send(BOB, "poll")
    world.run_for(DAY)
    message = shown(bob, ALICE)[message_id]
    assert isinstance(message.content, Unknown)
    assert (message.content.content_type, message.content.body) == ("application/x-poll", b"{yes|no}")
    assert [(header.namespace, header.value) for header in message.content.headers][-1] == ("urn:z", "poll")
    (stored,) = [stored for stored in bob.history(ALICE) if stored.message_id == message_id]
    assert stored.entity == entity
