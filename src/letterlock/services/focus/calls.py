"""Sessions with devices: who calls us, whom we call, and what becomes of either.

A member is called when something waits for one of its devices that has no session (`summons`). A session through which
nothing goes is ended, which is not leaving: leaving is a BYE that says so (Reason with cause 200) and ends the member's
last session, or a REFER (`movements`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial

from ...codec.conference_info import Disconnection
from ...codec.sip import Request
from ...errors import DecodeError, FocusError, LetterlockError, ProtocolError, StoreError
from ...ids import Instant, Number, Rng
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
from .attendances import Attendances
from .conference import Change, join
from .delivery import Deliveries
from .limits import FocusLimits
from .mls.desk import Desk
from .mls.ordering import Ordering
from .movements import Movements
from .msrp import MsrpPort
from .msrp_wire import Arrived, Wire
from .reach import Reach
from .requests import (
    Creation,
    device_of,
    invitation,
    leaves,
    read_creation,
    read_offer_body,
    sender_of,
    user_of,
)
from .room import Room
from .rooms import Rooms
from .roster import address_of
from .settings import FocusSettings
from .summons import Summons

__all__ = ["Calls"]

_log = logging.getLogger("letterlock.focus")

_REMOVED = (("Reason", 'SIP;cause=410;text="Removed"'),)
_IDLE = (("Reason", 'SIP;cause=480;text="Idle"'),)
# Answers to an INVITE that mean no, for ever: who has never joined is taken off the roster.
_NO = {486: Disconnection.BUSY, 600: Disconnection.BUSY, 603: Disconnection.BUSY, 404: Disconnection.FAILED}


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
        self._reach = Reach(settings.reach, limits.largest, rng)
        self._attendances = Attendances()
        self._summons = Summons(
            lambda room, number: work(self._call(room, number)), settings.retry_ms, settings.max_calling
        )
        self.wake = self._summons.wake
        self.seen = self._summons.seen
        self.connected = self._summons.connected
        self._leaving: Attendance | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._movements = Movements(
            rooms,
            self._attendances,
            self._summons,
            changed,
            lambda each: self.hang_up(each, "no member any more", _REMOVED),
        )
        self.referred = self._movements.referred
        self._deliveries = Deliveries(
            rooms,
            limits,
            domain,
            self._attendances.of_member,
            self.wake,
            changed,
            lambda each, why: self.hang_up(each, why, ()),
            partial(Desk, ordering, rooms, domain, clock, rng, self._reshaped),
        )

    def use(self, port: MsrpPort) -> None:
        """Where devices come to."""
        self._reach.use(port)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._deliveries.close()

    @property
    def attending(self) -> int:
        return sum(attendance.outlet is not None for attendance in self._attendances)

    def attendance(self, session: Session) -> Attendance | None:
        return self._attendances.of_session(session)

    # --- a device calls ------------------------------------------------------------------------------
    def called(self, agent: UserAgent, key: TransactionKey, request: Request) -> list[Told]:
        """An INVITE to the factory or to a conference. Raises what refuses it."""
        sender, user = sender_of(request), user_of(request)
        if len(self._attendances) >= self._limits.max_sessions:
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
        media = self._reach.media(read_offer(description).secure)
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
    def sweep(self) -> None:
        """End what is idle, and call whose time has come."""
        now = loop_now()
        for attendance in self._attendances:
            quiet = now - attendance.used > self._settings.idle_ms
            if (
                quiet
                and attendance.session.dialog is not None
                and (attendance.outlet is None or attendance.outlet.idle)
            ):
                self.hang_up(attendance, "idle", _IDLE)
        self._summons.sweep()

    def _call(self, room: Room, number: Number) -> list[Told]:
        media = self._reach.media(None)
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
        """A call of ours has come to its end."""
        if not attendance.answered and self._summons.settled(attendance.room, attendance.number):
            attendance.answered = True

    # --- what dialogs tell ---------------------------------------------------------------------------
    def told(self, session: Session, event: UsageEvent) -> list[Told]:
        """What a session tells."""
        attendance = self._attendances.of_session(session)
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
            if leaving and not self._attendances.of_member(attendance.room, attendance.number):
                self._spawn(self._movements.leave(attendance.room, attendance.number))
        elif isinstance(event, Reoffered):
            return self._layer.perform(session, self._reoffered(attendance, event), now)
        return []

    def note(self, request: Request) -> None:
        """A request that is about to be told of: whether it is a BYE with which a member leaves."""
        self._leaving = None
        if request.method == "BYE" and leaves(request):
            with contextlib.suppress(DecodeError):
                key = dialog_key(request)
                found = (each for each in self._attendances if each.session.key == key)
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
        self._reach.sessions.replace(attendance.media.session(agreement))
        self._replace_others(attendance)
        self._spawn(self._movements.joined(attendance.room, attendance.number))
        if agreement.active:
            self._spawn(self._connect(attendance))
        self._begin(attendance)
        return []

    def _refused(self, attendance: Attendance, event: Refused) -> None:
        room, number = attendance.room, attendance.number
        self._over(attendance)
        member = room.conference.members.get(number)
        if member is not None and not member.joined and event.status in _NO:
            self._spawn(self._movements.give_up(room, number, _NO[event.status]))

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

    def _reshaped(self, room: Room, change: Change, farewell: bytes) -> None:
        """A commit has changed roster and tree together."""
        for departure in change.departed:
            for attendance in self._attendances.of_member(room, departure.number):
                self._deliveries.farewell(attendance, farewell)
        self._movements.follow(room, change)

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
        self._reach.sessions.add(attendance.media.session(attendance.agreement))
        self._attendances.add(attendance)

    def _over(self, attendance: Attendance) -> None:
        """A session has come to its end."""
        if attendance.over:
            return
        attendance.over = True
        self._settled(attendance)
        self._attendances.remove(attendance)
        if attendance.outlet is not None:
            attendance.room.close(attendance.outlet)
        if attendance.wire is not None:
            attendance.wire.release_session(attendance.id)
        self._reach.sessions.remove(attendance.id)
        self._summons.hung_up(attendance.room, attendance.number)

    def _replace_others(self, attendance: Attendance) -> None:
        """A device has one session: the newest, for the older one may be one that it does not know any more."""
        for other in self._attendances.of_member(attendance.room, attendance.number):
            if other is not attendance and attendance.device and other.device == attendance.device:
                self.hang_up(other, "replaced", ())

    def _begin(self, attendance: Attendance) -> None:
        """Dialog and MSRP session are both there: hand out what waits."""
        if attendance.ready and attendance.outlet is None and attendance.number in attendance.room.places:
            attendance.outlet = self._rooms.open(attendance.room, attendance.number, attendance.device)
            attendance.used = loop_now()
            self._deliveries.pump(attendance)

    async def _connect(self, attendance: Attendance) -> None:
        try:
            await self._reach.connect(attendance)
        except (OSError, TimeoutError, ValueError, LetterlockError) as error:
            if not attendance.over:
                self.hang_up(attendance, f"no connection to the device ({type(error).__name__})", ())

    # --- what MSRP tells -------------------------------------------------------------------------------
    def session_bound(self, session: str, wire: Wire) -> None:
        attendance = self._attendances.of_id(session)
        if attendance is not None:
            attendance.wire = wire
            self._begin(attendance)

    def session_failed(self, session: str, reason: str) -> None:
        attendance = self._attendances.of_id(session)
        if attendance is not None:
            attendance.wire = None
            self.hang_up(attendance, reason, ())

    def message_arrived(self, arrived: Arrived) -> None:
        attendance = self._attendances.of_id(arrived.session)
        if attendance is None:
            arrived.wire.reject(arrived.number, 481, "no such session")
        else:
            self._deliveries.arrived(attendance, arrived)

    def message_sent(self, session: str, message_id: str, status: int) -> None:
        attendance = self._attendances.of_id(session)
        if attendance is not None:
            self._deliveries.acknowledged(attendance, message_id, status)

    # --- inside --------------------------------------------------------------------------------------
    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        async def run() -> None:
            try:
                await work
            except LetterlockError as error:
                _log.error("a session could not be served: %s", error)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
