"""Being there for the carrier: connect, register, refresh; after an outage wait and begin again; say goodbye.

One connection after another, and one registration that outlives them. Whoever wants to send asks for the
`Flow`: the connection that is registered now.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ...codec.addresses import is_loopback
from ...codec.sip import NameAddr, Params, Request, Uri
from ...errors import LetterlockError, TransportError
from ...ids import Rng
from ...sip.authenticator import Authenticator
from ...sip.registration import Registered, Registration, RegistrationEffect, RegistrationFailed, SendRegister
from ...sip.transaction import TransactionKey
from .arrivals import Arrivals
from .config import RcsConfig, registration_config, tls_context, user_agent_settings
from .dialogs import Dialogs
from .flow import Flow
from .sip_connection import SipConnection

__all__ = ["Presence", "RcsState", "RcsStatus", "printable"]

_log = logging.getLogger(__name__)

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
    """A change of state, and why."""

    state: RcsState
    reason: str


class Presence:
    """Stays registered from `start` to `close`. `status` says how that goes, and `on_state` each change of it."""

    def __init__(
        self,
        config: RcsConfig,
        arrivals: Arrivals,
        dialogs: Dialogs,
        on_state: Callable[[RcsStatus], None] | None,
        rng: Rng,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._config = config
        self._arrivals = arrivals
        self._dialogs = dialogs
        self._on_state = on_state
        self._rng = rng
        self._settings = user_agent_settings(config)
        self._context = (tls or tls_context(config)) if config.tls else None
        self._authenticator = Authenticator(config.username, config.password, rng)
        self._registration = Registration(registration_config(config), self._authenticator, rng)
        self._connection: SipConnection | None = None
        self._contact: Uri | None = None
        self._registered = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._nudged: asyncio.Future[None] | None = None
        self.status = RcsStatus(RcsState.OFFLINE, "not started")

    def start(self) -> None:
        """Connect and stay registered, in the background."""
        if self._task is None:
            if not self._config.tls:
                level = logging.INFO if is_loopback(self._config.server) else logging.WARNING
                _log.log(level, "SIP without TLS: numbers, times and sizes are readable on the way (lab only)")
            self._stopping.clear()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="letterlock-rcs")

    def advertise(self, config: RcsConfig) -> None:
        """Other feature tags than before, and nothing else: the carrier is told now, or when it is reached again."""
        self._config = config
        self._registration.advertise(config.features.params(), self._now())
        if self._contact is not None and self._registered.is_set():
            self._dialogs.announce(self._contact_header())
        if self._nudged is not None and not self._nudged.done():
            self._nudged.set_result(None)

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
        await asyncio.gather(task, *self._arrivals.cancel(), return_exceptions=True)
        self._set(RcsState.OFFLINE, "closed")

    async def registered(self) -> None:
        """Wait until messages can be sent."""
        await self._registered.wait()

    async def flow(self) -> Flow:
        """Wait, not for long, until messages can be sent. Raises TransportError when they still cannot."""
        try:
            async with asyncio.timeout(self._config.register_wait_s):
                await self._registered.wait()
        except TimeoutError:
            raise TransportError(
                f"not registered with the carrier: {self.status.reason}",
                code="transport.offline",
                hint="the message is kept and sent when the carrier can be reached",
            ) from None
        connection, contact, binding = self._connection, self._contact, self._registration.binding
        if connection is None or contact is None or binding is None:
            raise TransportError("not registered with the carrier", code="transport.offline")
        return Flow(connection, contact, binding.service_route)

    # --- one connection after another ---------------------------------------------------------------------
    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._set(RcsState.CONNECTING, f"connecting to {self._config.server}")
            try:
                connection = await self._connect()
            except (OSError, ssl.SSLError, TimeoutError) as error:
                ended = _Ended(_network_reason(error), was_registered=False)
            else:
                try:
                    ended = await self._serve(connection)
                finally:
                    self._registered.clear()
                    self._dialogs.detach("the connection to the carrier ended")
                    await connection.finish()
                    self._connection = None
                    self._registration.connection_lost()
                    # A new registration begins with blank credentials, and whatever this server asked may not be the next's.
                    self._authenticator.forget()
            if self._stopping.is_set():
                break
            self._set(ended.state, ended.reason)
            failures = 0 if ended.was_registered else failures + 1
            if failures <= 1:  # once an outage
                _log.warning("%s (%s:%d); trying on", ended.reason, self._config.server, self._config.port)
            # "Come again in 0 seconds" would be a loop that hammers.
            await self._pause(self._backoff(failures) if ended.wait_s is None else max(ended.wait_s, self._backoff(1)))

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
                self._dialogs.on_event,
            )
        if not config.tls and not config.insecure_lab and not is_loopback(connection.peer[0]):
            # A name that we took for this machine led elsewhere (SR-19).
            connection.close()
            raise OSError("refused to speak without TLS beyond this machine")
        return connection

    def _on_request(self, connection: SipConnection, key: TransactionKey, request: Request) -> None:
        if self._contact is None or self._stopping.is_set():
            connection.respond(key, 480)
        else:
            self._arrivals.take(connection, key, request, self._contact)

    # --- staying registered on one --------------------------------------------------------------------------
    async def _serve(self, connection: SipConnection) -> _Ended:
        """Register and stay until the connection ends, the carrier refuses or `close` is called."""
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
                            self._dialogs.attach(connection, self._contact_header())
                        was_registered = True
                        self._registered.set()
                        self._set(RcsState.REGISTERED, "registered")
                    elif isinstance(effect, RegistrationFailed):
                        self._registered.clear()
                        return self._refused(effect, was_registered)
                if connection.closed.done():
                    return _Ended(connection.closed.result(), was_registered)
                if self._stopping.is_set():
                    await self._leave(connection)
                    return _Ended("closed", was_registered)
                deadline = registration.next_deadline()
                timeout = None if deadline is None else max(0.0, (deadline - self._now()) / 1000)
                self._nudged = asyncio.get_running_loop().create_future()
                awaited = (connection.closed, stopping, self._nudged)
                await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                effects = registration.on_deadline(self._now())
        except LetterlockError as error:
            # Lost, or a carrier whose answers cannot be answered: an outage, never the end of trying.
            return _Ended(str(error), was_registered)
        finally:
            stopping.cancel()

    def _contact_header(self) -> str:
        assert self._contact is not None
        return NameAddr(self._contact, params=self._config.features.params()).encode()

    async def _register(self, connection: SipConnection, effect: SendRegister) -> list[RegistrationEffect]:
        try:
            response = await connection.request(effect.request, authenticate=False)
        except TransportError as error:
            if error.code == "transport.timeout":
                return self._registration.on_timeout(self._now())
            raise
        return self._registration.on_response(response, self._now())

    def _refused(self, effect: RegistrationFailed, was_registered: bool) -> _Ended:
        reason = f"registration refused: {effect.status} {printable(effect.reason)}"
        wait_s = None if effect.retry_after_ms is None else effect.retry_after_ms / 1000
        if not effect.permanent:
            return _Ended(reason, was_registered, wait_s=wait_s)
        return _Ended(reason, was_registered, RcsState.REFUSED, max(wait_s or 0, self._config.refused_wait_s))

    async def _leave(self, connection: SipConnection) -> None:
        """Let what arrived be acknowledged, then take our contact off the registrar."""
        self._registered.clear()
        await self._arrivals.finish(_LAST_MESSAGES_SECONDS)
        with contextlib.suppress(TimeoutError, LetterlockError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                effects = self._registration.stop(self._now())
                while effects:
                    effect = effects.pop(0)
                    if isinstance(effect, SendRegister):
                        effects += await self._register(connection, effect)

    # --- between two ----------------------------------------------------------------------------------------
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
        status = RcsStatus(state, reason)
        if status != self.status:
            self.status = status
            if self._on_state is not None:
                self._on_state(status)

    @staticmethod
    def _now() -> int:
        return int(asyncio.get_running_loop().time() * 1000)


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a connection, or the attempt to make one, came to its end. `wait_s`: how long to wait, when somebody said so."""

    reason: str
    was_registered: bool
    state: RcsState = RcsState.OFFLINE
    wait_s: float | None = None


def _network_reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the carrier's certificate does not hold: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "the carrier does not answer"
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return f"cannot reach the carrier: {os.strerror(number).lower()}"
    return f"cannot reach the carrier: {error}"


def printable(text: str) -> str:
    """The network's words, fit for a terminal: no control characters, not a page of them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
