"""A service account of the platform, from the JSON file that its console gives."""

from __future__ import annotations

from ...errors import InputError
from ...net import google_tokens
from ...net.google_tokens import ServiceAccount, is_safe_base

__all__ = ["SCOPE", "ServiceAccount", "checked_base", "read_service_account"]

SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"


def read_service_account(data: bytes) -> ServiceAccount:
    """Raises InputError."""
    return google_tokens.read_service_account(
        data,
        code="input.rbm",
        hint="create a key for the service account in the platform's console, as JSON",
    )


def checked_base(url: str) -> str:
    """An address to send credentials to, without a slash at the end. Raises InputError."""
    if not is_safe_base(url):
        raise InputError(
            f"not an address of the platform: {url[:80]!r}", code="input.rbm", hint="it is asked over https"
        )
    return url.rstrip("/")
