"""Every bound of a key distribution server in one value: rates, sizes, lifetimes (SR-13, SR-17; rcc16.md 1.3 to 1.9)."""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.kds import BodyLimits
from ..buckets import Rate

__all__ = ["KdsLimits"]

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_BODIES = BodyLimits(max_body=1 << 20, max_packages=64, max_package=32_768, max_certificate=8_192, max_chain=4)
_CERTIFICATES = Rate(12, _DAY)
_UPLOADS = Rate(48, _DAY)
_CLAIMS_OF_ONE = Rate(4, 10 * _MINUTE)
_CLAIMS_OF_ONE_A_DAY = Rate(24, _DAY)
_WITHDRAWALS = Rate(32, _DAY)
_CLAIMS = Rate(600, _HOUR)
_CALLS = Rate(1200, _MINUTE)
_ADDRESS = Rate(1200, _MINUTE)
_LAST_RESORT = Rate(60, _HOUR)
_LAST_RESORT_BY_ONE = Rate(2, _HOUR)
_LAST_RESORT_BY_PEER = Rate(20, _HOUR)
_PEER = Rate(60_000, _MINUTE)
_PEER_TARGET = Rate(60, 10 * _MINUTE)


@dataclass(frozen=True, slots=True)
class KdsLimits:
    """The defaults suit one operator with some hundred thousand numbers. Rates count in each process by itself."""

    # Certificates.
    leaf_lifetime_ms: int = 75 * _DAY + 12 * _HOUR
    """75.5 days, as Google mints them; the profile allows 76."""
    floor_ms: int = 30 * _DAY
    """What has to remain of a certificate in a package that is handed out or taken (A.4.2.2)."""
    separate_participant_keys: bool = True
    """Whether leaf and participant key may differ, as on Google's KDS; False as in the lab form of rcc16.md 1.8."""
    max_devices: int = 16
    """Of one number."""

    # Packages.
    max_one_time: int = 40
    """Of one device; 10 are usual."""
    outlives_certificate: bool = False
    """What the lifetime of a package has to do (rcc16.md 1.9): end within its certificate, as RCC.16 5.1 says, or
    outlast it, as Google's KDS demands."""
    max_package_lifetime_ms: int = 366 * _DAY

    # Requests.
    request_window_ms: int = 5 * _MINUTE
    bodies: BodyLimits = _BODIES
    max_small_body: int = 32_768
    """Of everything but an upload: whoever sends it may be nobody, and JSON of a megabyte takes tens of milliseconds."""
    body_timeout_s: float = 15.0
    max_in_flight: int = 512
    max_in_flight_by_address: int = 128

    # Rates. Before anything is read: by address. After authentication: by device or number.
    address: Rate = _ADDRESS
    calls: Rate = _CALLS
    certificates: Rate = _CERTIFICATES
    uploads: Rate = _UPLOADS
    claims: Rate = _CLAIMS
    """Of one number, whomever they are about."""
    claims_of_one: Rate = _CLAIMS_OF_ONE
    """Of one number about one other (rcc16.md 6), and"""
    claims_of_one_a_day: Rate = _CLAIMS_OF_ONE_A_DAY
    """over a day: so that nobody empties another's pool every hour."""
    withdrawals: Rate = _WITHDRAWALS
    """Of one number: each is remembered for `withdrawn_ms`."""
    last_resort: Rate = _LAST_RESORT
    """Of one device's package of last resort, whoever asks; and of these"""
    last_resort_by_one: Rate = _LAST_RESORT_BY_ONE
    """for one number that asks, or"""
    last_resort_by_peer: Rate = _LAST_RESORT_BY_PEER
    """one other server: nobody alone makes a device unreachable for all others."""
    peer: Rate = _PEER
    peer_target: Rate = _PEER_TARGET
    """Of one other server, about one number."""
    max_asked_at_once: int = 64
    """Questions to one other server that are under way: one that answers slowly holds up its own numbers only."""
    max_buckets: int = 200_000

    # Retention: nothing stays for ever.
    certificate_grace_ms: int = 7 * _DAY
    """A device is forgotten so long after its certificate has ended."""
    withdrawn_ms: int = 100 * _DAY
    """A withdrawn leaf key is remembered so long: longer than any proof that it could come back with."""
    max_anchor_lists: int = 64
