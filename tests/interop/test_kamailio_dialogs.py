"""Dialogs through the real proxy: who is reached, who is not, and who can reach whom with forged routes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from interop.kamailio import LAB_PASSWORD, Kamailio, free_ports, missing
from interop.sip_lines import SipLine, SipServer, tag_of
from interop.test_kamailio_rcs import fresh_number
from letterlock.codec.sip import Request, Response
from letterlock.sip.message import call_id, new_tag

pytestmark = [pytest.mark.anyio, pytest.mark.kamailio]

FOCUS_PORT = free_ports(1)[0]
SDP = (("Content-Type", "application/sdp"),)
OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Kamailio]:
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    with Kamailio(lab_password=LAB_PASSWORD, focus=FOCUS_PORT) as running:
        yield running


@pytest.fixture
async def lines(server: Kamailio) -> AsyncIterator[tuple[SipLine, SipLine]]:
    """Two phones that are registered."""
    async with SipLine(server, fresh_number()) as alice, SipLine(server, fresh_number()) as bob:
        assert (await alice.register()).status == (await bob.register()).status == 200
        yield alice, bob


class Dialog:
    """The two ends of an INVITE that was answered."""

    def __init__(self, caller: SipLine, called: SipLine, invite: Request, answer: Response) -> None:
        self.ends = (caller, called)
        self.call_id = invite.headers.get("Call-ID") or ""
        self.addresses = (invite.headers.get("From") or "", answer.headers.get("To") or "")
        self.contacts = (caller.contact, called.contact)
        # The caller's route set is reversed (RFC 3261 section 12.1.2).
        self.routes = (tuple(reversed(answer.headers.listed("Record-Route"))), invite.headers.listed("Record-Route"))

    def build(self, end: int, method: str, *headers: tuple[str, str], uri: str = "") -> Request:
        """A request of one end to the other."""
        head = [("Route", value) for value in self.routes[end]]
        head += [("From", self.addresses[end]), ("To", self.addresses[1 - end]), ("Call-ID", self.call_id)]
        target = uri or self.contacts[1 - end].strip("<>")
        return self.ends[end].build(method, target, *head, *headers)

    async def exchange(self, end: int, method: str, status: int = 200) -> Request:
        """Send a request of the dialog; it must come to the other end and its answer back."""
        sending = asyncio.create_task(self.ends[end].send(self.build(end, method)))
        arrived = await self.ends[1 - end].take(status)
        assert arrived.method == method
        assert (await sending).status == status
        return arrived


async def invited(caller: SipLine, called: SipLine, *, uri: str = "", cseq: str = "") -> Dialog:
    invite = caller.build("INVITE", uri or caller.uri(called.me), ("Contact", caller.contact), *SDP, body=OFFER)
    sending = asyncio.create_task(caller.send(invite))
    arrived = await called.next("INVITE")
    assert arrived.body == OFFER
    called.answer(arrived, 180, ("Contact", called.contact))
    called.answer(
        arrived,
        200,
        ("Contact", called.contact),
        *((("Record-Route", v)) for v in arrived.headers.all("Record-Route")),
        *SDP,
        body=OFFER,
    )
    answer = await sending
    assert answer.status == 200
    dialog = Dialog(caller, called, arrived, answer)
    number = (answer.headers.get("CSeq") or "").split()[0]
    caller.write(dialog.build(0, "ACK", ("CSeq", f"{number} ACK")))
    assert (await called.next("ACK")).method == "ACK"
    return dialog


async def test_a_session_from_invite_to_bye(lines: tuple[SipLine, SipLine]) -> None:
    alice, bob = lines
    dialog = await invited(alice, bob)
    assert dialog.routes[0] and dialog.routes[1]
    for method in ("UPDATE", "INFO", "MESSAGE", "NOTIFY", "REFER", "SUBSCRIBE"):
        arrived = await dialog.exchange(0, method)
        assert arrived.headers.listed("P-Asserted-Identity")[0] == f"<sip:{alice.me}@{alice.server.domain}>"
        assert "Route" not in arrived.headers
        await dialog.exchange(1, method)
    await dialog.exchange(1, "BYE")


async def test_a_refusal_and_its_ack(lines: tuple[SipLine, SipLine]) -> None:
    alice, bob = lines
    invite = alice.build("INVITE", alice.uri(bob.me), ("Contact", alice.contact), *SDP, body=OFFER)
    sending = asyncio.create_task(alice.send(invite))
    await bob.take(486, ("Retry-After", "7"))
    answer = await sending
    assert (answer.status, answer.headers.get("Retry-After")) == (486, "7")
    assert (await bob.next("ACK")).method == "ACK"  # the proxy's own


async def test_a_fork_rings_everywhere_and_is_cancelled_where_nobody_answered(server: Kamailio) -> None:
    them = fresh_number()
    async with (
        SipLine(server, fresh_number()) as alice,
        SipLine(server, them) as first,
        SipLine(server, them) as second,
    ):
        await first.register()
        await second.register()
        invite = alice.build("INVITE", alice.uri(them), ("Contact", alice.contact), *SDP, body=OFFER)
        sending = asyncio.create_task(alice.send(invite))
        at_first, at_second = await first.next("INVITE"), await second.next("INVITE")
        first.answer(at_first, 180)
        second.answer(at_second, 180)
        first.answer(
            at_first,
            200,
            ("Contact", first.contact),
            *(("Record-Route", v) for v in at_first.headers.all("Record-Route")),
        )
        answer = await sending
        assert tag_of(answer.headers.get("To")) == first.tag
        cancel = await second.next("CANCEL")
        second.answer(cancel, 200)
        second.answer(at_second, 487)
        assert (await second.next("ACK")).method == "ACK"
        dialog = Dialog(alice, first, at_first, answer)
        await dialog.exchange(0, "BYE")
        assert second.arrived.empty()


async def test_the_caller_takes_it_back(lines: tuple[SipLine, SipLine]) -> None:
    alice, bob = lines
    # Once for the nonce, so that the Via of the INVITE that counts is known.
    await alice.message(fresh_number(), b"")
    via = (("Via", f"SIP/2.0/TCP 127.0.0.1:{alice.port};branch=z9hG4bK{new_tag(os.urandom)};rport"),)
    invite = alice.build("INVITE", alice.uri(bob.me), ("Contact", alice.contact), *SDP, body=OFFER)
    signed = alice._authenticator.first(invite).request
    alice.write(Request("INVITE", signed.uri, signed.headers.prepended(*via[0]), OFFER))
    at_bob = await bob.next("INVITE")
    bob.answer(at_bob, 180)
    while (await alice.provisional.get()).status != 180:
        pass
    same = {name: invite.headers.get(name) or "" for name in ("From", "To", "Call-ID")}
    cseq = (signed.headers.get("CSeq") or "").split()[0]
    alice.write(alice.build("CANCEL", invite.uri, *via, *same.items(), ("CSeq", f"{cseq} CANCEL")))
    cancel = await bob.next("CANCEL")
    assert cancel.headers.get("Call-ID") == same["Call-ID"]
    bob.answer(cancel, 200)
    bob.answer(at_bob, 487)


async def test_nobody_there(lines: tuple[SipLine, SipLine]) -> None:
    alice, _ = lines
    for method in ("INVITE", "SUBSCRIBE", "REFER", "OPTIONS"):
        answer = await alice.send(alice.build(method, alice.uri(fresh_number()), ("Contact", alice.contact)))
        assert answer.status == 480
    for method in ("BYE", "UPDATE", "INFO", "NOTIFY", "PRACK"):
        assert (await alice.send(alice.build(method, alice.uri(fresh_number())))).status == 481
    answer = await alice.send(alice.build("PUBLISH", alice.uri(alice.me)))
    assert answer.status == 405 and "INVITE" in (answer.headers.get("Allow") or "")


async def test_a_preloaded_route_leads_nowhere(lines: tuple[SipLine, SipLine]) -> None:
    """Neither Route nor an address of its own choice takes a client past the registrar (SR-04's network side)."""
    alice, bob = lines
    async with SipServer(alice.server, "elsewhere", free_ports(1)[0]) as elsewhere:
        route = (("Route", f"<sip:127.0.0.1:{elsewhere.port};transport=tcp;lr>"), ("Contact", alice.contact))
        sending = asyncio.create_task(alice.send(alice.build("INVITE", alice.uri(bob.me), *route, body=OFFER)))
        arrived = await bob.take(603)
        assert "Route" not in arrived.headers
        assert (await sending).status == 603
        straight = alice.build("INVITE", f"sip:x@127.0.0.1:{elsewhere.port};transport=tcp", *route)
        assert (await alice.send(straight)).status == 403
        assert elsewhere.arrived.empty()


async def test_a_client_reaches_only_the_other_end_of_its_own_dialogs(lines: tuple[SipLine, SipLine]) -> None:
    alice, bob = lines
    dialog = await invited(alice, bob)
    async with (
        SipServer(alice.server, "elsewhere", free_ports(1)[0]) as elsewhere,
        SipLine(alice.server, fresh_number()) as mallory,
    ):
        await mallory.register()
        # A member of the dialog, with another target and another route: it comes to the other member.
        target = f"sip:x@127.0.0.1:{elsewhere.port};transport=tcp"
        foreign = dialog.build(0, "INFO", ("Route", f"<{target};lr>"), uri=target)
        sending = asyncio.create_task(alice.send(foreign))
        await bob.take()
        assert (await sending).status == 200
        # A stranger who knows every name in it.
        for end in (0, 1):
            stolen = dialog.build(end, "BYE")
            assert (await mallory.send(mallory.build("BYE", stolen.uri, *stolen.headers))).status == 403
            names = (("To", dialog.addresses[1 - end]), ("Call-ID", dialog.call_id))
            for tag in (tag_of(dialog.addresses[end]), new_tag(os.urandom)):
                own = ("From", f"<{mallory.uri(mallory.me)}>;tag={tag}")
                assert (await mallory.send(mallory.build("BYE", stolen.uri, own, *names))).status == 481
        # A dialog that is none.
        for uri in (target, bob.contact.strip("<>"), mallory.uri(bob.me)):
            to = ("To", f"<{mallory.uri(bob.me)}>;tag=made-up")
            assert (await mallory.send(mallory.build("INFO", uri, to))).status == 481
        assert elsewhere.arrived.empty() and bob.arrived.empty() and alice.arrived.empty()


async def test_nobody_takes_over_an_end_by_its_names(lines: tuple[SipLine, SipLine]) -> None:
    """A stranger who knows Call-ID and tags begins a dialog under them, and an accomplice answers under them."""
    alice, bob = lines
    dialog = await invited(alice, bob)
    async with SipLine(alice.server, fresh_number()) as mallory, SipLine(alice.server, fresh_number()) as friend:
        await mallory.register()
        await friend.register()
        mallory.tag = tag_of(dialog.addresses[0])
        invite = mallory.build("INVITE", mallory.uri(friend.me), ("Call-ID", dialog.call_id), body=OFFER)
        assert (await mallory.send(invite)).status == 403
        mallory.tag = new_tag(os.urandom)
        sending = asyncio.create_task(
            mallory.send(mallory.build("INVITE", mallory.uri(friend.me), ("Call-ID", dialog.call_id), body=OFFER))
        )
        friend.answer(await friend.next("INVITE"), 200, ("Contact", friend.contact), tag=tag_of(dialog.addresses[0]))
        assert (await sending).status == 200
        await dialog.exchange(1, "INFO")
        await dialog.exchange(0, "BYE")
        assert mallory.arrived.empty()


async def test_a_phone_that_reconnects_keeps_its_dialog(lines: tuple[SipLine, SipLine]) -> None:
    """From a new connection it must prove itself; by its GRUU it is found there (RFC 5627)."""
    alice, bob = lines
    dialog = await invited(alice, bob)
    gruu = f"{bob.uri(bob.me)};gr={bob.instance}"
    await bob.disconnect()
    await bob.connect()
    await bob.register()
    sending = asyncio.create_task(alice.send(dialog.build(0, "INFO", uri=gruu)))
    assert (await bob.take()).method == "INFO"
    assert (await sending).status == 200
    await dialog.exchange(1, "UPDATE")
    await dialog.exchange(0, "INFO")  # known again where it is
    other = f"{alice.uri(fresh_number())};gr={bob.instance}"
    assert (await alice.send(dialog.build(0, "INFO", uri=other))).status == 404


async def test_after_a_restart_of_the_proxy_a_dialog_is_gone_and_says_so() -> None:
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    with Kamailio(lab_password=LAB_PASSWORD) as server:
        async with SipLine(server, fresh_number()) as alice, SipLine(server, fresh_number()) as bob:
            await alice.register()
            await bob.register()
            dialog = await invited(alice, bob)
            server.halt()
            server.start()
            for line in (alice, bob):
                await line.disconnect()
                await line.connect()
                await line.register()
            assert (await alice.send(dialog.build(0, "BYE"))).status == 481
            await (await invited(alice, bob)).exchange(1, "BYE")


async def test_the_focus_is_reached_by_its_names_and_reaches_everybody(lines: tuple[SipLine, SipLine]) -> None:
    """conference-factory and conf-*; its own requests come over the application servers' port, its word is believed."""
    alice, bob = lines
    server = alice.server
    async with (
        SipServer(server, "conf-1", FOCUS_PORT) as focus,
        SipLine(server, "conf-1", server.application_port) as out,
    ):
        for user in ("conference-factory", "conf-1234"):
            dialog = await invited(alice, focus, uri=f"sip:{user}@{server.domain}")
            dialog.ends = (alice, out)  # its own requests it sends over its own connection
            asserted = (("P-Asserted-Identity", f"<sip:conf-1@{server.domain}>"),)
            notify = dialog.build(1, "NOTIFY", *asserted)
            sending = asyncio.create_task(out.send(notify))
            arrived = await alice.take()
            assert arrived.method == "NOTIFY"
            assert arrived.headers.listed("P-Asserted-Identity") == (asserted[0][1],)
            assert (await sending).status == 200
            sending = asyncio.create_task(alice.send(dialog.build(0, "REFER")))
            assert (await focus.take(202)).headers.listed("P-Asserted-Identity")[0].startswith(f"<sip:{alice.me}@")
            assert (await sending).status == 202
        # Out of the blue, to a member.
        out.tag = new_tag(os.urandom)
        invite = out.build("INVITE", out.uri(bob.me), ("Contact", "<sip:conf-1@127.0.0.1>;isfocus"), *asserted)
        sending = asyncio.create_task(out.send(invite))
        arrived = await bob.take(200, ("Contact", bob.contact))
        assert arrived.headers.listed("P-Asserted-Identity") == (asserted[0][1],)
        answer = await sending
        assert answer.status == 200
        # And back: what the member says in that dialog comes to the focus.
        names = (("To", arrived.headers.get("From") or ""), ("From", answer.headers.get("To") or ""))
        bye = bob.build("BYE", "sip:conf-1@127.0.0.1", *names, ("Call-ID", arrived.headers.get("Call-ID") or ""))
        sending = asyncio.create_task(bob.send(bye))
        assert (await out.take()).method == "BYE"
        assert (await sending).status == 200


async def test_a_focus_that_is_down_is_said_with_a_time(lines: tuple[SipLine, SipLine]) -> None:
    alice, _ = lines
    answer = await alice.send(alice.build("INVITE", alice.uri("conference-factory"), ("Contact", alice.contact)))
    assert (answer.status, answer.headers.get("Retry-After")) == (480, "5")


async def test_the_port_of_application_servers_is_for_their_addresses_only() -> None:
    if reason := missing():
        pytest.skip(f"kamailio: {reason}")
    with Kamailio(lab_password=LAB_PASSWORD, application_network="192.0.2.0/24") as server:
        async with SipLine(server, fresh_number(), server.application_port) as stranger:
            asserted = (("P-Asserted-Identity", f"<sip:+15550000001@{server.domain}>"), ("Content-Type", "x/y"))
            answer = await stranger.send(stranger.build("MESSAGE", stranger.uri(fresh_number()), *asserted))
            assert answer.status == 403
            bye = stranger.build("BYE", stranger.uri("x"), ("To", "<sip:x@y>;tag=1"), ("Call-ID", call_id(os.urandom)))
            assert (await stranger.send(bye)).status == 403
