"""AES-GCM under a key that is kept: the same bytes as with the key each time, in place, and nothing unverified left."""

from __future__ import annotations

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.errors import BadMac, InputError

CRYPTO = Pyca()
KEY, NONCE, AD = b"k" * 32, b"n" * 12, b"ad"


@pytest.mark.parametrize("size", [0, 1, 15, 16, 1000])
def test_it_is_the_same_cipher(size: int) -> None:
    keyed, plain = CRYPTO.aes_gcm(KEY), bytes(range(250)) * 4
    plain = plain[:size]
    sealed = CRYPTO.aes_gcm_seal(KEY, NONCE, plain, AD)
    assert keyed.seal(NONCE, plain, AD) == sealed
    out, back = bytearray(size + 16), bytearray(size)
    keyed.seal_into(NONCE, memoryview(plain), AD, memoryview(out))
    assert out == sealed
    keyed.open_into(NONCE, memoryview(out), AD, memoryview(back))
    assert back == plain


@pytest.mark.parametrize("at", [0, 500, 999, 1000, 1015])
def test_sr15_what_does_not_verify_is_wiped(at: int) -> None:
    """SR-15: OpenSSL leaves there what it decrypted."""
    keyed = CRYPTO.aes_gcm(KEY)
    sealed = bytearray(keyed.seal(NONCE, b"x" * 1000, AD))
    sealed[at] ^= 1
    out = bytearray(b"\xaa" * 1000)
    with pytest.raises(BadMac):
        keyed.open_into(NONCE, sealed, AD, memoryview(out))
    assert out == bytes(1000)


def test_what_is_not_of_the_right_length() -> None:
    keyed = CRYPTO.aes_gcm(KEY)
    sealed = keyed.seal(NONCE, b"x", AD)
    room = memoryview(bytearray(20))
    for act in (
        lambda: CRYPTO.aes_gcm(b"short"),
        lambda: keyed.seal(b"short", b"x", AD),
        lambda: keyed.seal_into(b"short", b"x", AD, room[:17]),
        lambda: keyed.seal_into(NONCE, b"x", AD, room[:16]),
        lambda: keyed.seal_into(NONCE, b"x", AD, room[:18]),
        lambda: keyed.open_into(b"short", sealed, AD, room[:1]),
        lambda: keyed.open_into(NONCE, sealed, AD, room[:2]),
    ):
        with pytest.raises(InputError) as refused:
            act()
        assert refused.value.code == "input.length"
    with pytest.raises(BadMac):
        keyed.open_into(NONCE, b"short", AD, room[:0])
