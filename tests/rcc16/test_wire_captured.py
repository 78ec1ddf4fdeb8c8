"""Every captured or published value of rcc16.md 11.1 to 11.4 and 11.7, exact."""

from __future__ import annotations

import pytest

from letterlock.codec.cpim import CpimLimits
from letterlock.codec.tls import Reader, varint
from letterlock.conversation_seam import PacketHeader
from letterlock.errors import DecodeError
from letterlock.ids import MessageId, Number
from letterlock.rcc16.choices import Revision
from letterlock.rcc16.identity_hash import identity_hash
from letterlock.rcc16.wire.authenticated_data import (
    AuthenticatedData,
    decode_authenticated_data,
    encode_authenticated_data,
)
from letterlock.rcc16.wire.control import (
    EndReason,
    EpochIdentifier,
    decode_end_metadata,
    decode_epoch_identifier,
    encode_end_metadata,
    encode_epoch_identifier,
)
from letterlock.rcc16.wire.derived_content import (
    Delivery,
    DeliveryStatus,
    DerivedContent,
    Display,
    DisplayStatus,
    Report,
    decode_derived_content,
    encode_derived_content,
    encode_report,
)
from letterlock.rcc16.wire.extensions import (
    SUBJECT_COMMITMENT,
    end_mls_extension,
    era_extension,
    metadata_keys_request_extension,
    opaque_extension,
)
from letterlock.rcc16.wire.secret_payload import (
    Content,
    SecretPayload,
    decode_content,
    decode_secret_payload,
    encode_content,
    encode_secret_payload,
    text_entity,
)

from .section11 import AAD, AUTHENTICATOR, REACTION, TEXT_PAYLOAD

LIMITS = CpimLimits(65_536, 64, 8_192)


# --- 11.1 ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("message", "era"), AAD)
def test_authenticated_data(message: str, era: int) -> None:
    data = bytes.fromhex(AAD[message, era])
    assert encode_authenticated_data(MessageId(message), era) == data
    assert decode_authenticated_data(data) == AuthenticatedData(MessageId(message), era)


# --- 11.2 ----------------------------------------------------------------------------------------------------
def test_the_captured_reaction() -> None:
    assert len(REACTION) == 232
    payload = decode_secret_payload(REACTION)
    assert (payload.payload_type, payload.generation, len(payload.content)) == (1, 3, 222)
    content = decode_content(payload.content, LIMITS)
    assert content.headers == (
        PacketHeader("http://www.gsma.com", "Reference-ID", "mls-appmls-+15715550106-e6p3-2"),
        PacketHeader("http://www.gsma.com", "Reference-Type", "+Reaction"),
        PacketHeader("urn:rcs:message:reactions:", "Origin-Surface-Type", "1"),
    )
    assert content.entity == "Content-Type: text/plain; charset=UTF-8\r\n\r\n\U0001f602".encode()


def test_the_captured_reaction_is_written_as_it_was() -> None:
    content = decode_content(decode_secret_payload(REACTION).content, LIMITS)
    assert encode_secret_payload(SecretPayload(3, encode_content(content.headers, content.entity))) == REACTION


def test_text() -> None:
    content = encode_content((), text_entity("hello"))
    assert encode_secret_payload(SecretPayload(2, content)) == TEXT_PAYLOAD
    assert decode_content(decode_secret_payload(TEXT_PAYLOAD).content, LIMITS) == Content((), text_entity("hello"))


# --- 11.3 ----------------------------------------------------------------------------------------------------
def test_identity_hash() -> None:
    keys = bytes((7 * i + 3) & 255 for i in range(91)), bytes((11 * i + 5) & 255 for i in range(91))
    people = [(Number("+15551110002"), keys[1]), (Number("+15551110001"), keys[0])]
    assert identity_hash(people).hex() == (
        "b9dcd204409a914e0f950427cee2ba9592aa1111dc803dba7ff5fb8677a0633b"
        "a1f34bac55619ae2c014415e671e03a4e0fb5aa91af2ae9743b08373cbf1418c"
    )
    assert identity_hash(people, descending=True).hex() == (
        "bfe324d9440737ce6b8562e457b4996938deb79e9b2f8c23271ff98f2fb3837b"
        "978d77dc0365e20897e2b49cf053ae79d30a964e6700c3c53e94774399d9b7a3"
    )


# --- 11.4 ----------------------------------------------------------------------------------------------------
ABC, M1 = MessageId("abc"), MessageId("m1")
INNER: tuple[tuple[Report, str], ...] = (
    (Delivery(DeliveryStatus.DELIVERED, ABC), "00010001036162630000"),
    (Display(DisplayStatus.DISPLAYED, ABC), "0001000103616263"),
    (Delivery(DeliveryStatus.FAILED, M1, 4), "00010002026d3100040000"),
    (Delivery(DeliveryStatus.DELIVERED, M1), "00010001026d310000"),
)


@pytest.mark.parametrize(("report", "inner"), INNER)
def test_receipts(report: Report, inner: str) -> None:
    assert encode_report(report).hex() == inner
    content = DerivedContent(MessageId("receipt"), 7, report)
    data = encode_derived_content(content)
    kind = "01" if isinstance(report, Delivery) else "02"
    assert data.hex() == f"000107{b'receipt'.hex()}00000007{kind}{inner}00"
    assert decode_derived_content(data) == content


@pytest.mark.parametrize(
    ("report", "size"),
    [
        (Delivery(DeliveryStatus.DELIVERED, MessageId("m" * 28)), 68),
        (Display(DisplayStatus.DISPLAYED, MessageId("m" * 28)), 66),
        (Delivery(DeliveryStatus.FAILED, MessageId("m" * 28), 4), 70),
    ],
)
def test_measured_sizes_of_receipts(report: Report, size: int) -> None:
    assert len(encode_derived_content(DerivedContent(MessageId("r" * 24), 1, report))) == size


# --- 11.7 ----------------------------------------------------------------------------------------------------
def test_epoch_identifier() -> None:
    identifier = EpochIdentifier(7, 3, AUTHENTICATOR)
    data = bytes.fromhex("080710031a20") + AUTHENTICATOR
    assert encode_epoch_identifier(identifier) == data
    assert decode_epoch_identifier(data) == identifier


@pytest.mark.parametrize(("value", "text"), [(0, "00"), (63, "3f"), (64, "4040"), (16383, "7fff"), (16384, "80004000")])
def test_varints(value: int, text: str) -> None:
    assert varint(value).hex() == text
    assert Reader(bytes.fromhex(text)).varint() == value


@pytest.mark.parametrize("text", ["4020", "400000", "80000040", "80003fff", "c0"])
def test_varints_that_are_not_minimal_or_reserved(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Reader(bytes.fromhex(text)).varint()
    assert caught.value.code == "tls.varint"


def test_a_message_with_a_length_that_is_not_minimal() -> None:
    """Peers refuse it: so do we, in every structure."""
    data = bytes.fromhex("0001" + "4018") + bytes.fromhex(AAD["MxaDOv6I6QTwGK2Xj6V-Ubhw", 6])[3:]
    with pytest.raises(DecodeError):
        decode_authenticated_data(data)
    assert TEXT_PAYLOAD[8:10] == b"\x40\x61"
    with pytest.raises(DecodeError):
        decode_secret_payload(TEXT_PAYLOAD[:8] + b"\x80\x00\x00\x61" + TEXT_PAYLOAD[10:])


def test_extensions() -> None:
    assert era_extension(19).extension_data.hex() == "00000013"
    digest = AUTHENTICATOR
    assert opaque_extension(SUBJECT_COMMITMENT, digest).extension_data == b"\x20" + digest
    assert end_mls_extension(EndReason.UNSET, Revision.V3).extension_data == b"end_mls"
    assert end_mls_extension(EndReason.UNTRUSTED_ROOT, Revision.V4).extension_data.hex() == "0804"
    assert len(metadata_keys_request_extension(Revision.V3).extension_data) == 29
    assert len(metadata_keys_request_extension(Revision.V4).extension_data) == 30


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (EndReason.CONTINUITY_TOKEN_MISMATCH, "0805"),
        (EndReason.OUTGOING_COMMIT_FAILED, "080a"),
        (EndReason.UNSET, ""),
    ],
)
def test_end_mls_metadata(reason: EndReason, text: str) -> None:
    assert encode_end_metadata(reason).hex() == text
    assert decode_end_metadata(bytes.fromhex(text)) is reason
