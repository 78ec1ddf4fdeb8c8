"""Published vectors for the key schedule, pre-shared keys and transcript hashes."""

from __future__ import annotations

from typing import Any

import pytest

from letterlock.crypto.pyca import Pyca
from letterlock.errors import InputError, InvalidGroupMessage, LimitExceeded
from letterlock.mls.schedule.key_schedule import (
    epoch_secrets,
    exporter,
    external_key_pair,
    joiner_secret,
    member_secret,
    welcome_secret,
)
from letterlock.mls.schedule.psk_secret import psk_secret
from letterlock.mls.schedule.transcript import (
    check_confirmation_tag,
    confirmation_tag,
    confirmed_transcript_hash,
    interim_transcript_hash,
)
from letterlock.mls.suites import cipher_suite
from letterlock.mls.wire.framing import AuthenticatedContent
from letterlock.mls.wire.proposals import RFC_PROPOSALS
from letterlock.mls.wire.psk import PreSharedKeyID
from letterlock.mls.wire.welcome import GroupContext
from mls.vectors import SUPPORTED_SUITES, load

CRYPTO = Pyca()


def cases(name: str) -> list[Any]:
    return [case for case in load(name) if case["cipher_suite"] in SUPPORTED_SUITES]


@pytest.mark.parametrize("case", cases("key-schedule"), ids=lambda case: case["cipher_suite"])
def test_key_schedule(case: Any) -> None:
    suite = cipher_suite(case["cipher_suite"], CRYPTO)
    init = bytes.fromhex(case["initial_init_secret"])
    for number, epoch in enumerate(case["epochs"]):
        given = {name: bytes.fromhex(value) for name, value in epoch.items() if isinstance(value, str)}
        context = GroupContext(
            suite.number,
            bytes.fromhex(case["group_id"]),
            number,
            given["tree_hash"],
            given["confirmed_transcript_hash"],
            (),
        ).encoded
        assert context == given["group_context"]
        joiner = joiner_secret(suite, init, given["commit_secret"], context)
        assert joiner == given["joiner_secret"]
        member = member_secret(suite, joiner, given["psk_secret"])
        assert welcome_secret(suite, member) == given["welcome_secret"]
        secrets = epoch_secrets(suite, member, context)
        for name in (
            "init_secret",
            "sender_data_secret",
            "encryption_secret",
            "exporter_secret",
            "epoch_authenticator",
            "external_secret",
            "confirmation_key",
            "membership_key",
            "resumption_psk",
        ):
            assert getattr(secrets, name) == given[name], name
        assert external_key_pair(suite, secrets.external_secret)[1] == given["external_pub"]
        wanted = epoch["exporter"]
        exported = exporter(
            suite, secrets.exporter_secret, wanted["label"], bytes.fromhex(wanted["context"]), wanted["length"]
        )
        assert exported == bytes.fromhex(wanted["secret"])
        init = secrets.init_secret
    assert number == 4


@pytest.mark.parametrize("case", cases("transcript-hashes"), ids=lambda case: case["cipher_suite"])
def test_transcript_hashes(case: Any) -> None:
    suite = cipher_suite(case["cipher_suite"], CRYPTO)
    given = {name: bytes.fromhex(value) for name, value in case.items() if isinstance(value, str)}
    commit = AuthenticatedContent.decode(given["authenticated_content"], RFC_PROPOSALS)
    confirmed = confirmed_transcript_hash(
        suite,
        given["interim_transcript_hash_before"],
        commit.wire_format,
        commit.content,
        commit.auth.signature,
    )
    assert confirmed == given["confirmed_transcript_hash_after"]
    tag = commit.auth.confirmation_tag
    assert tag is not None
    assert tag == confirmation_tag(suite, given["confirmation_key"], confirmed)
    assert interim_transcript_hash(suite, confirmed, tag) == given["interim_transcript_hash_after"]


@pytest.mark.parametrize("suite_number", sorted(SUPPORTED_SUITES))
def test_psk_secret(suite_number: int) -> None:
    suite = cipher_suite(suite_number, CRYPTO)
    ran = 0
    for case in cases("psk_secret"):
        if case["cipher_suite"] != suite_number:
            continue
        psks = [
            (
                PreSharedKeyID.external(bytes.fromhex(psk["psk_id"]), bytes.fromhex(psk["psk_nonce"])),
                bytes.fromhex(psk["psk"]),
            )
            for psk in case["psks"]
        ]
        assert psk_secret(suite, psks) == bytes.fromhex(case["psk_secret"])
        ran += 1
    assert ran == 11


def test_the_vectors_that_ran() -> None:
    assert [len(cases(name)) for name in ("key-schedule", "transcript-hashes", "psk_secret")] == [5, 5, 55]


@pytest.mark.parametrize("suite_number", sorted(SUPPORTED_SUITES))
def test_a_confirmation_tag_must_match_in_length_and_value(suite_number: int) -> None:
    # GHSA-8x3w-qj7j-gqhf: a comparison that stops with the shorter value takes an empty tag for a good one.
    suite = cipher_suite(suite_number, CRYPTO)
    key, confirmed = b"k" * suite.hash_length, b"h" * suite.hash_length
    tag = confirmation_tag(suite, key, confirmed)
    check_confirmation_tag(suite, key, confirmed, tag)
    wrong = [None, b"", tag[:1], tag[:-1], tag + b"\x00", tag + tag, bytes(len(tag))]
    wrong += [tag[:at] + bytes((tag[at] ^ 1,)) + tag[at + 1 :] for at in range(len(tag))]
    for other in wrong:
        with pytest.raises(InvalidGroupMessage) as caught:
            check_confirmation_tag(suite, key, confirmed, other)
        assert caught.value.rule == "MLS-6.1-01"


@pytest.mark.parametrize("suite_number", sorted(SUPPORTED_SUITES))
def test_the_lengths_of_exported_secrets(suite_number: int) -> None:
    suite = cipher_suite(suite_number, CRYPTO)
    most = 255 * suite.hash_length
    for length in (1, suite.hash_length, suite.hash_length + 1, most):
        assert len(exporter(suite, b"e" * suite.hash_length, "label", b"context", length)) == length
    for length in (-1, 0, most + 1, 1 << 16):
        with pytest.raises(InputError) as caught:
            exporter(suite, b"e" * suite.hash_length, "label", b"context", length)
        assert caught.value.code == "mls.exporter_length"


def test_more_keys_than_can_be_counted() -> None:
    psks = [(PreSharedKeyID.external(b"id", b"nonce"), b"psk")] * 0x10000
    with pytest.raises(LimitExceeded):
        psk_secret(cipher_suite(1, CRYPTO), psks)
