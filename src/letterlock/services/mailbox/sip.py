"""The mailbox's edge: listens for the proxy, keeps a connection to it, answers only what is on the disk.

Only the proxy may come (SR-17): who connects must have one of the addresses in `peers`, and the port belongs behind
a firewall. The proxy has checked who sends and says it in P-Asserted-Identity.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine

from ...codec.sip import Request, Response
from ...errors import DecodeError, MailboxError, StoreError
from ...ids import Instant, Number, Rng
from ...sip.transaction import TransactionKey
from ..proxy_links import ProxyLinks
from ..sip_link import SipLink
from ..writer import Writer
from . import logic
from .connection import Connection
from .couriers import Couriers
from .limits import MailboxLimits
from .requests import arrival_of, devices_of, grant, handover_of, registered_number
from .tables import Tables

__all__ = ["Mailbox"]

_log = logging.getLogger("letterlock.mailbox")

_RETRY_LATER = (("Retry-After", "60"),)
_RETRY_SOON = (("Retry-After", "2"),)
_PURGE_EVERY_S = 60.0
_MAX_HANDOVERS = 100_000
_GRANT_ATTEMPTS = 6


class Mailbox:
    """`await start()`, then `port` says where it listens; `await close()` ends it. Also an async context manager.

    `proxy` is the proxy's listener for application servers. `database` is a file; it is locked for this process.
    """

    def __init__(
        self,
        database: str,
        *,
        domain: str,
        proxy: tuple[str, int],
        host: str = "127.0.0.1",
        port: int = 0,
        peers: tuple[str, ...] = ("127.0.0.0/8", "::1/128"),
        limits: MailboxLimits | None = None,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
        rng: Rng = os.urandom,
    ) -> None:
        self.host = host
        self.port = port
        self._domain = domain
        self._limits = limits or MailboxLimits()
        self._clock = clock
        self._rng = rng
        self._writer = Writer(database, Tables, MailboxError, "mailbox")
        self._couriers: Couriers | None = None
        self._sip = self._limits.link()
        self._links = ProxyLinks(proxy, peers, self._connection, self._connected, self._sip, _log)
        self._tasks: set[asyncio.Task[None]] = set()
        self._handovers: dict[Number, int] = {}
        self._granting: set[Number] = set()
        self._ungranted: dict[Number, None] = {}  # the proxy was not there to hear it

    async def start(self) -> None:
        """Open the database and listen. Raises StoreError, StoreLocked; OSError when the port is taken."""
        await self._writer.start()
        try:
            self._couriers = Couriers(self._writer, self._limits, self._domain, self._send, self._empty, self._clock)
            self.port = await self._links.listen(self.host, self.port)
        except OSError:
            await self._writer.close()
            raise
        self._spawn(self._links.stay_connected())
        self._spawn(self._keep_purging())

    async def close(self) -> None:
        """Take nothing more, stop sending, close the database. What is kept is sent another time."""
        self._links.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._couriers is not None:
            await self._couriers.close()
        await self._links.close()
        await self._writer.close()

    async def __aenter__(self) -> Mailbox:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def waiting(self) -> int:
        """For how many devices something is kept."""
        return len(await self._writer.run(Tables.waiting))

    # --- from the proxy --------------------------------------------------------------------------
    def _connection(self, admit: Callable[[SipLink], bool]) -> Connection:
        return Connection(self._sip, self._on_request, self._rng, admit)

    def _on_request(self, connection: Connection, key: TransactionKey, request: Request) -> None:
        if request.method == "MESSAGE":
            self._spawn(self._on_message(connection, key, request))
        elif request.method == "REGISTER":
            self._spawn(self._on_register(connection, key, request))
        elif request.method == "OPTIONS":
            connection.respond(key, 200)
        else:
            connection.respond(key, 405, headers=(("Allow", "MESSAGE, REGISTER, OPTIONS"),))

    async def _on_message(self, connection: Connection, key: TransactionKey, request: Request) -> None:
        """Keep it, and only then say so: 202 is said of what is on the disk."""
        try:
            arrival = arrival_of(request)
            self._handed(arrival.number, arrival.handover)
            now = self._clock()
            devices = await self._writer.run(lambda tables: logic.accept(tables, self._limits, arrival, now))
        except DecodeError as error:
            connection.respond(key, 400, f"Bad Request ({error.code})")
        except MailboxError as error:
            later = _RETRY_SOON if error.code == "mailbox.busy" else _RETRY_LATER
            connection.respond(key, error.status, f"Not Kept ({error.code})", later)
        except StoreError as error:
            _log.error("a message could not be kept: %s", error)
            connection.respond(key, 500, "Not Kept", _RETRY_LATER)
        else:
            connection.respond(key, 202)
            for device in devices:
                self._wake(arrival.number, device, present=device in arrival.present)

    async def _on_register(self, connection: Connection, key: TransactionKey, request: Request) -> None:
        try:
            number, devices = registered_number(request), devices_of(request)
            self._handed(number, handover_of(request))
            now = self._clock()
            await self._writer.run(lambda tables: logic.see(tables, self._limits, number, devices, now))
        except DecodeError as error:
            connection.respond(key, 400, f"Bad Request ({error.code})")
        except (MailboxError, StoreError) as error:
            connection.respond(key, 480, f"Not Noted ({error.code})")
        else:
            connection.respond(key, 200)
            for device in devices:
                self._wake(number, device, present=True)

    def _wake(self, number: Number, device: str, *, present: bool) -> None:
        assert self._couriers is not None
        self._couriers.wake(number, device, present=present)

    def _handed(self, number: Number, handover: int) -> None:
        if len(self._handovers) >= _MAX_HANDOVERS:
            self._handovers.clear()  # the proxy tells the number again when it is wrong
        self._handovers[number] = max(handover, self._handovers.get(number, 0))

    # --- to the proxy ----------------------------------------------------------------------------
    async def _send(self, request: Request) -> Response | None:
        return None if self._links.to_proxy is None else await self._links.to_proxy.request(request)

    def _empty(self, number: Number) -> None:
        if number not in self._granting:
            self._granting.add(number)
            self._spawn(self._grant(number))

    async def _grant(self, number: Number) -> None:
        """Nothing waits for this number: when it has one device, messages need not come here.

        A refusal (412) means another hand-over: under way, or before our time. What is under way gets time to arrive.
        """
        try:
            for attempt in range(_GRANT_ATTEMPTS):
                # Before the tables: whatever came with this hand-over, or an earlier one, is in them by then.
                handover = self._handovers.get(number, 0)
                device = await self._writer.run(lambda tables: logic.direct_device(tables, number))
                if device is None:
                    return
                answer = await self._send(grant(number, device, handover, self._domain, self._rng))
                if answer is None:
                    self._ungranted[number] = None
                if answer is None or answer.status != 412:
                    return
                current = answer.headers.get("SIP-ETag") or ""
                if current.isascii() and current.isdigit() and len(current) < 18:
                    self._handovers[number] = int(current)  # also a lower one: the proxy may have begun anew
                await asyncio.sleep(self._limits.reconnect_ms / 1000 / 2 ** (_GRANT_ATTEMPTS - attempt))
        except StoreError as error:
            _log.error("what waits could not be read: %s", error)
        finally:
            self._granting.discard(number)

    async def _connected(self, connection: Connection) -> None:
        await self._wake_all(connection)
        ungranted, self._ungranted = self._ungranted, {}
        for number in ungranted:
            self._empty(number)

    async def _wake_all(self, connection: Connection) -> None:
        """Bring what waits, once it can be read: a full disk, or any other, must not end the trying."""
        assert self._couriers is not None
        while not connection.closed.done():
            try:
                self._couriers.wake_all(await self._writer.run(Tables.waiting))
                return
            except StoreError as error:
                _log.error("what waits could not be read: %s", error)
                await asyncio.sleep(self._limits.reconnect_ms / 1000)

    async def _keep_purging(self) -> None:
        assert self._couriers is not None
        while True:
            try:
                for gone in await self._writer.run(lambda tables: logic.purge(tables, self._limits, self._clock())):
                    self._couriers.forget(gone.number, gone.device)
            except StoreError as error:
                _log.error("old messages could not be removed: %s", error)
            await asyncio.sleep(_PURGE_EVERY_S)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
