"""Dialogs of scripted phones: an INVITE, its answers, and requests along the route that the carrier recorded."""

from __future__ import annotations

from dataclasses import dataclass

from carrier.harness import DOMAIN, Line
from letterlock.codec.sip import CSeq, Headers, NameAddr, Request, Response
from letterlock.sip.message import new_branch, response_to

OFFER = b"v=0\r\n"


def address(number: str) -> str:
    return f"sip:{number}@{DOMAIN}"


def invite(
    line: Line, sender: str, uri: str, *extra: tuple[str, str], method: str = "INVITE", body: bytes = OFFER
) -> Request:
    """Send a request that begins a dialog; the request as it was sent."""
    contact = () if any(name == "Contact" for name, _ in extra) else (("Contact", contact_of(line, sender)),)
    request = line.build(
        method,
        uri,
        ("From", f"<{address(sender)}>;tag=caller{line.net.serial}"),
        ("To", f"<{uri}>"),
        *contact,
        *extra,
        body=body,
    )
    line.send(request)
    return request


def contact_of(line: Line, number: str) -> str:
    return f"<sip:{number}@127.0.0.1:{line.port};transport=tcp>"


def reply(line: Line, status: int, *headers: tuple[str, str], at: int = -1, tag: str = "callee") -> Response:
    """Answer an arrived request as a user agent does: Record-Route copied, a Contact of its own."""
    request = line.arrived()[at]
    recorded = tuple(("Record-Route", value) for value in request.headers.all("Record-Route"))
    contact = () if any(name == "Contact" for name, _ in headers) else (("Contact", contact_of(line, "+15550199")),)
    response = response_to(request, status, tag="" if status == 100 else tag, headers=(*recorded, *contact, *headers))
    line.send(response)
    return response


@dataclass(frozen=True)
class Side:
    """One side of a dialog: what it puts into its requests."""

    line: Line
    target: str
    local: str
    remote: str
    call_id: str
    route: tuple[str, ...]

    def request(self, method: str, *extra: tuple[str, str], cseq: int = 0, body: bytes = b"") -> Request:
        net = self.line.net
        net.serial += 1
        given = {name.lower() for name, _ in extra}
        items = [
            ("Via", f"SIP/2.0/TCP 127.0.0.1:{self.line.port};branch={new_branch(net.rng)};rport"),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in self.route),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq or net.serial} {method}"),
        ]
        return Request(
            method, self.target, Headers([item for item in items if item[0].lower() not in given] + [*extra]), body
        )

    def send(self, method: str, *extra: tuple[str, str], cseq: int = 0, body: bytes = b"") -> Response | None:
        """Send it; the answer that came at once, if one did."""
        mark = len(self.line.inbox)
        self.line.send(self.request(method, *extra, cseq=cseq, body=body))
        return next((item for item in self.line.inbox[mark:] if isinstance(item, Response)), None)


def caller_side(line: Line, response: Response) -> Side:
    """RFC 3261 section 12.1.2."""
    headers = response.headers
    return Side(
        line,
        NameAddr.parse(headers.get("Contact") or "").uri.encode(),
        headers.get("From") or "",
        headers.get("To") or "",
        headers.get("Call-ID") or "",
        tuple(reversed(headers.listed("Record-Route"))),
    )


def callee_side(line: Line, request: Request, tag: str = "callee") -> Side:
    """RFC 3261 section 12.1.1."""
    headers = request.headers
    return Side(
        line,
        NameAddr.parse(headers.get("Contact") or "").uri.encode(),
        NameAddr.parse(headers.get("To") or "").with_param("tag", tag).encode(),
        headers.get("From") or "",
        headers.get("Call-ID") or "",
        headers.listed("Record-Route"),
    )


def cancel_of(request: Request, method: str = "CANCEL") -> Request:
    """CANCEL of an INVITE, or the ACK of an answer to it that is none of 2xx: the same topmost Via."""
    headers = request.headers
    number = CSeq.parse(headers.get("CSeq") or "").number
    items = [(name, headers.get(name) or "") for name in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
    return Request(method, request.uri, Headers([*items, ("CSeq", f"{number} {method}")]))


def methods(line: Line) -> list[str]:
    """What arrived, by method."""
    return [request.method for request in line.arrived()]


def statuses(line: Line, since: int = 2) -> list[int]:
    """What it was answered; the first two are those of its registration."""
    return [answer.status for answer in line.answers()[since:]]


def talking(caller: Line, callee: Line, sender: str, recipient: str) -> tuple[Side, Side]:
    """An established and acknowledged dialog."""
    invite(caller, sender, address(recipient))
    request = callee.arrived()[-1]
    reply(callee, 200)
    first = caller_side(caller, caller.answers()[-1])
    first.send("ACK", cseq=CSeq.parse(request.headers.get("CSeq") or "").number)
    return first, callee_side(callee, request)
