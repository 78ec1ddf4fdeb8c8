"""Published vectors for the secret tree and for the keys of sender data."""

from __future__ import annotations

from typing import Any

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.mls.protect.private_message import open_sender_data
from letterlock.mls.schedule.secret_tree import RatchetKind, SecretTree
from letterlock.mls.suites import cipher_suite
from letterlock.mls.wire.framing import ContentType, PrivateMessage, SenderData
from mls.vectors import SUPPORTED_SUITES, load

CRYPTO = Pyca()
CASES = [case for case in load("secret-tree") if case["cipher_suite"] in SUPPORTED_SUITES]


def name(case: Any) -> str:
    return f"{case['cipher_suite']} with {len(case['leaves'])} leaves"


@pytest.mark.parametrize("case", CASES, ids=name)
@pytest.mark.parametrize("order", ["rising", "falling", "receiving"])
def test_message_keys(case: Any, order: str) -> None:
    suite = cipher_suite(case["cipher_suite"], CRYPTO)
    leaves = case["leaves"]
    tree = SecretTree(suite, bytes.fromhex(case["encryption_secret"]), len(leaves))
    order_of_leaves = range(len(leaves)) if order == "rising" else reversed(range(len(leaves)))
    compared = 0
    for leaf in order_of_leaves:
        for wanted in leaves[leaf]:
            for kind in RatchetKind:
                if order == "receiving":
                    staged = tree.stage(leaf, kind, wanted["generation"], 20, 20)
                    got = (staged.key, staged.nonce)
                    tree.consume(staged)
                else:
                    while (key := tree.next_key(leaf, kind)).generation < wanted["generation"]:
                        pass
                    assert key.generation == wanted["generation"]
                    got = (key.key, key.nonce)
                prefix = kind.name.lower()
                assert got == (bytes.fromhex(wanted[f"{prefix}_key"]), bytes.fromhex(wanted[f"{prefix}_nonce"]))
                compared += 1
    assert compared == 4 * len(leaves)


@pytest.mark.parametrize("case", CASES, ids=name)
def test_sender_data_keys(case: Any) -> None:
    suite = cipher_suite(case["cipher_suite"], CRYPTO)
    given = {field: bytes.fromhex(value) for field, value in case["sender_data"].items()}
    aad = b"\x05group" + (77).to_bytes(8, "big") + b"\x01"
    expected = SenderData(3, 9, b"\x01\x02\x03\x04")
    sealed = suite.aead_seal(given["key"], given["nonce"], expected.encode(), aad)
    message = PrivateMessage(b"group", 77, ContentType.APPLICATION, b"", sealed, given["ciphertext"])
    assert open_sender_data(suite, given["sender_data_secret"], message) == expected


def test_the_vectors_that_ran() -> None:
    assert [(case["cipher_suite"], len(case["leaves"])) for case in CASES] == [
        (suite, leaves) for suite in sorted(SUPPORTED_SUITES) for leaves in (1, 8, 32)
    ]
