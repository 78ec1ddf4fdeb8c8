"""Sessions, their relay and whole clients as tshark reads them: no malformed frame, and no plaintext of an encrypted chat."""

from __future__ import annotations

import base64
import os
import zlib
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from interop import kamailio as kamailio_server
from interop.kamailio import Kamailio
from interop.test_kamailio_conversation import delivered, handsets, heard, received
from interop.test_kamailio_rcs import fresh_number, phone
from interop.test_kamailio_sessions import LARGE, relay, two
from interop.tshark import Capture, unable

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


@pytest.fixture(autouse=True)
def _able() -> None:
    if reason := unable() or kamailio_server.missing():
        pytest.skip(f"capture: {reason}")


async def test_sessions_over_the_relay(kamailio: Kamailio, tmp_path: Path) -> None:
    """SIP with SDP, and MSRP with AUTH, SEND and REPORT, each in the numbers that we think it has."""
    ports = (kamailio.tcp_port, kamailio.msrp_port)
    capture = Capture(
        kamailio.tcp_port,
        tmp_path / "session.pcapng",
        wanted=" or ".join(f"tcp port {port}" for port in ports),
        decode={kamailio.msrp_port: "msrp"},
    )
    try:
        async with two(kamailio, relay(kamailio, tls=False), tls=False) as (alice, bob):
            assert (await alice.send(bob.me, LARGE)).accepted
            assert (await bob.next()).body == LARGE
            assert (await bob.send(alice.me, b"small, over the same session")).accepted
            await alice.next()
    finally:
        capture.end()
    for method in ("INVITE", "ACK", "BYE"):
        assert len(capture.read(f'sip.Method == "{method}"')) >= 2, method
    assert len(capture.read('sdp.media.proto == "TCP/MSRP"')) >= 4
    assert all("msrp://" in line for line in capture.read("sdp.media.proto", "sdp.media_attr"))
    assert len(capture.read('msrp.method == "AUTH"')) >= 4  # once without and once with credentials, on each side
    sends = capture.read('msrp.method == "SEND"')
    assert len(sends) >= 3 * len(LARGE) // 65_536
    assert capture.read('msrp.method == "REPORT"')
    assert capture.read("msrp.status.code == 401") and capture.read("msrp.status.code == 200")
    assert capture.read("_ws.malformed") == []


async def test_an_encrypted_chat_shows_no_plaintext(kamailio: Kamailio, tmp_path: Path) -> None:
    """Everything on loopback is searched, in the encodings that would hide it; a control shows that the search finds."""
    marker = f"the eagle {os.urandom(8).hex()} has landed"
    capture = Capture(kamailio.tcp_port, tmp_path / "chat.pcapng", wanted="tcp")
    try:
        async with AsyncExitStack() as stack:
            ana, ben = await handsets(stack, kamailio, tmp_path, tls=False)
            a = await stack.enter_async_context(ana.on())
            b = await stack.enter_async_context(ben.on())
            chat = await a.chat(ben.number)
            for text in (marker, f"{marker} " * 150):
                message = await chat.send(text)
                await heard(b, received(text))
                await heard(a, delivered(message))
        # The same text in the clear, between two bare phones.
        async with phone(kamailio, fresh_number()) as alice, phone(kamailio, fresh_number()) as bob:
            control = f"control {marker}".encode()
            assert await alice.send(bob.me, control, "text/plain;charset=UTF-8") == 200
            await bob.next()
    finally:
        capture.end()
    seen = capture.path.read_bytes()
    assert control in seen
    seen = seen.replace(control, b"")
    for secret in (marker.encode(), *encodings(marker.encode())):
        assert secret not in seen
    # Only its own SIP: what else is on loopback now is not this test's.
    assert capture.read("sip and _ws.malformed") == []


def encodings(secret: bytes) -> list[bytes]:
    """How it might stand there: base64 at each alignment, hexadecimal, UTF-16, deflated."""
    found = [secret.hex().encode(), secret.decode().encode("utf-16-le"), zlib.compress(secret)[2:-4]]
    for shift in range(3):
        found.append(base64.b64encode(b"x" * shift + secret)[4:-4])
    return found
