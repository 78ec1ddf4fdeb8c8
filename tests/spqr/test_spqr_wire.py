"""The SPQR message format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock.errors import Downgrade, MalformedMessage
from letterlock.signal.spqr.wire import Message, MessageType, decode, encode, varint

WITH_CHUNK = st.sampled_from(
    [MessageType.HEADER, MessageType.EK, MessageType.EK_CT1_ACK, MessageType.CT1, MessageType.CT2]
)
EPOCHS = st.integers(1, (1 << 64) - 1)
INDICES = st.integers(1, (1 << 32) - 1)
MESSAGES = st.one_of(
    st.builds(Message, EPOCHS, INDICES, WITH_CHUNK, st.integers(0, (1 << 16) - 1), st.binary(min_size=32, max_size=32)),
    st.builds(
        Message,
        EPOCHS,
        INDICES,
        st.sampled_from([MessageType.NONE, MessageType.CT1_ACK]),
        st.just(0),
        st.just(b""),
    ),
)


def test_a_typical_message_is_37_bytes() -> None:
    message = Message(3, 7, MessageType.EK, 20, bytes(range(32)))
    assert encode(message) == bytes.fromhex("0103070214") + bytes(range(32))
    assert len(encode(message)) == 37


@given(MESSAGES)
def test_round_trip(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES, st.binary(max_size=50))
def test_trailing_bytes_are_allowed(message: Message, more: bytes) -> None:
    assert decode(encode(message) + more) == message


@given(MESSAGES)
def test_every_truncation_is_refused(message: Message) -> None:
    data = encode(message)
    for end in range(1, len(data)):
        with pytest.raises(MalformedMessage):
            decode(data[:end])


@given(st.binary(max_size=80))
def test_sr09_any_input_is_a_message_or_a_documented_error(data: bytes) -> None:
    try:
        message = decode(data)
    except (Downgrade, MalformedMessage):
        return
    assert decode(encode(message)) == message
    assert data.startswith(encode(message))  # one spelling only


@given(st.binary(max_size=60))
def test_sr09_any_input_of_the_right_version(data: bytes) -> None:
    try:
        message = decode(b"\x01" + data)
    except MalformedMessage:
        return
    assert (b"\x01" + data).startswith(encode(message))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00" + bytes(40), b"\x02\x01\x01\x00", b"\xff"])
def test_no_message_or_another_version_is_a_downgrade(data: bytes) -> None:
    with pytest.raises(Downgrade):
        decode(data)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("01 00 01 00", "spqr.zero"),  # epoch 0
        ("01 01 00 00", "spqr.zero"),  # key 0
        ("01 01 01 07" + "00" * 33, "spqr.type"),
        ("01 01 01 ff" + "00" * 33, "spqr.type"),
        ("01 8100 01 00", "spqr.varint"),  # not the shortest form
        ("01 01 8000 00", "spqr.varint"),
        ("01 ffffffffffffffffff02 01 00", "spqr.varint"),  # 2**64 and more
        ("01 ffffffffffffffffffff01 01 00", "spqr.varint"),  # too many bytes
        ("01 01 ffffffff1f 00", "spqr.varint"),  # more than 32 bits
        ("01 01 01 01 808004" + "00" * 32, "spqr.varint"),  # chunk 65536
        ("01 01 01 01 00" + "00" * 31, "spqr.truncated"),
        ("01", "spqr.truncated"),
        ("01 01 01", "spqr.truncated"),
    ],
)
def test_malformed(text: str, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode(bytes.fromhex(text))
    assert caught.value.code == code


def test_varints() -> None:
    assert [varint(n).hex() for n in (0, 1, 127, 128, 300, 65535)] == ["00", "01", "7f", "8001", "ac02", "ffff03"]
