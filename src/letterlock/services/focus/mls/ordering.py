"""The MLS groups of the running focus: loaded when they are needed, judged in a thread, written in one transaction.

A request is judged while the roster of its conference cannot change, and its answer is given when all that follows
from it is on the disk: a focus that is killed at any moment neither loses an accepted commit nor lets two win (SR-06).
A judgement of a thousand members takes longer than the loop may stand still; so the tree's work is done in one thread,
one request after the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ....errors import DecodeError, LetterlockError
from ....ids import Instant, Number, Rng
from ....rcc16.choices import OURS
from ....rcc16.wire.control import ClientMessage, decode_client_message, decode_epoch_identifier
from ....rcc16.wire.group_ids import group_of_mls
from ....rcc16.wire.message_ids import new_message_id
from ....rcc16.wire.reasons import ServerReason
from ...writer import Writer
from ..conference import Change
from ..focus_message import FocusMessage
from ..journal import Entry
from ..limits import FocusLimits
from ..room import Room
from ..rooms import Rooms
from ..roster import address_of
from ..tables import Tables
from .kept import KeptGroups
from .logic import OrderedGroup
from .outcome import Accepted, Refused, Repeated
from .packets import acceptance_packet, control_packet, pull_packet
from .pulling import PullPlan
from .reshaping import reshape
from .settings import MlsSettings
from .state import GroupState
from .tables import MlsGroup, Overtaken

__all__ = ["Ordered", "Ordering"]

T = TypeVar("T")

_log = logging.getLogger("letterlock.focus")

_ATTEMPTS = 3
_MAX_GROUP_INFO = 8192
_UNREADABLE = "focus.mls.request"


@dataclass(frozen=True, slots=True)
class Ordered:
    """What to do after a request: hand out `entries`, and what `change` asks for. `farewell` is for those who are gone
    with it, while their sessions last."""

    entries: tuple[tuple[Entry, bytes], ...]
    change: Change | None = None
    farewell: bytes = b""


class Ordering:
    """`start` and `close` around its use."""

    def __init__(
        self,
        settings: MlsSettings,
        writer: Writer[Tables],
        rooms: Rooms,
        limits: FocusLimits,
        domain: str,
        clock: Callable[[], Instant],
        rng: Rng,
    ) -> None:
        self._terms = settings.terms(limits.max_control)
        self._wire = settings.control(limits.max_control)
        self._writer = writer
        self._rooms = rooms
        self._limits = limits
        self._domain = domain
        self._clock = clock
        self._rng = rng
        self._kept = KeptGroups(max_states=settings.max_kept_states, max_leaves=settings.max_kept_leaves)
        self._loading: dict[str, asyncio.Future[None]] = {}
        self._judges = ThreadPoolExecutor(1, "focus-judge")

    def close(self) -> None:
        self._judges.shutdown(cancel_futures=True)

    # --- requests ------------------------------------------------------------------------------------
    async def control(self, room: Room, sender: Number, device: str, message_id: str, body: bytes) -> Ordered | Refused:
        """A ClientMlsRcsMessage. Raises FocusError for a conference that cannot take its change; StoreError: nothing has
        changed, and the same request may come again."""
        try:
            request = decode_client_message(body, OURS.control_numbers, self._wire)
        except DecodeError as error:
            return Refused(ServerReason.INVALID_INPUT, error.code, str(error))
        async with self._rooms.lock(room):
            for _ in range(_ATTEMPTS):
                try:
                    return await self._control(room, sender, device, message_id, request)
                except Overtaken:
                    self._kept.drop(room.conference.name)
                except BaseException:  # also when cancelled: what was judged may stand in the tree, unwritten
                    self._kept.drop(room.conference.name)
                    raise
        return Refused(ServerReason.TRANSIENT_ERROR, Overtaken.code, "others were faster, again and again")

    async def _control(
        self, room: Room, sender: Number, device: str, message_id: str, request: ClientMessage
    ) -> Ordered | Refused:
        conference, name, now = room.conference, room.conference.name, self._clock()
        address = address_of(name, self._domain)
        group = await self._group(room)
        if group is None:
            return Refused(ServerReason.ENCRYPTION_NOT_AVAILABLE, _UNREADABLE, "the conference has no RCS group id")
        roster = frozenset(conference.members)
        outcome = await self._judged(lambda: group.judge(request, message_id, sender, roster, now))
        if isinstance(outcome, Refused):
            _log.info("a request to an MLS group was refused: %s", outcome.what)
            return outcome
        packet_id = new_message_id(self._rng)
        acceptance = acceptance_packet(address, packet_id, outcome.acceptance, now)
        accepted_told = FocusMessage(sender, "", packet_id, acceptance, recipient=sender)
        if isinstance(outcome, Repeated):
            return Ordered(((await self._rooms.answer(room, accepted_told), acceptance),))
        self._rooms.spend_invitations(sender, len(outcome.roster.added))
        change = reshape(
            conference,
            sender,
            outcome,
            position=room.journal.head,
            domain=self._domain,
            limits=self._limits,
            now=now,
        )
        told, farewell = self._told(outcome, change, address, sender, device, now)
        if not outcome.roster.left:
            told.append(accepted_told)
        accepted, shown = outcome, _shown(outcome, room)
        entries = await self._rooms.order(room, change, lambda tables: tables.mls.put(name, accepted), told, shown)
        group.install(outcome)
        self._kept.put(name, group.state, group)
        return Ordered(tuple(entries), change, acceptance if outcome.roster.left else farewell)

    def _told(
        self, accepted: Accepted, change: Change, address: str, sender: Number, device: str, now: Instant
    ) -> tuple[list[FocusMessage], bytes]:
        """Each delivery once, however many it is for; and what those get who are gone with it."""
        staying = frozenset(change.conference.members)
        told, farewell = [], b""
        for delivery in accepted.deliveries:
            recipients = frozenset(delivery.recipients)
            data = control_packet(address, delivery.message_id, delivery.data, delivery.at, now)
            farewell = farewell or data
            if recipients & staying:
                audience = None if staying <= recipients else recipients & staying
                told.append(FocusMessage(sender, device, delivery.message_id, data, audience=audience))
        return told, farewell

    async def pull(self, room: Room, requester: Number, message_id: str, body: bytes) -> bytes | Refused:
        """What a member missed: the packet, for the session that asked. Raises StoreError."""
        try:
            known = decode_epoch_identifier(body) if body else None
        except DecodeError as error:
            return Refused(ServerReason.INVALID_INPUT, error.code, str(error))
        name = room.conference.name
        async with self._rooms.lock(room):  # so that state, tree and records are of one moment
            state = await self.state(room)
            group = OrderedGroup.without_tree(self._terms, state)
            plan = group.plan_pull(requester, known, max_messages=self._wire.max_page)
            if not isinstance(plan, PullPlan):
                return plan
            serials = [record.serial for record in plan.records]
            snapshot, data = await self._writer.run(
                lambda tables: (tables.mls.snapshot(name), tables.mls.data(name, serials))
            )
        assert snapshot is not None
        answer = await self._judged(lambda: group.answer_pull(snapshot, plan, data, self._wire))
        return pull_packet(address_of(name, self._domain), message_id, answer, self._clock())

    # --- messages ------------------------------------------------------------------------------------
    async def may_pass(
        self, room: Room, sender: Number, era: int | None, authenticator: bytes | None, body: bytes
    ) -> Refused | None:
        """Whether an application message may go to the members: None if so. Raises StoreError."""
        state = await self.state(room) if room.group is not None else None
        group = OrderedGroup.without_tree(self._terms, state)
        return group.judge_application(sender, era, authenticator, body, self._clock())

    async def may_pass_receipt(self, room: Room, era: int | None) -> Refused | None:
        """The same of a receipt."""
        if room.group is None:
            return None
        return OrderedGroup.without_tree(self._terms, await self.state(room)).judge_receipt(era)

    # --- groups --------------------------------------------------------------------------------------
    async def state(self, room: Room) -> GroupState | None:
        """Where a group stands. Raises StoreError."""
        name = room.conference.name
        while name not in self._kept:
            loading = self._loading.get(name)
            if loading is not None:
                await asyncio.shield(loading)
                continue
            self._loading[name] = future = asyncio.get_running_loop().create_future()
            try:
                state = await self._writer.run(lambda tables: tables.mls.state(name))
                if name not in self._kept:  # else a request was faster, and knows better
                    self._kept.put(name, state, None)
            finally:
                del self._loading[name]
                future.set_result(None)
        return self._kept.state(name)

    async def _group(self, room: Room) -> OrderedGroup | None:
        """With its tree; None for a conference whose id no MLS group can have. Raises StoreError."""
        name, now = room.conference.name, self._clock()
        state = await self.state(room)
        group = self._kept.group(name)
        if group is not None:
            return group
        if state is None:
            group_id = _group_id(room.conference.contribution)
            return None if group_id is None else OrderedGroup(self._terms, group_id)
        snapshot = await self._writer.run(lambda tables: tables.mls.snapshot(name))
        assert snapshot is not None
        try:
            group = await self._judged(lambda: OrderedGroup.stored(self._terms, state, snapshot, now))
        except LetterlockError as error:
            # Requests are refused from now on but for a new era, which brings a tree of its own: nothing is stuck for ever.
            _log.error("a stored MLS group cannot be read: %s", error)
            group = OrderedGroup.without_tree(self._terms, state)
        self._kept.put(name, state, group)
        return group

    async def _judged(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._judges, work)


def _group_id(contribution: str) -> bytes | None:
    """What an MLS group of this conference has to be called: the UUID that is its RCS group id, without dashes
    (rcc16.md 2.1). None if it is none."""
    text = contribution.replace("-", "").lower().encode()
    return text if group_of_mls(text) is not None else None


def _shown(accepted: Accepted, room: Room) -> MlsGroup:
    """What rosters show of the group from now on."""
    if accepted.snapshot is None:
        assert room.group is not None
        return room.group
    info = accepted.snapshot.group_info
    return MlsGroup(accepted.state.ended, info if len(info) <= _MAX_GROUP_INFO else None)
