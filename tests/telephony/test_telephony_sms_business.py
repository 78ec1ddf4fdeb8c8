"""SMS by decision alone, businesses, which are never encrypted, MMS, which is not there; on the network inside the process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client.phones import ANA, BEN, Net, NetTransport, Town, now_ms
from letterlock.carriage import Inbound, Medium, NetworkResult, Outbound
from letterlock.client import Client, SmsAccount
from letterlock.codec.chatbot import maap
from letterlock.codec.chatbot import model as bot
from letterlock.engine.content.card import CHATBOT_LIMITS
from letterlock.errors import NotEncrypted
from letterlock.ids import MessageId, Number, bot_address
from letterlock.telephony import (
    RCSURI,
    BusinessCard,
    BusinessCardCarousel,
    BusinessInformationRequest,
    CachePolicy,
    CardHeight,
    CellularServiceID,
    DialPhoneNumberAction,
    Disposition,
    DispositionNotification,
    FontStyle,
    MMSError,
    MMSErrorCode,
    OpenURLAction,
    RCSError,
    RCSErrorCode,
    RCSMessageID,
    RemoteCapabilitiesRequest,
    SMSContent,
    SMSError,
    SMSErrorCode,
    SMSHandle,
    SMSMessage,
    SMSMessageID,
    SuggestedAction,
    SuggestedReply,
    SuggestionResponse,
    TelephonyMessagingSession,
    Text,
)
from telephony.lines import NOBODY, first, uri

pytestmark = pytest.mark.anyio
LINE = CellularServiceID(ANA)
SHOP = "sip:shop@bots.example.com"


class SmsTransport(NetTransport):
    """An SMSC that keeps what it is given."""

    async def send(self, outbound: Outbound) -> NetworkResult:
        assert outbound.medium is Medium.SMS
        self.net.sent.append((self.number, outbound))
        return NetworkResult(True, 0, "OK")


class Phone:
    """Ana's session, on a net with an SMSC beside it."""

    def __init__(self, session: TelephonyMessagingSession, rcs: Net, sms: Net) -> None:
        self.session, self.rcs, self.sms = session, rcs, sms

    def comes(self, net: Net, sender: Any, content_type: str, body: bytes, message_id: str, **more: Any) -> None:
        medium = Medium.SMS if net is self.sms else Medium.RCS
        inbound = Inbound(
            sender, Number(ANA), MessageId(message_id), content_type, body, now_ms(), medium=medium, **more
        )
        for phone in net.phones[Number(ANA)]:
            phone.deliver(inbound)

    @property
    def by_sms(self) -> list[bytes]:
        return [outbound.body for _, outbound in self.sms.sent]


@contextlib.asynccontextmanager
async def phone(folder: Path, *, sms: bool = True) -> AsyncIterator[Phone]:
    town, smsc = Town(folder), Net()
    path = folder / ANA
    environment = town.environment(
        sms=lambda environment, settings, identity, on_message, records: (
            SmsTransport(smsc, identity.number, on_message) if settings.sms is not None else None
        )
    )
    await Client.create(
        path,
        ANA,
        directory="http://127.0.0.1:1",
        code="12345678",
        sms=SmsAccount("127.0.0.1", 1, "ana", "lab", tls=False) if sms else None,
        passphrase="tulip",
        environment=environment,
    )
    ben = await town.create(BEN)
    async with (
        TelephonyMessagingSession.open(path, passphrase="tulip", environment=environment) as session,
        town.open(ben),
    ):
        yield Phone(session, town.net, smsc)


def message(number: str, text: str, id: int) -> SMSMessage:
    return SMSMessage(LINE, SMSHandle(number), SMSMessageID(id), SMSContent(text))


# --- SMS -------------------------------------------------------------------------------------------------------
async def test_sms_goes_by_decision_alone(tmp_path: Path) -> None:
    """SR-01."""
    async with phone(tmp_path) as ana, contextlib.AsyncExitStack() as open_streams:
        service = ana.session.sms_service
        assert await service.is_viable(LINE) and not await service.is_viable(CellularServiceID(BEN))
        with pytest.raises(SMSError) as caught:
            await service.send_message(message(NOBODY, "openly", 1))
        assert caught.value.code is SMSErrorCode.PERMANENT_FAILURE
        assert isinstance(caught.value.__cause__, NotEncrypted)
        [option] = caught.value.plaintext_options
        assert option.name == "plain-sms" and ana.by_sms == []
        # It is no decision for RCS, and that for RCS is none for SMS.
        with pytest.raises(RCSError) as refused:
            await ana.session.rcs_service.send_message(
                Text("x"), to=uri(NOBODY), using=LINE, message_id=RCSMessageID("x"), plaintext_decision=option
            )
        assert refused.value.code is RCSErrorCode.INVALID_ARGUMENT
        with pytest.raises(RCSError) as refused:
            await ana.session.rcs_service.send_message(
                Text("x"), to=uri(NOBODY), using=LINE, message_id=RCSMessageID("x")
            )
        other = next(option for option in refused.value.plaintext_options if option.name == "plain-rcs")
        with pytest.raises(SMSError) as caught:
            await service.send_message(message(NOBODY, "openly", 1), plaintext_decision=other)
        assert caught.value.code is SMSErrorCode.PERMANENT_FAILURE
        await service.send_message(message(NOBODY, "openly", 1), plaintext_decision=option)
        await service.send_message(message(NOBODY, "again", 2))
        await ana.session.client.settled()
        assert ana.by_sms == [b"openly", b"again"] and ana.rcs.sent == []
        # What is written by RCS does not go by SMS in silence.
        for encrypted in (True, False):
            with pytest.raises(RCSError) as refused:
                await ana.session.rcs_service.send_message(
                    Text("psst", encrypted), to=uri(NOBODY), using=LINE, message_id=RCSMessageID("y")
                )
            assert refused.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED
            assert [option.name for option in refused.value.plaintext_options] == ([] if encrypted else ["plain-rcs"])
        for number, text, id in ((NOBODY, "x" * 5_000, 3), (NOBODY, "used", 2), (NOBODY, "x", -1), ("12", "x", 4)):
            with pytest.raises(SMSError) as caught:
                await service.send_message(message(number, text, id))
            assert caught.value.code is SMSErrorCode.PERMANENT_FAILURE
        with pytest.raises(SMSError) as caught:
            await service.report_spam(message(NOBODY, "x", 9))
        assert caught.value.code is SMSErrorCode.NOT_SUPPORTED
        await ana.session.client.settled()
        assert len(ana.by_sms) == 2

        # A receipt of the SMSC's says that the carrier delivered it by SMS.
        stream = await open_streams.enter_async_context(
            contextlib.aclosing(ana.session.rcs_service.incoming_message_notifications())
        )
        body = (
            b'<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>sms.1</message-id>'
            b"<datetime>2026-11-23T19:00:00Z</datetime><delivery-notification><status><delivered/></status>"
            b"</delivery-notification></imdn>"
        )
        ana.comes(ana.sms, Number(NOBODY), "message/imdn+xml", body, "r-1")
        told = await first(stream, lambda told: isinstance(told.message.content, DispositionNotification))
        assert told.message.content == DispositionNotification(
            Disposition.INTERWORKING_DELIVERED, RCSMessageID("sms.1"), is_end_to_end_encrypted=False
        )


async def test_an_encrypted_chat_has_no_sms(tmp_path: Path) -> None:
    """SR-01."""
    async with phone(tmp_path) as ana:
        await ana.session.rcs_service.send_message(
            Text("hi", True), to=uri(BEN), using=LINE, message_id=RCSMessageID("1")
        )
        with pytest.raises(SMSError) as caught:
            await ana.session.sms_service.send_message(message(BEN, "openly", 1))
        assert caught.value.plaintext_options == ()
        await ana.session.client.settled()
        assert ana.by_sms == []


async def test_sms_that_come(tmp_path: Path) -> None:
    async with phone(tmp_path) as ana:
        stream = ana.session.sms_service.incoming_message_notifications()
        ana.comes(ana.sms, Number(NOBODY), "text/plain", "gr\u00fc\u00df dich".encode(), "in-1")
        found = (await first(stream)).message
        assert (found.handle, found.content) == (SMSHandle(NOBODY), SMSContent("gr\u00fc\u00df dich"))
        assert 0 <= found.message_id < 1 << 32
        ana.comes(ana.sms, None, "text/plain", b"your code is 1234", "in-2", sender_name="BANK")
        found = (await first(stream)).message
        assert (found.handle, found.content) == (SMSHandle("BANK"), SMSContent("your code is 1234"))
        await stream.aclose()


async def test_a_line_without_sms_or_mms(tmp_path: Path) -> None:
    async with phone(tmp_path, sms=False) as ana:
        assert not await ana.session.sms_service.is_viable(LINE)
        with pytest.raises(SMSError) as caught:
            await ana.session.sms_service.send_message(message(NOBODY, "openly", 1))
        assert caught.value.plaintext_options == ()
        mms = ana.session.mms_service
        assert not await mms.is_viable(LINE)
        for call in (mms.configuration(LINE), mms.send_message("anything")):
            with pytest.raises(MMSError) as told:
                await call
            assert told.value.code is MMSErrorCode.NOT_SUPPORTED


# --- businesses ------------------------------------------------------------------------------------------------
REPLY = bot.Reply("Yes", "postback-1")
CALL = bot.Action("Call us", "postback-2", bot.Dial(Number("+15550111")), "https://shop.example/call")
PAGE = bot.Action("Look", "p3", bot.OpenUrl("https://shop.example", bot.Application.WEBVIEW, bot.View.HALF))
VIDEO = bot.Action("See us", "p4", bot.VideoCall(Number("+15550111")))
CARD = bot.Card(
    bot.CardContent(
        "Shoes", "Red ones", bot.Media(bot.Height.TALL, "https://shop.example/1.jpg", "image/jpeg", 9), (PAGE,)
    ),
    fonts=bot.Fonts((bot.FontStyle.BOLD, bot.FontStyle.ITALICS)),
)


async def test_cards_and_suggestions_of_a_business(tmp_path: Path) -> None:
    """SR-01, SR-14: nothing is answered in the clear without a decision, and nothing is done by itself."""
    shop = bot_address(SHOP)
    async with phone(tmp_path) as ana:
        rcs = ana.session.rcs_service
        stream = rcs.incoming_message_notifications()
        ana.comes(ana.rcs, shop, maap.MESSAGE_TYPE, maap.encode_message(CARD), "c-1")
        told = await first(stream)
        card = told.message.content
        assert isinstance(card, BusinessCard) and told.message.handle == RCSURI(SHOP)
        assert (card.content.title, card.content.description) == ("Shoes", "Red ones")
        assert card.title_font_style == FontStyle.BOLD | FontStyle.ITALICS
        assert card.content.media is not None and card.content.media.display_height is CardHeight.TALL
        [page] = card.content.suggestions
        assert isinstance(page, SuggestedAction) and isinstance(page.action, OpenURLAction)
        carousel = bot.Carousel((CARD.content, CARD.content))
        ana.comes(ana.rcs, shop, maap.MESSAGE_TYPE, maap.encode_message(carousel), "c-2")
        content = (await first(stream)).message.content
        assert isinstance(content, BusinessCardCarousel) and len(content.contents) == 2
        kind, body = maap.encode_joined("text/plain", b"Shall we?", (REPLY, CALL, VIDEO), "zz")
        ana.comes(ana.rcs, shop, kind, body, "c-3")
        told = await first(stream)
        assert told.message.content == Text("Shall we?", is_end_to_end_encrypted=False)
        assert told.suggestions == (
            SuggestedReply("Yes"),
            SuggestedAction("Call us", DialPhoneNumberAction("+15550111", "https://shop.example/call")),
        )
        assert "postback" not in repr(told)
        await stream.aclose()

        response = SuggestionResponse(LINE, RCSURI(SHOP), RCSMessageID("a-1"), RCSMessageID("c-3"), told.suggestions[0])
        with pytest.raises(RCSError) as caught:
            await rcs.send_suggestion_response(response)
        assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED and ana.rcs.sent == []
        [option] = caught.value.plaintext_options
        await rcs.send_suggestion_response(response, plaintext_decision=option)
        await rcs.send_device_specifics(to=RCSURI(SHOP), using=LINE, message_id=RCSMessageID("a-2"))
        async with asyncio.timeout(20):
            while len(ana.rcs.sent) < 2:
                await ana.session.client.settled()
        said, device = (outbound for _, outbound in ana.rcs.sent)
        assert (said.to, said.message_id, said.content_type) == (shop, "a-1", maap.RESPONSE_TYPE)
        assert maap.decode_response(said.body, CHATBOT_LIMITS) == bot.SuggestionResponse("Yes", "postback-1")
        assert maap.decode_device_data(device.body, CHATBOT_LIMITS).client_vendor == "Letterlock"
        by_hand = SuggestionResponse(
            LINE, RCSURI(SHOP), RCSMessageID("a-3"), RCSMessageID("c-3"), SuggestedReply("Yes")
        )
        with pytest.raises(RCSError) as caught:
            await rcs.send_suggestion_response(by_hand)
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        with pytest.raises(RCSError) as caught:
            await rcs.send_message(Text("x", True), to=RCSURI(SHOP), using=LINE, message_id=RCSMessageID("a-4"))
        assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED
        with pytest.raises(RCSError) as caught:
            await rcs.business_information(BusinessInformationRequest(LINE, RCSURI(SHOP)))
        assert caught.value.code is RCSErrorCode.NOT_SUPPORTED
        found = await rcs.remote_capabilities(RemoteCapabilitiesRequest(LINE, RCSURI(SHOP)))
        assert found is not None and found.is_business_handle and not found.supports_end_to_end_encryption


async def test_what_somebody_can_do(tmp_path: Path) -> None:
    """SR-02: encryption by what was signed; the carrier's features are a hint."""
    async with phone(tmp_path) as ana:
        rcs = ana.session.rcs_service
        assert await rcs.remote_capabilities(RemoteCapabilitiesRequest(LINE, uri(BEN))) is None
        asked = await rcs.remote_capabilities(RemoteCapabilitiesRequest(LINE, uri(BEN), CachePolicy.CACHE_OR_REMOTE))
        assert asked is not None and asked.supports_end_to_end_encryption and asked.supports_chat
        assert await rcs.remote_capabilities(RemoteCapabilitiesRequest(LINE, uri(BEN))) == asked
        nobody = RemoteCapabilitiesRequest(LINE, uri(NOBODY), CachePolicy.CACHE_OR_REMOTE)
        assert await rcs.remote_capabilities(nobody) is None
        update = await first(rcs.remote_handle_updates())
        assert update.handle == uri(BEN)
        with pytest.raises(RCSError) as caught:
            await rcs.remote_capabilities(RemoteCapabilitiesRequest(LINE, RCSURI("mailto:x@example.com")))
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
