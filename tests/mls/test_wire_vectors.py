"""The published messages: each is read, written the same, and refused when cut or lengthened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from letterlock.codec.tls import Reader, opaque, u16, varint, whole
from letterlock.errors import DecodeError
from letterlock.mls import registries
from letterlock.mls.wire.commit import Commit
from letterlock.mls.wire.framing import ContentType, PrivateMessage, PublicMessage
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import (
    RFC_PROPOSALS,
    Proposal,
    encode_proposal,
    proposal_type_of,
    read_proposal,
)
from letterlock.mls.wire.tree_nodes import decode_ratchet_tree, encode_ratchet_tree
from letterlock.mls.wire.welcome import GroupInfo, GroupSecrets, Welcome
from mls.vectors import load

CASES = load("messages")
LIMIT = 1 << 20

MESSAGES: dict[str, type] = {
    "mls_welcome": Welcome,
    "mls_group_info": GroupInfo,
    "mls_key_package": KeyPackage,
    "public_message_application": PublicMessage,
    "public_message_proposal": PublicMessage,
    "public_message_commit": PublicMessage,
    "private_message": PrivateMessage,
}
PROPOSALS = {
    "add_proposal": registries.ADD,
    "update_proposal": registries.UPDATE,
    "remove_proposal": registries.REMOVE,
    "pre_shared_key_proposal": registries.PRE_SHARED_KEY,
    "re_init_proposal": registries.REINIT,
    "external_init_proposal": registries.EXTERNAL_INIT,
    "group_context_extensions_proposal": registries.GROUP_CONTEXT_EXTENSIONS,
}


def _proposal(raw: bytes) -> Proposal:
    return whole(raw, lambda reader: read_proposal(reader, RFC_PROPOSALS))


OTHERS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "ratchet_tree": (lambda raw: decode_ratchet_tree(raw, LIMIT), encode_ratchet_tree),
    "group_secrets": (GroupSecrets.decode, GroupSecrets.encode),
    "commit": (lambda raw: Commit.decode(raw, RFC_PROPOSALS), Commit.encode),
}


def _decode(field: str, raw: bytes) -> Any:
    if field in MESSAGES:
        return decode_message(raw, RFC_PROPOSALS, LIMIT)
    return _proposal(raw) if field in PROPOSALS else OTHERS[field][0](raw)


def _encode(field: str, value: Any) -> bytes:
    if field in MESSAGES:
        return encode_message(value)
    return encode_proposal(value, RFC_PROPOSALS) if field in PROPOSALS else OTHERS[field][1](value)


def _raw(field: str, case: Any) -> bytes:
    """The vectors hold a proposal without its type."""
    body = bytes.fromhex(case[field])
    return u16(PROPOSALS[field]) + body if field in PROPOSALS else body


FIELDS = (*MESSAGES, *PROPOSALS, *OTHERS)
each = pytest.mark.parametrize("field", FIELDS)


def test_nothing_is_left_out() -> None:
    assert len(CASES) == 300
    for case in CASES:
        assert set(case) == set(FIELDS)


@each
def test_read_and_written_the_same(field: str) -> None:
    ran = 0
    for case in CASES:
        raw = _raw(field, case)
        value = _decode(field, raw)
        assert _encode(field, value) == raw
        if field in MESSAGES:
            assert type(value) is MESSAGES[field]
        if field in PROPOSALS:
            assert proposal_type_of(value, RFC_PROPOSALS) == PROPOSALS[field]
        ran += 1
    assert ran == 300


@pytest.mark.parametrize(
    ("field", "content_type"),
    [
        ("public_message_application", ContentType.APPLICATION),
        ("public_message_proposal", ContentType.PROPOSAL),
        ("public_message_commit", ContentType.COMMIT),
    ],
)
def test_content_types(field: str, content_type: ContentType) -> None:
    for case in CASES:
        message = _decode(field, _raw(field, case))
        assert message.content.content_type == content_type
        assert (message.auth.confirmation_tag is not None) == (content_type == ContentType.COMMIT)


def _refuse_all_cuts(field: str, cases: list[Any]) -> None:
    for case in cases:
        raw = _raw(field, case)
        for end in range(len(raw)):
            with pytest.raises(DecodeError):
                _decode(field, raw[:end])
        with pytest.raises(DecodeError) as raised:
            _decode(field, raw + b"\x00")
        assert raised.value.code == "tls.trailing"


@each
def test_cuts_of_some(field: str) -> None:
    _refuse_all_cuts(field, CASES[::20])


@pytest.mark.slow
@each
def test_cuts_of_all(field: str) -> None:
    _refuse_all_cuts(field, CASES)


def test_lengths() -> None:
    """`deserialization`: the header of a vector, and the length it stands for."""
    cases = load("deserialization")
    for case in cases:
        header, length = bytes.fromhex(case["vlbytes_header"]), case["length"]
        reader = Reader(header)
        assert reader.varint() == length
        reader.end()
        assert varint(length) == header
        if length < LIMIT:
            assert opaque(bytes(length))[: len(header)] == header
            assert Reader(header + bytes(length)).vector() == bytes(length)
    assert len(cases) == 14
