"""PublicMessage and its membership tag."""

from __future__ import annotations

from dataclasses import replace

import pytest

from letterlock.errors import BadSignature, DecodeError, InputError, InvalidGroupMessage
from letterlock.mls.protect.content import verify_content
from letterlock.mls.protect.public_message import check_membership_tag, protect_public
from letterlock.mls.registries import PUBLIC_MESSAGE
from letterlock.mls.rules import Rule
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.framing import NEW_MEMBER_COMMIT, NEW_MEMBER_PROPOSAL, PublicMessage, Sender
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, Proposal, Remove
from mls.protecting import Epoch, Member

SUITES = (1, 2, 3, 5, 7)


def protected(alice: Member, content: bytes | Proposal | Commit, sender: Sender | None = None) -> PublicMessage:
    of = alice.of
    signed = alice.authenticate(content, PUBLIC_MESSAGE, b"ad", sender)
    return protect_public(of.suite, signed, of.context, of.membership_key)


def check(alice: Member, message: PublicMessage) -> None:
    check_membership_tag(alice.of.suite, message, alice.of.context, alice.of.membership_key)


@pytest.mark.parametrize("suite_number", SUITES)
@pytest.mark.parametrize("content", [Remove(3), Commit((Remove(3),), None)], ids=["proposal", "commit"])
def test_a_message_arrives(suite_number: int, content: Proposal | Commit) -> None:
    alice = Member(Epoch(suite_number), 1)
    sent = protected(alice, content)
    message = decode_message(encode_message(sent), RFC_PROPOSALS, 1 << 20)
    assert isinstance(message, PublicMessage)
    assert message == sent
    check(alice, message)
    framed = message.content
    verify_content(alice.of.suite, alice.public, PUBLIC_MESSAGE, framed, alice.of.context, message.auth.signature)
    # AuthenticatedContentTBM, written down: version, wire format, content, context, auth.
    tbm = b"\x00\x01\x00\x01" + framed.encoded + alice.of.context + message.auth.encode()
    assert message.membership_tag == alice.of.suite.mac(alice.of.membership_key, tbm)


@pytest.mark.parametrize("suite_number", SUITES)
def test_a_membership_tag_must_match_in_length_and_value(suite_number: int) -> None:
    # GHSA-8x3w-qj7j-gqhf: a comparison that stops with the shorter value takes an empty tag for a good one.
    alice = Member(Epoch(suite_number), 1)
    message = protected(alice, Remove(3))
    tag = message.membership_tag
    assert tag is not None
    wrong = [None, b"", *(tag[:length] for length in range(1, len(tag))), tag + b"\x00", tag + tag, bytes(len(tag))]
    wrong += [tag[:at] + bytes((tag[at] ^ 1,)) + tag[at + 1 :] for at in range(len(tag))]
    for other in wrong:
        with pytest.raises(InvalidGroupMessage) as caught:
            check(alice, replace(message, membership_tag=other))
        assert caught.value.rule == "MLS-6.2-01"
        assert caught.value.code == "mls.6.2-01"
    check(alice, message)


def test_it_is_that_rule_which_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = Member(Epoch(), 1)
    message = replace(protected(alice, Remove(3)), membership_tag=bytes(32))
    failed: list[str] = []
    monkeypatch.setattr(Rule, "fail", lambda rule, what: failed.append(rule.id))
    check(alice, message)
    assert failed == ["MLS-6.2-01"]


@pytest.mark.parametrize("content", [Remove(3), Commit((Remove(3),), None)], ids=["proposal", "commit"])
def test_every_byte_is_protected(content: Proposal | Commit) -> None:
    alice = Member(Epoch(), 1)
    encoded = encode_message(protected(alice, content))
    reasons: dict[type, int] = {}
    for at in range(len(encoded)):
        for bit in (0x01, 0x02, 0x80):
            wrong = encoded[:at] + bytes((encoded[at] ^ bit,)) + encoded[at + 1 :]
            with pytest.raises((DecodeError, InvalidGroupMessage, BadSignature)) as caught:
                receive(alice, wrong)
            reasons[caught.type] = reasons.get(caught.type, 0) + 1
        with pytest.raises(DecodeError):
            receive(alice, encoded[:at])
    assert reasons[InvalidGroupMessage] > len(encoded)  # the tag is what refuses, not only the grammar
    receive(alice, encoded)


def receive(alice: Member, data: bytes) -> None:
    message = decode_message(data, RFC_PROPOSALS, 1 << 20)
    if not isinstance(message, PublicMessage):
        raise DecodeError("some other message")
    check(alice, message)
    verify_content(
        alice.of.suite, alice.public, PUBLIC_MESSAGE, message.content, alice.of.context, message.auth.signature
    )


def test_a_tag_of_another_epoch() -> None:
    alice = Member(Epoch(), 1)
    message = protected(alice, Remove(3))
    for context, key in ((Epoch(epoch=8).context, alice.of.membership_key), (alice.of.context, b"n" * 32)):
        with pytest.raises(InvalidGroupMessage):
            check_membership_tag(alice.of.suite, message, context, key)


@pytest.mark.parametrize("sender", [Sender.external(0), NEW_MEMBER_PROPOSAL, NEW_MEMBER_COMMIT])
def test_senders_outside_have_no_tag(sender: Sender) -> None:
    alice = Member(Epoch(), 1)
    of = alice.of
    content: Proposal | Commit = Commit((), None) if sender == NEW_MEMBER_COMMIT else Remove(3)
    message = protect_public(of.suite, alice.authenticate(content, PUBLIC_MESSAGE, sender=sender), of.context, None)
    assert message.membership_tag is None
    check(alice, message)
    again = decode_message(encode_message(message), RFC_PROPOSALS, 1 << 20)
    assert again == message


def test_what_is_not_sent_as_a_public_message() -> None:
    alice = Member(Epoch(), 1)
    of = alice.of
    with pytest.raises(InputError) as caught:
        protected(alice, b"application data")
    assert caught.value.code == "mls.application_in_clear"
    with pytest.raises(InputError) as caught:
        protect_public(of.suite, alice.authenticate(Remove(3)), of.context, of.membership_key)
    assert caught.value.code == "mls.wire_format"
    with pytest.raises(InputError) as caught:
        protect_public(of.suite, alice.authenticate(Remove(3), PUBLIC_MESSAGE), of.context, None)
    assert caught.value.code == "mls.membership_key"
