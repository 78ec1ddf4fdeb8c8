"""Authenticated data, payloads, headers, ids, tags and extensions: what is refused, tolerated, and kept as it came."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import letterlock
from crypto.deterministic import seeded_rng
from letterlock.codec.cpim import CpimLimits
from letterlock.codec.tls import opaque, u16, u32
from letterlock.conversation_seam import PacketHeader
from letterlock.errors import DecodeError, InputError
from letterlock.ids import GroupId, MessageId, Number, message_id
from letterlock.mls.wire.extensions import Extension
from letterlock.rcc16.choices import OURS, Choices, Revision
from letterlock.rcc16.identity_hash import identity_hash
from letterlock.rcc16.open_points import CHOICES
from letterlock.rcc16.policy import OURS_V3, OURS_V4, capabilities
from letterlock.rcc16.wire import content_types
from letterlock.rcc16.wire.authenticated_data import decode_authenticated_data, encode_authenticated_data
from letterlock.rcc16.wire.capability_tags import (
    KDS_TAG,
    LAUNCH_TAG,
    SUPPORTS_GROUPS_TAG,
    VERSION_TAG,
    capability_tags,
    passes,
)
from letterlock.rcc16.wire.content_types import Arm, arm_of, media_types
from letterlock.rcc16.wire.control import EndReason
from letterlock.rcc16.wire.extensions import (
    CONTINUITY_COMMITMENT,
    CONTINUITY_TOKEN,
    END_MLS,
    ERA,
    ICON_COMMITMENT,
    METADATA_KEYS_REQUESTED,
    SUBJECT_COMMITMENT,
    Advance,
    EndMls,
    commitment_of,
    continuity_commitment_of,
    continuity_token_of,
    end_mls_extension,
    end_mls_of,
    era_extension,
    era_of,
    merge,
    metadata_keys_request_extension,
    metadata_keys_requested,
    next_era,
    opaque_extension,
    opaque_value,
)
from letterlock.rcc16.wire.group_ids import group_of_mls, is_pair, mls_group_id, new_pair_id
from letterlock.rcc16.wire.message_ids import new_message_id, welcome_id
from letterlock.rcc16.wire.packet_headers import (
    NAMESPACE,
    ORIGINAL_MESSAGE_ID,
    Gate,
    application_headers,
    control_headers,
    era_of_headers,
    find_header,
    judge_headers,
    receipt_headers,
)
from letterlock.rcc16.wire.secret_payload import (
    SecretPayload,
    decode_content,
    decode_secret_payload,
    encode_content,
    encode_secret_payload,
)

from .section11 import AAD, AUTHENTICATOR, TEXT_PAYLOAD

LIMITS = CpimLimits(65_536, 64, 8_192)
FIRST = bytes.fromhex(AAD["MxaDOv6I6QTwGK2Xj6V-Ubhw", 6])
M1 = MessageId("m1")
SOURCE = Path(letterlock.__file__).parent


# --- authenticated data ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("era", [0, -1, 1 << 32])
def test_no_era_is_written_that_no_group_has(era: int) -> None:
    with pytest.raises(InputError):
        encode_authenticated_data(M1, era)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FIRST[:-1],
        FIRST + b"\x00",
        u16(1) + opaque(b"") + u32(1) + b"\x00",
        u16(1) + opaque(b"a b") + u32(1) + b"\x00",
        u16(1) + opaque(b"\xff") + u32(1) + b"\x00",
        u16(1) + opaque(b"m1") + u32(0) + b"\x00",
        # The layout of v3.0's text, without the era, which every deployed peer writes.
        u16(1) + opaque(b"m1") + b"\x00",
    ],
)
def test_authenticated_data_that_are_none(data: bytes) -> None:
    """rcc16.md 4.1: our choice is stricter than the source, which lets empty and unparsable ones pass."""
    with pytest.raises(DecodeError):
        decode_authenticated_data(data)


def test_a_resent_component_is_kept_and_not_understood() -> None:
    component = b"\x02" + u32(9) + opaque(b"b") + opaque(b"c") + opaque(bytes(64))
    found = decode_authenticated_data(u16(1) + opaque(b"m1") + u32(4) + component)
    assert (found.message_id, found.era, found.resent) == ("m1", 4, component)


def test_another_version_decides_nothing() -> None:
    """RCC.16 7.5.3.1: the id has to equal the envelope's, whatever the version field."""
    assert decode_authenticated_data(u16(2) + FIRST[2:]).version == 2


# --- payload -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("data", [b"", u16(2) + TEXT_PAYLOAD[2:], TEXT_PAYLOAD + b"\x00", TEXT_PAYLOAD[:-1]])
def test_a_payload_that_is_none(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_secret_payload(data)


def test_a_payload_of_another_type_is_read() -> None:
    payload = SecretPayload(7, b"keys", 4)
    assert decode_secret_payload(encode_secret_payload(payload)) == payload


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True).filter(lambda name: name.upper() != "NS")
HEADERS = st.lists(
    st.builds(
        PacketHeader,
        st.sampled_from(["http://www.gsma.com", "urn:letterlock:cpim:v1", "urn:x:y:"]),
        NAMES,
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(lambda text: text.strip(" ")),
    ),
    max_size=5,
).map(tuple)


@given(HEADERS, st.binary(max_size=60))
def test_content_reads_back(headers: tuple[PacketHeader, ...], body: bytes) -> None:
    entity = b"Content-Type: image/png\r\n\r\n" + body
    found = decode_content(encode_content(headers, entity), LIMITS)
    assert (found.headers, found.entity) == (headers, entity)


def test_prefixes_are_resolved_by_namespace() -> None:
    content = (
        b"NS: Q <http://www.gsma.com>\r\nq.Reference-ID: m1\r\nother.Reference-ID: m2\r\n\r\n"
        b"Content-Type: text/plain\r\n\r\nx"
    )
    assert decode_content(content, LIMITS).headers == (
        PacketHeader("http://www.gsma.com", "Reference-ID", "m1"),
        PacketHeader("", "Reference-ID", "m2"),
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"\r\nbody without a header",
        b"\r\n\r\nno type",
        b"NS: n1 <http://www.gsma.com>\r\nn1.A: b\r\n\r\n\r\nno type",
        b"no colon\r\n\r\nContent-Type: text/plain\r\n\r\nx",
        b"Content-Type: text/plain\r\n\r\nonly one block",
    ],
)
def test_content_that_is_none(content: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_content(content, LIMITS)


def test_a_header_that_cannot_be_written() -> None:
    with pytest.raises(InputError):
        encode_content([PacketHeader("urn:x", "A B", "c")], b"")


# --- headers of a packet -----------------------------------------------------------------------------------------
def test_headers_of_a_message() -> None:
    era, authenticator = application_headers(7, AUTHENTICATOR)
    assert (era.namespace, era.name, era.value) == (NAMESPACE, "Era-ID", "7")
    assert (authenticator.name, len(authenticator.value)) == ("Epoch-Authenticator", 44)
    assert base64.b64decode(authenticator.value) == AUTHENTICATOR
    assert judge_headers((era, authenticator), Arm.APPLICATION) == Gate(7, AUTHENTICATOR, "", False)
    again = application_headers(7, AUTHENTICATOR, original=M1)
    assert find_header(again, ORIGINAL_MESSAGE_ID) == "m1" and find_header((era,), ORIGINAL_MESSAGE_ID) is None


def test_names_in_any_case_and_namespaces_by_uri() -> None:
    apple = (
        PacketHeader("urn:other", "Era-ID", "1"),
        PacketHeader(NAMESPACE, "Era-Id", "3"),
        PacketHeader(NAMESPACE, "ERA-ID", "4"),
    )
    assert era_of_headers(apple) == 3
    assert find_header(apple, "era-id", "urn:other") == "1"


def test_a_receipt_has_two_headers_and_no_others() -> None:
    """rcc16.md 4.4: an Epoch-Authenticator or Original-Message-ID on it makes a peer judge it a failure."""
    assert [(one.name, one.value) for one in receipt_headers("AAE=", 7)] == [
        ("MLS-Derived-Content-Signature", "AAE="),
        ("Era-ID", "7"),
    ]


WHOLE = control_headers(7, AUTHENTICATOR)


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ((), "Era-ID"),
        (WHOLE[1:], "Era-ID"),
        (WHOLE[:1], "Epoch-Authenticator"),
        ((PacketHeader(NAMESPACE, "Era-ID", "x"), WHOLE[1]), "Era-ID"),
        ((PacketHeader(NAMESPACE, "Era-ID", "0"), WHOLE[1]), "Era-ID"),
        ((PacketHeader(NAMESPACE, "Era-ID", "-1"), WHOLE[1]), "Era-ID"),
        ((PacketHeader(NAMESPACE, "Era-ID", "\u0663"), WHOLE[1]), "Era-ID"),
        ((PacketHeader(NAMESPACE, "Era-ID", "4294967296"), WHOLE[1]), "Era-ID"),
        ((WHOLE[0], PacketHeader(NAMESPACE, "Epoch-Authenticator", "AAAA")), "Epoch-Authenticator"),
        ((WHOLE[0], PacketHeader(NAMESPACE, "Epoch-Authenticator", WHOLE[1].value[:-1])), "Epoch-Authenticator"),
        ((WHOLE[0], PacketHeader(NAMESPACE, "Epoch-Authenticator", "\u00e9" * 44)), "Epoch-Authenticator"),
        ((WHOLE[0], PacketHeader(NAMESPACE, "Epoch-Authenticator", "A" * 9000)), "Epoch-Authenticator"),
    ],
)
def test_the_gate(headers: tuple[PacketHeader, ...], fault: str) -> None:
    """rcc16.md 3.1: a message is dropped in silence, a control message only noted."""
    message, control = judge_headers(headers, Arm.APPLICATION), judge_headers(headers, Arm.CONTROL)
    assert (message.fault, message.drop) == (fault, True)
    assert (control.fault, control.drop) == (fault, False)


def test_arms_and_types() -> None:
    assert arm_of("message/mls") is arm_of("message/mls-ft") is arm_of("message/mls-rcs-file-info") is Arm.APPLICATION
    for control in (content_types.CLIENT_CONTROL, content_types.SERVER_CONTROL, content_types.GROUP_INFO):
        assert arm_of(control) is Arm.CONTROL
    assert arm_of("message/imdn+xml") is None and arm_of(content_types.KICK) is None
    assert media_types(OURS) == {
        "message/mls",
        "message/mls-ft",
        "message/mls-rcs",
        "message/mls-rcs-client",
        "message/mls-rcs-file-info",
        "message/mls-rcs-group-metadata-keys",
        "message/mls-rcs-server",
        "message/mls-rcs-server-kick",
    }


# --- ids -----------------------------------------------------------------------------------------------------------
def test_message_ids() -> None:
    ours = new_message_id(seeded_rng("ids"))
    assert ours == ours.upper() and len(ours) == 36 and message_id(ours) == ours
    assert all(message_id(text) == text for text, _ in AAD)
    assert welcome_id(b"0b4a3c1e-0000-4000-8000-000000000000") == "mls-welcome-0b4a3c1e-0000-4000-8000-000000000000"


def test_group_ids() -> None:
    group = GroupId(bytes(range(16)))
    assert mls_group_id(group) == b"000102030405060708090a0b0c0d0e0f"
    assert group_of_mls(mls_group_id(group)) == group and not is_pair(mls_group_id(group))
    pair = new_pair_id(seeded_rng("pair"))
    assert len(pair) == 36 and is_pair(pair) and group_of_mls(pair) is None


@pytest.mark.parametrize("group_id", [b"", bytes(16), b"A" * 32, b"0" * 31, b"0" * 33, b"0" * 36, b"g" * 32])
def test_group_ids_that_are_none(group_id: bytes) -> None:
    """Raw random bytes are what servers refuse (rcc16.md 2.1)."""
    assert group_of_mls(group_id) is None and not is_pair(group_id)


def test_a_participant_without_key_has_no_identity_hash() -> None:
    with pytest.raises(InputError):
        identity_hash([(Number("+15550100"), b"")])


# --- capability tags -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tags", "pair", "group"),
    [
        (dict(capability_tags(OURS)), True, True),
        ({VERSION_TAG: '"v1"', KDS_TAG: '"2"'}, True, True),
        ({VERSION_TAG.upper(): "V1", KDS_TAG: "7"}, True, True),
        ({KDS_TAG: "2", LAUNCH_TAG: "1"}, True, True),
        ({KDS_TAG: "2", SUPPORTS_GROUPS_TAG: "true"}, False, True),
        ({KDS_TAG: "2"}, False, False),
        ({KDS_TAG: "2", VERSION_TAG: "v2"}, False, False),
        ({KDS_TAG: "x", VERSION_TAG: "v1"}, False, False),
        ({KDS_TAG: "\u0662", VERSION_TAG: "v1"}, False, False),
        ({VERSION_TAG: "v1"}, False, False),
        ({}, False, False),
    ],
)
def test_who_takes_part(tags: dict[str, str], pair: bool, group: bool) -> None:
    assert (passes(tags, group=False), passes(tags, group=True)) == (pair, group)


# --- extensions ------------------------------------------------------------------------------------------------------
UNKNOWN = Extension(0xABCD, b"\x40\x01kept as it is")


def test_era() -> None:
    assert era_of([UNKNOWN, era_extension(7)]) == 7
    assert era_of([UNKNOWN]) == 0
    for era in (0, 1 << 32):
        with pytest.raises(InputError):
            era_extension(era)
    for data in (bytes(4), b"", b"\x00\x00\x07", opaque(u32(7))):
        with pytest.raises(DecodeError):
            era_of([Extension(ERA, data)])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"end_mls", EndMls(EndReason.UNSET, "end_mls")),
        (b"", EndMls(EndReason.UNSET)),
        (b"\x08\x05", EndMls(EndReason.CONTINUITY_TOKEN_MISMATCH)),
        (b"\x08\x63", EndMls(EndReason.UNSET)),
        (b"\xff" * 4, EndMls(EndReason.UNSET, "\ufffd" * 4)),
    ],
)
def test_end_mls_is_read_in_either_form(data: bytes, expected: EndMls) -> None:
    """Its presence is the meaning: nothing in it keeps a group from having ended."""
    assert end_mls_of([Extension(END_MLS, data)]) == expected
    assert end_mls_of([UNKNOWN]) is None


@pytest.mark.parametrize("length", [32, 48, 64])
def test_commitments_framed_and_bare(length: int) -> None:
    digest = bytes(range(length))
    assert commitment_of([Extension(ICON_COMMITMENT, digest)], ICON_COMMITMENT) == digest
    assert commitment_of([opaque_extension(ICON_COMMITMENT, digest)], ICON_COMMITMENT) == digest
    assert commitment_of([], SUBJECT_COMMITMENT) is None


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), opaque(bytes(30)), opaque(bytes(32)) + b"x"])
def test_commitments_that_are_none(data: bytes) -> None:
    with pytest.raises(DecodeError):
        commitment_of([Extension(SUBJECT_COMMITMENT, data)], SUBJECT_COMMITMENT)


def test_continuity() -> None:
    token = b"\x5a" * 32
    assert continuity_token_of([opaque_extension(CONTINUITY_TOKEN, token)]) == token
    assert continuity_token_of([Extension(CONTINUITY_TOKEN, token)]) == token
    assert continuity_token_of([]) is continuity_commitment_of([]) is None
    assert continuity_commitment_of([opaque_extension(CONTINUITY_COMMITMENT, token)]) == token
    for kind in (CONTINUITY_TOKEN, CONTINUITY_COMMITMENT):
        with pytest.raises(DecodeError):
            (continuity_token_of if kind == CONTINUITY_TOKEN else continuity_commitment_of)(
                [opaque_extension(kind, bytes(30))]
            )
    # The commitment is never bare (rcc16.md 2.1).
    with pytest.raises(DecodeError):
        continuity_commitment_of([Extension(CONTINUITY_COMMITMENT, token)])


def test_a_request_for_keys_is_a_flag() -> None:
    for data in (b"", b"whatever", metadata_keys_request_extension(Revision.V4).extension_data):
        assert metadata_keys_requested([Extension(METADATA_KEYS_REQUESTED, data)])
    assert not metadata_keys_requested([UNKNOWN])
    assert opaque_value([metadata_keys_request_extension(Revision.V4)], METADATA_KEYS_REQUESTED) == (
        b"group_metadata_keys_requested"
    )


def test_what_is_not_named_stays_byte_for_byte() -> None:
    """A dropped or rewritten extension changes the GroupContext of everybody (rcc16.md 2.1)."""
    bare = Extension(SUBJECT_COMMITMENT, bytes(32))
    before = (UNKNOWN, era_extension(3), bare, Extension(END_MLS, b"end_mls"))
    icon = opaque_extension(ICON_COMMITMENT, bytes(32))
    assert merge(before, {ICON_COMMITMENT: icon}) == (*before, icon)
    assert merge(before, {END_MLS: None}) == before[:3]
    changed = opaque_extension(SUBJECT_COMMITMENT, bytes(32))
    assert merge(before, {SUBJECT_COMMITMENT: changed}) == (UNKNOWN, before[1], changed, before[3])
    assert merge(before, {0x1234: None}) == before


def test_a_new_era_copies_all_but_the_era() -> None:
    ended = end_mls_extension(EndReason.UNTRUSTED_ROOT, Revision.V4)
    before = (UNKNOWN, era_extension(3), ended)
    assert next_era(before, 4, Advance.NORMAL) == (UNKNOWN, era_extension(4), ended)
    assert next_era(before, 4, Advance.REVIVAL) == (UNKNOWN, era_extension(4))
    other = end_mls_extension(EndReason.INTERNAL_CLIENT_ERROR, Revision.V4)
    assert next_era(before[:2], 4, Advance.PHOENIX, end_mls=other) == (UNKNOWN, era_extension(4), other)
    with pytest.raises(InputError):
        next_era(before, 4, Advance.PHOENIX)


# --- choices, and what a leaf says -------------------------------------------------------------------------------------
def test_every_choice_is_in_the_table_and_says_where_it_is_made() -> None:
    """A row with a field is a switch that some code reads; one without is a fixed decision of the place it names."""
    rows = {row.id: row for row in CHOICES}
    assert len(rows) == len(CHOICES)
    assert {row.id for row in CHOICES if row.switched} == set(Choices.__dataclass_fields__)
    assert {2, 3, 5, 8, 10, 13, 16} <= {row.item for row in CHOICES}
    for row in CHOICES:
        assert row.open and row.mark and row.ours
        sources = [(SOURCE / place).read_text(encoding="utf-8") for place in row.where.split(", ")]
        if row.switched:
            assert any(f".{row.id}" in text for text in sources), row.id


def test_a_dialect_without_the_resent_component() -> None:
    component = u16(1) + opaque(b"m1") + u32(4) + b"\x02"
    assert decode_authenticated_data(component, accept_resent=True).resent == b"\x02"
    assert decode_authenticated_data(FIRST, accept_resent=False).era == 6
    with pytest.raises(DecodeError):
        decode_authenticated_data(component, accept_resent=False)


def test_what_our_leaves_say() -> None:
    """rcc16.md 1.10; a proposal that is advertised and not known would block a group: never the union."""
    assert capabilities(Revision.V3) is OURS_V3 and capabilities(Revision.V4) is OURS_V4
    named = {0xF001, 0xF002, 0xF003, 0xF004, 0xF005, 0xF006, 0xF007, 0xE000}
    for leaf in (OURS_V3, OURS_V4):
        assert set(leaf.extensions) == named | set(range(0xF010, 0xF031)) | {0x000A}
        assert (leaf.versions, leaf.cipher_suites, leaf.credentials) == ((1,), (2,), (1, 2))
    assert set(OURS_V3.proposals) == {0xF001, 0xF002, 0xF003, 0xF004} | set(range(0xF010, 0xF019))
    assert set(OURS_V4.proposals) == {0xF002, 0xF003, 0xF004} | set(range(0xF012, 0xF031))
