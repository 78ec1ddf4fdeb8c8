"""A proxy and its members in one process, around a real focus: SIP over two real connections, MSRP over one for each.

`Town` plays the proxy: whatever the focus sends to a number goes to that number's devices, and what they send is told
with the identity that a proxy would assert. `Device` is one phone; it answers calls, collects messages, and does what a
test says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focus.msrp_peer import MsrpPeer
from letterlock.codec import cpim
from letterlock.codec.conference_info import ConferenceInfo, decode_conference_info
from letterlock.codec.cpim import CpimLimits, decode_cpim, encode_cpim
from letterlock.codec.mime import MimePart
from letterlock.codec.msrp import MsrpUri
from letterlock.codec.resource_lists import CopyControl, ListEntry, encode_resource_list
from letterlock.codec.sdp import Connection, Origin, SdpLimits, decode_sdp, encode_sdp
from letterlock.codec.sip import Headers, NameAddr, Request, Response, Uri
from letterlock.codec.transfer import inflate
from letterlock.codec.xml import XmlLimits
from letterlock.errors import ProtocolError
from letterlock.ids import Number
from letterlock.msrp import Session as MsrpSession
from letterlock.msrp import new_session_id
from letterlock.services.focus import Focus, FocusLimits, FocusSettings
from letterlock.services.sip_link import SipLink, SipSettings, loop_now
from letterlock.sip.answering import RepeatTimes
from letterlock.sip.calling import Invitation
from letterlock.sip.conference_state import is_participant, updated
from letterlock.sip.dialog_layer import DialogLayer, Told
from letterlock.sip.effects import Body
from letterlock.sip.message import call_id, new_tag
from letterlock.sip.msrp_media import (
    Agreement,
    MsrpMedia,
    Setup,
    agree,
    answer_description,
    offer_description,
    read_answer,
    read_offer,
)
from letterlock.sip.refer import refer_headers
from letterlock.sip.session import Session
from letterlock.sip.session_events import Ended, Established, Refused, SessionSettings
from letterlock.sip.session_timer import TimerPolicy
from letterlock.sip.subscribing import Notified, Subscriber, Subscription, SubscriptionEnded
from letterlock.sip.user_agent import UserAgent
from letterlock.sip.user_agent_events import Answered, Event, Received, TimedOut
from postgres import database_in

DOMAIN = "rcs.example.test"
FACTORY = f"sip:conference-factory@{DOMAIN}"
NOW = 1_790_000_000_000
LEAVE = (("Reason", 'SIP;cause=200;text="Call completed"'),)
SESSION = SessionSettings(TimerPolicy(1800, 90), RepeatTimes(500, 4000, 32_000), 20_000, "INVITE, ACK, BYE, CANCEL")
FAST = FocusSettings(idle_ms=60_000, publish_ms=20, flush_ms=30, sweep_ms=50, retry_ms=(100, 1000))


def number(index: int) -> Number:
    return Number(f"+1555{index:07}")


@dataclass(frozen=True)
class Message:
    """What a member got."""

    sender: str
    recipient: str
    message_id: str | None
    content_type: str
    body: bytes


class Device:
    """One phone of one member. `answers` None: it is off; a status: it refuses; True: it takes calls."""

    def __init__(self, town: Town, who: Number, instance: str = "1") -> None:
        self.town = town
        self.number = who
        self.instance = f"urn:uuid:{who[1:]}-{instance}"
        self.answers: bool | int | None = True
        self.confirms = True
        self.max_size: int | None = None
        self.listens = 9
        self.inbox: list[Message] = []
        self.views: list[ConferenceInfo] = []
        self.view: ConferenceInfo | None = None
        self.ended: list[str] = []
        self.calls = 0
        self.session: Session | None = None
        self.peer: MsrpPeer | None = None
        self.media: MsrpMedia | None = None
        self.focus = ""
        self.contribution = ""
        self._changed = asyncio.Event()
        self._subscriber: Subscriber | None = None

    # --- being there -----------------------------------------------------------------------------------
    async def create(self, *members: Number, contribution: str = "c-1", subject: str = "", **more: Any) -> int:
        """A conference; the status of the answer."""
        listed = encode_resource_list(ListEntry(f"sip:{each}@{DOMAIN}", CopyControl.TO) for each in members)
        return await self.call(FACTORY, contribution=contribution, subject=subject, listed=listed, **more)

    async def call(
        self,
        uri: str,
        *,
        contribution: str = "",
        subject: str = "",
        listed: bytes | None = None,
        asserted: str | None = None,
        setup: Setup = Setup.ACTIVE,
    ) -> int:
        """An INVITE of ours, to the factory or to a conference; the status of the answer."""
        media = self._offer(setup)
        sdp = encode_sdp(offer_description(media, _origin()))
        body = Body("application/sdp", sdp)
        headers = [("Contribution-ID", contribution), ("Conversation-ID", contribution)] if contribution else []
        if listed is not None:
            headers.append(("Require", "recipient-list-invite"))
            body = Body(
                'multipart/mixed;boundary="b1"',
                b"--b1\r\nContent-Type: application/sdp\r\n\r\n"
                + sdp
                + b"\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
                + listed
                + b"\r\n--b1--\r\n",
            )
        if subject:
            headers.append(("Subject", subject))
        session = Session.call(SESSION, self._invitation(uri, body, (*headers, *self._identity(asserted))), os.urandom)
        outcome = self.town.watch(session)
        effects, _ = session.start(loop_now())
        self.town.work(self.town.layer.add(session, effects, loop_now()))
        event = await _within(outcome)
        if isinstance(event, Refused):
            return event.status
        assert isinstance(event, Established)
        assert event.body is not None
        assert event.response is not None
        description = decode_sdp(event.body.data, SdpLimits(16_384, 256, 8))
        self.session, self.media = session, media
        self.town.own(session, self)
        contact = NameAddr.parse(event.response.headers.get("Contact") or "")
        assert "isfocus" in contact.params
        self.focus = contact.uri.encode()
        agreement = agree(media, read_answer(description), offerer=True)
        if agreement.active:
            await self._connect(agreement, media)
        return 200

    def invited(self, agent: UserAgent, event: Received) -> list[Told]:
        """The focus calls us."""
        self.calls += 1
        if self.answers is None:
            agent.respond(event.key, 480, loop_now())
            return []
        if self.answers is not True:
            agent.respond(event.key, int(self.answers), loop_now())
            return []
        request = event.request
        session = Session.called(
            SESSION, event.key, request, f'<sip:{self.number}@127.0.0.1>;+sip.instance="<{self.instance}>"', os.urandom
        )
        now = loop_now()
        told = self.town.layer.called(agent, event.key, session, session.start(now)[0], now)
        description = decode_sdp(request.body, SdpLimits(16_384, 256, 8))
        media = self._offer(Setup.ACTIVE)
        agreement = agree(media, read_offer(description), offerer=False)
        answer = encode_sdp(answer_description(description, media, _origin()))
        self.session, self.media = session, media
        self.focus = NameAddr.parse(request.headers.get("Contact") or "").uri.encode()
        self.contribution = request.headers.get("Contribution-ID") or ""
        self.town.own(session, self)
        told += self.town.layer.perform(session, session.accept(Body("application/sdp", answer), now), now)
        self.town.spawn(self._connect(agreement, media))
        return told

    async def _connect(self, agreement: Agreement, media: MsrpMedia) -> None:
        session = MsrpSession(media.path[0], agreement.peer.path, ("*",), 1 << 20, 1 << 20)
        self.peer = await MsrpPeer.connect(agreement.address, agreement.port, session, self._took, self.confirms)
        self._changed.set()

    def hang_up(self, headers: tuple[tuple[str, str], ...] = ()) -> None:
        assert self.session is not None
        effects, _ = self.session.hang_up(loop_now(), "test", headers)
        self.town.work(self.town.layer.perform(self.session, effects, loop_now()))
        self.session = None
        if self.peer is not None:
            self.peer.close()
            self.peer = None

    # --- doing things ----------------------------------------------------------------------------------
    async def say(
        self,
        text: str | bytes,
        *,
        to: Number | None = None,
        message_id: str | None = None,
        sender: str = "<sip:anonymous@anonymous.invalid>",
        recipient: str | None = None,
        content_type: str = "text/plain",
    ) -> int:
        """A message to all, or to one; the status that the focus reported."""
        return await self.raw(self.cpim(text, to, message_id, sender, recipient, content_type))

    def cpim(
        self,
        text: str | bytes,
        to: Number | None = None,
        message_id: str | None = None,
        sender: str = "<sip:anonymous@anonymous.invalid>",
        recipient: str | None = None,
        content_type: str = "text/plain",
    ) -> bytes:
        body = text.encode() if isinstance(text, str) else text
        target = recipient or (f"<{self.focus}>" if to is None else f"<sip:{to}@{DOMAIN}>")
        headers = cpim.headers(
            ("From", sender),
            ("To", target),
            ("DateTime", "2026-11-23T10:00:00Z"),
            ("NS", f"imdn <{cpim.IMDN}>"),
            ("imdn.Message-ID", message_id or os.urandom(8).hex()),
        )
        return encode_cpim(cpim.Cpim(headers, MimePart.of(content_type, body)))

    async def raw(self, data: bytes, content_type: str = "message/cpim") -> int:
        if self.peer is None:
            await self.attending()
        assert self.peer is not None
        return await self.peer.send(content_type, data)

    async def refer(self, *targets: str, several: bool = False, asserted: str | None = None) -> int:
        """REFER outside of any session; the status of the answer."""
        return (await self.request_refer(*targets, several=several, asserted=asserted)).status

    async def request_refer(self, *targets: str, several: bool = False, asserted: str | None = None) -> Response:
        """The same; the answer."""
        headers = list(refer_headers(targets[0] if not several else "cid:list@test", several=several))
        body = b""
        if several:
            body = encode_resource_list(ListEntry(each, CopyControl.TO) for each in targets)
            headers += [("Content-Type", "application/resource-lists+xml"), ("Content-ID", "<list@test>")]
        return await self.request("REFER", self.focus, tuple(headers), body, asserted)

    async def request(
        self,
        method: str,
        uri: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        asserted: str | None = None,
    ) -> Response:
        """A request outside of any dialog."""
        own = NameAddr(Uri.parse(f"sip:{self.number}@{DOMAIN}"))
        items = [
            ("From", own.with_param("tag", new_tag(os.urandom)).encode()),
            ("To", f"<{uri}>"),
            ("Call-ID", call_id(os.urandom)),
            ("CSeq", f"1 {method}"),
            ("Contact", self._contact()),
            *self._identity(asserted),
            *headers,
        ]
        return await self.town.ask(Request(method, uri, Headers(items), body))

    def subscribe(self, *, encoding: str = "deflate") -> asyncio.Future[Any]:
        """Watch the roster; the future is the first thing that the subscription tells."""
        own = NameAddr(Uri.parse(f"sip:{self.number}@{DOMAIN}"))
        subscriber = Subscriber(
            Subscription(
                self.focus,
                NameAddr(Uri.parse(self.focus)),
                own,
                self._contact(),
                (),
                "conference",
                "application/conference-info+xml",
                (("Accept-Encoding", encoding), *self._identity(None)),
                3600,
                10_000,
            ),
            os.urandom,
        )
        self._subscriber = subscriber
        outcome = self.town.watch(subscriber)
        self.town.own(subscriber, self)
        self.town.work(self.town.layer.add(subscriber, subscriber.start(loop_now()), loop_now()))
        return outcome

    # --- what comes ------------------------------------------------------------------------------------
    def told(self, event: Any) -> None:
        if isinstance(event, Ended):
            self.ended.append(event.reason)
            self.session = None
            if self.peer is not None:
                self.peer.close()
                self.peer = None
        elif isinstance(event, Notified) and event.body is not None:
            data = inflate(event.body.data, event.body.encoding or "identity", 1 << 22)
            info = decode_conference_info(data, XmlLimits(1 << 22, 12, 40_000), max_users=2000)
            self.views.append(info)
            try:
                self.view = updated(self.view, info, max_users=2000)
            except ProtocolError as error:
                self.ended.append(error.code)
        elif isinstance(event, SubscriptionEnded):
            self.ended.append(f"subscription {event.reason}")
        self._changed.set()

    def _took(self, content_type: str, data: bytes) -> None:
        message = decode_cpim(data, CpimLimits(1 << 20, 64, 8192))
        self.inbox.append(
            Message(
                message.senders[0].uri,
                message.recipients[0].uri,
                message.message_id,
                message.content.content_type.media_type,
                message.content.content(),
            )
        )
        self._changed.set()

    async def until(self, condition: Callable[[Device], Any], seconds: float = 10) -> None:
        """Wait until something holds of this device."""
        try:
            async with asyncio.timeout(seconds):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.number} has {len(self.inbox)} messages: {self.inbox[-3:]}") from None

    async def attending(self) -> None:
        await self.until(lambda device: device.peer is not None)

    async def got(self, count: int) -> list[str]:
        """The texts, once there are so many messages; no further one follows soon after."""
        await self.until(lambda device: len(device.inbox) >= count)
        return self.texts

    @property
    def texts(self) -> list[str]:
        return [message.body.decode() for message in self.inbox]

    @property
    def members(self) -> dict[str, str]:
        """The roster as this device sees it: numbers and the status of each that takes part."""
        return {
            user.entity.partition(":")[2].partition("@")[0]: (user.endpoints[0].status or 0).value  # type: ignore[union-attr]
            for user in (self.view.users if self.view else None) or ()
            if is_participant(user)
        }

    # --- inside ----------------------------------------------------------------------------------------
    def _offer(self, setup: Setup) -> MsrpMedia:
        port = self.listens if setup is Setup.PASSIVE else 9999
        path = (MsrpUri("msrp", "127.0.0.1", port, new_session_id(os.urandom)),)
        types = ("message/cpim", "application/im-iscomposing+xml")
        return MsrpMedia(path, "127.0.0.1", self.listens, types, ("*",), max_size=self.max_size, setup=setup)

    def _contact(self) -> str:
        return f'<sip:{self.number}@127.0.0.1>;+sip.instance="<{self.instance}>"'

    def _identity(self, asserted: str | None) -> tuple[tuple[str, str], ...]:
        if asserted == "":
            return ()
        who = asserted or self.number
        return (("P-Asserted-Identity", f"<sip:{who}@{DOMAIN}>"), ("P-Asserted-Identity", f"<tel:{who}>"))

    def _invitation(self, uri: str, body: Body, headers: tuple[tuple[str, str], ...]) -> Invitation:
        own = NameAddr(Uri.parse(f"sip:{self.number}@{DOMAIN}"))
        return Invitation(uri, NameAddr(Uri.parse(uri)), own, self._contact(), (), headers, body)


class Town:
    """`async with Town(tmp_path) as town`. `settings` and `limits` are the focus's."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: FocusLimits | None = None,
        settings: FocusSettings = FAST,
        focus: Callable[[tuple[str, int]], Any] | None = None,
    ) -> None:
        self.now = NOW
        self.devices: dict[Number, list[Device]] = {}
        self._folder = folder
        self._limits = limits
        self._settings = settings
        self._make_focus = focus or self._focus_of
        self.layer = DialogLayer(self._choose, 100_000)
        self._link: SipLink | None = None
        self._from_focus: SipLink | None = None
        self._server: asyncio.Server | None = None
        self._owners: dict[Any, Device] = {}
        self._watched: dict[Any, asyncio.Future[Any]] = {}
        self._asked: dict[int, asyncio.Future[Response]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.focus: Any = None

    def device(self, index: int, instance: str = "1") -> Device:
        """The phone of a number; another one with another `instance`."""
        who = number(index)
        for device in self.devices.get(who, ()):
            if device.instance.endswith(f"-{instance}"):
                return device
        device = Device(self, who, instance)
        self.devices.setdefault(who, []).append(device)
        return device

    async def __aenter__(self) -> Town:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_link, "127.0.0.1", 0)
        await self.start_focus()
        return self

    async def start_focus(self) -> None:
        assert self._server is not None
        self.focus = self._make_focus(self._server.sockets[0].getsockname()[:2])
        await self.focus.start()
        await self.connect(self.focus.port)

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        _, self._link = await loop.create_connection(self._new_link, "127.0.0.1", port)
        async with asyncio.timeout(5):
            while self._from_focus is None:
                await asyncio.sleep(0.01)

    async def stop_focus(self) -> None:
        await self.focus.close()
        self._from_focus = None
        for devices in self.devices.values():
            for device in devices:
                if device.peer is not None:
                    device.peer.close()
                device.peer = device.session = None

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        for devices in self.devices.values():
            for device in devices:
                if device.peer is not None:
                    device.peer.close()
        if self.focus is not None:
            await self.focus.close()
        for link in (self._link, self._from_focus):
            if link is not None:
                link.close()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def _focus_of(self, proxy: tuple[str, int]) -> Focus:
        return Focus(
            database_in(self._folder, "focus.db"),
            domain=DOMAIN,
            proxy=proxy,
            limits=self._limits,
            settings=self._settings,
            clock=lambda: self.now,
        )

    # --- what devices ask of it ------------------------------------------------------------------------
    def own(self, usage: Any, device: Device) -> None:
        self._owners[usage] = device

    def watch(self, usage: Any) -> asyncio.Future[Any]:
        """The first event of a session or subscription."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._watched[usage] = future
        return future

    async def ask(self, request: Request) -> Response:
        agent = self._choose()
        assert agent is not None
        handle = agent.send(request, loop_now())
        future = self._asked[handle] = asyncio.get_running_loop().create_future()
        self.work([])
        response: Response = await _within(future)
        return response

    def spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def work(self, told: list[Told]) -> None:
        for item in told:
            watched = self._watched.get(item.usage)
            if watched is not None and not watched.done():
                watched.set_result(item.event)
            owner = self._owners.get(item.usage)
            if owner is not None:
                owner.told(item.event)
        for link in (self._link, self._from_focus):
            if link is not None and not link.closed.done():
                link.flush()
        at = self.layer.next_deadline()
        if at is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(
                at / 1000, lambda: self.work(self.layer.on_deadline(loop_now()))
            )

    # --- wires -----------------------------------------------------------------------------------------
    def _new_link(self) -> SipLink:
        return SipLink(SipSettings(max_message=1 << 20), os.urandom, self._on_event, self._admit)

    def _admit(self, link: SipLink) -> bool:
        if self._link is not None or self.focus is not None:
            self._from_focus = link if link is not self._link and self._is_server_side(link) else self._from_focus
        return True

    def _is_server_side(self, link: SipLink) -> bool:
        assert link._transport is not None
        assert self._server is not None
        return bool(link._transport.get_extra_info("sockname")[1] == self._server.sockets[0].getsockname()[1])

    def _choose(self) -> UserAgent | None:
        return None if self._link is None or self._link.closed.done() else self._link.agent

    def _on_event(self, link: SipLink, event: Event | None) -> None:
        if event is None:
            if link is self._from_focus:
                self._from_focus = None
            self.work(self.layer.agent_lost(link.agent, loop_now()))
            return
        told = self.layer.on_event(link.agent, event, loop_now())
        if told is None:
            told = self._outside(link, event)
        self.work(told)

    def _outside(self, link: SipLink, event: Event) -> list[Told]:
        if isinstance(event, Answered):
            future = self._asked.pop(event.handle, None)
            if future is not None and not future.done():
                future.set_result(event.response)
        elif isinstance(event, TimedOut):
            self._asked.pop(event.handle).set_exception(TimeoutError())
        elif isinstance(event, Received):
            who = Uri.parse(event.request.uri).number
            devices = self.devices.get(who, []) if who else []
            # What rings first takes it: a proxy would cancel the others.
            taker = next((each for each in devices if each.answers is True), devices[0] if devices else None)
            if (
                event.request.method == "INVITE"
                and taker is not None
                and ";tag=" not in (event.request.headers.get("To") or "")
            ):
                return taker.invited(link.agent, event)
            link.agent.respond(event.key, 480 if event.request.method == "INVITE" else 481, loop_now())
        return []


def _origin() -> Origin:
    return Origin("-", 1, 1, Connection("127.0.0.1"))


async def _within(future: asyncio.Future[Any]) -> Any:
    async with asyncio.timeout(15):
        return await future
