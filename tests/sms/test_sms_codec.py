"""The alphabets, the parts, and what stands beside the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.codec import gsm7, sms_text
from letterlock.codec.smpp import (
    Address,
    DeliverSm,
    SmppLimits,
    decode_deliver_sm,
    decode_header,
    decode_message_id,
)
from letterlock.codec.sms_text import Coding
from letterlock.codec.sms_user_data import (
    Concatenation,
    Outcome,
    SmscReceipt,
    concatenation_header,
    read_receipt,
    user_data,
)
from letterlock.errors import DecodeError, LimitExceeded

LIMITS = SmppLimits(max_pdu=1_000, max_parameters=4)
GSM = st.text(st.sampled_from("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ aZ09¿§à^{}\\[~]|€\f"), max_size=700)
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=400)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@", b"\x00"),
        ("_", b"\x11"),
        ("à", b"\x7f"),
        ("€", b"\x1be"),
        ("{^}", b"\x1b\x28\x1b\x14\x1b\x29"),
        ("§", b"_"),
    ],
)
def test_the_tables_are_those_of_ts_23_038(text: str, octets: bytes) -> None:
    assert gsm7.encode(text) == octets
    assert gsm7.decode(octets) == text


def test_what_the_alphabet_does_not_say() -> None:
    assert gsm7.encode("я") is None
    assert gsm7.encode("\x1b") is None
    assert gsm7.decode(b"\x1bA\x1b\x1b\x1b") == "A "
    assert gsm7.decode(b"\xe9\x1b\x80!") == "\ufffd\ufffd!"


@given(st.one_of(GSM, ANY), st.booleans())
def test_no_part_ends_within_a_character_and_nothing_is_lost(text: str, wide: bool) -> None:
    split = sms_text.split(text, wide_reference=wide)
    header = 7 if wide else 6
    room = {Coding.GSM: (140 - header) * 8 // 7, Coding.UTF_16: 140 - header}[split.coding]
    whole = {Coding.GSM: 160, Coding.UTF_16: 140}[split.coding]
    if len(split.parts) > 1:
        assert all(0 < len(part) <= room for part in split.parts)
    else:
        assert len(split.parts[0]) <= whole
    assert "".join(sms_text.decode(part, split.coding) for part in split.parts) == text
    assert (split.coding is Coding.GSM) == (gsm7.encode(text) is not None)


@given(st.binary(max_size=300), st.sampled_from(Coding))
def test_sr09_every_octet_reads_as_some_text(octets: bytes, coding: Coding) -> None:
    assert isinstance(sms_text.decode(octets, coding), str)


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (0, 0),
        (1, 3),
        (3, 3),
        (4, 4),
        (8, 8),
        (0x18, 8),
        (0x10, 0),
        (0x14, 4),
        (0xF0, 0),
        (0xF5, 4),
        (0xC8, 0),
        (0x0F, 0),
    ],
)
def test_alphabets_by_their_number(value: int, coding: int) -> None:
    assert sms_text.coding_of(value, Coding.GSM) == coding


def message(user: bytes, esm_class: int = 0, **parameters: bytes) -> DeliverSm:
    tags = {"reference": 0x020C, "total": 0x020E, "number": 0x020F, "id": 0x001E, "state": 0x0427}
    return DeliverSm(
        Address(1, 1, "15550199"), Address(1, 1, "15550100"), esm_class, 0, 0, user,
        {tags[name]: value for name, value in parameters.items()},
    )  # fmt: skip


@pytest.mark.parametrize("wide", [False, True])
def test_a_header_is_read_as_it_was_written(wide: bool) -> None:
    part = Concatenation(0x1234 if wide else 0x34, 3, 2, wide)
    read = user_data(message(concatenation_header(part) + b"text", 0x40))
    assert (read.octets, read.part, read.ports) == (b"text", part, False)


def test_parts_by_parameters_and_beside_other_elements() -> None:
    read = user_data(message(b"text", reference=b"\x12\x34", total=b"\x02", number=b"\x01"))
    assert read.part == Concatenation(0x1234, 2, 1, True)
    read = user_data(message(b"\x0b\x24\x01\x01\x00\x03\x09\x02\x01\x05\x01\x00" + b"text", 0x40))
    assert (read.part, read.ports, read.octets) == (Concatenation(9, 2, 1, False), True, b"text")


@pytest.mark.parametrize("wrong", [b"", b"\x06\x00\x03\x01\x02", b"\x05\x00\x09\x01\x02\x01", b"\xff"])
def test_sr09_a_header_that_is_too_long_is_one_error(wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        user_data(message(wrong, 0x40))


@pytest.mark.parametrize("total_number", [(0, 0), (2, 0), (2, 3), (1, 1)])
def test_impossible_parts_are_none(total_number: tuple[int, int]) -> None:
    read = user_data(message(bytes([5, 0, 3, 7, *total_number]) + b"x", 0x40))
    assert (read.part, read.octets) == (None, b"x")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (SmscReceipt("m1", Outcome.DELIVERED), message(b"id:m1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:id:m2", 4)),
        (SmscReceipt("m1", Outcome.FAILED), message(b"ID: m1 STAT: undeliv", 4)),
        (SmscReceipt("m1", Outcome.PENDING), message(b"id:m1 stat:ENROUTE", 4)),
        (SmscReceipt("m1", Outcome.PENDING), message(b"id:m1", 4)),
        (SmscReceipt("m9", Outcome.DELIVERED), message(b"id:m1 stat:UNDELIV", 4, id=b"m9\0", state=b"\x02")),
        (SmscReceipt("m9", Outcome.FAILED), message(b"", 0, id=b"m9\0", state=b"\x05")),
        (None, message(b"stat:DELIVRD", 4)),
        (None, message(b"id:m1 stat:DELIVRD", 0)),
        (None, message(b"", 4, id=b"\xff\0")),
    ],
)
def test_receipts(found: SmscReceipt | None, said: DeliverSm) -> None:
    assert read_receipt(said) == found


ADDRESSES = b"\0\x01\x0115550199\0\x01\x0115550100\0"
BODY = ADDRESSES + b"\0\0\0\0\0\0\0\0\0\x02hi"


def test_a_message_is_read() -> None:
    read = decode_deliver_sm(BODY + b"\x04\x27\0\x01\x02", LIMITS)
    assert (read.source.digits, read.destination.digits, read.user_data, dict(read.parameters)) == (
        "15550199", "15550100", b"hi", {0x0427: b"\x02"},
    )  # fmt: skip
    payload = decode_deliver_sm(ADDRESSES + b"\0\0\0\0\0\0\0\0\0\0" + b"\x04\x24\0\x03abc", LIMITS)
    assert payload.user_data == b"abc"


@pytest.mark.parametrize("end", range(len(BODY)))
def test_sr09_a_message_that_ends_early_is_one_error(end: int) -> None:
    with pytest.raises(DecodeError):
        decode_deliver_sm(BODY[:end], LIMITS)


def test_sr08_bounds_come_before_memory() -> None:
    with pytest.raises(LimitExceeded):
        decode_header(b"\xff\xff\xff\xff" + bytes(12), LIMITS)
    with pytest.raises(DecodeError):
        decode_header(b"\0\0\0\x0f" + bytes(12), LIMITS)
    with pytest.raises(LimitExceeded):
        decode_deliver_sm(BODY + b"\x04\x27\0\0" * 5, LIMITS)
    with pytest.raises(DecodeError):
        decode_message_id(b"m" * 65)
    with pytest.raises(DecodeError):
        decode_message_id(b"\xe9\0")
    assert (decode_message_id(b""), decode_message_id(b"m1\0")) == ("", "m1")
