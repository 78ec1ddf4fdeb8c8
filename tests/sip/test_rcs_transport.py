"""The RCS transport against a scripted SIP server: acknowledgement, failure, reconnection, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab_certificate import LabCertificate, write_lab_certificate
from letterlock.carriage import Inbound, NetworkResult, Outbound
from letterlock.codec.cpim import CpimLimits, decode_cpim
from letterlock.codec.sip import (
    Credentials,
    CSeq,
    Headers,
    KeepAlive,
    Limits,
    NameAddr,
    Request,
    Response,
    StreamParser,
    encode,
)
from letterlock.errors import InputError, StoreError, TransportError
from letterlock.ids import Number, conversation_of, message_id, number
from letterlock.sip.digest_server import DigestServer, Outcome
from letterlock.sip.message import response_to
from letterlock.transport.rcs.config import RcsConfig
from letterlock.transport.rcs.content import unwrap
from letterlock.transport.rcs.presence import RcsState, RcsStatus
from letterlock.transport.rcs.transport import RcsTransport

pytestmark = pytest.mark.anyio

ME, PEER = number("+15550100"), number("+15550199")
DOMAIN = "ims.example.test"
INSTANCE = "00000000-0000-4000-8000-000000000001"
FRAME = "application/vnd.letterlock.signal"
LIMITS = Limits(65_536, 200, 8192, 262_144)
CPIM_LIMITS = CpimLimits(262_144, 64, 8192)


class Server:
    """A registrar that answers REGISTER by the book and everything else as the test says."""

    def __init__(self, password: str = "pw") -> None:
        self.digest = DigestServer(DOMAIN, b"k" * 32, {ME: password}.get)
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.responses: asyncio.Queue[Response] = asyncio.Queue()
        self.registers: list[Request] = []
        self.pings = 0
        self.answer: Callable[[Request], Response | None] = lambda request: response_to(request, 200, tag="s")
        self.writer: asyncio.StreamWriter | None = None
        self.port = 0
        self.silent = False
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def run(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.writer = writer
        parser = StreamParser(LIMITS)
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                for item in parser.feed(data):
                    if item is KeepAlive.PING:
                        self.pings += 1
                        writer.write(b"\r\n")
                    elif isinstance(item, Response):
                        self.responses.put_nowait(item)
                    elif isinstance(item, Request) and not self.silent:
                        response = self._register(item) if item.method == "REGISTER" else self._other(item)
                        if response is not None:
                            writer.write(encode(response))
            writer.close()

    def _register(self, request: Request) -> Response:
        self.registers.append(request)
        verdict = self.digest.verify(request.headers.all("Authorization"), "REGISTER", request.uri, 1)
        if verdict.outcome is not Outcome.ACCEPTED:
            challenges = tuple(("WWW-Authenticate", value) for value in self.digest.challenge(1, os.urandom))
            return response_to(request, 401, tag="s", headers=challenges)
        contact = ("Contact", request.headers.get("Contact") or "")
        return response_to(request, 200, tag="s", headers=(contact, ("Service-Route", "<sip:route.test;lr>")))

    def _other(self, request: Request) -> Response | None:
        self.requests.put_nowait(request)
        return self.answer(request)

    def send(self, request: Request) -> None:
        assert self.writer is not None
        self.writer.write(encode(request))

    async def reply(self) -> Response:
        async with asyncio.timeout(5):
            return await self.responses.get()


def config(scripted: Server, **changes: object) -> RcsConfig:
    values: dict[str, object] = {
        "number": ME,
        "domain": DOMAIN,
        "username": ME,
        "password": "pw",
        "server": "127.0.0.1",
        "port": scripted.port,
        "instance": INSTANCE,
        "tls": False,
        "backoff_s": (0.01, 0.02),
        "register_wait_s": 5.0,
    }
    return RcsConfig(**{**values, **changes})  # type: ignore[arg-type]


class Phone:
    """A transport with what it was given and told."""

    def __init__(self, scripted: Server, **changes: object) -> None:
        self.inbox: list[Inbound] = []
        self.states: list[RcsStatus] = []
        self.changes: list[tuple[Number, tuple[str, ...], tuple[str, ...]]] = []
        self.take: Callable[[Inbound], None] = self.inbox.append
        self.seen = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.transport = RcsTransport(
            config(scripted, **changes),
            self._on_message,
            self.states.append,
            clock=lambda: 1_700_000_000_123,
        )
        self.transport.watch_capabilities(lambda *change: self.changes.append(change))

    async def _on_message(self, inbound: Inbound) -> None:
        await self.gate.wait()
        self.take(inbound)

    async def __aenter__(self) -> Phone:
        await self.transport.start()
        async with asyncio.timeout(5):
            await self.transport.registered()
        self.seen = len(self.states)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.transport.close()

    async def until(self, state: RcsState) -> RcsStatus:
        """The next change to this state behind those that earlier calls have seen."""
        async with asyncio.timeout(5):
            while True:
                while self.seen < len(self.states):
                    self.seen += 1
                    if self.states[self.seen - 1].state is state:
                        return self.states[self.seen - 1]
                await asyncio.sleep(0.002)


def outbound(body: bytes = b"\x00frame\r\n\r\n\xff", **changes: object) -> Outbound:
    values: dict[str, object] = {
        "to": PEER,
        "message_id": message_id("id-1"),
        "conversation": conversation_of(ME, PEER),
        "content_type": FRAME,
        "body": body,
        "large": False,
    }
    return Outbound(**{**values, **changes})  # type: ignore[arg-type]


CPIM = (
    b"From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n"
    b"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: id-7\r\n\r\n"
    b"Content-Type: application/vnd.letterlock.signal\r\n\r\n\x00\r\n\xff"
)


def incoming(
    body: bytes = CPIM, *extra: tuple[str, str], content_type: str = "message/cpim", method: str = "MESSAGE", n: int = 1
) -> Request:
    items = [
        ("Via", f"SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKin{n}"),
        ("From", f"<sip:{PEER}@{DOMAIN}>;tag=p"),
        ("To", f"<sip:{ME}@{DOMAIN}>"),
        ("Call-ID", f"in{n}"),
        ("CSeq", f"1 {method}"),
        ("P-Asserted-Identity", f"<sip:{PEER}@{DOMAIN}>"),
        ("Content-Type", content_type),
        *extra,
    ]
    return Request(method, f"sip:{ME}@127.0.0.1", Headers(items), body)


# --- registration --------------------------------------------------------------------------------------
async def test_registers_pings_and_takes_its_contact_off_again() -> None:
    async with Server().run() as server:
        async with Phone(server) as phone:
            assert phone.transport.status == RcsStatus(RcsState.REGISTERED, "registered")
        first, second, last = server.registers
        blank = Credentials.parse(first.headers.get("Authorization") or "")
        assert (blank.nonce, blank.response) == ("", "")
        contact = NameAddr.parse(second.headers.get("Contact") or "")
        assert contact.uri.user == ME
        assert contact.uri.host == "127.0.0.1"
        assert contact.uri.params.get("transport") == "tcp"
        assert contact.params.get("+sip.instance") == f"<urn:uuid:{INSTANCE}>"
        assert NameAddr.parse(last.headers.get("Contact") or "").params.get("expires") == "0"
        assert Credentials.parse(last.headers.get("Authorization") or "").response
        assert server.pings >= 1
        assert phone.transport.status.state is RcsState.OFFLINE


async def test_a_wrong_password_is_not_tried_again_and_again() -> None:
    async with Server("other").run() as server:
        phone = Phone(server)
        await phone.transport.start()
        status = await phone.until(RcsState.REFUSED)
        assert "401" in status.reason
        await asyncio.sleep(0.1)
        assert len(server.registers) == 2
        await phone.transport.close()


async def test_comes_back_with_the_same_call_id_and_instance() -> None:
    async with Server().run() as server, Phone(server) as phone:
        for _ in range(3):
            assert server.writer is not None
            server.writer.transport.abort()
            await phone.until(RcsState.CONNECTING)
            await phone.until(RcsState.REGISTERED)
        assert len({request.headers.get("Call-ID") for request in server.registers}) == 1
        numbers = [CSeq.parse(request.headers.get("CSeq") or "").number for request in server.registers]
        assert numbers == sorted(set(numbers))
        contacts = [NameAddr.parse(request.headers.get("Contact") or "") for request in server.registers]
        assert len({contact.params.get("+sip.instance") for contact in contacts}) == 1
        assert (await phone.transport.send(outbound())).accepted


async def test_garbage_from_the_server_ends_the_connection_and_it_comes_back() -> None:
    async with Server().run() as server, Phone(server) as phone:
        assert server.writer is not None
        server.writer.write(b"HTTP/1.1 400 What\r\n\r\n")
        await phone.until(RcsState.CONNECTING)
        await phone.until(RcsState.REGISTERED)
        assert any("not SIP" in status.reason for status in phone.states)


async def test_a_challenge_that_cannot_be_answered_is_an_outage_and_not_the_end() -> None:
    """The REGISTER that answers it would be over the carrier's size: tried again, until the server thinks better."""
    server = Server()
    honest = server._register

    def absurd(request: Request) -> Response:
        server.registers.append(request)
        challenge = f'Digest realm="{DOMAIN}", nonce="n", opaque="{"x" * 3000}"'
        return response_to(request, 401, tag="s", headers=(("WWW-Authenticate", challenge),))

    server._register = absurd  # type: ignore[method-assign]
    async with server.run():
        phone = Phone(server, max_message=3000)
        await phone.transport.start()
        await phone.until(RcsState.OFFLINE)
        server._register = honest  # type: ignore[method-assign]
        await phone.until(RcsState.REGISTERED)
        await phone.transport.close()


async def test_waits_for_a_server_that_is_not_there_yet() -> None:
    server = Server()
    async with server.run():
        pass
    phone = Phone(server)
    await phone.transport.start()
    status = await phone.until(RcsState.OFFLINE)
    assert "cannot reach" in status.reason
    async with server.run():
        await phone.until(RcsState.REGISTERED)
        await phone.transport.close()


async def test_close_before_anything_worked() -> None:
    server = Server()
    async with server.run():
        server.silent = True
        phone = Phone(server)
        await phone.transport.start()
        await asyncio.sleep(0.1)
        async with asyncio.timeout(3):
            await phone.transport.close()


# --- sending ---------------------------------------------------------------------------------------------
async def test_a_frame_travels_as_cpim_over_the_service_route() -> None:
    async with Server().run() as server, Phone(server) as phone:
        assert await phone.transport.send(outbound()) == NetworkResult(True, 200, "OK")
        request = await server.requests.get()
        assert request.uri == f"sip:{PEER}@{DOMAIN};user=phone"
        assert request.headers.all("Route") == ("<sip:route.test;lr>",)
        assert "require;explicit" in (request.headers.get("Accept-Contact") or "")
        cpim = decode_cpim(request.body, CPIM_LIMITS)
        assert cpim.message_id == "id-1"
        assert [sender.uri for sender in cpim.senders] == ["sip:anonymous@anonymous.invalid"]
        assert [to.uri for to in cpim.recipients] == ["sip:anonymous@anonymous.invalid"]
        assert cpim.date_time == "2023-11-14T22:13:20.123Z"
        assert cpim.disposition_notification == ()
        assert cpim.content.header("Content-Type") == FRAME
        assert cpim.content.content() == b"\x00frame\r\n\r\n\xff"


async def test_large_bodies_use_the_large_message_service() -> None:
    async with Server().run() as server, Phone(server) as phone:
        for message, large in (
            (outbound(bytes(600)), False),
            (outbound(bytes(1400)), True),
            (outbound(b"small", large=True), True),
        ):
            await phone.transport.send(message)
            request = await server.requests.get()
            assert ("+g.gsma.rcs.cpm.pager-large" in "".join(request.headers.all("Accept-Contact"))) is large


async def test_plain_text_may_ask_for_receipts_and_receipts_are_marked() -> None:
    async with Server().run() as server, Phone(server) as phone:
        await phone.transport.send(outbound(b"hi", content_type="text/plain;charset=UTF-8", receipts=True))
        cpim = decode_cpim((await server.requests.get()).body, CPIM_LIMITS)
        assert cpim.disposition_notification == ("positive-delivery", "negative-delivery", "display")
        await phone.transport.send(outbound(b"<imdn/>", content_type="message/imdn+xml"))
        cpim = decode_cpim((await server.requests.get()).body, CPIM_LIMITS)
        assert cpim.content.disposition == "notification"


async def test_the_networks_words_are_made_fit_for_a_terminal() -> None:
    async with Server().run() as server, Phone(server) as phone:
        server.answer = lambda request: response_to(request, 480, "no \\\x1b[2J \u0085" + "x" * 500, tag="s")
        result = await phone.transport.send(outbound())
        assert result.reason.startswith("no \\?[2J ?xx")
        assert len(result.reason) == 200


@pytest.mark.parametrize(
    ("status", "headers", "result"),
    [
        (202, (), NetworkResult(True, 202, "Accepted")),
        (480, (), NetworkResult(False, 480, "Temporarily Unavailable")),
        (503, (("Retry-After", "7"),), NetworkResult(False, 503, "Service Unavailable", 7000)),
        (503, (("Retry-After", "junk"),), NetworkResult(False, 503, "Service Unavailable")),
        (403, (), NetworkResult(False, 403, "Forbidden")),
    ],
)
async def test_answers(status: int, headers: tuple[tuple[str, str], ...], result: NetworkResult) -> None:
    async with Server().run() as server, Phone(server) as phone:
        server.answer = lambda request: response_to(request, status, tag="s", headers=headers)
        assert await phone.transport.send(outbound()) == result


async def test_too_large_for_the_carrier_is_said_and_not_sent() -> None:
    async with Server().run() as server, Phone(server, max_message=60_000, max_pager=100_000) as phone:
        result = await phone.transport.send(outbound(bytes(60_000)))
        assert (result.accepted, result.status) == (False, 513)
        assert "60000" in result.reason
        assert server.requests.empty()


async def test_no_answer_is_a_transport_error() -> None:
    async with Server().run() as server, Phone(server, answer_timeout_s=0.2) as phone:
        server.answer = lambda request: None
        with pytest.raises(TransportError) as caught:
            await phone.transport.send(outbound())
        assert caught.value.code == "transport.timeout"


async def test_a_lost_connection_is_a_transport_error() -> None:
    async with Server().run() as server, Phone(server) as phone:

        def drop(request: Request) -> None:
            assert server.writer is not None
            server.writer.transport.abort()

        server.answer = drop
        with pytest.raises(TransportError) as caught:
            await phone.transport.send(outbound())
        assert caught.value.code == "transport.lost"


async def test_offline_is_a_transport_error() -> None:
    server = Server()
    async with server.run():
        pass
    phone = Phone(server, register_wait_s=0.05)
    await phone.transport.start()
    with pytest.raises(TransportError) as caught:
        await phone.transport.send(outbound())
    assert caught.value.code == "transport.offline"
    await phone.transport.close()


async def test_no_more_in_flight_than_allowed() -> None:
    """SR-08."""
    async with Server().run() as server, Phone(server, max_in_flight=3) as phone:
        held: list[Request] = []

        def hold(request: Request) -> None:
            held.append(request)

        server.answer = hold
        sends = [asyncio.ensure_future(phone.transport.send(outbound())) for _ in range(8)]
        async with asyncio.timeout(5):
            for expected in (3, 6, 8):
                while len(held) < expected:
                    await asyncio.sleep(0.002)
                await asyncio.sleep(0.02)
                assert len(held) == expected
                for request in held[expected - (3 if expected < 8 else 2) :]:
                    assert server.writer is not None
                    server.writer.write(encode(response_to(request, 200, tag="s")))
            assert all(result.accepted for result in await asyncio.gather(*sends))


async def test_capabilities() -> None:
    async with Server().run() as server, Phone(server) as phone:
        tags = '<sip:x>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"'
        server.answer = lambda request: response_to(request, 200, tag="s", headers=(("Contact", tags),))
        found = await phone.transport.capabilities(PEER)
        assert found is not None
        assert found.icsi == {"oma.cpm.msg"}
        request = await server.requests.get()
        assert request.method == "OPTIONS"
        assert "+g.gsma.rcs.cpm.pager-large" in (request.headers.get("Contact") or "")
        # Asked once; what is known needs no question, until somebody wants it fresh.
        assert await phone.transport.capabilities(PEER) == found
        assert server.requests.empty()
        server.answer = lambda request: response_to(request, 480, tag="s")
        assert await phone.transport.capabilities(PEER, fresh=True) is None
        assert await phone.transport.capabilities(PEER) == found
        server.answer = lambda request: response_to(request, 404, tag="s")
        empty = await phone.transport.capabilities(PEER, fresh=True)
        assert empty is not None
        assert empty.icsi == frozenset()
        server.answer = lambda request: response_to(request, 200, tag="s", headers=(("Contact", '"<'),))
        assert await phone.transport.capabilities(PEER, fresh=True) is None
        assert [change[1:] for change in phone.changes] == [((), found.names)]


# --- receiving ---------------------------------------------------------------------------------------------
async def test_the_network_hears_200_only_after_the_commit() -> None:
    """SR-06: commit, then acknowledge."""
    async with Server().run() as server, Phone(server) as phone:
        phone.gate.clear()
        server.send(incoming())
        server.send(incoming(method="OPTIONS", n=2))
        # The OPTIONS behind it is answered, the MESSAGE is not.
        reply = await server.reply()
        assert reply.headers.get("CSeq") == "1 OPTIONS"
        assert phone.inbox == []
        phone.gate.set()
        reply = await server.reply()
        assert (reply.status, reply.headers.get("CSeq")) == (200, "1 MESSAGE")
        (inbound,) = phone.inbox
        assert [(header.local, header.value) for header in inbound.headers][-1] == ("Message-ID", "id-7")
        assert dataclasses.replace(inbound, headers=()) == Inbound(
            PEER, ME, message_id("id-7"), FRAME, b"\x00\r\n\xff", 1_700_000_000_123
        )


async def test_what_cannot_be_committed_stays_with_the_network() -> None:
    """SR-06."""

    def refuse(inbound: Inbound) -> None:
        raise StoreError("disk full")

    async with Server().run() as server, Phone(server) as phone:
        phone.take = refuse
        server.send(incoming())
        assert (await server.reply()).status == 500
        phone.take = phone.inbox.append
        server.send(incoming(n=2))
        assert (await server.reply()).status == 200


async def test_close_acknowledges_what_was_taken() -> None:
    async with Server().run() as server:
        phone = Phone(server)
        async with phone:
            phone.gate.clear()
            server.send(incoming())
            server.send(incoming(method="OPTIONS", n=2))
            await server.reply()
            closing = asyncio.ensure_future(phone.transport.close())
            await asyncio.sleep(0.02)
            assert not closing.done()
            phone.gate.set()
            assert (await server.reply()).headers.get("CSeq") == "1 MESSAGE"
            await closing
        assert len(phone.inbox) == 1


async def test_close_takes_its_contact_off_although_a_message_cannot_be_taken() -> None:
    async with Server().run() as server:
        async with Phone(server) as phone:
            phone.gate.clear()
            server.send(incoming())
            server.send(incoming(method="OPTIONS", n=2))
            await server.reply()
        assert "expires=0" in (server.registers[-1].headers.get("Contact") or "")


async def test_a_repeated_request_is_taken_once() -> None:
    async with Server().run() as server, Phone(server) as phone:
        for _ in range(3):
            server.send(incoming())
            assert (await server.reply()).status == 200
        assert len(phone.inbox) == 1


async def test_deflated_and_bare_bodies_are_understood() -> None:
    async with Server().run() as server, Phone(server) as phone:
        server.send(incoming(zlib.compress(CPIM), ("Content-Encoding", "deflate"), n=1))
        assert (await server.reply()).status == 200
        server.send(incoming(b"hi", content_type="text/plain; charset=utf-8", n=2))
        assert (await server.reply()).status == 200
        first, second = phone.inbox
        assert first.body == b"\x00\r\n\xff"
        assert (second.content_type, second.body) == ("text/plain; charset=utf-8", b"hi")
        assert second.message_id  # made from the transaction, since nothing names it


@pytest.mark.parametrize(
    ("request_", "status", "header"),
    [
        (incoming(method="PUBLISH"), 405, "Allow"),
        (incoming(b"x", content_type="application/octet-stream"), 415, "Accept"),
        (incoming(b"x", ("Content-Encoding", "br")), 415, "Accept-Encoding"),
        (incoming(zlib.compress(bytes(10_000_000)), ("Content-Encoding", "deflate")), 413, ""),
        (incoming(b"no cpim at all"), 400, ""),
        (incoming(content_type="junk"), 400, ""),
    ],
)
async def test_what_is_not_for_us_is_refused(request_: Request, status: int, header: str) -> None:
    async with Server().run() as server, Phone(server) as phone:
        server.send(request_)
        reply = await server.reply()
        assert reply.status == status
        assert not header or header in reply.headers
        assert phone.inbox == []
        assert phone.transport.status.state is RcsState.REGISTERED


async def test_options_are_answered_with_our_tags() -> None:
    async with Server().run() as server, Phone(server):
        server.send(incoming(method="OPTIONS"))
        reply = await server.reply()
        assert reply.status == 200
        contact = NameAddr.parse(reply.headers.get("Contact") or "")
        assert "+g.gsma.rcs.cpm.pager-large" in contact.params
        assert "oma.cpm.msg" in (contact.params.get("+g.3gpp.icsi-ref") or "")


async def test_other_tags_are_registered_at_once_and_told_to_who_asks() -> None:
    """rcc16.md 1.9: the capability is there when there is a certificate, and goes with it."""
    async with Server().run() as server, Phone(server) as phone:
        known = len(server.registers)
        for tags in ((("+g.gsma.mls", "1"),), ()):
            phone.transport.advertise(tags)
            async with asyncio.timeout(5):
                while len(server.registers) == known:
                    await asyncio.sleep(0.01)
            known = len(server.registers)
            contact = NameAddr.parse(server.registers[-1].headers.get("Contact") or "")
            assert ("+g.gsma.mls" in contact.params) is bool(tags)
            assert phone.transport.status.state is RcsState.REGISTERED
            if tags:
                server.send(incoming(method="OPTIONS"))
                told = NameAddr.parse((await server.reply()).headers.get("Contact") or "")
                assert "+g.gsma.mls" in told.params


async def test_sender_is_unknown_when_nobody_vouches() -> None:
    async with Server().run() as server, Phone(server) as phone, Phone(server, trust_from=True) as lab:
        request = incoming()
        bare = Request(request.method, request.uri, request.headers.without("P-Asserted-Identity"), request.body)
        server.send(bare)  # to `lab`, which connected last
        await server.reply()
        assert lab.inbox[0].sender == PEER
        assert phone.inbox == []
        assert unwrap(bare, ME, 0, max_body=1000, trust_from=False).sender is None


# --- SR-19 -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("host", ["192.0.2.1", "sip.example.test", "::ffff:192.0.2.1", "10.0.0.1"])
async def test_sr_19_no_plaintext_beyond_this_machine(host: str) -> None:
    async def nothing(inbound: Inbound) -> None: ...

    server = Server()
    with pytest.raises(InputError) as caught:
        RcsTransport(config(server, server=host), nothing)
    assert caught.value.code == "rcs.plaintext"
    assert caught.value.hint
    with pytest.raises(InputError):
        RcsTransport(config(server, server=host, tls=True, trust_from=True), nothing)
    RcsTransport(config(server, server=host, insecure_lab=True, trust_from=True), nothing)  # somebody asked for it


async def test_sr_19_a_name_that_leads_elsewhere_is_left_before_a_word_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`localhost` is a name like any other: what counts is where the connection went."""
    async with Server().run() as server:
        phone = Phone(server, server="localhost")
        monkeypatch.setattr("letterlock.transport.rcs.presence.is_loopback", lambda host: host == "localhost")
        await phone.transport.start()
        status = await phone.until(RcsState.OFFLINE)
        assert "without TLS" in status.reason
        assert server.registers == []
        await phone.transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LabCertificate:
    return write_lab_certificate(tmp_path_factory.mktemp("tls"))


async def test_sr_19_tls_with_the_right_name_works(certificate: LabCertificate) -> None:
    authority = str(certificate.authority)
    async with (
        Server().run(certificate.server_context()) as server,
        Phone(server, tls=True, ca_file=authority) as phone,
    ):
        assert (await phone.transport.send(outbound())).accepted
        contact = NameAddr.parse(server.registers[-1].headers.get("Contact") or "")
        assert contact.uri.params.get("transport") == "tls"
        assert "SIP/2.0/TLS" in (server.registers[-1].headers.get("Via") or "")


@pytest.mark.parametrize("wrong", ["name", "authority", "system"])
async def test_sr_19_tls_that_does_not_verify_is_refused(
    certificate: LabCertificate, wrong: str, tmp_path: Path
) -> None:
    other = write_lab_certificate(tmp_path)
    changes: dict[str, dict[str, object]] = {
        "name": {"ca_file": str(certificate.authority), "tls_name": "other.example.test"},
        "authority": {"ca_file": str(other.authority)},
        "system": {},
    }
    async with Server().run(certificate.server_context()) as server:
        phone = Phone(server, tls=True, **changes[wrong])
        await phone.transport.start()
        status = await phone.until(RcsState.OFFLINE)
        assert "certificate" in status.reason
        assert server.registers == []
        await phone.transport.close()


async def test_passwords_are_not_in_the_repr() -> None:
    """SR-10."""
    assert "pw" not in repr(config(Server()))
