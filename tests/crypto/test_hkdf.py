"""HMAC and HKDF over the standard library's hashes, against Wycheproof, `hmac` and the other library."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from crypto.vectors import expect_at_least, wycheproof
from letterlock.crypto.hkdf import SHA256, SHA384, SHA512, Hkdf
from letterlock.errors import InputError

FUNCTIONS = {SHA256: hashes.SHA256(), SHA384: hashes.SHA384(), SHA512: hashes.SHA512()}


@pytest.mark.parametrize("hkdf", FUNCTIONS, ids=lambda hkdf: hkdf.name)
def test_wycheproof(hkdf: Hkdf) -> None:
    count = refused = 0
    for case in wycheproof(f"Protocol/wycheproof/hkdf_{hkdf.name}_test.json"):
        prk = hkdf.mac(case.data("salt"), case.data("ikm"))
        size = int(case.test["size"])
        if case.result == "valid":
            assert hkdf.expand(prk, case.data("info"), size) == case.data("okm"), case.name
        else:
            refused += 1
            with pytest.raises(InputError):
                hkdf.expand(prk, case.data("info"), size)
        count += 1
    expect_at_least(count, 80, f"Wycheproof HKDF {hkdf.name}")
    assert refused > 0


@pytest.mark.parametrize("hkdf", FUNCTIONS, ids=lambda hkdf: hkdf.name)
@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=50))
def test_the_same_as_the_libraries(hkdf: Hkdf, key: bytes, message: bytes, more: bytes) -> None:
    assert hkdf.mac(key, message) == hmac.digest(key, message, hkdf.name)
    assert hkdf.mac_of_long(key, message, more) == hkdf.mac(key, message + more)
    for length in (0, 1, hkdf.length, hkdf.length + 1, 3 * hkdf.length, 255 * hkdf.length):
        made = hkdf.expand(key, more, length)
        assert len(made) == length
        if length and length % 2:
            assert made == HKDFExpand(FUNCTIONS[hkdf], length, more).derive(key)
    with pytest.raises(InputError):
        hkdf.expand(key, more, 255 * hkdf.length + 1)
