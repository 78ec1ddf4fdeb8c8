"""The content server against an account of its own that wants more than it was given (SR-08, SR-17)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from content.lab import ANA, PASSWORD, SMALL, Server, browser, content
from content.test_content_server import FORM, form
from letterlock.codec.ft_http import RemoteFile, ResumeInfo
from letterlock.errors import InputError
from letterlock.services.directory import Directory
from letterlock.sip.digest import DigestClient
from letterlock.transport.content.config import ContentSettings, DownloadState, ServerAccount
from letterlock.transport.content.http import Exchange

pytestmark = pytest.mark.anyio


async def test_an_upload_that_is_refused_does_not_leave_the_one_that_it_would_replace_without_an_owner(
    tmp_path: Path,
) -> None:
    """Its row was gone and its bytes stayed: each round of this took disk that no budget counted."""
    limits = dataclasses.replace(SMALL, account_bytes=60_000)
    async with Server.running(tmp_path, limits, password_of=None) as lab, browser() as session:
        for _ in range(3):
            async with session.post(lab.url, data=form(content(30_000), "t")[:-3000], headers=FORM) as cut:
                assert cut.status == 400
            async with session.post(lab.url, data=form(content(70_000), "t"), headers=FORM) as refused:
                assert (refused.status, (await refused.json())["code"]) == (507, "content.budget")
        assert len(lab.blobs()) <= 1
        # And the client can still go on with what it had.
        async with session.get(f"{lab.url}?tid=t&get_upload_info") as asked:
            assert asked.status == 200


async def first_line(port: int, method: bytes, path: bytes, authorization: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n")
    writer.write(b"Authorization: " + authorization + b"\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line


@pytest.mark.parametrize("field", ["username", "uri", "response"])
async def test_credentials_that_are_no_text_are_the_callers_mistake(tmp_path: Path, field: str) -> None:
    """SR-09: not ours, which would be a traceback in the log for each of them, from anybody."""
    async with Server.running(tmp_path) as lab, browser() as session:
        async with session.post(lab.url) as asked:
            digest = DigestClient(ANA, PASSWORD, random.Random(5).randbytes)
            digest.accept(asked.headers.getall("WWW-Authenticate"))
        text = re.sub(f'{field}="[^"]*"', f'{field}="@@"', digest.credentials("POST", "/upload")).encode()
        assert b"@@" in text
        line = await first_line(lab.server.port, b"POST", b"/upload", text.replace(b"@@", b"\xff\xfe"))
        assert line.split(b" ")[1] in (b"400", b"401")


async def test_an_operators_token_that_is_no_text_is_a_wrong_one(tmp_path: Path) -> None:
    async with directory(tmp_path) as port:
        line = await first_line(port, b"POST", b"/v1/operator/codes", b"Bearer \xff\xfe")
        assert line.split(b" ")[1] == b"401"


@contextlib.asynccontextmanager
async def directory(tmp_path: Path) -> AsyncIterator[int]:
    service = Directory(str(tmp_path / "directory.db"), on_code=lambda code: None, operator="token")
    await service.start()
    try:
        yield URL(service.url).port or 0
    finally:
        await service.close()


@pytest.mark.parametrize("address", ["https://content.internal:8443/admin", "https://content.internal:22/"])
async def test_sr14_only_the_configured_server_is_trusted_on_its_host_and_not_its_neighbours(address: str) -> None:
    asked: list[tuple[str, int]] = []

    class Names:
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
            asked.append((host, port))
            return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

        async def close(self) -> None:
            pass

    account = ServerAccount("https://content.internal/upload", "a", "b")
    exchange = Exchange(account, ContentSettings(), now=lambda: 0, tls=None, resolver=Names())  # type: ignore[arg-type]
    try:
        with pytest.raises(InputError, match="private network"):
            async with exchange.request("GET", exchange.addresses.checked(address)):
                pass
        assert asked == [("content.internal", URL(address).port)]
    finally:
        await exchange.close()


def test_sr10_the_right_to_fetch_a_file_is_in_no_repr() -> None:
    """Its address is all that it takes."""
    url = "https://files.example.test/files/0123456789abcdef"
    values = (RemoteFile(1, "a/b", url), ResumeInfo(0, 1, url), DownloadState(url, "t", "p", 1))
    assert not [value for value in values if "0123456789abcdef" in repr(value)]
