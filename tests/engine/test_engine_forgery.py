"""SR-03, SR-05, SR-07, SR-08: what anybody on the way can do to frames, and what a lying peer can."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from engine.signal_keys import SignalKeys
from engine.world import ALICE, BOB, CAROL, Account, Phone, ToyKeys, World
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.codec.frame import FrameCopy, WireFrame, decode_frame, encode_frame
from letterlock.engine import parking
from letterlock.engine.contacts import Unknown
from letterlock.engine.content import encode_receipt, encode_text
from letterlock.engine.events import (
    MessageAccepted,
    MessageDelivered,
    MessageDisplayed,
    MessageFailed,
    MessageReceived,
    MessageResent,
    MessageUnreadable,
    ResendRequested,
    SessionWithoutOneTimePrekey,
)
from letterlock.engine.record_values import Trouble
from letterlock.engine.records import PARKED, trouble_key
from letterlock.engine.step import Turn
from letterlock.engine.trouble import STRANGERS
from letterlock.ids import AccountId, ConversationId, DeviceId, MessageId, Number
from letterlock.seam import Content, DeviceProtocol, Header

DAY = 86_400_000
TOY = "application/vnd.letterlock.toy"


class Liar:
    """A protocol whose owner writes something else into the content than his engine says."""

    def __init__(self, inner: DeviceProtocol) -> None:
        self.inner = inner
        self.name = inner.name
        self.lie: Callable[[Content], Content] = lambda content: content

    def seal(self, state, content, recipients, now, rng):  # type: ignore[no-untyped-def]
        return self.inner.seal(state, self.lie(content), recipients, now, rng)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


class LiarKeys(ToyKeys):
    def __init__(self) -> None:
        super().__init__()
        self.liars: dict[Number, Liar] = {}
        self.first_liars: dict[Number, Liar] = {}

    def protocol(self, account: Account, device: int) -> DeviceProtocol:
        liar = Liar(super().protocol(account, device))
        self.liars[account.number] = liar
        self.first_liars.setdefault(account.number, liar)
        return liar  # type: ignore[return-value]


def pair(seed: int = 1) -> tuple[World, Phone, Phone]:
    world = World(seed)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    bob.send(ALICE, "hello")
    world.run()
    return world, alice, bob


def last_frame(world: World, message_id: str) -> Outbound:
    return next(out for _, out in reversed(world.sent) if out.message_id == message_id)


def protected(phone: Phone) -> dict[str, bytes]:
    """Everything but counters, events and what they number, and the cards that say so in the history."""
    return {
        name: data
        for name, data in phone.state.records.items()
        if name.split("/")[0] not in ("trouble", "event", "event-log", "parked", "fetch", "aside", "asides")
    }


# --- SR-03 ------------------------------------------------------------------------------------------------
def _header(**changes: object) -> Callable[[Content], Content]:
    return lambda content: dataclasses.replace(content, header=dataclasses.replace(content.header, **changes))


def _nested(field: str, **changes: object) -> Callable[[Content], Content]:
    def lie(content: Content) -> Content:
        party = dataclasses.replace(getattr(content.header, field), **changes)
        return dataclasses.replace(content, header=dataclasses.replace(content.header, **{field: party}))

    return lie


@pytest.mark.parametrize(
    "lie",
    [
        _nested("sender", number=CAROL),
        _nested("sender", account=AccountId(b"\1" * 16)),
        _nested("sender", device=7),
        _header(conversation=ConversationId(b"\1" * 16)),
        _header(message_id=MessageId("another")),
        _header(sequence=-1),
        _header(sequence=1 << 40),
    ],
)
def test_sr03_a_header_that_disagrees_is_refused(lie: Callable[[Content], Content]) -> None:
    keys = LiarKeys()
    world = World(2, keys)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    keys.liars[ALICE].lie = lie
    before = protected(bob)
    alice.send(BOB, "lie")
    world.run()
    assert bob.shown() == ["hi"]
    assert bob.told(MessageUnreadable)[-1].reason == "envelope_mismatch"
    assert protected(bob) == before


def test_sr03_the_recipient_in_the_header_counts() -> None:
    """A copy that was made for another device, account or number of ours is not taken."""
    for change in ({"number": CAROL}, {"account": AccountId(b"\2" * 16)}, {"device": 5}):
        keys = LiarKeys()
        world = World(3, keys)
        (alice,), (bob,) = world.person(ALICE), world.person(BOB)
        alice.send(BOB, "hi")
        world.run()
        # The toy protocol fills the recipient in, so the lie comes in at the other end: on opening.
        real = keys.liars[BOB].inner.open

        def opened(state, frame, now, real=real, change=change):  # type: ignore[no-untyped-def]
            result = real(state, frame, now)
            header: Header = result.content.header
            wrong = dataclasses.replace(header, recipient=dataclasses.replace(header.recipient, **change))
            return dataclasses.replace(result, content=dataclasses.replace(result.content, header=wrong))

        keys.liars[BOB].open = opened  # type: ignore[attr-defined]
        alice.send(BOB, "lie")
        world.run()
        assert bob.shown() == ["hi"], change


def test_sr03_a_copy_from_our_own_device_names_its_chat() -> None:
    keys = LiarKeys()
    world = World(4, keys)
    first, second = world.person(ALICE, 2)
    world.person(BOB)
    first.send(BOB, "hi")
    world.run()
    assert second.all_shown() == ["hi"]
    body = encode_text("for whom?", 0, CAROL)

    def lie(content: Content) -> Content:
        return Content(content.header, body) if content.header.recipient.number == ALICE else content

    keys.first_liars[ALICE].lie = lie
    first.send(BOB, "lie")
    world.run()
    assert second.all_shown() == ["hi"]
    assert second.told(MessageUnreadable)[-1].reason == "content:content.conversation"


def test_sr03_an_envelope_that_disagrees_is_refused() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "genuine")
    world.run()
    world.flying.clear()
    frame = last_frame(world, message_id)
    bob.online = True
    before = protected(bob)
    world.inject(bob, ALICE, dataclasses.replace(frame, message_id=MessageId("another")))
    world.inject(bob, CAROL, frame)
    world.inject(bob, None, frame)
    world.inject(bob, BOB, frame)
    world.run()
    assert bob.shown() == ["hi"]
    assert protected(bob) == before
    world.run_for(DAY)
    assert bob.shown() == ["hi", "genuine"]


# --- SR-05 ------------------------------------------------------------------------------------------------
def test_sr05_a_forged_frame_with_a_future_message_id_does_not_suppress_the_genuine_one() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "genuine")
    world.run()
    world.flying.clear()
    frame = last_frame(world, message_id)
    bob.online = True
    forged = dataclasses.replace(frame, body=frame.body[:-1] + bytes((frame.body[-1] ^ 1,)))
    world.on_transmit = lambda phone, outbound: NetworkResult(accepted=True)
    for _ in range(3):
        world.inject(bob, ALICE, forged)
    world.run_for(1)
    assert bob.shown() == ["hi"]
    world.inject(bob, ALICE, frame)
    world.run()
    assert bob.shown() == ["hi", "genuine"]


def test_sr05_byte_identical_repeats_and_replays_are_shown_once() -> None:
    world, alice, bob = pair()
    message_id = alice.send(BOB, "once")
    world.run()
    frame = last_frame(world, message_id)
    before = protected(bob)
    for _ in range(5):
        world.inject(bob, ALICE, frame)
    world.run()
    assert protected(bob) == before
    for n in range(3):
        world.inject(bob, ALICE, dataclasses.replace(frame, message_id=MessageId(f"again-{n}")))
    world.run_for(DAY)
    assert bob.shown() == ["hi", "once"]


def test_sr05_the_same_message_in_a_new_frame_is_opened_and_shown_once() -> None:
    """A forged frame makes Bob ask; the genuine one comes first; the fresh copy still moves the session on."""
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "once")
    world.run()
    world.flying.clear()
    frame = last_frame(world, message_id)
    bob.online = True
    world.inject(bob, ALICE, dataclasses.replace(frame, body=frame.body[:-1] + bytes((frame.body[-1] ^ 1,))))
    world.inject(bob, ALICE, frame)
    world.run_for(1)
    (resent,) = {out.body for phone, out in world.sent if out.message_id == message_id and phone is alice} - {
        frame.body
    }
    wire = decode_frame(resent, max_frame=1 << 20, max_list=1 << 16, max_copies=9)
    assert bob.shown() == ["hi", "once"]
    assert (
        wire.copies[0].ciphertext[:8].hex()
        in bob.state.records[f"toy-session/{alice.account.account.hex()}/1"].decode()
    )


def test_sr05_our_own_frames_back_are_a_reflection() -> None:
    world, alice, bob = pair()
    message_id = alice.send(BOB, "once")
    world.run()
    frame = dataclasses.replace(last_frame(world, message_id), to=ALICE)
    for sender in (BOB, ALICE):
        world.inject(alice, sender, frame)
    world.run_for(1)
    assert alice.shown() == ["hello"]
    assert alice.told(MessageUnreadable) == []
    assert bob.shown() == ["hi", "once"]


def test_sr05_the_networks_word_does_not_end_the_retries() -> None:
    """Acknowledged and swallowed: sent again, slowly, until the receipt."""
    world, alice, bob = pair()
    swallowed = [3]

    def swallow(phone: Phone, outbound: Outbound) -> NetworkResult | None:
        if phone is alice and swallowed[0]:
            swallowed[0] -= 1
            return NetworkResult(accepted=True, status=202)
        return None

    world.on_transmit = swallow
    message_id = alice.send(BOB, "again")
    world.run()
    assert [event.message_id for event in alice.told(MessageAccepted)][-1] == message_id
    assert bob.shown() == ["hi"]
    world.run_for(DAY)
    assert bob.shown() == ["hi", "again"]
    assert [event.message_id for event in alice.told(MessageDelivered)].count(message_id) == 1


def test_sr05_a_lost_receipt_is_called_forth_by_the_repeat() -> None:
    world, alice, bob = pair()
    lost = [2]

    def lose(phone: Phone, outbound: Outbound) -> NetworkResult | None:
        if phone is bob and lost[0]:
            lost[0] -= 1
            return NetworkResult(accepted=True)
        return None

    world.on_transmit = lose
    message_id = alice.send(BOB, "again")
    world.run_for(DAY)
    assert lost == [0]
    assert bob.shown() == ["hi", "again"]
    assert message_id in [event.message_id for event in alice.told(MessageDelivered)]


def test_sr05_a_forged_plain_receipt_marks_nothing_in_an_encrypted_chat() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "waiting")
    world.run()
    for status, kind in (("delivered", "delivery"), ("displayed", "display")):
        body = (
            f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{message_id}</message-id><datetime/>'
            f"<{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
        ).encode()
        outbound = Outbound(ALICE, MessageId(f"r-{kind}"), ConversationId(bytes(16)), "message/imdn+xml", body, False)
        world.inject(alice, BOB, outbound)
    world.run()
    assert message_id not in [event.message_id for event in alice.told(MessageDelivered)]
    assert alice.told(MessageDisplayed) == []
    assert [name for name in alice.state.records if name.startswith(f"outbox/{message_id}")]
    bob.online = True
    world.run_for(DAY)
    assert message_id in [event.message_id for event in alice.told(MessageDelivered)]
    world.inject(alice, BOB, outbound)
    world.run()
    assert alice.told(MessageDisplayed) == []


def test_sr05_a_contact_cannot_confirm_what_went_to_another() -> None:
    keys = LiarKeys()
    world = World(6, keys)
    (alice,), (bob,), (carol,) = world.person(ALICE), world.person(BOB), world.person(CAROL)
    carol.online = False
    bob.send(ALICE, "hi")
    alice.send(BOB, "hello")
    world.run()
    message_id = alice.send(CAROL, "for Carol")
    world.run()
    receipt = encode_receipt(message_id, 0, displayed=True)
    keys.liars[BOB].lie = lambda content: Content(content.header, receipt)
    bob.send(ALICE, "lie")
    world.run()
    assert message_id not in [event.message_id for event in alice.told(MessageDelivered)]
    assert [name for name in alice.state.records if name.startswith(f"outbox/{message_id}")]
    carol.online = True
    world.run_for(DAY)
    assert message_id in [event.message_id for event in alice.told(MessageDelivered)]
    bob.send(ALICE, "lie again")
    world.run()
    assert alice.told(MessageDisplayed) == []


def test_the_networks_wish_to_wait_is_kept() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "later")
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 503, retry_after_ms=30_000)
    world.run()
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 503)
    world.run_for(29_000)
    assert [out.message_id for _, out in world.sent].count(message_id) == 1
    world.run_for(2_000)
    assert [out.message_id for _, out in world.sent].count(message_id) == 2


def test_permanent_errors_of_the_network_are_visible() -> None:
    world, alice, _ = pair()
    world.on_transmit = lambda phone, outbound: NetworkResult(False, 403)
    message_id = alice.send(BOB, "no")
    world.run()
    assert alice.told(MessageFailed) == [MessageFailed(BOB, message_id, "network", 403)]
    assert not [name for name in alice.state.records if name.startswith("outbox/")]


# --- SR-07 ------------------------------------------------------------------------------------------------
def test_sr07_a_frame_that_cannot_be_read_changes_nothing_but_is_shown() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "genuine")
    world.run()
    world.flying.clear()
    frame = last_frame(world, message_id)
    wire = decode_frame(frame.body, max_frame=1 << 20, max_list=1 << 16, max_copies=9)
    bob.online = True
    before = protected(bob)
    garbage = [
        b"",
        b"\x01",
        frame.body[:-3],
        b"\x09" + frame.body[1:],
        encode_frame(dataclasses.replace(wire, copies=(dataclasses.replace(wire.copies[0], ciphertext=b"?"),))),
        encode_frame(dataclasses.replace(wire, copies=(dataclasses.replace(wire.copies[0], type=9),))),
        bytes(300_000),
    ]
    for n, body in enumerate(garbage):
        world.inject(bob, ALICE, dataclasses.replace(frame, body=body, message_id=MessageId(f"g-{n}")))
    world.run_for(1)
    assert protected(bob) == before
    assert len(bob.told(MessageUnreadable)) == len(garbage)
    world.run_for(DAY)
    assert bob.shown() == ["hi", "genuine"]


def test_sr07_every_flipped_byte_of_a_frame_is_refused_or_harmless() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "genuine")
    world.run()
    world.flying.clear()
    frame = last_frame(world, message_id)
    bob.online = True
    world.on_transmit = lambda phone, outbound: NetworkResult(accepted=True)
    for position in range(len(frame.body)):
        body = bytearray(frame.body)
        body[position] ^= 0x40
        world.inject(bob, ALICE, dataclasses.replace(frame, body=bytes(body)))
    world.run_for(1)
    assert bob.shown() == ["hi"]
    world.inject(bob, ALICE, frame)
    world.run_for(1)
    assert bob.shown() == ["hi", "genuine"]


def test_sr07_events_and_resets_are_bounded() -> None:
    world, alice, bob = pair()
    bob.online = False
    message_id = alice.send(BOB, "x")
    world.run()
    world.flying.clear()
    bob.online = True
    frame = last_frame(world, message_id)
    for n in range(200):
        body = frame.body[:-2] + n.to_bytes(2, "big")
        world.inject(bob, ALICE, dataclasses.replace(frame, body=body, message_id=MessageId(f"f-{n}")))
    world.run_for(1)
    assert len(bob.told(MessageUnreadable)) == world.limits.unreadable_per_hour
    assert len(bob.told(ResendRequested)) == world.limits.resend_requests_per_hour
    trouble = bob.state.get(trouble_key(ALICE))
    assert isinstance(trouble, Trouble)
    assert trouble.total == 200
    alice.send(BOB, "still works")
    world.run_for(DAY)
    assert sorted(bob.shown()) == ["hi", "still works", "x"]


def test_sr07_made_up_strangers_cost_one_record() -> None:
    world, _, bob = pair()
    before = len(bob.state.records)
    for n in range(300):
        account = AccountId(n.to_bytes(16, "big"))
        copy = FrameCopy(DeviceId(1), 3, b"?")
        body = encode_frame(WireFrame(account, DeviceId(1), bob.engine.me.account, b"", (copy,)))
        world.inject(
            bob,
            Number(f"+1666{n:07d}"),
            Outbound(BOB, MessageId(f"s-{n}"), ConversationId(bytes(16)), TOY, body, False),
        )
    world.run()
    assert len(bob.told(MessageUnreadable)) == world.limits.unreadable_per_hour
    # Those events, and one record of counters.
    assert len(bob.state.records) - before == world.limits.unreadable_per_hour + 1
    assert bob.state.get(trouble_key(STRANGERS)) is not None


@pytest.mark.parametrize("keys", [ToyKeys, SignalKeys])
def test_sr07_what_cannot_be_read_is_asked_for_and_sent_again_under_its_id(keys: Callable[[], ToyKeys]) -> None:
    """Bob's session is gone (another disk, a bug): the message arrives all the same, once, and the reset is visible."""
    world = World(8, keys())
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    bob.send(ALICE, "hello")
    world.run()
    for name in [name for name in bob.state.records if name.split("/")[0] in ("toy-session", "signal-session")]:
        del bob.state.records[name]
    bob.state.forget_cache()
    message_id = alice.send(BOB, "again")
    world.run_for(60_000)
    assert bob.shown() == ["hi", "again"]
    assert bob.told(ResendRequested)[0].message_id == message_id
    assert bob.told(MessageUnreadable)[0].asked_again
    assert alice.told(MessageResent) == [MessageResent(BOB, message_id, 1)]
    assert message_id in [event.message_id for event in alice.told(MessageDelivered)]
    assert not [name for name in alice.state.records if name.startswith("outbox/")]
    bob.send(ALICE, "fine")
    world.run()
    assert alice.shown() == ["hello", "fine"]


def test_sr07_a_message_is_sent_again_so_many_times_and_no_more() -> None:
    world, alice, bob = pair()
    message_id = alice.send(BOB, "x")
    world.run()

    def forget() -> None:
        for name in [name for name in bob.state.records if name.split("/")[0] in ("toy-session", "inbox")]:
            del bob.state.records[name]
        bob.state.forget_cache()

    frame = last_frame(world, message_id)
    for _ in range(12):
        forget()
        world.inject(bob, ALICE, frame)
        world.run_for(3_600_000)
    assert len(alice.told(MessageResent)) == world.limits.resends_per_message


# --- SR-08 ------------------------------------------------------------------------------------------------
def test_sr08_an_absurd_clock_does_not_end_the_chats_time() -> None:
    keys = LiarKeys()
    world = World(9, keys)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    keys.liars[ALICE].lie = _header(lamport=(1 << 64) - 1)
    alice.send(BOB, "from the end of time")
    world.run()
    bob.send(ALICE, "and on")
    world.run()
    assert bob.shown() == ["from the end of time"]
    assert alice.shown() == ["and on"]


def test_sr08_frames_that_wait_for_a_list_are_bounded() -> None:
    world, alice, bob = pair()
    frame = next(out for phone, out in world.sent if phone is alice)
    wire = decode_frame(frame.body, max_frame=1 << 20, max_list=1 << 16, max_copies=9)
    world.hostility.directory_down = 1.0
    for n in range(100):
        copy = dataclasses.replace(wire.copies[0], ciphertext=bytes((n,)))
        body = encode_frame(dataclasses.replace(wire, sender_device=DeviceId(9), device_list=b"", copies=(copy,)))
        world.inject(bob, ALICE, dataclasses.replace(frame, body=body, message_id=MessageId(f"p-{n}")))
    world.run_for(1)
    parked = [name for name in bob.state.records if name.startswith("parked/")]
    assert len(parked) == world.limits.parked_per_peer
    world.run_for(2 * world.limits.parked_ms)
    assert not [name for name in bob.state.records if name.startswith("parked/")]
    assert bob.shown() == ["hi"]


def test_sr08_strangers_share_one_bound_of_waiting_frames() -> None:
    world, _alice, bob = pair()
    core = dataclasses.replace(bob.engine._core, limits=dataclasses.replace(world.limits, parked_strangers=5))
    turn = Turn(bob.state, world.now, world.rng)
    for n in range(9):
        stranger = Number(f"+1777000000{n}")
        inbound = Inbound(stranger, BOB, MessageId(f"s-{n}"), "application/vnd.letterlock.signal", b"", world.now)
        parking.park(core, turn, inbound, bytes((n,)) * 16, Unknown(stranger, 0))
    assert len(list(turn.staged.scan(PARKED))) == 5
    # A contact's frames still find a place.
    inbound = Inbound(ALICE, BOB, MessageId("c-1"), "application/vnd.letterlock.signal", b"", world.now)
    parking.park(core, turn, inbound, bytes(16), Unknown(ALICE, 1))
    assert len(list(turn.staged.scan(PARKED))) == 6


def test_sr13_a_session_without_a_one_time_key_is_told() -> None:
    world = World(10, SignalKeys(one_time_prekeys=4))
    (bob,) = world.person(BOB)
    keys = world.keys
    assert isinstance(keys, SignalKeys)
    while keys.material(bob.engine.me) is not None and keys.drained(bob.engine.me) > 0:
        pass
    (alice,) = world.person(ALICE)
    alice.send(BOB, "hi")
    world.run()
    assert bob.shown() == ["hi"]
    assert bob.told(SessionWithoutOneTimePrekey) == [SessionWithoutOneTimePrekey(ALICE, "signal")]


def test_content_of_an_unknown_kind_is_shown_as_such() -> None:
    keys = LiarKeys()
    world = World(11, keys)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    keys.liars[ALICE].lie = lambda content: Content(content.header, b"Content-Type: image/x-new\r\n\r\n...")
    message_id = alice.send(BOB, "picture")
    world.run_for(DAY)
    (event,) = bob.told(MessageReceived)
    assert (event.text, event.content_type, event.message_id) == (None, "image/x-new", message_id)
    assert message_id in [event.message_id for event in alice.told(MessageDelivered)]


def test_genuine_content_that_makes_no_sense_is_told_and_not_retried_for_ever() -> None:
    keys = LiarKeys()
    world = World(12, keys)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    keys.liars[ALICE].lie = lambda content: Content(content.header, b"no mime at all")
    alice.send(BOB, "x")
    world.run()
    (event,) = bob.told(MessageReceived)
    assert event.text is None
    assert event.content == {"kind": "unknown", "size": len(b"no mime at all"), "kept": True, "reason": ""}
    keys.liars[ALICE].lie = lambda content: content
    alice.send(BOB, "y")
    world.run()
    assert bob.shown() == ["", "y"], "what follows waits for nothing"
