"""REFER (RFC 3515) without the subscription that it makes by itself (RFC 4488): how members of a conference are added
and removed (rcs.md 2.8, RFC 4579 sections 5.5 and 5.11).

Several at once are named by a list in the body, which Refer-To points at with `cid:` (RFC 5368). Nothing is fetched or
called here: what a REFER asks for is decided by whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from ..codec.sip import NameAddr, Request, Response, Uri
from ..errors import DecodeError, LimitExceeded
from .effects import Body, body_of

__all__ = ["EXTENSIONS", "WITHOUT_SUBSCRIPTION", "Refer", "has_subscription", "read_refer", "refer_headers"]

EXTENSIONS = frozenset({"norefersub", "multiple-refer"})
"""Option tags that a server of REFER lists in `UserAgentSettings.extensions`."""

WITHOUT_SUBSCRIPTION = (("Refer-Sub", "false"),)
"""Of the 2xx of a server that never subscribes anybody by itself (RFC 4488 section 4)."""

_MAX_REFER_TO = 1024


@dataclass(frozen=True, slots=True)
class Refer:
    """What is asked: send `method` (INVITE, BYE) to `target`; or to each address of the list `body` when that is None."""

    target: Uri | None
    method: str
    body: Body | None
    subscription: bool
    referred_by: str | None


def refer_headers(target: str, *, several: bool = False) -> tuple[tuple[str, str], ...]:
    """The headers of a REFER for one target (a URI, `?method=` or `;method=` and all), or for a list (`cid:` address).

    Give them to `Session.request` or put them on a request outside of a dialog.
    """
    tags = "multiple-refer, norefersub" if several else "norefersub"
    return (
        ("Refer-To", f"<{target}>"),
        ("Refer-Sub", "false"),
        *((("Require", tags),) if several else ()),
        ("Supported", "norefersub"),
    )


def read_refer(request: Request) -> Refer:
    """What a REFER asks. Raises DecodeError (`sip.refer`): answer 400, as RFC 3515 section 2.4.2 wants it."""
    values = request.headers.all("Refer-To")
    if len(values) != 1:
        raise DecodeError("not one target", code="sip.refer")
    if len(values[0]) > _MAX_REFER_TO:
        raise LimitExceeded("target too long", code="sip.limit.refer")
    uri = NameAddr.parse(values[0]).uri
    subscription = (request.headers.get("Refer-Sub") or "true").partition(";")[0].strip().lower() != "false"
    referred_by = request.headers.get("Referred-By")
    if uri.scheme == "cid":
        body = body_of(request)
        if body is None:
            raise DecodeError("a list that is not there", code="sip.refer")
        return Refer(None, "INVITE", body, subscription, referred_by)
    if uri.scheme not in ("sip", "sips", "tel"):
        raise DecodeError("a target that cannot be called", code="sip.refer")
    return Refer(uri, _method(uri), body_of(request), subscription, referred_by)


def has_subscription(response: Response) -> bool:
    """Whether the other side of our REFER will send NOTIFYs: it may, in spite of what was asked (RFC 4488 section 4)."""
    return (response.headers.get("Refer-Sub") or "true").partition(";")[0].strip().lower() != "false"


def _method(uri: Uri) -> str:
    """The method in a Refer-To address: a URI parameter, or a header as RFC 4579 section 5.11 writes it. INVITE by default."""
    text = uri.params.get("method")
    if text is None:
        for part in uri.headers.split("&"):
            name, equals, value = part.partition("=")
            if equals and unquote(name).lower() == "method":
                text = unquote(value)
    method = (text or "INVITE").upper()
    if not method.isascii() or not method.isalpha() or len(method) > 16:
        raise DecodeError("not a method", code="sip.refer")
    return method
