"""Message sessions with chatbots: what fits no request goes over one, either way, and stands under the bot's address."""

from __future__ import annotations

import pytest

from letterlock.carrier.settings import DEFAULT_DOMAIN, ApplicationServer, Settings
from letterlock.carrier.tap import Interference, Seen, replaced, swallowed
from letterlock.codec.sip import Headers, Request
from letterlock.ids import BotAddress, Number
from sip.test_rcs_sessions import ANA, BEN, LARGE, LISTEN, phones

BOT = BotAddress(f"sip:shop@{DEFAULT_DOMAIN}")

pytestmark = pytest.mark.anyio


async def test_sr03_a_session_that_a_bot_opens_is_the_bots() -> None:
    def as_bot(seen: Seen) -> Interference | None:
        message = seen.message
        if not isinstance(message, Request) or message.method != "INVITE" or seen.sender != ANA:
            return None
        items = [item for item in message.headers if item[0].lower() != "p-asserted-identity"]
        headers = Headers([*items, ("P-Asserted-Identity", f'"{ANA}" <{BOT}>')])
        return replaced(Request(message.method, message.uri, headers, message.body))

    async with phones((ANA, LISTEN), (BEN, LISTEN), carrier_options={"tap": as_bot}) as (bot, ben):
        assert (await bot.send(BEN, LARGE)).accepted
        arrived = await ben.next()
        assert (arrived.sender, arrived.number, arrived.body) == (BOT, None, LARGE)
        assert ben.transport.sessions.open_with(BOT) and not ben.transport.sessions.open_with(ANA)
        # The answer goes over it, too: a name like the number's would have gone to the number.
        assert (await ben.send(Number(BOT), b"thanks")).accepted
        assert (await bot.next()).body == b"thanks"


async def test_a_session_with_a_bot_is_asked_for_at_its_own_address_and_with_its_tags() -> None:
    calls: list[Request] = []

    def note(seen: Seen) -> Interference | None:
        if isinstance(seen.message, Request) and seen.message.method == "INVITE":
            calls.append(seen.message)
            return swallowed(480)
        return None

    platform = ApplicationServer("127.0.0.1", 9, users=frozenset({"shop"}))
    options = {"tap": note, "settings": Settings(application_servers=(platform,))}
    async with phones((ANA, LISTEN), carrier_options=options) as (ana,):
        result = await ana.send(Number(BOT), LARGE)
        assert (result.accepted, result.status) == (False, 480)
    (call,) = calls
    assert (call.uri, call.headers.get("To")) == (BOT, f"<{BOT}>")
    tags = call.headers.all("Accept-Contact")
    assert any("iari.rcs.chatbot" in each and 'botversion="#=1,#=2"' in each for each in tags)
