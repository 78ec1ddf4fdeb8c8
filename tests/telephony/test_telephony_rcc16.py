"""The same names over a chat that goes by RCC.16, whose first message finds out whether it can be encrypted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from content.lab import content
from e2e.rcc16_town import Person, town
from letterlock.carrier import Searcher
from letterlock.telephony import (
    CellularServiceID,
    Disposition,
    DispositionNotification,
    FileDownloadRequest,
    FileTransfer,
    FileUploadRequest,
    IncomingMessageNotification,
    RCSError,
    RCSErrorCode,
    RCSMessageID,
    SendEncryptedMessageRequest,
    TelephonyMessagingSession,
    Text,
)
from telephony.lines import ANA, BEN, first, uri

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def notifications(person: Person) -> AsyncGenerator[AsyncGenerator[IncomingMessageNotification, None], None]:
    stream = TelephonyMessagingSession(person.client).rcs_service.incoming_message_notifications()
    async with contextlib.aclosing(stream):
        yield stream


async def test_texts_dispositions_and_files(tmp_path: Path) -> None:
    """SR-01, SR-15."""
    source = tmp_path / "notes.bin"
    source.write_bytes(content(70_001))
    async with town(tmp_path) as place, asyncio.timeout(60):
        ana, ben = await place.person(ANA, ("rcc16",)), await place.person(BEN, ("rcc16",))
        at_ana, at_ben = CellularServiceID(ANA), CellularServiceID(BEN)
        rcs, theirs = (TelephonyMessagingSession(person.client).rcs_service for person in (ana, ben))
        assert await rcs.is_viable(at_ana)
        async with notifications(ana) as to_ana, notifications(ben) as to_ben:
            sent = RCSMessageID("rcc16.1")
            await rcs.send_encrypted_message(SendEncryptedMessageRequest(Text("a secret"), uri(BEN), at_ana, sent))
            told = await first(to_ben)
            assert (told.message.id, told.message.content) == (sent, Text("a secret", True))
            told = await first(to_ana, lambda told: isinstance(told.message.content, DispositionNotification))
            assert told.message.content == DispositionNotification(Disposition.DELIVERED, sent, True)

            request = FileUploadRequest(at_ana, source, is_end_to_end_encrypted=True, destination=uri(BEN))
            uploaded = await rcs.upload(request)
            file = FileTransfer(uploaded.file_metadata, is_end_to_end_encrypted=True)
            await rcs.send_message(file, to=uri(BEN), using=at_ana, message_id=RCSMessageID("rcc16.2"))
            got = (await first(to_ben, lambda told: isinstance(told.message.content, FileTransfer))).message.content
            assert isinstance(got, FileTransfer) and got.is_end_to_end_encrypted
            assert (got.file_metadata.file_name, got.file_metadata.file_size) == ("notes.bin", 70_001)
            there = tmp_path / "got.bin"
            await theirs.download(FileDownloadRequest(at_ben, there, got.file_metadata))
            assert there.read_bytes() == content(70_001)

            # Encryption was ended for everybody: nothing goes out, and what may be chosen is for a message that may be read.
            await (await ben.client.chat(ANA)).end_encryption()
            chat = await ana.client.chat(BEN)
            async for _ in ana.client.events(after=0):
                if chat.security.value == "encryption-ended":
                    break
            for encrypted in (True, False):
                with pytest.raises(RCSError) as caught:
                    message = Text("another secret", encrypted)
                    await rcs.send_message(message, to=uri(BEN), using=at_ana, message_id=RCSMessageID("rcc16.3"))
                assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED
            await ana.client.settled()
        searcher = Searcher(place.log)
        assert not searcher.search(b"a secret") and not searcher.search(b"another secret")
        assert searcher.search(BEN)
