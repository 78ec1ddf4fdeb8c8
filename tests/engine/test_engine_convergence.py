"""Everybody who has the same messages and changes shows the same, whatever the order of their arrival.

Hypothesis writes, reacts, answers, edits and deletes from any of three devices over a network that delays, repeats
and swallows; messages come late enough that changes overtake what they are for. When it has healed, all views agree.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.test_engine_order import Post, settled
from engine.world import ALICE, BOB, Hostility, Phone, World
from letterlock.engine.content import Delete, Edit, Reaction, Reference, Text
from letterlock.engine.events import ChangeRefused, MessageDeleted
from letterlock.engine.record_values import Status
from letterlock.engine.thread import Mark, Thread
from letterlock.errors import InputError
from letterlock.ids import AccountId, MessageId, Number

DAY = 86_400_000
EMOJI = ("👍", "❤", "😂")
STORMY = Hostility(refuse=0.1, swallow=0.3, duplicate=0.3, longest_delay=90_000)


def peer(phone: Phone) -> Number:
    return BOB if phone.number == ALICE else ALICE


def views(phone: Phone) -> dict[str, Any]:
    """What a phone shows, without what differs by nature: whose device it is, when it came."""
    out: dict[str, Any] = {}
    for message in phone.history(peer(phone)):
        if message.status is Status.MISSING:
            continue
        view = phone.engine.view(phone.state, peer(phone), message)
        reply = None if view.reply is None else (view.reply.message_id, view.reply.text, view.reply.deleted)
        out[view.message_id] = (
            view.order,
            view.sender,
            view.text,
            view.original,
            view.deleted,
            frozenset((mark.sender, mark.emoji) for mark in view.reactions),
            reply,
        )
    return out


class Talk(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1 << 30))
    def set_up(self, seed: int) -> None:
        self.world = World(seed)
        self.world.person(ALICE, 2)
        self.world.person(BOB)
        self.count = itertools.count()
        self.secrets: dict[MessageId, list[str]] = {}
        self.deleted: set[MessageId] = set()
        for phone in self.world.phones:
            phone.send(peer(phone), f"hi from {phone.name}")
            self.world.run_for(DAY)

    def phone(self, index: int) -> Phone:
        return self.world.phones[index % 3]

    def target(self, phone: Phone, pick: int, *, own: bool) -> MessageId | None:
        found = [m for m in phone.history(peer(phone)) if m.status is not Status.MISSING and (m.mine or not own)]
        return found[pick % len(found)].message_id if found else None

    def say(self, phone: Phone, content: Any) -> MessageId | None:
        with contextlib.suppress(InputError):  # of a message that was deleted meanwhile
            return phone.do(phone.engine.send, peer(phone), content)
        return None

    @rule(index=st.integers(0, 2), pick=st.none() | st.integers(0, 30))
    def write(self, index: int, pick: int | None) -> None:
        phone = self.phone(index)
        text = f"secret {next(self.count):04d}"
        target = self.target(phone, pick, own=False) if pick is not None else None
        sent = self.say(phone, Text(text, Reference(target) if target else None))
        if sent is not None:
            self.secrets[sent] = [text]

    @rule(index=st.integers(0, 2), pick=st.integers(0, 30), emoji=st.sampled_from(EMOJI), remove=st.booleans())
    def react(self, index: int, pick: int, emoji: str, remove: bool) -> None:
        phone = self.phone(index)
        if (target := self.target(phone, pick, own=False)) is not None:
            self.say(phone, Reaction(Reference(target), emoji, remove))

    @rule(index=st.integers(0, 2), pick=st.integers(0, 30))
    def edit(self, index: int, pick: int) -> None:
        phone = self.phone(index)
        text = f"secret {next(self.count):04d}"
        target = self.target(phone, pick, own=True)
        if target is not None and self.say(phone, Edit(target, text)) is not None:
            self.secrets.setdefault(target, []).append(text)

    @rule(index=st.integers(0, 2), pick=st.integers(0, 30))
    def delete(self, index: int, pick: int) -> None:
        phone = self.phone(index)
        target = self.target(phone, pick, own=True)
        if target is not None and self.say(phone, Delete(target)) is not None:
            self.deleted.add(target)

    @rule(stormy=st.booleans())
    def weather(self, stormy: bool) -> None:
        self.world.hostility = STORMY if stormy else Hostility()

    @rule(ms=st.sampled_from((0, 100, 4_000, 30_000, 200_000)))
    def wait(self, ms: int) -> None:
        self.world.run_for(ms)

    @rule(index=st.integers(0, 2))
    def kill(self, index: int) -> None:
        self.world._restart(self.phone(index))

    @invariant()
    def what_is_kept_is_counted(self) -> None:
        for phone in getattr(self, "world", World()).phones:
            kept = sum(name.startswith("pending/") for name in phone.state.records)
            assert phone.chat(peer(phone)).pending == kept

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.hostility = Hostility()
        self.world.run_for(2 * DAY)
        first, *rest = (views(phone) for phone in self.world.phones)
        for other in rest:
            assert other == first
        gone = {message_id for message_id, view in first.items() if view[4]}
        assert gone == self.deleted
        for phone in self.world.phones:
            assert len(phone.told(MessageDeleted)) == len(self.deleted)
            everything = b"".join(phone.state.records.values())
            for message_id in self.deleted:
                for text in self.secrets.get(message_id, ()):
                    assert text.encode() not in everything, (phone.name, text)


Talk.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestTalk = Talk.TestCase


# --- the sets alone, with every order and repeat -----------------------------------------------------------------
def mark(account: int, emoji: str, place: int, present: bool) -> Mark:
    return Mark(AccountId(bytes((account,)) * 16), ALICE, emoji, f"{place:016x}", present)


@given(
    words=st.lists(
        st.builds(mark, st.integers(0, 1), st.sampled_from("abcdef"), st.integers(0, 30), st.booleans()),
        max_size=14,
        unique_by=lambda word: word.order,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_reactions_are_a_set_whatever_the_order_even_where_it_is_cut(words: list[Mark], seed: Any) -> None:
    """SR-08: at most three a person are remembered here, and all agree on which."""

    def after(order: list[Mark]) -> set[Mark]:
        thread = Thread()
        for word in order:
            thread = thread.with_mark(word, 3)
        assert len(thread.marks) <= 6
        return set(thread.marks)

    shuffled = [*words, *words]
    seed.shuffle(shuffled)
    assert after(words) == after(shuffled)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_order_of_a_message_two_edits_and_a_delete_shows_a_deleted_message(order: tuple[int, ...]) -> None:
    world, (alice,), (bob,) = settled()
    post = Post(world)
    message_id = alice.send(BOB, "tulip one")
    ids = [message_id]
    for content in (Edit(message_id, "tulip two"), Edit(message_id, "tulip three"), Delete(message_id)):
        ids.append(alice.do(alice.engine.send, BOB, content))
    world.run()
    world.on_transmit = lambda phone, outbound: None
    for n in order:
        post.hand_on(ids[n])
        # Patience ends after each: nothing waits in the reorder buffer.
        bob.do(bob.engine.on_timer)
        world.now += world.limits.reorder_ms + 1
        bob.do(bob.engine.on_timer)
    (message,) = [view for key, view in views(bob).items() if key == message_id]
    assert message[2:5] == (None, None, True)
    everything = b"".join(bob.state.records.values())
    assert b"tulip" not in everything
    assert not bob.told(ChangeRefused)
