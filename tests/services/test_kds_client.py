"""The client of the key distribution server: what it makes of answers, and of what is no such server (SR-14, SR-19)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lab_certificate import write_lab_certificate
from letterlock.conversation_seam import Claimed, ClaimOutcome
from letterlock.errors import InputError, KdsError, TransportError
from letterlock.rcc16.credentials.anchors import TrustAnchors
from letterlock.transport.kds import AnchorSource, KdsClient, KdsSettings, KdsSigner
from rcc16.certificates import CRYPTO, NOW, key_pair
from services.kds_lab import ANA, BEN, Town

pytestmark = pytest.mark.anyio

LEAF = key_pair("a leaf")
SIGNER = KdsSigner(ANA, LEAF.public, LEAF.sign)
CLAIM = "/mls/v1/keypackages/claim"


def client(url: str, **more: Any) -> KdsClient:
    return KdsClient(url, rng=bytes, now=lambda: NOW, signer=SIGNER, **more)


@contextlib.asynccontextmanager
async def answering(make: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """A server that answers everything in one way."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        found = make(request)
        return found if isinstance(found, web.StreamResponse) else await found

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda request: web.json_response({"code": "kds.withheld", "message": "", "hint": ""}, status=404), "none"),
        (lambda request: web.json_response({"code": "kds.rate", "message": "", "hint": ""}, status=429), "refused"),
        (lambda request: web.json_response({"code": "kds.clock", "message": "", "hint": ""}, status=401), "refused"),
        (lambda request: web.json_response({"code": "kds.peer", "message": "", "hint": ""}, status=503), "failed"),
        (lambda request: web.Response(status=500, body=b"\xff"), "failed"),
        (lambda request: web.Response(status=302, headers={"Location": "/elsewhere"}), "refused"),
        (lambda request: web.Response(body=b"[]"), "failed"),
        (lambda request: web.Response(body=b" " * 300_000), "failed"),
        (lambda request: web.json_response({"key_packages": []}), "failed"),
        (lambda request: web.json_response({"key_package": "AAAA", "is_last_resort": False}), "served"),
    ],
)
async def test_the_four_outcomes(answer: Callable[[web.Request], Any], outcome: str) -> None:
    """rcc16.md 1.8: what is claimed never raises; one number's trouble is not another's."""
    small = KdsSettings(bodies=dataclasses.replace(KdsSettings().bodies, max_body=200_000))
    async with answering(answer) as url, client(url, settings=small) as kds:
        found = await kds.claim([ANA, BEN, BEN])
        assert {claimed.outcome.value for claimed in found.values()} == {outcome}
        assert set(found) == {ANA, BEN}
        if outcome == "served":
            assert found[ANA] == Claimed(ClaimOutcome.SERVED, (b"\x00\x00\x00",))


async def test_a_redirect_is_not_followed() -> None:
    """SR-14: whoever answers sends our signed request nowhere else."""
    seen = []

    def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with answering(answer) as url, client(url) as kds:
        with pytest.raises(KdsError) as caught:
            await kds.pool()
        assert caught.value.status == 307 and seen == ["/mls/v1/keypackages"]
        source = AnchorSource(f"{url}/anchors", 1, LEAF.spki)
        with pytest.raises(KdsError):
            await kds.anchors(source, None, CRYPTO)
        assert seen[1:] == ["/anchors"]


async def test_nobody_there_and_nobody_in_time() -> None:
    stuck = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        await stuck.wait()
        return web.Response()

    async with answering(never) as url, client(url, settings=KdsSettings(timeout_s=0.05)) as kds:
        with pytest.raises(TransportError) as caught:
            await kds.pool()
        assert "none in time" in str(caught.value)
        stuck.set()
    async with answering(lambda request: web.Response()) as url:
        pass
    async with client(url) as kds:
        with pytest.raises(TransportError) as caught:
            await kds.pool()
        assert caught.value.code == "transport.kds"
        assert (await kds.claim([BEN]))[BEN].outcome is ClaimOutcome.FAILED


async def test_what_a_refusal_says_is_fit_for_a_terminal() -> None:
    said = {"code": "No Code!", "message": "red\x1b[31m\n" + "x" * 500, "hint": "\x07"}
    async with answering(lambda request: web.json_response(said, status=403)) as url, client(url) as kds:
        with pytest.raises(KdsError) as caught:
            await kds.pool()
        assert str(caught.value).startswith("red[31m") and len(str(caught.value)) <= 200
        assert (caught.value.code, caught.value.hint) == ("kds.refused", "")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://kds.example.test", "kds.tls"),
        ("ftp://127.0.0.1", "input.kds"),
        ("https://", "input.kds"),
        ("https://u:p@kds.example.test", "input.kds"),
        ("https://kds.example.test/path", "input.kds"),
        ("https://kds.example.test/?x=y", "input.kds"),
        ("https://kds.example.test:0", "input.kds"),
        ("https://kds.example.test:x", "input.kds"),
        ("https://[::1", "input.kds"),
    ],
)
def test_sr19_an_address_that_is_not_to_be_used(url: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        client(url)
    assert caught.value.code == code


async def test_sr19_the_certificate_is_verified(tmp_path: Path) -> None:
    lab = write_lab_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=lab.authority)
    async with Town.open(tmp_path, tls=lab.server_context()) as town:
        assert town.server.url.startswith("https://")
        async with client(town.server.url, tls=trusting) as kds:
            with pytest.raises(KdsError):
                await kds.pool()
        for context in (None, ssl.create_default_context()):
            async with client(town.server.url, tls=context) as kds:
                with pytest.raises(TransportError) as caught:
                    await kds.pool()
                assert caught.value.code == "transport.tls"


async def test_a_device_without_a_certificate_asks_nothing(tmp_path: Path) -> None:
    async with Town.open(tmp_path) as town, KdsClient(town.server.url, rng=bytes, now=town.clock) as kds:
        for call in (kds.pool(), kds.upload((b"x",)), kds.claim([BEN])):
            with pytest.raises(InputError) as caught:
                await call
            assert caught.value.code == "input.not_enrolled"


async def test_the_list_of_anchors_is_believed_by_its_signer_and_generation(tmp_path: Path) -> None:
    """rcc16.md 1.7: it replaces what is held, and never by an older one."""
    async with Town.open(tmp_path) as town:
        await town.restart(revoked=[5])
        kds = (await town.enrolled(ANA)).client
        source = town.anchor_source
        assert source.generation == 2
        held = await kds.anchors(source, None, CRYPTO)
        assert held == TrustAnchors(2, (town.lab.root.certificate.der,), frozenset({5}))
        assert await kds.anchors(source, held, CRYPTO) == held
        older = dataclasses.replace(source, uri=source.uri[:-1] + "1", generation=1)
        assert (await kds.anchors(older, None, CRYPTO)).revoked == frozenset()
        for bad, before in (
            (older, held),
            (dataclasses.replace(source, generation=3), None),
            (dataclasses.replace(source, signer=LEAF.spki), None),
            (dataclasses.replace(source, uri=f"{town.server.url}/mls/v1/health"), None),
            (dataclasses.replace(source, uri=source.uri[:-1] + "9"), None),
            (dataclasses.replace(source, uri=source.uri[:-1] + "x" * 40), None),
        ):
            with pytest.raises(KdsError) as caught:
                await kds.anchors(bad, before, CRYPTO)
            assert caught.value.code == "kds.anchors"


async def test_the_server_says_which_list_is_the_newest_and_not_who_signs_it(tmp_path: Path) -> None:
    """rcc16.md 1.7: a configuration of last month does not keep a revocation of today away; and nobody sends us elsewhere."""
    async with Town.open(tmp_path) as town:
        configured = town.anchor_source
        async with client(town.server.url) as kds:
            assert await kds.newest_anchors(configured) == configured
        await town.restart(revoked=[5])
        async with client(town.server.url) as kds:
            newest = await kds.newest_anchors(dataclasses.replace(configured, uri=town.anchor_source.uri))
            assert (newest.generation, newest.signer) == (2, configured.signer)
            assert (await kds.anchors(newest, None, CRYPTO)).revoked == frozenset({5})


@pytest.mark.parametrize("uri", ["https://elsewhere.example/anchors", "http://127.0.0.1:1/anchors", "nowhere"])
async def test_a_list_of_anchors_is_not_fetched_from_somebody_else(uri: str) -> None:
    """SR-14."""
    body = {"generation": 9, "uri": uri, "signer": "c2lnbmVy"}
    async with answering(lambda request: web.json_response(body)) as url, client(url) as kds:
        with pytest.raises(KdsError) as caught:
            await kds.newest_anchors(AnchorSource(f"{url}/anchors", 1, b"signer"))
        assert caught.value.code == "kds.anchors"
