"""Sessions with devices: who calls us, whom we call, and what becomes of either.

A member is called when something waits for one of its devices that has no session, and again, ever more rarely, until it
comes; a sign of life makes it sooner. A session through which nothing goes is ended, which is not leaving: leaving is a
BYE that says so (Reason with cause 200) and ends the member's last session, or a REFER.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...codec.conference_info import Disconnection
from ...codec.sip import Request
from ...errors import DecodeError, FocusError, LetterlockError, ProtocolError, StoreError
from ...ids import Instant, Number, Rng
from ...msrp import new_session_id
from ...sip.dialog import dialog_key
from ...sip.dialog_layer import DialogLayer, Told, UsageEvent
from ...sip.effects import Body, Effect, body_of
from ...sip.msrp_media import Agreement, read_offer
from ...sip.session import Session
from ...sip.session_events import Ended, Established, Offered, Refused, Reoffered
from ...sip.transaction import TransactionKey
from ...sip.user_agent import UserAgent
from ..sip_link import loop_now
from .attendance import Attendance, Media
from .conference import Change, Conference, give_up, join, leave, remove
from .delivery import Deliveries
from .limits import FocusLimits
from .mls.desk import Desk
from .mls.ordering import Ordering
from .msrp import Arrived, MsrpPort, Wire
from .requests import (
    Creation,
    Referral,
    device_of,
    invitation,
    leaves,
    read_creation,
    read_offer_body,
    sender_of,
    user_of,
)
from .room import Room
from .rooms import Rooms, check_open
from .roster import address_of

if TYPE_CHECKING:
    from .sip import FocusSettings

__all__ = ["Calls"]

_log = logging.getLogger("letterlock.focus")

_REMOVED = (("Reason", 'SIP;cause=410;text="Removed"'),)
_IDLE = (("Reason", 'SIP;cause=480;text="Idle"'),)
# Answers to an INVITE that mean no, for ever: who has never joined is taken off the roster.
_NO = {486: Disconnection.BUSY, 600: Disconnection.BUSY, 603: Disconnection.BUSY, 404: Disconnection.FAILED}


_CALLS_AT_ONCE = 8
_SUPPORTED = (("Allow-Events", "conference"),)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a device that has not been answered."""

    session: Session
    sender: Number
    device: str
    media: Media
    agreement: Agreement
    answer: Body


@dataclass(slots=True)
class _Owed:
    """A member that has to be called: not before `at`, and after a failure `delay` later."""

    at: int
    delay: int
    under_way: bool = False


def _removed(room: Room, by: Number, number: Number, conference: Conference) -> Change:
    change = remove(conference, by, number)
    if change.any and number != by:
        check_open(room)  # whoever wants to leave may leave
    return change


class Calls:
    """`work` is given what the dialogs tell, `changed` the rooms whose roster has changed."""

    def __init__(
        self,
        layer: DialogLayer,
        rooms: Rooms,
        limits: FocusLimits,
        settings: FocusSettings,
        domain: str,
        work: Callable[[list[Told]], None],
        changed: Callable[[Room], None],
        ordering: Ordering | None,
        clock: Callable[[], Instant],
        rng: Rng,
    ) -> None:
        self._layer = layer
        self._rooms = rooms
        self._limits = limits
        self._settings = settings
        self._domain = domain
        self._work = work
        self._changed = changed
        self._rng = rng
        self._port: MsrpPort | None = None
        self._reach = tuple(ipaddress.ip_network(each) for each in settings.reach)
        self._by_session: dict[Session, Attendance] = {}
        self._by_id: dict[str, Attendance] = {}
        self._of: dict[tuple[Room, Number], tuple[Attendance, ...]] = {}
        self._owed: dict[tuple[Room, Number], _Owed] = {}
        self._ready: deque[tuple[Room, Number]] = deque()
        self._calling = 0
        self._leaving: Attendance | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._deliveries = Deliveries(
            rooms,
            limits,
            domain,
            self._there,
            self.wake,
            changed,
            lambda each, why: self.hang_up(each, why, ()),
            partial(Desk, ordering, rooms, domain, clock, rng, self._reshaped),
        )

    def use(self, port: MsrpPort) -> None:
        """Where devices come to."""
        self._port = port

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._deliveries.close()

    @property
    def attending(self) -> int:
        return sum(attendance.outlet is not None for attendance in self._by_id.values())

    def attendance(self, session: Session) -> Attendance | None:
        return self._by_session.get(session)

    # --- a device calls ------------------------------------------------------------------------------
    def called(self, agent: UserAgent, key: TransactionKey, request: Request) -> list[Told]:
        """An INVITE to the factory or to a conference. Raises what refuses it."""
        sender, user = sender_of(request), user_of(request)
        if len(self._by_id) >= self._limits.max_sessions:
            raise FocusError("too many sessions", code="focus.limit", status=503)
        creation = None
        if user == self._settings.factory:
            creation = read_creation(request, self._limits)
            known = self._rooms.of_contribution(creation.contribution, sender)
            name = self._rooms.new_name() if known is None else known.conference.name
            description = creation.offer
        else:
            name = self._rooms.get(user, sender).conference.name
            if "recipient-list-invite" in (request.headers.get("Require") or "").lower():
                # RFC 5366 section 5.1: a conference, other than the factory, does not have this.
                agent.respond(key, 420, loop_now(), headers=(("Unsupported", "recipient-list-invite"),))
                return []
            description = read_offer_body(body_of(request))
        media = self._media(read_offer(description).secure)
        agreement, answer = media.answer(description)
        device = device_of(request)
        contact = f"<{address_of(name, self._domain)}>;isfocus"
        session = Session.called(self._settings.session, key, request, contact, self._rng)
        now = loop_now()
        effects, events = session.start(now)
        told = self._layer.called(agent, key, session, effects, now)
        if any(isinstance(event, Offered) for event in events):
            call = _Call(session, sender, device, media, agreement, answer)
            self._spawn(self._answer(call, name, creation))
        return told

    async def _answer(self, call: _Call, name: str, creation: Creation | None) -> None:
        """Make or find the conference; accept once that is on the disk."""
        added: tuple[Number, ...] = ()
        try:
            if creation is not None:
                room, change = await self._rooms.create(name, call.sender, creation)
                added = change.added
                if room.conference.name != name:
                    raise FocusError("another INVITE was faster", code="focus.raced", status=491)
            else:
                room = self._rooms.get(name, call.sender)
            await self._rooms.change(room, lambda now: join(now, call.sender))
        except FocusError as error:
            self._refuse(call.session, error.status, error.code)
            return
        except StoreError as error:
            _log.error("a conference could not be kept: %s", error)
            self._refuse(call.session, 500, error.code)
            return
        for number in added:
            if number != call.sender:
                self.wake(room, number)
        self._changed(room)
        if call.session.over:
            return  # it was taken back meanwhile
        attendance = Attendance(
            room,
            call.sender,
            call.session,
            call.media,
            loop_now(),
            device=call.device,
            agreement=call.agreement,
            established=True,
        )
        self._enter(attendance)
        self._replace_others(attendance)
        self._perform(call.session, call.session.accept(call.answer, loop_now(), _SUPPORTED))
        if call.agreement.active:
            self._spawn(self._connect(attendance))

    def _refuse(self, session: Session, status: int, code: str) -> None:
        effects, _ = session.refuse(status, f"Refused ({code})")
        self._perform(session, effects)

    # --- we call -------------------------------------------------------------------------------------
    def wake(self, room: Room, number: Number) -> None:
        """Something waits for a member that nobody is bringing it: call, now or when the time has come."""
        key = (room, number)
        owed = self._owed.get(key)
        if owed is None:
            owed = self._owed[key] = _Owed(loop_now(), self._settings.retry_ms[0])
        if not owed.under_way and owed.at <= loop_now():
            owed.under_way = True
            self._ready.append(key)
            self._call_next()

    def seen(self, room: Room, number: Number) -> None:
        """A sign of life of a member: whatever waits for it is worth another try."""
        if (room, number) in self._owed:
            owed = self._owed[room, number]
            owed.at, owed.delay = loop_now(), self._settings.retry_ms[0]
        if self._needs(room, number):
            self.wake(room, number)

    def connected(self) -> None:
        """There is a way to the proxy again."""
        for owed in self._owed.values():
            owed.at, owed.delay = loop_now(), self._settings.retry_ms[0]

    def sweep(self) -> None:
        """End what is idle, and call whose time has come."""
        now = loop_now()
        for attendance in list(self._by_id.values()):
            quiet = now - attendance.used > self._settings.idle_ms
            if (
                quiet
                and attendance.session.dialog is not None
                and (attendance.outlet is None or attendance.outlet.idle)
            ):
                self.hang_up(attendance, "idle", _IDLE)
        for key, owed in list(self._owed.items()):
            if owed.under_way or owed.at > now:
                continue
            if self._needs(*key):
                self.wake(*key)
            else:
                del self._owed[key]

    def _needs(self, room: Room, number: Number) -> bool:
        member = room.conference.members.get(number)
        return member is not None and (not member.joined or room.waits(number))

    def _call_next(self) -> None:
        """Call whom there is room for, some in each turn of the loop."""
        for _ in range(_CALLS_AT_ONCE):
            if not self._ready or self._calling >= self._settings.max_calling:
                return
            room, number = self._ready.popleft()
            if self._needs(room, number):
                self._calling += 1
                self._work(self._call(room, number))
            else:
                self._owed.pop((room, number), None)
        if self._ready:
            asyncio.get_running_loop().call_soon(self._call_next)

    def _call(self, room: Room, number: Number) -> list[Told]:
        media = self._media(None)
        member = room.conference.members[number]
        invited = invitation(room.conference, number, member.invited_by, media.offer(), self._domain)
        session = Session.call(self._settings.session, invited, self._rng)
        attendance = Attendance(room, number, session, media, loop_now())
        self._enter(attendance)
        self._rooms.invited(room, number)
        now = loop_now()
        effects, _ = session.start(now)
        try:
            return self._layer.add(session, effects, now)
        except LetterlockError as error:
            _log.error("a member could not be called: %s", error)
            self._over(attendance)
            return []

    def _settled(self, attendance: Attendance) -> None:
        """A call of ours has come to its end, one way or the other: the next not before its time."""
        owed = self._owed.get((attendance.room, attendance.number))
        if attendance.answered or owed is None:
            return
        attendance.answered = True
        self._calling -= 1
        owed.under_way = False
        owed.at = loop_now() + owed.delay
        owed.delay = min(2 * owed.delay, self._settings.retry_ms[1])
        asyncio.get_running_loop().call_soon(self._call_next)

    # --- what dialogs tell ---------------------------------------------------------------------------
    def told(self, session: Session, event: UsageEvent) -> list[Told]:
        """What a session tells."""
        attendance = self._by_session.get(session)
        if attendance is None:
            return []
        now = loop_now()
        if isinstance(event, Established):
            return [] if attendance.established else self._established(attendance, event)
        if isinstance(event, Refused):
            self._refused(attendance, event)
        elif isinstance(event, Ended):
            leaving = attendance is self._leaving and event.by_peer
            self._over(attendance)
            if leaving and not self._there(attendance.room, attendance.number):
                self._spawn(self._leave(attendance.room, attendance.number))
        elif isinstance(event, Reoffered):
            return self._layer.perform(session, self._reoffered(attendance, event), now)
        return []

    def note(self, request: Request) -> None:
        """A request that is about to be told of: whether it is a BYE with which a member leaves."""
        self._leaving = None
        if request.method == "BYE" and leaves(request):
            with contextlib.suppress(DecodeError):
                key = dialog_key(request)
                found = (each for each in self._by_session.values() if each.session.key == key)
                self._leaving = next(found, None)

    def _established(self, attendance: Attendance, event: Established) -> list[Told]:
        """A device has taken our call."""
        self._settled(attendance)
        try:
            agreement = attendance.media.answered(read_offer_body(event.body))
            device = device_of(event.response) if event.response is not None else ""
            attendance.check()
        except (DecodeError, ProtocolError, FocusError) as error:
            return self._hung_up(attendance, f"an answer of no use ({error.code})", ())
        attendance.agreement, attendance.device, attendance.established = agreement, device, True
        attendance.used = loop_now()
        self._msrp.sessions.replace(attendance.media.session(agreement))
        self._replace_others(attendance)
        self._spawn(self._joined(attendance))
        if agreement.active:
            self._spawn(self._connect(attendance))
        self._begin(attendance)
        return []

    async def _joined(self, attendance: Attendance) -> None:
        await self._rooms.change(attendance.room, lambda now: join(now, attendance.number))
        self._changed(attendance.room)

    def _refused(self, attendance: Attendance, event: Refused) -> None:
        room, number = attendance.room, attendance.number
        self._over(attendance)
        member = room.conference.members.get(number)
        if member is not None and not member.joined and event.status in _NO:
            self._spawn(self._give_up(room, number, _NO[event.status]))

    async def _give_up(self, room: Room, number: Number, how: Disconnection) -> None:
        await self._rooms.change(room, lambda now: give_up(now, number, how))
        self._changed(room)

    def _reoffered(self, attendance: Attendance, event: Reoffered) -> list[Effect]:
        """A refresh with the same description; a session is not moved elsewhere, a new one is made."""
        now = loop_now()
        try:
            agreement, answer = attendance.media.answer(read_offer_body(event.body))
        except (DecodeError, ProtocolError):
            return attendance.session.refuse_offer(488, now)
        if attendance.agreement is None or agreement.peer.path != attendance.agreement.peer.path:
            return attendance.session.refuse_offer(488, now)
        return attendance.session.answer(answer, now)

    # --- members come and go ---------------------------------------------------------------------------
    async def referred(self, room: Room, sender: Number, referral: Referral) -> None:
        """A REFER of a member. Raises FocusError, StoreError."""
        if referral.added:
            change = await self._rooms.invite(room, sender, referral.added)
            for number in change.added:
                self.wake(room, number)
        for number in referral.removed:
            self._departed(room, await self._rooms.change(room, partial(_removed, room, sender, number)))
        self._changed(room)

    def _reshaped(self, room: Room, change: Change, farewell: bytes) -> None:
        """A commit has changed roster and tree together: the same follows as from a REFER."""
        for number in change.added:
            self.wake(room, number)
        for departure in change.departed:
            for attendance in self._there(room, departure.number):
                self._deliveries.farewell(attendance, farewell)
        self._departed(room, change)
        self._changed(room)

    async def _leave(self, room: Room, number: Number) -> None:
        with contextlib.suppress(FocusError):  # removed meanwhile
            self._departed(room, await self._rooms.change(room, lambda now: leave(now, number)))
        self._changed(room)

    def _departed(self, room: Room, change: Change) -> None:
        for departure in change.departed:
            self._owed.pop((room, departure.number), None)
            for attendance in self._there(room, departure.number):
                self.hang_up(attendance, "no member any more", _REMOVED)

    # --- attendances -----------------------------------------------------------------------------------
    def hang_up(self, attendance: Attendance, reason: str, headers: tuple[tuple[str, str], ...]) -> None:
        """End a session."""
        self._work(self._hung_up(attendance, reason, headers))

    def _hung_up(self, attendance: Attendance, reason: str, headers: tuple[tuple[str, str], ...]) -> list[Told]:
        effects, _ = attendance.session.hang_up(loop_now(), reason, headers)
        told = self._layer.perform(attendance.session, effects, loop_now())
        self._over(attendance)  # nothing more goes through it, whenever its BYE is answered
        return told

    def _perform(self, session: Session, effects: list[Effect]) -> None:
        self._work(self._layer.perform(session, effects, loop_now()))

    def _enter(self, attendance: Attendance) -> None:
        key = (attendance.room, attendance.number)
        self._msrp.sessions.add(attendance.media.session(attendance.agreement))
        self._by_session[attendance.session] = attendance
        self._by_id[attendance.id] = attendance
        self._of[key] = (*self._of.get(key, ()), attendance)

    def _over(self, attendance: Attendance) -> None:
        """A session has come to its end."""
        if attendance.over:
            return
        attendance.over = True
        self._settled(attendance)
        key = (attendance.room, attendance.number)
        self._by_session.pop(attendance.session, None)
        self._by_id.pop(attendance.id, None)
        rest = tuple(each for each in self._of.get(key, ()) if each is not attendance)
        if rest:
            self._of[key] = rest
        else:
            self._of.pop(key, None)
        if attendance.outlet is not None:
            attendance.room.close(attendance.outlet)
        if attendance.wire is not None:
            attendance.wire.release_session(attendance.id)
        self._msrp.sessions.remove(attendance.id)
        if self._needs(*key):
            # Not at once: whoever hung up with something waiting has had it offered just now.
            owed = self._owed.setdefault(key, _Owed(0, self._settings.retry_ms[0]))
            owed.at = max(owed.at, loop_now() + self._settings.retry_ms[0])

    def _there(self, room: Room, number: Number) -> tuple[Attendance, ...]:
        return self._of.get((room, number), ())

    def _replace_others(self, attendance: Attendance) -> None:
        """A device has one session: the newest, for the older one may be one that it does not know any more."""
        for other in self._there(attendance.room, attendance.number):
            if other is not attendance and attendance.device and other.device == attendance.device:
                self.hang_up(other, "replaced", ())

    def _begin(self, attendance: Attendance) -> None:
        """Dialog and MSRP session are both there: hand out what waits."""
        if attendance.ready and attendance.outlet is None and attendance.number in attendance.room.places:
            attendance.outlet = self._rooms.open(attendance.room, attendance.number, attendance.device)
            attendance.used = loop_now()
            self._deliveries.pump(attendance)

    async def _connect(self, attendance: Attendance) -> None:
        """The device cannot connect, or would not: we do, where the operator lets us."""
        agreement = attendance.agreement
        assert agreement is not None
        try:
            address = ipaddress.ip_address(agreement.address)
            if not any(address in each for each in self._reach):
                raise FocusError("this address is out of bounds", code="focus.reach", status=488)
            peer = agreement.peer.fingerprints if agreement.peer.secure else None
            wire = await self._msrp.connect(agreement.address, agreement.port, peer)
            if attendance.over:
                wire.close()
                return
            wire.open_session(attendance.id)
        except (OSError, TimeoutError, ValueError, LetterlockError) as error:
            if not attendance.over:
                self.hang_up(attendance, f"no connection to the device ({type(error).__name__})", ())

    # --- what MSRP tells -------------------------------------------------------------------------------
    def session_bound(self, session: str, wire: Wire) -> None:
        attendance = self._by_id.get(session)
        if attendance is not None:
            attendance.wire = wire
            self._begin(attendance)

    def session_failed(self, session: str, reason: str) -> None:
        attendance = self._by_id.get(session)
        if attendance is not None:
            attendance.wire = None
            self.hang_up(attendance, reason, ())

    def message_arrived(self, arrived: Arrived) -> None:
        attendance = self._by_id.get(arrived.session)
        if attendance is None:
            arrived.wire.reject(arrived.number, 481, "no such session")
        else:
            self._deliveries.arrived(attendance, arrived)

    def message_sent(self, session: str, message_id: str, status: int) -> None:
        attendance = self._by_id.get(session)
        if attendance is not None:
            self._deliveries.acknowledged(attendance, message_id, status)

    # --- inside --------------------------------------------------------------------------------------
    @property
    def _msrp(self) -> MsrpPort:
        assert self._port is not None, "not started"
        return self._port

    def _media(self, secure: bool | None) -> Media:
        """Our side of a new session. Raises ProtocolError when it cannot be as the offer wants it: 488."""
        local = self._msrp.local(new_session_id(self._rng), secure)
        if local is None:
            raise ProtocolError("one side has TLS and the other has not", code="sip.media.tls")
        tls = self._msrp.tls
        return Media(local, self._limits.largest, (tls.fingerprint,) if tls is not None and local.secure else ())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        async def run() -> None:
            try:
                await work
            except LetterlockError as error:
                _log.error("a session could not be served: %s", error)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
