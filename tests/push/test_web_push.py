"""Web Push and UnifiedPush: encrypted, signed, merged by chance names, never sent where a device had no business to send us."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from lab_certificate import write_lab_certificate
from letterlock.errors import BadPublicKey, PushError
from letterlock.services.push import Accounting, Fate, Pushes, PushKind, PushLimits, Reason, Subscription
from letterlock.services.push.web import WAKE, WebPush, WebPushSettings

from .push_lab import ANA, QUICK, assert_apart, counts, operator_key, settled, until
from .web_double import RESET, SILENCE, App, WebDouble

pytestmark = pytest.mark.anyio
CONTACT = "mailto:operator@example.test"


@dataclass
class Lab:
    double: WebDouble
    pushes: Pushes
    provider: WebPush
    trusted: list[tuple[str, int]]

    async def wake(self, device: str) -> Fate | None:
        return await self.pushes.wake(ANA, device)

    async def settled(self) -> Accounting:
        found = await settled(self.pushes)
        assert_apart((push.app, push.at) for push in self.double.accepted)
        assert found.count(Fate.SENT) <= len(self.double.accepted)
        return found


class Resolver(AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        found = {"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(**found)]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def lab(folder: Path, *, limits: PushLimits = QUICK, trust: bool = True) -> AsyncIterator[Lab]:
    certificate = write_lab_certificate(folder)
    async with WebDouble(certificate) as double:
        tls = ssl.create_default_context(cafile=str(certificate.authority))
        trusted = [("localhost", double.port)] if trust else []
        provider = WebPush(WebPushSettings(operator_key()[0], CONTACT, trusted, tls, Resolver()))
        async with Pushes(str(folder / "push.db"), [provider], limits=limits) as pushes:
            yield Lab(double, pushes, provider, trusted)


@pytest.mark.parametrize("kind", [PushKind.WEB_PUSH, PushKind.UNIFIED_PUSH])
async def test_a_wake_up_is_encrypted_signed_and_constant(tmp_path: Path, kind: PushKind) -> None:
    async with lab(tmp_path) as town:
        for name in ("phone", "tablet"):
            await town.pushes.subscribe(ANA, name, town.double.register(name, kind))
            await town.wake(name)
        assert counts(await town.settled()) == {Fate.SENT: 2}
        assert {push.app for push in town.double.accepted} == {"phone", "tablet"}
        for push in town.double.accepted:
            assert push.opened == WAKE
            assert (push.headers["urgency"], push.headers["ttl"]) == ("high", "86400")
            assert push.headers["content-encoding"] == "aes128gcm"
        topics = {push.headers["topic"] for push in town.double.accepted}
        assert len(topics) == 2 and all(len(topic) <= 32 for topic in topics)  # RFC 8030 section 5.4
        assert len({push.headers["content-length"] for push in town.double.accepted}) == 1
        assert town.double.vapid_keys == {town.provider.application_server_key}
        # SR-17: nothing of whom it is about, not even after it is opened.
        assert b"5550100" not in town.double.seen


@pytest.mark.parametrize(
    ("status", "headers", "end"),
    [
        (404, {}, (Fate.DROPPED, Reason.UNREGISTERED)),
        (410, {}, (Fate.DROPPED, Reason.UNREGISTERED)),
        (413, {}, (Fate.GIVEN_UP, Reason.TOO_LARGE)),
        (403, {}, (Fate.GIVEN_UP, Reason.CREDENTIALS)),
        (400, {}, (Fate.GIVEN_UP, Reason.REFUSED)),
        (307, {"Location": "/push/tablet"}, (Fate.GIVEN_UP, Reason.REFUSED)),
        (429, {"Retry-After": "0"}, (Fate.GIVEN_UP, Reason.TOO_MANY)),
        (503, {}, (Fate.GIVEN_UP, Reason.FAILED)),
    ],
)
async def test_what_an_answer_means(
    tmp_path: Path, status: int, headers: dict[str, str], end: tuple[Fate, Reason]
) -> None:
    async with lab(tmp_path, limits=replace(QUICK, max_tries=2)) as town:
        town.double.script = deque([(status, headers)] * 2)
        await town.pushes.subscribe(ANA, "phone", town.double.register("phone"))
        await town.wake("phone")
        assert (await town.settled()).ended == {end: 1}
        assert not town.double.accepted, "a redirect, too, leads nowhere"
        assert await town.wake("phone") == (Fate.DROPPED if end[0] is Fate.DROPPED else None)


async def test_too_many_requests_waits_until_the_date_it_was_told(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        loop = asyncio.get_running_loop()
        town.double.script.append((429, {"Retry-After": "1"}))
        await town.pushes.subscribe(ANA, "phone", town.double.register("phone"))
        began = loop.time()
        await town.wake("phone")
        assert counts(await town.settled()) == {Fate.SENT: 1}
        assert loop.time() - began >= 1


async def test_a_connection_that_ends_after_the_request_counts_as_sent_for_the_window(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        town.double.script = deque([RESET, RESET])
        await town.pushes.subscribe(ANA, "phone", town.double.register("phone"))
        await town.wake("phone")
        assert counts(await town.settled()) == {Fate.SENT: 1}
        assert len(town.double.accepted) == 3


async def test_an_endpoint_that_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    """Eight of its devices are under way at most; all others of the web go past them (SR-17)."""
    limits = replace(QUICK, max_tries=1, attempt_ms=1500, max_web=12, max_per_origin=8)
    async with lab(tmp_path, limits=limits) as town, WebDouble(town.double.certificate) as dead:
        town.trusted.append(("localhost", dead.port))
        dead.script = deque([SILENCE] * 40)
        for n in range(12):
            await town.pushes.subscribe(ANA, f"dead {n}", dead.register(f"dead{n}"))
            await town.wake(f"dead {n}")
        await until(lambda: dead.requests == 8)
        for n in range(20):
            await town.pushes.subscribe(ANA, f"phone {n}", town.double.register(f"phone{n}"))
            await town.wake(f"phone {n}")
        await until(lambda: len(town.double.accepted) == 20, seconds=1.4)
        assert dead.requests == 8
        found = await town.settled()
        assert found.ended == {(Fate.SENT, Reason.NONE): 20, (Fate.GIVEN_UP, Reason.NO_ANSWER): 12}


# --- SR-14 -----------------------------------------------------------------------------------------------------
PRIVATE = [
    "https://127.0.0.1/x", "https://localhost/x", "https://LOCALHOST:8443/x", "https://10.0.0.1/x", "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x", "https://169.254.169.254/latest/meta-data", "https://2130706433/", "https://127.1/",
    "https://192.168.1.1:443/", "https://[fe80::1]/", "https://0.0.0.0/", "https://[64:ff9b::a00:1]/",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
async def test_sr_14_an_endpoint_in_a_private_network_is_refused(tmp_path: Path, address: str) -> None:
    async with lab(tmp_path, trust=False) as town:
        app = App()
        with pytest.raises(PushError) as caught:
            await town.pushes.subscribe(
                ANA, "phone", Subscription(PushKind.WEB_PUSH, address, p256dh=app.point, auth=app.auth)
            )
        assert caught.value.code == "push.address"


@pytest.mark.parametrize("host", ["push.example.test", "localhost.", "0x7f.0.0.1"])
async def test_sr_14_a_name_that_leads_into_a_private_network_is_not_followed(tmp_path: Path, host: str) -> None:
    async with lab(tmp_path, trust=False) as town:
        app = App()
        address = f"https://{host}:{town.double.port}/push/phone"
        await town.pushes.subscribe(
            ANA, "phone", Subscription(PushKind.WEB_PUSH, address, p256dh=app.point, auth=app.auth)
        )
        await town.wake("phone")
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.FORBIDDEN): 1}
        assert not town.double.requests


@pytest.mark.parametrize("host", ["a..b", "....", "a" * 64 + ".example"])
async def test_what_is_no_name_is_no_bug_of_ours(tmp_path: Path, host: str, caplog: pytest.LogCaptureFixture) -> None:
    """The system's own resolver fails on it in a way of its own; nothing was sent, and nobody was woken."""
    certificate = write_lab_certificate(tmp_path)
    tls = ssl.create_default_context(cafile=str(certificate.authority))
    provider, app = WebPush(WebPushSettings(operator_key()[0], tls=tls)), App()
    async with Pushes(str(tmp_path / "push.db"), [provider], limits=replace(QUICK, max_tries=1)) as pushes:
        await pushes.subscribe(
            ANA, "phone", Subscription(PushKind.WEB_PUSH, f"https://{host}/x", p256dh=app.point, auth=app.auth)
        )
        await pushes.wake(ANA, "phone")
        assert (await settled(pushes)).ended == {(Fate.GIVEN_UP, Reason.CONNECTION): 1}
    assert not caplog.records


async def test_sr_12_a_key_that_is_not_on_the_curve_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        honest = town.double.register("phone")
        with pytest.raises(BadPublicKey):
            await town.pushes.subscribe(ANA, "phone", replace(honest, p256dh=b"\x04" + b"\x01" * 64))


async def test_sr_19_an_endpoint_without_a_trusted_certificate_gets_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path, limits=replace(QUICK, max_tries=1)) as town:
        (tmp_path / "other").mkdir()
        async with WebDouble(write_lab_certificate(tmp_path / "other")) as other:
            town.trusted.append(("localhost", other.port))
            await town.pushes.subscribe(ANA, "phone", other.register("phone"))
            await town.wake("phone")
            assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.CONNECTION): 1}
            assert not other.requests
