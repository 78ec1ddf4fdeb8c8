"""The conversation focus as an application server: SIP with the proxy, MSRP with devices, asyncio around the rest.

Only the proxy may come (SR-17): who connects must have one of the addresses in `peers`, and the port belongs behind a
firewall. The proxy has checked who sends and says it in P-Asserted-Identity. What is answered with success is on the disk.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine

from ...codec.sip import Request
from ...errors import DecodeError, FocusError, LetterlockError, LimitExceeded, ProtocolError, StoreError
from ...ids import Instant, Number, Rng
from ...sip.dialog_layer import DialogLayer, Told
from ...sip.effects import Respond
from ...sip.message import REASONS
from ...sip.notifying import Notifier
from ...sip.refer import WITHOUT_SUBSCRIPTION, read_refer
from ...sip.session import Session
from ...sip.session_events import InDialog
from ...sip.transaction import TransactionKey
from ...sip.user_agent import UserAgent
from ...sip.user_agent_events import Event, Received
from ..proxy_links import ProxyLinks
from ..sip_link import SipLink, loop_now
from ..writer import Writer
from .calls import Calls
from .limits import FocusLimits
from .mls.ordering import Ordering
from .mls.settings import MlsSettings
from .msrp import MsrpPort, MsrpTls
from .msrp_wire import MsrpSettings
from .requests import referral_of, sender_of, user_of
from .room import Room
from .rooms import Rooms
from .settings import ALLOW, FocusSettings
from .subscribers import Subscribers
from .tables import Tables

__all__ = ["Focus"]

_log = logging.getLogger("letterlock.focus")


class Focus:
    """`await start()`, then `port` says where it listens for SIP and `msrp_port` where for MSRP; `await close()` ends it.

    `proxy` is the proxy's listener for application servers. `database` is a file; it is locked for this process. Without
    `msrp_tls` messages are taken on loopback only: raises InputError elsewhere (SR-19). With `mls` it orders the
    commits of RCC.16 groups.
    """

    def __init__(
        self,
        database: str,
        *,
        domain: str,
        proxy: tuple[str, int],
        host: str = "127.0.0.1",
        port: int = 0,
        msrp_host: str = "127.0.0.1",
        msrp_port: int = 0,
        msrp_tls: MsrpTls | None = None,
        peers: tuple[str, ...] = ("127.0.0.0/8", "::1/128"),
        limits: FocusLimits | None = None,
        settings: FocusSettings | None = None,
        mls: MlsSettings | None = None,
        clock: Callable[[], Instant] = lambda: time.time_ns() // 1_000_000,
        rng: Rng = os.urandom,
    ) -> None:
        self.host = host
        self.port = port
        self.domain = domain
        self._limits = limits or FocusLimits()
        self._settings = settings or FocusSettings()
        self._rng = rng
        self._writer = Writer(database, Tables, FocusError, "focus")
        self._links = ProxyLinks(proxy, peers, self._link, self._connected, self._settings.sip, _log)
        self._rooms = Rooms(self._writer, self._limits, clock, rng)
        self._ordering = (
            None if mls is None else Ordering(mls, self._writer, self._rooms, self._limits, domain, clock, rng)
        )
        self._layer = DialogLayer(self._choose, self._settings.max_subscribers + self._limits.max_sessions)
        self._subscribers = Subscribers(self._layer, self._rooms, self._limits, self._settings, domain, self._work, rng)
        msrp = MsrpSettings(self._limits.largest, self._limits.window_messages, report_ms=self._settings.msrp_report_ms)
        self._calls = Calls(
            self._layer,
            self._rooms,
            self._limits,
            self._settings,
            domain,
            self._work,
            self._subscribers.changed,
            self._ordering,
            clock,
            rng,
        )
        self._port = MsrpPort(msrp_host, msrp_port, msrp, self._calls, rng, msrp_tls)
        self._calls.use(self._port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def msrp_port(self) -> int:
        return self._port.port

    @property
    def attending(self) -> int:
        """How many devices have a session now."""
        return self._calls.attending

    async def start(self) -> None:
        """Open the database and listen. Raises StoreError, StoreLocked; OSError when a port is taken."""
        await self._writer.start()
        try:
            waiting = await self._rooms.load()
            await self._port.listen()
            self.port = await self._links.listen(self.host, self.port)
        except BaseException:  # also when cancelled: a database that stays locked could not be opened again
            await self._port.close()
            await self._writer.close()
            raise
        self._spawn(self._links.stay_connected())
        self._spawn(self._repeat(self._settings.flush_ms, self._rooms.flush))
        self._spawn(self._repeat(self._settings.purge_ms, self._rooms.purge))
        self._spawn(self._repeat(self._settings.sweep_ms, self._sweep))
        for room in waiting:
            for number in room.waiting():
                self._calls.wake(room, number)

    async def close(self) -> None:
        """Take nothing more, say goodbye to nobody: sessions are made again when something arrives. Close the database."""
        self._links.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._calls.close()
        await self._subscribers.close()
        await self._port.close()
        if self._timer is not None:
            self._timer.cancel()
        await self._links.close()
        await self._rooms.flush()
        await self._writer.close()
        if self._ordering is not None:
            self._ordering.close()

    async def __aenter__(self) -> Focus:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    # --- what the proxy says -------------------------------------------------------------------------
    def _on_event(self, link: SipLink, event: Event | None) -> None:
        """Something came over a link, or the link is gone."""
        if event is None:
            told = self._layer.agent_lost(link.agent, loop_now())
        else:
            if isinstance(event, Received):
                self._calls.note(event.request)
            found = self._layer.on_event(link.agent, event, loop_now())
            if found is None:
                found = self._outside(link, event)
            told = found
        self._work(told)

    def _outside(self, link: SipLink, event: Event) -> list[Told]:
        """What is for no dialog."""
        if not isinstance(event, Received):
            return []
        agent, key, request = link.agent, event.key, event.request
        try:
            return self._request(agent, key, request)
        except FocusError as error:
            agent.respond(key, error.status, loop_now(), f"{REASONS.get(error.status, 'Refused')} ({error.code})")
        except LimitExceeded as error:
            busy = error.code == "sip.limit.dialogs"
            headers = (("Retry-After", "10"),) if busy else ()
            agent.respond(key, 503 if busy else 413, loop_now(), f"Refused ({error.code})", headers)
        except DecodeError as error:
            agent.respond(key, 400, loop_now(), f"Bad Request ({error.code})")
        except ProtocolError as error:
            agent.respond(key, 488, loop_now(), f"Not Acceptable Here ({error.code})")
        return []

    def _request(self, agent: UserAgent, key: TransactionKey, request: Request) -> list[Told]:
        if ";tag=" in (request.headers.get("To") or "").lower():
            agent.respond(key, 481, loop_now())
            return []
        if request.method == "OPTIONS":
            agent.respond(key, 200, loop_now(), headers=self._options(user_of(request)))
            return []
        if request.method == "INVITE":
            return self._calls.called(agent, key, request)
        if request.method == "SUBSCRIBE":
            sender = sender_of(request)
            room = self._rooms.get(user_of(request), sender)
            told = self._subscribers.subscribed(agent, key, request, room, sender)
            self._calls.seen(room, sender)
            return told
        if request.method == "REFER":
            sender = sender_of(request)
            room = self._rooms.get(user_of(request), sender)
            self._spawn(self._refer(agent, key, request, room, sender, None))
            return []
        agent.respond(key, 405, loop_now(), headers=(("Allow", ALLOW),))
        return []

    def _options(self, user: str) -> tuple[tuple[str, str], ...]:
        """RFC 4579 section 5.13: what an address is, not whether there is such a conference."""
        supported = "recipient-list-invite, multiple-refer, norefersub, timer"
        return (
            ("Contact", f"<sip:{user}@{self.domain}>;isfocus"),
            ("Allow", ALLOW),
            ("Accept", "application/sdp"),
            ("Allow-Events", "conference"),
            ("Supported", supported),
        )

    def _work(self, told: list[Told]) -> None:
        """Tell whoever is concerned; then let every link write and set the clock."""
        while told:
            item = told.pop(0)
            usage = item.usage
            if isinstance(usage, Notifier):
                told += self._subscribers.told(usage, item.event)
            elif isinstance(usage, Session):
                if isinstance(item.event, InDialog):
                    self._in_dialog(usage, item.event)
                else:
                    told += self._calls.told(usage, item.event)
        for link in self._links:
            if not link.closed.done():
                link.flush()
        self._arm()

    def _in_dialog(self, session: Session, event: InDialog) -> None:
        """REFER in a session; nothing else has a meaning here."""
        attendance = self._calls.attendance(session)
        if event.request.method != "REFER" or attendance is None:
            self._work(self._layer.perform(session, [Respond(event.key, 405, headers=(("Allow", ALLOW),))], loop_now()))
            return
        self._spawn(self._refer(None, event.key, event.request, attendance.room, attendance.number, session))

    async def _refer(
        self,
        agent: UserAgent | None,
        key: TransactionKey,
        request: Request,
        room: Room,
        sender: Number,
        session: Session | None,
    ) -> None:
        """Members are added and removed, and only then is the REFER answered: 202 is said of what is on the disk."""
        status, reason = 202, ""
        try:
            referral = referral_of(read_refer(request), self._limits)
            await self._calls.referred(room, sender, referral)
        except FocusError as error:
            status, reason = error.status, f"{REASONS.get(error.status, 'Refused')} ({error.code})"
        except DecodeError as error:
            status, reason = 400, f"Bad Request ({error.code})"
        except StoreError as error:
            _log.error("a change could not be kept: %s", error)
            status, reason = 500, "Not Kept"
        headers = WITHOUT_SUBSCRIPTION if status == 202 else ()
        if reason.endswith("(focus.mls.mismatched-rcs-group-state)"):
            headers = (("Warning", f'399 {self.domain} "mismatched-rcs-group-state"'),)
        if session is not None:
            answer = Respond(key, status, reason, headers, tag=session.key[1])
            self._work(self._layer.perform(session, [answer], loop_now()))
        elif agent is not None:
            agent.respond(key, status, loop_now(), reason, headers)
            self._work([])

    # --- links ---------------------------------------------------------------------------------------
    def _link(self, admit: Callable[[SipLink], bool]) -> SipLink:
        return SipLink(self._settings.sip, self._rng, self._on_event, admit)

    async def _connected(self, _: SipLink) -> None:
        self._calls.connected()

    def _choose(self) -> UserAgent | None:
        """Where requests go: to the proxy, over our own connection."""
        return None if self._links.to_proxy is None else self._links.to_proxy.agent

    # --- clocks --------------------------------------------------------------------------------------
    def _arm(self) -> None:
        at = self._layer.next_deadline()
        if at is None or (self._timer is not None and not self._timer.cancelled() and self._timer.when() <= at / 1000):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at / 1000, self._due)

    def _due(self) -> None:
        self._timer = None
        self._work(self._layer.on_deadline(loop_now()))

    async def _sweep(self) -> None:
        self._calls.sweep()

    async def _repeat(self, every_ms: int, work: Callable[[], Coroutine[None, None, None]]) -> None:
        while True:
            await asyncio.sleep(every_ms / 1000)
            try:
                await work()
            except LetterlockError as error:
                _log.error("housekeeping failed: %s", error)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
