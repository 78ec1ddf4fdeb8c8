"""The client's side of a relay: AUTH, the challenge, the path it grants (RFC 4976 section 5.1).

Requests go one after another, as section 9.1 has it: an answer may carry the nonce of the next. Each session
needs a path of its own (section 3.1), so there may be many; the owner asks again before one expires, and
negotiates the new path with its peer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..codec.msrp import MsrpUri, Request, Response, decimal, parse_path
from ..errors import DecodeError, InputError, ProtocolError
from ..ids import Instant, Rng
from .events import Event, RelayGranted, RelayRefused

__all__ = ["Authorizations", "Challenge", "Digest"]

_MAX_PATH = 8
_MAX_TRIES = 3  # without credentials, with them, and once more for a stale nonce or another interval
_Answered = Callable[[Response | None, Instant], None]


class Challenge(Protocol):
    """What `accept` took."""

    @property
    def stale(self) -> bool:
        """Whether the key was right and only the nonce too old."""
        ...


class Digest(Protocol):
    """What `letterlock.sip.digest.DigestClient` does; the wire packages do not import each other."""

    def accept(self, headers: tuple[str, ...], /) -> Challenge:
        """Take the WWW-Authenticate values of a 401. Raises ProtocolError when none can be answered."""
        ...

    def credentials(self, method: str, uri: str, /) -> str:
        """The Authorization value of one request."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a challenge is known."""
        ...


@dataclass(slots=True, eq=False)
class _Authorization:
    number: int
    relay: MsrpUri
    local: MsrpUri
    digest: Digest
    expires_s: int | None
    tries: int = 0
    proved: bool = False  # the request under way carries credentials


class Authorizations:
    """AUTH requests of one connection, one at a time."""

    def __init__(
        self, rng: Rng, emit: Callable[[Event], None], call: Callable[[Request, Instant, _Answered], None]
    ) -> None:
        self._rng = rng
        self._emit = emit
        self._call = call
        self._waiting: deque[_Authorization] = deque()  # the first is under way
        self._next = 1

    def start(self, relay: str, local: str, digest: Digest, expires_s: int | None, now: Instant) -> int:
        """Queue one. Raises InputError when an address is none."""
        try:
            uris = MsrpUri.parse(relay), MsrpUri.parse(local)
        except DecodeError as error:
            raise InputError("not an MSRP address", code="msrp.uri") from error
        number, self._next = self._next, self._next + 1
        self._waiting.append(_Authorization(number, *uris, digest, expires_s))
        if len(self._waiting) == 1:
            self._try(now)
        return number

    def fail(self, reason: str) -> None:
        """The connection has ended."""
        while self._waiting:
            self._emit(RelayRefused(self._waiting.popleft().number, 0, reason))

    def _try(self, now: Instant) -> None:
        one = self._waiting[0]
        one.tries += 1
        headers: list[tuple[str, str]] = []
        one.proved = one.digest.ready
        if one.proved:
            # Section 9.1: the digest is over the rightmost address of the To-Path.
            headers.append(("Authorization", one.digest.credentials("AUTH", one.relay.encode())))
        if one.expires_s is not None:
            headers.append(("Expires", str(one.expires_s)))
        request = Request("", "AUTH", (one.relay,), (one.local,), headers=tuple(headers))
        self._call(request, now, self._on_answer)

    def _on_answer(self, response: Response | None, now: Instant) -> None:
        if not self._waiting:
            return
        one = self._waiting[0]
        if response is None:
            self._end(RelayRefused(one.number, 408, "no answer"), now)
        elif 200 <= response.status < 300:
            self._end(self._granted(one, response), now)
        elif one.tries < _MAX_TRIES and self._may_retry(one, response):
            self._try(now)
        else:
            self._end(RelayRefused(one.number, response.status, response.comment or "refused"), now)

    def _may_retry(self, one: _Authorization, response: Response) -> bool:
        """Take what a refusal says should be done differently."""
        if response.status == 401:
            try:
                challenge = one.digest.accept(response.header_all("WWW-Authenticate"))
            except ProtocolError:
                return False
            return challenge.stale or not one.proved
        if response.status == 423:
            bound = response.header("Min-Expires") or response.header("Max-Expires")
            try:
                one.expires_s = decimal(bound or "", "Expires")
            except DecodeError:
                return False
            return True
        return False

    def _granted(self, one: _Authorization, response: Response) -> RelayGranted | RelayRefused:
        try:
            path = parse_path(response.header("Use-Path") or "", _MAX_PATH)
            expires = response.header("Expires")
            seconds = None if expires is None else decimal(expires, "Expires")
        except DecodeError as error:
            return RelayRefused(one.number, 400, f"the relay's answer makes no sense: {error}")
        return RelayGranted(one.number, path, None if seconds is None else seconds * 1000)

    def _end(self, event: RelayGranted | RelayRefused, now: Instant) -> None:
        self._waiting.popleft()
        self._emit(event)
        if self._waiting:
            self._try(now)
