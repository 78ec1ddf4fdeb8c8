"""The carrier over real sockets: our own transport on both ends, TCP and TLS, the wire log, and hostile peers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from carrier import phone
from carrier.phone import FRAME
from carrier.sip_peer import SipPeer
from lab_certificate import LabCertificate, write_lab_certificate
from letterlock.carrier import Accounts, Carrier, Interference, Searcher, Seen, read_wire_log, replaced, swallowed
from letterlock.carrier.settings import Settings
from letterlock.carrier.wirelog import Layer
from letterlock.codec.sip import Headers, Limits, Request, Response, StreamParser, encode
from letterlock.ids import Number, number
from letterlock.sip.digest import DigestClient
from letterlock.transport.rcs.presence import RcsState

pytestmark = pytest.mark.anyio

ALICE, BOB = number("+15550100"), number("+15550101")
ACCOUNTS = Accounts.of({ALICE: "alice-pw", BOB: "bob-pw"})


class Phone(phone.Phone):
    """A phone at this carrier."""

    def __init__(self, carrier: Carrier, me: Number, device: int = 1, *, ca: Path | None = None, password: str = ""):
        super().__init__(
            me,
            password or ACCOUNTS.password_of(me) or "",
            port=carrier.port,
            domain=carrier.domain,
            device=device,
            ca=ca,
        )


@contextlib.asynccontextmanager
async def carrier_of(tmp_path: Path, **options: object) -> AsyncIterator[Carrier]:
    carrier = Carrier("127.0.0.1", 0, ACCOUNTS, wire_log=tmp_path / "wire.log", **options)  # type: ignore[arg-type]
    async with carrier:
        yield carrier


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LabCertificate:
    return write_lab_certificate(tmp_path_factory.mktemp("lab"))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task brings about."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_two_phones_talk_and_the_log_has_every_byte(tmp_path: Path) -> None:
    body = bytes(range(256)) * 8
    async with carrier_of(tmp_path) as carrier, Phone(carrier, ALICE) as alice, Phone(carrier, BOB) as bob:
        assert await alice.send(BOB, body) == 200
        arrived = await bob.next()
        assert (arrived.sender, arrived.recipient, arrived.body) == (ALICE, BOB, body)
        assert arrived.content_type == FRAME
        assert await bob.send(ALICE, b"and back") == 200
        assert (await alice.next()).body == b"and back"
        assert await alice.transport.capabilities(BOB) is not None
    log = read_wire_log(tmp_path / "wire.log")
    assert [record.kind for record in log.records].count("O") == 2
    assert {stream.layer for stream in log.streams()} == {Layer.SOCKET}
    searcher = Searcher(log)
    # In, and out again to the other.
    assert {(hit.connection, hit.received) for hit in searcher.search(body)} == {(1, True), (2, False)}
    assert len(searcher.search("and back")) >= 2
    assert searcher.search("never said") == []


async def test_sr_19_tls_is_verified_and_both_layers_are_in_the_log(
    tmp_path: Path, certificate: LabCertificate
) -> None:
    async with carrier_of(tmp_path, tls=certificate.server_context()) as carrier:
        ca = certificate.authority
        async with Phone(carrier, ALICE, ca=ca) as alice, Phone(carrier, BOB, ca=ca) as bob:
            assert await alice.send(BOB, b"x" * 40_000 + b"under the seal") == 200
            assert (await bob.next()).body.endswith(b"under the seal")
        stranger = Phone(carrier, ALICE, ca=ca, password="wrong")
        await stranger.transport.start()
        await until(lambda: stranger.transport.status.state is RcsState.REFUSED)
        await stranger.transport.close()
    log = read_wire_log(tmp_path / "wire.log")
    streams = log.streams()
    assert {stream.layer for stream in streams} == {Layer.SOCKET, Layer.AFTER_TLS}
    hits = Searcher(log).search("under the seal")
    assert {hit.layer for hit in hits} == {Layer.AFTER_TLS}
    assert {(hit.connection, hit.received) for hit in hits} == {(1, True), (2, False)}
    raw = next(stream.data for stream in streams if stream.layer is Layer.SOCKET and stream.received)
    assert raw[:2] == b"\x16\x03"  # a TLS handshake record
    assert {stream.layer for stream in log.visible()} == {Layer.AFTER_TLS}


async def test_an_offline_phone_and_a_second_device(tmp_path: Path) -> None:
    async with carrier_of(tmp_path) as carrier, Phone(carrier, ALICE) as alice:
        async with Phone(carrier, BOB, 1) as first, Phone(carrier, BOB, 2) as second:
            assert await alice.send(BOB, b"both") == 200
            assert (await first.next()).body == (await second.next()).body == b"both"
        assert carrier.online(BOB) == 0
        assert await alice.send(BOB, b"later") == 202
        assert carrier.kept(BOB) == 2
        for device in (1, 2):
            async with Phone(carrier, BOB, device) as back:
                assert (await back.next()).body == b"later"
                assert back.inbox.empty()
        await until(lambda: carrier.kept(BOB) == 0)


@pytest.mark.parametrize("what", ["a body", "a line"])
async def test_nobody_sends_what_cuts_anothers_connection(tmp_path: Path, what: str) -> None:
    """What the carrier lets through, a phone takes or refuses: kept and offered again, it would shut the phone out."""
    async with carrier_of(tmp_path) as carrier, Phone(carrier, BOB) as bob:
        reader, writer = await asyncio.open_connection("127.0.0.1", carrier.port)
        branch, parser = itertools.count(), StreamParser(Limits(65_536, 200, 32_768, 65_536))
        client = DigestClient(ALICE, ACCOUNTS.passwords[ALICE], os.urandom)

        def hostile(*more: tuple[str, str], body: bytes = b"", via: str = "") -> bytes:
            uri = f"sip:{BOB}@{carrier.domain}"
            n = next(branch)
            signed = (("Proxy-Authorization", client.credentials("MESSAGE", uri)),) if client.ready else ()
            items = [
                ("Via", f"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{n};rport{via}"),
                ("From", f"<sip:{ALICE}@{carrier.domain}>;tag=x"),
                ("To", f"<{uri}>"),
                ("Call-ID", "x"),
                ("CSeq", f"{n} MESSAGE"),
                ("Content-Type", "text/plain"),
                *signed,
                *more,
            ]
            return encode(Request("MESSAGE", uri, Headers(items), body))

        async def status() -> int | None:
            while data := await reader.read(65_536):
                for item in parser.feed(data):
                    if isinstance(item, Response):
                        if item.status == 407:
                            client.accept(item.headers.all("Proxy-Authenticate"))
                        return item.status
            return None

        try:
            writer.write(hostile())
            async with asyncio.timeout(5):
                assert await status() == 407
            if what == "a body":
                writer.write(hostile(body=bytes(1_000_000)))
            else:
                # As long as the carrier takes; it adds where the request came from.
                bare = f"SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{1};rport;x="
                writer.write(hostile(via=";x=" + "y" * (8192 - len("Via: ") - len(bare))))
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(5):
                    assert await status() in (200, 413, 513, None)
        finally:
            writer.close()
        async with Phone(carrier, ALICE) as alice:
            assert await alice.send(BOB, b"genuine") == 200
            while (await bob.next()).body != b"genuine":
                pass
        assert carrier.kept(BOB) == 0
        assert RcsState.OFFLINE not in bob.states


async def test_a_connection_that_breaks_leaves_nothing_to_trip_over(tmp_path: Path) -> None:
    async with carrier_of(tmp_path) as carrier, Phone(carrier, ALICE) as alice:
        bob = Phone(carrier, BOB)
        await bob.transport.start()
        await bob.transport.registered()
        carrier.cut(BOB)
        await until(lambda: carrier.online(BOB) == 0)
        assert await alice.send(BOB, b"in between") in (200, 202)
        assert (await bob.next()).body == b"in between"  # it reconnects by itself
        assert carrier.online(BOB) == 1
        await bob.transport.close()


async def test_a_hostile_carrier(tmp_path: Path) -> None:
    plan: list[Callable[[Request], Interference]] = []

    def tap(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method == "MESSAGE" and plan:
            return plan.pop(0)(seen.message)
        return None

    async with carrier_of(tmp_path, tap=tap) as carrier, Phone(carrier, ALICE) as alice, Phone(carrier, BOB) as bob:
        plan.append(lambda message: swallowed())
        assert await alice.send(BOB, b"never arrives") == 200
        plan.append(
            lambda message: replaced(
                Request(message.method, message.uri, message.headers, message.body.replace(b"good", b"evil"))
            )
        )
        assert await alice.send(BOB, b"a good word") == 200
        assert (await bob.next()).body == b"a evil word"
        plan.append(lambda message: Interference())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await alice.send(BOB, b"dropped")
        assert bob.inbox.empty()


# --- hostile peers -----------------------------------------------------------------------------------
async def talk(carrier: Carrier, *pieces: bytes, tls: bool = False) -> bytes:
    """Send, and read until the carrier hangs up."""
    reader, writer = await asyncio.open_connection(carrier.host, carrier.port)
    answer = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            while piece := await reader.read(65536):
                answer += piece
    except (ConnectionError, BrokenPipeError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return answer


async def still_works(carrier: Carrier) -> None:
    async with Phone(carrier, ALICE) as alice:
        assert await alice.send(ALICE, b"x") in (202, 480)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\x00" * 1000],
        [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
        [b"\x16\x03\x01\x02\x00\x01\x00" + b"\xff" * 500],
        [b"MESSAGE sip:x SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n"],
        [b"MESSAGE sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n"],
        [b"MESSAGE sip:x SIP/2.0\r\nVia: x\r\n\r\n"],
        [b"REGISTER sip:x SIP/2.0\r\n" + b"A: b\r\n" * 10_000 + b"\r\n"],
    ],
    ids=["zeros", "http", "tls", "huge length", "negative length", "no length", "10,000 headers"],
)
async def test_garbage_ends_the_connection_and_nothing_else(tmp_path: Path, pieces: list[bytes]) -> None:
    async with carrier_of(tmp_path, settings=Settings(handshake_timeout_ms=1_000)) as carrier:
        await talk(carrier, *pieces)
        await still_works(carrier)


async def test_sr_08_a_header_of_ten_megabytes_costs_less_than_two_of_its_bound(tmp_path: Path) -> None:
    bound = 65_536
    limits = Limits(max_header_bytes=bound, max_headers=128, max_line=bound, max_body=bound)
    carrier = Carrier("127.0.0.1", 0, ACCOUNTS, settings=Settings(sip=limits))
    piece = b"x" * 4096
    async with carrier:
        await talk(carrier, b"MESSAGE sip:x SIP/2.0\r\nA: ", *[piece] * 2500)  # once before, for caches
        tracemalloc.start()
        try:
            await talk(carrier, b"MESSAGE sip:x SIP/2.0\r\nA: ", *[piece] * 2500)
            # What asyncio itself holds of one read (256 KiB) comes on top and is not ours.
            assert tracemalloc.get_traced_memory()[1] < 2 * bound + 512 * 1024
        finally:
            tracemalloc.stop()
        await still_works(carrier)


async def test_slow_and_silent_peers_are_cut_off(tmp_path: Path) -> None:
    settings = Settings(handshake_timeout_ms=150, message_timeout_ms=100)
    loop = asyncio.get_running_loop()
    async with carrier_of(tmp_path, settings=settings) as carrier:
        start = loop.time()
        assert await talk(carrier) == b""
        assert await talk(carrier, b"MESSAGE sip:x SIP/2.0\r\nA: b") == b""
        # Keep-alives do not wind the clock back.
        assert await talk(carrier, *[b"\r\n\r\n"] * 5) == b"\r\n" * 5
        assert loop.time() - start < 3
        await still_works(carrier)
    why = [record.payload for record in read_wire_log(tmp_path / "wire.log").records if record.kind == "C"]
    assert why[:3] == [b"did not register", b"message too slow", b"did not register"]


async def test_a_silent_tls_peer_is_cut_off_too(tmp_path: Path, certificate: LabCertificate) -> None:
    settings = Settings(handshake_timeout_ms=150)
    async with carrier_of(tmp_path, settings=settings, tls=certificate.server_context()) as carrier:
        assert await talk(carrier) == b""
        assert (await talk(carrier, b"MESSAGE sip:x SIP/2.0\r\n\r\n"))[:1] in (b"", b"\x15")
        why = [r.payload for r in read_wire_log(tmp_path / "wire.log").records if r.kind == "C"]
        assert why[0] == b"did not register"
        assert why[1].startswith(b"TLS: ")


async def test_sr_08_a_phone_that_does_not_read_is_cut_off_before_it_costs_too_much(tmp_path: Path) -> None:
    async with carrier_of(tmp_path, settings=Settings(max_unsent_bytes=200_000)) as carrier:
        bob = await SipPeer.connect(carrier.port)
        assert await bob.register(BOB, "bob-pw", carrier.domain) == 200
        assert bob.transport is not None
        bob.transport.pause_reading()
        alice = await SipPeer.connect(carrier.port)
        assert await alice.register(ALICE, "alice-pw", carrier.domain) == 200
        # What the kernel takes on both sides comes first.
        for _ in range(200):
            if carrier.online(BOB) == 0:
                break
            alice.request(
                "MESSAGE", f"sip:{BOB}@{carrier.domain}", f"sip:{ALICE}@{carrier.domain}", body=bytes(200_000)
            )
            await asyncio.sleep(0)
        await until(lambda: carrier.online(BOB) == 0)
        for peer in (alice, bob):
            await peer.close()
    why = [record.payload for record in read_wire_log(tmp_path / "wire.log").records if record.kind == "C"]
    assert why[0] == b"does not read"


async def test_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    async with carrier_of(tmp_path, settings=Settings(max_connections=3, handshake_timeout_ms=60_000)) as carrier:
        held = [await asyncio.open_connection(carrier.host, carrier.port) for _ in range(3)]
        await until(lambda: len(carrier._phones) == 3)
        assert await talk(carrier) == b""
        for _, writer in held:
            writer.close()
        await until(lambda: not carrier._phones)
        await still_works(carrier)


async def test_a_phone_that_registered_is_not_cut_off_by_those_limits(tmp_path: Path) -> None:
    # Long enough for a busy machine to register in, and then it passes.
    settings = Settings(handshake_timeout_ms=1_000, message_timeout_ms=1_000)
    async with carrier_of(tmp_path, settings=settings) as carrier, Phone(carrier, ALICE) as alice:
        await asyncio.sleep(1.25)
        assert await alice.send(BOB, b"x") == 480
        log = read_wire_log(tmp_path / "wire.log")
        assert [record.kind for record in log.records].count("O") == 1


async def test_closing_ends_every_connection(tmp_path: Path) -> None:
    carrier = Carrier("127.0.0.1", 0, ACCOUNTS, wire_log=tmp_path / "wire.log")
    await carrier.start()
    reader, writer = await asyncio.open_connection(carrier.host, carrier.port)
    await until(lambda: bool(carrier._phones))
    await carrier.close()
    assert await reader.read() == b""
    writer.close()
    assert read_wire_log(tmp_path / "wire.log").records[-1].payload == b"the carrier stops"
