"""The JSON bodies of the key distribution server: each says what it means in one way, and is refused in any other (SR-09)."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from letterlock.codec import kds
from letterlock.codec.kds_signature import (
    RequestSignature,
    SignerKind,
    answer_text,
    decode_answer,
    decode_signature,
    encode_answer,
    encode_signature,
    signed_text,
)
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import Number
from services.kds_decoders import LIMITS

ANA = Number("+15550100")
REQUEST = kds.CertificateRequest(ANA, b"\x04" * 65, b"\x04" * 65, b"subject", b"san", b"info", b"proof", b"\x30" * 70)
SEPARATE = dataclasses.replace(REQUEST, leaf_public=b"\x05" * 65, leaf_pop=b"\x31" * 70)
UPLOAD = kds.Upload(ANA, (b"one", b"two"), b"last")
PACKAGES = (kds.ClaimedPackage(b"a", False), kds.ClaimedPackage(b"b", True))
SIGNATURE = RequestSignature(SignerKind.DEVICE, ANA, b"\x04" * 65, 0, 1_790_000_000_000, bytes(range(16)), b"\x30" * 70)


def test_what_is_written_is_read_again() -> None:
    for request in (REQUEST, SEPARATE):
        assert kds.decode_certificate_request(kds.encode(request), LIMITS) == request
    assert kds.decode_upload(kds.encode(UPLOAD), LIMITS) == UPLOAD
    for claim in (kds.ClaimRequest(ANA), kds.ClaimRequest(ANA, 2)):
        assert kds.decode_claim_request(kds.encode(claim), LIMITS) == claim
    assert kds.decode_claim_answer(kds.encode(kds.ClaimAnswer(PACKAGES)), LIMITS).packages == PACKAGES
    for packages in (PACKAGES, ()):
        answer = kds.FederatedAnswer(packages)
        assert kds.decode_federated_answer(kds.encode(answer), LIMITS) == answer
    chain = kds.CertificateAnswer(b"leaf", (b"ca", b"root"))
    assert kds.decode_certificate_answer(kds.encode(chain), LIMITS) == chain
    withdrawal = kds.Withdrawal(ANA, bytes(16))
    assert kds.decode_withdrawal(kds.encode(withdrawal), LIMITS) == withdrawal
    assert kds.decode_pool(kds.encode(kds.Pool(3, 4)), LIMITS) == kds.Pool(3, 4)
    assert kds.decode_stored(kds.encode_stored(11), LIMITS) == 11


def test_the_recorded_names_of_members() -> None:
    """rcc16.md 1.8: a client of the lab form finds what it looks for."""
    assert set(json.loads(kds.encode(REQUEST))) == {
        "msisdn", "identity_pub", "subject_der", "san_der", "ext4_participant_info", "acs_proof", "csr_pop",
    }  # fmt: skip
    assert json.loads(kds.encode(UPLOAD)) == {
        "msisdn": "tel:+15550100",
        "key_packages": [base64.b64encode(p).decode() for p in (b"one", b"two")],
        "last_resort": base64.b64encode(b"last").decode(),
    }
    assert json.loads(kds.encode(kds.ClaimRequest(ANA))) == {"target_msisdn": "tel:+15550100"}
    answer = json.loads(kds.encode(kds.ClaimAnswer(PACKAGES)))
    assert (answer["key_package"], answer["is_last_resort"]) == ("YQ==", False)
    assert kds.decode_claim_answer(b'{"key_package":"YQ==","is_last_resort":false}', LIMITS).packages == PACKAGES[:1]


def _with(body: bytes, **changes: Any) -> bytes:
    members = {**json.loads(body), **changes}
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


CLAIM = kds.encode(kds.ClaimRequest(ANA))


@pytest.mark.parametrize(
    ("decode", "body", "code"),
    [
        (kds.decode_claim_request, b"[]", "kds.body"),
        (kds.decode_claim_request, b"\xff", "kds.body"),
        (kds.decode_claim_request, b"{" * 5000, "kds.body"),
        (kds.decode_claim_request, b'{"a":' * 5000, "kds.body"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"x":1}', "kds.body"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"target_msisdn":"tel:+15550199"}', "kds.body"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"mls_kds":1.0}', "kds.body"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"mls_kds":NaN}', "kds.body"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"mls_kds":true}', "kds.body"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"mls_kds":-1}', "kds.limit"),
        (kds.decode_claim_request, CLAIM[:-1] + b',"mls_kds":' + b"9" * 5000 + b"}", "kds.body"),
        (kds.decode_claim_request, _with(CLAIM, target_msisdn=...), "kds.body"),
        (kds.decode_claim_request, _with(CLAIM, target_msisdn=7), "kds.body"),
        (kds.decode_claim_request, _with(CLAIM, target_msisdn="+15550100"), "kds.number"),
        (kds.decode_claim_request, _with(CLAIM, target_msisdn="tel:15550100"), "kds.number"),
        (kds.decode_claim_request, _with(CLAIM, target_msisdn="tel:+" + "1" * 40), "kds.limit"),
        (kds.decode_claim_request, b" " * 70_000 + CLAIM, "kds.limit"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), last_resort=...), "kds.body"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), last_resort=""), "kds.limit"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages="YQ=="), "kds.body"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages=[7]), "kds.body"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages=["Y Q="]), "kds.body"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages=["YQ"]), "kds.body"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages=["é"]), "kds.body"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages=["YQ=="] * 17), "kds.limit"),
        (kds.decode_upload, _with(kds.encode(UPLOAD), key_packages=["A" * 12_000]), "kds.limit"),
        (kds.decode_certificate_request, _with(kds.encode(REQUEST), identity_pub="YQ=="), "kds.limit"),
        (kds.decode_certificate_request, _with(kds.encode(REQUEST), csr_pop=...), "kds.body"),
        (kds.decode_certificate_request, _with(kds.encode(SEPARATE), leaf_pop=...), "kds.body"),
        (kds.decode_certificate_request, _with(kds.encode(SEPARATE), leaf_pub=...), "kds.body"),
        (kds.decode_certificate_request, _with(kds.encode(SEPARATE), leaf_pub="BAQE"), "kds.limit"),
        (
            kds.decode_certificate_request,
            _with(kds.encode(SEPARATE), leaf_pub=json.loads(kds.encode(REQUEST))["identity_pub"]),
            "kds.body",
        ),
        (kds.decode_claim_answer, b'{"key_packages":[]}', "kds.body"),
        (kds.decode_claim_answer, b'{"key_packages":[7]}', "kds.body"),
        (kds.decode_claim_answer, b'{"key_package":"YQ==","is_last_resort":1}', "kds.body"),
        (kds.decode_federated_answer, b'{"outcome":"served","key_packages":[]}', "kds.body"),
        (kds.decode_federated_answer, b'{"outcome":"none"}', "kds.body"),
    ],
)  # fmt: skip
def test_refused(decode: Callable[[bytes, kds.BodyLimits], Any], body: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(body, LIMITS)
    assert caught.value.code == code
    assert isinstance(caught.value, LimitExceeded) == (code == "kds.limit")


def test_one_key_for_both_is_the_lab_form_and_two_are_ours() -> None:
    more = set(json.loads(kds.encode(SEPARATE))) - set(json.loads(kds.encode(REQUEST)))
    assert more == {"leaf_pub", "leaf_pop"}


def test_of_an_answer_what_is_not_known_is_passed_over() -> None:
    assert kds.decode_stored(b'{"stored":3,"more":{"x":[]}}', LIMITS) == 3


# --- signatures ------------------------------------------------------------------------------------------------
def test_a_signature_header_is_read_as_written() -> None:
    assert decode_signature(encode_signature(SIGNATURE)) == SIGNATURE
    assert decode_answer(encode_answer(b"\x30" * 71)) == b"\x30" * 71


@pytest.mark.parametrize("text", ["", "!", "A" * 600, "AQE", "AgE", encode_signature(SIGNATURE) + "AAAA", "é"])
def test_a_signature_header_that_is_none(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_signature(text)
    assert caught.value.code in ("kds.signature", "tls.truncated", "tls.trailing")


def test_what_is_signed_covers_all_of_the_request() -> None:
    """SR-17, SR-23: any part that differs is another text, and each kind of key has a label of its own."""
    texts = {
        signed_text("POST", "/a", b"body", SIGNATURE),
        signed_text("PUT", "/a", b"body", SIGNATURE),
        signed_text("POST", "/b", b"body", SIGNATURE),
        signed_text("POST", "/a", b"bodY", SIGNATURE),
        *(
            signed_text("POST", "/a", b"body", dataclasses.replace(SIGNATURE, **change))
            for change in (
                {"kind": SignerKind.SERVER},
                {"kind": SignerKind.PARTICIPANT},
                {"signer": Number("+15550199")},
                {"key": b"\x01" * 65},
                {"to": 1},
                {"timestamp": 1},
                {"nonce": bytes(16)},
            )
        ),
    }
    assert len(texts) == 11
    starts = {text.split(b"\x00")[0] for text in texts}
    assert len(starts) == 3 and all(start.startswith(b"\xff\x80letterlock/kds-") for start in starts)


def test_an_answer_belongs_to_one_request() -> None:
    other = dataclasses.replace(SIGNATURE, nonce=bytes(16))
    texts = {
        answer_text(SIGNATURE, 2, 200, b"x"), answer_text(other, 2, 200, b"x"), answer_text(SIGNATURE, 3, 200, b"x"),
        answer_text(SIGNATURE, 2, 404, b"x"), answer_text(SIGNATURE, 2, 200, b"y"),
    }  # fmt: skip
    assert len(texts) == 5
