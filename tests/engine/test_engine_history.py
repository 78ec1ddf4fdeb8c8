"""What follows from a chat's messages: summaries, search texts, dividers, cards, reasons; names and decisions."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.rcc16 import BOTH, RCC16, Rcc16World
from engine.world import ALICE, BOB, CAROL, Hostility, Phone, World
from letterlock.carriage import Inbound, NetworkResult
from letterlock.engine.asides import MOST_CARDS, MOST_DIVIDERS
from letterlock.engine.content import Delete, Edit, Reaction, Reference, Text
from letterlock.engine.derived import searchable, unseen
from letterlock.engine.events import ChatNamed, SecurityChanged, VerificationWithdrawn
from letterlock.engine.history_records import ASIDE, SUMMARY, Summary, asides_key, summary_key
from letterlock.engine.record_values import Message, Status
from letterlock.engine.records import thread_key
from letterlock.engine.security import Security
from letterlock.engine.thread import Edited, Thread
from letterlock.engine.view import MessageView, _cause
from letterlock.errors import InputError, NotEncrypted
from letterlock.ids import ChatName, MessageId, Number, account_id
from letterlock.words import table


def two(**named: object) -> tuple[World, Phone, Phone]:
    world = World(**named)  # type: ignore[arg-type]
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    return world, alice, bob


def summary(phone: Phone, chat: ChatName) -> Summary:
    return phone.engine.summary(phone.state, chat)


def asides(phone: Phone, chat: ChatName) -> list[Message]:
    found = [phone.state.get(key) for key in phone.state.scan(ASIDE, f"{chat}/")]
    return [message for message in found if message is not None]


def notices(phone: Phone, chat: ChatName) -> list[tuple[str, object]]:
    views = [phone.engine.view(phone.state, chat, message) for message in asides(phone, chat)]
    return [(view.notice.key, view.notice.values.get("state")) for view in views if view.notice is not None]


def naive(phone: Phone, chat: Number) -> tuple[Summary, dict[str, str]]:
    """The same by a look at everything."""
    messages = [message for message in phone.history(chat) if message.status is not Status.MISSING]
    texts = {}
    for message in messages:
        text = searchable(message, phone.state.get(thread_key(chat, message.order)))
        if text:
            texts[f"search/{chat}/{message.order}"] = text
    orders = [message.order for message in messages]
    unread = sum(map(unseen, messages))
    return Summary(max(orders, default=""), max((message.at for message in messages), default=0), unread), texts


def kept(phone: Phone, chat: ChatName) -> tuple[Summary, dict[str, str]]:
    start = f"search/{chat}/"
    texts = {name: data.decode() for name, data in phone.state.records.items() if name.startswith(start)}
    return summary(phone, chat), texts


# --- summaries and search ----------------------------------------------------------------------------------------
def test_a_deleted_message_is_found_by_nothing() -> None:
    """Also by what an edit had made of it, and also while its own text still stands: the thread says what is shown."""
    world, alice, bob = two()
    alice.send(BOB, "the first words")
    world.run()
    (message,) = bob.history(ALICE)
    edited = Edited("a", message.message_id, "other words", message.sent_at, 1)
    assert searchable(message, None) == searchable(message, Thread()) == "the first words"
    assert searchable(message, Thread(edited=edited)) == "other words"
    assert searchable(message, Thread(deleted="b")) is None
    assert searchable(message, Thread(edited=edited, deleted="b")) is None


def test_unread_counts_what_was_received_and_not_seen() -> None:
    world, alice, bob = two()
    ids = [alice.send(BOB, f"{n}") for n in range(3)]
    world.run()
    assert (summary(bob, ALICE).unread, summary(alice, BOB).unread) == (3, 0)
    bob.do(bob.engine.mark_displayed, ALICE, ids[1])
    bob.do(bob.engine.mark_displayed, ALICE, ids[1])
    assert summary(bob, ALICE).unread == 2
    alice.do(alice.engine.send, BOB, Delete(ids[0]))
    world.run()
    assert summary(bob, ALICE).unread == 1
    bob.do(bob.engine.mark_displayed, ALICE, ids[0])
    bob.do(bob.engine.mark_displayed, ALICE, ids[2])
    assert summary(bob, ALICE).unread == 0


def test_what_was_deleted_or_edited_is_found_no_more() -> None:
    world, alice, bob = two()
    first, second = alice.send(BOB, "herring"), alice.send(BOB, "mackerel")
    world.run()
    alice.do(alice.engine.send, BOB, Edit(first, "salmon"))
    alice.do(alice.engine.send, BOB, Delete(second))
    third = alice.send(BOB, "plaice")
    alice.do(alice.engine.send, BOB, Edit(third, "turbot"))
    alice.do(alice.engine.send, BOB, Delete(third))
    world.run()
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        assert list(kept(phone, chat)[1].values()) == ["salmon"]
        assert kept(phone, chat) == naive(phone, chat)


class Histories(RuleBasedStateMachine):
    """Any mix of sending, changing, seeing, bad weather and kills: what is kept is what a look at everything gives."""

    @initialize(seed=st.integers(0, 1 << 30))
    def set_up(self, seed: int) -> None:
        self.world, self.alice, self.bob = two(seed=seed)
        self.ids: list[tuple[Phone, MessageId]] = []

    def other(self, phone: Phone) -> Number:
        return BOB if phone is self.alice else ALICE

    @rule(mine=st.booleans(), word=st.sampled_from(("red fish", "blue", "東京", "")))
    def send(self, mine: bool, word: str) -> None:
        phone = self.alice if mine else self.bob
        self.ids.append((phone, phone.send(self.other(phone), f"{word} {len(self.ids)}")))

    @rule(index=st.integers(0, 30), what=st.sampled_from(("edit", "delete", "react", "see")))
    def change(self, index: int, what: str) -> None:
        if not self.ids:
            return
        phone, message_id = self.ids[index % len(self.ids)]
        other = self.bob if phone is self.alice else self.alice
        try:
            if what == "edit":
                phone.do(phone.engine.send, self.other(phone), Edit(message_id, f"other {index}"))
            elif what == "delete":
                phone.do(phone.engine.send, self.other(phone), Delete(message_id))
            elif what == "react":
                other.do(other.engine.send, phone.number, Reaction(Reference(message_id), "👍"))
            else:
                other.do(other.engine.mark_displayed, phone.number, message_id)
        except InputError:
            pass  # deleted before, or not there yet

    @rule(ms=st.sampled_from((0, 1_000, 40_000, 700_000)))
    def wait(self, ms: int) -> None:
        self.world.run_for(ms)

    @rule(
        swallow=st.sampled_from((0.0, 0.4)), duplicate=st.sampled_from((0.0, 0.4)), delay=st.sampled_from((0, 90_000))
    )
    def weather(self, swallow: float, duplicate: float, delay: int) -> None:
        self.world.hostility = Hostility(swallow=swallow, duplicate=duplicate, longest_delay=delay)

    @rule(mine=st.booleans(), places=st.integers(1, 8))
    def kill_soon(self, mine: bool, places: int) -> None:
        victim, left = (self.alice if mine else self.bob), [places]

        def plan(phone: Phone, what: str) -> bool:
            left[0] -= phone is victim
            return phone is victim and left[0] == 0

        self.world.crash_plan = plan
        self.world.run_for(2_000)
        self.world.crash_plan = None

    @invariant()
    def what_is_kept_is_true(self) -> None:
        for phone, chat in ((self.alice, BOB), (self.bob, ALICE)):
            assert kept(phone, chat) == naive(phone, chat)


Histories.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = pytest.mark.slow(Histories.TestCase)


# --- dividers and cards --------------------------------------------------------------------------------------------
def test_a_divider_stands_where_the_protection_changed() -> None:
    world = World()
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    with pytest.raises(NotEncrypted) as caught:
        alice.send(BOB, "no")
    alice.send(BOB, "in the clear", allow=caught.value.options[0])
    world.run()
    (divider,) = asides(alice, BOB)
    assert notices(alice, BOB) == [("security-changed", "plain-rcs")]
    (message,) = alice.history(BOB)
    assert divider.order < message.order
    world.person(BOB)
    alice.do(alice.engine.on_lists, BOB, world.accounts[BOB].chain)
    world.run()
    assert notices(alice, BOB)[1:] == [("security-changed", "encrypted")]
    assert asides(alice, BOB)[-1].order > message.order
    # A look-up that comes and goes is no divider.
    alice.send(BOB, "encrypted")
    world.run()
    assert len(notices(alice, BOB)) == 2


def test_a_chat_that_was_always_encrypted_has_no_divider() -> None:
    """Also where its first messages were written before there were keys: they are encrypted, too."""
    world = World()
    (alice,) = world.person(ALICE)
    alice.send(BOB, "waits")
    world.run()
    (bob,) = world.person(BOB)
    world.run_for(world.limits.fetch_longest_ms)
    assert bob.shown() == ["waits"]
    assert (notices(alice, BOB), notices(bob, ALICE)) == ([], [])


def test_encryption_after_somebody_wrote_unencrypted_is_a_divider() -> None:
    world, alice, _ = two()
    alice.do(alice.engine.received, Inbound(BOB, ALICE, MessageId("m-1"), "text/plain", b"in the clear", 0))
    alice.send(BOB, "encrypted")
    world.run()
    assert notices(alice, BOB) == [("security-changed", "encrypted")]


def test_verification_and_its_end_are_in_the_history() -> None:
    world, alice, _ = two()
    alice.send(BOB, "hi")
    world.run()
    alice.do(alice.engine.mark_verified, BOB, world.accounts[BOB].account)
    assert alice.engine.verified_at(alice.state, BOB) == world.now
    alice.do(alice.engine.withdraw, BOB)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED
    assert alice.engine.verified_at(alice.state, BOB) == 0
    assert alice.told(VerificationWithdrawn) == [VerificationWithdrawn(BOB)]
    assert alice.told(SecurityChanged)[-1].state == "encrypted"
    assert [state for _, state in notices(alice, BOB)] == ["verified", "encrypted"]
    alice.do(alice.engine.withdraw, BOB)
    assert len(alice.told(VerificationWithdrawn)) == 1


def test_sr01_withdrawing_does_not_let_out_what_changed_keys_hold_back() -> None:
    world, alice, bob = two()
    alice.send(BOB, "hi")
    world.run()
    alice.do(alice.engine.mark_verified, BOB, world.accounts[BOB].account)
    world.phones.remove(bob)
    world.person(BOB)
    alice.do(alice.engine.on_lists, BOB, world.accounts[BOB].chain)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_LONGER_VERIFIED
    alice.do(alice.engine.withdraw, BOB)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.NO_LONGER_VERIFIED
    assert "keys-changed" in [key for key, _ in notices(alice, BOB)]


def garbage(n: int, message_id: str = "", sender: Number = ALICE) -> Inbound:
    body, name = b"not a frame %d" % n, MessageId(message_id or f"garbage-{n}")
    return Inbound(sender, BOB, name, "application/vnd.letterlock.toy", body, 0)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("no_copy", "other-keys"),
        ("other_keys", "sender-keys"),
        ("unknown_device", "device"),
        ("content:mime", "content"),
        ("malformed", "damaged"),
        ("envelope_mismatch", "damaged"),
        ("of a later version", "damaged"),
    ],
)
def test_the_cause_is_the_one_that_a_person_can_do_something_about(reason: str, cause: str) -> None:
    """Who sees "damaged" looks for a fault of the network; other keys are something to ask the sender about."""
    assert _cause(reason) == cause
    assert f"unreadable.{cause}.reason" in table()


def test_what_could_not_be_read_is_a_card_until_it_comes_again() -> None:
    world, alice, bob = two()
    alice.send(BOB, "first")
    world.run()
    late = MessageId("11111111-2222-4333-8444-555555555555")
    bob.do(bob.engine.received, garbage(1, late))
    (card,) = [message for message in asides(bob, ALICE) if message.status is Status.UNREADABLE]
    view = bob.engine.view(bob.state, ALICE, card)
    assert (view.status, view.text, view.message_id) == (Status.UNREADABLE, None, late)
    assert view.unreadable is not None
    assert (view.unreadable.cause, view.unreadable.reason) == ("damaged", "malformed")
    assert card.order > bob.history(ALICE)[-1].order
    assert kept(bob, ALICE) == naive(bob, ALICE)
    # The same id once more is the same card.
    bob.do(bob.engine.received, garbage(2, late))
    assert sum(message.status is Status.UNREADABLE for message in asides(bob, ALICE)) == 1
    alice.send(BOB, "the same again", message_id=late)
    world.run()
    assert not [message for message in asides(bob, ALICE) if message.status is Status.UNREADABLE]
    assert bob.shown() == ["first", "the same again"]


def test_sr07_sr08_a_flood_leaves_few_cards_and_strangers_none() -> None:
    world, alice, bob = two()
    alice.send(BOB, "first")
    world.run()
    for n in range(300):
        bob.do(bob.engine.received, garbage(n))
        bob.do(bob.engine.received, garbage(n, sender=CAROL))
        world.now += 400_000
    known = bob.state.get(asides_key(ALICE))
    assert known is not None
    assert len(known.cards) == MOST_CARDS
    (card,) = [message for message in asides(bob, ALICE) if message.status is Status.UNREADABLE]
    assert len(asides(bob, ALICE)) == 1 + len(known.dividers)
    unreadable = bob.engine.view(bob.state, ALICE, card).unreadable
    assert unreadable is not None and unreadable.count > MOST_CARDS
    assert not asides(bob, CAROL)
    assert [key.name for key in bob.state.scan(SUMMARY)] == [f"summary/{ALICE}"]


def test_what_came_one_after_the_other_is_one_card_that_counts() -> None:
    """Receipts and typing come as text does: nobody can tell that somebody wrote so many messages."""
    world, alice, bob = two()
    alice.send(BOB, "first")
    world.run()
    late = MessageId("11111111-2222-4333-8444-555555555555")

    def counts() -> list[int]:
        views = [bob.engine.view(bob.state, ALICE, each) for each in asides(bob, ALICE)]
        return [view.unreadable.count for view in views if view.unreadable is not None]

    for n, message_id in enumerate(("", late, "", "")):
        bob.do(bob.engine.received, garbage(n, message_id))
    assert counts() == [4]
    alice.send(BOB, "one of them after all", message_id=late)
    world.run()
    assert counts() == [3]
    # Behind a message there is another card.
    bob.do(bob.engine.received, garbage(9))
    assert counts() == [3, 1]
    assert kept(bob, ALICE) == naive(bob, ALICE)


def test_sr08_many_cards_are_bounded() -> None:
    world, alice, bob = two()
    for n in range(MOST_CARDS + 8):
        alice.send(BOB, f"{n}")
        world.run()
        bob.do(bob.engine.received, garbage(n))
        world.now += 400_000
    known = bob.state.get(asides_key(ALICE))
    assert known is not None and len(known.cards) == MOST_CARDS
    assert sum(message.status is Status.UNREADABLE for message in asides(bob, ALICE)) == MOST_CARDS


def test_sr08_dividers_are_bounded() -> None:
    world, alice, _ = two()
    alice.send(BOB, "hi")
    world.run()
    for _ in range(MOST_DIVIDERS):
        alice.do(alice.engine.mark_verified, BOB, world.accounts[BOB].account)
        alice.do(alice.engine.withdraw, BOB)
    assert len(asides(alice, BOB)) == MOST_DIVIDERS


# --- what failed ---------------------------------------------------------------------------------------------------
def failed(world: World, alice: Phone) -> MessageView:
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 403, "Forbidden") if phone is alice else None
    message_id = alice.send(BOB, "lost")
    world.run()
    world.on_transmit = None
    (view,) = alice.engine.find(alice.state, BOB, message_id)
    assert view.status is Status.FAILED
    return view


def test_a_failed_message_says_why_and_what_next() -> None:
    world, alice, _ = two()
    alice.send(BOB, "hi")
    world.run()
    alice.do(alice.engine.set_name, BOB, "Bob")
    view = failed(world, alice)
    assert view.outcome is not None
    assert view.outcome.code == "forbidden"
    assert "Bob" in view.outcome.reason
    assert "403" in view.outcome.next_step


def test_sending_again_sends_the_same_and_marks_the_old_one() -> None:
    world, alice, bob = two()
    alice.send(BOB, "hi")
    world.run()
    old = failed(world, alice)
    new = alice.do(alice.engine.resend, BOB, old.message_id)
    world.run_for(600_000)  # the one that failed is missing at Bob's, and waited for
    assert bob.shown() == ["hi", "lost"]
    (shown,) = alice.engine.find(alice.state, BOB, old.message_id)
    assert shown.superseded_by == new
    for message_id in (old.message_id, new, MessageId("none")):
        with pytest.raises(InputError) as caught:
            alice.do(alice.engine.resend, BOB, message_id)
        assert caught.value.code == "input.resend"


def test_sending_again_answers_what_is_still_there() -> None:
    """A message that answered one which was deleted meanwhile is sent without the reference, and is not refused."""
    for gone in (False, True):
        world, alice, _ = two()
        first = alice.send(BOB, "hi")
        world.run()
        world.on_transmit = lambda phone, outbound: NetworkResult(False, 403, "Forbidden")
        answer = alice.do(alice.engine.send, BOB, Text("about that", Reference(first)))
        world.run()
        world.on_transmit = None
        if gone:
            alice.do(alice.engine.send, BOB, Delete(first))
            world.run()
        new = alice.do(alice.engine.resend, BOB, answer)
        (view,) = alice.engine.find(alice.state, BOB, new)
        assert (view.reply is None) == gone


def test_sr01_sending_again_asks_as_sending_does() -> None:
    world = World()
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    with pytest.raises(NotEncrypted) as caught:
        alice.send(BOB, "no")
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 403, "Forbidden")
    message_id = alice.send(BOB, "in the clear", allow=caught.value.options[0])
    world.run()
    world.person(BOB)
    alice.do(alice.engine.on_lists, BOB, world.accounts[BOB].chain)
    world.on_transmit = None
    sent = world.plaintexts_sent
    new = alice.do(alice.engine.resend, BOB, message_id)
    world.run()
    (view,) = alice.engine.find(alice.state, BOB, new)
    assert view.encrypted
    assert world.plaintexts_sent == sent


# --- names and what waits ------------------------------------------------------------------------------------------
def test_names_are_local_bounded_and_clean() -> None:
    world, alice, _ = two()
    alice.send(BOB, "hi")
    world.run()
    sent = len(world.sent)
    alice.do(alice.engine.set_name, BOB, "Bob\u202e\n Smith")
    assert alice.engine.name_of(alice.state, BOB) == "Bob Smith"
    assert alice.told(ChatNamed) == [ChatNamed(BOB, "Bob Smith")]
    for wrong in ("x" * 65, "\u202e", "\ud800"):
        with pytest.raises(InputError) as caught:
            alice.do(alice.engine.set_name, BOB, wrong)
        assert caught.value.code == "input.name"
    with pytest.raises(InputError) as caught:
        alice.do(alice.engine.set_name, CAROL, "nobody")
    assert caught.value.code == "input.chat"
    alice.do(alice.engine.set_name, BOB, "")
    assert alice.engine.name_of(alice.state, BOB) == ""
    world.run()
    assert len(world.sent) == sent


def test_what_waits_says_since_when_and_in_which_transition() -> None:
    world = World(hostility=Hostility(directory_down=1.0))
    (alice,) = world.person(ALICE)
    began = world.now
    alice.send(BOB, "one")
    world.run_for(5_000)
    alice.send(BOB, "two")
    transition, waiting, since = alice.engine.transition(alice.state, BOB)
    assert (waiting, since) == (2, began)
    world.hostility = Hostility()
    world.person(BOB)
    world.run_for(600_000)
    after, waiting, since = alice.engine.transition(alice.state, BOB)
    assert (waiting, since) == (0, 0)
    assert after == transition + 1


def test_the_summary_record_is_small() -> None:
    world, alice, _ = two()
    step = alice.engine.send(alice.state, BOB, Text("x"), world.now, world.rng)
    assert len(SUMMARY.encode(step.writes[summary_key(BOB)])) < 100


# --- the same where the protocol keeps the members ---------------------------------------------------------------------
@pytest.mark.parametrize("foreign", [False, True])
def test_withdrawing_and_dividers_in_a_conversation_of_rcc16(foreign: bool) -> None:
    world = Rcc16World()
    (alice,), (bob,) = world.person(ALICE, capability=BOTH), world.person(BOB, capability=RCC16)
    if foreign:
        world.hidden |= {ALICE, BOB}
    alice.send(BOB, "one")
    world.run()
    alice.do(alice.engine.mark_verified, BOB, account_id(alice.engine.participant(alice.state, BOB)))
    assert alice.engine.security(alice.state, BOB, world.now) is Security.VERIFIED
    assert alice.engine.verified_at(alice.state, BOB) == world.now
    alice.do(alice.engine.withdraw, BOB)
    assert alice.engine.security(alice.state, BOB, world.now) is Security.ENCRYPTED
    assert alice.engine.verified_at(alice.state, BOB) == 0
    alice.send(BOB, "two")
    world.run()
    bob.do(bob.engine.end_encryption, ALICE)
    world.run_for(5_000)
    bob.do(bob.engine.revive_encryption, ALICE)
    world.run_for(3_600_000)
    alice.send(BOB, "three")
    world.run_for(60_000)
    assert bob.shown() == ["one", "two", "three"]
    kinds = [key if state is None else state for key, state in notices(alice, BOB)]
    assert kinds == ["verified", "encrypted", "encryption-ended", "encrypted"]
    for phone, chat in ((alice, BOB), (bob, ALICE)):
        assert kept(phone, chat) == naive(phone, chat)


@pytest.mark.parametrize("kind", ["sessions", "rcc16", "group"])
def test_what_is_seen_after_its_id_was_forgotten_is_unread_no_more(kind: str) -> None:
    """Ids are remembered for three weeks; who comes back later reads all the same."""
    world: World = Rcc16World() if kind == "rcc16" else World()
    speaks = BOTH if kind == "rcc16" else None
    (alice,), (bob,) = world.person(ALICE, capability=speaks), world.person(BOB, capability=speaks)
    chat: ChatName = ALICE
    if kind == "group":
        alice.do(alice.engine.open_chat, BOB)
        bob.do(bob.engine.open_chat, ALICE)
        world.run()
        chat = alice.do(alice.engine.create_group, [BOB], "Picnic")
        world.run()
        said = alice.do(alice.engine.send, chat, Text("hi"))
    else:
        said = alice.send(BOB, "hi")
    world.run()
    assert summary(bob, chat).unread == 1
    world.run_for(world.limits.remember_ms + 2 * world.limits.prune_ms)
    bob.do(bob.engine.mark_displayed, chat, said)
    assert summary(bob, chat).unread == 0
