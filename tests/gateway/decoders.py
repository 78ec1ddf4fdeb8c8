"""The gateway's frames, for the list of decoders of hostile bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.codec import gateway, push_subscription
from letterlock.codec.cpim import CpimHeader
from letterlock.ids import ConversationId, GroupId, MessageId, Number, bot_address

__all__ = ["CLIENT_FRAMES", "GATEWAY_FRAMES", "LIMITS", "gateway_decoders"]

LIMITS = gateway.FrameLimits(max_frame=65_536, max_text=4_096, max_items=64)

ANA, BEN = Number("+15550100"), Number("+15550199")
_REQUEST = gateway.RequestId(bytes(range(16)))
_GROUP = GroupId(bytes(range(16, 32)))
_ROSTER = gateway.Roster(_GROUP, "lunch", (ANA, BEN))

CLIENT_FRAMES: tuple[gateway.ClientFrame, ...] = (
    gateway.Hello(None, 0),
    gateway.Hello(bytes(16), 7, (("+g.x", "1"),), (("00" * 16, "sip:conf-1@h.test"),)),
    gateway.Send(
        _REQUEST,
        BEN,
        MessageId("m-1"),
        ConversationId(bytes(16)),
        "text/plain;charset=UTF-8",
        b"hello",
        large=True,
        receipts=True,
        group=_GROUP,
        headers=(("NS", "x <urn:x>"),),
        packet=True,
        dispositions=("display",),
    ),
    gateway.Send(_REQUEST, None, MessageId("m-2"), ConversationId(bytes(16)), "a/b", b""),
    gateway.Send(
        _REQUEST, bot_address("sip:shop@bots.example.com"), MessageId("m"), ConversationId(bytes(16)), "a", b""
    ),
    gateway.Settled((_REQUEST, gateway.RequestId(bytes(16)))),
    gateway.Acknowledge(1 << 40),
    gateway.SyncConference(_REQUEST, True, _ROSTER),
    gateway.MakeConference(_REQUEST, _ROSTER),
    gateway.AskFeatures(_REQUEST, BEN, True),
    gateway.Advertise((("+g.x", ""),)),
    gateway.VisitConferences(),
    gateway.Subscribe(_REQUEST, None),
    gateway.Subscribe(
        _REQUEST, push_subscription.Subscription(push_subscription.PushKind.APNS, "ab" * 32, "org.example.app")
    ),
)

GATEWAY_FRAMES: tuple[gateway.GatewayFrame, ...] = (
    gateway.Welcome(bytes(16), 3),
    gateway.Message(
        4, BEN, ANA, MessageId("m-1"), "a/b", 1_800_000_000_000, _GROUP, (CpimHeader("imdn.X", " y", "urn:x"),), b"hi"
    ),
    gateway.Message(5, None, ANA, MessageId("m-1"), "a/b", 1, None, (), b""),
    gateway.Gap(5, 9, gateway.GapReason.OVERFLOW),
    gateway.ConferenceSeen(_GROUP, "sip:conf-1@h.test", "lunch", (ANA, BEN), "YQ==", "https://h.test/i"),
    gateway.FeaturesChanged(BEN, ("chat", "rcc16"), ()),
    gateway.ConferenceKept("00" * 16, "sip:conf-1@h.test"),
    gateway.ConferenceKept("00" * 16, None),
    gateway.Registration("registered", "registered"),
    gateway.Result(_REQUEST, True, 200, "OK", None),
    gateway.Result(_REQUEST, False, 503, "busy", 1000),
    gateway.Failure(_REQUEST, "transport.offline", "not registered", "wait"),
    gateway.Done(_REQUEST),
    gateway.FeaturesAnswer(_REQUEST, ("chat",)),
    gateway.FeaturesAnswer(_REQUEST, None),
)


def gateway_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    """Name, decoder, what an honest peer sends."""
    return (
        (
            "gateway client frame",
            lambda data: gateway.decode_client_frame(data, LIMITS),
            tuple(gateway.encode(frame) for frame in CLIENT_FRAMES),
        ),
        (
            "gateway frame",
            lambda data: gateway.decode_gateway_frame(data, LIMITS),
            tuple(gateway.encode(frame) for frame in GATEWAY_FRAMES),
        ),
    )
