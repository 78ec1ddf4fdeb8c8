"""REGISTER: who is where (RFC 3261 section 10.3, RFC 3608, TS 24.229). Digest first, then the bindings."""

from __future__ import annotations

from ..codec.sip import CSeq, NameAddr, Request, Response, Uri, delta_seconds
from ..errors import DecodeError
from ..ids import Instant, Number, Rng
from ..sip.digest_server import DigestServer, Outcome
from ..sip.message import new_tag, response_to
from .location import Device, Locations, device_key, hashed
from .settings import Settings

__all__ = ["Registrar"]


class Registrar:
    """Answers REGISTER and keeps the location table."""

    def __init__(
        self, settings: Settings, digest: DigestServer, locations: Locations, service_route: str, rng: Rng
    ) -> None:
        self._settings = settings
        self._digest = digest
        self._locations = locations
        self._service_route = service_route
        self._rng = rng

    def register(self, connection: int, request: Request, now: Instant) -> tuple[Response, tuple[Device, ...]]:
        """The answer, and the devices that it bound."""
        try:
            phone = self._phone(request)
            if phone is None:
                return self._answer(request, 404), ()
            verdict = self._digest.verify(request.headers.all("Authorization"), "REGISTER", request.uri, now)
            if verdict.outcome is not Outcome.ACCEPTED:
                challenges = self._digest.challenge(now, self._rng, stale=verdict.outcome is Outcome.STALE)
                return self._answer(request, 401, *(("WWW-Authenticate", value) for value in challenges)), ()
            if (verdict.username or "").partition("@")[0] != phone:
                return self._answer(request, 403, reason="Not your number"), ()
            return self._bind(connection, phone, request, now)
        except DecodeError as error:
            return self._answer(request, 400, reason=f"Bad Request ({error.code})"), ()

    def _phone(self, request: Request) -> Number | None:
        """The number being registered; third parties do not register for others here."""
        address = NameAddr.parse(request.headers.get("To") or "").uri
        sender = NameAddr.parse(request.headers.get("From") or "").uri
        return address.number if address.number == sender.number else None

    def _bind(
        self, connection: int, phone: Number, request: Request, now: Instant
    ) -> tuple[Response, tuple[Device, ...]]:
        if not self._locations.of(phone) and self._locations.numbers() >= self._settings.max_numbers:
            return self._answer(request, 503), ()
        unknown = request.headers.listed("Require")
        if unknown:
            return self._answer(request, 420, ("Unsupported", ", ".join(unknown))), ()
        call_id = request.headers.get("Call-ID") or ""
        cseq = CSeq.parse(request.headers.get("CSeq") or "").number
        listed = request.headers.listed("Contact")
        asked = self._expires(request, None)
        if listed == ("*",):
            if asked != 0:
                return self._answer(request, 400, reason="Contact * needs Expires 0"), ()
            for device in self._locations.of(phone):
                self._locations.release(device, now)
            return self._bindings(request, phone, now), ()
        if any(len(text) > self._settings.max_contact for text in listed):
            return self._answer(request, 413, reason="Contact Too Long"), ()  # it is kept for as long as it is bound
        contacts = [NameAddr.parse(text) for text in listed]
        bound = {device.key: device for device in self._locations.of(phone)}
        # All is checked before anything is changed (section 10.3 step 7: all or nothing).
        for contact in contacts:
            seconds = self._expires(request, contact)
            if 0 < seconds < self._settings.min_expires_seconds:
                return self._answer(request, 423, ("Min-Expires", str(self._settings.min_expires_seconds))), ()
            old = bound.get(device_key(phone, contact))
            if old is not None and old.order[0] == hashed(call_id) and cseq <= old.order[1]:
                return self._answer(request, 400, reason="CSeq is not newer"), ()
        added = {device_key(phone, contact) for contact in contacts if self._expires(request, contact)}
        live = {key for key, device in bound.items() if device.connection is not None}
        if (
            len(added | live) > self._settings.max_contacts
            or len(added | bound.keys()) > 4 * self._settings.max_contacts
        ):
            return self._answer(request, 403, reason="Too many devices"), ()
        changed: list[Device] = []
        for contact in contacts:
            seconds = min(self._expires(request, contact), self._settings.max_expires_seconds)
            if seconds:
                changed.append(self._locations.bind(phone, contact, connection, now + 1000 * seconds, call_id, cseq))
            else:
                for old in bound.values():
                    # A removal may name the contact without the instance that it was bound with.
                    if old.key == device_key(phone, contact) or Uri.parse(old.uri).address == contact.uri.address:
                        self._locations.release(old, now)
        return self._bindings(request, phone, now), tuple(changed)

    def _expires(self, request: Request, contact: NameAddr | None) -> int:
        """Section 10.2.1.1: the contact's parameter, else the header, else our default."""
        text = None if contact is None else contact.params.get("expires")
        text = text if text is not None else request.headers.get("Expires")
        return self._settings.default_expires_seconds if text is None else delta_seconds(text)

    def _bindings(self, request: Request, phone: Number, now: Instant) -> Response:
        """200 with what is bound now, the route that requests must take, and the numbers that are theirs."""
        contacts = [
            ("Contact", device.contact((device.until - now) // 1000))
            for device in self._locations.of(phone)
            if device.connection is not None
        ]
        domain = self._settings.domain
        return self._answer(
            request,
            200,
            *contacts,
            ("Service-Route", self._service_route),
            ("P-Associated-URI", f"<{Uri.of_number(phone, domain).encode()}>"),
            ("P-Associated-URI", f"<tel:{phone}>"),
        )

    def _answer(self, request: Request, status: int, *headers: tuple[str, str], reason: str = "") -> Response:
        return response_to(request, status, reason, tag=new_tag(self._rng), headers=headers)
