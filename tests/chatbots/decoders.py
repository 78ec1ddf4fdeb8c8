"""The decoders of what chatbots send and get, with honest examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatbots.messages import CARD, CAROUSEL, CHIPS, COMMON, LIMITS, MAAP_ONLY
from letterlock.codec.chatbot import maap, rbm, rbm_events
from letterlock.codec.chatbot import model as m
from letterlock.codec.mime import ContentType

__all__ = ["chatbot_decoders"]

_MULTIPART = ContentType("multipart/mixed", (("boundary", "b"),))
_USER_TEXT = b'{"senderPhoneNumber":"+12025550100","messageId":"m-1","sendTime":"2026-11-23T10:00:00Z","agentId":"a-1","text":"hi"}'
_DELIVERED = (
    b'{"senderPhoneNumber":"+12025550100","eventType":"DELIVERED","eventId":"e-1","messageId":"m-1","agentId":"a-1"}'
)
_EXPIRED = (
    b'{"phoneNumber":"+12025550100","messageId":"m-1","agentId":"a-1","eventType":"TTL_EXPIRATION_REVOKED",'
    b'"eventId":"e-2","sendTime":"2026-11-23T10:00:00Z"}'
)


def chatbot_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    def limited(decode: Callable[[bytes, Any], Any]) -> Callable[[bytes], Any]:
        return lambda data: decode(data, LIMITS)

    every = tuple(m.Action(f"a{i}", f"p{i}", kind) for i, kind in enumerate((*COMMON, *MAAP_ONLY)))
    joined = maap.encode_joined("text/plain;charset=UTF-8", b"hi", CHIPS, "b")[1]
    return (
        ("maap message", limited(maap.decode_message), (maap.encode_message(CARD), maap.encode_message(CAROUSEL))),
        (
            "maap suggestions",
            limited(maap.decode_suggestions),
            tuple(maap.encode_suggestions(each) for each in (CHIPS, every[:8], every[8:])),
        ),
        (
            "maap response",
            limited(maap.decode_response),
            (
                maap.encode_response(m.SuggestionResponse("Yes", "y")),
                maap.encode_response(m.SuggestionResponse("Map", "m", action=True)),
            ),
        ),
        (
            "maap device data",
            limited(maap.decode_device_data),
            (maap.encode_device_data(m.DeviceData("Phone", "1", "Letterlock", "2", 30)),),
        ),
        ("maap multipart", lambda data: maap.decode_joined(_MULTIPART, data, LIMITS), (joined,)),
        (
            "rbm agent message",
            limited(rbm.decode_agent_message),
            tuple(
                rbm.encode_agent_message(rbm.AgentMessage(m.BotMessage(body, CHIPS), rbm.Traffic.TRANSACTION, 60))
                for body in ("hi", CARD, CAROUSEL, m.LinkedFile("https://shop.example/f.pdf"))
            ),
        ),
        ("rbm agent event", limited(rbm_events.decode_agent_event), (_USER_TEXT, _DELIVERED, _EXPIRED)),
    )
