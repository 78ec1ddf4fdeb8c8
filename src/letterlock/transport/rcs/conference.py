"""One conference as a member's device has it: its address, the session with its focus, requests about its members."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from ...carriage import NetworkResult
from ...codec.cpim import MEDIA_TYPE as CPIM
from ...codec.resource_lists import MEDIA_TYPE as RESOURCE_LISTS
from ...codec.resource_lists import CopyControl, ListEntry, encode_resource_list
from ...codec.sdp import MEDIA_TYPE as SDP
from ...codec.sdp import Connection, Origin, SdpLimits, SessionDescription, decode_sdp, encode_sdp
from ...codec.sip import Headers, NameAddr, Request, Response, Uri, media_type
from ...errors import DecodeError, ProtocolError, TransportError
from ...ids import GroupId, Number, Rng
from ...msrp import MessageStarted
from ...sip.calling import Invitation
from ...sip.effects import Body
from ...sip.message import call_id, new_tag
from ...sip.msrp_media import Agreement, agree, answer_description, offer_description, read_answer, read_offer
from ...sip.options import CPM_GROUP, LETTERLOCK_FEATURES, icsi_value
from ...sip.refer import refer_headers
from .config import USER_AGENT, RcsConfig
from .dialogs import Call, Dialogs
from .flow import Flow
from .media import LocalEnd, Media
from .session import Budget, ChatSession

__all__ = ["ConferenceEnd", "contribution_of", "device_contact", "focus_of"]

_SDP_LIMITS = SdpLimits(max_size=16_384, max_lines=256, max_media=16)
_INSTANCE_LABEL = b"\xff\x80letterlock/conference-device/v1\x00"  # SR-23


class ConferenceEnd:
    """`focus` is the address, empty while none is known. `deliver` is awaited for each whole message that comes."""

    def __init__(
        self,
        group: GroupId,
        config: RcsConfig,
        dialogs: Dialogs,
        media: Media,
        flow: Callable[[], Awaitable[Flow]],
        budget: Budget,
        deliver: Callable[[MessageStarted, bytes], Awaitable[None]],
        over: Callable[[], None],
        rng: Rng,
    ) -> None:
        self.focus = ""
        self._group = group
        self._config = config
        self._dialogs = dialogs
        self._media = media
        self._flow = flow
        self._budget = budget
        self._deliver = deliver
        self._over = over
        self._rng = rng
        self._chat: ChatSession | None = None
        self._joining: asyncio.Task[ChatSession] | None = None
        self._not_before = 0.0
        self.began_at = 0.0
        self.heard = False

    @property
    def open(self) -> bool:
        """Whether a session is there that takes messages."""
        return self._chat is not None and self._chat.usable

    async def create(self, members: tuple[Number, ...], subject: str) -> None:
        """Have the factory make it, or find it: whoever is in a conference of this id comes back to that one.

        Raises CallRefused; TransportError.
        """
        factory = self._config.conferences.factory
        if factory is None:
            raise TransportError("the carrier has no conferences", code="rcs.conferences")
        listed = encode_resource_list(
            ListEntry(Uri.of_number(number, self._config.domain).encode(), CopyControl.TO) for number in members
        )
        headers = (("Require", "recipient-list-invite"), *((("Subject", subject),) if subject else ()))
        await self._call(factory, headers, listed)

    async def chat(self) -> ChatSession:
        """The session; joined again when it had ended. Raises CallRefused; TransportError."""
        if self._chat is not None and self._chat.usable:
            return self._chat
        if self._joining is None or self._joining.done():
            if asyncio.get_running_loop().time() < self._not_before:
                raise TransportError("the conference cannot be joined now", code="transport.busy")
            self._joining = asyncio.get_running_loop().create_task(self._call(self.focus, (), None))
            self._joining.add_done_callback(_seen)
        return await asyncio.shield(self._joining)

    async def send(self, inner_type: str, body: bytes) -> NetworkResult:
        """A CPIM message to whoever its To says. Raises NotTaken, CallRefused, TransportError."""
        chat = await self.chat()
        return await chat.send(CPIM, inner_type, body)

    async def answer(self, call: Call) -> None:
        """The focus calls us. Raises what makes it come to nothing, after having refused it."""
        chat = self._new()
        try:
            description = _description(call.offered)
            offered = read_offer(description)
            flow = await self._flow()
            end = await self._local_end(chat, flow, offered)
            agreed = agree(end.media, offered, offerer=False)
            chat.belongs_to(call)
            answer = answer_description(description, end.media, _origin(flow, self._rng))
            call.accept(Body(SDP, encode_sdp(answer)))
            await self._connect(chat, call, agreed, flow, self._config.sessions.answer_s)
        except (ProtocolError, DecodeError):
            call.refuse(488)
            raise
        except (TransportError, TimeoutError):
            call.refuse(480)
            raise
        finally:
            if not chat.ready:
                chat.close("it did not come about")

    async def refer(self, numbers: tuple[Number, ...], method: str) -> int:
        """Ask the focus to invite (INVITE) or to remove (BYE) members; the status of its answer. Raises TransportError."""
        suffix = "" if method == "INVITE" else f";method={method}"
        targets = [f"sip:{number}@{self._config.domain}{suffix}" for number in numbers]
        if len(targets) == 1:
            return (await self._request("REFER", refer_headers(targets[0]), b"")).status
        name = self._rng(8).hex()
        headers = (
            *refer_headers(f"cid:{name}@{self._config.domain}", several=True),
            ("Content-Type", RESOURCE_LISTS),
            ("Content-Disposition", "recipient-list"),
            ("Content-ID", f"<{name}@{self._config.domain}>"),
        )
        body = encode_resource_list(ListEntry(target, CopyControl.TO) for target in targets)
        return (await self._request("REFER", headers, body)).status

    def close(self, reason: str) -> None:
        """End the session, which is not leaving."""
        if self._joining is not None:
            self._joining.cancel()
        if self._chat is not None:
            self._chat.close(reason)

    # --- inside ----------------------------------------------------------------------------------------------
    async def _call(self, uri: str, headers: tuple[tuple[str, str], ...], listed: bytes | None) -> ChatSession:
        """INVITE, agree, connect."""
        chat = self._new()
        try:
            flow = await self._flow()
            end = await self._local_end(chat, flow, None)
            offer = encode_sdp(offer_description(end.media, _origin(flow, self._rng)))
            call = self._dialogs.call(self._invitation(uri, flow, headers, self._body(offer, listed)))
            chat.belongs_to(call)
            established = await call.established()
            if established.response is not None:
                self.focus = focus_of(established.response) or self.focus
            agreed = agree(end.media, read_answer(_description(established.body)), offerer=True)
            await self._connect(chat, call, agreed, flow, self._config.sessions.open_s)
        except (ProtocolError, DecodeError) as error:
            raise TransportError(f"an answer that cannot be used ({error.code})", code="transport.answer") from error
        except TimeoutError as error:
            raise TransportError("nobody connected the session", code="transport.timeout") from error
        finally:
            if not chat.ready:
                self._not_before = asyncio.get_running_loop().time() + self._config.conferences.retry_s[0]
                chat.close("it did not come about")
        return chat

    async def _local_end(self, chat: ChatSession, flow: Flow, offered: object) -> LocalEnd:
        try:
            await self._media.open()
        except OSError as error:
            raise TransportError(f"cannot listen for MSRP: {error}", code="transport.listen") from error
        end = await self._media.local_end(
            chat,
            flow.connection.local[0],
            offered,  # type: ignore[arg-type]
            max_message=self._config.conferences.max_message,
        )
        chat.begin(end)
        return end

    async def _connect(self, chat: ChatSession, call: Call, agreed: Agreement, flow: Flow, seconds: float) -> None:
        """Bring up the media, unless the dialog ends meanwhile: what is connecting then would wait for nobody."""
        connecting = asyncio.ensure_future(chat.connect(agreed, flow.connection.peer[0], seconds))
        either: set[asyncio.Future[Any]] = {connecting, call.ended}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not connecting.done():
                connecting.cancel()
        if not connecting.done():
            raise TransportError("the call was ended", code="transport.lost")
        connecting.result()
        before, self._chat = self._chat, chat
        self.began_at, self.heard = asyncio.get_running_loop().time(), False
        if before is not None:
            before.close("replaced")

    def _new(self) -> ChatSession:
        return ChatSession(
            self._config.number,  # who writes stands in each message
            self._media,
            idle_s=self._config.sessions.idle_s,
            budget=self._budget,
            deliver=lambda _, started, body: self._arrived(started, body),
            over=self._on_over,
            rng=self._rng,
        )

    async def _arrived(self, started: MessageStarted, body: bytes) -> None:
        self.heard = True
        await self._deliver(started, body)

    def _on_over(self, chat: ChatSession) -> None:
        if chat is self._chat:
            self._chat = None
            self._over()

    def _invitation(self, uri: str, flow: Flow, headers: tuple[tuple[str, str], ...], body: Body) -> Invitation:
        identity = NameAddr(self._config.identity)
        contribution = str(uuid.UUID(bytes=bytes(self._group)))
        return Invitation(
            uri,
            NameAddr(Uri.parse(uri)),
            identity,
            device_contact(flow.contact, self._config, self._group),
            flow.service_route,
            (
                ("P-Preferred-Identity", identity.encode()),
                ("P-Preferred-Service", f"urn:urn-7:3gpp-service.ims.icsi.{CPM_GROUP}"),
                ("Accept-Contact", f'*;+g.3gpp.icsi-ref="{icsi_value(CPM_GROUP)}"'),
                ("Contribution-ID", contribution),
                ("Conversation-ID", contribution),
                ("User-Agent", USER_AGENT),
                *headers,
            ),
            body,
        )

    def _body(self, offer: bytes, listed: bytes | None) -> Body:
        if listed is None:
            return Body(SDP, offer)
        boundary = self._rng(12).hex()  # in neither part: nobody could know it
        parts = (
            f"--{boundary}\r\nContent-Type: {SDP}\r\n\r\n".encode() + offer,
            f"\r\n--{boundary}\r\nContent-Type: {RESOURCE_LISTS}\r\n"
            f"Content-Disposition: recipient-list\r\n\r\n".encode()
            + listed,
            f"\r\n--{boundary}--\r\n".encode(),
        )
        return Body(f'multipart/mixed;boundary="{boundary}"', b"".join(parts))

    async def _request(self, method: str, headers: tuple[tuple[str, str], ...], body: bytes) -> Response:
        """A request to the focus outside of any dialog: a session is not needed for it."""
        flow = await self._flow()
        identity = NameAddr(self._config.identity)
        items = [
            *(("Route", value) for value in flow.service_route),
            ("From", identity.with_param("tag", new_tag(self._rng)).encode()),
            ("To", f"<{self.focus}>"),
            ("Call-ID", call_id(self._rng)),
            ("CSeq", f"1 {method}"),
            ("Contact", device_contact(flow.contact, self._config, self._group)),
            ("P-Preferred-Identity", identity.encode()),
            ("User-Agent", USER_AGENT),
            *headers,
        ]
        return await flow.connection.request(Request(method, self.focus, Headers(items), body))


def contribution_of(request: Request) -> GroupId | None:
    """The group that an INVITE of a focus is for: its Contribution-ID, which for foreign ones is hashed; None without one."""
    text = request.headers.get("Contribution-ID")
    if not text:
        return None
    try:
        return GroupId(uuid.UUID(text).bytes)
    except ValueError:
        return GroupId(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16])


def focus_of(message: Request | Response) -> str | None:
    """The address of the conference that a Contact with `isfocus` is of (RFC 4579). Raises DecodeError."""
    for text in message.headers.listed("Contact")[:1]:
        contact = NameAddr.parse(text)
        if "isfocus" in contact.params and contact.uri.scheme in ("sip", "sips"):
            return Uri(contact.uri.scheme, contact.uri.user, contact.uri.host, contact.uri.port).encode()
    return None


def device_contact(contact: Uri, config: RcsConfig, group: GroupId) -> str:
    """Our Contact towards a focus. It tells one of our devices from another, by a name that is another one in each group."""
    digest = hashlib.sha256(_INSTANCE_LABEL + config.instance.encode() + bytes(group)).digest()
    name = f"<urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}>"
    return NameAddr(contact, params=LETTERLOCK_FEATURES.params().with_quoted("+sip.instance", name)).encode()


def _description(body: Body | None) -> SessionDescription:
    if body is None or media_type(body.content_type) != SDP:
        raise ProtocolError("no session description", code="sip.media")
    return decode_sdp(body.data, _SDP_LIMITS)


def _origin(flow: Flow, rng: Rng) -> Origin:
    host = flow.connection.local[0]
    return Origin("-", int.from_bytes(rng(4), "big"), 1, Connection(host, "IP6" if ":" in host else "IP4"))


def _seen(task: asyncio.Task[ChatSession]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waited may have gone
