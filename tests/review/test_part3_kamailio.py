"""Kamailio's relay connects where the operator lets it, not where a user would like (SR-14)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio, missing
from interop.msrp_lines import MsrpLine
from interop.sip_lines import SipLine
from letterlock.codec.sip import Request

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]


@pytest.fixture(scope="module")
def server() -> Iterator[Kamailio]:
    if missing():
        pytest.skip(missing())
    with Kamailio(lab_password=LAB_PASSWORD) as running:
        yield running


@pytest.mark.parametrize(
    "target",
    [
        "msrp://127.0.0.2:{port}/x;tcp",
        "msrp://a@127.0.0.2:{port}/x;tcp",
        "MSRP://127.0.0.2:{port}/x;tcp",
        "msrp://127.0.0.1:22/x;tcp",
        "msrp://127.0.0.1/x;tcp",
        "msrp://localhost:{port}/x;tcp",
        "msrp://[::1]:{port}/x;tcp",
        " msrp://127.0.0.2:{port}/x;tcp",
        "\tmsrp://127.0.0.2:{port}/x;tcp",
        "msrp://127.0.0.2:{port}/x;tcp msrp://127.0.0.1:9999/x;tcp",
        "msrp://127.0.0.1:9999/x;tcp\r\nTo-Path: msrp://127.0.0.2:{port}/x;tcp",
        "msrp://127.0.0.1:9999@127.0.0.2:{port}/x;tcp",
        "msrp://127.0.0.2:{port}@127.0.0.1:9999/x;tcp",
    ],
)
async def test_a_path_leads_to_no_other_machine_and_to_no_service(server: Kamailio, target: str) -> None:
    reached = asyncio.Event()
    listener = await asyncio.start_server(lambda r, w: reached.set(), "127.0.0.2", 0)
    port = listener.sockets[0].getsockname()[1]
    async with MsrpLine("127.0.0.1", server.msrp_port) as mallory:
        answer = await mallory.auth("+15550001111", LAB_PASSWORD)
        path = answer.get("Use-Path")
        mallory.write(
            "SEND",
            ("To-Path", f"{path} {target.format(port=port)}"),
            ("From-Path", mallory.own),
            ("Message-ID", os.urandom(6).hex()),
            ("Byte-Range", "1-5/5"),
            ("Content-Type", "message/cpim"),
            body=b"hello",
        )
        # Whatever is answered to that, this comes behind it on the same connection.
        mallory.write("NICKNAME", ("To-Path", mallory.relay), ("From-Path", mallory.own))
        try:
            while not (await mallory.read()).start.startswith("501"):
                pass
        except AssertionError as error:
            assert error.args and "b''" in str(error)  # it hung up instead
    assert not reached.is_set()
    listener.close()
    await listener.wait_closed()


async def test_to_itself_it_leads(server: Kamailio) -> None:
    """The control: from one of its users to another."""
    async with (
        MsrpLine("127.0.0.1", server.msrp_port) as alice,
        MsrpLine("127.0.0.1", server.msrp_port) as bob,
    ):
        at_alice = (await alice.auth("+15550001111", LAB_PASSWORD)).get("Use-Path")
        at_bob = (await bob.auth("+15550002222", LAB_PASSWORD)).get("Use-Path")
        alice.send((at_alice, at_bob, bob.own), b"hello")
        assert (await bob.read()).body == b"hello"


@pytest.mark.parametrize("long", ["Call-ID", "From"])
async def test_nobody_fills_the_table_of_dialogs_with_long_names(server: Kamailio, long: str) -> None:
    """SR-08: each INVITE is remembered for two hours under its Call-ID and tag, which its sender chooses."""
    async with SipLine(server, "+15550001111") as mallory:
        assert (await mallory.register()).status == 200
        value = "c" * 10_000 if long == "Call-ID" else f"<sip:{mallory.me}@{server.domain}>;tag={'t' * 10_000}"
        request = mallory.build("INVITE", f"sip:+15550002222@{server.domain}")
        request = Request("INVITE", request.uri, request.headers.with_(long, value), b"")
        assert (await mallory.send(request)).status == 400


async def test_the_paths_of_one_user_are_bounded(server: Kamailio) -> None:
    """SR-08: each is kept for an hour. Another user still gets one."""
    async with MsrpLine("127.0.0.1", server.msrp_port) as mallory:
        for _ in range(2000):
            if not (await mallory.auth("+15550003333", LAB_PASSWORD)).start.startswith("200"):
                break
        assert (await mallory.auth("+15550003333", LAB_PASSWORD)).start.startswith("403")
    async with MsrpLine("127.0.0.1", server.msrp_port) as honest:
        assert (await honest.auth("+15550004444", LAB_PASSWORD)).start.startswith("200")
