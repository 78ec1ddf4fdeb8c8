"""A disk that is really full: under a profile, the focus, the mailbox, the content server. Whoever writes hears of it,
nothing is acknowledged that is not stored, and it works again when there is room."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from content.lab import Server, browser, document
from content.test_content_server import FORM, form
from e2e.world import ANA, BEN
from faults.disk import Disk
from faults.lab import ROOMY, SOON, Lab
from focus.town import Town
from letterlock.engine.events import MessageDelivered, MessageFailed
from letterlock.errors import StoreError
from letterlock.services.mailbox import Mailbox
from letterlock.services.mailbox.limits import MailboxLimits
from store_and_forward.proxy import DOMAIN, PHONE, Proxy

pytestmark = pytest.mark.anyio


_SOON = MailboxLimits(reconnect_ms=50, retry_first_ms=50)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk.mounted(tmp_path / "disk") as disk:
        yield disk


# --- a profile -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("session", [False, True], ids=["request", "session"])
async def test_a_receiver_whose_disk_is_full(tmp_path: Path, disk: Disk, session: bool) -> None:
    """It takes nothing and acknowledges nothing; what was sent meanwhile is there once when there is room."""
    async with Lab.open(tmp_path) as lab:
        limits = SOON if not session else ROOMY
        changes = {"rcs": {"max_pager": 0}} if session else {}
        ana, ben = (
            await lab.phone(ANA, limits=limits, **changes),
            await lab.phone(BEN, "disk/ben", limits=limits, **changes),
        )
        await lab.arrives(ana, ben, "there is room")
        disk.fill()
        texts = [f"{number} " + os.urandom(3_500).hex() for number in range(12)]
        sent = {await ana.say(BEN, text): text for text in texts}
        await lab.until(lambda: len(answered(lab, ana, sent)) == len(sent))
        stored = set(await ben.heard())
        promised = {event.message_id for event in await ana.told(MessageDelivered)} & set(sent)
        assert {sent[message_id] for message_id in promised} <= stored
        refused = [text for text in texts if text not in stored]
        assert refused, "the disk is full"
        disk.free()
        for message_id in sent:
            await lab.delivered(ana, message_id)
        await ben.client.settled()
        heard = Counter(await ben.heard())
        assert all(heard[text] == 1 for text in texts)
        assert await ana.told(MessageFailed) == []


def answered(lab: Lab, phone: object, sent: dict[str, str]) -> set[str]:
    """Which of them the network has answered, whatever it said."""
    handed = lab.transport_of(phone).handed  # type: ignore[arg-type]
    return {outbound.message_id for outbound, _ in handed} & set(sent)


async def test_a_sender_whose_disk_is_full(tmp_path: Path, disk: Disk) -> None:
    """The call says so, with a hint; nothing of it leaves; what it accepted is delivered; the next works."""
    async with Lab.open(tmp_path) as lab:
        ben, ana = await lab.phone(BEN, limits=SOON), await lab.phone(ANA, "disk/ana", limits=SOON)
        await lab.arrives(ana, ben, "there is room")
        disk.fill()
        accepted: list[str] = []
        for number in range(200):
            text = f"{number} " + os.urandom(3_500).hex()
            try:
                await ana.say(BEN, text)
            except StoreError as error:
                assert error.code == "store.full"
                assert error.hint
                failed = text
                break
            accepted.append(text)
        else:
            raise AssertionError("the disk is full")
        disk.free()
        await lab.arrives(ana, ben, "there is room again")
        for text in accepted:
            await ben.hears(text)
        assert failed not in await ben.heard()


# --- services -----------------------------------------------------------------------------------------------------
async def test_a_mailbox_that_finds_its_disk_full_when_the_proxy_comes(disk: Disk) -> None:
    """It cannot read what waits just then; it goes on, and brings it when there is room."""
    proxy = Proxy()
    mailbox = Mailbox(
        str(disk.folder / "mailbox.db"), domain=DOMAIN, proxy=("127.0.0.1", proxy.application_port), limits=_SOON
    )
    async with mailbox, proxy.handing_over(mailbox.port) as line:
        assert (await proxy.register(line, PHONE)).status == 200
        assert (await proxy.hand(line, b"kept before")).status == 202
        disk.fill()

        async def press() -> None:
            while True:
                await proxy.hand(line, os.urandom(30_000))

        pressing = [asyncio.ensure_future(press()) for _ in range(8)]
        while (await proxy.hand(line, os.urandom(30_000))).status != 500:
            pass
        async with proxy.listening():
            await proxy.until(lambda: mailbox._links.to_proxy is not None)
            for each in pressing:
                each.cancel()
            await asyncio.gather(*pressing, return_exceptions=True)
            disk.free()
            await proxy.until(lambda: b"kept before" in proxy.messages())


async def test_the_mailbox(disk: Disk) -> None:
    """500 with Retry-After, never 202; what it did take it hands out."""
    proxy = Proxy()
    proxy.answer = lambda _: (480, ())
    async with (
        proxy.listening(),
        Mailbox(str(disk.folder / "mailbox.db"), domain=DOMAIN, proxy=("127.0.0.1", proxy.application_port)) as mailbox,
        proxy.handing_over(mailbox.port) as line,
    ):
        disk.fill()
        kept, refused = [], []
        for number in range(400):
            body = b"%d " % number + os.urandom(30_000)
            answer = await proxy.hand(line, body, present=(PHONE,))
            if answer.status == 202:
                kept.append(body)
                continue
            assert answer.status == 500
            assert int(answer.headers.get("Retry-After") or "0") > 0
            refused.append(body)
            break
        assert refused, "the disk is full"
        disk.free()
        proxy.answer = lambda _: (200, ())
        assert (await proxy.hand(line, b"there is room again", present=(PHONE,))).status == 202
        assert (await proxy.register(line, PHONE)).status == 200
        await proxy.until(lambda: b"there is room again" in proxy.messages())
        messages = Counter(proxy.messages())
        assert all(messages[body] >= 1 for body in kept)
        assert not any(messages[body] for body in refused)


async def test_the_focus(disk: Disk) -> None:
    """Its members hear that it was not kept; what it did keep reaches those who are away, once."""
    async with Town(disk.folder) as town:
        ana, bob = town.device(1), town.device(2)
        await ana.create(bob.number)
        await bob.attending()
        bob.hang_up()
        bob.answers = None
        assert await ana.say("there is room") == 200
        disk.fill()
        kept, refused = ["there is room"], []
        async with asyncio.timeout(20):
            for number in range(400):
                text = f"{number} " + os.urandom(10_000).hex()
                status = await ana.say(text)
                if status == 200:
                    kept.append(text)
                    continue
                assert status in (408, 413), status  # what MSRP has for it
                refused.append(text)
                break
        assert refused, "the disk is full"
        disk.free()
        kept.append("there is room again")
        assert await ana.say("there is room again") == 200
        bob.answers = True
        assert await bob.got(len(kept)) == kept


async def test_the_content_server(disk: Disk) -> None:
    """507 and nothing to fetch; the same upload works when there is room."""
    async with Server.running(disk.folder, password_of=None) as lab, browser() as session:
        disk.fill()
        body = os.urandom(200_000)
        async with session.post(lab.url, data=form(body), headers=FORM) as refused:
            assert refused.status in (500, 503, 507)
            code = (await refused.json())["code"]
            assert code in ("content.full", "store")
        disk.free()
        async with session.post(lab.url, data=form(body), headers=FORM) as stored:
            assert stored.status == 200
            found = document(await stored.read())
        async with session.get(found.file.url) as got:
            assert await got.read() == body
