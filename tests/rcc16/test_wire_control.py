"""Control messages and FileInfo: what is written reads back, what deployed servers do differently is understood."""

from __future__ import annotations

import pytest
from hypothesis import given

from letterlock.codec.protobuf import bytes_field, decode_repeated, fixed32_field, fixed64_field, varint_field
from letterlock.codec.tls import opaque
from letterlock.errors import DecodeError, LimitExceeded
from letterlock.ids import Number
from letterlock.rcc16.choices import OURS, ControlNumbers
from letterlock.rcc16.wire.control import (
    Accepted,
    ClientMessage,
    ControlLimits,
    EndReason,
    EnhancedGroupInfo,
    EpochIdentifier,
    GroupInfoMessage,
    MetadataKeys,
    MlsMessage,
    Operation,
    RosterChange,
    ServerMessage,
    decode_client_message,
    decode_end_metadata,
    decode_enhanced_group_info,
    decode_epoch_identifier,
    decode_metadata_keys,
    decode_server_message,
    encode_client_message,
    encode_enhanced_group_info,
    encode_epoch_identifier,
    encode_metadata_keys,
    encode_server_message,
)
from letterlock.rcc16.wire.file_info import FileInfo, decode_file_info, encode_file_info, encode_file_metadata

from .wire_values import (
    BUNDLE,
    CLIENT_MESSAGE,
    CLIENT_MESSAGES,
    ENTRY,
    FILE_INFOS,
    GROUP_INFO,
    IDENTIFIER,
    IDENTIFIERS,
    LIMITS,
    PAGE,
    PAGES,
    SERVER_MESSAGES,
)

NUMBERS = OURS.control_numbers


@given(CLIENT_MESSAGES)
def test_a_clients_message(message: ClientMessage) -> None:
    assert decode_client_message(encode_client_message(message, NUMBERS), NUMBERS, LIMITS) == message


@given(SERVER_MESSAGES)
def test_a_servers_message(message: ServerMessage) -> None:
    assert decode_server_message(encode_server_message(message, NUMBERS), NUMBERS, LIMITS) == message


@given(PAGES)
def test_an_answer_to_a_pull(page: EnhancedGroupInfo) -> None:
    assert decode_enhanced_group_info(encode_enhanced_group_info(page, NUMBERS), NUMBERS, LIMITS) == page


@given(IDENTIFIERS)
def test_the_name_of_an_epoch(identifier: EpochIdentifier) -> None:
    assert decode_epoch_identifier(encode_epoch_identifier(identifier)) == identifier


@given(FILE_INFOS)
def test_file_info(info: FileInfo) -> None:
    assert decode_file_info(encode_file_info(info)) == info


def test_metadata_keys() -> None:
    for token in (b"", bytes(32)):
        keys = MetadataKeys(token, FileInfo(subject=ENTRY))
        assert decode_metadata_keys(encode_metadata_keys(keys)) == keys
    with pytest.raises(DecodeError):
        decode_metadata_keys(bytes_field(1, bytes(31)))


def test_the_field_numbers_are_the_contracts() -> None:
    """rcc16.md 12, item 2: ours, in one table; a client of another dialect takes other numbers."""
    data = encode_client_message(CLIENT_MESSAGE, NUMBERS)
    assert data.startswith(bytes_field(1, CLIENT_MESSAGE.commit) + bytes_field(2, CLIENT_MESSAGE.group_info))
    assert data.endswith(varint_field(13, 3))
    other = ControlNumbers(commit=20, operation=1)
    moved = encode_client_message(CLIENT_MESSAGE, other)
    assert decode_client_message(moved, other, LIMITS) == CLIENT_MESSAGE
    with pytest.raises(DecodeError):
        decode_client_message(moved, NUMBERS, LIMITS)


# --- tolerance of deployed servers ------------------------------------------------------------------------------
def test_one_mls_message_behind_its_length() -> None:
    message = b"\x00\x01\x00\x01proposal"
    for written in (message, opaque(message)):
        assert decode_server_message(bytes_field(1, written), NUMBERS, LIMITS) == MlsMessage(message)
    info = bytes_field(3, bytes_field(1, opaque(message)) + bytes_field(2, b"t") + bytes_field(4, bytes(32)))
    assert decode_server_message(info, NUMBERS, LIMITS) == GroupInfoMessage(message, b"t", bytes(32))


def test_a_bundle_in_a_bundle() -> None:
    """The path f2.f1.f2 that was seen (rcc16.md 2.6)."""
    inner = encode_server_message(BUNDLE, NUMBERS)
    assert decode_server_message(bytes_field(2, bytes_field(1, inner)), NUMBERS, LIMITS) == BUNDLE


def test_bundles_do_not_nest_without_end() -> None:
    data = encode_server_message(BUNDLE, NUMBERS)
    for _ in range(4):
        data = bytes_field(2, bytes_field(1, data))
    with pytest.raises(LimitExceeded):
        decode_server_message(data, NUMBERS, LIMITS)


def test_an_acceptance_that_says_no_more_than_that() -> None:
    for where in (b"", b"opaque bytes of somebody"):
        data = bytes_field(4, bytes_field(1, b"m-1") + bytes_field(2, where))
        assert decode_server_message(data, NUMBERS, LIMITS) == Accepted("m-1", None)


def test_unknown_fields_are_passed_over() -> None:
    more = bytes_field(99, b"?") + varint_field(98, 7) + fixed32_field(97, 7) + fixed64_field(96, 7)
    assert decode_client_message(encode_client_message(CLIENT_MESSAGE, NUMBERS) + more, NUMBERS, LIMITS) == (
        CLIENT_MESSAGE
    )
    assert decode_end_metadata(varint_field(1, 99)) is EndReason.UNSET


# --- refusals -----------------------------------------------------------------------------------------------------
SMALL = ControlLimits(max_size=40, max_roster=200, max_page=20)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "rcc16.control"),
        (varint_field(13, 9) + varint_field(7, 1), "rcc16.control"),
        (varint_field(13, 3), "rcc16.era"),
        (varint_field(13, 3) + varint_field(7, 1 << 32), "rcc16.era"),
        (varint_field(13, 3) + varint_field(7, 1) + bytes_field(6, bytes(31)), "rcc16.control"),
        (varint_field(13, 3) + varint_field(7, 1) + bytes_field(9, b"\xff"), "rcc16.control"),
        (varint_field(13, 3) + varint_field(7, 1) + bytes_field(10, bytes_field(1, b"no number")), "rcc16.control"),
        (varint_field(13, 3) + varint_field(7, 1) + bytes_field(10, bytes_field(1, b"\xff")), "rcc16.control"),
        (varint_field(13, 3) + varint_field(7, 1) + bytes_field(12, bytes_field(2, b"\xff")), "rcc16.control"),
        (b"\x0a\xff", "protobuf.truncated"),
    ],
)
def test_clients_messages_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_client_message(data, NUMBERS, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "rcc16.control"),
        (bytes_field(1, b"\x00\x01") + bytes_field(4, b""), "rcc16.control"),
        (bytes_field(4, b""), "rcc16.control"),
        (bytes_field(4, bytes_field(1, b"\xff")), "rcc16.control"),
        (bytes_field(1, b"\x05ab"), "tls.truncated"),
        (bytes_field(2, bytes_field(1, b"\x00\x01x") + bytes_field(4, bytes(31))), "rcc16.control"),
        (bytes_field(3, bytes_field(4, bytes(31))), "rcc16.control"),
    ],
)
def test_servers_messages_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_server_message(data, NUMBERS, LIMITS)
    assert caught.value.code == code


def _page(*, info: bytes = b"\x00\x01i", tree: bytes = b"t", latest: bytes | None = None, end: bytes = b"") -> bytes:
    latest = encode_epoch_identifier(IDENTIFIER) if latest is None else latest
    body = bytes_field(1, info) + bytes_field(2, tree) + bytes_field(4, bytes(32))
    return bytes_field(2, latest) + bytes_field(3, body) + (bytes_field(5, end) if end else b"")


def test_an_answer_that_lacks_what_a_client_needs() -> None:
    """rcc16.md 2.6: GroupInfo, tree and the latest authenticator have to be there."""
    assert decode_enhanced_group_info(_page(), NUMBERS, LIMITS).page_end is None
    for data in (_page(info=b""), _page(tree=b""), _page(latest=b""), _page(end=b"\x08\x07"), b""):
        with pytest.raises(DecodeError):
            decode_enhanced_group_info(data, NUMBERS, LIMITS)


@pytest.mark.parametrize("data", [b"", varint_field(1, 7), bytes_field(3, bytes(32)), b"\x08\x07\x1a\x00"])
def test_the_name_of_no_epoch(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_epoch_identifier(data)


def test_everything_is_bounded() -> None:
    """SR-08."""
    for size, decode in (
        (100, lambda data: decode_client_message(data, NUMBERS, SMALL)),
        (100, lambda data: decode_server_message(data, NUMBERS, SMALL)),
        (100, lambda data: decode_enhanced_group_info(data, NUMBERS, SMALL)),
    ):
        with pytest.raises(LimitExceeded):
            decode(bytes(size))
    crowd = tuple(Number(f"+1555{n:07}") for n in range(201))
    message = ClientMessage(
        operation=Operation.COMMIT, era=1, message_id="m", roster=RosterChange(crowd[:200], crowd[:200])
    )
    assert decode_client_message(encode_client_message(message, NUMBERS), NUMBERS, LIMITS) == message
    for roster in (RosterChange(add=crowd), RosterChange(remove=crowd)):
        too_many = ClientMessage(operation=Operation.COMMIT, era=1, message_id="m", roster=roster)
        with pytest.raises(LimitExceeded):
            decode_client_message(encode_client_message(too_many, NUMBERS), NUMBERS, LIMITS)
    long = EnhancedGroupInfo(IDENTIFIER, GROUP_INFO, PAGE.messages[:1] * 21)
    with pytest.raises(LimitExceeded):
        decode_enhanced_group_info(encode_enhanced_group_info(long, NUMBERS), NUMBERS, LIMITS)


def test_repeated_fields() -> None:
    data = bytes_field(1, b"a") + varint_field(1, 9) + bytes_field(2, b"x") + fixed64_field(3, 1) + bytes_field(1, b"")
    assert decode_repeated(data, 1, max_values=5) == (b"a", b"")
    with pytest.raises(LimitExceeded):
        decode_repeated(bytes_field(1, b"") * 6, 1, max_values=5)
    with pytest.raises(LimitExceeded):
        decode_repeated(varint_field(2, 1) * 70, 1, max_values=5)
    for wrong in (b"\x0a", b"\x0a\x05a", b"\x08", b"\x00", b"\x0b", b"\x0d\x00", b"\x80"):
        with pytest.raises(DecodeError):
            decode_repeated(wrong, 1, max_values=5)


# --- FileInfo -------------------------------------------------------------------------------------------------------
def _entry(key: int = 32, iv: int = 12, tag: int = 32, algorithm: int = 1, name: bytes = b"n") -> bytes:
    info = bytes_field(1, bytes(key)) + bytes_field(2, bytes(iv)) + bytes_field(3, bytes(tag))
    return bytes_field(1, bytes_field(1, name) + bytes_field(3, info + varint_field(4, algorithm)))


def test_an_entry_without_a_hint() -> None:
    info = decode_file_info(_entry())
    assert info.file is not None and info.file.encryption.length_hint == 0
    assert encode_file_metadata(info.file) and decode_file_info(encode_file_info(info)) == info


@pytest.mark.parametrize(
    "data",
    [
        _entry(key=31),
        _entry(iv=16),
        _entry(tag=16),
        _entry(algorithm=0),
        _entry(algorithm=2),
        _entry(name=b"\xff"),
        _entry(name=b"n" * 1025),
        bytes_field(1, b""),
    ],
)
def test_entries_that_are_none(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_file_info(data)
    assert caught.value.code == "rcc16.file_info"


def test_no_repr_shows_a_key() -> None:
    """SR-11."""
    key = b"\x41" * 32
    info = decode_file_info(
        encode_file_info(FileInfo(file=ENTRY)).replace(bytes_field(1, bytes(32)), bytes_field(1, key))
    )
    assert info.file is not None and info.file.encryption.key_material == key
    assert "AAAA" not in repr(info) and "AAAA" not in repr(MetadataKeys(key, info))
