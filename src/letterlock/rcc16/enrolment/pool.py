"""The pool of key packages: made, published, used once, forgotten (rcc16.md 1.9, SR-13).

Eleven are published, the last of them of last resort. A new pool replaces the old one at the server daily, when few are
left by the Welcomes that came, at once when the package of last resort was used, after a Welcome that could not be
opened, and after every change of the certificate, which is in each of them. Private halves of a pool that was replaced
are kept for a while, and of so many pools at most: a Welcome may be on its way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ...conversation_seam import PublishKeyPackages
from ...ids import Instant, Rng
from ...mls.client import Client
from ...mls.key_packages import LAST_RESORT_EXTENSION, KeyPackageBundle, KeyPackages, make_key_package
from ...mls.suites import CipherSuite
from ...mls.wire.welcome import Welcome
from ...seam import Staged, State, Writes
from ..credentials.leaf import decode_chain, lasts_30_days
from .records import PACKAGES, UPKEEP, USED, Package, Schedule
from .settings import EnrolmentSettings, PackageLifetime

__all__ = ["abandon", "bundle_for", "housekeeping", "published", "unopenable", "upkeep", "used"]

_REQUEST: Final = "packages-"
_MARGIN_MS: Final = 30 * 60_000
_SWEEP_MS: Final = 3_600_000
_LONGEST_S: Final = 365 * 86_400


def upkeep(
    staged: Staged,
    client: Client,
    settings: EnrolmentSettings,
    wait: Callable[[int], Instant],
    now: Instant,
    rng: Rng,
) -> tuple[PublishKeyPackages | None, Instant]:
    """What to upload now, if anything, and when to look again."""
    schedule = staged.get(UPKEEP) or Schedule()
    if not settings.tolerant and not lasts_30_days(client.credential, now):
        return None, now + settings.republish_ms  # nobody may be given these (A.4.2.2); the certificate comes first
    due = _due(schedule, client, settings)
    if due <= now:
        schedule = _make(staged, schedule, client, settings, now, rng)
    if schedule.published_pool == schedule.pool:
        return None, due
    ask_at = schedule.upload_asked_at + wait(schedule.upload_failures)
    if ask_at > now:
        return None, ask_at
    failures = schedule.upload_failures + 1
    staged.put(UPKEEP, replace(schedule, upload_asked_at=now, upload_failures=failures))
    packages = _messages(staged, schedule.pool, client.suite)
    return PublishKeyPackages(f"{_REQUEST}{schedule.pool}", packages), now + wait(failures)


def published(state: State, request: str, stored: bool, now: Instant) -> Writes:
    """The KDS took a pool, or did not; an answer about an earlier pool says nothing about the last one."""
    schedule = state.get(UPKEEP)
    if schedule is None or not stored or request != f"{_REQUEST}{schedule.pool}":
        return {}
    return {UPKEEP: replace(schedule, published_pool=schedule.pool, published_at=now, upload_failures=0)}


def bundle_for(state: State, welcome: Welcome, suite: CipherSuite) -> KeyPackageBundle | None:
    """The package that a Welcome is for. Raises DecodeError for a row that is damaged."""
    bundles = []
    for entry in welcome.secrets:
        package = state.get(PACKAGES.key(entry.new_member.hex()))
        if package is not None:
            bundles.append(KeyPackageBundle.from_row(package.row, suite))
    return KeyPackages(bundles).find(welcome)


def used(state: State, bundle: KeyPackageBundle, welcome: Welcome, settings: EnrolmentSettings, now: Instant) -> Writes:
    """See `Enrolment.used`."""
    staged = Staged(state)
    key = PACKAGES.key(bundle.reference.hex())
    package, schedule = staged.get(key), staged.get(UPKEEP)
    if package is None or schedule is None:
        return {}
    held = KeyPackages([bundle])
    held.used(bundle, welcome)
    row = held.take_changes().get(bundle.reference)
    if row is None:
        staged.delete(key)
        staged.put(USED.key(bundle.reference.hex()), now + settings.kept_ms)
    else:
        staged.put(key, replace(package, row=row))
    if package.pool == schedule.pool:
        left = max(0, schedule.left - (not bundle.last_resort))
        staged.put(UPKEEP, replace(schedule, left=left, urgent=schedule.urgent or bundle.last_resort))
    return staged.writes


def unopenable(state: State, welcome: Welcome) -> Writes:
    """See `Enrolment.unopenable`. A Welcome that comes again for a package that was used is no sign of anything."""
    schedule = state.get(UPKEEP)
    references = [entry.new_member.hex() for entry in welcome.secrets]
    held = any(state.get(PACKAGES.key(name)) is not None for name in references)
    known = held or any(state.get(USED.key(name)) is not None for name in references)
    if schedule is None or known:
        return {}
    return {UPKEEP: replace(schedule, repair=True)}


def abandon(state: State) -> Writes:
    """Every private half goes: with the leaf of a Welcome that is opened twice the same keys would be used twice."""
    staged = Staged(state)
    for key in state.scan(PACKAGES):
        staged.delete(key)
    schedule = staged.get(UPKEEP)
    if schedule is not None:
        staged.put(UPKEEP, replace(schedule, chain_digest=b""))
    return staged.writes


def housekeeping(staged: Staged, settings: EnrolmentSettings, now: Instant) -> None:
    """Forgets the private halves of packages that were replaced long ago, and that others were used.

    Once an hour, because it looks at every package.
    """
    schedule = staged.get(UPKEEP)
    if schedule is None or now - schedule.swept_at < _SWEEP_MS:
        return
    staged.put(UPKEEP, replace(schedule, swept_at=now))
    for key in staged.scan(PACKAGES):
        package = staged.get(key)
        if package is not None and package.replaced_at and package.replaced_at + settings.kept_ms <= now:
            staged.delete(key)
    for tombstone in staged.scan(USED):
        until = staged.get(tombstone)
        if until is not None and until <= now:
            staged.delete(tombstone)


def _due(schedule: Schedule, client: Client, settings: EnrolmentSettings) -> Instant:
    """When a new pool has to be made. One that nobody has stored yet is only made anew for another certificate."""
    if schedule.pool == 0 or schedule.chain_digest != _digest(client):
        return 0
    if schedule.published_pool != schedule.pool:
        return schedule.made_at + settings.republish_ms
    due = schedule.published_at + settings.republish_ms
    if schedule.urgent or schedule.left <= min(settings.replenish_at, settings.one_time_packages - 1):
        due = min(due, schedule.made_at + settings.urgent_ms)
    if schedule.repair:
        due = min(due, schedule.repaired_at + settings.repair_ms)
    return due


def _make(
    staged: Staged, schedule: Schedule, client: Client, settings: EnrolmentSettings, now: Instant, rng: Rng
) -> Schedule:
    number = schedule.pool + 1
    for key in staged.scan(PACKAGES):
        package = staged.get(key)
        if package is None:
            continue
        if package.pool <= number - settings.kept_pools:
            staged.delete(key)
        elif not package.replaced_at:
            staged.put(key, replace(package, replaced_at=now))
    not_before, lifetime = _lifetime(client, settings)
    for count in range(settings.one_time_packages + 1):
        bundle = make_key_package(
            client,
            now,
            rng,
            lifetime_seconds=lifetime,
            not_before=not_before,
            last_resort=LAST_RESORT_EXTENSION if count == settings.one_time_packages else None,
        )
        staged.put(PACKAGES.key(bundle.reference.hex()), Package(bundle.to_row(), number))
    made = replace(
        schedule,
        pool=number,
        made_at=now,
        chain_digest=_digest(client),
        upload_asked_at=0,
        upload_failures=0,
        left=settings.one_time_packages,
        urgent=False,
        repair=False,
        repaired_at=now if schedule.repair else schedule.repaired_at,
    )
    staged.put(UPKEEP, made)
    return made


def _lifetime(client: Client, settings: EnrolmentSettings) -> tuple[int, int]:
    """(start, length) in seconds. From when the certificate starts, never from now: peers' clocks trail."""
    certificate = decode_chain(client.credential)[0]
    start = certificate.not_before // 1000
    if settings.lifetime is PackageLifetime.BEYOND:
        return start, _LONGEST_S
    return start, min((certificate.not_after - _MARGIN_MS) // 1000 - start, _LONGEST_S)


def _messages(staged: Staged, number: int, suite: CipherSuite) -> tuple[bytes, ...]:
    """The pool as it is uploaded, that of last resort at the end."""
    bundles = []
    for key in staged.scan(PACKAGES):
        package = staged.get(key)
        if package is not None and package.pool == number:
            bundles.append(KeyPackageBundle.from_row(package.row, suite))
    bundles.sort(key=lambda bundle: bundle.last_resort)
    return tuple(bundle.message for bundle in bundles)


def _digest(client: Client) -> bytes:
    return hashlib.sha256(client.credential.body).digest()
