"""Every MLS structure: what is written is read back, and nothing else is read."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterlock.errors import DecodeError
from letterlock.mls.wire.framing import PrivateMessageContent, Sender
from mls.wire_values import FORMS, TYPES, Form, authenticated_content, leaf_node

each = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
quick = settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def fields(value: Any) -> Any:
    """The value down to its last field; a LeafNode's own `==` compares bytes only."""
    if isinstance(value, (list, tuple)):
        return [fields(item) for item in value]
    return (type(value), asdict(value)) if is_dataclass(value) and not isinstance(value, type) else value


@each
def test_written_and_read_back(form: Form) -> None:
    @quick
    @given(form.values)
    def run(value: Any) -> None:
        encoded = form.encode(value)
        back = form.decode(encoded)
        assert back == value
        assert fields(back) == fields(value)
        assert form.encode(back) == encoded

    run()


@each
def test_cut_anywhere_or_with_more_behind_it(form: Form) -> None:
    """No structure is a prefix of another, so that both are always refused, in the documented way."""

    @quick
    @given(form.values)
    def run(value: Any) -> None:
        encoded = form.encode(value)
        for end in range(len(encoded)):
            with pytest.raises(DecodeError):
                form.decode(encoded[:end])
        with pytest.raises(DecodeError) as raised:
            form.decode(encoded + b"\x00")
        assert raised.value.code == "tls.trailing"

    run()


@each
def test_whatever_is_read_is_written_the_same(form: Form) -> None:
    """The encoding is the only one: a signature over what we write is a signature over what was read."""

    @quick
    @given(form.values, st.data())
    def run(value: Any, data: st.DataObject) -> None:
        hostile = bytearray(form.encode(value))
        for _ in range(data.draw(st.integers(1, 3))):
            if hostile:
                hostile[data.draw(st.integers(0, len(hostile) - 1))] = data.draw(st.integers(0, 255))
        try:
            back = form.decode(bytes(hostile))
        except DecodeError:
            return
        # A blank node at the end is the one thing that is written in another way; it is refused.
        assert form.encode(back) == bytes(hostile)

    run()


@quick
@given(authenticated_content, st.integers(0, 300))
def test_private_message_content(value: Any, padding: int) -> None:
    content = value.content
    inside = PrivateMessageContent.of(content, value.auth)
    encoded = inside.encode(padding)
    assert len(encoded) == len(content.encoded_content) + len(value.auth.encode()) + padding
    back = PrivateMessageContent.decode(encoded, content.content_type, TYPES)
    assert back == inside
    framed = back.framed(content.group_id, content.epoch, content.sender, content.authenticated_data)
    assert fields(framed) == fields(content)
    moved = back.framed(content.group_id, content.epoch, Sender.member(7), content.authenticated_data)
    assert moved.encoded_content == content.encoded_content
    for end in range(len(encoded) - padding):
        with pytest.raises(DecodeError):
            PrivateMessageContent.decode(encoded[:end], content.content_type, TYPES)
    if padding:
        hostile = bytearray(encoded)
        hostile[-1 - padding // 2] = 1
        with pytest.raises(DecodeError) as raised:
            PrivateMessageContent.decode(bytes(hostile), content.content_type, TYPES)
        assert raised.value.code == "mls.padding"


@quick
@given(leaf_node, leaf_node)
def test_leaves_are_equal_by_their_bytes(one: Any, other: Any) -> None:
    assert (one == other) == (one.encoded == other.encoded)
    again = type(one).decode(one.encoded)
    assert again == one
    assert hash(again) == hash(one)
    assert one != one.encoded
