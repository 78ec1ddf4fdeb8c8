"""Published vectors for message protection and for Welcome."""

from __future__ import annotations

from typing import Any

import pytest

from letterlock.mls.protect.content import sign_content, verify_content
from letterlock.mls.protect.private_message import open_private, open_sender_data, ratchet_kind, seal_private
from letterlock.mls.protect.public_message import check_membership_tag, protect_public
from letterlock.mls.registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE
from letterlock.mls.schedule.key_schedule import epoch_secrets, member_secret, welcome_key_nonce, welcome_secret
from letterlock.mls.schedule.psk_secret import psk_secret
from letterlock.mls.schedule.secret_tree import SecretTree
from letterlock.mls.schedule.transcript import check_confirmation_tag
from letterlock.mls.suites import cipher_suite
from letterlock.mls.wire.framing import (
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    PrivateMessage,
    PublicMessage,
    Sender,
)
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS
from letterlock.mls.wire.welcome import GroupContext, GroupInfo, GroupSecrets, Welcome
from mls.protecting import CRYPTO
from mls.vectors import SUPPORTED_SUITES, load

PROTECTION = [case for case in load("message-protection") if case["cipher_suite"] in SUPPORTED_SUITES]
WELCOME = [case for case in load("welcome") if case["cipher_suite"] in SUPPORTED_SUITES]


def given(case: Any) -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in case.items() if isinstance(value, str)}


def suite_of(case: Any) -> str:
    return f"suite {case['cipher_suite']}"


def group_context(case: Any) -> bytes:
    data = given(case)
    return GroupContext(
        case["cipher_suite"], data["group_id"], case["epoch"], data["tree_hash"], data["confirmed_transcript_hash"], ()
    ).encoded


@pytest.mark.parametrize("case", PROTECTION, ids=suite_of)
@pytest.mark.parametrize("kind", ["proposal", "commit"])
def test_public_messages(case: Any, kind: str) -> None:
    suite, data, context = cipher_suite(case["cipher_suite"], CRYPTO), given(case), group_context(case)
    message = decode_message(data[f"{kind}_pub"], RFC_PROPOSALS, 1 << 20)
    assert isinstance(message, PublicMessage)
    check_membership_tag(suite, message, context, data["membership_key"])
    framed, auth = message.content, message.auth
    verify_content(suite, data["signature_pub"], PUBLIC_MESSAGE, framed, context, auth.signature)
    assert framed.encoded_content == data[kind]
    # The tag is deterministic, so protecting it again gives the vector back.
    content = AuthenticatedContent(PUBLIC_MESSAGE, framed, auth)
    assert protect_public(suite, content, context, data["membership_key"]) == message


@pytest.mark.parametrize("case", PROTECTION, ids=suite_of)
@pytest.mark.parametrize("kind", ["proposal", "commit", "application"])
def test_private_messages(case: Any, kind: str) -> None:
    suite, data, context = cipher_suite(case["cipher_suite"], CRYPTO), given(case), group_context(case)
    message = decode_message(data[f"{kind}_priv"], RFC_PROPOSALS, 1 << 20)
    assert isinstance(message, PrivateMessage)

    def opened(message: PrivateMessage) -> AuthenticatedContent:
        sender_data = open_sender_data(suite, data["sender_data_secret"], message)
        tree = SecretTree(suite, data["encryption_secret"], 2)
        staged = tree.stage(sender_data.leaf_index, ratchet_kind(message.content_type), sender_data.generation, 9, 9)
        content = open_private(suite, message, sender_data, staged, RFC_PROPOSALS).claimed
        assert content.content.sender == Sender.member(1)
        verify_content(
            suite, data["signature_pub"], content.wire_format, content.content, context, content.auth.signature
        )
        tree.consume(staged)
        return content

    content = opened(message)
    raw = content.content.content if kind == "application" else content.content.encoded_content
    assert raw == data[kind]

    framed = FramedContent.build(
        group_id=data["group_id"],
        epoch=case["epoch"],
        sender=Sender.member(1),
        authenticated_data=b"",
        content=content.content.content,
    )
    # The vectors leave out the leading zero byte of a P-521 scalar.
    private = data["signature_priv"].rjust(66 if suite.number == 5 else 0, b"\x00")
    sign = suite.signer(private)
    auth = FramedContentAuthData(
        sign_content(suite, sign, PRIVATE_MESSAGE, framed, context), content.auth.confirmation_tag
    )
    ours = AuthenticatedContent(PRIVATE_MESSAGE, framed, auth)
    key = SecretTree(suite, data["encryption_secret"], 2).next_key(1, ratchet_kind(framed.content_type))
    sealed = seal_private(suite, ours, key, data["sender_data_secret"], 33, lambda n: b"\xa5" * n)
    assert opened(sealed) == ours


@pytest.mark.parametrize("case", WELCOME, ids=suite_of)
def test_welcome(case: Any) -> None:
    suite, data = cipher_suite(case["cipher_suite"], CRYPTO), given(case)
    welcome = decode_message(data["welcome"], RFC_PROPOSALS, 1 << 20)
    package = decode_message(data["key_package"], RFC_PROPOSALS, 1 << 20)
    assert isinstance(welcome, Welcome)
    assert isinstance(package, KeyPackage)
    reference = suite.key_package_ref(package.encoded)
    (ours,) = [entry for entry in welcome.secrets if entry.new_member == reference]
    info = suite.encryption_context("Welcome", welcome.encrypted_group_info)
    sealed = ours.encrypted_group_secrets
    secrets = GroupSecrets.decode(
        suite.decrypt_with_label(data["init_priv"], info, sealed.kem_output, sealed.ciphertext)
    )
    assert secrets.psks == ()
    member = member_secret(suite, secrets.joiner_secret, psk_secret(suite, []))
    key, nonce = welcome_key_nonce(suite, welcome_secret(suite, member))
    group_info = GroupInfo.decode(suite.aead_open(key, nonce, welcome.encrypted_group_info, b""))
    suite.verify_with_label(data["signer_pub"], "GroupInfoTBS", group_info.tbs(), group_info.signature)
    context = group_info.group_context
    keys = epoch_secrets(suite, member, context.encoded)
    check_confirmation_tag(suite, keys.confirmation_key, context.confirmed_transcript_hash, group_info.confirmation_tag)


def test_the_vectors_that_ran() -> None:
    for cases in (PROTECTION, WELCOME):
        assert {case["cipher_suite"] for case in cases} == SUPPORTED_SUITES
        assert len(cases) == 5
