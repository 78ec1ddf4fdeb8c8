"""A service account of the platform, from the JSON file that its console gives. The key in it signs and is never shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...codec.addresses import is_loopback
from ...crypto.rsa_pyca import RsaKey, read_rsa_key
from ...errors import InputError

__all__ = ["ServiceAccount", "checked_base", "read_service_account"]

_MAX_FILE = 65_536
_NAMES = ("client_email", "private_key_id", "private_key", "token_uri")


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who asks, where a token is got, and the key that vouches for it (SR-10)."""

    email: str
    key_id: str
    token_url: str
    key: RsaKey = field(repr=False)


def read_service_account(data: bytes) -> ServiceAccount:
    """Raises InputError."""
    try:
        members = json.loads(data) if len(data) <= _MAX_FILE else None
    # Too deep is a RecursionError.
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict) or not all(isinstance(members.get(name), str) for name in _NAMES):
        raise InputError(
            "not the key file of a service account",
            code="input.rbm",
            hint="create a key for the service account in the platform's console, as JSON",
        )
    email, key_id, pem, url = (members[name] for name in _NAMES)
    return ServiceAccount(email, key_id, checked_base(url), read_rsa_key(pem.encode()))


def checked_base(url: str) -> str:
    """An address to send credentials to: https, or this machine (SR-19). Raises InputError."""
    try:
        parts = urlsplit(url)
        host, plain = parts.hostname or "", parts.scheme == "http"
    except ValueError:
        host, plain = "", False
    if not host or not url.isascii() or not url.isprintable() or parts.query or parts.fragment or "@" in parts.netloc:
        raise InputError(f"not an address of the platform: {url[:80]!r}", code="input.rbm")
    if parts.scheme != "https" and not (plain and is_loopback(host)):
        raise InputError("the platform is asked over https", code="input.rbm")
    return url.rstrip("/")
