"""Digest authentication, server side: nonces that prove themselves, replay told apart by count (RFC 7616 section 5).

A nonce is time, random bytes and an HMAC over both, so that nothing is stored for a challenge that
is never answered. What is stored is the highest count seen of each nonce that was answered, in a
table of bounded size; a nonce older than one pushed out of it is stale, so none comes back to life.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..codec.sip import Challenge, Credentials, quote
from ..errors import DecodeError
from ..ids import Instant, Rng
from .digest import digest_response, ha1, supported_algorithm

__all__ = ["DigestServer", "Outcome", "Verdict"]

_LABEL = b"\xff\x80letterlock/sip-nonce/v1\x00"  # SR-23


class Outcome(enum.Enum):
    """What a request's credentials are worth."""

    ACCEPTED = "accepted"
    ABSENT = "absent"  # none for our realm, or the blank ones of a first REGISTER: challenge
    STALE = "stale"  # right key, old or replayed nonce: challenge with stale=true
    WRONG = "wrong"  # challenge again, or 403


@dataclass(frozen=True, slots=True)
class Verdict:
    """`username` is set only when accepted."""

    outcome: Outcome
    username: str | None = None


class DigestServer:
    """Challenges and checks. `password_of(username)` gives the password, or None for a user that does not exist.

    `algorithms` and `qop` are what is offered, best first; an empty `qop` offers the RFC 2069 form, whose
    answers can be replayed until the nonce ages.
    """

    def __init__(
        self,
        realm: str,
        key: bytes,
        password_of: Callable[[str], str | None],
        *,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        qop: tuple[str, ...] = ("auth",),
        lifetime_ms: int = 300_000,
        tracked: int = 10_000,
    ) -> None:
        self._realm = realm
        self._key = key
        self._password_of = password_of
        self._algorithms = algorithms
        self._qop = qop
        self._lifetime_ms = lifetime_ms
        self._tracked = tracked
        self._counts: dict[str, tuple[Instant, int]] = {}
        self._floor: Instant = -1

    def challenge(self, now: Instant, rng: Rng, *, stale: bool = False) -> tuple[str, ...]:
        """Values for WWW-Authenticate or Proxy-Authenticate, one header line each (RFC 8760 section 2.2)."""
        nonce = self._nonce(now, rng(8))
        return tuple(
            Challenge(
                realm=self._realm,
                nonce=nonce,
                # Old clients know only the bare MD5 challenge; for it the parameter may be left out.
                algorithm=algorithm,
                qop=self._qop,
                stale=stale,
            ).encode()
            for algorithm in self._algorithms
        )

    def verify(self, headers: Iterable[str], method: str, uri: str, now: Instant, body: bytes = b"") -> Verdict:
        """Judge the Authorization (or Proxy-Authorization) values of a request. Never raises."""
        for text in headers:
            try:
                credentials = Credentials.parse(text)
            except DecodeError:
                continue
            if credentials.realm != self._realm or not credentials.nonce or not credentials.response:
                continue
            return self._judge(credentials, method, uri, now, body)
        return Verdict(Outcome.ABSENT)

    def authentication_info(self, headers: Iterable[str], uri: str) -> str | None:
        """Authentication-Info for accepted credentials with a qop (RFC 2617 section 3.2.3): proof that we know the
        password too. RFC 4976 section 9.1 demands it of an MSRP relay. Never raises.
        """
        for text in headers:
            try:
                given = Credentials.parse(text)
            except DecodeError:
                continue
            password = self._password_of(given.username)
            if given.realm != self._realm or password is None or given.qop is None or given.nc is None:
                continue
            if supported_algorithm(given.algorithm) not in self._algorithms:
                continue
            proof = digest_response(
                algorithm=given.algorithm,
                ha1_hex=ha1(given.algorithm, given.username, self._realm, password),
                method="",
                uri=uri,
                nonce=given.nonce,
                qop=given.qop,
                nc=given.nc,
                cnonce=given.cnonce,
            )
            return f'rspauth="{proof}", cnonce={quote(given.cnonce or "")}, nc={given.nc:08x}, qop={given.qop}'
        return None

    def _judge(self, given: Credentials, method: str, uri: str, now: Instant, body: bytes) -> Verdict:
        algorithm = supported_algorithm(given.algorithm)
        if algorithm not in self._algorithms or given.uri != uri:
            return Verdict(Outcome.WRONG)
        if (given.qop not in self._qop) if self._qop else (given.qop is not None):
            return Verdict(Outcome.WRONG)
        if given.qop is not None and (given.nc is None or not given.cnonce):
            return Verdict(Outcome.WRONG)
        issued = self._issued_at(given.nonce)
        if issued is None:
            # Not ours, or of a server before its restart: a new nonce lets an honest client try again.
            return Verdict(Outcome.STALE)
        password = self._password_of(given.username)
        expected = digest_response(
            algorithm=given.algorithm,
            ha1_hex=ha1(given.algorithm, given.username, self._realm, password or ""),
            method=method,
            uri=uri,
            nonce=given.nonce,
            qop=given.qop,
            nc=given.nc or 0,
            cnonce=given.cnonce,
            body=body,
        )
        # Constant time, and computed for unknown users too: nothing tells who exists (SR-10).
        same = hmac.compare_digest(expected.encode(), given.response.encode())
        if not same or password is None:
            return Verdict(Outcome.WRONG)
        if not self._fresh(given, issued, now):
            return Verdict(Outcome.STALE)
        return Verdict(Outcome.ACCEPTED, given.username)

    def _fresh(self, given: Credentials, issued: Instant, now: Instant) -> bool:
        if issued <= self._floor or not issued <= now <= issued + self._lifetime_ms:
            return False
        if given.nc is None:
            return True
        _, highest = self._counts.get(given.nonce, (issued, 0))
        if given.nc <= highest:
            return False
        # Put it at the end, so that the first is always the one unused for longest.
        self._counts.pop(given.nonce, None)
        self._counts[given.nonce] = (issued, given.nc)
        if len(self._counts) > self._tracked:
            oldest = next(iter(self._counts))
            self._floor = max(self._floor, self._counts.pop(oldest)[0])
        return True

    def _nonce(self, now: Instant, random: bytes) -> str:
        stamp = now.to_bytes(8, "big") + random
        return base64.urlsafe_b64encode(stamp + self._seal(stamp)).decode()

    def _issued_at(self, nonce: str) -> Instant | None:
        """When we made this nonce, or None if we did not."""
        if len(nonce) != 44:
            return None
        try:
            raw = base64.b64decode(nonce.encode(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != 32 or not hmac.compare_digest(raw[16:], self._seal(raw[:16])):
            return None
        return int.from_bytes(raw[:8], "big")

    def _seal(self, stamp: bytes) -> bytes:
        return hmac.new(self._key, _LABEL + stamp + self._realm.encode(), hashlib.sha256).digest()[:16]
