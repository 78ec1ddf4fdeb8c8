"""Digest authentication, client side, and the computation both sides share (RFC 7616, RFC 2617, RFC 8760).

MD5 is what IMS cores ask for; it is offered here for them and passed over whenever SHA-256 is on
offer. A challenge without `algorithm` means MD5, one without `qop` the RFC 2069 response without a
nonce count. The password never leaves this process, but under MD5 whoever sees the exchange can
guess at it: SIP runs over TLS outside a lab (SR-19).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ..codec.sip import Challenge, Credentials
from ..errors import DecodeError, ProtocolError
from ..ids import Rng

__all__ = ["DigestClient", "blank_credentials", "digest_response", "ha1", "supported_algorithm"]

# Strongest first (RFC 8760 section 2.4: the client takes the first that it can).
_HASHES = {"SHA-256": "sha256", "MD5": "md5"}
_MAX_NONCE = 1024


class DigestClient:
    """Answers challenges of one kind (401 or 407) for one account; keeps the nonce and its count between requests."""

    def __init__(
        self, username: str, password: str, rng: Rng, algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    ) -> None:
        self._username = username
        self._password = password
        self._rng = rng
        self._algorithms = algorithms
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def ready(self) -> bool:
        """Whether a challenge is known, so that requests can carry credentials at once."""
        return self._challenge is not None

    def accept(self, headers: Iterable[str]) -> Challenge:
        """Take the strongest of the challenges of a 401 or 407 and return it.

        Raises ProtocolError when nothing on offer is supported.
        """
        best: Challenge | None = None
        for text in headers:
            try:
                challenge = Challenge.parse(text)
            except DecodeError:
                continue
            if len(challenge.nonce) > _MAX_NONCE or _usable_qop(challenge) is None:
                continue
            algorithm = supported_algorithm(challenge.algorithm)
            if algorithm is None or _bare(algorithm) not in self._algorithms:
                continue
            if best is None or self._rank(challenge) < self._rank(best):
                best = challenge
        if best is None:
            raise ProtocolError("no digest challenge that we support", code="sip.auth.unsupported")
        if self._challenge is None or (best.realm, best.nonce) != (self._challenge.realm, self._challenge.nonce):
            # The same nonce goes on counting: requests under way together may be challenged with one (RFC 7616 3.4).
            self._count = 0
        self._challenge = best
        return best

    def credentials(self, method: str, uri: str, body: bytes = b"") -> str:
        """The Authorization or Proxy-Authorization value for one request; counts the nonce up."""
        challenge = self._challenge
        if challenge is None:
            raise ProtocolError("no challenge to answer", code="sip.auth.no_challenge")
        self._count += 1
        qop = _usable_qop(challenge)
        cnonce = self._rng(12).hex() if qop or _is_session(challenge.algorithm) else None
        response = digest_response(
            algorithm=challenge.algorithm,
            ha1_hex=ha1(challenge.algorithm, self._username, challenge.realm, self._password),
            method=method,
            uri=uri,
            nonce=challenge.nonce,
            qop=qop or None,
            nc=self._count,
            cnonce=cnonce,
            body=body,
        )
        return Credentials(
            username=self._username,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=uri,
            response=response,
            algorithm=challenge.algorithm,
            opaque=challenge.opaque,
            qop=qop or None,
            cnonce=cnonce,
            nc=self._count if qop else None,
        ).encode()

    def _rank(self, challenge: Challenge) -> int:
        return self._algorithms.index(_bare(supported_algorithm(challenge.algorithm) or "MD5"))

    def __repr__(self) -> str:
        return f"DigestClient({self._username!r})"


def blank_credentials(username: str, realm: str, uri: str) -> str:
    """The Authorization of an IMS client's first REGISTER: it names the private identity and proves nothing yet.

    Without it an S-CSCF answers 403 where it would have challenged (TS 24.229 section 5.1.1.2).
    """
    return Credentials(username=username, realm=realm, nonce="", uri=uri, response="").encode()


def supported_algorithm(name: str | None) -> str | None:
    """The algorithm in its registered spelling, MD5 for None, or None when it is not supported."""
    canonical = (name or "MD5").upper()
    # ASCII as it came: `upper` makes an S of other letters too, and what they came as is no token.
    return canonical if (name or "").isascii() and _bare(canonical) in _HASHES else None


def ha1(algorithm: str | None, username: str, realm: str, password: str) -> str:
    """H(A1) before any `-sess` step: what a server stores in place of the password."""
    return _hash(algorithm, f"{username}:{realm}:{password}".encode())


def digest_response(
    *,
    algorithm: str | None,
    ha1_hex: str,
    method: str,
    uri: str,
    nonce: str,
    qop: str | None = None,
    nc: int = 1,
    cnonce: str | None = None,
    body: bytes = b"",
) -> str:
    """The `response` of RFC 7616 section 3.4.1, or without `qop` that of RFC 2069."""
    if _is_session(algorithm):
        ha1_hex = _hash(algorithm, f"{ha1_hex}:{nonce}:{cnonce or ''}".encode())
    a2 = f"{method}:{uri}"
    if qop == "auth-int":
        a2 += f":{_hash(algorithm, body)}"
    ha2 = _hash(algorithm, a2.encode())
    if qop is None:
        return _hash(algorithm, f"{ha1_hex}:{nonce}:{ha2}".encode())
    return _hash(algorithm, f"{ha1_hex}:{nonce}:{nc:08x}:{cnonce or ''}:{qop}:{ha2}".encode())


def _hash(algorithm: str | None, data: bytes) -> str:
    name = _HASHES[_bare((algorithm or "MD5").upper())]
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def _bare(algorithm: str) -> str:
    return algorithm.upper().removesuffix("-SESS")


def _is_session(algorithm: str | None) -> bool:
    return algorithm is not None and algorithm.upper().endswith("-SESS")


def _usable_qop(challenge: Challenge) -> str | None:
    """ "auth", "auth-int", "" for a challenge without qop, None when none of the offered is known."""
    if not challenge.qop:
        return ""
    return next((qop for qop in ("auth", "auth-int") if qop in challenge.qop), None)
