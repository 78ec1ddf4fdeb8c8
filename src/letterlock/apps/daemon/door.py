"""The door of a page on loopback: whether a request may come in, whose it is, and how a browser logs in (SR-16).

The guard first, then the session. A cookie alone opens no more than the files of the page, which are nobody's secret: what
answers with anything of the user's wants the proof beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from .connections import has_shown_a_cookie, has_shown_a_session
from .guard import Head, Refused, Rules, refusal
from .sessions import Session, Sessions
from .unix import same_user

__all__ = ["Door"]

_PROOF = "Letterlock-Proof"
_PUBLIC = frozenset({"/login", "/favicon.ico"})


@dataclass(frozen=True, slots=True)
class Door:
    """`private` is what the paths begin with that want the proof; `stream` is the one of them whose proof may stand in the
    address, for an EventSource cannot send a header. `again` tells a person how to get in."""

    sessions: Sessions
    rules: Rules
    now: Callable[[], float]
    private: str
    stream: str
    again: str

    def admit(self, request: web.Request) -> Session | None:
        """Whose request it is; None on the way to the login. Raises Refused."""
        refused = refusal(_head(request), self.rules)
        if refused is not None:
            raise refused
        return None if request.path in _PUBLIC else self._who(request)

    def login(self, request: web.Request) -> web.StreamResponse:
        """The answer to a login address. Raises Refused for one that was used, or is too old."""
        if "prefetch" in request.headers.get("Sec-Purpose", ""):
            raise Refused(503, "prefetch", "an address that works once is not fetched in advance")
        told = self.sessions.login(request.query.get("t", ""), self.now())
        if told is None and self._by_cookie(request) is None:
            raise Refused(403, "login", "this login address was used, or is too old", self.again)
        # Behind `#` it is sent to nobody; the page takes it from its address at once.
        onward = f"/#proof={told.proof}" if told is not None else "/"
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # After a link of somebody else's a redirect still counts as theirs, and gets no SameSite=Strict cookie.
            answer = web.Response(text=_ONWARD.format(onward), content_type="text/html")
        else:
            answer = web.Response(status=303, headers={hdrs.LOCATION: onward})
        if told is not None:
            answer.set_cookie(self.sessions.cookie, told.cookie, httponly=True, samesite="Strict", path="/")
        return answer

    def _who(self, request: web.Request) -> Session:
        if self.rules.local:
            if request.transport is None or not same_user(request.transport):
                raise Refused(403, "user", "the socket is another user's")
            return self.sessions.local
        session: Session | None
        if (authorization := request.headers.get(hdrs.AUTHORIZATION)) is not None:
            session, proven = self.sessions.of_authorization(authorization), True
        else:
            session = self._by_cookie(request)
            proven = session is not None and self.sessions.proven(session, self._proof(request))
        # The page itself is nobody's secret, and the path of a file is one of its own.
        if session is None or (not proven and request.path.startswith(self.private)):
            raise Refused(401, "login", "not logged in", self.again)
        (has_shown_a_session if proven else has_shown_a_cookie)(request)
        return session

    def _by_cookie(self, request: web.Request) -> Session | None:
        return self.sessions.of_cookies(request.headers.get(hdrs.COOKIE, ""), self.now())

    def _proof(self, request: web.Request) -> str:
        in_address = request.query.get("proof", "") if request.path == self.stream else ""
        return request.headers.get(_PROOF, "") or in_address


_ONWARD = '<!doctype html><meta http-equiv="refresh" content="0;url={}"><title>Letterlock</title>'


def _head(request: web.Request) -> Head:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return Head(request.method, request.path, headers)
