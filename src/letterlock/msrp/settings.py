"""Everything an MSRP endpoint is bounded by (SR-08). There are no defaults here: the edge picks."""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.msrp import Limits

__all__ = ["EndpointSettings"]


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One connection's bounds and times."""

    limits: Limits
    transaction_ms: int  # 30 seconds by RFC 4975 section 7.1.1, from a chunk's last byte to its answer
    report_ms: int  # from the last byte of a message, or the last partial report, to its success report
    bind_ms: int  # how long a connection may be open without a session
    stalled_ms: int  # how long a message may arrive without a further byte
    keepalive_ms: int | None  # silence after which a SEND without body asks whether the peer is there
    turn: int  # bytes of one message before another that waits gets its turn; at least 2048
    max_outgoing: int  # messages of ours that are not finished
    max_transactions: int  # chunks without an answer; no further one is begun above it
    max_incoming: int  # messages that are arriving; further ones are refused
    max_unconfirmed: int  # messages that arrived and wait for the owner; reading pauses above it
    max_gaps: int  # pieces of one message held because an earlier one is missing
    max_gap_bytes: int  # bytes of all of them on the connection
    max_strikes: int  # refused requests of a connection that has no session
    remembered: int  # message ids of a connection kept after their end, to tell repeats and refuse the rest
    max_control: int  # bytes of answers and reports that the peer does not take: reading pauses above it
