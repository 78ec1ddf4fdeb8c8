"""What is refused whoever sends it, and what a request's Route says (RFC 3261 sections 16.3, 16.4 and 16.12)."""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import NameAddr, Request, Uri, Via
from .servers import Servers
from .settings import Settings

__all__ = ["ALLOW", "BEGINS_DIALOG", "Problem", "Screen", "Screened"]

_BEGINS_OR_STANDS_ALONE = frozenset({"REGISTER", "MESSAGE", "OPTIONS", "INVITE", "SUBSCRIBE", "REFER"})
_IN_DIALOG_ONLY = frozenset({"BYE", "UPDATE", "INFO", "PRACK", "NOTIFY", "ACK"})
_KNOWN = _BEGINS_OR_STANDS_ALONE | _IN_DIALOG_ONLY | {"CANCEL"}

ALLOW = "REGISTER, MESSAGE, OPTIONS, INVITE, ACK, CANCEL, BYE, UPDATE, INFO, PRACK, SUBSCRIBE, NOTIFY, REFER"
BEGINS_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER"})

_ADDED, _ADDED_LINES = 1024, 8  # bytes and lines of header that a request and its answer gain on the way


@dataclass(frozen=True, slots=True)
class Problem:
    """How to answer a request that goes no further."""

    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Screened:
    """A request that may be looked at further, without its Route. `token` is the dialog that the Route spoke for."""

    request: Request
    token: str | None


class Screen:
    """`names` and `ports` are what we are called by in addresses; `host` and `port` what our Via says."""

    def __init__(
        self,
        settings: Settings,
        servers: Servers,
        names: frozenset[str],
        host: str,
        port: int,
        more_ports: tuple[int, ...],
    ) -> None:
        self._settings = settings
        self._servers = servers
        self._names = names
        self._sent_by = (host, port)
        self._ports = frozenset({None, port, *more_ports})

    def check(self, request: Request) -> Screened | Problem:
        """Raises DecodeError when a header that matters cannot be read."""
        if request.method not in _KNOWN:
            return Problem(405, headers=(("Allow", ALLOW),))
        return self._size(request) or self._hops(request) or self._route(request)

    def _size(self, request: Request) -> Problem | None:
        # A device's answer brings the same lines back with ours added: over the bounds it would cut the device off.
        sizes = [
            len(name) + (len(value) if value.isascii() else len(value.encode())) + 4 for name, value in request.headers
        ]
        bounds = self._settings.sip
        if (
            len(sizes) + _ADDED_LINES > bounds.max_headers
            or max(sizes) + _ADDED > bounds.max_line
            or sum(sizes) + _ADDED > bounds.max_header_bytes
        ):
            return Problem(513, "Headers Too Long")
        return None

    def _hops(self, request: Request) -> Problem | None:
        hops = request.headers.get("Max-Forwards")
        if hops is not None and (not hops.isascii() or not hops.isdigit() or len(hops) > 3):
            return Problem(400, "Bad Max-Forwards")
        if hops is not None and int(hops) == 0 and request.method != "REGISTER":
            return Problem(483)
        host, port = self._sent_by
        for text in request.headers.listed("Via"):
            if host not in text.lower() or str(port) not in text:
                continue  # somebody else's: nothing in it matters to us
            via = Via.parse(text)
            if (via.host, via.port) == (host, port):
                # Nothing that went through us has a reason to come back.
                return Problem(482)
        needed = request.headers.listed("Proxy-Require")
        return Problem(420, headers=(("Unsupported", ", ".join(needed)),)) if needed else None

    def _route(self, request: Request) -> Screened | Problem:
        """Every Route must be one of ours: we relay to nobody that a peer names (SR-17)."""
        uri, target = Uri.parse(request.uri), request.uri
        routes = [NameAddr.parse(text).uri for text in request.headers.listed("Route")]
        headers = request.headers.without("Route")
        if self._is_token(uri):
            # Section 16.4: a strict router has put our route into the Request-URI, and the target last of all.
            if not routes:
                return Problem(400, "Strict routing without a target")
            routes, uri = [uri, *routes[:-1]], routes[-1]
            target = uri.encode()
        if not all(self._is_ours(route) for route in routes):
            return Problem(403, "No relaying")
        tokens = [route.user for route in routes if route.user is not None]
        if len(tokens) > 1:
            return Problem(403, "No relaying")
        token = tokens[0] if tokens else None
        to = headers.get("To") or ""
        in_dialog = "tag" in to.lower() and bool(NameAddr.parse(to).tag)
        if (token is not None) != in_dialog or (token is None and request.method in _IN_DIALOG_ONLY):
            # No dialog of ours: neither without its route, nor with the route and without the dialog's tags.
            return Problem(481)
        if token is None and not self._is_for_us(uri):
            return Problem(403, "No relaying")
        return Screened(Request(request.method, target, headers, request.body), token)

    def _is_token(self, uri: Uri) -> bool:
        return self._is_ours(uri) and "lr" in uri.params and (uri.user or "").startswith("d.")

    def _is_ours(self, uri: Uri) -> bool:
        return uri.scheme in ("sip", "sips") and uri.host in self._names and uri.port in self._ports

    def _is_for_us(self, uri: Uri) -> bool:
        if uri.scheme == "tel" or uri.host in self._names:
            return True
        # The identity of a conference is its focus's Contact (RFC 4579), which need not be in our domain.
        return self._servers.is_address(uri) and self._servers.serving(uri) is not None
