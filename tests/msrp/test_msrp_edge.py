"""MSRP over real sockets on loopback: TCP, TLS by name and by fingerprint, files, slow receivers, peers that misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lab_certificate import LabCertificate, write_lab_certificate
from letterlock.codec.msrp import MsrpUri
from letterlock.errors import InputError, StoreError, TransportError
from letterlock.msrp import MessageStarted, Session, SessionTable
from letterlock.transport.msrp.bodies import CollectingSink, MsrpRefusal, Sink
from letterlock.transport.msrp.connection import MsrpConnection
from letterlock.transport.msrp.listener import MsrpListener
from letterlock.transport.msrp.settings import MsrpFailure, MsrpSettings
from letterlock.transport.msrp.tls import ClientTls, Fingerprint, by_fingerprint, by_name, certificate_fingerprint

SETTINGS = MsrpSettings()


@dataclass
class Handler:
    """Collects what arrives; `sink` may put another sink in its place."""

    sink: Callable[[MessageStarted], Sink] | None = None
    received: dict[str, bytes] = field(default_factory=dict)
    bound: list[str] = field(default_factory=list)
    failed: list[tuple[str, int]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def session_bound(self, connection: MsrpConnection, session: str) -> None:
        self.bound.append(session)

    def session_failed(self, connection: MsrpConnection, session: str, status: int, reason: str) -> None:
        self.failed.append((session, status))

    def message_started(self, connection: MsrpConnection, started: MessageStarted) -> Sink:
        if self.sink is not None:
            return self.sink(started)
        return CollectingSink(started, self.deliver)

    async def deliver(self, started: MessageStarted, body: bytes) -> None:
        self.received[started.message_id] = body
        self.arrived.set()


class HashingSink:
    """Takes a large message without keeping it; pauses the connection for every piece when `slow`."""

    def __init__(self, slow: bool = False) -> None:
        self.hash = hashlib.sha256()
        self.size = 0
        self.largest = 0
        self.ended = ""
        self._slow = slow

    def write(self, data: memoryview | bytes) -> Awaitable[None] | None:
        self.hash.update(data)
        self.size += len(data)
        self.largest = max(self.largest, len(data))
        return asyncio.sleep(0) if self._slow else None

    async def finish(self) -> None:
        self.ended = "finished"

    def broken(self, reason: str) -> None:
        self.ended = reason


@dataclass
class Lab:
    """Alice connected to Bob's listener, with one open session."""

    alice: MsrpConnection
    at_alice: Handler
    at_bob: Handler
    listener: MsrpListener
    session: str
    tables: tuple[SessionTable, SessionTable]

    async def close(self) -> None:
        await self.alice.finish()
        await self.listener.close()


async def lab(
    *,
    chunk: int = 1 << 20,
    max_size: int = 1 << 30,
    server: ssl.SSLContext | None = None,
    client: ClientTls | None = None,
    settings: MsrpSettings = SETTINGS,
    opened: bool = True,
) -> Lab:
    tables = SessionTable(), SessionTable()
    at_alice, at_bob = Handler(), Handler()
    listener = await MsrpListener.open("127.0.0.1", 0, server, settings, tables[1], at_bob, os.urandom)
    scheme = "msrp" if client is None else "msrps"
    a = MsrpUri(scheme, "127.0.0.1", 9, "alicealicealicealice")
    b = MsrpUri(scheme, "127.0.0.1", listener.address[1], "bobbobbobbobbobbobbo")
    tables[0].add(Session(a, (b,), ("*",), max_size, chunk))
    tables[1].add(Session(b, (a,), ("*",), max_size, chunk))
    try:
        alice = await MsrpConnection.connect(
            "127.0.0.1", listener.address[1], client, settings, tables[0], at_alice, os.urandom
        )
    except TransportError:
        await listener.close()
        raise
    made = Lab(alice, at_alice, at_bob, listener, "alicealicealicealice", tables)
    if opened:
        await alice.open_session(made.session)
    return made


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(limited())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LabCertificate:
    return write_lab_certificate(tmp_path_factory.mktemp("msrp"))


def test_messages_both_ways() -> None:
    async def test() -> None:
        made = await lab()
        assert made.at_bob.bound == ["bobbobbobbobbobbobbo"]
        assert await made.alice.send(made.session, "text/plain", b"hello", message_id="m-00000001") is True
        assert made.at_bob.received == {"m-00000001": b"hello"}
        (bob,) = made.listener._connections
        assert (
            await bob.send("bobbobbobbobbobbobbo", "text/plain", b"back", message_id="m-00000002", success_report=False)
            is False
        )
        await made.at_alice.arrived.wait()
        assert made.at_alice.received == {"m-00000002": b"back"}
        many = [
            made.alice.send(made.session, "text/plain", bytes([i]) * i, message_id=f"message-{i}") for i in range(100)
        ]
        assert all(await asyncio.gather(*many))
        assert made.at_bob.received["message-99"] == bytes([99]) * 99
        await made.close()
        assert made.at_alice.failed == [(made.session, 0)]

    run(test)


@pytest.mark.parametrize("kind", ["memory", "file", "stream"])
@pytest.mark.parametrize("slow", [False, True])
def test_a_large_body_goes_through_without_being_held(kind: str, slow: bool, tmp_path: Path) -> None:
    """From memory, a file, or an asynchronous stream; to a sink that is quick or slow."""
    size = 20_000_000
    content = os.urandom(size)

    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, size, 100_000):
            yield content[at : at + 100_000]

    async def test() -> None:
        sink = HashingSink(slow)
        made = await lab()
        made.at_bob.sink = lambda started: sink
        path = tmp_path / "body"
        path.write_bytes(content)
        with path.open("rb") as file:
            body = {"memory": content, "file": file, "stream": stream()}[kind]
            progress: list[int] = []
            sent = await made.alice.send(
                made.session,
                "application/octet-stream",
                body,  # type: ignore[arg-type]
                size=None if kind == "stream" else size,
                message_id="m-00000001",
                on_progress=progress.append,
            )
        assert sent is True
        assert sink.size == size
        assert sink.hash.digest() == hashlib.sha256(content).digest()
        assert sink.ended == "finished"
        assert progress == [size]
        await made.close()

    run(test)


def test_a_busy_receiver_holds_up_the_sender_and_not_memory() -> None:
    """SR-08."""

    async def test() -> None:
        settings = replace(SETTINGS, waiting_bytes=100_000)
        made = await lab(settings=settings)
        gate = asyncio.Event()
        taken = 0

        class Busy(HashingSink):
            def write(self, data: memoryview | bytes) -> Awaitable[None] | None:
                nonlocal taken
                taken += len(data)
                return gate.wait()  # type: ignore[return-value]

        sink = Busy()
        made.at_bob.sink = lambda started: sink
        sending = asyncio.ensure_future(
            made.alice.send(made.session, "text/plain", bytes(30_000_000), message_id="m-00000001")
        )
        (bob,) = made.listener._connections
        while bob._reading:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert bob._arrivals.waiting_bytes < 1_000_000
        assert not sending.done()
        gate.set()
        assert await sending is True
        assert taken == 30_000_000
        await made.close()

    run(test)


def test_success_is_reported_only_when_the_receiver_has_returned() -> None:
    """SR-06."""

    async def test() -> None:
        made = await lab()
        kept = asyncio.Event()

        async def deliver(started: MessageStarted, body: bytes) -> None:
            made.at_bob.arrived.set()
            await kept.wait()

        made.at_bob.sink = lambda started: CollectingSink(started, deliver)
        sending = asyncio.ensure_future(made.alice.send(made.session, "text/plain", b"x", message_id="m-00000001"))
        await made.at_bob.arrived.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not sending.done()
        kept.set()
        assert await sending is True
        await made.close()

    run(test)


@pytest.mark.parametrize("when", ["start", "write", "finish", "broken store"])
def test_the_receiver_may_refuse_at_any_time_and_the_connection_goes_on(when: str) -> None:
    async def test() -> None:
        made = await lab()

        class Refusing(HashingSink):
            def write(self, data: memoryview | bytes) -> None:
                if when == "write":
                    raise MsrpRefusal(413, "no more")

            async def finish(self) -> None:
                if when == "finish":
                    raise MsrpRefusal(403, "not that")
                raise StoreError("disk full")

        def sink(started: MessageStarted) -> Sink:
            if when == "start":
                raise MsrpRefusal(415, "not this")
            return Refusing()

        made.at_bob.sink = sink
        with pytest.raises(MsrpFailure) as failure:
            await made.alice.send(made.session, "text/plain", bytes(100_000), message_id="m-00000001")
        assert failure.value.status == {"start": 415, "write": 413, "finish": 403, "broken store": 413}[when]
        assert failure.value.code == f"msrp.status.{failure.value.status}"
        made.at_bob.sink = None
        assert await made.alice.send(made.session, "text/plain", b"next", message_id="m-00000002")
        await made.close()

    run(test)


def test_cancelling_a_send_gives_the_message_up_at_the_receiver() -> None:
    async def test() -> None:
        made = await lab()
        sink = HashingSink()
        made.at_bob.sink = lambda started: sink
        body = bytes(50_000_000)
        sending = asyncio.ensure_future(made.alice.send(made.session, "text/plain", body, message_id="m-00000001"))
        while not sink.size:
            await asyncio.sleep(0)
        sending.cancel()
        while not sink.ended:
            await asyncio.sleep(0)
        assert sink.ended == "given up by its sender"
        made.at_bob.sink = None
        assert await made.alice.send(made.session, "text/plain", b"next", message_id="m-00000002")
        await made.close()

    run(test)


def test_a_content_that_cannot_be_read_fails_its_message() -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError("the disk is gone")

    async def test() -> None:
        made = await lab()
        with pytest.raises(MsrpFailure, match="the disk is gone"):
            await made.alice.send(made.session, "text/plain", Broken(), size=100, message_id="m-00000001")  # type: ignore[arg-type]
        await made.close()

    run(test)


def test_the_end_of_a_connection_fails_what_is_under_way() -> None:
    async def test() -> None:
        made = await lab()
        sink = HashingSink()
        made.at_bob.sink = lambda started: sink
        sending = asyncio.ensure_future(
            made.alice.send(made.session, "text/plain", bytes(50_000_000), message_id="m-00000001")
        )
        while not sink.size:
            await asyncio.sleep(0)
        made.alice._abort("cable pulled")
        with pytest.raises(MsrpFailure, match="cable pulled") as failure:
            await sending
        assert failure.value.code == "transport.lost"
        while not sink.ended:
            await asyncio.sleep(0)
        assert made.at_alice.failed == [(made.session, 0)]
        with pytest.raises(MsrpFailure):
            await made.alice.send(made.session, "text/plain", b"x", message_id="m-00000002")
        await made.close()

    run(test)


def test_an_unknown_session_is_refused() -> None:
    async def test() -> None:
        made = await lab(opened=False)
        made.tables[1].remove("bobbobbobbobbobbobbo")
        with pytest.raises(MsrpFailure) as failure:
            await made.alice.open_session(made.session)
        assert failure.value.status == 481
        await made.close()

    run(test)


def test_a_peer_that_never_answers_is_given_up() -> None:
    """A listener that accepts and says nothing."""

    async def test() -> None:
        silent = await asyncio.start_server(lambda reader, writer: asyncio.sleep(30), "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        settings = replace(SETTINGS, endpoint=replace(SETTINGS.endpoint, transaction_ms=50))
        table, handler = SessionTable(), Handler()
        a = MsrpUri("msrp", "127.0.0.1", 9, "alicealicealicealice")
        table.add(Session(a, (MsrpUri("msrp", "127.0.0.1", port, "bob"),), ("*",), 1 << 20, 2048))
        alice = await MsrpConnection.connect("127.0.0.1", port, None, settings, table, handler, os.urandom)
        with pytest.raises(MsrpFailure) as failure:
            await alice.open_session("alicealicealicealice")
        assert failure.value.status == 408
        await alice.finish()
        silent.close()

    run(test)


def test_a_peer_that_never_reads_is_cut_off() -> None:
    async def test() -> None:
        made = await lab(settings=replace(SETTINGS, stall_s=0.1))
        (bob,) = made.listener._connections
        assert bob._transport is not None
        bob._transport.pause_reading()
        with pytest.raises(MsrpFailure, match="takes nothing"):
            await made.alice.send(made.session, "text/plain", bytes(100_000_000), message_id="m-00000001")
        await made.close()

    run(test)


def test_what_is_not_msrp_ends_the_connection() -> None:
    async def test() -> None:
        made = await lab(opened=False)
        reader, writer = await asyncio.open_connection(*made.listener.address)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await made.close()

    run(test)


def test_connections_are_bounded() -> None:
    """SR-08."""

    async def test() -> None:
        made = await lab(settings=replace(SETTINGS, max_connections=1))
        reader, writer = await asyncio.open_connection(*made.listener.address)
        with pytest.raises((ConnectionError, AssertionError)):
            assert await reader.read() != b""
        writer.close()
        assert await made.alice.send(made.session, "text/plain", b"x", message_id="m-00000001")
        await made.close()

    run(test)


# --- TLS ---------------------------------------------------------------------------------------------
def _der(certificate: LabCertificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())


def test_tls_by_name(certificate: LabCertificate) -> None:
    """RFC 4975 section 5.4; SR-19."""

    async def test() -> None:
        trusting = ssl.create_default_context(cafile=str(certificate.authority))
        made = await lab(server=certificate.server_context(), client=by_name(trusting, "localhost"))
        body = os.urandom(3_000_000)
        assert await made.alice.send(made.session, "text/plain", body, message_id="m-00000001")
        assert made.at_bob.received == {"m-00000001": body}
        await made.close()
        with pytest.raises(TransportError) as failure:
            await lab(server=certificate.server_context(), client=by_name(trusting, "other.example.com"))
        assert failure.value.code == "transport.certificate"
        with pytest.raises(TransportError) as failure:
            stranger = ssl.create_default_context()
            await lab(server=certificate.server_context(), client=by_name(stranger, "localhost"))
        assert failure.value.code == "transport.certificate"

    run(test)


def test_tls_by_fingerprint(certificate: LabCertificate) -> None:
    """RFC 4975 section 14.4: another certificate ends the connection before anything is sent."""

    async def test() -> None:
        right = certificate_fingerprint(_der(certificate))
        made = await lab(server=certificate.server_context(), client=by_fingerprint(right, "bob.invalid"))
        assert await made.alice.send(made.session, "text/plain", b"x", message_id="m-00000001")
        await made.close()
        wrong = Fingerprint("sha-256", bytes(32))
        with pytest.raises(TransportError) as failure:
            await lab(server=certificate.server_context(), client=by_fingerprint(wrong, "bob.invalid"))
        assert failure.value.code == "transport.certificate"

    run(test)


@pytest.mark.parametrize(("algorithm", "size"), [("sha-1", 20), ("md5", 16), ("sha-256", 31), ("SHA-256", 32)])
def test_fingerprints_that_prove_nothing(algorithm: str, size: int) -> None:
    with pytest.raises(InputError):
        Fingerprint(algorithm, bytes(size))


def test_a_context_that_does_not_verify_is_not_taken() -> None:
    """SR-19."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(InputError):
        by_name(context, "localhost")
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(InputError):
        by_name(context, "localhost")


def test_handshakes_that_fail_take_no_place(certificate: LabCertificate) -> None:
    """SR-08: `max_connections` is not used up by who never shakes hands."""

    async def test() -> None:
        right = certificate_fingerprint(_der(certificate))
        settings = replace(SETTINGS, max_connections=3)
        server = certificate.server_context()
        made = await lab(server=server, client=by_fingerprint(right, "bob.invalid"), settings=settings)
        for _ in range(6):
            reader, writer = await asyncio.open_connection(*made.listener.address)
            writer.write(b"this is not a handshake at all\r\n\r\n")
            await reader.read()
            writer.close()
        again = await lab(server=server, client=by_fingerprint(right, "bob.invalid"), settings=settings)
        second = await MsrpConnection.connect(
            *made.listener.address,
            by_fingerprint(right, "bob.invalid"),
            settings,
            SessionTable(),
            Handler(),
            os.urandom,
        )
        assert not second.closed.done()
        await second.finish()
        await again.close()
        await made.close()

    run(test)
