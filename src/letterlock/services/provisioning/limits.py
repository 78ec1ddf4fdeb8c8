"""Every bound of the provisioning server in one value: codes, tokens, rates (SR-17, SR-21)."""

from __future__ import annotations

from dataclasses import dataclass

from ..buckets import Rate

__all__ = ["ProvisioningLimits"]

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_ADDRESS = Rate(300, _MINUTE)
_CONTACTS = Rate(60, 10 * _MINUTE)
_CODES_BY_NUMBER = Rate(6, _HOUR)
_CODES_BY_NUMBER_AND_ADDRESS = Rate(3, _HOUR)


@dataclass(frozen=True, slots=True)
class ProvisioningLimits:
    """The defaults suit one operator with some ten thousand numbers."""

    code_lifetime_ms: int = 10 * _MINUTE
    code_tries: int = 5
    max_codes_per_number: int = 6
    max_codes: int = 10_000
    token_lifetime_ms: int = 90 * _DAY
    """After its last use."""
    max_tokens: int = 8
    """Of one number; the oldest gives way."""

    max_in_flight: int = 256
    max_in_flight_by_address: int = 32
    address: Rate = _ADDRESS
    contacts: Rate = _CONTACTS
    """Contacts without a token, by address: each may cost the operator a message to the owner of a number."""
    codes_by_number: Rate = _CODES_BY_NUMBER
    codes_by_number_and_address: Rate = _CODES_BY_NUMBER_AND_ADDRESS
    """Half of it, so that no single address can keep a number from being set up."""
    max_buckets: int = 100_000

    account_age_ms: int = 400 * _DAY
    """An account without a token is forgotten after so long."""
