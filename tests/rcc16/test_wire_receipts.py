"""Signed receipts: a member's word, bound to its leaf, its epoch and exactly what the document says."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from letterlock.codec.imdn import Disposition, Imdn, Status, encode_imdn
from letterlock.codec.xml import XmlLimits
from letterlock.errors import DecodeError, InputError, InvalidGroupMessage
from letterlock.ids import MessageId
from letterlock.mls.group.results import FutureEpoch, PastEpoch
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import CustomProposal, SelfRemove
from letterlock.rcc16.wire.derived_content import (
    Delivery,
    DeliveryStatus,
    DerivedContent,
    Display,
    DisplayStatus,
    decode_derived_content,
    encode_derived_content,
)
from letterlock.rcc16.wire.proposals import PROPOSAL_TYPES, SERVER_REMOVE, server_remove
from letterlock.rcc16.wire.reasons import (
    CLIENT_REMEDIES,
    SERVER_REMEDIES,
    ClientReason,
    ClientRemedy,
    Reason,
    Receipt,
    ServerReason,
    ServerRemedy,
    decode_receipt,
    encode_negative_receipt,
    token_of,
)
from letterlock.rcc16.wire.receipts import SignedReceipt, report_of, sign_receipt, verify_receipt

from .certificates import NOW
from .groups import Member, everybody_merges, group_of
from .refusing import refuses

LIMITS = XmlLimits(16_384, 16, 256)
OWN, REPORTED = MessageId("receipt-1"), MessageId("letter-1")
DELIVERED = Receipt(Imdn(REPORTED, "", Disposition.DELIVERY, Status.DELIVERED), None)
DISPLAYED = Receipt(Imdn(REPORTED, "", Disposition.DISPLAY, Status.DISPLAYED), None)
FAILED = Receipt(Imdn(REPORTED, "", Disposition.DELIVERY, Status.FAILED), ClientReason.FAILED_TO_DECRYPT)


def pair() -> tuple[Member, Member]:
    ana, ben = group_of(["+15550100", "+15550101"])
    return ana, ben


def signed(member: Member, receipt: Receipt, *, own: MessageId = OWN, era: int = 1) -> str:
    report = report_of(receipt)
    assert report is not None
    return sign_receipt(member.g, DerivedContent(own, era, report), rng=member.rng, now=NOW)


@pytest.mark.parametrize("receipt", [DELIVERED, DISPLAYED, FAILED], ids=["delivered", "displayed", "failed"])
def test_a_receipt_of_a_member(receipt: Receipt) -> None:
    ana, ben = pair()
    found = verify_receipt(ana.g, signed(ben, receipt), receipt, OWN, 1, now=NOW)
    assert isinstance(found, SignedReceipt)
    assert (found.sender, found.epoch, found.derived.report) == (1, 1, report_of(receipt))
    assert found.leaf.credential == ben.identity.credential
    assert not list(ana.g.proposals()) and not list(ben.g.proposals())


def test_its_layout() -> None:
    """rcc16.md 4.4: version and wire format, group, epoch, member, derived content, proposal F002 without a body."""
    _, ben = pair()
    raw = base64.b64decode(signed(ben, DELIVERED))
    derived = encode_derived_content(DerivedContent(OWN, 1, Delivery(DeliveryStatus.DELIVERED, REPORTED)))
    head = bytes.fromhex("00010001") + b"\x20" + ben.g.group_id + (1).to_bytes(8, "big") + b"\x01\x00\x00\x00\x01"
    assert raw.startswith(head + bytes([len(derived)]) + derived + b"\x02\xf0\x02" + b"\x40")
    assert raw[-33:-32] == b"\x20"


def test_a_receipt_that_is_overtaken_by_a_commit() -> None:
    ana, ben = pair()
    receipt = signed(ben, DELIVERED)
    early = ana.commit()
    everybody_merges(early.message, [ana, ben])
    found = verify_receipt(ana.g, receipt, DELIVERED, OWN, 1, now=NOW)
    assert isinstance(found, SignedReceipt) and found.epoch == 1
    later = signed(ben, DELIVERED)
    assert isinstance(verify_receipt(ben.g, later, DELIVERED, OWN, 1, now=NOW), SignedReceipt)
    behind = group_of(["+15550100", "+15550101"])[0]
    assert verify_receipt(behind.g, later, DELIVERED, OWN, 1, now=NOW) == FutureEpoch(2, False)
    long_after = NOW + 4 * 86_400_000
    assert verify_receipt(ana.g, receipt, DELIVERED, OWN, 1, now=long_after) == PastEpoch(1)


def test_what_is_no_receipt_at_all() -> None:
    ana, _ = pair()
    for text in ("", "no base64!", "AAE=", "A" * 20_000, "AAEAAw=="):
        with pytest.raises(DecodeError):
            verify_receipt(ana.g, text, DELIVERED, OWN, 1, now=NOW)


def test_another_proposal_signs_no_receipt() -> None:
    """Otherwise the authenticated data of a SelfRemove could be given out as a receipt."""
    ana, ben = pair()
    derived = encode_derived_content(DerivedContent(OWN, 1, Delivery(DeliveryStatus.DELIVERED, REPORTED)))
    for proposal in (SelfRemove(), CustomProposal(SERVER_REMOVE, bytes(4))):
        message = ben.g.propose(proposal, rng=ben.rng, now=NOW, authenticated_data=derived, public=True)
        with pytest.raises(InvalidGroupMessage) as refused:
            verify_receipt(ana.g, base64.b64encode(message).decode(), DELIVERED, OWN, 1, now=NOW)
        assert refused.value.rule == "MLS-P-06"


@pytest.mark.parametrize("place", ["signature", "tag"])
def test_a_receipt_that_was_changed(place: str) -> None:
    ana, ben = pair()
    raw = bytearray(base64.b64decode(signed(ben, DELIVERED)))
    raw[-40 if place == "signature" else -1] ^= 1
    with pytest.raises(InvalidGroupMessage) as refused:
        verify_receipt(ana.g, base64.b64encode(raw).decode(), DELIVERED, OWN, 1, now=NOW)
    # Either breaks the tag, which covers the signature.
    assert refused.value.rule == "MLS-6.2-01"


OTHER = MessageId("another")


@refuses(
    "RCC-7.7-01", "own id", "reported id", "status", "kind", "reason", "no reason", "a server's reason", "extension"
)
def test_a_signature_for_another_receipt(place: str) -> Callable[[], object]:
    ana, ben = pair()
    said, claimed, own = DELIVERED, DELIVERED, OWN
    match place:
        case "own id":
            own = OTHER
        case "reported id":
            claimed = replace(DELIVERED, imdn=replace(DELIVERED.imdn, message_id="another"))
        case "status":
            claimed = replace(FAILED, reason=None)
        case "kind":
            claimed = DISPLAYED
        case "reason":
            said, claimed = FAILED, replace(FAILED, reason=ClientReason.INVALID_COMMIT)
        case "no reason":
            said, claimed = FAILED, replace(FAILED, reason=None)
        case "a server's reason":
            said, claimed = replace(FAILED, reason=None), replace(FAILED, reason=ServerReason.EXPIRED_CREDENTIAL)
        case "extension":
            claimed = replace(DELIVERED, imdn=replace(DELIVERED.imdn, status=Status.EXTENSION))
    text = signed(ben, said)
    return lambda: verify_receipt(ana.g, text, claimed, own, 1, now=NOW)


@refuses("RCC-7.7-02", "signed for", "header")
def test_a_receipt_of_another_era(place: str) -> Callable[[], object]:
    ana, ben = pair()
    text = signed(ben, DELIVERED, era=2 if place == "signed for" else 1)
    return lambda: verify_receipt(ana.g, text, DELIVERED, OWN, 2, now=NOW)


def test_documents_that_have_no_such_form() -> None:
    processed = Imdn(REPORTED, "", Disposition.PROCESSING, Status.PROCESSED)
    extended = Imdn(REPORTED, "", Disposition.DISPLAY, Status.EXTENSION)
    assert report_of(Receipt(processed, None)) is report_of(Receipt(extended, None)) is None
    assert report_of(Receipt(DELIVERED.imdn, None)) == Delivery(DeliveryStatus.DELIVERED, REPORTED)
    assert report_of(DISPLAYED) == Display(DisplayStatus.DISPLAYED, REPORTED)


# --- derived content ------------------------------------------------------------------------------------------
GOOD = encode_derived_content(DerivedContent(OWN, 7, Delivery(DeliveryStatus.FAILED, REPORTED, 4)))
INNER = 2 + 10 + 4 + 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\x00",
        b"\x00\x02" + GOOD[2:],
        GOOD[:-1] + b"\x02",
        GOOD[:12] + bytes(4) + GOOD[16:],
        GOOD[:16] + b"\x03" + GOOD[17:],
        GOOD[:INNER] + b"\x00\x02" + GOOD[INNER + 2 :],
        GOOD[: INNER + 2] + b"\x00\x05" + GOOD[INNER + 4 :],
        GOOD[:-3] + b"\x00\x01\x00",
        GOOD.replace(b"letter-1", b"letter 1"),
    ],
)
def test_derived_content_that_is_none(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_derived_content(data)


def test_a_display_with_a_status_that_nobody_knows() -> None:
    good = encode_derived_content(DerivedContent(OWN, 7, Display(DisplayStatus.DISPLAYED, REPORTED)))
    assert decode_derived_content(good)
    with pytest.raises(DecodeError):
        decode_derived_content(good[: INNER + 2] + b"\x00\x04" + good[INNER + 4 :])


def test_an_unknown_reason_is_kept() -> None:
    content = DerivedContent(OWN, 7, Delivery(DeliveryStatus.FAILED, REPORTED, 99))
    assert decode_derived_content(encode_derived_content(content)) == content


def test_what_is_never_written() -> None:
    """rcc16.md 4.5: a deployed peer throws at reason 6."""
    for wrong in (
        DerivedContent(OWN, 7, Delivery(DeliveryStatus.FAILED, REPORTED, 6)),
        DerivedContent(OWN, 0, Delivery(DeliveryStatus.DELIVERED, REPORTED)),
        DerivedContent(MessageId("a b"), 1, Delivery(DeliveryStatus.DELIVERED, REPORTED)),
    ):
        with pytest.raises(InputError):
            encode_derived_content(wrong)


# --- reasons --------------------------------------------------------------------------------------------------
ALL: tuple[Reason, ...] = (*ClientReason, *ServerReason)


@pytest.mark.parametrize("reason", ALL, ids=lambda reason: f"{type(reason).__name__}-{token_of(reason)}")
def test_reasons_travel_by_name(reason: Reason) -> None:
    document = encode_negative_receipt("m-1", "2026-11-23T10:00:00Z", reason)
    arm = "client" if isinstance(reason, ClientReason) else "server"
    assert (
        f"<delivery-notification><status><failed><mls-{arm}-failure-reason><{token_of(reason)}/>"
        f"</mls-{arm}-failure-reason></failed></status></delivery-notification>"
    ).encode() in document
    found = decode_receipt(document, LIMITS)
    assert (found.reason, type(found.reason)) == (reason, type(reason))
    assert (found.imdn.message_id, found.imdn.status) == ("m-1", Status.FAILED)


def test_names_and_numbers() -> None:
    """rcc16.md 4.5."""
    assert token_of(ClientReason(6)) == "resent-message-for-me-failed-to-decrypt"
    assert token_of(ClientReason(5)) == "commit-in-privatemessage"
    assert token_of(ServerReason(12)) == "mls-group-not-found"
    assert [len(ClientReason), len(ServerReason)] == [13, 16]
    assert set(CLIENT_REMEDIES) == set(ClientReason) and set(SERVER_REMEDIES) == set(ServerReason)
    assert CLIENT_REMEDIES[ClientReason.FAILED_TO_DECRYPT] is ClientRemedy.RESEND
    assert [one for one in ServerReason if SERVER_REMEDIES[one] is ServerRemedy.RETRY_SAME_BYTES] == [
        ServerReason.TRANSIENT_ERROR
    ]


def test_a_bare_failure_gives_no_reason() -> None:
    """What one peer sends for every message that it cannot decrypt."""
    assert b"<failed/>" in encode_negative_receipt("m-1", "", None)
    assert decode_receipt(encode_negative_receipt("m-1", "", None), LIMITS).reason is None


def with_inside(inside: str, status: Status = Status.FAILED) -> bytes:
    return encode_imdn(Imdn("m-1", "", Disposition.DELIVERY, status), inside=inside)


CLIENT = "<mls-client-failure-reason><failed-to-decrypt/></mls-client-failure-reason>"
SERVER = "<mls-server-failure-reason><incorrect-epoch/></mls-server-failure-reason>"


@pytest.mark.parametrize(
    "inside", ["<mls-client-failure-reason/>", "<mls-server-failure-reason><new-one/></mls-server-failure-reason>"]
)
def test_a_reason_that_nobody_knows(inside: str) -> None:
    assert decode_receipt(with_inside(inside), LIMITS).reason is None


@pytest.mark.parametrize(
    "document",
    [
        with_inside(CLIENT + SERVER),
        with_inside(CLIENT + CLIENT),
        with_inside(CLIENT.replace("<failed-to-decrypt/>", "<failed-to-decrypt/><invalid-commit/>")),
        with_inside(CLIENT, Status.DELIVERED),
        with_inside(SERVER, Status.ERROR),
        encode_imdn(Imdn("m-1", "", Disposition.DISPLAY, Status.DISPLAYED), inside=CLIENT),
    ],
)
def test_a_reason_where_there_can_be_none(document: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_receipt(document, LIMITS)
    assert caught.value.code == "rcc16.failure_reason"


def test_a_reason_inside_the_encryption() -> None:
    with pytest.raises(DecodeError):
        decode_receipt(with_inside(CLIENT), LIMITS, encrypted=True)
    assert decode_receipt(encode_imdn(DELIVERED.imdn), LIMITS, encrypted=True).reason is None


# --- proposals ------------------------------------------------------------------------------------------------
def test_a_server_remove_takes_a_leaf_away() -> None:
    ana, ben, cleo = group_of(["+15550100", "+15550101", "+15550102"])
    pending = ana.commit([server_remove(2)])
    everybody_merges(pending.message, [ana, ben, cleo])
    assert not cleo.g.active and ben.g.epoch_authenticator == ana.g.epoch_authenticator
    assert decode_message(pending.message, PROPOSAL_TYPES, 1 << 20)
    with pytest.raises(DecodeError):
        decode_message(pending.message, type(PROPOSAL_TYPES)(), 1 << 20)
