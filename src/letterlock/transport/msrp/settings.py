"""What the MSRP edge is made with, and how it says that a message was not delivered."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...codec.msrp import Limits
from ...errors import TransportError
from ...msrp import EndpointSettings

__all__ = ["MsrpFailure", "MsrpSettings"]


def _endpoint_settings() -> EndpointSettings:
    return EndpointSettings(
        limits=Limits(max_line=8192, max_headers=64, max_path=10),
        transaction_ms=30_000,
        report_ms=120_000,
        bind_ms=30_000,
        stalled_ms=120_000,
        keepalive_ms=None,
        turn=65_536,
        max_outgoing=1024,
        max_transactions=1024,
        max_incoming=64,
        max_unconfirmed=256,
        max_gaps=64,
        max_gap_bytes=1 << 20,
        max_strikes=8,
        remembered=1024,
        max_control=262_144,
    )


@dataclass(frozen=True, slots=True)
class MsrpSettings:
    """Every size, time and count of this edge."""

    endpoint: EndpointSettings = field(default_factory=_endpoint_settings)
    connect_s: float = 10.0
    stall_s: float = 30.0  # how long a peer may take nothing of what is written
    write_bytes: int = 262_144  # one write, and what may wait in the socket's buffer
    turn_bytes: int = 1 << 20  # written in one turn of the loop
    read_bytes: int = 1 << 20  # one read of a file
    ahead_bytes: int = 1 << 20  # read of a body before the socket takes it
    waiting_bytes: int = 1 << 20  # received and not taken by a busy sink; reading pauses above it
    max_connections: int = 1024  # accepted at once


class MsrpFailure(TransportError):
    """The message was not delivered, or is not known to be. `status` is MSRP's, 0 when the connection or we ended it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, code=f"msrp.status.{status}" if status else "transport.lost")
        self.status = status
