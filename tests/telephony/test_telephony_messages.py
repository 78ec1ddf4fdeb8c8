"""Messages between two sessions on the embedded carrier: what is sent, what is refused, what is told."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from letterlock.client import Client
from letterlock.engine.content import Text as Content
from letterlock.engine.limits import DEFAULTS
from letterlock.engine.policy import PlainOption
from letterlock.engine.security import Security
from letterlock.errors import InputError, NotEncrypted
from letterlock.telephony import (
    AddEmoji,
    ComposingIndicator,
    ComposingState,
    Disposition,
    DispositionNotification,
    GeolocationPush,
    RCSError,
    RCSErrorCode,
    RCSMessageID,
    Reaction,
    RemoveEmoji,
    Reply,
    ReportSpamRequest,
    RevokeMessageRequest,
    SecureSendReceipt,
    SendEncryptedMessageRequest,
    SessionError,
    SessionErrorCode,
    TelephonyMessagingSession,
    Text,
)
from telephony.lines import ANA, BEN, NOBODY, Line, Place, ana_and_ben, first, uri

pytestmark = pytest.mark.anyio
NOT_SUPPORTED = RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED


async def say(line: Line, to: Line, text: str, *, encrypted: bool = True) -> RCSMessageID:
    return await say_to(line, to.client.number, text, encrypted=encrypted)


async def say_to(line: Line, number: str, text: str, *, encrypted: bool = True) -> RCSMessageID:
    message_id = line.new_id()
    await line.rcs.send_message(Text(text, encrypted), to=uri(number), using=line.id, message_id=message_id)
    return message_id


# --- encrypted -------------------------------------------------------------------------------------------------
async def test_an_encrypted_text_and_what_becomes_of_it(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        message_id = await say(ana, ben, "a secret")
        told, text = await ben.heard(Text)
        assert (told.message.id, told.message.handle, told.group_context) == (message_id, ana.uri, None)
        assert text == Text("a secret", is_end_to_end_encrypted=True)
        assert told.message.original_id is None and told.requested_dispositions == (Disposition.DISPLAYED,)
        told, word = await ana.heard(DispositionNotification)
        assert word == DispositionNotification(Disposition.DELIVERED, message_id, is_end_to_end_encrypted=True)
        assert told.message.handle == ben.uri
        # What Apple's application says by itself, ours has said: nothing happens.
        delivered = DispositionNotification(Disposition.DELIVERED, message_id)
        await ben.rcs.send_message(delivered, to=ana.uri, using=ben.id, message_id=ben.new_id())
        displayed = DispositionNotification(Disposition.DISPLAYED, message_id, is_end_to_end_encrypted=True)
        await ben.rcs.send_message(displayed, to=ana.uri, using=ben.id, message_id=ben.new_id())
        _, word = await ana.heard(DispositionNotification)
        assert word == displayed
        assert not place.lab.overheard.heard("a secret")


async def test_not_demanded_is_encrypted_all_the_same(tmp_path: Path) -> None:
    """SR-01: an application of before 26.5, which knows nothing of encryption, gets it."""
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        await say(ana, ben, "in passing", encrypted=False)
        assert (await ben.heard(Text))[1] == Text("in passing", is_end_to_end_encrypted=True)
        assert not place.lab.overheard.heard("in passing")


async def test_replies_reactions_places_typing_and_edits(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, _):
        asked = await say(ana, ben, "where?")
        await ben.heard(Text)
        for content in (
            Reply(asked, Text("here", True)),
            Reaction(asked, AddEmoji("\N{EYES}"), True),
            Reaction(asked, RemoveEmoji("\N{EYES}"), True),
            GeolocationPush(48.137, 11.575, "Marienplatz", True),
            GeolocationPush(-1.5, 0.0, None, True),
        ):
            await ben.rcs.send_message(content, to=ana.uri, using=ben.id, message_id=(sent := ben.new_id()))
            told, heard = await ana.heard(type(content))
            assert heard == content and told.message.id == sent and told.message.handle == ben.uri
        typing = ComposingIndicator(ComposingState.ACTIVE, is_end_to_end_encrypted=True)
        await ben.rcs.send_message(typing, to=ana.uri, using=ben.id, message_id=ben.new_id())
        _, seen = await ana.heard(ComposingIndicator)
        assert seen.state is ComposingState.ACTIVE and seen.is_end_to_end_encrypted and seen.last_active is not None
        typing = ComposingIndicator(ComposingState.IDLE, is_end_to_end_encrypted=True)
        await ben.rcs.send_message(typing, to=ana.uri, using=ben.id, message_id=ben.new_id())
        assert (await ana.heard(ComposingIndicator))[1].state is ComposingState.IDLE
        # Apple has no edits: one stands for the message whose text it replaces.
        change = await (await ana.client.chat(BEN)).edit(asked, "where exactly?")
        told, text = await ben.heard(Text)
        assert text == Text("where exactly?", True)
        assert (told.message.id, told.message.original_id) == (change, asked)


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        sent = await say(ana, ben, "first")
        told, _ = await ben.heard(Text)
        await ana.heard(DispositionNotification)
        known = len(place.lab.overheard.bodies)
        place_of = Reply(sent, GeolocationPush(0, 0))
        failed = DispositionNotification(Disposition.DELIVERY_FAILED_DUE_TO_DECRYPTION_FAILURE, sent)
        for content, code in (
            (Text(""), RCSErrorCode.INVALID_ARGUMENT),
            (Text("x" * 9_000), RCSErrorCode.MAXIMUM_SIZE_EXCEEDED),
            (GeolocationPush(91, 0), RCSErrorCode.INVALID_ARGUMENT),
            (Reply(RCSMessageID("none"), Text("x")), RCSErrorCode.NOT_FOUND),
            (Reaction(RCSMessageID("none"), AddEmoji("x")), RCSErrorCode.NOT_FOUND),
            (place_of, RCSErrorCode.NOT_SUPPORTED),
            (failed, RCSErrorCode.NOT_SUPPORTED),
            (DispositionNotification(Disposition.DISPLAYED, RCSMessageID("none")), RCSErrorCode.NOT_FOUND),
        ):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.send_message(content, to=ben.uri, using=ana.id, message_id=ana.new_id())
            assert caught.value.code is code, content
            assert isinstance(caught.value.__cause__, InputError)
        for message_id, to, line, code in (
            (sent, ben.uri, ana.id, RCSErrorCode.INVALID_ARGUMENT),  # used
            ("no token", ben.uri, ana.id, RCSErrorCode.INVALID_ARGUMENT),
            ("good", ben.uri, ben.id, RCSErrorCode.INVALID_ARGUMENT),  # no line of ours
            ("good", uri(ANA), ana.id, RCSErrorCode.INVALID_ARGUMENT),  # ourselves
        ):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.send_message(Text("x"), to=to, using=line, message_id=RCSMessageID(message_id))
            assert caught.value.code is code and not caught.value.is_retryable
        await ana.client.settled()
        assert len(place.lab.overheard.bodies) == known
        with pytest.raises(RCSError) as caught:
            await ben.rcs.report_spam(ReportSpamRequest(told.message))
        assert caught.value.code is RCSErrorCode.NOT_SUPPORTED


# --- where encryption is not possible --------------------------------------------------------------------------
async def test_what_is_to_be_encrypted_and_cannot_be_does_not_leave(tmp_path: Path) -> None:
    """SR-01."""
    async with ana_and_ben(tmp_path) as (ana, _, place):
        come = await place.stranger()
        for _ in range(2):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.send_message(
                    Text("psst", True), to=uri(NOBODY), using=ana.id, message_id=RCSMessageID("a")
                )
            assert caught.value.code is NOT_SUPPORTED and isinstance(caught.value.__cause__, NotEncrypted)
        with pytest.raises(RCSError) as caught:
            request = SendEncryptedMessageRequest(Text("psst"), uri(NOBODY), ana.id, RCSMessageID("a"))
            await ana.rcs.send_encrypted_message(request)
        assert caught.value.code is NOT_SUPPORTED
        with pytest.raises(RCSError) as caught:
            typing = ComposingIndicator(ComposingState.ACTIVE, is_end_to_end_encrypted=True)
            await ana.rcs.send_message(typing, to=uri(NOBODY), using=ana.id, message_id=RCSMessageID("a"))
        assert caught.value.code is NOT_SUPPORTED
        await ana.client.settled()
        assert place.lab.overheard.bodies == [] and come == []
        assert await (await ana.client.chat(NOBODY)).messages() == []


async def test_nothing_leaves_in_the_clear_without_the_users_decision(tmp_path: Path) -> None:
    """SR-01: neither with False, nor with an option that was made up, used, or is of another chat."""
    async with ana_and_ben(tmp_path) as (ana, _, place):
        come = await place.stranger()

        async def send(text: Text, decision: PlainOption | None = None, to: str = NOBODY) -> None:
            await ana.rcs.send_message(
                text, to=uri(to), using=ana.id, message_id=ana.new_id(), plaintext_decision=decision
            )

        with pytest.raises(RCSError) as caught:
            await send(Text("openly"))
        assert caught.value.code is NOT_SUPPORTED
        [option] = caught.value.plaintext_options
        made_up = PlainOption(option.chat, option.transition, bytes(16))
        for decision, to in ((made_up, NOBODY), (option, "+15550178")):
            with pytest.raises(RCSError) as caught:
                await send(Text("openly"), decision, to)
            assert caught.value.code is NOT_SUPPORTED
        # Both at once is a contradiction, and not resolved in favour of either.
        with pytest.raises(RCSError) as caught:
            await send(Text("openly", True), option)
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        await ana.client.settled()
        assert place.lab.overheard.bodies == []
        await send(Text("openly"), option)
        await ana.client.settled()
        assert [inbound.body for inbound in come] == [b"openly"]
        # The chat is left unencrypted from now on, and that is no leave for what is to be encrypted.
        await send(Text("again"))
        with pytest.raises(RCSError) as caught:
            await send(Text("psst", True))
        assert caught.value.code is NOT_SUPPORTED and caught.value.plaintext_options == ()
        with pytest.raises(RCSError):
            await send(Text("a third time"), option)
        await ana.client.settled()
        assert [inbound.body for inbound in come] == [b"openly", b"again"]


async def test_encrypted_in_any_case_is_decided_with_the_rest(tmp_path: Path) -> None:
    """SR-01: what the engine asks is how the chat is when it sends, and not how it was when somebody looked."""
    async with ana_and_ben(tmp_path) as (ana, _, place):
        come = await place.stranger()
        chat = await ana.client.chat(NOBODY)
        await ana.client.settled()
        await chat.send("openly", allow=(await chat.options())[0])
        assert chat.security is Security.PLAIN_RCS
        with pytest.raises(NotEncrypted) as caught:
            await chat.send_content(Content("psst"), only_encrypted=True)
        assert caught.value.reason == "plain-rcs"
        await ana.client.settled()
        assert [inbound.body for inbound in come] == [b"openly"]


async def test_an_encrypted_chat_stays_one(tmp_path: Path) -> None:
    """SR-01: the option of before is worth nothing, and there is none to be had."""
    async with Place.running(tmp_path) as place:
        ana = await place.line(ANA)
        with pytest.raises(RCSError) as caught:
            await ana.rcs.send_message(Text("x"), to=uri(BEN), using=ana.id, message_id=ana.new_id())
        [option] = caught.value.plaintext_options
        ben = await place.line(BEN)
        await say(ben, ana, "I am here now")
        await ana.heard(Text)
        with pytest.raises(RCSError) as caught:
            await ana.rcs.send_message(
                Text("openly"), to=ben.uri, using=ana.id, message_id=ana.new_id(), plaintext_decision=option
            )
        assert caught.value.code is NOT_SUPPORTED and caught.value.plaintext_options == ()
        await say(ana, ben, "and so am I", encrypted=False)
        assert (await ben.heard(Text))[1].is_end_to_end_encrypted
        assert not place.lab.overheard.heard("openly") and not place.lab.overheard.heard("and so")


# --- ids -------------------------------------------------------------------------------------------------------
async def test_an_id_of_the_applications_choice_is_the_messages_for_ever(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        request = SendEncryptedMessageRequest(Text("one"), ben.uri, ana.id, RCSMessageID("mine.1"))
        receipt = (await ana.rcs.send_encrypted_message(request)).secure_send_receipt
        assert (await ben.heard(Text))[0].message.id == "mine.1"
        assert (await (await ana.client.chat(BEN)).find("mine.1"))[0].text == "one"
        for to in (ben.uri, uri("+15550133")):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.send_message(Text("two"), to=to, using=ana.id, message_id=RCSMessageID("mine.1"))
            assert caught.value.code in (RCSErrorCode.INVALID_ARGUMENT, NOT_SUPPORTED)
        async with TelephonyMessagingSession.open(
            ana.path, passphrase="tulip", environment=place.lab.environment
        ) as other:
            # Through the owner's socket.
            with pytest.raises(RCSError) as caught:
                await other.rcs_service.send_encrypted_message(request)
            assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
            again = SendEncryptedMessageRequest(request.content, ben.uri, ana.id, request.message_id, receipt)
            assert (await other.rcs_service.send_encrypted_message(again)).secure_send_receipt == receipt


async def test_taking_back(tmp_path: Path) -> None:
    async with Place.running(tmp_path) as place:
        ana, ben_path = await place.line(ANA), await place.create(BEN)
        early, late = ana.new_id(), ana.new_id()
        for message_id in (early, late):
            await ana.rcs.send_message(
                Text(f"text {message_id}", True), to=uri(BEN), using=ana.id, message_id=message_id
            )
        await ana.client.settled()
        assert await ana.rcs.revoke_message(RevokeMessageRequest(ana.id, uri(BEN), early))
        assert not await ana.rcs.revoke_message(RevokeMessageRequest(ana.id, uri(BEN), early))
        async with Client.open(ben_path, passphrase="tulip", environment=place.lab.environment) as ben:
            _, word = await ana.heard(DispositionNotification, lambda word: word.disposed_message_id == late)
            assert word.disposition is Disposition.DELIVERED
            chat = await ben.chat(ANA)
            async with asyncio.timeout(20), contextlib.aclosing(ben.events(0)) as events:
                async for _ in events:
                    if [message.text for message in await chat.messages()] == [None, f"text {late}"]:
                        break
        assert not await ana.rcs.revoke_message(RevokeMessageRequest(ana.id, uri(BEN), late))
        with pytest.raises(RCSError) as caught:
            await ana.rcs.revoke_message(RevokeMessageRequest(ana.id, uri(BEN), RCSMessageID("none")))
        assert caught.value.code is RCSErrorCode.NOT_FOUND


# --- what a reader could not decrypt ---------------------------------------------------------------------------
async def test_decryption_failure_and_retry(tmp_path: Path) -> None:
    """A0.7: the reader has lost its sessions; the message is encrypted again, and a retry sends nothing twice."""
    async with Place.running(tmp_path) as place:
        ana, ben_path = await place.line(ANA), await place.create(BEN)
        environment = place.lab.environment
        request = SendEncryptedMessageRequest(Text("one"), uri(BEN), ana.id, ana.new_id())
        async with Client.open(ben_path, passphrase="tulip", environment=environment):
            await ana.rcs.send_encrypted_message(request)
            await ana.heard(DispositionNotification)
            await ana.client.settled()
        shutil.copytree(ben_path, tmp_path / "backup")
        async with Client.open(ben_path, passphrase="tulip", environment=environment):
            await say_to(ana, BEN, "two")
            await ana.heard(DispositionNotification)
        shutil.rmtree(ben_path)
        shutil.copytree(tmp_path / "backup", ben_path)
        request = SendEncryptedMessageRequest(Text("three"), uri(BEN), ana.id, ana.new_id())
        receipt = (await ana.rcs.send_encrypted_message(request)).secure_send_receipt
        # "two" is in no copy: what comes after it is held back for a while.
        hasty = replace(environment, engine_limits=replace(DEFAULTS, reorder_ms=100))
        restored = Client.open(ben_path, passphrase="tulip", use_old_copy=True, environment=hasty)
        async with restored as client, TelephonyMessagingSession(client) as session:
            _, word = await ana.heard(DispositionNotification)
            failed = Disposition.DELIVERY_FAILED_DUE_TO_DECRYPTION_FAILURE
            assert word == DispositionNotification(failed, request.message_id, is_end_to_end_encrypted=True)
            retry = SendEncryptedMessageRequest(
                request.content, request.destination, ana.id, request.message_id, receipt
            )
            assert (await ana.rcs.send_encrypted_message(retry)).secure_send_receipt == receipt
            _, word = await ana.heard(DispositionNotification)
            assert (word.disposition, word.disposed_message_id) == (Disposition.DELIVERED, request.message_id)
            stream = session.rcs_service.incoming_message_notifications()
            await first(stream, lambda told: told.message.content == Text("three", True))
            await stream.aclose()
            texts = [message.text for message in await (await client.chat(ANA)).messages() if message.text]
            assert texts == ["one", "three"]
        other = SecureSendReceipt.of(ana.client.number, request.message_id)
        for message_id, given, code in (
            (request.message_id, other, RCSErrorCode.INVALID_ARGUMENT),
            (RCSMessageID("none"), SecureSendReceipt.of(BEN, "none"), RCSErrorCode.NOT_FOUND),
        ):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.send_encrypted_message(
                    SendEncryptedMessageRequest(Text("two"), uri(BEN), ana.id, message_id, given)
                )
            assert caught.value.code is code
        assert place.lab.overheard.reused() == []


# --- streams and sessions --------------------------------------------------------------------------------------
async def test_what_was_not_dealt_with_is_told_again(tmp_path: Path) -> None:
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        for text in ("one", "two", "three"):
            await say(ana, ben, text)
        await ben.heard(Text, lambda text: text.body == "two")
        await ben.incoming.aclose()  # the application ends while it deals with it
        again = ben.session.rcs_service.incoming_message_notifications()
        assert [(await first(again)).message.content for _ in range(2)] == [Text("two", True), Text("three", True)]
        await again.aclose()
        async with TelephonyMessagingSession.open(
            ben.path, passphrase="tulip", environment=place.lab.environment
        ) as other:
            stream = other.rcs_service.incoming_message_notifications()
            assert (await first(stream)).message.content == Text("three", True)
            await stream.aclose()


async def test_one_session_is_shared_and_a_closed_one_says_so(tmp_path: Path) -> None:
    async with Place.running(tmp_path) as place:
        with pytest.raises(SessionError) as caught:
            TelephonyMessagingSession.shared()
        assert caught.value.code is SessionErrorCode.INVALID_SESSION
        path = await place.create(ANA)
        session = TelephonyMessagingSession.open(path, passphrase="tulip", environment=place.lab.environment)
        async with session:
            assert TelephonyMessagingSession.shared() is session
            assert session.is_configured_for_carrier_messaging
            [state] = await session.cellular_services()
            assert (state.id, state.label) == (ANA, ANA)
            rcs = session.rcs_service
            assert await rcs.is_viable(state.id)
            configuration = rcs.configuration(state.id)
            assert configuration.supports_end_to_end_encryption
            assert configuration.maximum_text_message_bytes == 8_192
            await place.line(BEN)
            with pytest.raises(SessionError):
                TelephonyMessagingSession.shared()
        with pytest.raises(SessionError) as caught:
            await rcs.send_message(Text("x"), to=uri(BEN), using=state.id, message_id=RCSMessageID("x"))
        assert caught.value.code is SessionErrorCode.INVALID_SESSION
        wrong = TelephonyMessagingSession.open(path, passphrase="rose", environment=place.lab.environment)
        with pytest.raises(SessionError) as caught:
            await wrong.__aenter__()
        assert caught.value.code is SessionErrorCode.SERVICE_UNAVAILABLE
