"""Files between two sessions, over a content server: encrypted, and left unencrypted by decision."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import pytest
from PIL import Image

from content.lab import content
from letterlock.engine.policy import PlainOption
from letterlock.errors import NotEncrypted
from letterlock.telephony import (
    FileDownloadRequest,
    FileTransfer,
    FileTransferMetadata,
    FileUploadRequest,
    RCSError,
    RCSErrorCode,
    SendEncryptedMessageRequest,
)
from telephony.lines import NOBODY, ana_and_ben, uri

pytestmark = pytest.mark.anyio
NAME = "Lake \N{EM DASH} 1.jpg"


def picture(path: Path) -> bytes:
    made = Image.new("RGB", (640, 480), (20, 90, 160))
    made.putpixel((3, 3), (255, 255, 255))
    out = io.BytesIO()
    made.save(out, "JPEG", comment=b"taken at the lake")
    path.write_bytes(out.getvalue())
    return out.getvalue()


async def test_an_encrypted_file_with_its_thumbnail(tmp_path: Path) -> None:
    """SR-14, SR-15."""
    source = tmp_path / NAME
    data = picture(source)
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        request = FileUploadRequest(ana.id, source, is_end_to_end_encrypted=True, destination=ben.uri)
        uploaded = await ana.rcs.upload(request)
        assert str(uploaded.transaction_id) in [transfer.id for transfer in await ana.client.transfers()]
        file = FileTransfer(uploaded.file_metadata, uploaded.thumbnail_metadata, is_end_to_end_encrypted=True)
        await ana.rcs.send_encrypted_message(SendEncryptedMessageRequest(file, ben.uri, ana.id, ana.new_id()))
        _, got = await ben.heard(FileTransfer)
        metadata = got.file_metadata
        assert got.is_end_to_end_encrypted
        assert (metadata.file_name, metadata.file_size, metadata.content_type) == (NAME, len(data), "image/jpeg")
        assert metadata.expiration_date is None or metadata.expiration_date.tzinfo is not None
        assert "http" not in repr(got)  # SR-10: the address is a part of what lets others fetch it
        there = tmp_path / "got.jpg"
        fetched = await ben.rcs.download(FileDownloadRequest(ben.id, there, metadata))
        assert there.read_bytes() == data
        assert (fetched.content_type, fetched.suggested_file_name) == ("image/jpeg", NAME)
        assert got.thumbnail_metadata is not None
        small = tmp_path / "small.jpg"
        await ben.rcs.download(FileDownloadRequest(ben.id, small, got.thumbnail_metadata))
        with Image.open(small) as shown:
            assert max(shown.size) < 640
        stored = [path.read_bytes() for path in place.content.blobs() if path.is_file()]
        assert stored and not any(data[100:200] in blob or b"Lake" in blob for blob in stored)
        # Nothing is overwritten.
        with pytest.raises(RCSError) as caught:
            await ben.rcs.download(FileDownloadRequest(ben.id, there, metadata))
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT


async def test_nothing_is_uploaded_in_the_clear_without_the_users_decision(tmp_path: Path) -> None:
    """SR-01: the server would read it, whether or not it is sent afterwards."""
    source = tmp_path / "notes.bin"
    source.write_bytes(content(3_000))
    async with ana_and_ben(tmp_path) as (ana, ben, place):
        come = await place.stranger()
        nobody = uri(NOBODY)
        with pytest.raises(RCSError) as caught:
            await ana.rcs.upload(FileUploadRequest(ana.id, source))
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        for encrypted in (True, False):
            request = FileUploadRequest(ana.id, source, is_end_to_end_encrypted=encrypted, destination=nobody)
            with pytest.raises(RCSError) as caught:
                await ana.rcs.upload(request)
            assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED
            assert isinstance(caught.value.__cause__, NotEncrypted)
        [option] = caught.value.plaintext_options
        for decision, to in ((PlainOption(option.chat, option.transition, bytes(16)), nobody), (option, ben.uri)):
            with pytest.raises(RCSError) as caught:
                await ana.rcs.upload(FileUploadRequest(ana.id, source, destination=to), plaintext_decision=decision)
            assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED
        with pytest.raises(RCSError) as caught:
            request = FileUploadRequest(ana.id, source, is_end_to_end_encrypted=True, destination=nobody)
            await ana.rcs.upload(request, plaintext_decision=option)
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        assert [path for path in place.content.blobs() if path.is_file() and path.stat().st_size] == []
        assert await ana.client.transfers() == []

        uploaded = await ana.rcs.upload(
            FileUploadRequest(ana.id, source, destination=nobody), plaintext_decision=option
        )
        file = FileTransfer(uploaded.file_metadata)
        await ana.rcs.send_message(file, to=nobody, using=ana.id, message_id=ana.new_id(), plaintext_decision=option)
        await ana.client.settled()
        assert [inbound.content_type for inbound in come] == ["application/vnd.gsma.rcs-ft-http+xml"]
        # What lies in the clear goes into no encrypted chat, and what is to be encrypted not into this one.
        with pytest.raises(RCSError) as caught:
            await ana.rcs.send_message(file, to=ben.uri, using=ana.id, message_id=ana.new_id())
        assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        with pytest.raises(RCSError) as caught:
            await ana.rcs.upload(FileUploadRequest(ana.id, source, is_end_to_end_encrypted=True, destination=nobody))
        assert caught.value.code is RCSErrorCode.END_TO_END_ENCRYPTION_NOT_SUPPORTED


async def test_a_bare_address_and_what_was_put_together_by_hand(tmp_path: Path) -> None:
    source = tmp_path / "open.bin"
    source.write_bytes(content(2_000))
    async with ana_and_ben(tmp_path) as (ana, ben, _):
        plain = await (await ana.client.upload(source, name="open.bin")).document()
        there = tmp_path / "there.bin"
        got = await ben.rcs.download(FileDownloadRequest(ben.id, there, file_url=plain.file.url))
        assert there.read_bytes() == content(2_000) and got.suggested_file_name is None
        made = FileTransferMetadata(plain.file.url, "x", 1, "x/y", None)
        for request in (
            FileDownloadRequest(ben.id, tmp_path / "a", made),
            FileDownloadRequest(ben.id, tmp_path / "a"),
            FileDownloadRequest(ben.id, tmp_path / "a", made, plain.file.url),
            FileDownloadRequest(ben.id, tmp_path / "no" / "such", file_url=plain.file.url),
        ):
            with pytest.raises(RCSError) as caught:
                await ben.rcs.download(request)
            assert caught.value.code is RCSErrorCode.INVALID_ARGUMENT
        gone = FileDownloadRequest(ben.id, tmp_path / "a", file_url=plain.file.url[:-8] + uuid.uuid4().hex[:8])
        with pytest.raises(RCSError) as caught:
            await ben.rcs.download(gone)
        assert caught.value.code in (RCSErrorCode.NOT_FOUND, RCSErrorCode.PERMANENT_ERROR)
        assert not (tmp_path / "a").exists()
