"""Who gets an address of a relay: AUTH and its Digest (RFC 4976 sections 5.1, 6.3 and 9.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..codec.msrp import Request, decimal, encode_path
from ..errors import DecodeError
from ..ids import Instant, Rng
from .relay_settings import DigestVerifier, RelaySettings
from .relay_tokens import Tokens

__all__ = ["Access", "AuthAnswer"]

_URI_PARAMETER = re.compile(r"[,\s]uri\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AuthAnswer:
    """What an AUTH is answered. `proven`: these were a user's credentials; `wrong`: they were not; `strike`: it makes no
    sense at all."""

    status: int
    comment: str
    headers: tuple[tuple[str, str], ...] = ()
    proven: bool = False
    wrong: bool = False
    strike: bool = False


class Access:
    """Judges the AUTH requests of a relay, and grants its addresses."""

    def __init__(self, settings: RelaySettings, verifier: DigestVerifier, tokens: Tokens, rng: Rng) -> None:
        self._settings = settings
        self._verifier = verifier
        self._tokens = tokens
        self._rng = rng

    def judge(self, connection: int, request: Request, *, secure: bool, now: Instant) -> AuthAnswer:
        """The answer to an AUTH that came over this connection; an address is granted by it."""
        if len(request.to_path) > 1 or (self._settings.require_tls and not secure):
            # Section 9.2: "Client-to-relay communications MUST use TLS for AUTH requests and responses".
            return AuthAnswer(403, "not this way", strike=True)
        uri = request.to_path[-1].encode()
        credentials = tuple(_with_uri(text, uri) for text in request.header_all("Authorization"))
        verdict = self._verifier.verify(credentials, "AUTH", uri, now)
        if verdict.outcome.value != "accepted":
            challenges = self._verifier.challenge(now, self._rng, stale=verdict.outcome.value == "stale")
            headers = tuple(("WWW-Authenticate", value) for value in challenges)
            return AuthAnswer(401, "Unauthorized", headers, wrong=verdict.outcome.value == "wrong")
        info = self._verifier.authentication_info(credentials, uri)
        return self._grant(connection, request, () if info is None else (("Authentication-Info", info),), now)

    def _grant(self, connection: int, request: Request, extra: tuple[tuple[str, str], ...], now: Instant) -> AuthAnswer:
        settings = self._settings
        expires = settings.max_expires_s
        asked = request.header("Expires")
        if asked is not None:
            try:
                expires = decimal(asked, "Expires")
            except DecodeError:
                return AuthAnswer(400, "not an interval", proven=True, strike=True)
        if expires < settings.min_expires_s:
            least = (("Min-Expires", str(settings.min_expires_s)),)
            return AuthAnswer(423, "Too brief", least, proven=True)
        if expires > settings.max_expires_s:
            return AuthAnswer(423, "Too long", (("Max-Expires", str(settings.max_expires_s)),), proven=True)
        if self._tokens.count(connection, now) >= settings.max_tokens:
            return AuthAnswer(403, "Too many addresses", proven=True)
        granted = self._tokens.grant(connection, now + expires * 1000)
        headers = (("Use-Path", encode_path((granted,))), ("Expires", str(expires)), *extra)
        return AuthAnswer(200, "OK", headers, proven=True)


def _with_uri(credentials: str, uri: str) -> str:
    """Credentials as RFC 4976 section 5.1 shows them have no `uri`: it is the rightmost of the To-Path (section 9.1)."""
    return credentials if _URI_PARAMETER.search(credentials) else f'{credentials}, uri="{uri}"'
