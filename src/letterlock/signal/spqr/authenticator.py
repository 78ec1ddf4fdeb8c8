"""The braid's own authentication (ML-KEM Braid section 2.4): MACs under a key that every epoch renews.

It ties header and ciphertext of an epoch to all secrets agreed before, independently of the message MACs.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from ...crypto.provider import CryptoProvider
from ...errors import BadMac

__all__ = ["MAC", "Authenticator", "check_mac", "epoch_secret"]

MAC = 32
"""Bytes of a MAC."""

_INFO = b"Signal_PQCKA_V1_MLKEM768"


class Authenticator(NamedTuple):
    """The two secrets of section 2.4; `update` gives the next pair."""

    root: bytes
    mac_key: bytes

    @classmethod
    def start(cls, provider: CryptoProvider, pqr_key: bytes) -> Authenticator:
        """The authenticator of epoch 1."""
        return cls(bytes(32), b"").update(provider, 1, pqr_key)

    def update(self, provider: CryptoProvider, epoch: int, key: bytes) -> Authenticator:
        """KDF_AUTH: the pair after a secret was agreed.

        The specification takes the old root as salt. libsignal, which is what SPQR version 1 is on the wire,
        puts it before the key and salts with zeros; so must we.
        """
        info = _INFO + b":Authenticator Update" + epoch.to_bytes(8, "big")
        okm = provider.hkdf_sha256(self.root + key, b"", info, 64)
        return Authenticator(okm[:32], okm[32:])

    def mac_header(self, provider: CryptoProvider, epoch: int, header: bytes) -> bytes:
        """The MAC that follows an encapsulation key header."""
        return provider.hmac_sha256(self.mac_key, _INFO + b":ekheader" + epoch.to_bytes(8, "big") + header)

    def mac_ciphertext(self, provider: CryptoProvider, epoch: int, ct1: bytes, ct2: bytes) -> bytes:
        """The MAC that follows the second half of a ciphertext, over both halves."""
        return provider.hmac_sha256(self.mac_key, _INFO + b":ciphertext" + epoch.to_bytes(8, "big") + ct1 + ct2)

    def __repr__(self) -> str:
        return "<Authenticator>"


def epoch_secret(provider: CryptoProvider, epoch: int, shared_secret: bytes) -> bytes:
    """KDF_OK: what an epoch gives to the key chains and to the authenticator."""
    return provider.hkdf_sha256(shared_secret, b"", _INFO + b":SCKA Key" + epoch.to_bytes(8, "big"), 32)


def check_mac(expected: bytes, received: bytes) -> None:
    """Compare in constant time. Raises BadMac."""
    if not hmac.compare_digest(expected, received):
        raise BadMac("the braid's MAC does not hold", code="spqr.mac")
