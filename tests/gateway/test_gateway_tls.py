"""SR-19: the link and the carrier over TLS, verified; and a gateway as operators start it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.lab import ANA, BEN, QUICK, SECRET, Inbox, Lab, eventually, text
from lab_certificate import LabCertificate, write_lab_certificate
from letterlock.carrier import Accounts, Carrier
from letterlock.services.directory import Directory, IssuedCode
from letterlock.services.gateway import CarrierProfile, Gateway
from letterlock.transport.gateway.transport import GatewayState, GatewayTransport

pytestmark = pytest.mark.anyio


def client(certificate: LabCertificate | None, lab: Lab, number: Any, port: int, inbox: Inbox) -> GatewayTransport:
    tls = None if certificate is None else ssl.create_default_context(cafile=str(certificate.authority))
    config = lab.config(number, url=f"https://localhost:{port}")
    return GatewayTransport(config, inbox.take, tls=tls, settings=QUICK)


async def test_sr19_a_link_and_a_carrier_over_tls_and_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    certificate = write_lab_certificate(tmp_path)
    carrier = Carrier("127.0.0.1", 0, Accounts.lab("lab"), tls=certificate.server_context())
    await carrier.start()
    profile = CarrierProfile("localhost", carrier.port, carrier.domain, ca_file=str(certificate.authority))
    gateway = Gateway(str(tmp_path / "gateway.db"), profile, Lab.password, SECRET, tls=certificate.server_context())
    await gateway.start()
    lab, bens = Lab(tmp_path), Inbox()
    ana, ben = (client(certificate, lab, *each) for each in ((ANA, gateway.port, Inbox()), (BEN, gateway.port, bens)))
    stranger = client(None, lab, ANA, gateway.port, Inbox())
    try:
        for each in (ana, ben, stranger):
            await each.start()
        async with asyncio.timeout(10):
            await asyncio.gather(ana.registered(), ben.registered())
        assert (await ana.send(text(ANA, BEN, "over tls"))).accepted
        await eventually(lambda: bens.texts == ["over tls"])
        await eventually(lambda: stranger.status.state is GatewayState.OFFLINE)
        assert "certificate" in stranger.status.reason
    finally:
        for each in (ana, ben, stranger):
            await each.close()
        await gateway.close()
        await carrier.close()


@pytest.mark.slow
async def test_as_operators_start_it_and_users_use_it(tmp_path: Path) -> None:
    """letterlock gateway, letterlock setup --gateway, letterlock doctor."""
    carrier = Carrier("127.0.0.1", 0, Accounts.lab("lab"))
    codes: dict[str, str] = {}

    def on_code(issued: IssuedCode) -> None:
        codes[issued.number] = issued.code

    directory = Directory(str(tmp_path / "directory.db"), on_code=on_code)
    await carrier.start()
    await directory.start()
    command = [sys.executable, "-m", "letterlock", "-o", "json", "--data-dir", str(tmp_path / "service"), "gateway"]
    command += ["--port", "0", "--carrier", f"sip:127.0.0.1:{carrier.port}", "--account", f"{ANA}:secret"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            url = json.loads(await process.stdout.readline())["gateway"]
        given = {"LETTERLOCK_PASSPHRASE": "tulip", "LETTERLOCK_GATEWAY_PASSWORD": "secret", "PATH": os.environ["PATH"]}

        async def run(*arguments: str, **env: str) -> tuple[int, str]:
            ran = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "letterlock", "-o", "json", "--data-dir", str(tmp_path / "ana"), *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                env={"PYTHONPATH": os.pathsep.join(part for part in sys.path if part), **given, **env},
            )  # fmt: skip
            out, _ = await ran.communicate()
            return ran.returncode or 0, out.decode()

        begun = await run("setup", ANA, "--gateway", url, "--directory", directory.url, LETTERLOCK_GATEWAY_PASSWORD="x")
        assert begun[0] != 0 and "gateway.unauthenticated" in begun[1]
        asked = await run("setup", ANA, "--gateway", url, "--directory", directory.url)
        assert asked[0] != 0, asked  # it asks for the code, and nobody answers
        done = await run("setup", ANA, "--gateway", url, "--directory", directory.url, "--code", codes[ANA])
        assert done[0] == 0, done
        checked = await run("doctor")
        assert checked[0] == 0, checked
        assert f"gateway {url} answers" in checked[1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        await directory.close()
        await carrier.close()
