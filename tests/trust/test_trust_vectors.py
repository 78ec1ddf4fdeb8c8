"""The vectors of docs/spec/device-list.md are what this code makes, and hold by themselves."""

from __future__ import annotations

import json

from letterlock import ids, trust
from letterlock.codec import tls
from trust.make_vectors import PATH, text
from trust.people import CRYPTO

VECTORS = json.loads(PATH.read_text())


def test_the_file_is_what_the_code_makes() -> None:
    assert PATH.read_text() == text()


def test_the_chain_verifies_from_the_file_alone() -> None:
    now = VECTORS["now"]
    chain = [bytes.fromhex(item["encoded"]) for item in VECTORS["chain"]]
    first = trust.verify_list(chain[0], CRYPTO, now)
    newest = trust.verify_successor(first, chain[1:], CRYPTO, now)
    assert newest.head.hex() == VECTORS["chain"][-1]["head"]
    assert ids.account_uuid(newest.account) == VECTORS["account_uuid"]
    point = CRYPTO.p256_from_spki(bytes.fromhex(VECTORS["participant_spki"]))
    for item, data in zip(VECTORS["chain"], chain, strict=True):
        signed = bytes.fromhex(item["signed_text"])
        label = bytes.fromhex(VECTORS["labels"]["DEVICE_LIST_SIGNATURE"])
        assert signed.startswith(label) and data.startswith(signed[len(label) :])
        rest = tls.Reader(data[len(signed) - len(label) :])
        CRYPTO.p256_verify(point, signed, rest.opaque(72))
        rest.end()


def test_the_security_code_from_the_file_alone() -> None:
    v = VECTORS["security_code"]
    code = trust.security_code(
        ids.number(VECTORS["number"]),
        bytes.fromhex(VECTORS["participant_spki"]),
        ids.number(v["remote_number"]),
        bytes.fromhex(v["remote_spki"]),
    )
    assert (code.digits, code.scannable.hex()) == (v["digits"], v["scannable"])
