"""What passes between a client and its gateway: one frame in each binary message of the WebSocket (docs/spec/gateway.md).

A frame is a version, a type and fields in the TLS presentation language. Bodies are carried and never looked into. Who
may send what when is not decided here: `services/gateway` and `transport/gateway` do.
"""

from __future__ import annotations

from .coding import (
    VERSION,
    FrameLimits,
    at_cursor,
    decode_client_frame,
    decode_gateway_frame,
    encode,
)
from .frames import (
    Acknowledge,
    Advertise,
    AskFeatures,
    ClientFrame,
    ConferenceKept,
    ConferenceSeen,
    Done,
    Failure,
    FeaturesAnswer,
    FeaturesChanged,
    Gap,
    GapReason,
    GatewayFrame,
    Hello,
    MakeConference,
    Message,
    Registration,
    RequestId,
    Result,
    Roster,
    Send,
    Settled,
    Subscribe,
    SyncConference,
    VisitConferences,
    Welcome,
)

__all__ = [
    "VERSION",
    "Acknowledge",
    "Advertise",
    "AskFeatures",
    "ClientFrame",
    "ConferenceKept",
    "ConferenceSeen",
    "Done",
    "Failure",
    "FeaturesAnswer",
    "FeaturesChanged",
    "FrameLimits",
    "Gap",
    "GapReason",
    "GatewayFrame",
    "Hello",
    "MakeConference",
    "Message",
    "Registration",
    "RequestId",
    "Result",
    "Roster",
    "Send",
    "Settled",
    "Subscribe",
    "SyncConference",
    "VisitConferences",
    "Welcome",
    "at_cursor",
    "decode_client_frame",
    "decode_gateway_frame",
    "encode",
]
