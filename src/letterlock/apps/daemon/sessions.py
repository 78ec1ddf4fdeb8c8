"""Who is let in (SR-16): login addresses that work once, cookies of this instance, and the token of programs.

A browser sends a cookie to every port of a machine, and whoever listens there can send it on to us with whatever headers a
page would have. So a cookie alone reads nothing: with it goes a proof, which the page was told at its login, keeps where
scripts of its own origin alone can read it, and sends to us alone.

Pure: `now` (seconds, of a clock that never goes back) and `rng` are parameters. Of a secret only its hash is kept, and what is
given is compared in constant time with each that is known. Everything is bounded; the oldest goes first.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from ...ids import Rng

__all__ = ["LoggedIn", "Session", "Sessions"]

_SECRET_BYTES = 32


@dataclass(slots=True, eq=False)
class Session:
    """Somebody who is let in. What was opened for one session is not there for another."""

    name: str
    digest: bytes
    until: float
    """infinity for those that do not end."""
    browser: bool = False
    proof: bytes = b""
    """The hash of what a page sends beside its cookie."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What a browser is told at its login: the cookie's value, and the proof for the page."""

    cookie: str = field(repr=False)
    proof: str = field(repr=False)


class Sessions:
    """`instance` tells apart the daemons of one machine: browsers send a cookie to every port (SR-16)."""

    def __init__(
        self, instance: str, *, rng: Rng, login_s: float, session_s: float, most_sessions: int, most_logins: int
    ) -> None:
        self.cookie = f"letterlock-{instance}"
        self._rng, self._login_s, self._session_s = rng, login_s, session_s
        self._most_sessions, self._most_logins = most_sessions, most_logins
        self._logins: list[tuple[bytes, float]] = []
        self._browsers: list[Session] = []
        self._bearer = Session("bearer", b"", float("inf"))
        self.local = Session("socket", b"", float("inf"))
        """Whoever comes over the unix socket: the kernel has said that it is this user."""
        self.ended: Callable[[Session], None] = lambda session: None
        """Called with each session that ends."""

    # --- login ---------------------------------------------------------------------------------------------
    def offer(self, now: float) -> str:
        """A new token for the login address."""
        token = self._secret()
        self._logins.append((_digest(token), now + self._login_s))
        del self._logins[: -self._most_logins]
        return token

    def login(self, token: str, now: float) -> LoggedIn | None:
        """Take a login token and begin a session. None for a token that was used, is too old or wrong."""
        given, taken = _digest(token), False
        left = []
        for digest, until in self._logins:
            if hmac.compare_digest(digest, given):
                taken = until > now  # used up in any case
            else:
                left.append((digest, until))
        self._logins = left
        if not taken:
            return None
        self._expire(now)
        while len(self._browsers) >= self._most_sessions:
            self.ended(self._browsers.pop(0))
        told = LoggedIn(self._secret(), self._secret())
        name, until = self._rng(8).hex(), now + self._session_s
        self._browsers.append(Session(name, _digest(told.cookie), until, browser=True, proof=_digest(told.proof)))
        return told

    def bearer(self) -> str:
        """A new token for programs; one that was given before is none any more."""
        token = self._secret()
        self._bearer.digest = _digest(token)
        return token

    # --- who asks ------------------------------------------------------------------------------------------
    def of_cookies(self, header: str, now: float) -> Session | None:
        """The session of a Cookie header. The browser keeps it alive by asking."""
        self._expire(now)
        found = None
        for value in _cookies(header, self.cookie):
            given = _digest(value)
            for session in self._browsers:
                if hmac.compare_digest(session.digest, given):
                    found = session
        if found is not None:
            found.until = now + self._session_s
        return found

    def proven(self, session: Session, proof: str) -> bool:
        """Whether a request with this session's cookie comes from its page, and not from somebody who saw the cookie."""
        return not session.browser or hmac.compare_digest(session.proof, _digest(proof))

    def of_authorization(self, header: str) -> Session | None:
        """The programs' session, for the right bearer token."""
        scheme, _, token = header.partition(" ")
        right = hmac.compare_digest(self._bearer.digest, _digest(token.strip()))
        return self._bearer if right and scheme.lower() == "bearer" else None

    def alive(self, session: Session, now: float) -> None:
        """It is in use, though it asks nothing."""
        if session in self._browsers:
            session.until = now + self._session_s

    def end(self, session: Session) -> None:
        """Log one out."""
        if session in self._browsers:
            self._browsers.remove(session)
            self.ended(session)

    def end_all(self) -> None:
        """The daemon ends."""
        self._logins = []
        for session in (*self._browsers, self._bearer, self.local):
            self.ended(session)
        self._browsers, self._bearer.digest = [], b""

    def _expire(self, now: float) -> None:
        for session in [each for each in self._browsers if each.until <= now]:
            self.end(session)

    def _secret(self) -> str:
        return self._rng(_SECRET_BYTES).hex()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _cookies(header: str, name: str) -> list[str]:
    """All values under that name: a page on another port may have set one more beside ours."""
    pairs = (each.strip().partition("=") for each in header.split(";"))
    return [value for found, _, value in pairs if found == name][:8]
