"""The carrier's MSRP relay over real sockets (RFC 4976): its users, its log, its taps, and where it does not connect to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from carrier.msrp_peer import MsrpPeer
from lab_certificate import LabCertificate, write_lab_certificate
from letterlock.carrier import Accounts, Carrier, MsrpInterference, MsrpSeen, Searcher, read_wire_log
from letterlock.carrier.relay_port import may_connect
from letterlock.carrier.settings import Settings
from letterlock.carrier.wirelog import Layer
from letterlock.codec.msrp import MsrpUri
from letterlock.codec.msrp import Path as MsrpPath
from letterlock.ids import number
from letterlock.msrp import (
    Disconnected,
    MessageReceived,
    MessageStarted,
    SendCompleted,
    SendFailed,
    Session,
)

pytestmark = pytest.mark.anyio

ALICE, BOB = number("+15550100"), number("+15550101")
ACCOUNTS = Accounts.of({ALICE: "alice-pw", BOB: "bob-pw"})
SECRET = b"the dog barks at half past nine"


@contextlib.asynccontextmanager
async def relay_of(tmp_path: Path, **options: object) -> AsyncIterator[Carrier]:
    carrier = Carrier("127.0.0.1", 0, ACCOUNTS, wire_log=tmp_path / "wire.log", msrp_port=0, **options)  # type: ignore[arg-type]
    async with carrier:
        yield carrier


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LabCertificate:
    return write_lab_certificate(tmp_path_factory.mktemp("lab"))


async def user(carrier: Carrier, name: str, password: str, **options: object) -> tuple[MsrpPeer, MsrpPath]:
    peer = await MsrpPeer.connect(carrier.msrp_port or 0, **options)  # type: ignore[arg-type]
    assert carrier.msrp_uri is not None
    path = await peer.authorize(carrier.msrp_uri, name, password)
    assert not isinstance(path, int), path
    return peer, path


@contextlib.asynccontextmanager
async def pair(carrier: Carrier, **options: object) -> AsyncIterator[tuple[MsrpPeer, MsrpPeer]]:
    """Alice and Bob in a session through the relay; both have an address of it."""
    alice, alice_path = await user(carrier, ALICE, "alice-pw", **options)
    bob, bob_path = await user(carrier, BOB, "bob-pw", **options)
    bob.session((*bob_path, *alice_path, alice.local), active=False)
    alice.session((*alice_path, *bob_path, bob.local), active=True)
    try:
        yield alice, bob
    finally:
        await alice.close()
        await bob.close()


async def test_a_message_in_chunks_goes_through_and_is_reported_and_the_log_holds_it(tmp_path: Path) -> None:
    # Each chunk carries 2048 bytes: the text lies across the border of two.
    body = b"." * 2030 + SECRET + b"." * 10_000
    async with relay_of(tmp_path) as carrier, pair(carrier) as (alice, bob):
        ended = await alice.sent(alice.send(body, "message-1"))
        assert isinstance(ended, SendCompleted)
        assert ended.reported
        assert await bob.received("message-1") == body
        back = await bob.sent(bob.send(b"and back", "message-2"))
        assert isinstance(back, SendCompleted)
    log = read_wire_log(tmp_path / "wire.log")
    assert all(record.payload.endswith(b" msrp") for record in log.records if record.kind == "O")
    # The control: it is not in the sender's bytes as they went. (The relay's own chunks may be larger.)
    assert all(SECRET not in stream.data for stream in log.streams() if stream.received)
    hits = Searcher(log).search(SECRET)
    assert {(hit.connection, hit.received) for hit in hits} == {(1, True), (2, False)}
    assert {hit.form for hit in hits if hit.received} == {"an MSRP message"}
    assert Searcher(log).search("never said") == []


async def test_over_tls_both_layers_are_in_the_log(tmp_path: Path, certificate: LabCertificate) -> None:
    tls = ssl.create_default_context(cafile=str(certificate.authority))
    async with relay_of(tmp_path, tls=certificate.server_context()) as carrier, pair(carrier, tls=tls) as (alice, bob):
        assert carrier.msrp_uri is not None
        assert carrier.msrp_uri.scheme == "msrps"
        await alice.sent(alice.send(b"." * 2030 + SECRET, "message-1"))
        assert (await bob.received("message-1")).endswith(SECRET)
    hits = Searcher(tmp_path / "wire.log").search(SECRET)
    assert {hit.layer for hit in hits} == {Layer.AFTER_TLS}


async def test_only_accounts_get_an_address(tmp_path: Path) -> None:
    async with relay_of(tmp_path) as carrier:
        assert carrier.msrp_uri is not None
        for name, password in ((ALICE, "wrong"), ("+15559999999", "x"), ("nobody", "x")):
            peer = await MsrpPeer.connect(carrier.msrp_port or 0)
            assert await peer.authorize(carrier.msrp_uri, name, password) in (0, 401, 403)
            await peer.close()


async def test_sr_17_an_address_leads_nowhere_for_those_it_was_not_made_for(tmp_path: Path) -> None:
    """The relay carries from and to the connection that it granted an address to, and otherwise nothing."""
    opened: list[object] = []
    server = await asyncio.start_server(lambda *streams: opened.append(streams), "127.0.0.1", 0)
    elsewhere = MsrpUri("msrp", "127.0.0.1", server.sockets[0].getsockname()[1], "x" * 20)
    async with relay_of(tmp_path) as carrier:
        alice, path = await user(carrier, ALICE, "alice-pw")
        guessed = replace(path[0], session="0" * 20)
        for to_path in ((path[0], elsewhere), (guessed, elsewhere), (guessed, alice.local), (path[0], guessed)):
            stranger = await MsrpPeer.connect(carrier.msrp_port or 0)
            stranger.session(to_path, active=True)
            failed = await stranger.sent(stranger.send(b"x", "message-1"))
            assert isinstance(failed, SendFailed)
            await stranger.close()
        assert alice.of(MessageStarted) == []
        await alice.close()
    server.close()
    await server.wait_closed()
    assert opened == []


async def test_a_peer_that_listens_is_connected_to_and_only_on_named_hosts(tmp_path: Path) -> None:
    listening: list[MsrpPeer] = []

    def accept() -> MsrpPeer:
        listening.append(peer)
        return peer

    peer = MsrpPeer()
    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    peer.local = MsrpUri("msrp", "127.0.0.1", port, peer.local.session)
    async with relay_of(tmp_path) as carrier:
        alice, path = await user(carrier, ALICE, "alice-pw")
        peer.table.add(_session(peer, (*path, alice.local)))
        alice.session((*path, peer.local), active=True)
        await alice.sent(alice.send(b"to one who listens", "message-1"))
        assert await peer.received("message-1") == b"to one who listens"
        assert len(listening) == 1
        await alice.close()
        await peer.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("msrp://127.0.0.1:1024/a;tcp", True),
        ("msrp://[::1]:2855/a;tcp", True),
        ("msrp://127.0.0.1:1023/a;tcp", False),
        ("msrp://relay.example/a;tcp", False),
        ("msrps://127.0.0.1:2855/a;tcp", False),
        ("msrp://localhost:2855/a;tcp", False),
        ("msrp://127.0.0.2:2855/a;tcp", False),
    ],
)
async def test_sr_14_where_the_relay_goes_on_a_users_word(uri: str, allowed: bool) -> None:
    assert may_connect(MsrpUri.parse(uri), ("127.0.0.1", "::1")) is allowed


async def test_sr_14_no_connection_is_opened_to_an_address_of_a_users_choice(tmp_path: Path) -> None:
    opened: list[object] = []
    server = await asyncio.start_server(lambda *streams: opened.append(streams), "127.0.0.1", 0)
    target = MsrpUri("msrp", "127.0.0.1", server.sockets[0].getsockname()[1], "a" * 20)
    async with relay_of(tmp_path, settings=Settings(relay_next_hops=())) as carrier:
        alice, path = await user(carrier, ALICE, "alice-pw")
        alice.session((*path, target), active=True)
        assert isinstance(await alice.sent(alice.send(b"x", "message-1")), SendFailed)
        await alice.close()
    server.close()
    await server.wait_closed()
    assert opened == []


def _session(peer: MsrpPeer, to_path: MsrpPath) -> Session:
    return Session(peer.local, to_path, ("*",), 1 << 30, 2048)


async def test_a_large_message_to_a_slow_reader_takes_no_more_memory_than_its_bounds(tmp_path: Path) -> None:
    """SR-08: the relay stops reading from the sender when the receiver does not take what there is."""
    async with relay_of(tmp_path) as carrier, pair(carrier) as (alice, bob):
        assert bob._transport is not None
        bob._transport.pause_reading()
        body = bytes(8 << 20)
        number_ = alice.send(body, "message-1")
        relay = carrier._relay
        assert relay is not None
        held, looked = 0, 0
        async with asyncio.timeout(10):
            while looked < 50:
                await asyncio.sleep(0.005)
                held = max(held, *(stream.unsent for stream in relay._streams.values()))
                held = max(held, *(hop.pending for hop in relay._relay._hops.values()))
                looked += held > 0  # from when something is held back: on a busy machine that takes its time
        assert 0 < held < 2 << 20
        bob._transport.resume_reading()
        assert isinstance(await alice.sent(number_), SendCompleted)
        assert await bob.received("message-1") == body


@pytest.mark.parametrize(
    "pieces", [[b"\x00" * 10_000], [b"GET / HTTP/1.1\r\n\r\n"], [b"MSRP x SEND\r\n" + b"A: b\r\n" * 10_000]]
)
async def test_garbage_ends_the_connection_and_nothing_else(tmp_path: Path, pieces: list[bytes]) -> None:
    async with relay_of(tmp_path) as carrier:
        reader, writer = await asyncio.open_connection("127.0.0.1", carrier.msrp_port)
        for piece in pieces:
            writer.write(piece)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                await reader.read()
        writer.close()
        async with pair(carrier) as (alice, _):
            assert isinstance(await alice.sent(alice.send(b"x", "message-1")), SendCompleted)


async def test_a_peer_that_says_nothing_is_cut_off(tmp_path: Path) -> None:
    """RFC 4976 section 6.1, with a shorter time."""
    settings = Settings(relay=replace(Settings().relay, probation_ms=100))
    async with relay_of(tmp_path, settings=settings) as carrier:
        peer = await MsrpPeer.connect(carrier.msrp_port or 0)
        async with asyncio.timeout(5):
            await peer.closed.wait()


async def test_the_end_of_a_connection_is_reported_to_the_other(tmp_path: Path) -> None:
    async with relay_of(tmp_path) as carrier, pair(carrier, confirms=False) as (alice, bob):
        alice.send(b"x" * 5_000, "message-1")
        await bob.until(lambda: bob.of(MessageReceived))
        await bob.close()
        ended = await alice.sent(alice.send(b"y", "message-2"))
        assert isinstance(ended, SendFailed)


# --- a hostile carrier -------------------------------------------------------------------------------------
async def hostile(tmp_path: Path, how: MsrpInterference | None, body: bytes) -> tuple[object, list[bytes]]:
    """What the sender believes, and what the receiver got, when each chunk with `body` in it is treated so."""

    def tap(seen: MsrpSeen) -> MsrpInterference | None:
        return how if body in seen.body else None

    async with relay_of(tmp_path, msrp_tap=tap) as carrier, pair(carrier) as (alice, bob):
        number_ = alice.send(body, "message-1")
        ended = await alice.sent(number_)
        got = [await bob.received("message-1")] if bob.of(MessageReceived) else []
        return ended, got


async def test_a_tap_that_looks_on_changes_nothing(tmp_path: Path) -> None:
    ended, got = await hostile(tmp_path, None, b"x" * 100)
    assert isinstance(ended, SendCompleted)
    assert got == [b"x" * 100]


async def test_a_tap_swallows_and_forges_the_report(tmp_path: Path) -> None:
    """A success report is worth no more than the carrier's word: it is not end to end."""
    ended, got = await hostile(tmp_path, MsrpInterference(acknowledge=True, report=True), b"never arrives")
    assert isinstance(ended, SendCompleted)
    assert ended.reported
    assert got == []


async def test_a_tap_changes_the_text(tmp_path: Path) -> None:
    def tap(seen: MsrpSeen) -> MsrpInterference | None:
        if b"good" not in seen.body:
            return None
        return MsrpInterference(deliver=(seen.with_body(seen.body.replace(b"good", b"rather evil")),))

    async with relay_of(tmp_path, msrp_tap=tap) as carrier, pair(carrier) as (alice, bob):
        alice.send(b"a good word", "message-1")
        assert await bob.received("message-1") == b"a rather evil word"


async def test_a_tap_drops_one_chunk_of_many(tmp_path: Path) -> None:
    def tap(seen: MsrpSeen) -> MsrpInterference | None:
        return MsrpInterference(acknowledge=True) if b"gap" in seen.body else None

    async with relay_of(tmp_path, msrp_tap=tap) as carrier, pair(carrier) as (alice, bob):
        alice.send(b"." * 4_000 + b"gap" + b"." * 4_000, "message-1")
        alice.send(b"whole", "message-2")
        assert await bob.received("message-2") == b"whole"
        assert [event.message for event in bob.of(MessageReceived)] != []
        assert len(bob.of(MessageReceived)) == 1


async def test_a_tap_cuts_in_mid_message(tmp_path: Path) -> None:
    def tap(seen: MsrpSeen) -> MsrpInterference | None:
        return MsrpInterference(cut=True) if b"cut" in seen.body else None

    async with relay_of(tmp_path, msrp_tap=tap) as carrier, pair(carrier) as (alice, bob):
        ended = await alice.sent(alice.send(b"." * 3_000 + b"cut here" + b"." * 3_000, "message-1"))
        assert isinstance(ended, SendFailed)
        await bob.until(lambda: bob.of(Disconnected) or bob.closed.is_set())
        assert bob.of(MessageReceived) == []
