"""ML-KEM over OpenSSL, by seed: keys are expanded where they are used, and kept for a moment after they were made.

`pyca.Pyca` has one `FreshKeys` for each size.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric import mlkem

from ..errors import BadMac, BadPublicKey
from ..ids import Rng
from .lengths import check_length

__all__ = ["FreshKeys", "decapsulate", "mlkem768_check", "mlkem768_encapsulate", "mlkem1024_encapsulate"]

_Key = TypeVar("_Key")


class FreshKeys(Generic[_Key]):
    """Expanded KEM keys that were made lately and not yet used: expanding a seed costs more than decapsulating.

    Taking a key out removes it, so that a one-time key does not outlive its use here; at most 8 stay.
    """

    __slots__ = ("_expand", "_keys", "_lock")

    def __init__(self, expand: Callable[[bytes], _Key]) -> None:
        self._expand = expand
        self._keys: OrderedDict[bytes, _Key] = OrderedDict()
        self._lock = threading.Lock()

    def make(self, seed: bytes) -> _Key:
        check_length("ML-KEM seed", seed, 64)
        return self._expand(seed)

    def put(self, seed: bytes) -> _Key:
        key = self.make(seed)
        with self._lock:
            self._keys[seed] = key
            if len(self._keys) > 8:
                self._keys.popitem(last=False)
        return key

    def take(self, seed: bytes) -> _Key:
        check_length("ML-KEM seed", seed, 64)
        with self._lock:
            key = self._keys.pop(seed, None)
        return key or self._expand(seed)


def mlkem768_check(public: bytes) -> None:
    try:
        mlkem.MLKEM768PublicKey.from_public_bytes(public)
    except ValueError as error:
        raise BadPublicKey("not an ML-KEM-768 key", code="crypto.public_key.mlkem") from error


def mlkem768_encapsulate(public: bytes, rng: Rng) -> tuple[bytes, bytes]:
    try:
        return mlkem.MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError as error:
        raise BadPublicKey("not an ML-KEM-768 key", code="crypto.public_key.mlkem") from error


def mlkem1024_encapsulate(public: bytes, rng: Rng) -> tuple[bytes, bytes]:
    try:
        return mlkem.MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
    except ValueError as error:
        raise BadPublicKey("not an ML-KEM-1024 key", code="crypto.public_key.mlkem") from error


def decapsulate(key: mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey, ciphertext: bytes, length: int) -> bytes:
    """The shared secret. Raises BadMac for a ciphertext of another length."""
    if len(ciphertext) != length:
        raise BadMac(f"the KEM ciphertext is not {length} bytes")
    return key.decapsulate(ciphertext)
