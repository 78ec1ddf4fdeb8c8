"""Who a request is from: proven here, written here, and believed by everybody behind us (RFC 3325, TS 24.229).

A request speaks for a number when it comes over a connection that has registered it, or with Digest credentials for
it. An application server speaks for whom it says.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..codec.sip import Challenge, Credentials, Headers, NameAddr, Request, Response, Uri
from ..ids import Instant, Number, Rng
from ..sip.digest_server import DigestServer, Outcome
from .location import Device, Locations
from .screening import Problem
from .settings import Settings

__all__ = ["Identity", "Sender", "guessed"]

# What was meant for us alone, and what only a proxy says.
_STRIPPED = ("Authorization", "Proxy-Authorization", "Record-Route", "P-Preferred-Identity")
_ASSERTED = ("P-Asserted-Identity", "P-Asserted-Service")


@dataclass(frozen=True, slots=True)
class Sender:
    """`number` is None for an application server, `device` for a number that this connection has not registered."""

    number: Number | None
    device: Device | None


class Identity:
    """Tells who sends, and says so."""

    def __init__(self, settings: Settings, locations: Locations, digest: DigestServer, rng: Rng) -> None:
        self._settings = settings
        self._locations = locations
        self._digest = digest
        self._rng = rng

    def sender(self, connection: int, request: Request, now: Instant) -> Sender | Problem:
        """For a request outside any dialog."""
        claimed = _claimed(request.headers)
        bound = self._locations.bound(claimed, connection) if claimed else self._locations.on(connection)
        if not self._settings.challenge_requests:
            if bound:
                device = _by_contact(bound, request)
                return Sender(device.number, device)
            if self._locations.on(connection):
                return Problem(403, "Not your number")
        proven = self.proven(request, now)
        if isinstance(proven, Problem):
            return proven
        if claimed is not None and claimed != proven:
            return Problem(403, "Not your number")
        mine = self._locations.bound(proven, connection)
        return Sender(proven, _by_contact(mine, request) if mine else None)

    def proven(self, request: Request, now: Instant) -> Number | Problem:
        """The number whose credentials a request carries, or a challenge."""
        given = request.headers.all("Proxy-Authorization")
        verdict = self._digest.verify(given, request.method, request.uri, now, request.body)
        if verdict.outcome is not Outcome.ACCEPTED:
            challenges = self._digest.challenge(now, self._rng, stale=verdict.outcome is Outcome.STALE)
            return Problem(407, headers=tuple(("Proxy-Authenticate", value) for value in challenges))
        return Number((verdict.username or "").partition("@")[0])

    def outward(self, request: Request, sender: Number | None) -> Request:
        """What the next one gets to see: one hop less, no credentials, and the identity that we assert."""
        headers = request.headers
        hops = int(headers.get("Max-Forwards") or "70")
        # An application server's own assertion stands; whoever else wrote one, it was not us.
        stripped = {name.lower() for name in (*_STRIPPED, *(() if sender is None else _ASSERTED))}
        items = [
            (name, value)
            for name, value in headers.with_("Max-Forwards", str(min(hops, 70) - 1))
            if name.lower() not in stripped
        ]
        service = headers.get("P-Preferred-Service")
        if service is not None:
            items = [item for item in items if item[0].lower() != "p-preferred-service"]
            items.append(("P-Asserted-Service", service))
        if sender is not None:
            identity = Uri.of_number(sender, self._settings.domain).encode()
            items += [("P-Asserted-Identity", f"<{identity}>"), ("P-Asserted-Identity", f"<tel:{sender}>")]
        return Request(request.method, request.uri, Headers(items), request.body)


def guessed(request: Request, response: Response) -> bool:
    """Whether what was refused is a guess. No credentials, or those of an old nonce, are how an honest exchange begins."""
    if response.status == 403:
        return True
    given, asked = ("Proxy-Authorization", "Proxy-Authenticate")
    if response.status == 401:
        given, asked = ("Authorization", "WWW-Authenticate")
    tried = any(Credentials.parse(text).response for text in request.headers.all(given))
    return tried and not any(Challenge.parse(text).stale for text in response.headers.all(asked))


def _claimed(headers: Headers) -> Number | None:
    """Who the sender says it is: P-Preferred-Identity, else From; None for an anonymous one."""
    for name in ("P-Preferred-Identity", "From"):
        for text in headers.listed(name):
            phone = NameAddr.parse(text).uri.number
            if phone is not None:
                return phone
    return None


def _by_contact(devices: tuple[Device, ...], request: Request) -> Device:
    """Of several devices behind one connection the one whose Contact the request carries, else the first of its number."""
    for text in request.headers.listed("Contact"):
        address = NameAddr.parse(text).uri.address
        for device in devices:
            if Uri.parse(device.uri).address == address:
                return device
    return min(devices, key=lambda device: device.key)
