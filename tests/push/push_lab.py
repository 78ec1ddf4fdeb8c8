"""A push service with small windows, what registers with it, and the comparison of its ledger with a double's own log."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from letterlock.crypto.key_files_pyca import FileKey, generate_key, read_key
from letterlock.ids import Number
from letterlock.services.buckets import Rate
from letterlock.services.push import Accounting, Fate, Pushes, PushKind, PushLimits, Subscription

from .apns_double import TOPIC

ANA = Number("+15550100")
QUICK = PushLimits(
    window_ms=250,
    max_tries=6,
    first_retry_ms=20,
    longest_retry_ms=2000,
    attempt_ms=3000,
    grace_ms=500,
    drain_ms=200,
    max_devices=1000,
    subscriptions=Rate(100_000, 1000),
    wakes=Rate(100_000, 1000),
)


def operator_key() -> tuple[FileKey, ec.EllipticCurvePublicKey]:
    pem = generate_key(None)
    private = serialization.load_pem_private_key(pem, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return read_key(pem, None), private.public_key()


def apns_token(n: int) -> str:
    return f"{n:064x}"


def apns(n: int) -> Subscription:
    return Subscription(PushKind.APNS, apns_token(n), TOPIC)


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def settled(pushes: Pushes, seconds: float = 15) -> Accounting:
    """When every wake-up has ended."""
    async with asyncio.timeout(seconds):
        while (found := await pushes.accounting()).waiting:
            await asyncio.sleep(0.01)
    assert found.requested == sum(found.ended.values())
    return found


def assert_apart(accepted: Iterable[tuple[str, int]], window_ms: int = QUICK.window_ms) -> None:
    """None twice within its window, by the log of whom it was sent to: (device, time)."""
    for device, times in itertools.groupby(sorted(accepted), key=lambda each: each[0]):
        at = [time for _, time in times]
        gaps = [after - before for before, after in itertools.pairwise(at)]
        assert all(gap >= window_ms for gap in gaps), (device[-4:], gaps)


def counts(accounting: Accounting) -> dict[Fate, int]:
    return {fate: count for fate in Fate if (count := accounting.count(fate))}
