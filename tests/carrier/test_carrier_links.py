"""Application servers over real sockets: the listener that is theirs, and the links to them that break and come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from carrier.sip_peer import SipPeer, SipService
from letterlock.carrier import Accounts, ApplicationServer, Carrier, Searcher
from letterlock.carrier.settings import Settings
from letterlock.codec.sip import Request, Response
from letterlock.ids import number
from letterlock.sip.message import response_to

pytestmark = pytest.mark.anyio

ALICE, BOB = number("+15550100"), number("+15550101")
ACCOUNTS = Accounts.of({ALICE: "alice-pw", BOB: "bob-pw"})


def carrier_for(service: SipService, **options: object) -> Carrier:
    focus = ApplicationServer("127.0.0.1", service.port, frozenset({"conference-factory"}), ("conf-",))
    return Carrier(
        "127.0.0.1",
        0,
        ACCOUNTS,
        settings=Settings(application_servers=(focus,)),
        server_port=0,
        **options,  # type: ignore[arg-type]
    )


async def phone(carrier: Carrier, me: str) -> SipPeer:
    peer = await SipPeer.connect(carrier.port, lambda request: response_to(request, 200, tag="p"))
    assert await peer.register(me, ACCOUNTS.password_of(me) or "", carrier.domain) == 200
    return peer


async def test_a_phone_and_a_focus_talk_and_all_of_it_is_in_the_log(tmp_path: Path) -> None:
    async with SipService() as service, carrier_for(service, wire_log=tmp_path / "log") as carrier:
        alice = await phone(carrier, ALICE)
        factory = f"sip:conference-factory@{carrier.domain}"
        alice.request("MESSAGE", factory, f"sip:{ALICE}@{carrier.domain}", body=b"to the focus")
        assert await alice.status() == 200
        assert (await service.peers[0].arrived()).headers.all("P-Asserted-Identity")[1] == f"<tel:{ALICE}>"
        focus = await SipPeer.connect(carrier.server_port or 0)
        identity = ("P-Asserted-Identity", f"<{factory}>")
        focus.request("MESSAGE", f"sip:{ALICE}@{carrier.domain}", factory, identity, body=b"from the focus")
        assert await focus.status() == 200
        arrived = await alice.arrived()
        assert arrived.body == b"from the focus"
        assert arrived.headers.all("P-Asserted-Identity") == (f"<{factory}>",)
        for peer in (alice, focus):
            await peer.close()
    searcher = Searcher(tmp_path / "log")
    for text in ("to the focus", "from the focus"):
        assert {hit.received for hit in searcher.search(text)} == {True, False}


async def test_the_listener_for_servers_takes_no_phone_and_the_one_for_phones_no_server() -> None:
    async with SipService() as service, carrier_for(service) as carrier:
        bob = await phone(carrier, BOB)
        intruder = await SipPeer.connect(carrier.server_port or 0)
        assert await intruder.register(ALICE, "alice-pw", carrier.domain) == 403
        assert carrier.online(ALICE) == 0
        forger = await SipPeer.connect(carrier.port)
        focus = f"sip:conf-1@{carrier.domain}"
        forger.request("MESSAGE", f"sip:{BOB}@{carrier.domain}", focus, ("P-Asserted-Identity", f"<{focus}>"))
        assert await forger.status() == 407
        assert bob.requests.empty()
        for peer in (bob, intruder, forger):
            await peer.close()


class FarTransport(asyncio.Transport):
    """A connection from another machine, which does not come about on the loopback interface."""

    def __init__(self, host: str) -> None:
        super().__init__({"peername": (host, 50_000)})
        self.closed = False

    def close(self) -> None:
        self.closed = True

    abort = close


async def test_a_stranger_at_the_listener_for_servers_is_hung_up_on() -> None:
    server = ApplicationServer("192.0.2.7", 7001, frozenset({"x"}))
    async with Carrier(
        "127.0.0.1", 0, ACCOUNTS, settings=Settings(application_servers=(server,)), server_port=0
    ) as carrier:
        for host, refused in (("192.0.2.7", False), ("192.0.2.8", True)):
            transport, stream = FarTransport(host), carrier._stream(None, trusted=True)
            stream.connection_made(transport)
            assert transport.closed is refused
            stream.connection_lost(None)


async def test_there_is_no_listener_for_servers_unless_it_is_asked_for() -> None:
    async with Carrier("127.0.0.1", 0, ACCOUNTS) as carrier:
        assert carrier.server_port is None


async def test_a_link_breaks_and_is_opened_again() -> None:
    silent: list[bool] = []

    def answer(request: Request) -> Response | None:
        return None if silent else response_to(request, 200, tag="s")

    async with SipService(answer) as service, carrier_for(service) as carrier:
        alice = await phone(carrier, ALICE)
        ask = (f"sip:conf-1@{carrier.domain}", f"sip:{ALICE}@{carrier.domain}")
        alice.request("OPTIONS", *ask)
        assert await alice.status() == 200
        # It goes away with a question unanswered, and comes back.
        silent.append(True)
        alice.request("OPTIONS", *ask)
        await service.peers[0].arrived()
        await service.peers[0].arrived()
        await service.peers[0].close()
        assert await alice.status() == 503
        silent.clear()
        alice.request("OPTIONS", *ask)
        assert await alice.status() == 200
        assert len(service.peers) == 2
        await service.__aexit__()
        for _ in range(2):
            # Nobody listens; each request tries again, and each is answered.
            alice.request("OPTIONS", *ask)
            assert await alice.status() == 503
        await service.__aenter__()
        alice.request("OPTIONS", *ask)
        assert await alice.status() == 200
        await alice.close()


async def test_many_requests_wait_for_the_link_to_open() -> None:
    async with SipService() as service, carrier_for(service) as carrier:
        alice = await phone(carrier, ALICE)
        for _ in range(50):
            alice.request("MESSAGE", f"sip:conf-1@{carrier.domain}", f"sip:{ALICE}@{carrier.domain}")
        assert {await alice.status() for _ in range(50)} == {200}
        assert len(service.peers) == 1
        await alice.close()


async def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    async with SipService() as service:
        carrier = Carrier("127.0.0.1", 0, ACCOUNTS, server_port=service.port)
        with pytest.raises(OSError, match="address already in use"):
            await carrier.start()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", carrier.port)
