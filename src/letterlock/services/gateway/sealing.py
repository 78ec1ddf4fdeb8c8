"""Passwords of accounts at the carrier, sealed under the operator's secret: a copy of the database alone has none.

AES-256-GCM under a key by HKDF-SHA-256 with its own label (SR-23), a random nonce for each, bound to number and device.
Whoever has the database and the secret has the passwords; the gateway itself must have both.
"""

from __future__ import annotations

from ...crypto.provider import CryptoProvider
from ...errors import BadMac, GatewayError, InputError
from ...ids import Number, Rng

__all__ = ["Sealer"]

_LABEL = b"\xff\x80letterlock/gateway-credentials/v1\x00"
_NONCE = 12
_LEAST = 32


class Sealer:
    """Seals and opens. Raises InputError for a secret that could be guessed."""

    def __init__(self, secret: bytes, crypto: CryptoProvider, rng: Rng) -> None:
        if len(secret) < _LEAST:
            raise InputError(f"the gateway's secret has fewer than {_LEAST} bytes", code="input.secret")
        self._crypto, self._rng = crypto, rng
        self._key = crypto.hkdf_sha256(secret, b"", _LABEL, 32)

    def seal(self, number: Number, instance: str, password: str) -> bytes:
        nonce = self._rng(_NONCE)
        return nonce + self._crypto.aes_gcm_seal(self._key, nonce, password.encode(), _whose(number, instance))

    def open(self, number: Number, instance: str, sealed: bytes) -> str:
        """Raises GatewayError for one that another secret has sealed, or that was put where it does not belong."""
        nonce, ciphertext = sealed[:_NONCE], sealed[_NONCE:]
        try:
            return self._crypto.aes_gcm_open(self._key, nonce, ciphertext, _whose(number, instance)).decode()
        except BadMac as error:
            raise GatewayError(
                "the credentials of an account do not open",
                code="gateway.sealed",
                hint="start the gateway with the secret that it had when they were given",
            ) from error


def _whose(number: Number, instance: str) -> bytes:
    return number.encode() + b"\x00" + instance.encode()
