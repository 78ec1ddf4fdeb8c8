"""What may come in, decided from the head of a request alone (SR-16).

Anybody can make a browser send a request to 127.0.0.1: a page of another site, a page that another program serves on
another port, a name whose address was changed to ours (DNS rebinding). So, before who it is counts for anything:

1. `Host` is one of ours, exactly once. A rebound name is not.
2. `Origin`, where there is one, is one of ours. A browser sends it with every POST and with every EventSource of others.
3. `Sec-Fetch-Site`, where there is one, says that our own page asks, or that the user opened the address. `same-site` is
   no better than `cross-site`: ports and cookies know no difference, so a page on another port is same-site.
4. A POST has a content type that no HTML form can send and for which a browser asks permission first; it never gets it.
5. A cookie alone never allows a POST: the browser has said, by 2 or 3, that our own page asks.

What comes over the unix socket is no browser's: there a request with an `Origin` or `Sec-Fetch-Site` is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Head", "Refused", "Rules", "refusal"]

_JSON = "application/json"
_OCTETS = "application/octet-stream"
_NAVIGATION = frozenset({"/", "/login"})
_BODIES: Mapping[str, str] = {"/api/v1/rpc": _JSON, "/api/v1/files": _OCTETS}


@dataclass(frozen=True, slots=True)
class Rules:
    """`hosts` and `origins` are ours; none of them: this is the unix socket. `frames` may show our page in a frame.

    `body_bytes` is the most that the body of a path may have.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    body_bytes: Mapping[str, int]
    frames: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        return not self.hosts


@dataclass(frozen=True, slots=True)
class Head:
    """What is known before the body: each header with all its values, names in lower case."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str | None:
        """The value of a header that comes once. Raises Refused when it comes twice: two readers may take two of them."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise Refused(400, "header", f"{name} comes more than once")
        return values[0] if values else None


class Refused(Exception):
    """Not let in: the HTTP status, a stable code (`daemon.` before it), and why."""

    def __init__(self, status: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.hint = status, f"daemon.{code}", message, hint


def refusal(head: Head, rules: Rules) -> Refused | None:
    """Why this request is not let in; None if it may go on, to the question of who it is."""
    try:
        _check(head, rules)
    except Refused as refused:
        return refused
    return None


def _check(head: Head, rules: Rules) -> None:
    host, origin, site = head.one("host"), head.one("origin"), head.one("sec-fetch-site")
    if rules.local:
        if origin is not None or site is not None:
            raise Refused(403, "origin", "the socket is for programs, not for pages")
    else:
        if host is None or host.lower() not in rules.hosts:
            raise Refused(421, "host", "this is not the name of this daemon", "use the address that it printed")
        if origin is not None and origin not in rules.origins:
            raise Refused(403, "origin", "only the daemon's own page may ask this")
        if site is not None:
            _check_site(head, site, rules)
    if head.method == "POST":
        _check_body(head, rules)
        cookie, bearer = head.one("cookie"), head.one("authorization")
        if cookie is not None and bearer is None and origin is None and site is None and not rules.local:
            raise Refused(403, "origin", "nobody says that the daemon's own page asks this")
    elif head.method not in ("GET", "HEAD"):
        raise Refused(405, "method", "only GET, HEAD and POST")
    elif int(_length(head) or 0) or head.one("transfer-encoding") is not None:
        raise Refused(400, "body", f"a {head.method} has no body")


def _check_site(head: Head, site: str, rules: Rules) -> None:
    if site == "same-origin":
        return
    navigation = head.method == "GET" and head.one("sec-fetch-mode") == "navigate" and head.path in _NAVIGATION
    if navigation:
        # Where a link leads is for the user to say, and the cookie is SameSite=Strict; but a frame shows it inside
        # somebody else's page, where a click may be led astray.
        if head.one("sec-fetch-dest") == "document" or rules.frames:
            return
        raise Refused(403, "frame", "this page is not shown inside others", "letterlock daemon --allow-frame ORIGIN")
    # `none`: the user typed the address of a file or a call; nobody's page did.
    if site != "none":
        raise Refused(403, "site", "only the daemon's own page may ask this")


def _check_body(head: Head, rules: Rules) -> None:
    wanted = _BODIES.get(head.path)
    if wanted is None:
        return  # there is nothing to be posted to: 404 or 405
    given = (head.one("content-type") or "").partition(";")[0].strip().lower()
    if given != wanted:
        raise Refused(415, "type", f"the body has to be {wanted}")
    if head.one("content-encoding") not in (None, "identity"):
        raise Refused(415, "encoding", "the body is taken as it is")
    length = _length(head)
    if length is not None and int(length) > rules.body_bytes[head.path]:
        raise Refused(413, "too_large", f"the body is over {rules.body_bytes[head.path]} bytes")


def _length(head: Head) -> str | None:
    length = head.one("content-length")
    if length is not None and not (length.isascii() and length.isdecimal() and len(length) < 20):
        raise Refused(400, "header", "content-length is no number")
    return length
