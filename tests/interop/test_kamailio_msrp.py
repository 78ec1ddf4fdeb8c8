"""Kamailio as MSRP relay (RFC 4976) with our configuration: Digest before a path, frames byte for byte, nobody else's session."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio
from interop.msrp_lines import MsrpLine
from interop.sip_lines import SipLine
from interop.test_kamailio_rcs import fresh_number

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


def line(server: Kamailio, *, tls: bool) -> MsrpLine:
    if tls:
        return MsrpLine("127.0.0.1", server.msrps_port, server.certificate.authority)
    return MsrpLine("127.0.0.1", server.msrp_port)


async def path(client: MsrpLine) -> str:
    """A path of the relay for this connection."""
    answer = await client.auth(fresh_number(), LAB_PASSWORD)
    assert answer.start.startswith("200"), answer
    return answer.get("Use-Path")


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
async def test_a_path_is_given_for_a_password_only(kamailio: Kamailio, tls: bool) -> None:
    async with line(kamailio, tls=tls) as client:
        assert (await client.auth(fresh_number(), "wrong")).start.startswith("401")
        assert (await client.auth("nobody", LAB_PASSWORD)).start.startswith("401")
        answer = await client.auth(fresh_number(), LAB_PASSWORD)
        assert answer.start.startswith("200")
        assert answer.get("Use-Path").startswith(client.relay.removesuffix(";tcp") + "/")
        assert answer.get("Expires") == "3600"
        assert await path(client) != answer.get("Use-Path")


async def test_the_relay_proves_that_it_knows_the_password(kamailio: Kamailio) -> None:
    """RFC 4976 section 9.1: rspauth, cnonce, nc and qop in every 200 to AUTH."""
    async with line(kamailio, tls=False) as client:
        info = (await client.auth(fresh_number(), LAB_PASSWORD)).get("Authentication-Info")
        for name in ("rspauth", "cnonce", "nc", "qop"):
            assert f"{name}=" in info


@pytest.mark.parametrize(("asked", "bound"), [("5", "Min-Expires"), ("99999", "Max-Expires")])
async def test_an_interval_out_of_bounds_is_423_with_the_bound(kamailio: Kamailio, asked: str, bound: str) -> None:
    async with line(kamailio, tls=False) as client:
        answer = await client.auth(fresh_number(), LAB_PASSWORD, ("Expires", asked))
        assert answer.start.startswith("423") and answer.get(bound)
        good = await client.auth(fresh_number(), LAB_PASSWORD, ("Expires", "60"))
        assert good.start.startswith("200") and good.get("Expires") == "60"


@pytest.mark.parametrize("tls", [(False, False), (True, True), (True, False)], ids=["tcp", "tls", "tls-tcp"])
async def test_messages_and_reports_cross_two_relays(kamailio: Kamailio, tls: tuple[bool, bool]) -> None:
    """Both sides behind the relay: a To-Path of three hops, binary bodies intact, success reports back."""
    async with line(kamailio, tls=tls[0]) as alice, line(kamailio, tls=tls[1]) as bob:
        at_alice, at_bob = await path(alice), await path(bob)
        for body in (b"\x00\r\n\r\n-------x$\xff", bytes(range(256)) * 8, os.urandom(2048), os.urandom(8000)):
            sent = alice.send((at_alice, at_bob, bob.own), body, ("Success-Report", "yes"))
            answer = await alice.read()
            assert (answer.transaction, answer.start[:3]) == (sent, "200")
            arrived = await bob.read()
            assert arrived.start == "SEND" and arrived.body == body
            assert arrived.get("To-Path") == bob.own
            assert arrived.get("From-Path") == f"{at_bob} {at_alice} {alice.own}"
            back = arrived.get("From-Path")
            bob.write(
                "REPORT", ("To-Path", back), ("From-Path", bob.own), ("Message-ID", arrived.get("Message-ID")),
                ("Byte-Range", f"1-{len(body)}/{len(body)}"), ("Status", "000 200 OK"),
            )  # fmt: skip
            report = await alice.read()
            assert report.start == "REPORT" and report.get("Status") == "000 200 OK"
            assert report.get("Message-ID") == arrived.get("Message-ID")


async def test_a_stranger_to_a_session_sends_only_to_its_owner(kamailio: Kamailio) -> None:
    async with AsyncExitStack() as stack:
        alice, bob, mallory = [await stack.enter_async_context(line(kamailio, tls=False)) for _ in range(3)]
        at_alice, at_bob = await path(alice), await path(bob)
        # Through Alice's path to somebody else: that way is hers alone.
        mallory.send((at_alice, at_bob, bob.own), b"as if from alice")
        assert (await mallory.read()).start.startswith("403")
        # To Alice: that is what her path is for.
        mallory.send((at_alice, alice.own), b"hello")
        assert (await mallory.read()).start.startswith("200")
        assert (await alice.read()).body == b"hello"
        # A session that nobody has.
        mallory.send((f"{mallory.relay.removesuffix(';tcp')}/made-up;tcp", bob.own), b"x")
        assert (await mallory.read()).start.startswith("481")
        assert await bob.silent() and await alice.silent()


async def test_failure_reports_decide_about_answers(kamailio: Kamailio) -> None:
    """RFC 4975 section 7.1.2: `no` wants no answer at all, `partial` only bad ones."""
    async with line(kamailio, tls=False) as alice, line(kamailio, tls=False) as bob:
        at_alice, at_bob = await path(alice), await path(bob)
        for report in ("no", "partial"):
            alice.send((at_alice, at_bob, bob.own), b"x", ("Failure-Report", report))
            assert (await bob.read()).body == b"x"
            assert await alice.silent()
        nobody = f"{alice.relay.removesuffix(';tcp')}/made-up;tcp"
        alice.send((nobody, bob.own), b"x", ("Failure-Report", "no"))
        assert await alice.silent()
        alice.send((nobody, bob.own), b"x", ("Failure-Report", "partial"))
        assert (await alice.read()).start.startswith("481")


async def test_a_chunk_that_kamailio_cannot_judge_is_refused_and_the_connection_stays(kamailio: Kamailio) -> None:
    async with line(kamailio, tls=False) as alice, line(kamailio, tls=False) as bob:
        at_alice, at_bob = await path(alice), await path(bob)
        alice.send((at_alice, at_bob, bob.own), os.urandom(30_000))
        assert (await alice.read()).start.startswith("413")
        alice.send((at_alice, at_bob, bob.own), b"small")
        assert (await bob.read()).body == b"small"


async def test_a_client_that_is_gone_is_481(kamailio: Kamailio) -> None:
    async with line(kamailio, tls=False) as alice:
        async with line(kamailio, tls=False) as bob:
            at_bob = await path(bob)
        # A hop's 200 says nothing of the next one: until the relay has seen the end, it writes into the void.
        async with asyncio.timeout(5):
            while True:
                alice.send((at_bob, bob.own), b"anybody?")
                if (await alice.read()).start.startswith("481"):
                    break


async def test_other_methods_other_relays_and_other_ports_are_refused(kamailio: Kamailio) -> None:
    async with line(kamailio, tls=False) as client:
        client.write("NICKNAME", ("To-Path", client.relay), ("From-Path", client.own))
        assert (await client.read()).start.startswith("501")
        client.write(
            "AUTH", ("To-Path", f"{client.relay} msrps://relay.example.net:2855;tcp"), ("From-Path", client.own)
        )
        assert (await client.read()).start.startswith("403")
    async with MsrpLine("127.0.0.1", kamailio.tcp_port) as wrong:
        wrong.write("AUTH", ("To-Path", wrong.relay), ("From-Path", wrong.own))
        assert (await wrong.read()).start.startswith("403")
    async with SipLine(kamailio, fresh_number(), kamailio.msrp_port) as sip:
        assert (await sip.send(sip.build("OPTIONS", f"sip:{kamailio.domain}"))).status == 403
