"""Calls and subscriptions at the edge, for whatever else than chats needs them: over the carrier, between two clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from letterlock.codec.sip import NameAddr, Request
from letterlock.errors import ProtocolError, TransportError
from letterlock.sip.calling import Invitation
from letterlock.sip.effects import Body
from letterlock.sip.session_events import Established
from letterlock.sip.subscribing import Subscriber, Subscription, SubscriptionEnded
from letterlock.sip.transaction import TransactionKey
from letterlock.transport.rcs.dialogs import Call, CallRefused, DialogEvent
from sip.test_rcs_sessions import ANA, BEN, LISTEN, Phone, phones, until

pytestmark = pytest.mark.anyio

OFFER, ANSWER = Body("text/x-offer", b"offer"), Body("text/x-offer", b"answer")


class Taker:
    """Takes every call that does not offer a message session."""

    def __init__(self, phone: Phone) -> None:
        self.calls: list[Call] = []
        self.asked: list[Request] = []
        phone.transport.dialogs.takers.insert(0, self.take)

    def take(self, call: Call) -> bool:
        self.calls.append(call)
        call.on_request = lambda key, request: self.on_request(call, key, request)
        call.ring()
        call.accept(ANSWER)
        return True

    def on_request(self, call: Call, key: TransactionKey, request: Request) -> bool:
        self.asked.append(request)
        if request.method != "INFO":
            return False
        call.respond(key, 200)
        return True


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Phone, Phone, Taker]]:
    async with phones((ANA, LISTEN), (BEN, LISTEN)) as (ana, ben):
        yield ana, ben, Taker(ben)


async def call(phone: Phone, body: Body = OFFER) -> Call:
    flow = await phone.transport.presence.flow()
    to = NameAddr.parse(f"<sip:{BEN}@rcs.example.test>")
    return phone.transport.dialogs.call(
        Invitation(
            to.uri.encode(),
            to,
            NameAddr(phone.transport._config.identity),
            phone.transport.dialogs.contact,
            flow.service_route,
            (),
            body,
        )
    )


async def test_a_call_with_requests_in_it(pair: tuple[Phone, Phone, Taker]) -> None:
    ana, _, taker = pair
    ours = await call(ana)
    established = await ours.established()
    assert isinstance(established, Established)
    assert established.body == ANSWER
    (theirs,) = taker.calls
    assert theirs.offered == OFFER
    await theirs.established()
    answer = await ours.request("INFO", (("Info-Package", "x"),), Body("text/plain", b"hi"))
    assert answer is not None and answer.status == 200
    assert taker.asked[0].body == b"hi"
    answer = await theirs.request("INFO")  # which nobody takes at the caller's
    assert answer is not None and answer.status == 405
    assert "INVITE" in (answer.headers.get("Allow") or "")
    ours.hang_up("done")
    assert await theirs.ended == "the peer hung up"
    assert await ours.ended == "done"
    with pytest.raises(ProtocolError):
        await theirs.request("INFO")


async def test_other_offers_in_a_running_call_are_refused(pair: tuple[Phone, Phone, Taker]) -> None:
    ana, _, taker = pair
    ours = await call(ana)
    await ours.established()
    session = ours._session
    ana.transport.dialogs.do(session, lambda now: session.offer(Body("text/x-offer", b"another"), now))
    await until(
        lambda: session.state.value == "running" and session._running is not None and session._running._ours is None
    )
    assert not ours.ended.done()
    ours.hang_up("done")
    await taker.calls[0].ended


async def test_a_refused_call(pair: tuple[Phone, Phone, Taker]) -> None:
    ana, ben, taker = pair
    ben.transport.dialogs.takers.remove(taker.take)
    with pytest.raises(CallRefused) as caught:
        await (await call(ana)).established()
    assert caught.value.status == 488  # nobody wants what is no message session


async def test_the_connection_ends_everything(pair: tuple[Phone, Phone, Taker]) -> None:
    ana, _, taker = pair
    ours = await call(ana)
    await ours.established()
    asking = asyncio.ensure_future(ours.request("INFO"))
    taker.on_request = lambda call, key, request: True  # type: ignore[method-assign]
    connection = (await ana.transport.presence.flow()).connection
    connection._abort("pulled out")
    assert await ours.ended == "the connection to the carrier ended"
    assert await asking is None
    await ana.transport.registered()
    ours.hang_up("nothing happens")


async def test_a_subscription_that_nobody_serves(pair: tuple[Phone, Phone, Taker]) -> None:
    ana, _, _ = pair
    flow = await ana.transport.presence.flow()
    to = NameAddr.parse(f"<sip:{BEN}@rcs.example.test>")
    told: list[DialogEvent] = []
    wanted = Subscription(
        to.uri.encode(),
        to,
        NameAddr(ana.transport._config.identity),
        ana.transport.dialogs.contact,
        flow.service_route,
        "conference",
        "application/conference-info+xml",
        (),
        3600,
        32_000,
    )
    ana.transport.dialogs.subscribe(Subscriber(wanted, ana.transport._rng), told.append)
    await until(lambda: bool(told))
    (ended,) = told
    assert isinstance(ended, SubscriptionEnded)
    assert (ended.status, ended.again) == (405, False)


async def test_without_a_connection_nothing_begins() -> None:
    async with phones((ANA, LISTEN)) as (ana,):
        to = NameAddr.parse(f"<sip:{BEN}@rcs.example.test>")
        invitation = Invitation(to.uri.encode(), to, to, "<sip:a@h>", (), (), OFFER)
        ana.transport.dialogs.detach("gone")
        with pytest.raises(TransportError) as caught:
            ana.transport.dialogs.call(invitation)
        assert caught.value.code == "transport.offline"
