"""Who is let in: SR-17 and SR-19 at the gateway's door."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import stat
from pathlib import Path

import aiohttp
import pytest

from gateway.lab import ANA, BEN, SECRET, Inbox, Lab, eventually, text
from gateway.raw import enrolled, raw_link
from letterlock.codec import gateway
from letterlock.errors import GatewayError, InputError
from letterlock.services.buckets import Rate
from letterlock.services.gateway import CarrierProfile, Gateway, GatewayLimits
from letterlock.transport.gateway.config import GatewaySettings, base_of
from letterlock.transport.gateway.connection import GatewayHttp
from letterlock.transport.gateway.transport import GatewayState

pytestmark = pytest.mark.anyio


async def test_sr17_a_wrong_password_and_an_unknown_account_are_told_the_same(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        answers = []
        for config in (lab.config(ANA, password="wrong"), dataclasses.replace(lab.config(ANA), number="nobody")):
            with pytest.raises(GatewayError) as refused:
                await enrolled(config)
            answers.append((refused.value.code, refused.value.status, str(refused.value)))
        assert answers[0] == answers[1]
        assert answers[0][1] == 401


async def test_sr17_only_a_devices_own_token_opens_its_link(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        ana, ben = await enrolled(lab.config(ANA)), await enrolled(lab.config(BEN, token="u" * 43))
        tries = [
            {"token": "x" * 43},  # none of anybody's
            {"token": ben.device_token},  # another account's
            {"token": ana.password},
            {"name": f"{ANA}/{ben.instance}"},  # another device
            {"name": f"{BEN}/{ben.instance}"},  # our token, another's name
            {"name": "\x00/"},
        ]
        for given in tries:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with raw_link(ana, **given):
                    pass
            assert refused.value.status == 401
        async with raw_link(ana) as link:
            assert (await link.hello()).cursor == 0


async def test_sr17_an_old_token_is_refused_and_its_link_ended(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        old = await enrolled(lab.config(ANA))
        async with raw_link(old) as link:
            await link.hello()
            new = await enrolled(lab.config(ANA, token="n" * 43))
            assert await link.end() == 4001
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with raw_link(old):
                pass
        async with raw_link(new) as link:
            await link.hello()


async def test_another_sip_password_makes_the_device_enrol_again_by_itself(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        wrong = lab.transport(ANA, Inbox(), sip_password="wrong")
        await wrong.start()
        await eventually(lambda: "refused" in wrong.status.reason)
        assert wrong.status.state is GatewayState.LINKED
        await wrong.close()
        right = await lab.linked(ANA)
        assert right.status.state is GatewayState.REGISTERED


async def test_a_device_is_registered_from_its_first_link_on(tmp_path: Path) -> None:
    """One that was enrolled, and then not set up, must not take messages for which nobody comes."""
    async with Lab.running(tmp_path) as lab:
        bens = Inbox()
        await enrolled(lab.config(BEN, device=2))
        ana, ben = await lab.native(ANA), await lab.linked(BEN, bens)
        assert (await ana.send(text(ANA, BEN, "hi"))).accepted
        await eventually(lambda: bens.texts == ["hi"])
        line = lab.gateway._lines.find(BEN, lab.config(BEN, device=2).instance)
        assert line is not None and not line.registered
        await ben.close()


async def test_removing_a_device_ends_its_link_and_forgets_it(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        config = await enrolled(lab.config(ANA))
        async with raw_link(config) as link, aiohttp.ClientSession() as session:
            await link.hello()
            for token, status in (("no-token", 401), ("operator-token", 200)):
                async with session.post(
                    f"{config.url}/v1/devices/remove",
                    json={"instance": config.instance, "number": ANA},
                    headers={"Authorization": f"Bearer {token}"},
                ) as answer:
                    assert answer.status == status
            assert await link.end() == 4001
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with raw_link(config):
                pass


async def test_sr17_guesses_are_limited_before_any_work(tmp_path: Path) -> None:
    limits = GatewayLimits(enrolments=Rate(3, 60_000))
    async with Lab.running(tmp_path, limits=limits) as lab:
        codes = []
        for _ in range(4):
            with pytest.raises(GatewayError) as refused:
                await enrolled(lab.config(ANA, password="wrong"))
            codes.append(refused.value.status)
        assert codes == [401, 401, 401, 429]
        with pytest.raises(GatewayError) as refused:
            await enrolled(lab.config(ANA))  # the right one waits as well
        assert refused.value.status == 429
        await enrolled(lab.config(BEN))


async def test_an_account_has_so_many_devices_and_the_oldest_makes_room(tmp_path: Path) -> None:
    now = [1_800_000_000_000]
    limits = GatewayLimits(max_devices_per_number=2)
    async with Lab.running(tmp_path, limits=limits, now=lambda: now[0]) as lab:
        await enrolled(lab.config(ANA, device=1))
        await enrolled(lab.config(ANA, device=2))
        with pytest.raises(GatewayError) as refused:
            await enrolled(lab.config(ANA, device=3))
        assert (refused.value.code, refused.value.status) == ("gateway.devices", 409)
        now[0] += limits.enrolled_ms + 1
        await enrolled(lab.config(ANA, device=3))
        assert lab.gateway._lines.find(ANA, lab.config(ANA, device=1).instance) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"instance": "not-a-uuid"},
        {"sip_username": "two words"},
        {"sip_username": ""},
        {"sip_password": ""},
        {"sip_password": "a\nb"},
        {"sip_password": "x" * 256},
    ],
    ids=str,
)
async def test_an_enrolment_that_is_none(tmp_path: Path, changes: dict[str, str]) -> None:
    async with Lab.running(tmp_path) as lab:
        with pytest.raises(GatewayError) as refused:
            await enrolled(lab.config(ANA, **changes))
        assert (refused.value.code, refused.value.status) == ("gateway.enrolment", 400)


async def test_sip_passwords_are_sealed_on_the_disk(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        await enrolled(lab.config(ANA, sip_password="the violet password", token="k" * 43))
        files = [path for path in tmp_path.iterdir() if path.name.startswith("gateway.db")]
        kept = b"".join(path.read_bytes() for path in files)
        assert ANA.encode() in kept
        assert b"the violet password" not in kept
        assert lab.config(ANA, token="k" * 43).device_token.encode() not in kept
        assert all(stat.S_IMODE(os.stat(path).st_mode) == 0o600 for path in files)


async def test_another_secret_opens_no_credentials(tmp_path: Path) -> None:
    async with Lab.running(tmp_path) as lab:
        config = await enrolled(lab.config(ANA))
        await lab.end()
        lab.gateway = Gateway(str(tmp_path / "gateway.db"), lab.profile, lab.password, b"another" * 8, port=lab.port)
        await lab.gateway.start()
        async with raw_link(config) as link:
            await link.say(gateway.Hello(None, 0))
            assert await link.end() == 4001
        assert (await lab.linked(ANA)).status.state is GatewayState.REGISTERED  # it enrolled again by itself


def test_sr19_nothing_in_the_clear_beyond_this_machine(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        base_of("http://gateway.example.net")
    assert refused.value.code == "gateway.tls"
    with pytest.raises(InputError):
        base_of("ftp://gateway.example.net")
    profile = CarrierProfile("127.0.0.1", 5060, "rcs.example.test", tls=False)
    with pytest.raises(InputError) as refused:
        Gateway(str(tmp_path / "g.db"), profile, Lab.password, SECRET, host="0.0.0.0")
    assert refused.value.code == "gateway.tls"
    with pytest.raises(InputError) as refused:
        Gateway(str(tmp_path / "g.db"), dataclasses.replace(profile, server="sip.example.net"), Lab.password, SECRET)
    assert refused.value.code == "rcs.plaintext"


async def test_a_redirect_is_not_followed() -> None:
    """A link would carry on to wherever it leads, out of TLS too."""

    async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/v1/link\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirecting, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        lab = Lab(Path())
        http = GatewayHttp(lab.config(ANA, url=f"http://127.0.0.1:{port}"), GatewaySettings(), None)
        with pytest.raises(Exception, match="redirect"):
            await http.link()
        await http.close()
