"""FCM: access tokens fetched once for all and renewed, and what each answer of Google's means."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab_certificate import write_lab_certificate
from letterlock.errors import InputError
from letterlock.services.push import Accounting, Fate, Pushes, PushKind, PushLimits, Reason, Subscription
from letterlock.services.push.fcm import Fcm, FcmSettings, read_service_account
from letterlock.services.push.outcome import Later

from .fcm_double import RESET, SILENCE, FcmDouble, error
from .push_lab import ANA, QUICK, assert_apart, counts, settled, until

pytestmark = pytest.mark.anyio
KEY = rsa.generate_private_key(65537, 2048)


@dataclass
class Lab:
    double: FcmDouble
    pushes: Pushes
    provider: Fcm
    ahead: int = 0

    async def wake(self, count: int, first: int = 0) -> None:
        numbers = range(first, first + count)
        for n in numbers:
            await self.pushes.subscribe(ANA, f"device {n}", registered(n))
        await asyncio.gather(*(self.pushes.wake(ANA, f"device {n}") for n in numbers))

    async def settled(self) -> Accounting:
        found = await settled(self.pushes)
        assert_apart(self.double.accepted)
        assert found.count(Fate.SENT) <= len(self.double.accepted)
        return found


def registered(n: int) -> Subscription:
    return Subscription(PushKind.FCM, f"registration-token:{n:04d}")


@contextlib.asynccontextmanager
async def lab(folder: Path, limits: PushLimits = QUICK) -> AsyncIterator[Lab]:
    certificate = write_lab_certificate(folder)
    async with FcmDouble(certificate, KEY) as double:
        made: list[Lab] = []

        def now() -> int:
            return time.time_ns() // 1_000_000 + (made[0].ahead if made else 0)

        tls = ssl.create_default_context(cafile=str(certificate.authority))
        provider = Fcm(FcmSettings(read_service_account(double.service_account()), tls, double.url), now)
        async with Pushes(str(folder / "push.db"), [provider], limits=limits, now=now) as pushes:
            made.append(Lab(double, pushes, provider))
            yield made[0]


async def test_a_wake_up_goes_out_and_says_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.wake(1)
        assert counts(await town.settled()) == {Fate.SENT: 1}
        [message] = town.double.bodies
        collapse = message["android"].pop("collapse_key")
        assert message == {
            "token": "registration-token:0000", "data": {}, "android": {"priority": "HIGH", "ttl": "86400s"},
        }  # fmt: skip
        assert len(collapse) == 24
        assert b"5550100" not in town.double.seen and b"device 0" not in town.double.seen  # SR-17


async def test_one_access_token_for_all_and_renewed_in_time(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.wake(30)
        await town.settled()
        assert len(town.double.given) == 1
        town.ahead = 56 * 60_000
        await town.wake(30, first=30)
        assert counts(await town.settled()) == {Fate.SENT: 60}
        assert len(town.double.given) == 2
        assert 401 not in town.double.answers


async def test_a_token_that_is_not_taken_any_more_is_renewed_once_for_all(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        await town.wake(1)
        await town.settled()
        town.double.valid.clear()
        await town.wake(20)
        assert counts(await town.settled()) == {Fate.SENT: 21}
        assert len(town.double.given) == 2


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_without_an_access_token_nothing_is_sent_and_all_is_accounted_for(tmp_path: Path, status: int) -> None:
    async with lab(tmp_path, replace(QUICK, max_tries=2)) as town:
        town.double.token_status = status
        await town.wake(10)
        reason = Reason.CONNECTION if status == 500 else Reason.CREDENTIALS
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, reason): 10}
        assert not town.double.answers


async def test_an_account_that_may_not_send_ends_in_an_account(tmp_path: Path) -> None:
    async with lab(tmp_path, replace(QUICK, max_tries=1)) as town:
        town.double.script = deque([error(403)])
        await town.wake(1)
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.CREDENTIALS): 1}


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (error(404, "UNREGISTERED"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (error(403, "SENDER_ID_MISMATCH"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (error(400, "INVALID_ARGUMENT"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (error(400, "INVALID_ARGUMENT", "message.token"), (Fate.DROPPED, Reason.UNREGISTERED)),
        (error(400, "INVALID_ARGUMENT", "message.android"), (Fate.GIVEN_UP, Reason.REFUSED)),
        (error(404), (Fate.GIVEN_UP, Reason.REFUSED)),
        (error(400), (Fate.GIVEN_UP, Reason.REFUSED)),
        (error(429, "QUOTA_EXCEEDED"), (Fate.GIVEN_UP, Reason.TOO_MANY)),
        (error(500, "INTERNAL"), (Fate.GIVEN_UP, Reason.FAILED)),
        (error(503, "UNAVAILABLE"), (Fate.GIVEN_UP, Reason.FAILED)),
        ((502, {"error": ["not", {"as": "Google"}]}), (Fate.GIVEN_UP, Reason.FAILED)),
        (
            (400, {"error": {"details": [1, {"fieldViolations": [2]}, {"errorCode": 3}]}}),
            (Fate.GIVEN_UP, Reason.REFUSED),
        ),
    ],
    ids=str,
)
async def test_what_an_answer_means(
    tmp_path: Path, answer: tuple[int, dict[str, Any]], end: tuple[Fate, Reason]
) -> None:
    async with lab(tmp_path, replace(QUICK, max_tries=2)) as town:
        town.double.script = deque([answer] * 2)
        await town.wake(1)
        assert (await town.settled()).ended == {end: 1}
        assert await town.pushes.wake(ANA, "device 0") == (Fate.DROPPED if end[0] is Fate.DROPPED else None)


async def test_too_many_without_a_time_waits_a_minute(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        town.double.script = deque([error(429, "QUOTA_EXCEEDED")])
        assert await town.provider.send(registered(0), "x") == Later(Reason.TOO_MANY, 60_000)


async def test_an_app_without_a_key_of_apple_does_not_cost_the_access_token(tmp_path: Path) -> None:
    """Whoever registers such an app would have us fetch a new one at each try."""
    async with lab(tmp_path) as town:
        for _ in range(3):
            town.double.script = deque([error(401, "THIRD_PARTY_AUTH_ERROR")] * 2)
            assert await town.provider.send(registered(0), "x") == Later(Reason.CREDENTIALS)
        assert len(town.double.given) == 1


async def test_it_waits_as_long_as_it_was_told(tmp_path: Path) -> None:
    async with lab(tmp_path) as town:
        town.double.retry_after = "1"
        town.double.script = deque([error(503)])
        began = time.monotonic()
        await town.wake(1)
        assert counts(await town.settled()) == {Fate.SENT: 1}
        assert time.monotonic() - began >= 1


async def test_resets_among_many(tmp_path: Path) -> None:
    """What was perhaps heard counts as sent for its window; the rest is not held up."""
    async with lab(tmp_path) as town:
        town.double.script = deque([RESET, error(503), error(401)] * 4)
        await town.wake(20)
        assert counts(await town.settled()) == {Fate.SENT: 20}
        assert 20 <= len(town.double.accepted) <= 24


async def test_no_answer_at_all(tmp_path: Path) -> None:
    async with lab(tmp_path, replace(QUICK, max_tries=1, attempt_ms=300)) as town:
        town.double.script = deque([SILENCE])
        await town.wake(1)
        await until(lambda: town.double.accepted)
        assert (await town.settled()).ended == {(Fate.GIVEN_UP, Reason.NO_ANSWER): 1}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"[" * 9999, b'{"project_id": 1}', b"x" * 70_000])
def test_what_is_no_service_account(data: bytes) -> None:
    with pytest.raises(InputError):
        read_service_account(data)


@pytest.mark.parametrize("url", ["", "https://", "https://[", "https://a:99999/token", "http://token.example/token"])
def test_sr_19_where_a_service_account_gets_its_tokens_is_an_https_address(url: str) -> None:
    names = ("project_id", "client_email", "private_key_id", "private_key")
    with pytest.raises(InputError, match="token address"):
        read_service_account(json.dumps({**dict.fromkeys(names, "x"), "token_uri": url}).encode())
