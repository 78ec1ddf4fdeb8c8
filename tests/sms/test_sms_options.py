"""SR-01: a message goes by SMS by its user's choice for this chat and this transition, and in no other way."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.world import ALICE, BOB, MemoryState, Phone, World
from letterlock.carriage import Inbound, Medium, NetworkResult
from letterlock.codec import cpim, imdn
from letterlock.engine.content import Delete, Edit, Location, Reaction, Reference, Text
from letterlock.engine.effects import Transmit
from letterlock.engine.engine import Engine
from letterlock.engine.events import (
    MessageDelivered,
    MessageDisplayed,
    MessageFailed,
    MessageReceived,
    MessageSent,
    SmsFromUnknownSender,
)
from letterlock.engine.policy import PlainOption
from letterlock.engine.record_values import Status
from letterlock.engine.records import MESSAGE, chat_key
from letterlock.engine.security import Security
from letterlock.errors import InputError, LetterlockError, NotEncrypted
from letterlock.ids import MessageId, Number

DAY = 86_400_000


def keyless(sms: bool = True) -> tuple[World, Phone]:
    """Alice, and nobody at BOB's number."""
    world = World(sms=sms)
    (alice,) = world.person(ALICE)
    alice.do(alice.engine.open_chat, BOB)
    world.run()
    return world, alice


def options(phone: Phone) -> dict[str, PlainOption]:
    with pytest.raises(NotEncrypted) as caught:
        phone.send(BOB, "in the clear?")
    return {option.name: option for option in caught.value.options}  # type: ignore[attr-defined]


def state(phone: Phone) -> Security:
    return phone.engine.security(phone.state, BOB, phone.world.now)


def from_bob(text: str, message_id: str = "sms-1", **more: object) -> Inbound:
    made = Inbound(BOB, ALICE, MessageId(message_id), "text/plain;charset=UTF-8", text.encode(), 5, medium=Medium.SMS)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def receipt(message_id: str, status: imdn.Status = imdn.Status.DELIVERED, **more: object) -> Inbound:
    kind = imdn.Disposition.DISPLAY if status is imdn.Status.DISPLAYED else imdn.Disposition.DELIVERY
    body = imdn.encode_imdn(imdn.Imdn(message_id, "2026-11-23T19:00:00Z", kind, status))
    made = Inbound(BOB, ALICE, MessageId(f"r-{message_id}"), imdn.MEDIA_TYPE, body, 5, medium=Medium.SMS)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


# --- the choice --------------------------------------------------------------------------------------------------
def test_sr01_sms_is_an_option_only_where_there_is_an_account_for_it() -> None:
    assert set(options(keyless(sms=False)[1])) == {"plain-rcs"}
    world, alice = keyless()
    offered = options(alice)
    assert set(offered) == {"plain-rcs", "plain-sms"}
    assert offered["plain-rcs"].nonce != offered["plain-sms"].nonce
    world.run_for(DAY)
    assert world.sent == []


def test_sr01_the_chosen_way_is_remembered_for_the_transition() -> None:
    world, alice = keyless()
    alice.send(BOB, "first", allow=options(alice)["plain-sms"])
    assert state(alice) is Security.PLAIN_SMS
    alice.send(BOB, "second")
    alice.restart()
    alice.send(BOB, "third")
    world.run()
    assert {(out.medium, out.content_type) for _, out in world.sent} == {(Medium.SMS, "text/plain")}
    assert [message.medium for message in alice.history(BOB)] == [Medium.SMS] * 3
    assert {event.medium for event in alice.told(MessageSent)} == {"sms"}


def test_the_other_way_can_be_chosen_within_the_transition() -> None:
    world, alice = keyless()
    sms = options(alice)["plain-sms"]
    alice.send(BOB, "by rcs", allow=options(alice)["plain-rcs"])
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "the option of before", allow=sms)
    (other,) = alice.engine.options(alice.state, BOB)
    assert other.name == "plain-sms"
    alice.send(BOB, "by sms", allow=other)
    assert state(alice) is Security.PLAIN_SMS
    assert [option.name for option in alice.engine.options(alice.state, BOB)] == ["plain-rcs"]
    world.run()
    view = [alice.engine.view(alice.state, BOB, message) for message in alice.history(BOB)]
    assert [(each.text, each.medium) for each in view] == [("by rcs", Medium.RCS), ("by sms", Medium.SMS)]


def with_sms(phone: Phone) -> Engine:
    """Its engine after `letterlock sms --smsc`."""
    protocols = (phone.world.keys.protocol(phone.account, 1),)
    return Engine(phone.engine.me, phone.engine._core.crypto, protocols, sms=True)


def test_sms_can_be_chosen_where_rcs_was_chosen_before_there_was_an_account() -> None:
    _, alice = keyless(sms=False)
    alice.send(BOB, "by rcs", allow=options(alice)["plain-rcs"])
    assert alice.engine.options(alice.state, BOB) == ()
    alice.engine = with_sms(alice)
    (sms,) = alice.engine.options(alice.state, BOB)
    alice.send(BOB, "by sms", allow=sms)
    assert [message.medium for message in alice.history(BOB)] == [Medium.RCS, Medium.SMS]


def test_sms_can_be_chosen_in_a_chat_that_a_former_version_left_unencrypted() -> None:
    """That one kept no nonce once there was nothing more to choose."""
    _, alice = keyless(sms=False)
    alice.send(BOB, "by rcs", allow=options(alice)["plain-rcs"])
    chat = alice.state.get(chat_key(BOB))
    assert chat is not None
    alice.state.commit({chat_key(BOB): dataclasses.replace(chat, nonce=b"")})
    alice.engine = with_sms(alice)
    assert alice.engine.options(alice.state, BOB) == ()
    alice.do(alice.engine.open_chat, BOB)
    (sms,) = alice.engine.options(alice.state, BOB)
    assert sms.name == "plain-sms"
    assert state(alice) is Security.PLAIN_RCS


def test_sr01_an_option_of_rcs_is_none_of_sms() -> None:
    world, alice = keyless()
    offered = options(alice)
    for wrong in (
        dataclasses.replace(offered["plain-rcs"], name="plain-sms"),
        dataclasses.replace(offered["plain-sms"], name="plain-rcs"),
        dataclasses.replace(offered["plain-sms"], name="sms"),
        dataclasses.replace(offered["plain-sms"], nonce=bytes(16)),
        dataclasses.replace(offered["plain-sms"], transition=offered["plain-sms"].transition + 1),
        dataclasses.replace(offered["plain-sms"], chat=Number("+15550003")),
    ):
        with pytest.raises(NotEncrypted):
            alice.send(BOB, "no", allow=wrong)
    world.run()
    assert world.sent == []


def test_sr01_a_chat_that_was_encrypted_asks_for_every_sms() -> None:
    world = World(sms=True)
    (alice,) = world.person(ALICE)
    world.person(BOB)
    alice.send(BOB, "sealed")
    world.run()
    # Bob's directory entry runs out, and cannot be asked for.
    world.hostility.directory_down = 1.0
    world.now += 60 * DAY
    alice.do(alice.engine.open_chat, BOB)
    with pytest.raises(NotEncrypted) as caught:
        alice.send(BOB, "in the clear?", wait=False)
    sms = next(option for option in caught.value.options if option.name == "plain-sms")  # type: ignore[attr-defined]
    alice.send(BOB, "this one", allow=sms)
    with pytest.raises(NotEncrypted):
        alice.send(BOB, "and this?", wait=False)
    assert state(alice) is not Security.PLAIN_SMS
    assert [message.medium for message in alice.history(BOB) if message.text == "this one"] == [Medium.SMS]


def test_sr01_an_option_ends_when_the_chat_is_encrypted_again_by_the_clock_alone() -> None:
    world = World(sms=True)
    (alice,) = world.person(ALICE)
    world.person(BOB)
    alice.send(BOB, "sealed")
    world.run()
    before = world.now
    world.hostility.directory_down = 1.0
    world.now += 60 * DAY
    alice.do(alice.engine.open_chat, BOB)
    with pytest.raises(NotEncrypted) as caught:
        alice.send(BOB, "in the clear?", wait=False)
    assert len(caught.value.options) == 2  # type: ignore[attr-defined]
    world.now = before
    assert state(alice) is Security.ENCRYPTED
    for option in caught.value.options:  # type: ignore[attr-defined]
        with pytest.raises(NotEncrypted) as refused:
            alice.send(BOB, "in the clear", allow=option)
        assert "is encrypted now" in refused.value.hint
        with pytest.raises(NotEncrypted):
            alice.do(alice.engine.release, BOB, option)
    assert {message.encrypted for message in alice.history(BOB)} == {True}


def test_a_choice_of_sms_ends_with_the_account() -> None:
    world, alice = keyless()
    alice.send(BOB, "first", allow=options(alice)["plain-sms"])
    without = Engine(alice.engine.me, world.phones[0].engine._core.crypto, (world.keys.protocol(alice.account, 1),))
    alice.engine = without
    assert state(alice) is Security.NO_KEYS_FOUND
    assert set(options(alice)) == {"plain-rcs"}


def test_messages_that_wait_for_keys_can_be_released_as_sms() -> None:
    world = World(sms=True)
    (alice,) = world.person(ALICE)
    world.hostility.directory_down = 1.0
    alice.send(BOB, "waiting")
    waiting = alice.do(alice.engine.send, BOB, Location(1.0, 2.0, "here", 5))
    with pytest.raises(NotEncrypted) as caught:
        alice.send(BOB, "now?", wait=False)
    sms = next(option for option in caught.value.options if option.name == "plain-sms")  # type: ignore[attr-defined]
    assert alice.do(alice.engine.release, BOB, sms) == 1
    assert [event.reason for event in alice.told(MessageFailed) if event.message_id == waiting] == ["sms-only-text"]
    world.run()
    assert [(out.medium, out.body) for _, out in world.sent] == [(Medium.SMS, b"waiting")]


# --- what it carries ---------------------------------------------------------------------------------------------
def test_only_text_goes_by_sms() -> None:
    world, alice = keyless()
    first = alice.send(BOB, "first", allow=options(alice)["plain-sms"])
    world.run()
    sent = len(world.sent)
    for content in (
        Reaction(Reference(first), "👍"),
        Edit(first, "other"),
        Delete(first),
        Location(1.0, 2.0, "", 0),
        Text("an answer", Reference(first)),
    ):
        with pytest.raises(InputError) as caught:
            alice.do(alice.engine.send, BOB, content)
        assert caught.value.code == "input.sms_only_text"
    with pytest.raises(InputError) as caught:
        alice.send(BOB, "ы" * 1_400)
    assert caught.value.code == "input.sms_too_long"
    with pytest.raises(InputError):
        alice.engine.file_format(alice.state, BOB, world.now)
    alice.do(alice.engine.typing, BOB, True)
    alice.do(alice.engine.received, from_bob("hi"))
    alice.do(alice.engine.mark_displayed, BOB, MessageId("sms-1"))
    world.run_for(DAY)
    assert len(world.sent) == sent


def test_a_choice_that_carries_nothing_is_not_used_up() -> None:
    _, alice = keyless()
    sms = options(alice)["plain-sms"]
    with pytest.raises(InputError):
        alice.do(alice.engine.send, BOB, Location(1.0, 2.0, "", 0), allow=sms)
    alice.send(BOB, "text", allow=sms)


# --- receipts ----------------------------------------------------------------------------------------------------
def test_sr05_a_receipt_by_sms_is_the_networks_word_for_delivery_alone() -> None:
    world, alice = keyless()
    message_id = alice.send(BOB, "hello", allow=options(alice)["plain-sms"])
    world.run()
    alice.do(alice.engine.received, receipt(message_id, imdn.Status.DISPLAYED))
    assert alice.history(BOB)[0].status is Status.DELIVERED
    assert alice.told(MessageDisplayed) == []
    (told,) = alice.told(MessageDelivered)
    assert told.authenticated is False
    alice.do(alice.engine.received, receipt(message_id))
    assert len(alice.told(MessageDelivered)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": Number("+15550003")},
        {"sender": None, "sender_name": "BOB"},
        {"medium": Medium.RCS},
        {"recipient": Number("+15550003")},
    ],
)
def test_sr05_a_foreign_receipt_does_nothing(wrong: dict[str, object]) -> None:
    world, alice = keyless()
    message_id = alice.send(BOB, "hello", allow=options(alice)["plain-sms"])
    world.run()
    before = dict(alice.state.records)
    alice.do(alice.engine.received, receipt(message_id, **wrong))
    alice.do(alice.engine.received, receipt("not-an-id-of-ours"))
    assert alice.state.records == before


def test_sr05_a_receipt_by_sms_says_nothing_of_other_messages() -> None:
    world, alice = keyless()
    plain = alice.send(BOB, "by rcs", allow=options(alice)["plain-rcs"])
    world.run()
    alice.do(alice.engine.received, receipt(plain))
    assert alice.history(BOB)[0].status is Status.ACCEPTED
    world.person(BOB)
    world.run_for(world.limits.absent_refresh_ms)
    world.on_transmit = lambda phone, outbound: NetworkResult(True, 200)
    sealed = alice.send(BOB, "sealed")
    world.run()
    alice.do(alice.engine.received, receipt(sealed))
    assert alice.history(BOB)[1].status is Status.ACCEPTED


def test_a_refusal_of_the_smsc_ends_the_message() -> None:
    world, alice = keyless()
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 11, "ESME_RINVDSTADR", final=True)
    alice.send(BOB, "hello", allow=options(alice)["plain-sms"])
    world.run()
    (failed,) = alice.told(MessageFailed)
    assert (failed.reason, failed.status) == ("network", 11)


# --- what comes --------------------------------------------------------------------------------------------------
def test_an_sms_joins_the_chat_and_changes_nothing_of_its_encryption() -> None:
    world = World(sms=True)
    (alice,) = world.person(ALICE)
    world.person(BOB)
    alice.send(BOB, "sealed")
    world.run()
    before, events = alice.chat(BOB), len(alice.events)
    alice.do(alice.engine.received, from_bob("by sms"))
    after = alice.chat(BOB)
    # Its place in the order alone: what comes is shown behind what was there.
    assert dataclasses.replace(after, lamport=before.lamport, floor=before.floor) == before
    assert state(alice) is Security.ENCRYPTED
    (told,) = alice.events[events:]
    assert isinstance(told, MessageReceived)
    assert (told.encrypted, told.medium, told.text) == (False, "sms", "by sms")
    alice.send(BOB, "still sealed")
    world.run()
    assert world.plaintexts_sent == 0
    alice.do(alice.engine.received, from_bob("by sms"))
    assert len(alice.shown(BOB)) == 1


def test_sr01_an_sms_does_not_make_sms_the_answer() -> None:
    world, alice = keyless()
    alice.do(alice.engine.received, from_bob("hello"))
    assert set(options(alice)) == {"plain-rcs", "plain-sms"}
    world.run()
    assert world.sent == []


def test_an_sms_from_a_name_is_an_event_and_no_chat() -> None:
    _, alice = keyless()
    inbound = from_bob("your code is 1234", sender=None, sender_name="BANK\x1b[31m\u202e")
    for _ in range(2):
        alice.do(alice.engine.received, inbound)
    (told,) = alice.told(SmsFromUnknownSender)
    assert (told.sender, told.text) == ("BANK[31m", "your code is 1234")
    assert alice.shown() == []


def test_sr08_hostile_text_by_sms_is_bounded() -> None:
    _, alice = keyless()
    alice.do(alice.engine.received, from_bob("x" * 100_000))
    alice.do(alice.engine.received, from_bob("x" * 100_000, "2", sender=None, sender_name="N" * 500))
    (told,) = alice.told(SmsFromUnknownSender)
    assert (len(told.sender), len(told.text)) == (32, alice.world.limits.max_text)
    assert alice.shown() == []
    for hostile in (b"\xff\xfe", b"", b"\x00"):
        alice.do(alice.engine.received, from_bob("", f"h-{hostile.hex()}", body=hostile))


def test_what_is_no_text_shows_as_what_it_is() -> None:
    _, alice = keyless()
    alice.do(alice.engine.received, from_bob("", body=b"\x06\x05\x04", content_type="application/octet-stream"))
    (message,) = alice.history(BOB)
    assert (message.text, message.content_type, message.medium) == (None, "application/octet-stream", Medium.SMS)
    alice.do(alice.engine.received, from_bob("", "2", content_type="application/vnd.letterlock.toy"))
    assert len(alice.history(BOB)) == 1


# --- stores of before --------------------------------------------------------------------------------------------
def test_records_of_before_there_was_sms_are_of_rcs() -> None:
    _, alice = keyless(sms=False)
    alice.send(BOB, "by rcs", allow=options(alice)["plain-rcs"])
    copy = MemoryState()
    copy.records = dict(alice.state.records)
    messages = [copy.get(key) for key in alice.state.scan(MESSAGE)]
    assert [message.medium for message in messages if message] == [Medium.RCS]


# --- every state -------------------------------------------------------------------------------------------------
class Choices(RuleBasedStateMachine):
    """Whatever happens to a chat, each SMS has a choice of plain-sms behind it, of that chat and that transition."""

    @initialize(seed=st.integers(0, 1 << 30), bob=st.booleans())
    def set_up(self, seed: int, bob: bool) -> None:
        self.world = World(seed, sms=True)
        (self.alice,) = self.world.person(ALICE)
        self.world.person(BOB)
        if not bob:
            self.world.hidden.add(BOB)
        self.known: list[PlainOption] = []
        self.permitted: set[str] = set()
        self.standing: int | None = None
        """The transition for which plain-sms stands chosen."""
        self.checked = 0
        self.count = 0

    def attempt(self, content: object, allow: PlainOption | None, wait: bool) -> None:
        chat = self.alice.chat(BOB)
        fresh = allow in self.alice.engine.options(self.alice.state, BOB)
        try:
            message_id = self.alice.do(self.alice.engine.send, BOB, content, allow=allow, wait=wait)
        except NotEncrypted as error:
            self.known += error.options  # type: ignore[arg-type]
            return
        except LetterlockError:
            return
        if allow is None:
            if self.standing == self.alice.chat(BOB).transition and not chat.sticky:
                self.permitted.add(message_id)
            return
        assert fresh, "an option that was not offered was taken"
        by_sms = allow.name == "plain-sms"
        if by_sms:
            self.permitted.add(message_id)
        if not chat.sticky:
            self.standing = allow.transition if by_sms else None

    @rule(wait=st.booleans())
    def send(self, wait: bool) -> None:
        self.count += 1
        self.attempt(Text(f"text {self.count}"), None, wait)

    @rule(data=st.data(), name=st.sampled_from(("", "plain-sms", "plain-rcs")), current=st.booleans())
    def choose(self, data: st.DataObject, name: str, current: bool) -> None:
        offered = self.alice.engine.options(self.alice.state, BOB) if current else tuple(self.known)
        if offered:
            option = data.draw(st.sampled_from(offered))
            self.count += 1
            self.attempt(Text(f"text {self.count}"), dataclasses.replace(option, name=name or option.name), True)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        offered = self.alice.engine.options(self.alice.state, BOB)
        if not offered:
            return
        option = data.draw(st.sampled_from(offered))
        sticky = self.alice.chat(BOB).sticky
        before = {message.message_id for message in self.alice.history(BOB) if message.status is Status.WAITING}
        self.alice.do(self.alice.engine.release, BOB, option)
        if option.name == "plain-sms":
            self.permitted |= before
        if not sticky:
            self.standing = option.transition if option.name == "plain-sms" else None

    @rule(content=st.sampled_from((Location(1.0, 2.0, "", 0), Reaction(Reference(MessageId("sms-0")), "👍"))))
    def send_other(self, content: object) -> None:
        self.attempt(content, None, True)

    @rule(active=st.booleans())
    def type_and_read(self, active: bool) -> None:
        self.alice.do(self.alice.engine.typing, BOB, active)
        for message in self.alice.history(BOB):
            self.alice.do(self.alice.engine.mark_displayed, BOB, message.message_id)

    @rule(medium=st.sampled_from(Medium), number=st.integers(0, 3))
    def receive(self, medium: Medium, number: int) -> None:
        asked = cpim.headers(
            ("NS", f"imdn <{cpim.IMDN}>"), ("imdn.Disposition-Notification", "positive-delivery, display")
        )
        inbound = from_bob("hello", f"{medium.label}-{number}", medium=medium, headers=asked)
        self.alice.do(self.alice.engine.received, inbound)

    @rule(status=st.sampled_from((imdn.Status.DELIVERED, imdn.Status.FAILED, imdn.Status.DISPLAYED)))
    def confirm(self, status: imdn.Status) -> None:
        for message in self.alice.history(BOB):
            self.alice.do(self.alice.engine.received, receipt(message.message_id, status))

    @rule(hidden=st.booleans())
    def keys(self, hidden: bool) -> None:
        (self.world.hidden.add if hidden else self.world.hidden.discard)(BOB)

    @rule(down=st.sampled_from((0.0, 1.0)), swallow=st.sampled_from((0.0, 1.0)))
    def network(self, down: float, swallow: float) -> None:
        self.world.hostility.directory_down, self.world.hostility.swallow = down, swallow

    @rule(ms=st.sampled_from((0, 5_000, 700_000)), away=st.sampled_from((0, 0, 40 * DAY)))
    def wait(self, ms: int, away: int) -> None:
        self.world.now += away
        self.world.run_for(ms)

    @rule()
    def open_chat(self) -> None:
        self.alice.do(self.alice.engine.open_chat, BOB)

    @rule()
    def kill(self) -> None:
        self.alice.restart()

    @invariant()
    def every_sms_was_chosen(self) -> None:
        effects = [effect.outbound for effect in self.alice.todo if isinstance(effect, Transmit)]
        for outbound in [outbound for _, outbound in self.world.sent[self.checked :]] + effects:
            if outbound.medium is Medium.SMS:
                assert outbound.message_id in self.permitted
                assert (outbound.content_type, outbound.headers, outbound.to) == ("text/plain", (), BOB)
        self.checked = len(self.world.sent)

    @invariant()
    def every_message_remembers_it(self) -> None:
        for message in self.alice.history(BOB):
            if message.mine and message.medium is Medium.SMS:
                assert not message.encrypted
                assert message.message_id in self.permitted


Choices.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSr01EverySmsWasChosen = Choices.TestCase
