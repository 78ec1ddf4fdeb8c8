"""Files between Linphone and our whole client, over our content server, in a chat that the user left unencrypted.

The daemon receives by itself and tells; its library sends, for which the daemon has no command.
"""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from interop import kamailio as kamailio_server
from interop.kamailio import Kamailio
from interop.linphone import Linphone, LinphoneLibrary, library_missing, missing
from interop.sip_lines import SipLine
from interop.test_kamailio_conversation import heard
from interop.test_kamailio_rcs import fresh_number
from interop.test_linphone_chat import our_client
from interop.test_linphone_more import AUTOMATIC
from letterlock.client import Client, ContentAccount
from letterlock.engine.content import File, Unknown
from letterlock.engine.events import MessageReceived
from letterlock.errors import NotEncrypted
from letterlock.services.content import ContentServer

_WHY = missing() or library_missing() or kamailio_server.missing()
pytestmark = [pytest.mark.anyio, pytest.mark.kamailio, pytest.mark.skipif(bool(_WHY), reason=_WHY)]

CAREFUL = "Gr\u00fc\u00dfe & 'K\u00fcsse' <50%>; 1=1.jpg"
SIMPLER = "Gr\u00fc\u00dfe 'K\u00fcsse' 50%? 1=1; 2.jpg"
LARGE = 5 << 20


@pytest.fixture
async def content(tmp_path: Path) -> AsyncIterator[ContentServer]:
    server = ContentServer(tmp_path / "content", password_of=None)
    await server.start()
    yield server
    await server.close()


def account(content: ContentServer) -> ContentAccount:
    return ContentAccount(content.url, "us", "tulip")


def jpeg(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "size"), [("holiday.jpg", 0), (CAREFUL, 40_000), ("large.bin", LARGE)], ids=["thumbnail", "name", "5 MB"]
)
async def test_it_receives_from_us(
    kamailio: Kamailio, content: ContentServer, tmp_path: Path, name: str, size: int
) -> None:
    source, small = tmp_path / "source", tmp_path / "small.jpg"
    data = os.urandom(size) if size else jpeg(640, 480)
    source.write_bytes(data)
    small.write_bytes(jpeg(64, 48))
    async with (
        our_client(kamailio, tmp_path, tls=False, content=account(content)) as client,
        Linphone(kamailio, fresh_number(), extra=AUTOMATIC) as linphone,
    ):
        chat = await client.chat(linphone.number)
        await client.settled()
        # SR-01: nothing of it is at the server before the user has decided.
        with pytest.raises(NotEncrypted) as refusal:
            await chat.send_file(source, name=name, content_type="image/jpeg", thumbnail=small)
        assert list((tmp_path / "content" / "blobs").iterdir()) == []
        await chat.send_file(
            source, name=name, content_type="image/jpeg", thumbnail=small, allow=refusal.value.options[0]
        )
        arrived = await linphone.heard("message-received")
        assert arrived.fields["Size"] == "0"  # the daemon tells nothing of a file but that there is one
        assert linphone.files() == [name]
        assert linphone.file(name) == data


@pytest.mark.parametrize(
    ("name", "size", "shown", "saved"),
    [
        ("holiday.jpg", 40_000, "holiday.jpg", "holiday.jpg"),
        (SIMPLER, 40_000, SIMPLER, SIMPLER.replace("?", "_")),
        ("-rf \u202egpj.exe ", 40_000, "-rf gpj.exe", "rf gpj.exe"),
        ("large.bin", LARGE, "large.bin", "large.bin"),
    ],
    ids=["plain", "name", "trick", "5 MB"],
)
async def test_we_receive_from_it(
    kamailio: Kamailio, content: ContentServer, tmp_path: Path, name: str, size: int, shown: str, saved: str
) -> None:
    """SR-14: what it calls the file is text to show, already harmless from our server, and saved under a safer form."""
    folder, data = tmp_path / "in", os.urandom(size)
    folder.mkdir()
    async with file_from_linphone(kamailio, content, tmp_path, name, data) as (client, event):
        assert event.content is not None and not event.encrypted
        assert (event.content["kind"], event.content["name"], event.content["size"]) == ("file", shown, size)
        assert event.content["content_type"] == "image/jpeg" and event.content["thumbnail"] is None
        [view] = await (await client.conversation(event.chat)).find(event.message_id)
        assert isinstance(view.content, File)
        transfer = await client.download(view.content, folder)
        await transfer.wait()
        [got] = folder.iterdir()
        assert (got.name, got.read_bytes()) == (saved, data)


async def test_it_writes_a_name_into_xml_as_it_is(kamailio: Kamailio, content: ContentServer, tmp_path: Path) -> None:
    """Our server's answer has `&amp;` and `&lt;`; its notice of the same file has `&` and `<`, and is no XML."""
    async with file_from_linphone(kamailio, content, tmp_path, CAREFUL, b"data") as (client, event):
        assert event.content is not None
        assert (event.content["kind"], event.content["reason"]) == ("unknown", "xml.malformed")
        [view] = await (await client.conversation(event.chat)).find(event.message_id)
        assert isinstance(view.content, Unknown) and view.content.body is not None
        assert f"<file-name>{CAREFUL}</file-name>".encode() in view.content.body


async def test_a_server_that_wants_a_password_is_one_too_many(kamailio: Kamailio, tmp_path: Path) -> None:
    """It gives up at 401, with credentials for that realm among its own."""
    (tmp_path / "holiday.jpg").write_bytes(b"data")
    known = "[auth_info_1]\nusername=us\npasswd=tulip\nrealm=letterlock content\ndomain=127.0.0.1\n"
    server = ContentServer(tmp_path / "content", password_of={"us": "tulip"}.get)
    await server.start()
    try:
        async with (
            SipLine(kamailio, fresh_number()) as alice,
            LinphoneLibrary(kamailio, fresh_number(), file_server=server.url, extra=known) as linphone,
        ):
            await alice.register()
            to, path = alice.uri(alice.me), str(tmp_path / "holiday.jpg")
            sent = await linphone.ask("file", to=to, path=path, type="image/jpeg")
            await linphone.until("state", {"state": "file transfer error"}, **sent)
            assert "Received HTTP code response 401 for file transfer" in linphone.log()
    finally:
        await server.close()


@asynccontextmanager
async def file_from_linphone(
    kamailio: Kamailio, content: ContentServer, folder: Path, name: str, data: bytes
) -> AsyncIterator[tuple[Client, MessageReceived]]:
    """Our client, and what it was told of a file that Linphone has sent."""
    (folder / "out").mkdir()
    path = folder / "out" / name
    path.write_bytes(data)
    async with (
        our_client(kamailio, folder, tls=False, content=account(content)) as client,
        LinphoneLibrary(kamailio, fresh_number(), file_server=content.url) as linphone,
    ):
        us = f"sip:{client.number}@{kamailio.domain}"
        sent = await linphone.ask("file", to=us, path=str(path), type="image/jpeg")
        [event] = await heard(client, lambda event: isinstance(event, MessageReceived))
        assert isinstance(event, MessageReceived)
        yield client, event
        await linphone.until("state", {"state": "delivered"}, **sent)
