"""The frames between a client and its gateway: there and back, and bounded."""

from __future__ import annotations

import dataclasses

import pytest

from gateway.decoders import CLIENT_FRAMES, GATEWAY_FRAMES, LIMITS
from letterlock.codec import gateway
from letterlock.errors import DecodeError, LimitExceeded


@pytest.mark.parametrize("frame", CLIENT_FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_clients_frame_there_and_back(frame: gateway.ClientFrame) -> None:
    assert gateway.decode_client_frame(gateway.encode(frame), LIMITS) == frame


@pytest.mark.parametrize("frame", GATEWAY_FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_gateways_frame_there_and_back(frame: gateway.GatewayFrame) -> None:
    assert gateway.decode_gateway_frame(gateway.encode(frame), LIMITS) == frame


def test_every_type_has_an_example() -> None:
    kinds = {type(frame) for frame in (*CLIENT_FRAMES, *GATEWAY_FRAMES)}
    named = {getattr(gateway, name) for name in gateway.__all__}
    frames = {kind for kind in named if dataclasses.is_dataclass(kind)} - {gateway.FrameLimits, gateway.Roster}
    assert kinds == frames


def test_a_message_gets_its_place_afterwards() -> None:
    message = next(frame for frame in GATEWAY_FRAMES if isinstance(frame, gateway.Message))
    placed = gateway.at_cursor(gateway.encode(message), 77)
    assert gateway.decode_gateway_frame(placed, LIMITS) == dataclasses.replace(message, cursor=77)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "tls.truncated"),
        (b"\x02\x09", "gateway.version"),
        (b"\x01\x40" + bytes(24), "gateway.frame"),
        (b"\x01\x09\x00", "tls.trailing"),
        (b"\x01\x04\x00", "tls.truncated"),
        (b"\x01\x01\x02", "tls.optional"),
        (b"\x01\x07" + bytes(16) + b"\x03abc\x00", "gateway.name"),
        (b"\x01\x07" + bytes(16) + b"\x09+15550199\x02", "gateway.boolean"),
        (b"\x01\x08\x04\x01\xff\x01a", "gateway.text"),
    ],
)
def test_sr09_what_is_wrong_with_a_clients_frame(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as refused:
        gateway.decode_client_frame(data, LIMITS)
    assert refused.value.code == code


def test_sr09_a_reason_that_is_none() -> None:
    with pytest.raises(DecodeError) as refused:
        gateway.decode_gateway_frame(gateway.encode(GATEWAY_FRAMES[3])[:-1] + b"\x09", LIMITS)
    assert refused.value.code == "gateway.enumeration"


def test_sr08_frames_texts_and_lists_are_bounded() -> None:
    small = gateway.FrameLimits(max_frame=200, max_text=8, max_items=2)
    with pytest.raises(LimitExceeded) as refused:
        gateway.decode_client_frame(bytes(201), small)
    assert refused.value.code == "gateway.limit.frame"
    with pytest.raises(LimitExceeded) as refused:
        gateway.decode_client_frame(gateway.encode(gateway.Advertise((("a" * 9, ""),))), small)
    assert refused.value.code == "tls.limit"
    with pytest.raises(LimitExceeded) as refused:
        gateway.decode_client_frame(gateway.encode(gateway.Advertise((("a", ""),) * 3)), small)
    assert refused.value.code == "gateway.limit.items"
