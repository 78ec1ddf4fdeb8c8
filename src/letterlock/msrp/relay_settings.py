"""What a relay is made with: its bounds and times, what it asks its owner to do, who checks passwords for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from ..codec.msrp import Limits, MsrpUri
from ..ids import Instant, Rng

__all__ = ["CloseWanted", "ConnectWanted", "DigestOutcome", "DigestVerifier", "RelaySettings"]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Bounds and times; no defaults here, the edge picks."""

    limits: Limits
    require_tls: bool  # for AUTH (section 9.2); False is a lab's option (SR-19)
    min_expires_s: int
    max_expires_s: int  # also what is granted when nothing is asked for
    probation_ms: int  # 30 seconds by section 6.1, until the first request that is served
    transaction_ms: int  # 30 seconds by section 6.4.1
    stall_ms: int  # how long a connection may leave bytes untaken
    chunk: int  # the largest chunk sent on
    turn: int  # bytes of one flow before another on the same connection gets its turn
    max_failures: int  # AUTH requests with wrong credentials on one connection
    max_strikes: int  # refused requests on a connection of which none was served
    max_tokens: int  # addresses of one connection
    max_flows: int  # chunks of one connection under way at once; reading pauses above it
    max_pending: int  # bytes under way to one connection; reading of those that feed it pauses above it
    max_control: int  # bytes of answers and reports that a connection does not take; its reading pauses above it
    max_transactions: int  # chunks of one connection without an answer
    max_outward: int  # connections to others that are open for one user's connection
    idle_ms: int  # how long such a connection may be unused (section 6.5)


@dataclass(frozen=True, slots=True)
class ConnectWanted:
    """Open a connection to this address for that number, then call `opened` or `lost`. The owner may well refuse:
    it is a user's request, and the address is one that the user chose (SR-14).
    """

    connection: int
    uri: MsrpUri


@dataclass(frozen=True, slots=True)
class CloseWanted:
    """Close this connection; `lost` has been done with it."""

    connection: int
    reason: str


class DigestOutcome(Protocol):
    """What `DigestServer.verify` gives."""

    @property
    def outcome(self) -> enum.Enum: ...

    @property
    def username(self) -> str | None: ...


class DigestVerifier(Protocol):
    """What `letterlock.sip.digest_server.DigestServer` does; the wire packages do not import each other."""

    def challenge(self, now: Instant, rng: Rng, *, stale: bool) -> tuple[str, ...]:
        """WWW-Authenticate values."""
        ...

    def verify(self, headers: tuple[str, ...], method: str, uri: str, now: Instant, /) -> DigestOutcome:
        """Judge the Authorization values of a request. Its outcomes have the values accepted, absent, stale, wrong."""
        ...

    def authentication_info(self, headers: tuple[str, ...], uri: str, /) -> str | None:
        """The Authentication-Info that proves to an accepted client that we know its password."""
        ...
