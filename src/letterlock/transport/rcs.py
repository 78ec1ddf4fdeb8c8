"""RCS over SIP: stays registered, sends frames as pager messages, hands arriving ones up before it acknowledges.

This is the edge: a socket, a clock and random numbers around `letterlock.sip`. Bodies are wrapped
into CPIM; whether they are ciphertext is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType

from ..codec.sip import Headers, Limits, NameAddr, Params, Request, Response, Uri, delta_seconds
from ..engine.carriage import Inbound, NetworkResult, Outbound
from ..errors import DecodeError, LetterlockError, LimitExceeded, TransportError
from ..ids import Instant, Number, Rng
from ..sip.authenticator import Authenticator
from ..sip.message import call_id, new_tag
from ..sip.options import LETTERLOCK_FEATURES, FeatureTags, features_of, options_headers, response_headers
from ..sip.pager import PAGER_LIMIT, OutgoingMessage, PagerProfile, build_message
from ..sip.registration import (
    Binding,
    Registered,
    Registration,
    RegistrationConfig,
    RegistrationEffect,
    RegistrationFailed,
    SendRegister,
)
from ..sip.transaction import Timers, TransactionKey
from ..sip.user_agent import UserAgentSettings
from ..version import __version__
from .rcs_config import RcsConfig, check, is_loopback, tls_context
from .rcs_content import ACCEPTED_TYPES, unwrap, wrap
from .sip_connection import SipConnection

__all__ = ["RcsConfig", "RcsState", "RcsStatus", "RcsTransport"]

_log = logging.getLogger(__name__)

_USER_AGENT = f"IM-client/OMA1.0 Letterlock/{__version__}"
_LAST_MESSAGES_SECONDS = 2.0
_GOODBYE_SECONDS = 5.0


class RcsState(enum.Enum):
    """Whether messages can be sent."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    REGISTERED = "registered"
    REFUSED = "refused"  # the carrier says no; tried again rarely


@dataclass(frozen=True, slots=True)
class RcsStatus:
    """A change of state. `protected` is false without TLS."""

    state: RcsState
    reason: str
    protected: bool


class RcsTransport:
    """The transport of one account. `start` it, or use it as an async context manager.

    `on_message` is awaited for each arriving message; 200 goes to the network when it returns, 500 when it
    raises, so that the network keeps what was not committed (SR-06). Raises InputError for a configuration that
    would speak in the clear beyond this machine.
    """

    def __init__(
        self,
        config: RcsConfig,
        on_message: Callable[[Inbound], Awaitable[None]],
        on_state: Callable[[RcsStatus], None] | None = None,
        *,
        rng: Rng = os.urandom,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        check(config)
        self._config = config
        self._on_message = on_message
        self._on_state = on_state
        self._rng = rng
        self._clock = clock
        identity = Uri("sip", config.number, config.domain)
        self._authenticator = Authenticator(config.username, config.password, rng)
        self._registration = Registration(
            RegistrationConfig(
                domain=config.domain,
                identity=identity,
                private_identity=config.username,
                instance=f"urn:uuid:{uuid.UUID(config.instance)}",
                features=LETTERLOCK_FEATURES.params(),
                expires_s=config.expires_s,
                user_agent=_USER_AGENT,
            ),
            self._authenticator,
            rng,
        )
        self._profile = PagerProfile(identity, None if config.tel_addresses else config.domain, _USER_AGENT)
        self._settings = UserAgentSettings(
            # Wider than a carrier's own bounds: it adds to the lines of others, and what we cannot frame cuts us off.
            limits=Limits(max_header_bytes=32 * 1024, max_headers=200, max_line=16 * 1024, max_body=256 * 1024),
            timers=Timers(timeout_ms=int(config.answer_timeout_s * 1000), absorb_ms=32_000),
            max_open=max(256, config.max_in_flight + 8),
            max_message=config.max_message,
            ping_ms=int(config.ping_s * 1000),
            pong_ms=int(config.pong_s * 1000),
        )
        self._context = tls_context(config) if config.tls else None
        self._connection: SipConnection | None = None
        self._contact: Uri | None = None
        self._slots = asyncio.Semaphore(config.max_in_flight)
        self._registered = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self.status = RcsStatus(RcsState.OFFLINE, "not started", config.tls)

    # --- life ------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Connect and stay registered, in the background."""
        if self._task is None:
            if not self._config.tls:
                level = logging.INFO if is_loopback(self._config.server) else logging.WARNING
                _log.log(level, "SIP without TLS: numbers, times and sizes are readable on the way (lab only)")
            self._stopping.clear()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="letterlock-rcs")

    async def close(self) -> None:
        """Take no more messages, finish acknowledging, remove the registration, disconnect. Takes seconds at most."""
        self._stopping.set()
        task, self._task = self._task, None
        if task is None:
            return
        if not self._registered.is_set():
            task.cancel()  # connecting, or waiting for a registrar that does not answer: nothing to take back
        await asyncio.wait({task}, timeout=2 * _GOODBYE_SECONDS)
        task.cancel()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(task, *self._handlers, return_exceptions=True)
        self._set(RcsState.OFFLINE, "closed")

    async def __aenter__(self) -> RcsTransport:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def registered(self) -> None:
        """Wait until messages can be sent."""
        await self._registered.wait()

    # --- sending -----------------------------------------------------------------------------------
    async def send(self, outbound: Outbound) -> NetworkResult:
        """Hand one message to the network and wait for its answer.

        Raises TransportError when there is none (offline, time-out, connection lost): the network may then have
        the message or not. A message over the carrier's size is answered 513 without being sent.
        """
        body = wrap(outbound, self._clock())
        large = outbound.large or len(body) > PAGER_LIMIT
        async with self._slots:
            connection, binding = await self._ready()
            request = build_message(
                self._profile,
                OutgoingMessage(outbound.to, outbound.message_id, outbound.conversation, body, large),
                binding.service_route,
                self._rng,
            )
            try:
                response = await connection.request(request)
            except LimitExceeded as error:
                if error.code == "sip.limit.message":
                    return NetworkResult(False, 513, str(error))
                raise TransportError(str(error), code="transport.busy") from error
        return NetworkResult(
            200 <= response.status < 300, response.status, _printable(response.reason), _retry_after(response)
        )

    async def capabilities(self, number: Number) -> FeatureTags | None:
        """The feature tags of a number: empty when the network says that it has no RCS, None when nobody knows now.

        A hint of the carrier, which may have been stripped or made up (SR-02). Raises TransportError.
        """
        connection, binding = await self._ready()
        assert self._contact is not None
        identity = NameAddr(self._profile.identity)
        to = Uri.of_number(number, self._profile.domain)
        items = [
            *(("Route", value) for value in binding.service_route),
            ("From", identity.with_param("tag", new_tag(self._rng)).encode()),
            ("To", NameAddr(to).encode()),
            ("Call-ID", call_id(self._rng)),
            ("CSeq", "1 OPTIONS"),
            ("P-Preferred-Identity", identity.encode()),
            ("User-Agent", _USER_AGENT),
            *options_headers(self._contact, LETTERLOCK_FEATURES),
        ]
        async with self._slots:
            response = await connection.request(Request("OPTIONS", to.encode(), Headers(items)))
        if 200 <= response.status < 300:
            try:
                return features_of(response) or FeatureTags()
            except DecodeError:
                return None
        return FeatureTags() if response.status in (404, 405, 410, 501, 604) else None

    async def _ready(self) -> tuple[SipConnection, Binding]:
        try:
            async with asyncio.timeout(self._config.register_wait_s):
                await self._registered.wait()
        except TimeoutError:
            raise TransportError(
                f"not registered with the carrier: {self.status.reason}",
                code="transport.offline",
                hint="the message is kept and sent when the carrier can be reached",
            ) from None
        connection, binding = self._connection, self._registration.binding
        if connection is None or binding is None:
            raise TransportError("not registered with the carrier", code="transport.offline")
        return connection, binding

    # --- staying registered ------------------------------------------------------------------------------
    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._set(RcsState.CONNECTING, f"connecting to {self._config.server}")
            was_registered = False
            wait: float | None = None
            state = RcsState.OFFLINE
            try:
                connection = await self._connect()
            except (OSError, ssl.SSLError, TimeoutError) as error:
                reason = _network_reason(error)
            else:
                try:
                    reason, wait, was_registered, state = await self._serve(connection)
                finally:
                    self._registered.clear()
                    await connection.finish()
                    self._connection = None
                    self._registration.connection_lost()
                    # A new registration begins with blank credentials, and whatever this server asked may not be the next's.
                    self._authenticator.forget()
            if self._stopping.is_set():
                break
            self._set(state, reason)
            failures = 0 if was_registered else failures + 1
            if failures <= 1:  # once an outage
                _log.warning("%s (%s:%d); trying on", reason, self._config.server, self._config.port)
            await self._pause(self._backoff(failures) if wait is None else wait)

    async def _connect(self) -> SipConnection:
        config = self._config
        async with asyncio.timeout(config.connect_timeout_s):
            connection = await SipConnection.open(
                config.server,
                config.port,
                self._context,
                config.tls_name or config.server,
                self._settings,
                self._authenticator,
                self._on_request,
                self._rng,
            )
        if not config.tls and not config.insecure_lab and not is_loopback(connection.peer[0]):
            # A name that we took for this machine led elsewhere (SR-19).
            connection.close()
            raise OSError("refused to speak without TLS beyond this machine")
        return connection

    async def _serve(self, connection: SipConnection) -> tuple[str, float | None, bool, RcsState]:
        """Register and stay until the connection ends, the carrier refuses or `close` is called.

        Returns why, how long to wait at least, whether it had been registered, and the state that follows.
        """
        config = self._config
        self._connection = connection
        transport = "tls" if config.tls else "tcp"
        self._contact = Uri(
            "sip",
            config.number,
            connection.contact_host,
            connection.local[1],
            Params((("transport", transport),)),
        )
        registration = self._registration
        effects = registration.start(self._contact, self._now())
        was_registered = False
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while True:
                while effects:
                    effect = effects.pop(0)
                    if isinstance(effect, SendRegister):
                        effects += await self._register(connection, effect)
                    elif isinstance(effect, Registered):
                        if not was_registered:
                            connection.ping()
                        was_registered = True
                        self._registered.set()
                        self._set(RcsState.REGISTERED, "registered")
                    elif isinstance(effect, RegistrationFailed):
                        self._registered.clear()
                        reason = f"registration refused: {effect.status} {_printable(effect.reason)}"
                        wait = None if effect.retry_after_ms is None else effect.retry_after_ms / 1000
                        if effect.permanent:
                            return reason, max(wait or 0, config.refused_wait_s), was_registered, RcsState.REFUSED
                        return reason, wait, was_registered, RcsState.OFFLINE
                if connection.closed.done():
                    return connection.closed.result(), None, was_registered, RcsState.OFFLINE
                if self._stopping.is_set():
                    await self._leave(connection)
                    return "closed", None, was_registered, RcsState.OFFLINE
                deadline = registration.next_deadline()
                timeout = None if deadline is None else max(0.0, (deadline - self._now()) / 1000)
                await asyncio.wait((connection.closed, stopping), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                effects = registration.on_deadline(self._now())
        except LetterlockError as error:
            # Lost, or a carrier whose answers cannot be answered: an outage, never the end of trying.
            return str(error), None, was_registered, RcsState.OFFLINE
        finally:
            stopping.cancel()

    async def _register(self, connection: SipConnection, effect: SendRegister) -> list[RegistrationEffect]:
        try:
            response = await connection.request(effect.request, authenticate=False)
        except TransportError as error:
            if error.code == "transport.timeout":
                return self._registration.on_timeout(self._now())
            raise
        return self._registration.on_response(response, self._now())

    async def _leave(self, connection: SipConnection) -> None:
        """Let what arrived be acknowledged, then take our contact off the registrar."""
        self._registered.clear()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=_LAST_MESSAGES_SECONDS)
        with contextlib.suppress(TimeoutError, LetterlockError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                effects = self._registration.stop(self._now())
                while effects:
                    effect = effects.pop(0)
                    if isinstance(effect, SendRegister):
                        effects += await self._register(connection, effect)

    def _backoff(self, failures: int) -> float:
        """Doubling, with a random half taken off, so that a carrier that comes back is not met by all at once."""
        low, high = self._config.backoff_s
        full = min(high, low * 2.0 ** min(max(failures - 1, 0), 16))
        return full * (0.5 + self._rng(1)[0] / 510)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _set(self, state: RcsState, reason: str) -> None:
        status = RcsStatus(state, reason, self._config.tls)
        if status != self.status:
            self.status = status
            if self._on_state is not None:
                self._on_state(status)

    @staticmethod
    def _now() -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    # --- arriving ------------------------------------------------------------------------------------
    def _on_request(self, connection: SipConnection, key: TransactionKey, request: Request) -> None:
        if self._contact is None or self._stopping.is_set():
            connection.respond(key, 480)
        elif request.method == "OPTIONS":
            connection.respond(key, 200, headers=response_headers(self._contact, LETTERLOCK_FEATURES))
        elif request.method != "MESSAGE":
            connection.respond(key, 405, headers=(("Allow", "MESSAGE, OPTIONS"),))
        else:
            task = asyncio.get_running_loop().create_task(self._take(connection, key, request))
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)

    async def _take(self, connection: SipConnection, key: TransactionKey, request: Request) -> None:
        """Read, hand up, and only then acknowledge."""
        try:
            inbound = unwrap(
                request,
                self._config.number,
                self._clock(),
                max_body=self._settings.limits.max_body,
                trust_from=self._config.trust_from,
            )
        except LimitExceeded as error:
            connection.respond(key, 413, f"Too Large ({error.code})")
            return
        except DecodeError as error:
            if error.code == "mime.content_encoding":
                connection.respond(key, 415, headers=(("Accept-Encoding", "deflate, gzip"),))
            elif error.code == "rcs.content_type":
                connection.respond(key, 415, headers=(("Accept", ", ".join(ACCEPTED_TYPES)),))
            else:
                connection.respond(key, 400, f"Bad Message ({error.code})")
            return
        try:
            await self._on_message(inbound)
        except asyncio.CancelledError:
            connection.respond(key, 500)
            raise
        except Exception as error:
            # Not committed: the network must keep it and try again (SR-06).
            _log.error("an arriving message could not be taken: %s", _name(error))
            connection.respond(key, 500)
        else:
            connection.respond(key, 200)


def _retry_after(response: Response) -> int | None:
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return min(delta_seconds(text), 86_400) * 1000
    except DecodeError:
        return None


def _network_reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the carrier's certificate does not hold: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "the carrier does not answer"
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return f"cannot reach the carrier: {os.strerror(number).lower()}"
    return f"cannot reach the carrier: {error}"


def _printable(text: str) -> str:
    """The network's words, fit for a terminal: no control characters, not a page of them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])


def _name(error: Exception) -> str:
    return error.code if isinstance(error, LetterlockError) else type(error).__name__
