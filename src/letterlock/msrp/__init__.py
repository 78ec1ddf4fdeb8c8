"""MSRP without sockets (RFC 4975, 4976, 6135, 6714): connections, sessions, messages in chunks, reports, relays.

`Connection` is one end of one connection; `Relay` carries between many. Both are fed bytes and instants, give
bytes and events, hold bounded memory however large the messages are, and know no clock.
"""

from __future__ import annotations

from .authorization import Digest
from .connection import Connection
from .events import (
    Disconnected,
    Event,
    MessageBroken,
    MessagePiece,
    MessageReceived,
    MessageStarted,
    RelayGranted,
    RelayRefused,
    SendCompleted,
    SendFailed,
    SendProgressed,
    SessionBound,
    SessionFailed,
)
from .relay import Relay
from .relay_settings import CloseWanted, ConnectWanted, DigestVerifier, RelaySettings
from .sessions import Session, SessionTable, accepts, new_session_id
from .settings import EndpointSettings
from .sources import BodySource, BytesSource
from .writing import FIXED_CHUNK

__all__ = [
    "FIXED_CHUNK",
    "BodySource",
    "BytesSource",
    "CloseWanted",
    "ConnectWanted",
    "Connection",
    "Digest",
    "DigestVerifier",
    "Disconnected",
    "EndpointSettings",
    "Event",
    "MessageBroken",
    "MessagePiece",
    "MessageReceived",
    "MessageStarted",
    "Relay",
    "RelayGranted",
    "RelayRefused",
    "RelaySettings",
    "SendCompleted",
    "SendFailed",
    "SendProgressed",
    "Session",
    "SessionBound",
    "SessionFailed",
    "SessionTable",
    "accepts",
    "new_session_id",
]
