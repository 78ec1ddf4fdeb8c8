"""Linphone's daemon and our whole client through Kamailio, in a chat that the user has allowed to be unencrypted.

What it cannot do is a test that expects its very answer: when a newer Linphone can, the test says so.
"""

from __future__ import annotations

import dataclasses
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from interop import kamailio as kamailio_server
from interop.kamailio import LAB_PASSWORD, Kamailio
from interop.linphone import Linphone, missing
from interop.sip_lines import SipLine
from interop.test_kamailio_conversation import heard
from interop.test_kamailio_rcs import fresh_number
from lab_certificate import write_lab_certificate
from letterlock.client import Chat, Client, ContentAccount, Environment, SipAccount
from letterlock.codec.sip import Request
from letterlock.engine.events import MessageDelivered, MessageReceived
from letterlock.engine.limits import DEFAULTS
from letterlock.errors import NotEncrypted
from letterlock.ids import MessageId
from letterlock.keystore import KeyFile
from letterlock.services.directory import Directory

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.kamailio,
    pytest.mark.skipif(bool(missing() or kamailio_server.missing()), reason=missing() or kamailio_server.missing()),
]

ENVIRONMENT = dataclasses.replace(
    Environment(), engine_limits=dataclasses.replace(DEFAULTS, retry_first_ms=200, retry_longest_ms=500, typing_ms=0)
)
CPIM = (("Content-Type", "message/cpim"),)


@asynccontextmanager
async def our_client(
    server: Kamailio, folder: Path, *, tls: bool, content: ContentAccount | None = None
) -> AsyncIterator[Client]:
    """A profile of ours, registered."""
    number = fresh_number()
    codes: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        directory = Directory(
            str(folder / "directory.db"), on_code=lambda issued: codes.update({issued.number: issued.code})
        )
        await directory.start()
        stack.push_async_callback(directory.close)
        KeyFile(folder / "key").create(os.urandom)

        async def code() -> str:
            return codes[number]

        environment = dataclasses.replace(ENVIRONMENT, state=folder / "state")
        await Client.create(
            folder / "profile",
            number,
            directory=directory.url,
            code=code,
            key_file=folder / "key",
            environment=environment,
            content=content,
            sip=SipAccount(
                server=server.host,
                port=server.tls_port if tls else server.tcp_port,
                domain=server.domain,
                username=number,
                password=LAB_PASSWORD,
                tls=tls,
                ca_file=str(server.certificate.authority) if tls else None,
            ),
        )
        yield await stack.enter_async_context(
            Client.open(folder / "profile", key_file=folder / "key", environment=environment)
        )


async def say_plainly(client: Client, chat: Chat, text: str) -> MessageId:
    """Send as a user who was told that this chat is not encrypted, and decided (SR-01)."""
    await client.settled()  # the look-up of keys has been answered
    try:
        return await chat.send(text)
    except NotEncrypted as refusal:
        return await chat.send(text, allow=refusal.options[0])


def cpim(sender: str, recipient: str, body: bytes, kind: str = "text/plain;charset=UTF-8", **headers: str) -> bytes:
    """A CPIM message that asks for receipts; `DateTime` in November unless given."""
    lines = [f"From: <{sender}>", f"To: <{recipient}>", f"DateTime: {headers.pop('DateTime', '2026-11-23T12:00:00Z')}"]
    lines += ["NS: imdn <urn:ietf:params:imdn>", f"imdn.Message-ID: {os.urandom(6).hex()}"]
    lines += ["imdn.Disposition-Notification: positive-delivery, negative-delivery, display", ""]
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def opened(request: Request) -> bytes:
    """A body as it was before its encoding."""
    deflated = request.headers.get("Content-Encoding") == "deflate"
    return zlib.decompress(request.body) if deflated else request.body


@asynccontextmanager
async def line_and_linphone(server: Kamailio) -> AsyncIterator[tuple[SipLine, Linphone]]:
    async with SipLine(server, fresh_number()) as alice, Linphone(server, fresh_number()) as linphone:
        await alice.register()
        yield alice, linphone


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_a_chat_both_ways_with_receipts(kamailio: Kamailio, tmp_path: Path, tls: bool) -> None:
    """It refuses our anonymous CPIM with 488 and takes the second try, with addresses; its receipt comes back."""
    async with (
        our_client(kamailio, tmp_path, tls=tls) as client,
        Linphone(kamailio, fresh_number(), tls=tls) as linphone,
    ):
        chat = await client.chat(linphone.number)  # type: ignore[arg-type]
        for text in ("hello", "Grüße, 你好", "a second line follows"):
            message = await say_plainly(client, chat, text)
            arrived = await linphone.heard("message-received", Content=f'"{text}"')
            assert arrived.fields["From"].startswith(f"sip:{client.number}@")
            (event,) = await heard(client, lambda e, m=message: isinstance(e, MessageDelivered) and e.message_id == m)
            assert isinstance(event, MessageDelivered) and not event.authenticated
            said = await linphone.say(client.number, f"back {text}")
            (event,) = await heard(client, lambda e, t=text: isinstance(e, MessageReceived) and e.text == f"back {t}")
            assert isinstance(event, MessageReceived) and not event.encrypted and event.chat == linphone.number
            await linphone.heard("message-state-changed", Id=said, State="LinphoneChatMessageStateDelivered")


async def test_it_refuses_a_certificate_that_it_does_not_know(kamailio: Kamailio, tmp_path: Path) -> None:
    """Its TLS is verified: with another authority there is no registration."""
    trusted, kamailio.certificate = kamailio.certificate, write_lab_certificate(tmp_path)
    try:
        with pytest.raises(RuntimeError, match="Certificate verification failed"):
            async with Linphone(kamailio, fresh_number(), tls=True, wait_s=4):
                pass
    finally:
        kamailio.certificate = trusted


async def test_receipts_are_cpim_in_deflate_or_bare(kamailio: Kamailio) -> None:
    """Its delivery receipt, as RFC 5438 has it; failures come deflated, and both are read by our own reader elsewhere."""
    async with line_and_linphone(kamailio) as (alice, linphone):
        mine, theirs = alice.uri(alice.me), alice.uri(linphone.number)
        assert (await alice.message(linphone.number, cpim(mine, theirs, b"hello"), *CPIM)).status == 200
        receipt = await alice.take()
        assert receipt.headers.get("Content-Type") == "message/imdn+xml"
        assert b"<delivered/>" in opened(receipt)
        assert (
            await alice.message(linphone.number, cpim(mine, theirs, b"\x00\xff", "message/mls"), *CPIM)
        ).status == 415
        receipt = await alice.take()
        assert receipt.headers.get("Content-Encoding") == "deflate"
        assert b"<failed/>" in opened(receipt) and b'code="415"' in opened(receipt)


@pytest.mark.parametrize(
    ("what", "status"),
    [("anonymous", 488), ("january", 488), ("milliseconds", 200), ("without a date", 200)],
)
async def test_what_it_thinks_of_cpim(kamailio: Kamailio, what: str, status: int) -> None:
    """5.1.65 refuses anonymous addresses, which RCS writes, and dates in January; our client tries the first again."""
    async with line_and_linphone(kamailio) as (alice, linphone):
        mine, theirs = alice.uri(alice.me), alice.uri(linphone.number)
        anonymous = "sip:anonymous@anonymous.invalid"
        body = {
            "anonymous": cpim(anonymous, anonymous, b"hello"),
            "january": cpim(mine, theirs, b"hello", DateTime="2026-01-23T12:00:00Z"),
            "milliseconds": cpim(mine, theirs, b"hello", DateTime="2026-11-23T12:00:00.123Z"),
            "without a date": cpim(mine, theirs, b"hello").replace(b"DateTime: 2026-11-23T12:00:00Z\r\n", b""),
        }[what]
        assert (await alice.message(linphone.number, body, *CPIM)).status == status
        receipt = opened(await alice.take())
        assert (b"<delivered/>" in receipt) == (status == 200)
        assert (b'code="488"' in receipt) == (status == 488)


@pytest.mark.parametrize("kind", ["message/mls", "application/vnd.letterlock.signal"])
async def test_ciphertext_is_refused_with_words_and_not_shown(kamailio: Kamailio, kind: str) -> None:
    """415, bare or in CPIM: nobody reads a wall of bytes; our engine takes it for what it is, a device without keys."""
    async with line_and_linphone(kamailio) as (alice, linphone):
        mine, theirs = alice.uri(alice.me), alice.uri(linphone.number)
        frame = bytes(range(256))
        assert (await alice.message(linphone.number, frame, ("Content-Type", kind))).status == 415
        assert (await alice.message(linphone.number, cpim(mine, theirs, frame, kind), *CPIM)).status == 415


async def test_typing_is_taken_and_its_own_is_not_sent(kamailio: Kamailio) -> None:
    """is-composing is answered 200, bare and in CPIM. The daemon's socket has no command to type."""
    async with line_and_linphone(kamailio) as (alice, linphone):
        mine, theirs = alice.uri(alice.me), alice.uri(linphone.number)
        typing = (
            b'<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state>'
            b"<contenttype>text/plain</contenttype><refresh>60</refresh></isComposing>"
        )
        kind = "application/im-iscomposing+xml"
        assert (await alice.message(linphone.number, typing, ("Content-Type", kind))).status == 200
        assert (await alice.message(linphone.number, cpim(mine, theirs, typing, kind), *CPIM)).status == 200
        assert (await linphone.command("typing on"))["Status"] == "Error"


async def test_it_is_no_session_client(kamailio: Kamailio) -> None:
    """An INVITE to an MSRP session is 488, capabilities are 200 without a tag: our client stays with pager messages."""
    async with line_and_linphone(kamailio) as (alice, linphone):
        offer = (
            b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"
            b"a=path:msrp://127.0.0.1:9/x;tcp\r\na=setup:actpass\r\na=accept-types:message/cpim\r\n"
        )
        head = (("Contact", alice.contact), ("Content-Type", "application/sdp"))
        invite = alice.build("INVITE", alice.uri(linphone.number), *head, body=offer)
        assert (await alice.send(invite)).status == 488
        answer = await alice.send(alice.build("OPTIONS", alice.uri(linphone.number), ("Contact", alice.contact)))
        assert answer.status == 200
        assert "+g." not in " ".join(answer.headers.all("Contact"))


async def test_a_file_notice_is_delivered(kamailio: Kamailio) -> None:
    """The XML of HTTP file transfer comes as a message; without a plan to download it is shown as its text."""
    async with line_and_linphone(kamailio) as (alice, linphone):
        mine, theirs = alice.uri(alice.me), alice.uri(linphone.number)
        notice = (
            b'<?xml version="1.0" encoding="UTF-8"?><file xmlns="urn:gsma:params:xml:ns:rcs:rcs:fthttp">'
            b'<file-info type="file" file-disposition="attachment"><file-size>5</file-size><file-name>a.txt</file-name>'
            b'<content-type>text/plain</content-type><data url="http://127.0.0.1:1/x" until="2027-01-01T00:00:00Z"/>'
            b"</file-info></file>"
        )
        kind = "application/vnd.gsma.rcs-ft-http+xml"
        assert (await alice.message(linphone.number, cpim(mine, theirs, notice, kind), *CPIM)).status == 200
        assert b"<delivered/>" in opened(await alice.take())
        event = await linphone.heard("message-received")
        assert "urn:gsma:params:xml:ns:rcs:rcs:fthttp" in event.fields["Content"]
