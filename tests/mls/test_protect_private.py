"""PrivateMessage: what changes on the way is refused, and refusing costs nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterlock.errors import (
    BadMac,
    BadSignature,
    CryptoError,
    DecodeError,
    DuplicateMessage,
    InputError,
    LetterlockError,
    TooFarAhead,
)
from letterlock.mls.protect.content import verify_content
from letterlock.mls.protect.private_message import open_private, open_sender_data, ratchet_kind, seal_private
from letterlock.mls.registries import PRIVATE_MESSAGE, PUBLIC_MESSAGE
from letterlock.mls.schedule.secret_tree import MessageKey, RatchetKind, SecretTree
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.framing import (
    NEW_MEMBER_COMMIT,
    NEW_MEMBER_PROPOSAL,
    AuthenticatedContent,
    ContentType,
    PrivateMessage,
    PrivateMessageContent,
    Sender,
    SenderData,
)
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Proposal, Remove
from mls.protecting import Epoch, Member

SUITES = (1, 2, 3, 5, 7)
CONTENTS: tuple[bytes | Proposal | Commit, ...] = (b"hello", b"", Remove(3), Commit((Remove(2),), None))


def receive(at: Member, sender: Member, message: PrivateMessage) -> AuthenticatedContent:
    """As a group does it: nothing is consumed before the signature holds."""
    content, key = at.open(message)
    of = at.of
    verify_content(of.suite, sender.public, content.wire_format, content.content, of.context, content.auth.signature)
    at.tree.consume(key)
    return content


def pair(suite_number: int = 1) -> tuple[Member, Member]:
    epoch = Epoch(suite_number)
    return Member(epoch, 1), Member(epoch, 2)


@pytest.mark.parametrize("suite_number", SUITES)
@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: type(content).__name__)
@pytest.mark.parametrize("padding", [0, 1, 300])
def test_a_message_arrives(suite_number: int, content: bytes | Proposal | Commit, padding: int) -> None:
    alice, bob = pair(suite_number)
    sent = alice.authenticate(content, authenticated_data=b"in the clear")
    sealed = alice.seal(sent, padding)
    assert (sealed.group_id, sealed.epoch, sealed.authenticated_data) == (b"group", 7, b"in the clear")
    plaintext = len(sent.content.encoded_content) + len(sent.auth.encode()) + padding
    assert len(sealed.ciphertext) == plaintext + alice.of.suite.tag_length
    arrived = decode_message(encode_message(sealed), RFC_PROPOSALS, 1 << 20)
    assert isinstance(arrived, PrivateMessage)
    received = receive(bob, alice, arrived)
    assert received == sent
    assert received.content.sender == Sender.member(1)


def test_out_of_order_and_once_each() -> None:
    alice, bob = pair()
    messages = [alice.seal(alice.authenticate(bytes((number,)))) for number in range(6)]
    for number in (2, 0, 5, 1, 4, 3):
        assert receive(bob, alice, messages[number]).content.content == bytes((number,))
    for message in messages:
        with pytest.raises(DuplicateMessage):
            receive(bob, alice, message)


def test_a_gap_that_is_too_wide() -> None:
    alice, bob = pair()
    messages = [alice.seal(alice.authenticate(b"")) for _ in range(23)]
    with pytest.raises(TooFarAhead):
        receive(bob, alice, messages[21])
    receive(bob, alice, messages[20])
    receive(bob, alice, messages[22])


def test_both_ends_go_on_from_stored_rows() -> None:
    alice, bob = pair()
    held = None
    for number in range(12):
        alice.tree = SecretTree.from_rows(alice.of.suite, alice.of.leaf_count, alice.tree.rows())
        bob.tree = SecretTree.from_rows(bob.of.suite, bob.of.leaf_count, bob.tree.rows())
        message = alice.seal(alice.authenticate(b"%d" % number))
        if number == 4:
            held = message
        else:
            assert receive(bob, alice, message).content.content == b"%d" % number
    assert held is not None
    assert receive(bob, alice, held).content.content == b"4"


@pytest.mark.parametrize("suite_number", SUITES)
def test_every_byte_of_a_message_is_protected(suite_number: int) -> None:
    alice, bob = pair(suite_number)
    receive(bob, alice, alice.seal(alice.authenticate(b"before")))
    message = alice.seal(alice.authenticate(b"hi", authenticated_data=b"ad"), padding=3)
    encoded = encode_message(message)
    before = bob.tree.rows()
    bob.tree.changed_rows()
    for at in range(len(encoded)):
        for bit in (0x01, 0x80):
            wrong = encoded[:at] + bytes((encoded[at] ^ bit,)) + encoded[at + 1 :]
            with pytest.raises((DecodeError, BadMac)):
                bob.open(as_private(wrong))
        with pytest.raises(DecodeError):
            bob.open(as_private(encoded[:at]))
    with pytest.raises(DecodeError):
        bob.open(as_private(encoded + b"\x00"))
    assert bob.tree.rows() == before
    assert bob.tree.changed_rows() == []
    assert receive(bob, alice, message).content.content == b"hi"


def as_private(data: bytes) -> PrivateMessage:
    message = decode_message(data, RFC_PROPOSALS, 1 << 20)
    if not isinstance(message, PrivateMessage):
        raise DecodeError("some other message")
    return message


@pytest.mark.parametrize("field", ["ciphertext", "encrypted_sender_data"])
def test_an_aead_tag_cut_short_or_extended(field: str) -> None:
    alice, bob = pair()
    message = alice.seal(alice.authenticate(b"hi"))
    value: bytes = getattr(message, field)
    for wrong in [*(value[:length] for length in range(len(value))), value + b"\x00", value + value]:
        with pytest.raises(BadMac):
            bob.open(replace(message, **{field: wrong}))
    receive(bob, alice, message)


def test_fields_of_two_messages_do_not_mix() -> None:
    alice, bob = pair()
    first, second = (alice.seal(alice.authenticate(b"hi", authenticated_data=ad)) for ad in (b"1", b"2"))
    for name in ("authenticated_data", "encrypted_sender_data", "ciphertext"):
        with pytest.raises(BadMac):
            bob.open(replace(first, **{name: getattr(second, name)}))
    for changed in (
        replace(first, group_id=b"other"),
        replace(first, epoch=8),
        replace(first, content_type=ContentType.PROPOSAL),
    ):
        with pytest.raises(BadMac):
            bob.open(changed)


# --- what another member can do, who has all keys but the signature key -----------------------------------------------
def insider(epoch: Epoch, leaf: int, plaintext: bytes, generation: int = 0) -> PrivateMessage:
    """Any plaintext, encrypted as an application message of any leaf."""
    suite = epoch.suite
    key = epoch.tree().stage(leaf, RatchetKind.APPLICATION, generation, 20, 20)
    aad = b"\x05group" + (7).to_bytes(8, "big") + b"\x01"
    ciphertext = suite.aead_seal(key.key, key.nonce, plaintext, aad + b"\x00")
    return with_sender_data(epoch, ciphertext, SenderData(leaf, generation, bytes(4)).encode())


def with_sender_data(epoch: Epoch, ciphertext: bytes, sender_data: bytes) -> PrivateMessage:
    suite = epoch.suite
    sample = ciphertext[: suite.hash_length]
    key = suite.expand_with_label(epoch.sender_data_secret, "key", sample, suite.key_length)
    nonce = suite.expand_with_label(epoch.sender_data_secret, "nonce", sample, suite.nonce_length)
    aad = b"\x05group" + (7).to_bytes(8, "big") + b"\x01"
    sealed = suite.aead_seal(key, nonce, sender_data, aad)
    return PrivateMessage(b"group", 7, ContentType.APPLICATION, b"", sealed, ciphertext)


@pytest.mark.parametrize("suite_number", SUITES)
def test_every_byte_inside_is_signed_or_has_one_form(suite_number: int) -> None:
    alice, bob = pair(suite_number)
    sent = alice.authenticate(b"hi")
    plaintext = PrivateMessageContent.of(sent.content, sent.auth).encode(2)
    before = bob.tree.rows()
    for at in range(len(plaintext)):
        wrong = plaintext[:at] + bytes((plaintext[at] ^ 0x01,)) + plaintext[at + 1 :]
        with pytest.raises((DecodeError, CryptoError)):
            receive(bob, alice, insider(bob.of, 1, wrong))
    assert bob.tree.rows() == before
    assert receive(bob, alice, insider(bob.of, 1, plaintext)) == sent


def test_padding_is_zero() -> None:
    alice, bob = pair()
    sent = alice.authenticate(b"hi")
    plaintext = PrivateMessageContent.of(sent.content, sent.auth).encode(0)
    for padding in (b"\x01", bytes(20) + b"\x80", b"\x01" + bytes(20)):
        with pytest.raises(DecodeError) as caught:
            bob.open(insider(bob.of, 1, plaintext + padding))
        assert caught.value.code == "mls.padding"
    bob.open(insider(bob.of, 1, plaintext + bytes(1000)))


def test_a_member_cannot_speak_for_another() -> None:
    alice, bob = pair()
    carol = Member(alice.of, 3)
    lie = carol.authenticate(b"hi", sender=Sender.member(1))
    message = insider(alice.of, 1, PrivateMessageContent.of(lie.content, lie.auth).encode(0))
    before = bob.tree.rows()
    with pytest.raises(BadSignature):
        receive(bob, alice, message)
    assert bob.tree.rows() == before
    # The forgery took Alice's generation 0; her own message with it can still be read.
    assert receive(bob, alice, alice.seal(alice.authenticate(b"I am Alice"))).content.content == b"I am Alice"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_plaintext_of_an_insider(plaintext: bytes) -> None:
    alice, bob = pair()
    with pytest.raises((DecodeError, CryptoError)):
        receive(bob, alice, insider(bob.of, 1, plaintext))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=16))
def test_any_sender_data_of_an_insider(ciphertext: bytes, sender_data: bytes) -> None:
    _, bob = pair()
    message = with_sender_data(bob.of, ciphertext, sender_data)
    if len(sender_data) == 12:
        assert open_sender_data(bob.of.suite, bob.of.sender_data_secret, message).encode() == sender_data
    else:
        with pytest.raises(DecodeError):
            open_sender_data(bob.of.suite, bob.of.sender_data_secret, message)
    with pytest.raises(LetterlockError):
        bob.open(message)


# --- the sender's side ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sender", [Sender.external(0), NEW_MEMBER_PROPOSAL, NEW_MEMBER_COMMIT])
def test_only_members_send_private_messages(sender: Sender) -> None:
    alice, _ = pair()
    content = alice.authenticate(Remove(3), sender=sender)
    with pytest.raises(InputError):
        alice.seal(content)


def test_content_signed_for_a_public_message_is_not_sealed() -> None:
    alice, _ = pair()
    with pytest.raises(InputError):
        alice.seal(alice.authenticate(Remove(3), wire_format=PUBLIC_MESSAGE))


def test_handshakes_and_application_data_have_their_own_ratchets() -> None:
    alice, _ = pair()
    for content in CONTENTS:
        kind = ratchet_kind(alice.authenticate(content).content.content_type)
        before = {kind: alice.tree.peek_generation(1, kind) for kind in RatchetKind}
        alice.seal(alice.authenticate(content))
        assert alice.tree.peek_generation(1, kind) == before[kind] + 1
        assert kind == (RatchetKind.APPLICATION if isinstance(content, bytes) else RatchetKind.HANDSHAKE)
        assert sum(alice.tree.peek_generation(1, kind) for kind in RatchetKind) == sum(before.values()) + 1


def test_the_reuse_guard_is_fresh_and_changes_the_nonce() -> None:
    # A sender whose state was rolled back uses a generation twice; four random bytes keep the nonces apart.
    alice, bob = pair()
    content = alice.authenticate(b"hi")
    suite, secret = alice.of.suite, alice.of.sender_data_secret
    key = alice.tree.next_key(1, RatchetKind.APPLICATION)
    asked: list[int] = []

    def rng(length: int) -> bytes:
        asked.append(length)
        return bytes((len(asked),)) * length

    sealed = [seal_private(suite, content, key, secret, 0, rng) for _ in range(2)]
    assert asked == [4, 4]
    assert sealed[0].ciphertext != sealed[1].ciphertext
    for message, byte in zip(sealed, b"\x01\x02", strict=True):
        sender_data = open_sender_data(suite, secret, message)
        assert sender_data == SenderData(1, 0, bytes((byte,)) * 4)
        nonce = bytes(a ^ b for a, b in zip(key.nonce, bytes((byte,)) * 4 + bytes(8), strict=True))
        aad = b"\x05group" + (7).to_bytes(8, "big") + b"\x01\x00"
        assert suite.aead_open(key.key, nonce, message.ciphertext, aad).startswith(b"\x02hi")
        assert bob.open(message)[0] == content


def test_a_key_of_another_generation_does_not_open() -> None:
    alice, bob = pair()
    message = alice.seal(alice.authenticate(b"hi"))
    sender_data = open_sender_data(bob.of.suite, bob.of.sender_data_secret, message)
    other = bob.tree.stage(1, RatchetKind.APPLICATION, 1, 20, 20)
    right = bob.tree.stage(1, RatchetKind.APPLICATION, 0, 20, 20)
    for key in (other, MessageKey(0, right.key, other.nonce), MessageKey(0, other.key, right.nonce)):
        with pytest.raises(BadMac):
            open_private(bob.of.suite, message, sender_data, key, RFC_PROPOSALS)


# --- the signature ----------------------------------------------------------------------------------------------------
def test_a_signature_holds_in_one_wire_format_and_one_epoch() -> None:
    alice, _ = pair()
    of = alice.of
    sent = alice.authenticate(Remove(3))
    framed, signature = sent.content, sent.auth.signature
    verify_content(of.suite, alice.public, PRIVATE_MESSAGE, framed, of.context, signature)
    with pytest.raises(BadSignature):
        verify_content(of.suite, alice.public, PUBLIC_MESSAGE, framed, of.context, signature)
    with pytest.raises(BadSignature):
        verify_content(of.suite, alice.public, PRIVATE_MESSAGE, framed, Epoch(epoch=8).context, signature)
    with pytest.raises(InputError):
        verify_content(of.suite, alice.public, PRIVATE_MESSAGE, framed, None, signature)


@pytest.mark.parametrize("sender", [Sender.external(0), NEW_MEMBER_PROPOSAL])
def test_senders_outside_sign_without_the_group_context(sender: Sender) -> None:
    alice, _ = pair()
    of = alice.of
    sent = alice.authenticate(Remove(3), PUBLIC_MESSAGE, sender=sender)
    verify_content(of.suite, alice.public, PUBLIC_MESSAGE, sent.content, None, sent.auth.signature)
    tbs = b"\x00\x01\x00\x01" + sent.content.encoded
    of.suite.verify_with_label(alice.public, "FramedContentTBS", tbs, sent.auth.signature)


def test_an_external_committer_signs_with_the_group_context() -> None:
    alice, _ = pair()
    of = alice.of
    sent = alice.authenticate(Commit((), None), PUBLIC_MESSAGE, sender=NEW_MEMBER_COMMIT)
    tbs = b"\x00\x01\x00\x01" + sent.content.encoded + of.context
    of.suite.verify_with_label(alice.public, "FramedContentTBS", tbs, sent.auth.signature)
