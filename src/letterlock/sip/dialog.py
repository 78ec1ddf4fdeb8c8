"""Dialogs (RFC 3261 section 12): who talks to whom about what, which way requests go, and in which order they count.

A Dialog is a value: each request in or out gives the next one. It knows no transaction and no method's meaning; what a
method does to the session or subscription inside is `session` and `subscription`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..codec.sip import CSeq, Headers, NameAddr, Request, Response, Uri
from ..errors import DecodeError, ProtocolError

__all__ = ["Dialog", "DialogKey", "dialog_key", "record_route", "target_of"]

_MAX_ROUTES = 16

DialogKey = tuple[str, str]
"""(Call-ID, our tag). Our tags are random, so this names one usage of ours whatever the other tag is."""


@dataclass(frozen=True, slots=True)
class Dialog:
    """`local` and `remote` carry the tags. `remote_sequence` is None until the peer has sent a request in it."""

    call_id: str
    local: NameAddr
    remote: NameAddr
    target: Uri
    routes: tuple[str, ...]
    local_sequence: int
    remote_sequence: int | None = None

    @classmethod
    def of_response(cls, request: Request, response: Response) -> Dialog:
        """The caller's side (section 12.1.2). Raises DecodeError, ProtocolError when no dialog can be made of it."""
        remote = NameAddr.parse(response.headers.get("To") or "")
        if not remote.tag:
            raise ProtocolError("an answer without a tag", code="sip.dialog.tag")
        return cls(
            request.headers.get("Call-ID") or "",
            NameAddr.parse(request.headers.get("From") or ""),
            remote,
            target_of(response),
            tuple(reversed(_routes(response))),
            CSeq.parse(request.headers.get("CSeq") or "").number,
        )

    @classmethod
    def of_request(cls, request: Request, tag: str) -> Dialog:
        """The side that is called (section 12.1.1), with the tag of our answer. Raises DecodeError, ProtocolError."""
        return cls(
            request.headers.get("Call-ID") or "",
            NameAddr.parse(request.headers.get("To") or "").with_param("tag", tag),
            # No tag is a caller of RFC 2543: the null tag is then the remote tag.
            NameAddr.parse(request.headers.get("From") or ""),
            target_of(request),
            _routes(request),
            0,
            CSeq.parse(request.headers.get("CSeq") or "").number,
        )

    @property
    def key(self) -> DialogKey:
        return self.call_id, self.local.tag or ""

    def has(self, request: Request) -> bool:
        """Whether a received request belongs to it: Call-ID and both tags (section 12.2.2). Raises DecodeError."""
        remote = NameAddr.parse(request.headers.get("From") or "").tag
        return dialog_key(request) == self.key and (remote or "") == (self.remote.tag or "")

    def request(
        self, method: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
    ) -> tuple[Dialog, Request]:
        """The next request of ours in it (section 12.2.1.1)."""
        after = replace(self, local_sequence=self.local_sequence + 1)
        return after, after._built(method, after.local_sequence, headers, body)

    def acknowledge(self, invite: Request, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
        """The ACK of a 2xx to `invite` as it was sent last: its CSeq number, its credentials (section 13.2.2.4)."""
        number = CSeq.parse(invite.headers.get("CSeq") or "").number
        credentials = tuple(
            (name, value) for name in ("Authorization", "Proxy-Authorization") for value in invite.headers.all(name)
        )
        return self._built("ACK", number, (*credentials, *headers), body)

    def received(self, request: Request) -> Dialog:
        """The dialog behind a request of the peer. Raises ProtocolError `sip.dialog.order` for one out of order: answer 500.

        ACK and CANCEL repeat the number of their INVITE and do not come here.
        """
        number = CSeq.parse(request.headers.get("CSeq") or "").number
        if self.remote_sequence is not None and number <= self.remote_sequence:
            # Section 12.2.2: "lower than the remote sequence number, the request is out of order and MUST be rejected
            # with a 500". The same number again is a transaction that was matched before it came here, or a forgery.
            raise ProtocolError("a request out of order", code="sip.dialog.order")
        return replace(self, remote_sequence=number)

    def retargeted(self, message: Request | Response) -> Dialog:
        """The dialog behind a target refresh: the peer's Contact is where later requests go. Raises DecodeError."""
        return replace(self, target=target_of(message)) if "Contact" in message.headers else self

    def confirmed(self, response: Response) -> Dialog:
        """An early dialog behind its 2xx, which recomputes the route set (section 13.2.2.4)."""
        return replace(self, target=target_of(response), routes=tuple(reversed(_routes(response))))

    def numbered(self, request: Request) -> Dialog:
        """The dialog behind a request of ours as it was sent last: a challenge costs it another number."""
        number = CSeq.parse(request.headers.get("CSeq") or "").number
        return self if number <= self.local_sequence else replace(self, local_sequence=number)

    def _built(self, method: str, number: int, headers: tuple[tuple[str, str], ...], body: bytes) -> Request:
        uri, routes = self.target.encode(), self.routes
        if routes:
            first = NameAddr.parse(routes[0]).uri
            if "lr" not in first.params:
                # A strict router: it takes the Request-URI off the route by itself (section 12.2.1.1).
                uri, routes = first.encode(), (*routes[1:], NameAddr(self.target).encode())
        items = [
            *(("Route", route) for route in routes),
            ("From", self.local.encode()),
            ("To", self.remote.encode()),
            ("Call-ID", self.call_id),
            ("CSeq", CSeq(number, method).encode()),
            *headers,
        ]
        return Request(method, uri, Headers(items), body)


def dialog_key(request: Request) -> DialogKey | None:
    """Which usage of ours a received request is for; None when it is outside of any dialog. Raises DecodeError."""
    tag = NameAddr.parse(request.headers.get("To") or "").tag
    return (request.headers.get("Call-ID") or "", tag) if tag else None


def record_route(request: Request) -> tuple[tuple[str, str], ...]:
    """What an answer that makes a dialog copies from the request (section 12.1.1)."""
    return tuple(("Record-Route", value) for value in request.headers.all("Record-Route"))


def target_of(message: Request | Response) -> Uri:
    """The Contact, which must be exactly one in what makes or refreshes a dialog (section 8.1.1.8). Raises DecodeError."""
    contacts = message.headers.listed("Contact")
    if len(contacts) != 1:
        raise DecodeError("not one contact", code="sip.contact")
    uri = NameAddr.parse(contacts[0]).uri
    if uri.scheme not in ("sip", "sips"):
        raise DecodeError("a contact that is no SIP address", code="sip.contact")
    return replace(uri, headers="")  # which a Request-URI cannot have (section 19.1.1)


def _routes(message: Request | Response) -> tuple[str, ...]:
    routes = message.headers.listed("Record-Route")
    if len(routes) > _MAX_ROUTES:
        raise DecodeError("too many routes", code="sip.limit.routes")
    for route in routes:
        NameAddr.parse(route)  # so that no later request of ours fails over it
    return routes
