"""Message sessions with other numbers: which message goes over one, and how one is opened, taken and given up.

A message goes over a session when one with that number is open, or when it is too large for a request. Calls of others
are taken at once, without asking anybody (RFC 4975 section 8.8). When both ends call each other at the same time both
calls are taken and either carries messages; the one that nobody uses closes by itself. docs/sessions.md tells it all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ...carriage import Inbound, NetworkResult, Outbound
from ...codec.cpim import MEDIA_TYPE as CPIM
from ...codec.sdp import MEDIA_TYPE as SDP
from ...codec.sdp import Connection, Origin, SdpLimits, SessionDescription, decode_sdp, encode_sdp
from ...codec.sip import NameAddr, Response, delta_seconds, media_type
from ...errors import DecodeError, LetterlockError, LimitExceeded, ProtocolError, TransportError
from ...ids import ConversationId, Instant, Peer, Rng, bot_of
from ...msrp import MessageStarted
from ...sip.calling import Invitation
from ...sip.effects import Body
from ...sip.msrp_media import (
    MsrpMedia,
    agree,
    answer_description,
    matches_type,
    offer_description,
    read_answer,
    read_offer,
)
from ...sip.options import CHATBOT, CPM_SESSION, bot_contact, icsi_value
from ...sip.pager import address_of, asserted_peer
from ..msrp.bodies import MsrpRefusal
from .capabilities import Capabilities
from .config import USER_AGENT, RcsConfig
from .content import ACCEPTED_TYPES, identifier, open_content
from .dialogs import Call, CallRefused, Dialogs
from .flow import Flow
from .media import Media
from .presence import printable
from .repeats import Repeats
from .session import Budget, ChatSession, NotTaken

__all__ = ["ACCEPTED_WRAPPED_TYPES", "NoSession", "Sessions", "retry_after"]

_log = logging.getLogger(__name__)

ACCEPTED_WRAPPED_TYPES = ("*",)
"""Inside CPIM everything is taken: what is not understood is shown as such."""

_SDP_LIMITS = SdpLimits(max_size=16_384, max_lines=256, max_media=16)
_LATER = 408
_GOODBYE_SECONDS = 2.0


class NoSession(Exception):
    """There is no session for this message, and nothing of it was sent: another way may do. `result` or `error` says why."""

    def __init__(self, why: NetworkResult | TransportError) -> None:
        super().__init__(str(why))
        self.why = why


@dataclass(slots=True, eq=False)
class _Opening:
    """A session that is being opened, and who waits for it: any session with that number will do."""

    ready: asyncio.Future[ChatSession]
    task: asyncio.Task[None] | None = None
    waiters: int = field(default=0)


class Sessions:
    """All sessions of one account with single numbers. Takes the calls that `dialogs` has for it."""

    def __init__(
        self,
        config: RcsConfig,
        dialogs: Dialogs,
        media: Media,
        flow: Callable[[], Awaitable[Flow]],
        on_message: Callable[[Inbound], Awaitable[None]],
        capabilities: Capabilities,
        *,
        rng: Rng,
        clock: Callable[[], Instant],
    ) -> None:
        self._config = config
        self._limits = config.sessions
        self._dialogs = dialogs
        self._media = media
        self._flow = flow
        self._on_message = on_message
        self._capabilities = capabilities
        self._rng = rng
        self._clock = clock
        self._budget = Budget(config.sessions.max_buffered)
        self._sessions: list[ChatSession] = []
        self._repeats = Repeats(time.monotonic)
        self._openings: dict[Peer, _Opening] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closing = False
        dialogs.takers.append(self._take)

    def __len__(self) -> int:
        return len(self._sessions)

    def renew(self, number: Peer) -> None:
        """Give up what is idle with this number: the next message opens a session, which may reach another device."""
        for chat in [chat for chat in self._sessions if chat.peer == number and chat.idle_since is not None]:
            chat.close("another one")

    def open_with(self, number: Peer) -> bool:
        """Whether a session with this number could carry a message now."""
        return self._usable(number) is not None

    async def send(self, outbound: Outbound, body: bytes) -> NetworkResult:
        """Send a CPIM body over a session with that number, an open one or a new one, and wait for its success report.

        Raises NoSession when there is none.
        """
        if len(body) > self._limits.max_message:
            raise NoSession(NetworkResult(False, 413, f"messages have {self._limits.max_message} bytes at most"))
        assert outbound.to is not None, "sessions are with a number or a chatbot"
        for last in (False, True):
            chat = self._usable(outbound.to) or await self._opened(outbound.to, outbound.conversation)
            try:
                return await chat.send(CPIM, outbound.content_type, body)
            except NotTaken as refused:
                if last or not refused.over:
                    raise NoSession(refused.result) from refused
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """End all sessions, and wait for the other ends, not for long."""
        self._closing = True
        tasks = [*self._answering, *(o.task for o in self._openings.values() if o.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sessions = list(self._sessions)
        for chat in sessions:
            chat.close("closed")
        if sessions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await asyncio.gather(*(chat.gone() for chat in sessions))
        await self._media.close()
        self._closing = False

    # --- ours ------------------------------------------------------------------------------------------------
    def _usable(self, number: Peer) -> ChatSession | None:
        return next((chat for chat in self._sessions if chat.peer == number and chat.usable), None)

    async def _opened(self, number: Peer, conversation: ConversationId) -> ChatSession:
        """Wait for a session with that number, whoever calls whom. When nobody waits any more our call is taken back."""
        opening = self._openings.get(number)
        if opening is None:
            self._make_room()
            opening = self._openings[number] = _Opening(asyncio.get_running_loop().create_future())
            opening.task = asyncio.get_running_loop().create_task(self._open(opening, number, conversation))
        opening.waiters += 1
        try:
            return await asyncio.shield(opening.ready)
        finally:
            opening.waiters -= 1
            if not opening.waiters and not opening.ready.done() and opening.task is not None:
                opening.task.cancel()

    async def _open(self, opening: _Opening, number: Peer, conversation: ConversationId) -> None:
        try:
            chat = await self._call(number, conversation)
        except NoSession as error:
            _settle(opening, error)
        except asyncio.CancelledError:
            _settle(opening, NoSession(TransportError("given up", code="transport.lost")))
            raise
        except LetterlockError as error:
            _settle(opening, NoSession(TransportError(str(error), code=error.code)))
        else:
            _settle(opening, chat)
        finally:
            if self._openings.get(number) is opening:
                del self._openings[number]

    async def _call(self, number: Peer, conversation: ConversationId) -> ChatSession:
        """Call, agree, connect. Raises NoSession; CancelledError when it was taken back."""
        chat = self._new(number)
        try:
            flow = await self._flow()
            await self._open_media()
            host = flow.connection.local[0]
            end = await self._media.local_end(chat, host, None, max_message=self._limits.max_message)
            chat.begin(end)
            offer = offer_description(end.media, self._origin(host))
            call = self._dialogs.call(self._invitation(number, conversation, flow, Body(SDP, encode_sdp(offer))))
            chat.belongs_to(call)
            established = await call.established()
            agreed = agree(end.media, read_answer(_description(established.body)), offerer=True)
            await chat.connect(agreed, flow.connection.peer[0], self._limits.open_s)
        except CallRefused as refused:
            raise NoSession(_of_refusal(refused)) from refused
        except (ProtocolError, DecodeError) as error:
            raise NoSession(NetworkResult(False, 0, f"an answer that cannot be used ({error.code})")) from error
        except TimeoutError as error:
            raise NoSession(TransportError("nobody connected the session", code="transport.timeout")) from error
        except TransportError as error:
            raise NoSession(error) from error
        finally:
            if not chat.ready:
                chat.close("it did not come about")
        return chat

    def _invitation(self, number: Peer, conversation: ConversationId, flow: Flow, offer: Body) -> Invitation:
        identity = NameAddr(self._config.identity)
        to = address_of(number, None if self._config.tel_addresses else self._config.domain)
        return Invitation(
            to.encode(),
            NameAddr(to),
            identity,
            self._dialogs.contact,
            flow.service_route,
            (
                ("P-Preferred-Identity", identity.encode()),
                ("P-Preferred-Service", f"urn:urn-7:3gpp-service.ims.icsi.{CPM_SESSION}"),
                ("Accept-Contact", f'*;+g.3gpp.icsi-ref="{icsi_value(CPM_SESSION)}"'),
                *((("Accept-Contact", bot_contact(CHATBOT)),) if bot_of(number) else ()),
                ("Conversation-ID", str(uuid.UUID(bytes=bytes(conversation)))),
                ("Contribution-ID", str(uuid.UUID(bytes=self._rng(16), version=4))),
                ("User-Agent", USER_AGENT),
            ),
            offer,
        )

    def _make_room(self) -> None:
        """For one more: the session that was idle longest goes. Raises NoSession when all are in use (SR-08)."""
        if len(self._sessions) < self._limits.max_sessions:
            return
        idle = [(chat.idle_since, chat) for chat in self._sessions]
        found = min(((at, i) for i, (at, _) in enumerate(idle) if at is not None), default=None)
        if found is None:
            raise NoSession(TransportError("too many sessions", code="transport.busy"))
        self._sessions[found[1]].close("room for another")

    # --- the others' -------------------------------------------------------------------------------------------
    def _take(self, call: Call) -> bool:
        """A call that offers a message session from a number that the network names; others are for others."""
        assert call.invite is not None
        try:
            if any("isfocus" in NameAddr.parse(text).params for text in call.invite.headers.listed("Contact")):
                return False
            sender = asserted_peer(call.invite, trust_from=self._config.trust_from)
            description = _description(call.offered)
            offered = read_offer(description)
        except (DecodeError, ProtocolError):
            return False
        if sender is None:
            call.refuse(403, "Who calls?")
        elif not any(matches_type(kind, offered.accept_types) for kind in ACCEPTED_TYPES):
            return False  # RFC 4975 section 8.6: 488 where no type is understood
        elif self._closing or not self._has_room(sender):
            call.refuse(486, headers=(("Retry-After", str(int(self._limits.idle_s))),))
        else:
            self._capabilities.learn(call.invite)
            chat = self._new(sender)
            chat.belongs_to(call)
            task = asyncio.get_running_loop().create_task(self._answer(chat, call, description, offered))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        return True

    async def _answer(self, chat: ChatSession, call: Call, description: SessionDescription, offered: MsrpMedia) -> None:
        """Take a call: answer, connect or be connected to."""
        try:
            if self._repeats.is_repeating(chat.peer):
                call.ring()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.yield_s):
                        await asyncio.shield(call.ended)
                        return
            flow = await self._flow()
            await self._open_media()
            host = flow.connection.local[0]
            end = await self._media.local_end(chat, host, offered, max_message=self._limits.max_message)
            chat.begin(end)
            agreed = agree(end.media, offered, offerer=False)
            answer = answer_description(description, end.media, self._origin(host))
            call.accept(Body(SDP, encode_sdp(answer)))
            await chat.connect(agreed, flow.connection.peer[0], self._limits.answer_s)
        except ProtocolError:
            call.refuse(488)
        except LetterlockError as error:
            _log.info("a session that was offered did not come about: %s", error.code)
            call.refuse(480)
        except TimeoutError:
            _log.info("a session that was taken was not connected")
        else:
            opening = self._openings.get(chat.peer)
            if opening is not None:
                _settle(opening, chat)  # both called at once: whoever waits may send
        finally:
            if not chat.ready:
                chat.close("it did not come about")

    def _has_room(self, sender: Peer) -> bool:
        mine = sum(chat.peer == sender for chat in self._sessions)
        if mine >= self._limits.max_per_peer:
            return False
        try:
            self._make_room()
        except NoSession:
            return False
        return True

    # --- both --------------------------------------------------------------------------------------------------
    def _new(self, number: Peer) -> ChatSession:
        chat = ChatSession(
            number,
            self._media,
            idle_s=self._limits.idle_s,
            budget=self._budget,
            deliver=self._deliver,
            over=self._on_over,
            rng=self._rng,
        )
        self._sessions.append(chat)
        return chat

    def _on_over(self, chat: ChatSession) -> None:
        if chat in self._sessions:
            self._sessions.remove(chat)

    async def _open_media(self) -> None:
        try:
            await self._media.open()
        except OSError as error:
            raise TransportError(f"cannot listen for MSRP: {error}", code="transport.listen") from error

    async def _deliver(self, sender: Peer, started: MessageStarted, body: bytes) -> None:
        """Hand a message up; its success report goes out when this returns (SR-06)."""
        try:
            opened = open_content(started.content_type, body, self._limits.max_message)
        except LimitExceeded as error:
            raise MsrpRefusal(413, error.code) from error
        except DecodeError as error:
            unknown = error.code in ("rcs.content_type", "mime.content_encoding")
            raise MsrpRefusal(415 if unknown else 400, error.code) from error
        inbound = Inbound(
            sender,
            self._config.number,
            identifier(opened.message_id, started.session, started.message_id),
            opened.content_type,
            opened.body,
            self._clock(),
            headers=opened.headers,
        )
        try:
            await self._on_message(inbound)
            self._repeats.took(sender, inbound.message_id)
        except Exception as error:  # not committed, whatever went wrong: the sender must keep it and try again (SR-06)
            name = error.code if isinstance(error, LetterlockError) else type(error).__name__
            _log.error("an arriving message could not be taken: %s", name)
            raise MsrpRefusal(_LATER, "not now") from error

    def _origin(self, host: str) -> Origin:
        number = int.from_bytes(self._rng(4), "big")
        return Origin("-", number, 1, Connection(host, "IP6" if ":" in host else "IP4"))


def retry_after(response: Response) -> int | None:
    """The Retry-After of an answer in milliseconds, a day at most."""
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return min(delta_seconds(text), 86_400) * 1000
    except DecodeError:
        return None


def _description(body: Body | None) -> SessionDescription:
    """Raises DecodeError; ProtocolError when there is none."""
    if body is None or media_type(body.content_type) != SDP:
        raise ProtocolError("no session description", code="sip.media")
    return decode_sdp(body.data, _SDP_LIMITS)


def _of_refusal(refused: CallRefused) -> NetworkResult | TransportError:
    if refused.status == 0:
        return TransportError(refused.reason, code="transport.lost")
    if refused.response is None and refused.status == 408:
        return TransportError("nobody answered the call", code="transport.timeout")
    wait = None if refused.response is None else retry_after(refused.response)
    return NetworkResult(False, refused.status, printable(refused.reason), wait)


def _settle(opening: _Opening, outcome: ChatSession | NoSession) -> None:
    if opening.ready.done():
        return
    if isinstance(outcome, NoSession):
        opening.ready.set_exception(outcome)
        opening.ready.exception()  # whoever waited may have gone
    else:
        opening.ready.set_result(outcome)
