"""Signatures of directory requests: everything that they cover, one change at a time (SR-17)."""

from __future__ import annotations

import base64
import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterlock import ids
from letterlock.errors import CryptoError, DecodeError
from letterlock.ids import AccountId, DeviceId
from letterlock.trust.requests import decode_signature, encode_signature, participant_key_hash, verify_request
from trust.people import CRYPTO, NOW, Owner, stream

ANA = Owner.make("+15550100")
HEADER = ANA.signer().sign("PUT", "/v1/lists", b"body", NOW, stream("request"))
SIGNED = decode_signature(HEADER)
KEY = ANA.primary.identity_key


def test_a_signed_request_verifies() -> None:
    verify_request(CRYPTO, KEY, SIGNED, "PUT", "/v1/lists", b"body")
    assert (SIGNED.number, SIGNED.account, SIGNED.device) == (ANA.number, ANA.account, 1)
    assert SIGNED.timestamp == NOW and len(HEADER) <= 256


@pytest.mark.parametrize(
    "changed",
    [
        {"number": ids.number("+15550101")},
        {"account": AccountId(bytes(16))},
        {"device": DeviceId(2)},
        {"timestamp": NOW + 1},
        {"nonce": bytes(16)},
        {"signature": bytes(64)},
    ],
)
def test_who_when_and_nonce_are_covered_sr17(changed: dict[str, object]) -> None:
    with pytest.raises(CryptoError):
        verify_request(CRYPTO, KEY, dataclasses.replace(SIGNED, **changed), "PUT", "/v1/lists", b"body")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/lists", b"body"),
        ("PUT", "/v1/prekeys", b"body"),
        ("PUT", "/v1/lists", b"bodies"),
        ("PUT/", "v1/lists", b"body"),
    ],
)
def test_method_path_and_body_are_covered_sr17(method: str, path: str, body: bytes) -> None:
    with pytest.raises(CryptoError):
        verify_request(CRYPTO, KEY, SIGNED, method, path, body)


def test_another_devices_key_does_not_sign_for_this_one() -> None:
    with pytest.raises(CryptoError):
        verify_request(CRYPTO, Owner.make("+15550101").primary.identity_key, SIGNED, "PUT", "/v1/lists", b"body")


def test_each_request_has_its_own_nonce() -> None:
    rng = stream("nonces")
    signed = [decode_signature(ANA.signer().sign("GET", "/", b"", NOW, rng)) for _ in range(3)]
    assert len({s.nonce for s in signed}) == 3


def test_the_signer_does_not_print_its_key_sr10() -> None:
    assert ANA.primary.identity_private.hex() not in repr(ANA.signer()) and repr(
        ANA.primary.identity_private
    ) not in repr(ANA.signer())


def test_the_key_hash_is_not_a_bare_hash_sr23() -> None:
    import hashlib

    assert (
        participant_key_hash(ANA.spki) != hashlib.sha256(ANA.spki).digest()
        and len(participant_key_hash(ANA.spki)) == 32
    )


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda b: b.decode("latin-1"))))
def test_any_header_is_a_signature_or_a_decode_error(text: str) -> None:
    with contextlib.suppress(DecodeError):
        decode_signature(text)


def test_a_decoded_header_encodes_the_same() -> None:
    assert encode_signature(SIGNED) == HEADER


def test_a_header_is_bounded_and_has_nothing_behind_it_sr08() -> None:
    data = base64.urlsafe_b64decode(HEADER + "==")
    for odd in (data + b"\x00", data[:-1], b"\x02" + data[1:]):
        with pytest.raises(DecodeError):
            decode_signature(base64.urlsafe_b64encode(odd).decode().rstrip("="))
    with pytest.raises(DecodeError, match="too long"):
        decode_signature(HEADER + "A" * 257)
