"""The mailbox over its sockets, with a script in the proxy's place."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interop.sip_lines import SipLine
from letterlock.codec.sip import Headers, Request
from letterlock.errors import DecodeError
from letterlock.services.mailbox import Mailbox, MailboxLimits
from letterlock.services.mailbox.requests import arrival_of, devices_of, registered_number
from postgres import ONLY_SQLITE, database_in
from store_and_forward.proxy import ALICE, BOB, DOMAIN, PHONE, TABLET, Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_databases")]

QUICK = MailboxLimits(retry_first_ms=50, retry_away_ms=60_000, reconnect_ms=50)


@asynccontextmanager
async def running(
    folder: Path, limits: MailboxLimits = QUICK, **options: object
) -> AsyncIterator[tuple[Proxy, SipLine, Mailbox]]:
    proxy = Proxy()
    where = ("127.0.0.1", proxy.application_port)
    async with proxy.listening():
        mailbox = Mailbox(database_in(folder, "mailbox.db"), domain=DOMAIN, proxy=where, limits=limits, **options)  # type: ignore[arg-type]
        async with mailbox, proxy.handing_over(mailbox.port) as line:
            yield proxy, line, mailbox


async def test_a_copy_is_byte_for_byte_what_came(tmp_path: Path) -> None:
    """Any body and any type; what belongs to one hop stays behind, what the network asserts stays."""
    body = bytes(range(256)) + b"\r\n\r\n--x"
    kept = (("Content-Type", "message/mls"), ("Subject", "Grüße"), ("X-Unknown", 'a,b;c="d"'), ("Contribution-ID", "1"))
    async with running(tmp_path) as (proxy, line, _):
        hop = (("Route", "<sip:x;lr>"), ("Record-Route", "<sip:y;lr>"), ("Proxy-Authorization", "Digest x"))
        assert (await proxy.hand(line, body, *kept, *hop, present=(PHONE,))).status == 202
        await proxy.until(lambda: bool(proxy.messages()))
        arrived = next(request for request in proxy.arrived if request.method == "MESSAGE")
        assert arrived.body == body and arrived.uri == f"sip:{BOB}@{DOMAIN};gr={PHONE}"
        for name, value in kept:
            assert arrived.headers.all(name) == (value,)
        assert arrived.headers.all("P-Asserted-Identity") == (f"<sip:{ALICE}@{DOMAIN}>", f"<tel:{ALICE}>")
        names = {name.lower() for name, _ in arrived.headers}
        assert not names & {
            "route",
            "record-route",
            "proxy-authorization",
            "p-letterlock-handover",
            "p-letterlock-device",
        }
        assert len(arrived.headers.all("Via")) == 1


async def test_one_at_a_time_in_order_and_the_next_only_when_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as (proxy, line, _):
        proxy.answer = lambda request: None if request.method == "MESSAGE" else (200, ())
        for number in range(40):
            assert (await proxy.hand(line, b"%d" % number, present=(PHONE,))).status == 202
        await proxy.until(lambda: len(proxy.messages()) == 1)
        held = proxy.arrived[-1] if proxy.arrived[-1].method == "MESSAGE" else proxy.arrived[-2]
        assert held.body == b"0"
        assert len(proxy.messages()) == 1


async def test_a_device_that_is_away_is_left_alone_until_it_registers(tmp_path: Path) -> None:
    async with running(tmp_path) as (proxy, line, _):
        proxy.answer = lambda request: (480, ()) if request.method == "MESSAGE" else (200, ())
        await proxy.register(line, PHONE)
        for number in range(3):
            assert (await proxy.hand(line, b"%d" % number)).status == 202
        await proxy.until(lambda: len(proxy.messages()) == 1)
        proxy.answer = lambda _: (200, ())
        assert (await proxy.hand(line, b"3")).status == 202
        assert proxy.messages() == [b"0"]  # not tried again by a newer message
        await proxy.register(line, PHONE)
        await proxy.until(lambda: proxy.messages()[1:] == [b"0", b"1", b"2", b"3"])


async def test_trouble_is_tried_again_and_each_device_goes_its_own_way(tmp_path: Path) -> None:
    async with running(tmp_path) as (proxy, line, _):
        tries = 0

        def answer(request: Request) -> tuple[int, tuple[tuple[str, str], ...]]:
            nonlocal tries
            if PHONE in request.uri and request.method == "MESSAGE":
                tries += 1
                return (500, ()) if tries < 4 else (200, ())
            return 200, ()

        proxy.answer = answer
        for body in (b"a", b"b"):
            await proxy.hand(line, body, present=(PHONE, TABLET))
        await proxy.until(lambda: proxy.messages(TABLET) == [b"a", b"b"])
        await proxy.until(lambda: proxy.messages(PHONE) == [b"a", b"a", b"a", b"a", b"b"])


async def test_the_word_to_pass_names_the_last_hand_over(tmp_path: Path) -> None:
    """One device, nothing waiting; a proxy that has handed over more, or began anew, says how far it is (412)."""
    async with running(tmp_path) as (proxy, line, _):
        await proxy.register(line, PHONE)
        await proxy.until(lambda: bool(proxy.grants()))
        grant = proxy.grants()[0]
        assert grant.uri == f"sip:{BOB}@{DOMAIN}" and grant.headers.get("P-Letterlock-Device") == PHONE
        assert grant.headers.get("SIP-If-Match") == "1"
        proxy.arrived.clear()
        proxy.answer = lambda r: (412, (("SIP-ETag", "7"),)) if r.headers.get("SIP-If-Match") != "7" else (200, ())
        await proxy.register(line, PHONE)
        await proxy.until(lambda: len(proxy.grants()) == 2)
        assert [each.headers.get("SIP-If-Match") for each in proxy.grants()] == ["2", "7"]
        proxy.arrived.clear()
        proxy.answer = lambda _: (200, ())
        await proxy.register(line, TABLET)
        await proxy.hand(line, b"for both")
        await proxy.until(lambda: bool(proxy.messages(PHONE) and proxy.messages(TABLET)))
        assert proxy.grants() == []


async def test_what_is_no_hand_over_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as (proxy, line, mailbox):
        uri = f"sip:{BOB}@{DOMAIN}"
        asserted, handed = ("P-Asserted-Identity", f"<sip:{ALICE}@{DOMAIN}>"), ("P-Letterlock-Handover", "1")
        for headers in (
            (asserted,),
            (handed,),
            (asserted, ("P-Letterlock-Handover", "x")),
            (asserted, handed, ("Expires", "soon")),
        ):
            assert (await line.send(line.build("MESSAGE", uri, *headers, ("Content-Type", "x/y")))).status == 400
        assert (await line.send(line.build("MESSAGE", f"sip:nobody@{DOMAIN}", asserted, handed))).status == 400
        assert (await line.send(line.build("INVITE", uri))).status == 405
        assert (await line.send(line.build("OPTIONS", uri))).status == 200
        unknown = await proxy.hand(line, b"nobody knows")
        assert (unknown.status, unknown.headers.get("Retry-After")) == (480, "60")
        assert await mailbox.waiting() == 0


async def test_sr_17_only_the_proxys_addresses_may_come(tmp_path: Path) -> None:
    proxy = Proxy()
    where = ("127.0.0.1", proxy.application_port)
    async with Mailbox(str(tmp_path / "m.db"), domain=DOMAIN, proxy=where, peers=("192.0.2.0/24",)) as mailbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


@ONLY_SQLITE
async def test_a_full_disk_is_said_and_nothing_is_promised(tmp_path: Path) -> None:
    async with running(tmp_path) as (proxy, line, mailbox):
        await proxy.register(line, PHONE)
        pages = await mailbox._writer.run(lambda tables: tables.connection.execute("PRAGMA page_count").fetchone()[0])
        await mailbox._writer.run(lambda tables: tables.connection.execute(f"PRAGMA max_page_count = {pages}"))
        answer = await proxy.hand(line, bytes(50_000), present=(PHONE,))
        assert (answer.status, answer.headers.get("Retry-After")) == (500, "60")
        await mailbox._writer.run(lambda tables: tables.connection.execute("PRAGMA max_page_count = 100000"))
        assert (await proxy.hand(line, bytes(50_000), present=(PHONE,))).status == 202
        await proxy.until(lambda: proxy.messages() == [bytes(50_000)])


@ONLY_SQLITE
async def test_every_commit_is_flushed(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, mailbox):
        run = mailbox._writer.run
        assert await run(lambda tables: tables.connection.execute("PRAGMA synchronous").fetchone()[0]) == 2
        assert await run(lambda tables: tables.connection.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"
    assert sqlite3.connect(tmp_path / "mailbox.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "P-Asserted-Identity",
                "P-Letterlock-Handover",
                "P-Letterlock-Device",
                "Expires",
                "To",
                "Contact",
                "Content-Type",
            ]
        ),
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(
                [f"<sip:{BOB}@{DOMAIN}>", "<tel:+15550101>", "1", "99999999999999999999", '"', "<", f"<{PHONE}>"]
            ),
        ),
    ),
    max_size=8,
)


@given(HEADERS, st.one_of(st.text(max_size=40), st.just(f"sip:{BOB}@{DOMAIN}")))
def test_sr_09_any_headers_give_a_value_or_the_documented_error(headers: list[tuple[str, str]], uri: str) -> None:
    request = Request("MESSAGE", uri, Headers(headers))
    for read in (arrival_of, registered_number, devices_of):
        try:
            read(request)
        except DecodeError:
            continue
