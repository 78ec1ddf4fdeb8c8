"""The directory's client against what is no directory, or a hostile one (SR-08, SR-09, SR-19)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from letterlock import ids
from letterlock.errors import DirectoryError, InputError, TransportError
from letterlock.ids import DeviceId
from letterlock.transport.directory import DirectoryClient
from trust.people import NOW, Owner, stream

pytestmark = pytest.mark.anyio
ANA = Owner.make("+15550100")


@contextlib.asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[DirectoryClient, list[bytes]]]:
    """A client whose server gives these bytes, one connection after the other, the last one for ever."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")), 0
            )
            asked.append(head + await reader.readexactly(length))
            writer.write(answers[min(len(asked), len(answers)) - 1])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = DirectoryClient(
        f"http://127.0.0.1:{port}", rng=stream("client"), now=lambda: NOW, signer=ANA.signer(), timeout_s=1.0
    )
    async with client:
        yield client, asked
    server.close()


def http(content: object, status: int = 200, extra: str = "") -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{extra}\r\n"
    return head.encode() + body


async def test_no_plain_http_beyond_loopback_sr19() -> None:
    for url in ("http://directory.example", "http://192.0.2.1:80", "http://127.0.0.1.example", "http://[2001:db8::1]"):
        with pytest.raises(InputError) as caught:
            DirectoryClient(url, rng=stream("x"), now=lambda: NOW)
        assert caught.value.code == "directory.tls" and "https" in caught.value.hint
    for url in ("https://directory.example", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost"):
        DirectoryClient(url, rng=stream("x"), now=lambda: NOW)


@pytest.mark.parametrize(
    "url", ["", "directory", "ftp://x", "https://x/path", "https://x/?q", "https://u@x", "https://"]
)
def test_an_address_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        DirectoryClient(url, rng=stream("x"), now=lambda: NOW)


async def test_nobody_there_is_a_transport_error() -> None:
    client = DirectoryClient("http://127.0.0.1:1", rng=stream("x"), now=lambda: NOW, signer=ANA.signer())
    async with client:
        with pytest.raises(TransportError):
            await client.lists(ANA.number)
        with pytest.raises(TransportError):
            await client.health()


async def test_a_device_without_an_account_says_so() -> None:
    async with DirectoryClient("http://127.0.0.1:1", rng=stream("x"), now=lambda: NOW) as client:
        with pytest.raises(InputError, match="no account"):
            await client.alerts()


NO_SENSE = [
    b"",
    b"nonsense\r\n\r\n",
    http(b"<html>"),
    http(b"[" * 100_000),
    http([]),
    http({}),
    http({"lists": "x", "serial": 1}),
    http({"lists": [1], "serial": 1}),
    http({"lists": ["*"], "serial": 1}),
    http({"lists": ["AAAA"], "serial": 1}),
    http({"lists": ["A" * 60_000], "serial": 1}),
    http({"lists": ["AA=="] * 300, "serial": 1}),
    http({"lists": [], "serial": -1}),
    http({"lists": [], "serial": True}),
    http(b"x" * (4 << 20) + b"x"),
    b"HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\ncut",
    b"HTTP/1.1 200 x\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("answer", NO_SENSE, ids=range(len(NO_SENSE)))
async def test_any_answer_to_a_look_up_is_a_value_or_a_documented_error_sr09(answer: bytes) -> None:
    async with answering(answer) as (client, _):
        with pytest.raises(TransportError):
            await client.lists(ANA.number)
        with pytest.raises(TransportError):
            await client.health()


@pytest.mark.parametrize(
    "answer", [http({"bundle": 1}), http({"bundle": "A" * 100_000}), http({"alerts": {}}), http({"expires": "x"})]
)
async def test_other_answers_are_bounded_as_well_sr08(answer: bytes) -> None:
    async with answering(answer) as (client, _):
        for call in (
            client.bundle(ANA.number, ANA.account, DeviceId(1)),
            client.alerts(),
            client.begin_claim(ANA.number, ANA.spki),
        ):
            with pytest.raises(TransportError):
                await call


async def test_a_silent_directory_times_out() -> None:
    async with answering(b"HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n") as (client, _):
        client._timeout = type(client._timeout)(total=0.1)
        with pytest.raises(TransportError):
            await client.alerts()


async def test_redirects_are_not_followed() -> None:
    async with answering(http({}, 302, "Location: http://127.0.0.1:1/v1/alerts\r\n")) as (client, asked):
        with pytest.raises(DirectoryError) as caught:
            await client.alerts()
        assert caught.value.status == 302 and len(asked) == 1


async def test_a_refusal_keeps_its_status_and_a_clean_text() -> None:
    refusal = {"code": "directory.rate", "message": "no\x1b[31m " + "x" * 500, "hint": "later"}
    async with answering(http(refusal, 429)) as (client, _):
        with pytest.raises(DirectoryError) as caught:
            await client.alerts()
        assert (caught.value.status, caught.value.code, caught.value.hint) == (429, "directory.rate", "later")
        assert "\x1b" not in str(caught.value) and len(str(caught.value)) <= 200
    async with answering(http({"code": "Not A Code", "message": 5}, 500)) as (client, _):
        with pytest.raises(DirectoryError) as caught:
            await client.alerts()
        assert caught.value.code == "directory.refused" and "500" in str(caught.value)


async def test_absence_is_the_directorys_own_word_and_no_other_404() -> None:
    async with answering(http({"code": "directory.unknown_number"}, 404)) as (client, _):
        assert await client.lists(ANA.number) == ()
    async with answering(http({"code": "directory.http"}, 404)) as (client, _):
        with pytest.raises(DirectoryError):
            await client.lists(ANA.number)


async def test_a_chain_without_end_is_cut_sr08() -> None:
    """Each answer holds one list more and promises another."""
    import base64

    owner = Owner.make("+15550100", "long")
    lists = [owner.list.encoded] + [owner.renew().encoded for _ in range(40)]
    pages = [http({"lists": [base64.b64encode(item).decode()], "serial": 2**31}) for item in lists[1:]]
    async with answering(*pages) as (client, asked):
        with pytest.raises(DirectoryError, match="does not end"):
            await client.lists(ids.number("+15550100"), since=1)
        assert len(asked) <= 32


async def test_every_try_is_signed_anew() -> None:
    async with answering(http({"alerts": []})) as (client, asked):
        await client.alerts()
        await client.alerts()
    first, second = (line for head in asked for line in head.split(b"\r\n") if line.startswith(b"Letterlock-Signature"))
    assert first != second


@pytest.mark.parametrize("code", ["", "1234567", "123456789", "1234567x", "١٢٣٤٥٦٧٨"])
async def test_a_code_that_cannot_be_one_is_not_sent(code: str) -> None:
    async with DirectoryClient("http://127.0.0.1:1", rng=stream("x"), now=lambda: NOW, signer=ANA.signer()) as client:
        with pytest.raises(InputError):
            await client.claim(code, ANA.list.encoded)
