"""Keeping one contact registered (RFC 3261 section 10, RFC 5626, RFC 3608): REGISTER, challenge, refresh, removal.

One Call-ID and a rising CSeq for the life of the object, `+sip.instance` and `reg-id=1` on the
contact, so that a registrar that knows RFC 5626 replaces the binding of a broken connection. One
that does not lists the old binding in its answer, and it is removed by name: nothing is ever forked
to a dead connection of ours. One that lists bare addresses is told of those that this object registered.

One REGISTER is open at a time (section 10.2). Methods return effects; deadlines are asked for.
"""

from __future__ import annotations

import enum
from contextlib import suppress
from dataclasses import dataclass, replace

from ..codec.sip import CSeq, Headers, NameAddr, Params, Request, Response, Uri, delta_seconds, split_list
from ..errors import DecodeError
from ..ids import Instant, Rng
from .authenticator import Attempt, Authenticator
from .digest import blank_credentials
from .message import call_id, new_tag
from .options import ALLOW

__all__ = [
    "Binding",
    "Registered",
    "Registration",
    "RegistrationConfig",
    "RegistrationEffect",
    "RegistrationFailed",
    "RegistrationState",
    "SendRegister",
    "Unregistered",
]

_MAX_EXPIRES = 7 * 24 * 3600
_MAX_RETRY_AFTER = 3600  # a slip of a registrar, or a forgery without TLS, must not silence a phone for days
_MAX_ROUTES = 8
_MAX_CONTACTS = 64
_MAX_FORMER = 64


class RegistrationState(enum.Enum):
    IDLE = "idle"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"  # still registered; a REGISTER is open
    REMOVING = "removing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RegistrationConfig:
    """Who registers where. `instance` is `urn:uuid:...`, the same for the life of the device."""

    domain: str
    identity: Uri
    private_identity: str
    instance: str
    features: Params
    expires_s: int
    user_agent: str


@dataclass(frozen=True, slots=True)
class Binding:
    """What the registrar granted."""

    expires_at: Instant
    service_route: tuple[str, ...] = ()
    associated: tuple[Uri, ...] = ()


@dataclass(frozen=True, slots=True)
class SendRegister:
    """Send this in a new transaction and report its final response or time-out."""

    request: Request


@dataclass(frozen=True, slots=True)
class Registered:
    """Registered, or refreshed."""

    binding: Binding


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """Not registered any more. `permanent`: the same request will fail again (wrong password, unknown user)."""

    status: int
    reason: str
    permanent: bool
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The binding was removed as asked."""


RegistrationEffect = SendRegister | Registered | RegistrationFailed | Unregistered


class Registration:
    """The machine of one device. It may outlive many connections: `start` again with the new contact."""

    def __init__(self, config: RegistrationConfig, authenticator: Authenticator, rng: Rng) -> None:
        self._config = config
        self._authenticator = authenticator
        self._rng = rng
        self._call_id = call_id(rng)
        self._tag = new_tag(rng)
        self._cseq = 0
        self._expires_s = config.expires_s
        self._contact: Uri | None = None
        self._open: Attempt | None = None
        self._stop_wanted = False
        self._refresh_at: Instant | None = None
        self._cleaned: frozenset[str] = frozenset()
        self._former: dict[str, None] = {}  # addresses that we registered before, oldest first
        self._told = config.features
        self.binding: Binding | None = None
        self.state = RegistrationState.IDLE

    def start(self, contact: Uri, now: Instant) -> list[RegistrationEffect]:
        """Register this contact over a connection that was just made. What an earlier one left open is forgotten."""
        self._former.pop(contact.address, None)
        self._former[contact.address] = None
        if len(self._former) > _MAX_FORMER:
            del self._former[next(iter(self._former))]
        self._contact = contact
        self._open = None
        self._stop_wanted = False
        self._refresh_at = None
        self._cleaned = frozenset()
        self.state = RegistrationState.REGISTERING
        return [self._send(self._our_contact(self._expires_s))]

    def advertise(self, features: Params, now: Instant) -> None:
        """Other feature tags from now on: the refresh that tells of them is due at once, or after what is open now."""
        self._config = replace(self._config, features=features)
        if self._refresh_at is not None and features != self._told:
            self._refresh_at = now

    def stop(self, now: Instant) -> list[RegistrationEffect]:
        """Remove our contact. The request carries credentials: a registrar must not let strangers remove it."""
        if self.state is RegistrationState.IDLE or self._contact is None:
            return [Unregistered()]
        if self._open is not None:
            self._stop_wanted = True
            return []
        self._refresh_at = None
        self.state = RegistrationState.REMOVING
        return [self._send(self._our_contact(0))]

    def connection_lost(self) -> None:
        """No answer will come any more. The binding may live on at the registrar until the next `start` replaces it."""
        self._open = None
        self._refresh_at = None
        self.binding = None
        self.state = RegistrationState.IDLE

    def on_response(self, response: Response, now: Instant) -> list[RegistrationEffect]:
        """The final response to the last SendRegister."""
        attempt, self._open = self._open, None
        if attempt is None or response.status < 200:
            self._open = attempt
            return []
        if response.status in (401, 407):
            again = self._authenticator.answer(attempt, response)
            if again is None:
                return self._failed(response, permanent=True)
            self._cseq += 1
            self._open = again
            return [SendRegister(again.request)]
        if response.status == 423:
            return self._on_too_brief(response)
        if not 200 <= response.status < 300:
            return self._failed(response, permanent=response.status in (403, 404, 405, 420, 501, 505, 603, 604))
        if self.state is RegistrationState.REMOVING:
            self.state = RegistrationState.IDLE
            self.binding = None
            return [Unregistered()]
        return self._on_granted(response, now)

    def on_timeout(self, now: Instant) -> list[RegistrationEffect]:
        """Timer F fired for the last SendRegister."""
        self._open = None
        return self._failed(Response(408, "no answer to REGISTER", Headers()), permanent=False)

    def next_deadline(self) -> Instant | None:
        """When `on_deadline` wants to be called: the refresh."""
        return self._refresh_at if self._open is None else None

    def on_deadline(self, now: Instant) -> list[RegistrationEffect]:
        if self._open is not None or self._refresh_at is None or now < self._refresh_at:
            return []
        self._refresh_at = None
        self.state = RegistrationState.REFRESHING
        return [self._send(self._our_contact(self._expires_s))]

    def _on_granted(self, response: Response, now: Instant) -> list[RegistrationEffect]:
        listed = _contacts(response)
        granted = self._granted_seconds(response, listed)
        # TS 24.229 section 5.1.1.4.1: 600 seconds before the end, or at half time when that is 1200 seconds or less.
        early = 600 if granted > 1200 else granted / 2
        expires_at = now + granted * 1000
        self._refresh_at = expires_at - int(early * 1000) if self._told == self._config.features else now
        self.binding = Binding(
            expires_at,
            tuple(_elements(response, "Service-Route")[:_MAX_ROUTES]),
            _addresses(response, "P-Associated-URI"),
        )
        self.state = RegistrationState.REGISTERED
        effects: list[RegistrationEffect] = [Registered(self.binding)]
        if self._stop_wanted:
            self._stop_wanted = False
            return [*effects, *self.stop(now)]
        stale = self._stale(listed)
        if stale:
            self._cleaned |= {contact.uri.encode() for contact in stale}
            self.state = RegistrationState.REFRESHING
            effects.append(
                self._send(*(self._removal(contact) for contact in stale), self._our_contact(self._expires_s))
            )
        return effects

    def _on_too_brief(self, response: Response) -> list[RegistrationEffect]:
        try:
            least = delta_seconds(response.headers.get("Min-Expires") or "")
        except DecodeError:
            return self._failed(response, permanent=False)
        if not self._expires_s < least <= _MAX_EXPIRES:
            return self._failed(response, permanent=False)
        self._expires_s = least
        return [self._send(self._our_contact(least))]

    def _failed(self, response: Response, *, permanent: bool) -> list[RegistrationEffect]:
        retry_after = response.headers.get("Retry-After")
        wait: int | None = None
        if retry_after is not None:
            try:
                wait = min(delta_seconds(retry_after), _MAX_RETRY_AFTER) * 1000
            except DecodeError:
                wait = None
        self.state = RegistrationState.FAILED
        self.binding = None
        self._refresh_at = None
        self._stop_wanted = False
        return [RegistrationFailed(response.status, response.reason, permanent, wait)]

    def _send(self, *contacts: str) -> SendRegister:
        self._cseq += 1
        config = self._config
        uri = f"sip:{config.domain}"
        address = NameAddr(config.identity)
        items = [
            ("From", address.with_param("tag", self._tag).encode()),
            ("To", address.encode()),
            ("Call-ID", self._call_id),
            ("CSeq", CSeq(self._cseq, "REGISTER").encode()),
            *(("Contact", contact) for contact in contacts),
            ("Expires", str(0 if self.state is RegistrationState.REMOVING else self._expires_s)),
            ("Supported", "path, gruu, outbound"),
            ("Allow", ALLOW),
            ("User-Agent", config.user_agent),
        ]
        attempt = self._authenticator.first(Request("REGISTER", uri, Headers(items)))
        if "Authorization" not in attempt.request.headers:
            request = attempt.request
            blank = blank_credentials(config.private_identity, config.domain, uri)
            attempt = Attempt(Request(request.method, uri, request.headers.with_("Authorization", blank)))
        self._open = attempt
        return SendRegister(attempt.request)

    def _our_contact(self, expires_s: int) -> str:
        assert self._contact is not None
        self._told = self._config.features
        params = Params().with_quoted("+sip.instance", f"<{self._config.instance}>")
        params = Params((*params, *self._config.features, ("reg-id", "1"), ("expires", str(expires_s))))
        return NameAddr(self._contact, params=params).encode()

    def _removal(self, contact: NameAddr) -> str:
        return NameAddr(contact.uri, params=Params((("expires", "0"),))).encode()

    def _stale(self, listed: list[NameAddr]) -> list[NameAddr]:
        """Bindings of this device other than the present one; each is removed once, should the registrar refuse to."""
        assert self._contact is not None
        if len(self._cleaned) >= _MAX_CONTACTS:
            return []  # a registrar that invents them
        ours = f"<{self._config.instance}>"
        return [
            contact
            for contact in listed
            if (
                contact.params.get("+sip.instance") == ours
                or ("+sip.instance" not in contact.params and contact.uri.address in self._former)
            )
            and contact.uri.address != self._contact.address
            and contact.uri.encode() not in self._cleaned
        ]

    def _granted_seconds(self, response: Response, listed: list[NameAddr]) -> int:
        assert self._contact is not None
        texts = [c.params.get("expires") for c in listed if c.uri.address == self._contact.address]
        texts.append(response.headers.get("Expires"))
        for text in texts:
            if text:
                try:
                    # At least a few seconds, or a hostile registrar keeps us refreshing without a pause.
                    return max(5, min(delta_seconds(text), _MAX_EXPIRES))
                except DecodeError:
                    continue
        return self._expires_s


def _contacts(response: Response) -> list[NameAddr]:
    return _readable(response, "Contact")


def _addresses(response: Response, name: str) -> tuple[Uri, ...]:
    return tuple(address.uri for address in _readable(response, name))


def _readable(response: Response, name: str) -> list[NameAddr]:
    """The addresses of a header; what cannot be read is passed over, so that it costs no registration."""
    found: list[NameAddr] = []
    for part in _elements(response, name)[:_MAX_CONTACTS]:
        with suppress(DecodeError):
            found.append(NameAddr.parse(part))
    return found


def _elements(response: Response, name: str) -> list[str]:
    found: list[str] = []
    for line in response.headers.all(name):
        with suppress(DecodeError):
            found += (part for part in split_list(line) if part)
    return found
