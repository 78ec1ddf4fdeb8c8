"""A relay must not be a way into the listener that believes whoever reaches it (SR-14, SR-17).

The carrier's MSRP relay connects to hosts that it is told to serve, this machine among them, and passes headers on that it
does not know. On this machine is also the listener for application servers, where P-Asserted-Identity is believed. So a
user could write a SIP request into the body of an MSRP message, a Content-Length into its head, and the address of that
listener into its path.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from carrier.msrp_peer import MsrpPeer
from carrier.sip_peer import SipPeer
from letterlock.carrier import Accounts, Carrier
from letterlock.codec.msrp import ByteRange, Flag, MsrpUri, Request, encode_end, encode_head
from letterlock.codec.sip import Headers, Limits, StreamParser, encode
from letterlock.codec.sip import Request as SipRequest
from letterlock.codec.sip.stream import Malformed
from letterlock.errors import DecodeError
from letterlock.ids import number
from letterlock.msrp import new_session_id

pytestmark = pytest.mark.anyio

MALLORY, BOB, CAROL = number("+15550100"), number("+15550101"), number("+15550102")
ACCOUNTS = Accounts.of({MALLORY: "mallory-pw", BOB: "bob-pw", CAROL: "carol-pw"})
DOMAIN = "rcs.example.test"


class Mallory(MsrpPeer):
    """Keeps what it is told."""

    seen = b""

    def data_received(self, data: bytes) -> None:
        self.seen += data
        super().data_received(data)


def forged() -> bytes:
    """A MESSAGE to Bob that says to be Carol's."""
    headers = [
        ("Via", "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKforged"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{CAROL}@{DOMAIN}>;tag=x"),
        ("To", f"<sip:{BOB}@{DOMAIN}>"),
        ("Call-ID", "forged"),
        ("CSeq", "1 MESSAGE"),
        ("P-Asserted-Identity", f"<tel:{CAROL}>"),
        ("Content-Type", "text/plain"),
    ]
    return encode(SipRequest("MESSAGE", f"sip:{BOB}@{DOMAIN}", Headers(headers), b"it is me, Carol"))


@pytest.mark.parametrize(
    "start",
    [
        b"MSRP a786hjs2 SEND",
        b"MSRP a786hjs2 200 OK SIP/2.0",
        b"POST /conf SIP/2.0 HTTP/1.1",
        b"EHLO there",
        b"OPTIONS",
    ],
)
def test_a_message_of_another_protocol_ends_the_stream(start: bytes) -> None:
    """Nothing that its user calls a body is read as a request."""
    parser = StreamParser(Limits(16_384, 128, 8_192, 262_144))
    with pytest.raises(DecodeError):
        parser.feed(start + b"\r\nContent-Length: 0\r\n\r\n" + forged())


def test_bad_sip_is_still_stepped_over() -> None:
    """The control: a peer behind a proxy does not cut the others off."""
    parser = StreamParser(Limits(16_384, 128, 8_192, 262_144))
    bad, good = parser.feed(b"MESSAGE sip:a b SIP/2.0 \r\nContent-Length: 0\r\n\r\n" + forged())
    assert isinstance(bad, Malformed)
    assert isinstance(good, SipRequest)


async def test_no_sip_request_is_smuggled_through_the_relay_to_the_listener_for_application_servers() -> None:
    async with Carrier("127.0.0.1", 0, ACCOUNTS, server_port=0, msrp_port=0) as carrier:
        bob = await SipPeer.connect(carrier.port)
        assert await bob.register(BOB, "bob-pw", carrier.domain) == 200
        mallory = await Mallory.connect(carrier.msrp_port or 0)
        assert carrier.msrp_uri is not None
        path = await mallory.authorize(carrier.msrp_uri, MALLORY, "mallory-pw")
        assert isinstance(mallory, Mallory)
        assert not isinstance(path, int)
        trusted = MsrpUri("msrp", "127.0.0.1", carrier.server_port, new_session_id(os.urandom))
        request = Request(
            "smuggled",
            "SEND",
            (*path, trusted),
            (mallory.local,),
            message_id="smuggled-1",
            byte_range=ByteRange(1, len(forged()), len(forged())),
            content_type="text/plain",
            headers=(("Content-Length", "0"),),
        )
        assert mallory._transport is not None
        mallory._transport.write(
            encode_head(request) + forged() + encode_end("smuggled", Flag.COMPLETE, after_body=True)
        )
        # Either the listener hangs up, which the relay reports, or Bob gets it.
        refused = asyncio.create_task(mallory.until(lambda: b" 408 " in mallory.seen))
        taken = asyncio.create_task(bob.arrived())
        await asyncio.wait({refused, taken}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        assert refused.done()
        assert not taken.done(), taken.result().headers.all("P-Asserted-Identity")
        taken.cancel()
        await mallory.close()
        await bob.close()
