"""Records and events: stable forms, bounded retention, cursors."""

from __future__ import annotations

import dataclasses
import json
import typing

import pytest

from engine.world import ALICE, BOB, World
from letterlock.engine import record_values, records
from letterlock.engine.content import Text, Unknown, encode_text, read, rfc3339
from letterlock.engine.core import NOBODY
from letterlock.engine.events import (
    Event,
    MessageSent,
    Recorded,
    decode_recorded,
    encode_recorded,
    event_from_json,
    event_to_json,
)
from letterlock.engine.events import form as event_form
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.record_values import EventLog, InboxEntry
from letterlock.engine.records import EVENT_LOG, inbox_key
from letterlock.errors import DecodeError
from letterlock.ids import AccountId, Number

DAY = 86_400_000


def _sample(hint: object) -> object:
    hint = getattr(hint, "__supertype__", hint)
    if typing.get_origin(hint) is tuple:
        return (_sample(typing.get_args(hint)[0]),) * 2
    if hint is bool:
        return True
    if hint is int:
        return 7
    if hint is str:
        return "x"
    return None


@pytest.mark.parametrize("cls", typing.get_args(Event), ids=lambda cls: cls.__name__)
def test_every_event_has_a_stable_json_form(cls: type) -> None:
    hints = typing.get_type_hints(cls)
    event = cls(**{field.name: _sample(hints[field.name]) for field in dataclasses.fields(cls)})
    form = event_to_json(event)
    assert event_from_json(json.loads(json.dumps(form))) == event
    recorded = Recorded(5, 6, event)
    assert decode_recorded(encode_recorded(recorded)) == recorded
    with pytest.raises(DecodeError):
        event_from_json({**form, "kind": "made-up"})
    for field in dataclasses.fields(cls):
        with pytest.raises(DecodeError):
            event_from_json({**form, field.name: object()})
        if field.default is dataclasses.MISSING:
            with pytest.raises(DecodeError):
                event_from_json({name: value for name, value in form.items() if name != field.name})


def test_event_kinds_are_frozen() -> None:
    """A consumer matches on these names: a new one may come, none may change."""
    assert sorted(event_form.KINDS) == sorted(
        [
            "capabilities-changed",
            "change-refused",
            "chat-named",
            "contact-keys-seen",
            "conversation-change-failed",
            "device-list-changed",
            "device-list-refused",
            "encryption-ended",
            "encryption-stalled",
            "encryption-started",
            "group-created",
            "group-joined",
            "icon-changed",
            "keys-changed",
            "member-added",
            "member-left",
            "member-removed",
            "message-accepted",
            "message-deleted",
            "message-delivered",
            "message-displayed",
            "message-edited",
            "message-expired",
            "message-failed",
            "message-missing",
            "message-received",
            "message-resent",
            "message-sent",
            "message-unreadable",
            "number-reset",
            "own-list-mismatch",
            "prekeys-low",
            "protocol-noted",
            "protocol-switched",
            "provisioning-changed",
            "reaction-changed",
            "resend-requested",
            "roster-mismatch",
            "security-changed",
            "session-without-one-time-prekey",
            "sms-from-unknown-sender",
            "store-rolled-back",
            "subject-changed",
            "transfer-changed",
            "typing-changed",
            "verification-withdrawn",
        ]
    )


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"kind":"number-reset"}', b"[" * 100_000])
def test_broken_event_records_are_decode_errors(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_recorded(data)


def test_cursors_have_no_holes_and_old_events_go() -> None:
    limits = dataclasses.replace(DEFAULTS, events_kept=50)
    world = World(limits=limits)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    for n in range(60):
        alice.send(BOB, f"{n}")
        world.run_for(10)
    cursors = [int(name.split("/")[1]) for name in alice.state.records if name.startswith("event/")]
    assert sorted(cursors) == list(range(1, len(cursors) + 1))
    world.run_for(3 * limits.prune_ms)
    cursors = sorted(int(name.split("/")[1]) for name in alice.state.records if name.startswith("event/"))
    assert len(cursors) == 50
    assert cursors == list(range(cursors[0], cursors[0] + 50))
    assert bob.shown() == [f"{n}" for n in range(60)]


def test_sr08_pruning_keeps_up_with_a_busy_number() -> None:
    """More events and ids than one pruning takes: what is left goes soon, not at so many an hour."""
    limits = dataclasses.replace(DEFAULTS, events_kept=50)
    world = World(limits=limits)
    (alice,) = world.person(ALICE)
    alice.state.commit({EVENT_LOG: EventLog(1, 9_001)})
    alice.state.commit(
        {inbox_key(BOB, f"{n}", NOBODY, 0): InboxEntry(bytes(16), "", world.now - 30 * DAY, 0) for n in range(5_000)}
    )
    world.run_for(limits.prune_ms + 60_000)
    log = alice.state.get(EVENT_LOG)
    assert log is not None
    assert log.next - log.first <= 50
    assert not [name for name in alice.state.records if name.startswith("inbox/")]


def test_ids_are_forgotten_when_nobody_can_send_them_any_more() -> None:
    limits = dataclasses.replace(DEFAULTS, remember_ms=8 * DAY)
    world = World(limits=limits)
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    kinds = ("inbox", "delivery")
    assert [name for name in bob.state.records if name.split("/")[0] in kinds]
    world.run_for(9 * DAY)
    for phone in (alice, bob):
        assert not [name for name in phone.state.records if name.split("/")[0] in kinds]


def test_a_send_writes_few_and_small_records() -> None:
    world = World()
    (alice,), (bob,) = world.person(ALICE), world.person(BOB)
    alice.send(BOB, "hi")
    world.run()
    bob.send(ALICE, "hello")
    world.run()
    step = alice.engine.send(alice.state, BOB, Text("x" * 100), world.now, world.rng)
    names = sorted(key.name.split("/")[0] for key in step.writes)
    assert names == ["at", "chat", "event", "event-log", "message", "outbox", "search", "summary", "toy-session"]
    own = {key.name.split("/")[0]: len(key.kind.encode(value)) for key, value in step.writes.items()}
    assert own["chat"] < 160
    assert own["message"] < 300
    assert own["event"] < 450


def test_orders_sort_as_text() -> None:
    account = AccountId(b"\x01" * 16)
    places = ((1, 1, 9), (2, 1, 3), (2, 2, 1), (300, 1, 1))
    orders = [records.order_of(lamport, account, device, sequence) for lamport, device, sequence in places]
    assert orders == sorted(orders)
    assert records.order_parts(orders[1]) == (2, account, 1, 3)


def test_receipt_times_are_civil() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(951_782_399_999) == "2000-02-28T23:59:59.999Z"
    assert rfc3339(951_868_800_000) == "2000-03-01T00:00:00.000Z"
    assert rfc3339(1_800_000_000_123) == "2027-01-15T08:00:00.123Z"


def test_text_entities_are_what_the_mime_codec_reads() -> None:
    entity = read(encode_text("grüß\r\n\r\ndich", 12, Number("+15550009")), DEFAULTS)
    assert (entity.content, entity.sent_at, entity.to) == (Text("grüß\r\n\r\ndich"), 12, "+15550009")
    for body in (
        b"",
        b"Content-Type: text/plain\r\nLetterlock-To: nobody\r\n\r\nx",
        b"Content-Type: message/imdn+xml\r\n\r\n<imdn/>",
        b"Content-Type: application/vnd.letterlock.resend\r\n\r\n/etc/passwd",
    ):
        with pytest.raises(DecodeError):
            read(body, DEFAULTS)
    for body, reason in (
        (b"Content-Type: text/plain;charset=latin-1\r\n\r\nx", "content.charset"),
        (b"Content-Type: text/plain\r\n\r\n\xff", "content.charset"),
        (b"Content-Type: text/plain\r\n\r\n" + b"x" * 20_000, "content.text_size"),
    ):
        content = read(body, DEFAULTS).content
        assert isinstance(content, Unknown)
        assert content.reason == reason


def test_sent_events_tell_what_history_holds() -> None:
    world = World()
    (alice,), _ = world.person(ALICE), world.person(BOB)
    message_id = alice.send(BOB, "hi")
    world.run()
    (sent,) = alice.told(MessageSent)
    (message,) = alice.history(BOB)
    assert (message.message_id, message.order, message.text) == (sent.message_id, sent.order, "hi")
    assert message.message_id == message_id
    assert message.status is record_values.Status.DELIVERED
