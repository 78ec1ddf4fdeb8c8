"""Answering 401 and 407 for requests of one account, and sending credentials at once where a nonce is known.

A request may be answered once for each kind of challenge, and once more when the server says that
only the nonce was stale; a further challenge means that the password is wrong (RFC 7616 section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import CSeq, Request, Response
from ..errors import DecodeError, ProtocolError
from ..ids import Rng
from .digest import DigestClient

__all__ = ["Attempt", "Authenticator"]

_KINDS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request as sent, and which challenges it has already answered."""

    request: Request
    answered: tuple[int, ...] = ()


class Authenticator:
    """Credentials of one account. REGISTER and other requests keep separate nonces: other servers issue them."""

    def __init__(
        self, username: str, password: str, rng: Rng, algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    ) -> None:
        self._username = username
        self._password = password
        self._rng = rng
        self._algorithms = algorithms
        self._clients: dict[tuple[int, bool], DigestClient] = {}

    def first(self, request: Request) -> Attempt:
        """The request with whatever credentials earlier challenges allow."""
        return Attempt(self._sign(request))

    def answer(self, attempt: Attempt, response: Response) -> Attempt | None:
        """The request to send after a 401 or 407, its CSeq one higher; None when an answer would not help."""
        kind = response.status
        if kind not in _KINDS:
            return None
        challenge_header, _ = _KINDS[kind]
        slot = (kind, attempt.request.method == "REGISTER")
        client = self._clients.get(slot)
        if client is None:
            client = DigestClient(self._username, self._password, self._rng, self._algorithms)
            self._clients[slot] = client
        try:
            challenge = client.accept(response.headers.all(challenge_header))
            cseq = CSeq.parse(attempt.request.headers.get("CSeq") or "")
        except (ProtocolError, DecodeError):
            return None
        times = attempt.answered.count(kind)
        if times >= 2 or (times == 1 and not challenge.stale):
            return None
        headers = attempt.request.headers.with_("CSeq", CSeq(cseq.number + 1, cseq.method).encode())
        again = Request(attempt.request.method, attempt.request.uri, headers, attempt.request.body)
        return Attempt(self._sign(again), (*attempt.answered, kind))

    def forget(self) -> None:
        """Drop all nonces: the next connection may lead to another server."""
        self._clients.clear()

    def __repr__(self) -> str:
        return f"Authenticator({self._username!r})"

    def _sign(self, request: Request) -> Request:
        headers = request.headers
        for (kind, register), client in self._clients.items():
            if register == (request.method == "REGISTER") and client.ready:
                _, name = _KINDS[kind]
                headers = headers.with_(name, client.credentials(request.method, request.uri, request.body))
        return Request(request.method, request.uri, headers, request.body)
