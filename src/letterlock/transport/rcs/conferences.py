"""Groups at the carrier: conferences that are made, joined and followed, and what goes through them.

Never needed: whoever has no conference gets a group's messages directly. What the focus says of members is reported and
believed by nobody (SR-04). A message that it acknowledged once goes directly the next time, for it may have kept it to
itself. The address of a conference is remembered while we run, and in `kept` for longer; whoever made it finds it again
at the factory, under the id that the group gives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from ...carriage import Conference, ConferenceView, Inbound, NetworkResult, Outbound
from ...codec.conference_info import ConferenceInfo
from ...codec.cpim import Cpim
from ...codec.mime import MimePart
from ...codec.sip import Request, Uri
from ...errors import DecodeError, LetterlockError, LimitExceeded, TransportError
from ...ids import GroupId, Instant, MessageId, Peer, Rng
from ...msrp import MessageStarted
from ...sip.pager import asserted_sender
from ..msrp.bodies import MsrpRefusal
from .aligning import Aligning, ConferenceGone, align
from .conference import ConferenceEnd, contribution_of, device_contact, focus_of
from .config import RcsConfig
from .content import identifier, open_content, wrap
from .dialogs import Call, CallRefused, Dialogs
from .flow import Flow
from .media import Media
from .roster import Roster, participants
from .session import Budget, NotTaken

__all__ = ["Conferences"]

_log = logging.getLogger(__name__)

_LATER = 408
_MAX_CARRIED = 4096
_LOST_FORK_S = 5.0
"""A session that the network ends so soon, with nothing said, was another device's to have."""
_COME_S = (0.1, 0.5, 2.0)


@dataclass(slots=True, eq=False)
class _Group:
    """One group: its conference, what it should be, and what was reported of it."""

    id: GroupId
    end: ConferenceEnd
    aligning: Aligning
    roster: Roster | None = None
    making: asyncio.Task[None] | None = None
    reported: ConferenceView | None = None
    came_at: float = -60.0


class Conferences:
    """All conferences of one account. Takes the calls of focuses that `dialogs` has for it."""

    def __init__(
        self,
        config: RcsConfig,
        dialogs: Dialogs,
        media: Media,
        flow: Callable[[], Awaitable[Flow]],
        on_message: Callable[[Inbound], Awaitable[None]],
        kept: MutableMapping[str, str] | None = None,
        *,
        rng: Rng,
        clock: Callable[[], Instant],
    ) -> None:
        self._config = config
        self._limits = config.conferences
        self._dialogs = dialogs
        self._media = media
        self._flow = flow
        self._on_message = on_message
        self._on_conference: Callable[[ConferenceView], Awaitable[None]] | None = None
        self._kept: MutableMapping[str, str] = {} if kept is None else kept
        self._rng = rng
        self._clock = clock
        self._budget = Budget(config.sessions.max_buffered)
        self._groups: dict[GroupId, _Group] = {}
        self._carried: dict[tuple[MessageId, Peer], None] = {}  # the latest that went through one, oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        dialogs.takers.append(self._take)
        dialogs.contact_for = self._contact_for
        dialogs.on_attached.append(self._attached)

    def watch(self, on_conference: Callable[[ConferenceView], Awaitable[None]]) -> None:
        """Report every roster that a focus claims there."""
        self._on_conference = on_conference

    def remember(self, kept: MutableMapping[str, str]) -> None:
        """Keep the addresses there from now on."""
        self._kept = kept

    def visit(self) -> None:
        """Dial into every conference that is remembered: a focus keeps messages for devices that it has met, and no others."""
        for name in list(self._kept):
            with contextlib.suppress(ValueError):
                group = self._known(GroupId(bytes.fromhex(name)))
                if group is not None and not group.end.open:
                    self._spawn(self._come(group))

    async def sync(self, conference: Conference, leave: bool) -> None:
        """Make the group's conference look like this, or leave it; try on by itself when that fails.

        A later call for the same group replaces an earlier one. Raises TransportError when it cannot now.
        """
        group = self._groups.get(conference.group) or self._known(conference.group)
        if group is None:
            if leave or self._limits.factory is None:
                return
            group = self._add(conference.group)
        if not leave and len(conference.members) >= self._limits.max_members:
            return  # larger than the carrier's: it does without
        await group.aligning.want(conference, leave)

    async def send(self, outbound: Outbound) -> NetworkResult | None:
        """Send through the group's conference; None when there is none, or it does not take it: send it directly."""
        group = None if outbound.group is None else self._groups.get(outbound.group) or self._known(outbound.group)
        if outbound.to is None:
            return None
        key = (outbound.message_id, outbound.to)
        if group is None or not group.end.focus or key in self._carried or self._closing:
            return None
        own, to = self._config.identity.encode(), f"sip:{outbound.to}@{self._config.domain}"
        body = wrap(outbound, self._clock(), (f"<{own}>", f"<{to}>"))
        if len(body) > self._limits.max_message:
            return None
        try:
            result = await group.end.send(outbound.content_type, body)
        except CallRefused as refused:
            if refused.status in (403, 404):
                self._forget(group, f"{refused.status}")
            return None
        except (NotTaken, TransportError):
            return None
        if not result.accepted:
            return None
        self._carried[key] = None
        if len(self._carried) > _MAX_CARRIED:
            del self._carried[next(iter(self._carried))]
        return result

    async def make(self, conference: Conference) -> None:
        """Have it made by the factory, or find it there. Raises TransportError; packets wait for it meanwhile."""
        group = self._groups.get(conference.group) or self._known(conference.group) or self._add(conference.group)
        if group.end.focus:
            return
        if group.making is None or group.making.done():
            group.making = self._spawn(self._make_once(group, conference))
        await asyncio.shield(group.making)
        if not group.end.focus:
            raise TransportError("the conference was not made", code="transport.conference")

    async def send_packet(self, outbound: Outbound) -> NetworkResult:
        """Send to the conference itself (`to` None), or to one member: a packet goes no other way. Raises TransportError."""
        assert outbound.group is not None
        group = self._groups.get(outbound.group) or self._known(outbound.group)
        if group is not None and group.making is not None and not group.making.done():
            await asyncio.shield(group.making)
        if group is None or not group.end.focus or self._closing:
            raise TransportError("no conference of this group is known", code="transport.conference")
        own = self._config.identity.encode()
        to = group.end.focus if outbound.to is None else f"sip:{outbound.to}@{self._config.domain}"
        body = wrap(outbound, self._clock(), (f"<{own}>", f"<{to}>"))
        if len(body) > self._limits.max_message:
            return NetworkResult(False, 413, "larger than a conference takes")
        try:
            return await group.end.send(outbound.content_type, body)
        except CallRefused as refused:
            if refused.status in (403, 404):
                self._forget(group, f"{refused.status}")
            raise TransportError(f"the conference was refused: {refused}", code="transport.refused") from refused
        except NotTaken as refused:
            return refused.result

    async def close(self) -> None:
        """End all sessions and subscriptions; nobody leaves."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for group in self._groups.values():
            if group.roster is not None:
                group.roster.stop()
            group.end.close("closed")

    # --- in line with the group ------------------------------------------------------------------------------
    async def _achieve(self, group: _Group, conference: Conference, leave: bool) -> None:
        if leave:
            await self._leave(group)
        else:
            await self._make(group, conference)

    async def _make_once(self, group: _Group, conference: Conference) -> None:
        try:
            await group.end.create(conference.members, "")
        except CallRefused as refused:
            _log.info("a conference was not made: %s", refused)
        except TransportError as error:
            _log.info("a conference was not made: %s", error.code)
        else:
            self._found(group)

    async def _make(self, group: _Group, conference: Conference) -> None:
        if not group.end.focus:
            await group.end.create(conference.members, conference.subject if self._limits.share_subject else "")
            self._found(group)
        elif group.roster is None:
            # Remembered from before, and wanted before the connection is there, with which its roster would begin.
            self._found(group)
        assert group.roster is not None
        try:
            await align(group.id, group.end, group.roster, conference, self._config, rng=self._rng, clock=self._clock)
        except ConferenceGone:
            self._forget(group, "it is gone")
            raise

    async def _leave(self, group: _Group) -> None:
        if group.end.focus:
            await group.end.refer((self._config.number,), "BYE")
        self._forget(group, "left")
        self._groups.pop(group.id, None)

    # --- what the focus does ---------------------------------------------------------------------------------
    def _take(self, call: Call) -> bool:
        """A call of a focus. One that the network asserts to be a person is none."""
        assert call.invite is not None
        try:
            focus, group_id = focus_of(call.invite), contribution_of(call.invite)
            person = asserted_sender(call.invite, trust_from=False)
        except DecodeError:
            return False
        if focus is None or group_id is None or person is not None:
            return False
        group = self._groups.get(group_id)
        if self._closing or (group is None and len(self._groups) >= self._limits.max_conferences):
            call.refuse(486, headers=(("Retry-After", "60"),))
        elif group is not None and group.aligning.leaving:
            call.refuse(603)
        elif group is not None and group.end.open:
            call.refuse(486)  # for another device of ours, or another conference: we have ours
        else:
            self._spawn(self._answer(group or self._add(group_id), call, focus))
        return True

    async def _answer(self, group: _Group, call: Call, focus: str) -> None:
        try:
            await group.end.answer(call)
        except (LetterlockError, TimeoutError) as error:
            # Another device of ours was faster, and the focus has ended this one: it is known now where to come to.
            _log.info("a conference that called was not joined: %s", getattr(error, "code", "time-out"))
            group.end.focus = group.end.focus or focus
            await self._come(group)
            if not group.end.focus and group.aligning.idle:
                self._groups.pop(group.id, None)
            return
        if group.end.focus != focus:
            self._forget(group, "another one called", close=False)
            group.end.focus = focus
        self._found(group)

    def _on_over(self, group: _Group) -> None:
        """A session has ended. Right behind its beginning: another device was faster, and we come by ourselves."""
        soon = asyncio.get_running_loop().time() - group.end.began_at < _LOST_FORK_S
        if group.end.focus and soon and not group.end.heard and not self._closing:
            self._spawn(self._come(group))

    async def _come(self, group: _Group) -> None:
        """Dial in, a few times; after that the focus calls again when there is something to say."""
        now = asyncio.get_running_loop().time()
        if now - group.came_at < _LOST_FORK_S:
            return
        group.came_at = now
        for wait_s in _COME_S:
            await asyncio.sleep(wait_s)
            if not group.end.focus or self._closing:
                return
            try:
                await group.end.chat()
            except CallRefused as refused:
                if refused.status in (403, 404):
                    self._forget(group, "no member any more")
                    return
            except TransportError:
                continue
            else:
                self._found(group)
                return

    async def _deliver(self, group: _Group, started: MessageStarted, body: bytes) -> None:
        """Hand a message up; its success report goes out when this returns (SR-06)."""
        try:
            opened = open_content(started.content_type, body, self._limits.max_message)
            senders = Cpim(opened.headers, MimePart((), b"")).senders
            sender = Uri.parse(senders[0].uri).number if senders else None
        except LimitExceeded as error:
            raise MsrpRefusal(413, error.code) from error
        except DecodeError as error:
            raise MsrpRefusal(400, error.code) from error
        inbound = Inbound(
            sender,
            self._config.number,
            identifier(opened.message_id, started.session, started.message_id),
            opened.content_type,
            opened.body,
            self._clock(),
            headers=opened.headers,
            group=group.id,
        )
        try:
            await self._on_message(inbound)
        except Exception as error:  # not committed, whatever went wrong: the focus must keep it and try again (SR-06)
            _log.error("an arriving message could not be taken: %s", getattr(error, "code", type(error).__name__))
            raise MsrpRefusal(_LATER, "not now") from error

    # --- rosters -----------------------------------------------------------------------------------------------
    def _found(self, group: _Group) -> None:
        """Its address is known: remember it, and watch its roster."""
        self._kept[bytes(group.id).hex()] = group.end.focus
        if group.roster is None:
            group.roster = Roster(
                group.end.focus,
                lambda own: device_contact(own, self._config, group.id),
                self._config,
                self._dialogs,
                self._flow,
                lambda view: self._on_view(group, view),
                lambda reason: self._forget(group, reason),
                self._rng,
            )
        group.roster.begin()

    def _on_view(self, group: _Group, info: ConferenceInfo) -> None:
        view = ConferenceView(
            group.id,
            group.end.focus,
            info.subject or "",
            participants(info),
            None if info.encrypted_subject is None else info.encrypted_subject.text,
            None if info.encrypted_icon is None else info.encrypted_icon.text,
        )
        if self._on_conference is not None and view != group.reported:
            group.reported = view
            self._spawn(self._report(view))

    async def _report(self, view: ConferenceView) -> None:
        assert self._on_conference is not None
        await self._on_conference(view)

    def _forget(self, group: _Group, reason: str, *, close: bool = True) -> None:
        """Its address leads nowhere any more."""
        if group.roster is not None:
            group.roster.stop()
            group.roster = None
        group.reported = None
        group.end.focus = ""
        if close:
            group.end.close(reason)
        self._kept.pop(bytes(group.id).hex(), None)

    def _attached(self) -> None:
        """Registered over a new connection: subscribe again, which also tells the focus that we are here."""
        for name in list(self._kept):
            with contextlib.suppress(ValueError):
                self._known(GroupId(bytes.fromhex(name)))
        for group in self._groups.values():
            group.aligning.connected()
            if group.end.focus:
                self._found(group)

    def _contact_for(self, invite: Request) -> str | None:
        """Our Contact in the answer to a focus, so that it can tell our devices apart; None for anybody else."""
        try:
            group = contribution_of(invite) if focus_of(invite) is not None else None
        except DecodeError:
            return None
        contact = self._dialogs.uri
        return None if group is None or contact is None else device_contact(contact, self._config, group)

    # --- inside ------------------------------------------------------------------------------------------------
    def _known(self, group_id: GroupId) -> _Group | None:
        """A group whose conference was remembered from before."""
        focus = self._kept.get(bytes(group_id).hex())
        if focus is None or group_id in self._groups or len(self._groups) >= self._limits.max_conferences:
            return self._groups.get(group_id)
        group = self._add(group_id)
        group.end.focus = focus
        return group

    def _add(self, group_id: GroupId) -> _Group:
        end = ConferenceEnd(
            group_id,
            self._config,
            self._dialogs,
            self._media,
            self._flow,
            self._budget,
            lambda started, body: self._deliver(group, started, body),
            lambda: self._on_over(group),
            self._rng,
        )
        aligning = Aligning(
            lambda conference, leave: self._achieve(group, conference, leave),
            lambda: self._closing,
            self._spawn,
            self._limits.retry_s,
        )
        group = self._groups[group_id] = _Group(group_id, end, aligning)
        return group

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                await work
            except LetterlockError as error:
                _log.error("a conference: %s", error.code)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before it began, it was never awaited
        return task
