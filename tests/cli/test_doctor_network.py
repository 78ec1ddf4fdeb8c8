"""What `doctor` says of others: of clocks that go wrong, certificates that end, relays and operators."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from letterlock.apps.cli.doctor import network
from letterlock.apps.cli.doctor.findings import Worry
from letterlock.apps.cli.network import lab_tls
from letterlock.client import ContentAccount, ProvisioningState, SipAccount
from letterlock.client.provisioned import Provisioned
from letterlock.errors import ProvisioningError, TransportError

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def server(ahead_s: float = 0.0, tls_in: Path | None = None, status: str = "200 OK") -> AsyncIterator[int]:
    """Answers any HTTP request with the time that it thinks it is; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while (await reader.readline()).strip():
                pass
            date = email.utils.formatdate(time.time() + ahead_s, usegmt=True)
            writer.write(f"HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    tls = lab_tls(tls_in, ["127.0.0.1", "localhost"]) if tls_in is not None else None
    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def test_the_clocks_of_all_servers_are_compared() -> None:
    async with server() as right, server(ahead_s=3600) as fast:
        directory = ("directory", f"http://127.0.0.1:{right}", None)
        assert (await network.clock([directory])).endswith(" s of the directory")
        with pytest.raises(Worry, match=r"^this clock is 3[56]\d\d seconds behind that of the content server$"):
            await network.clock([directory, ("content server", f"http://127.0.0.1:{fast}/upload", None)])


async def test_the_content_server_answers_by_a_certificate_that_we_trust(tmp_path: Path) -> None:
    async with server(tls_in=tmp_path) as port:
        account = ContentAccount(f"https://localhost:{port}/upload", "ana", "lab", str(tmp_path / "ca.pem"))
        assert (await network.content(account)).endswith("answers; files can be sent")
        stranger = ContentAccount(account.url, "ana", "lab")
        with pytest.raises(TransportError) as refused:
            await network.content(stranger)
        assert refused.value.code == "doctor.content"
        assert "its certificate is not trusted: " in str(refused.value)
        assert "--content-ca" in refused.value.hint
        servers = [("content server", account.url, account.ca_file)]
        assert (await network.certificates(servers)).startswith("that of the content server is valid for ")
    with pytest.raises(TransportError, match=r"\(connection refused\)$"):
        await network.content(account)


async def test_without_tls_there_are_no_certificates() -> None:
    assert (await network.certificates([("directory", "http://127.0.0.1:1", None)])).startswith("none: ")


async def test_the_relay() -> None:
    sip = SipAccount("127.0.0.1", 5060, "lab", "ana", "lab", tls=False)
    async with server() as port:
        said = await network.relay(sip, f"msrp://127.0.0.1:{port};tcp")
        assert said == f"127.0.0.1:{port} takes connections, without TLS"
    with pytest.raises(TransportError) as down:
        await network.relay(sip, f"msrp://127.0.0.1:{port};tcp")
    assert down.value.code == "doctor.relay" and down.value.hint


async def test_the_operator() -> None:
    async with server() as port:
        url = f"http://127.0.0.1:{port}"
        said = await network.operator(Provisioned(url, None, ProvisioningState.ACTIVE, version=7))
        assert said == f"{url} answers; its configuration is version 7"
    for state in (
        ProvisioningState.ACTIVE,
        ProvisioningState.DORMANT,
        ProvisioningState.RESET,
        ProvisioningState.UNKNOWN,
    ):
        with pytest.raises(Worry) as worry:  # an operator who is away takes nothing back
            await network.operator(Provisioned(url, None, state))
        assert worry.value.hint
    for state in (ProvisioningState.DISABLED, ProvisioningState.BEGUN):
        with pytest.raises(ProvisioningError) as failed:
            await network.operator(Provisioned(url, None, state))
        assert failed.value.code == "doctor.operator" and failed.value.hint
