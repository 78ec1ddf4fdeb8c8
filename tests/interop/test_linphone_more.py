"""Linphone's library with ours: typing, files over our content server, and a group as far as it goes with our focus."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from interop import kamailio as kamailio_server
from interop.kamailio import LAB_PASSWORD, Kamailio, free_ports
from interop.linphone import Linphone, LinphoneLibrary, library_missing, missing
from interop.sip_lines import SipLine, SipServer
from interop.test_kamailio_conversation import heard
from interop.test_kamailio_rcs import fresh_number
from interop.test_linphone_chat import CPIM, cpim, opened, our_client
from letterlock.codec.ft_http import decode_file
from letterlock.engine.events import MessageReceived, TypingChanged
from letterlock.services.content import ContentServer
from letterlock.services.focus import Focus
from letterlock.transport.content.config import ContentSettings

_WHY = missing() or library_missing() or kamailio_server.missing()
pytestmark = [pytest.mark.anyio, pytest.mark.kamailio, pytest.mark.skipif(bool(_WHY), reason=_WHY)]

FILE_NOTICE = "application/vnd.gsma.rcs-ft-http+xml"
# Files of any size are fetched by themselves.
AUTOMATIC = "[app]\nauto_download_incoming_files_max_size=0\n"


@pytest.fixture
async def content(tmp_path: Path) -> AsyncIterator[ContentServer]:
    server = ContentServer(tmp_path / "content", password_of=None)
    await server.start()
    yield server
    await server.close()


async def test_typing_and_text_of_its_library_reach_our_client(kamailio: Kamailio, tmp_path: Path) -> None:
    async with (
        our_client(kamailio, tmp_path, tls=False) as client,
        LinphoneLibrary(kamailio, fresh_number()) as linphone,
    ):
        us = f"sip:{client.number}@{kamailio.domain}"
        await client.chat(linphone.number)  # type: ignore[arg-type]
        sent = await linphone.ask("say", to=us, text="Grüße aus der Bibliothek")
        await heard(client, lambda e: isinstance(e, MessageReceived) and e.text == "Grüße aus der Bibliothek")
        await linphone.until("state", {"state": "delivered"}, **sent)
        await linphone.ask("typing", to=us)
        (event,) = await heard(client, lambda e: isinstance(e, TypingChanged) and e.active)
        assert isinstance(event, TypingChanged) and not event.encrypted


async def test_our_typing_reaches_its_library(kamailio: Kamailio) -> None:
    async with SipLine(kamailio, fresh_number()) as alice, LinphoneLibrary(kamailio, fresh_number()) as linphone:
        await alice.register()
        mine, kind = alice.uri(alice.me), "application/im-iscomposing+xml"
        await alice.message(linphone.number, b"hello", ("Content-Type", "text/plain"))
        await linphone.until("heard", {"last": "hello", "typing": False}, to=mine)
        typing = (
            b'<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state>'
            b"<contenttype>text/plain</contenttype><refresh>60</refresh></isComposing>"
        )
        await alice.message(linphone.number, typing, ("Content-Type", kind))
        await linphone.until("heard", {"typing": True}, to=mine)
        await alice.message(linphone.number, typing.replace(b"active", b"idle"), ("Content-Type", kind))
        await linphone.until("heard", {"typing": False}, to=mine)


async def test_it_displays_and_says_so_where_it_was_asked(kamailio: Kamailio) -> None:
    """The display receipt, which the daemon never sends."""
    async with SipLine(kamailio, fresh_number()) as alice, LinphoneLibrary(kamailio, fresh_number()) as linphone:
        await alice.register()
        mine = alice.uri(alice.me)
        assert (
            await alice.message(linphone.number, cpim(mine, alice.uri(linphone.number), b"seen?"), *CPIM)
        ).status == 200
        assert b"<delivered/>" in opened(await alice.take())
        await linphone.ask("read", to=mine)
        receipt = await alice.take()
        assert b"<displayed/>" in opened(receipt)


async def test_it_uploads_to_our_content_server(kamailio: Kamailio, content: ContentServer, tmp_path: Path) -> None:
    """Its upload is taken, its notice is read by our codec, and the bytes are there."""
    data = os.urandom(100_000)
    (tmp_path / "holiday.jpg").write_bytes(data)
    async with (
        SipLine(kamailio, fresh_number()) as alice,
        LinphoneLibrary(kamailio, fresh_number(), file_server=content.url) as linphone,
    ):
        await alice.register()
        sent = await linphone.ask("file", to=alice.uri(alice.me), path=str(tmp_path / "holiday.jpg"), type="image/jpeg")
        notice = await alice.take()
        assert notice.headers.get("Content-Type") == FILE_NOTICE
        document = decode_file(notice.body, ContentSettings().documents)
        assert (document.file.name, document.file.size, document.file.content_type) == (
            "holiday.jpg", len(data), "image/jpeg",
        )  # fmt: skip
        async with aiohttp.ClientSession() as session, session.get(document.file.url) as response:
            assert await response.read() == data
        await linphone.until("state", {"state": "delivered"}, **sent)


async def test_it_downloads_from_our_content_server(kamailio: Kamailio, content: ContentServer) -> None:
    data = os.urandom(100_000)
    async with aiohttp.ClientSession() as session:
        form = aiohttp.FormData()
        form.add_field("tid", str(uuid.uuid4()), content_type="text/plain")
        form.add_field("File", data, filename="holiday.jpg", content_type="image/jpeg")
        async with session.post(content.url, data=form) as response:
            notice = await response.read()
    async with (
        SipLine(kamailio, fresh_number()) as alice,
        Linphone(kamailio, fresh_number(), extra=AUTOMATIC) as linphone,
    ):
        await alice.register()
        body = cpim(alice.uri(alice.me), alice.uri(linphone.number), notice, FILE_NOTICE)
        assert (await alice.message(linphone.number, body, *CPIM)).status == 200
        assert b"<delivered/>" in opened(await alice.take())
        await linphone.heard("message-received")
        assert linphone.file("holiday.jpg") == data


async def test_its_invitation_to_a_group(tmp_path: Path) -> None:
    """A recipient list as RFC 5366 has it, and no session: Linphone's groups are messages by SIP, not by MSRP."""
    port = free_ports(1)[0]
    with Kamailio(lab_password=LAB_PASSWORD, focus=port) as server:
        async with SipServer(server, "focus", port) as focus, LinphoneLibrary(server, fresh_number()) as linphone:
            member = f"sip:{fresh_number()}@{server.domain}"
            room = await linphone.ask("group", subject="two friends", members=[member])
            invite = await focus.next("INVITE")
            assert invite.headers.get("Require") == "recipient-list-invite"
            assert invite.headers.get("Content-Type") == "application/resource-lists+xml"
            assert invite.headers.get("Subject") == "two friends"
            assert member.encode() in invite.body
            assert b"m=message" not in invite.body
            assert '+org.linphone.specs="' in (invite.headers.get("Contact") or "")
            focus.answer(invite, 488)
            await linphone.until("room", {"state": "creation failed", "participants": 0}, **room)


async def test_a_group_at_our_focus_ends_at_once_and_says_so(tmp_path: Path) -> None:
    """Our focus wants what RCS writes, a Contribution-ID and a session. Linphone has neither, and is told that at once."""
    async with contextlib.AsyncExitStack() as stack:
        port = free_ports(1)[0]
        server = stack.enter_context(Kamailio(lab_password=LAB_PASSWORD, focus=port))
        focus = Focus(
            str(tmp_path / "focus.db"), domain=server.domain, proxy=(server.host, server.application_port), port=port
        )
        await focus.start()
        stack.push_async_callback(focus.close)
        linphone = await stack.enter_async_context(LinphoneLibrary(server, fresh_number()))
        member = f"sip:{fresh_number()}@{server.domain}"
        room = await linphone.ask("group", subject="two friends", members=[member])
        await linphone.until("room", {"state": "creation failed"}, **room)
        # The same invitation by hand, for the answer that it heard.
        alice = await stack.enter_async_context(SipLine(server, fresh_number()))
        await alice.register()
        names = f'<entry uri="{member}"/>'.encode()
        lists = (
            b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>'
            + names
            + b"</list></resource-lists>"
        )
        head = (
            ("Contact", alice.contact), ("Require", "recipient-list-invite"), ("Subject", "two friends"),
            ("Content-Type", "application/resource-lists+xml"), ("Content-Disposition", "recipient-list"),
        )  # fmt: skip
        answer = await alice.send(alice.build("INVITE", alice.uri("conference-factory"), *head, body=lists))
        assert (answer.status, answer.reason) == (400, "Bad Request (focus.contribution)")
