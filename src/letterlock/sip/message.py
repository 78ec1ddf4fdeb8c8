"""Building requests and responses: the headers that RFC 3261 wants in each (sections 8.1.1 and 8.2.6)."""

from __future__ import annotations

from ..codec.sip import CSeq, Headers, NameAddr, Request, Response, Via
from ..codec.sip.values import BRANCH_COOKIE
from ..errors import DecodeError
from ..ids import Rng

__all__ = [
    "REASONS",
    "call_id",
    "new_branch",
    "new_tag",
    "request_problem",
    "response_to",
    "with_received",
]

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
}


def new_branch(rng: Rng) -> str:
    """A fresh Via branch."""
    return BRANCH_COOKIE + rng(12).hex()


def new_tag(rng: Rng) -> str:
    """A fresh From or To tag (at least 32 random bits, RFC 3261 section 19.3)."""
    return rng(8).hex()


def call_id(rng: Rng) -> str:
    """A fresh Call-ID without a host part, which would tell where we are."""
    return rng(16).hex()


def request_problem(request: Request) -> tuple[int, str] | None:
    """Status and reason to refuse a request with when it lacks what every request must have; None when it is sound.

    Checks the six mandatory headers (RFC 3261 section 8.1.1), that each single-valued one is single, that CSeq
    names the method, and that values can be read.
    """
    headers = request.headers
    for name in ("From", "To", "Call-ID", "CSeq", "Max-Forwards"):
        values = headers.all(name)
        if len(values) > 1:
            return 400, f"More than one {name}"
        if not values and name != "Max-Forwards":
            return 400, f"Missing {name}"
    try:
        vias = headers.listed("Via")
        if not vias:
            return 400, "Missing Via"
        Via.parse(vias[0])
        NameAddr.parse(headers.get("From") or "")
        NameAddr.parse(headers.get("To") or "")
        cseq = CSeq.parse(headers.get("CSeq") or "")
    except DecodeError as error:
        return 400, f"Bad Request ({error.code})"
    if cseq.method != request.method:
        return 400, "CSeq names another method"
    if not request.uri.lower().startswith(("sip:", "sips:", "tel:")):
        return 416, REASONS[416]
    if "?" in request.uri.rpartition("@")[2]:
        return 400, "Headers in the Request-URI"
    return None


def response_to(
    request: Request,
    status: int,
    reason: str = "",
    *,
    tag: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> Response:
    """A response with the request's Via, From, To, Call-ID and CSeq (RFC 3261 section 8.2.6.2).

    `tag` is put on To when the request had none there; give one for every answer but 100.
    """
    items: list[tuple[str, str]] = [("Via", value) for value in request.headers.all("Via")]
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = request.headers.get(name)
        if value is None:
            continue
        if name == "To" and tag:
            value = _tagged(value, tag)
        items.append((name, value))
    items += headers
    return Response(status, reason or REASONS.get(status, "Unknown"), Headers(items), body)


def with_received(request: Request, host: str, port: int) -> Request:
    """The request with `received` and `rport` on its first Via, as the server side of a connection adds them (RFC 3581)."""
    vias = request.headers.listed("Via")
    if not vias:
        return request
    via = Via.parse(vias[0])
    params = via.params
    if via.host != host.lower():
        params = params.with_("received", host)
    if "rport" in params:
        params = params.with_("rport", str(port))
    if params == via.params:
        return request
    first = Via(via.transport, via.host, via.port, params).encode()
    headers = request.headers.without_first("Via").prepended("Via", first)
    return Request(request.method, request.uri, headers, request.body)


def _tagged(value: str, tag: str) -> str:
    try:
        address = NameAddr.parse(value)
    except DecodeError:
        return value
    return value if address.tag else address.with_param("tag", tag).encode()
