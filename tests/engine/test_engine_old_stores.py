"""Stores of former versions: of before there was more than text, whose messages take reactions and deletes, and of before
there was SMS. Their bytes are read.

The vectors were written by the code of then.
"""

from __future__ import annotations

import dataclasses

from engine.test_engine_content import say, shown
from engine.test_engine_order import settled
from engine.world import BOB
from letterlock.carriage import Medium
from letterlock.engine import record_forms as forms
from letterlock.engine.content import Delete, Reaction, Reference
from letterlock.engine.events import MessageReceived, decode_recorded
from letterlock.engine.record_values import Message, Standing, Status, Task
from letterlock.engine.records import message_key

ORDER = "0000000000000007.000102030405060708090a0b0c0d0e0f.01.00000003"
MESSAGE = (
    "0703000000000000000500000000000000063d303030303030303030303030303030372e3030303130323033303430353036303730383039"
    "3061306230633064306530662e30312e3030303030303033036d2d31092b313535353030303118746578742f706c61696e3b636861727365"
    "743d5554462d386772c3bcc39f"
)
CHAT = (
    "0300000000000000070000000300000001000000000000000000000002ffffffffffffffff0000000000000000000000000000000b00000000"
    "0000000c092b313535353030303103617564106e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e09656e6372797074656401000102030405060708090a"
    "0b0c0d0e0f010000000400000001010000000200000003000000000000000900"
)
ROW = (
    "0100000000000000010000000000000002000000000000000400000003000102030405060708090a0b0c0d0e0f092b31353535303030310"
    "92b3135353530303031036d2d313d303030303030303030303030303030372e303030313032303330343035303630373038303930613062"
    "30633064306530662e30312e30303030303030330a746578742f706c61696e020102626f6479"
)
INBOX = (
    "000000000000000000000000000000000100000000000000050000000000000006303030303030303030303030303030372e30303031303230"
    "333034303530363037303830393061306230633064306530662e30312e3030303030303033"
)
# Of before there was SMS: a chat that its user left unencrypted, one by RCC.16, an unencrypted message and its way out,
# a task for the highest device, and an event.
PLAIN_CHAT = (
    "02000000000000000700000000000000000000000000000000000000020000000000000002000000000000000000000000000000000000000000"
    "000000092b3135353530313031000009706c61696e2d7263730000"
)
KEPT_CHAT = (
    "0b00000000000000070000000000000000000000010000000000000002ffffffffffffffff000000000000000000000000000000000000000000"
    "000000092b313535353031303100106e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e09656e63727970746564000005726363313603"
)
PLAIN_MESSAGE = (
    "1d01000000000000000500000000000000063d303030303030303030303030303030372e30303031303230333034303530363037303830393061"
    "306230633064306530662e30312e3030303030303033036d2d31092b31353535303130310a746578742f706c61696e036d2d3000016568656c6c"
    "6f"
)
PLAIN_ROW = (
    "020000000000000001000000000000000200000000000000040000000300000000000000000000000000000000092b3135353530313031092b31"
    "35353530313031036d2d313d303030303030303030303030303030372e3030303130323033303430353036303730383039306130623063306430"
    "6530662e30312e30303030303030330a746578742f706c61696e000103582e59017a68656c6c6f"
)
TASK = (
    "017f000102030405060708090a0b0c0d0e0f00000000000000050000000000000006036d2d313d303030303030303030303030303030372e3030"
    "3031303230333034303530363037303830393061306230633064306530662e30312e3030303030303033"
)
RECEIVED = (
    '{"kind":"message-received","chat":"+15550101","message_id":"m-1","device":0,"order":"'
    + ORDER
    + '","text":"hello",'
    '"content_type":"text/plain","encrypted":false,"sent_at":5,"fills_gap":false,"reply_to":"","content":null,"sender":"",'
    '"cursor":5,"at":6}'
)


def test_records_of_before_are_read_and_a_text_is_written_as_before() -> None:
    message = forms.decode_message(bytes.fromhex(MESSAGE))
    assert (message.order, message.text, message.status) == (ORDER, "grüß", Status.DELIVERED)
    assert (message.entity, message.reply_to, message.change) == (b"", "", False)
    assert forms.encode_message(message).hex() == MESSAGE
    chat = forms.decode_chat(bytes.fromhex(CHAT))
    assert (chat.lamport, chat.sequence, chat.sticky, chat.pending) == (7, 3, True, 0)
    assert forms.encode_chat(chat).hex() == CHAT
    row = forms.decode_row(bytes.fromhex(ROW))
    assert (row.body, row.pending, row.accepted, row.headers) == (b"body", (1, 2), True, ())
    assert forms.encode_row(row).hex() == ROW
    entry = forms.decode_inbox(bytes.fromhex(INBOX))
    assert (entry.order, entry.displayed, entry.wants_display) == (ORDER, True, False)
    assert forms.encode_inbox(entry).hex() == INBOX


def test_messages_of_before_there_was_an_index_are_found() -> None:
    world, (alice,), (bob,) = settled()
    message_id = alice.send(BOB, "the password is tulip")
    world.run()
    for phone in (alice, bob):
        for name in [name for name in phone.state.records if name.split("/")[0] in ("at", "placed")]:
            del phone.state.records[name]
        phone.restart()
    world.run()
    say(alice, BOB, Reaction(Reference(message_id), "👍"))
    world.run()
    say(alice, BOB, Delete(message_id))
    world.run()
    for phone, chat in ((alice, BOB), (bob, alice.number)):
        assert shown(phone, chat)[message_id].deleted
        assert not [name for name, data in phone.state.records.items() if b"tulip" in data]


def test_content_whose_bytes_were_not_kept_then_is_shown_by_its_type() -> None:
    _, (alice,), _ = settled()
    (stored, *_) = [message for message in alice.history(BOB) if not message.mine]
    old: Message = dataclasses.replace(stored, text=None, content_type="image/png")
    alice.state.commit({message_key(BOB, stored.order): old})
    message = shown(alice, BOB)[stored.message_id]
    assert (message.text, message.content_type, message.deleted) == (None, "image/png", False)


def test_what_was_there_before_sms_went_by_rcs() -> None:
    chat = forms.decode_chat(bytes.fromhex(PLAIN_CHAT))
    assert (chat.plain, chat.transition, chat.sticky, chat.shown) == (2, 2, False, "plain-rcs")
    kept = forms.decode_chat(bytes.fromhex(KEPT_CHAT))
    assert (kept.protocol, kept.standing, kept.sticky, kept.waiting) == ("rcc16", Standing.ENCRYPTED, True, 1)
    message = forms.decode_message(bytes.fromhex(PLAIN_MESSAGE))
    assert (message.mine, message.encrypted, message.change, message.reply_to) == (True, False, True, "m-0")
    row = forms.decode_row(bytes.fromhex(PLAIN_ROW))
    assert (row.body, row.accepted, row.headers) == (b"hello", False, (("X.Y", "z"),))
    task = forms.decode_waiting(bytes.fromhex(TASK))
    assert (task.task, task.device, task.only_encrypted) == (Task.RESEND, 127, False)
    recorded = decode_recorded(RECEIVED.encode())
    assert isinstance(recorded.event, MessageReceived)
    assert {chat.medium, kept.medium, message.medium, row.medium} == {Medium.RCS}
    assert recorded.event.medium == Medium.RCS.label
    # And a version that knows no SMS reads what never had to do with it.
    assert [each.hex() for each in (forms.encode_chat(chat), forms.encode_chat(kept), forms.encode_row(row))] == [
        PLAIN_CHAT, KEPT_CHAT, PLAIN_ROW,
    ]  # fmt: skip
    assert (forms.encode_message(message).hex(), forms.encode_waiting(task).hex()) == (PLAIN_MESSAGE, TASK)
