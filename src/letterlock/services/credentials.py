"""Passwords that an operator's services agree on without keeping any: derived from one secret and the user's name.

The provisioning server hands a client its password for another service, and that service computes the same one.
Whoever has the secret has them all: it is a file of the operator's, readable by the services alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from ..errors import InputError
from ..ids import number

__all__ = ["MIN_SECRET", "derived_passwords", "operator_token"]

MIN_SECRET = 32
_LABEL = b"\xff\x80letterlock/service-password/v1\x00"  # SR-23
_OPERATOR_LABEL = b"\xff\x80letterlock/operator-token/v1\x00"


def derived_passwords(secret: bytes, service: str) -> Callable[[str], str | None]:
    """`password_of(username)` for one service; None for what is not a number. Raises InputError for a short secret."""
    _check(secret)
    prefix = _LABEL + service.encode() + b"\x00"

    def password_of(username: str) -> str | None:
        try:
            number(username)
        except InputError:
            return None
        return base64.b32encode(hmac.new(secret, prefix + username.encode(), hashlib.sha256).digest()[:20]).decode()

    return password_of


def operator_token(secret: bytes, service: str) -> str:
    """By which one service of the operator knows another; for `service`, the one that is asked."""
    _check(secret)
    return base64.b32encode(hmac.new(secret, _OPERATOR_LABEL + service.encode(), hashlib.sha256).digest()).decode()


def _check(secret: bytes) -> None:
    if len(secret) < MIN_SECRET:
        raise InputError(f"the operator's secret has at least {MIN_SECRET} bytes", code="input.secret")
