"""Reactions, replies, edits, deletes, positions, unknown content: what each device shows of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from engine.test_engine_forgery import LiarKeys
from engine.test_engine_order import Post, settled
from engine.world import ALICE, BOB, Hostility, Phone, World
from letterlock.carriage import NetworkResult
from letterlock.engine.content import (
    Delete,
    Edit,
    Location,
    Reaction,
    Reference,
    Text,
    Unknown,
    encode,
    express,
    with_chat,
)
from letterlock.engine.events import (
    ChangeRefused,
    MessageDeleted,
    MessageEdited,
    MessageFailed,
    MessageMissing,
    MessageReceived,
    ReactionChanged,
)
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.record_values import Status
from letterlock.engine.records import message_key, order_of, place_key
from letterlock.engine.thread import Place
from letterlock.engine.view import MessageView, Quote, Reacted
from letterlock.errors import InputError, NotEncrypted
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


def forging(phone: Phone, keys: LiarKeys, content: Any) -> MessageId:
    """The phone sends a change although its engine would not: what a hostile client can do."""
    liar = keys.liars[phone.number]
    entity = encode(express(content, MessageId("x"), phone.number, 0), 0)
    if phone.device != 1:
        entity = with_chat(entity, BOB)
    liar.lie = lambda content: Content(content.header, entity)
    sent = phone.send(BOB if phone.number == ALICE else ALICE, "x")
    phone.world.run()
    liar.lie = lambda content: content
    return sent


@pytest.mark.parametrize("overtakes", [False, True])
@pytest.mark.parametrize("what", [Edit, Delete])
def test_only_the_author_changes_a_message(what: Any, overtakes: bool) -> None:
    """Bob's client sends a change of Alice's own message, which reaches her second phone before or after that."""
    keys = LiarKeys()
    world, (first, second), (bob,) = settled(2, keys=keys)
    message_id = first.send(BOB, "I never said that")
    if overtakes:
        second.online = False
    world.run()
    with pytest.raises(InputError, match="author"):
        say(bob, ALICE, what(message_id, "forged") if what is Edit else what(message_id))
    if overtakes:
        # What her first phone sent is still on its way to the second.
        on_its_way = [item for item in world.flying if item[2] is second]
        world.flying = [item for item in world.flying if item[2] is not second]
        second.online = True
    forging(bob, keys, what(message_id, "forged") if what is Edit else what(message_id))
    world.run_for(world.limits.reorder_ms + 1)
    if overtakes:
        world.flying += on_its_way
        world.run_for(DAY)
    for phone in (first, second):
        message = shown(phone, BOB)[message_id]
        assert (message.text, message.edited_at, message.deleted) == ("I never said that", None, False)
        (refused,) = phone.told(ChangeRefused)
        assert (refused.reason, refused.sender, refused.message_id) == ("not-author", BOB, message_id)
        assert not [name for name, data in phone.state.records.items() if b"forged" in data]


def test_sr05_an_encrypted_change_of_a_message_in_the_clear_is_not_made() -> None:
    """Both would be ours, the one by another phone of ours: what was said in the clear has no author to be proved."""
    keys = LiarKeys()
    world, (first, second), _ = settled(2, keys=keys)
    # As if it had been sent before there was encryption.
    (stored,) = [message for message in first.history(BOB) if message.mine and message.sender == ALICE][:1]
    first.state.commit({message_key(BOB, stored.order): dataclasses.replace(stored, encrypted=False)})
    forging(second, keys, Edit(stored.message_id, "changed"))
    world.run_for(DAY)
    assert shown(first, BOB)[stored.message_id].text == stored.text


def test_a_deleted_message_that_was_not_sent_yet_is_not_sent_any_more() -> None:
    """In the clear; an encrypted one is sent, because what follows it would wait for it."""
    world = World(hostility=Hostility(refuse=1.0))
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    with pytest.raises(NotEncrypted) as caught:
        alice.send(BOB, "?")
    message_id = alice.send(BOB, "the password is tulip", allow=caught.value.options[0])
    world.run()
    say(alice, BOB, Delete(message_id))
    count = len(world.sent)
    world.run_for(DAY)
    assert all(b"tulip" not in sent.body for _, sent in world.sent[count:])
    assert not [name for name, data in alice.state.records.items() if b"tulip" in data]


def test_what_was_deleted_before_a_device_could_read_it_is_sent_again_as_deleted() -> None:
    """It asks for it again, and gets its place without its text: nothing is missing, nothing is told."""
    world, (alice,), (bob,) = settled()
    world.on_transmit = lambda phone, outbound: NetworkResult(accepted=True)
    message_id = alice.send(BOB, "the password is tulip")
    edit = say(alice, BOB, Edit(message_id, "the password is tulip 2"))
    delete = say(alice, BOB, Delete(message_id))
    world.run()
    frames = {sent.message_id: sent for _, sent in world.sent}
    world.on_transmit = None
    for name in (message_id, edit):
        broken = dataclasses.replace(frames[name], body=frames[name].body[:-1] + b"?")
        world.inject(bob, ALICE, broken)
    world.run_for(60_000)
    assert (shown(bob, ALICE)[message_id].deleted, shown(bob, ALICE)[message_id].content) == (True, None)
    world.inject(bob, ALICE, frames[delete])
    world.run_for(60_000)
    message = shown(bob, ALICE)[message_id]
    assert (message.deleted, message.text) == (True, None)
    assert not bob.told(MessageMissing)
    assert not [name for name, data in bob.state.records.items() if b"tulip" in data]
    assert [event.text for event in bob.told(MessageReceived)][-1] is None


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


def test_sr08_what_waits_for_its_message_is_bounded() -> None:
    limits = dataclasses.replace(DEFAULTS, max_pending=3)
    world, (alice,), (bob,) = settled(limits=limits)
    post = Post(world)
    message_id = alice.send(BOB, "hello")
    edits = [say(alice, BOB, Edit(message_id, f"{n}")) for n in range(5)]
    world.run()
    for n, edit in enumerate(edits):
        post.hand_on(edit)
        world.now += limits.reorder_ms + 1
        bob.do(bob.engine.on_timer)
        assert bob.chat(ALICE).pending == min(n + 1, 3)
    assert [event.reason for event in bob.told(ChangeRefused)] == ["too-many"] * 2
    assert len([name for name in bob.state.records if name.startswith("pending/")]) == 3


def test_copies_of_our_own_are_kept_as_the_contact_got_them() -> None:
    world, (first, second), (bob,) = settled(2)
    message_id = say(first, BOB, Location(1, 2, "here"))
    reaction = say(first, BOB, Reaction(Reference(message_id), "👍"))
    world.run()
    for phone, chat in ((second, BOB), (bob, ALICE)):
        for kind, name in (("message", message_id), ("change", reaction)):
            (data,) = [
                data
                for key, data in phone.state.records.items()
                if key.startswith(f"{kind}/{chat}/") and name.encode() in data
            ]
            assert b"Letterlock-Sent" in data
            assert b"Letterlock-To" not in data


def test_a_quote_is_of_the_author_that_the_answer_names() -> None:
    """Ids are the sender's choice: a message of Bob's under the id of one of Alice's passes for nothing."""
    world, alice, bob, message_id = talk()
    answer = say(bob, ALICE, Text("yes", Reference(message_id)))
    world.run()
    (stored,) = [message for message in alice.history(BOB) if message.message_id == message_id]
    account = bob.account.account
    order = order_of(0, account, 1, 1)
    same_id = dataclasses.replace(stored, order=order, sender=BOB, mine=False, text="something else")
    alice.state.commit({message_key(BOB, order): same_id, place_key(BOB, message_id, account): Place(order, 0)})
    assert shown(alice, BOB)[answer].reply == Quote(message_id, ALICE, "hello")


def test_sr01_a_change_that_waits_is_not_released_for_a_message_that_was_encrypted() -> None:
    world, (alice,), _ = settled()
    message_id = alice.send(BOB, "encrypted")
    world.run()
    # Bob's list runs out while the directory is away: what is written waits.
    world.hostility = Hostility(directory_down=1.0)
    world.run_for(40 * DAY)
    edit = say(alice, BOB, Edit(message_id, "the password is tulip"))
    waiting = alice.send(BOB, "waits as well")
    later = say(alice, BOB, Edit(waiting, "waits as well, edited"))
    count = len(world.sent)
    (option,) = alice.engine.options(alice.state, BOB)
    assert alice.do(alice.engine.release, BOB, option) == 2
    world.run()
    bodies = {sent.message_id: sent.body for _, sent in world.sent[count:]}
    assert bodies[waiting] == b"waits as well"
    assert bodies[later] == b"waits as well, edited"
    assert edit not in bodies
    assert all(b"tulip" not in body for body in bodies.values())
    assert [(event.message_id, event.reason) for event in alice.told(MessageFailed)] == [(edit, "target-encrypted")]


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
