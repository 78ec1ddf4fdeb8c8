"""MLS bytes that do not follow the grammar, one kind at a time, and unknown numbers that have to survive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from letterlock.codec.tls import opaque, u8, u16, u16_vector, u32, u64, whole
from letterlock.errors import DecodeError, InputError, LimitExceeded
from letterlock.mls import registries
from letterlock.mls.wire.commit import Commit, UpdatePath
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import (
    Extension,
    ExternalSender,
    RequiredCapabilities,
    decode_external_senders,
    encode_extensions,
    encode_external_senders,
    find_extension,
    read_extensions,
)
from letterlock.mls.wire.framing import (
    ContentType,
    FramedContent,
    FramedContentAuthData,
    PrivateMessage,
    PrivateMessageContent,
    PublicMessage,
    Sender,
)
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode, LeafNodeSource, Lifetime
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import (
    RFC_PROPOSALS,
    CustomProposal,
    CustomProposalType,
    ExternalInit,
    Proposal,
    ProposalTypes,
    Remove,
    SelfRemove,
    encode_proposal,
    proposal_type_of,
    read_proposal,
)
from letterlock.mls.wire.psk import PreSharedKeyID, ResumptionPSKUsage
from letterlock.mls.wire.tree_nodes import ParentNode, decode_ratchet_tree, encode_ratchet_tree
from letterlock.mls.wire.welcome import GroupContext, GroupInfo, GroupSecrets
from mls.wire_values import BARE_EMPTY, BARE_UINT32, OPAQUE, TYPES

LIMIT = 1 << 20
CAPABILITIES = Capabilities((1,), (1, 0x2A2A), (0xEAEA,), (0x0A0A, 0xF001), (1, 2, 0xFFFF))


def refused(code: str, run: Callable[[], Any]) -> None:
    with pytest.raises(DecodeError) as raised:
        run()
    assert raised.value.code == code


def leaf(
    source: LeafNodeSource = LeafNodeSource.KEY_PACKAGE,
    credential: Credential = Credential.basic(b"ana"),  # noqa: B008
    capabilities: Capabilities = CAPABILITIES,
    extensions: tuple[Extension, ...] = (),
) -> LeafNode:
    return LeafNode.build(
        encryption_key=b"encryption key",
        signature_key=b"signature key",
        credential=credential,
        capabilities=capabilities,
        leaf_node_source=source,
        extensions=extensions,
        sign=lambda tbs: b"signature",
        lifetime=Lifetime(1, 2) if source == LeafNodeSource.KEY_PACKAGE else None,
        parent_hash=b"parent hash" if source == LeafNodeSource.COMMIT else None,
    )


def key_package(version: int = 1) -> KeyPackage:
    return KeyPackage.build(
        version=version, cipher_suite=1, init_key=b"init", leaf_node=leaf(), extensions=(), sign=lambda tbs: b"s"
    )


def proposal(raw: bytes, types: ProposalTypes = TYPES) -> Proposal:
    return whole(raw, lambda reader: read_proposal(reader, types))


# --- closed numbers --------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 4, 5, 0x0A, 255])
def test_leaf_node_source(number: int) -> None:
    encoded = bytearray(leaf(LeafNodeSource.UPDATE).encoded)
    at = encoded.index(CAPABILITIES.encode()) + len(CAPABILITIES.encode())
    assert encoded[at] == LeafNodeSource.UPDATE
    encoded[at] = number
    refused("mls.leaf_node_source", lambda: LeafNode.decode(bytes(encoded)))


@pytest.mark.parametrize("number", [0, 3, 255])
def test_psk_type(number: int) -> None:
    encoded = PreSharedKeyID.external(b"id", b"nonce").encode()
    refused("mls.psk_type", lambda: PreSharedKeyID.decode(u8(number) + encoded[1:]))


@pytest.mark.parametrize("number", [0, 4, 255])
def test_psk_usage(number: int) -> None:
    encoded = PreSharedKeyID.resumption(ResumptionPSKUsage.BRANCH, b"group", 7, b"nonce").encode()
    assert encoded[1] == 3
    refused("mls.psk_usage", lambda: PreSharedKeyID.decode(encoded[:1] + u8(number) + encoded[2:]))


@pytest.mark.parametrize("number", [0, 5, 255])
def test_sender_type(number: int) -> None:
    refused("mls.sender_type", lambda: whole(u8(number) + u32(0), Sender.read))


def _framed(content: bytes | Proposal | Commit) -> FramedContent:
    return FramedContent.build(
        group_id=b"g", epoch=3, sender=Sender.member(1), authenticated_data=b"", content=content, types=TYPES
    )


@pytest.mark.parametrize("number", [0, 4, 255])
def test_content_type(number: int) -> None:
    framed = _framed(b"hello")
    encoded = framed.encoded.replace(u8(1) + opaque(b"hello"), u8(number) + opaque(b"hello"))
    refused("mls.content_type", lambda: FramedContent.decode(encoded, TYPES))
    private = opaque(b"g") + u64(3) + u8(number) + opaque(b"") + opaque(b"data") + opaque(b"text")
    refused("mls.content_type", lambda: PrivateMessage.decode(private))


@pytest.mark.parametrize("number", [0, 3, 255])
def test_proposal_or_ref(number: int) -> None:
    encoded = opaque(u8(number) + opaque(b"reference")) + b"\x00"
    refused("mls.proposal_or_ref", lambda: Commit.decode(encoded, TYPES))


@pytest.mark.parametrize("octet", [2, 3, 0x40, 0xFF])
def test_presence_octets(octet: int) -> None:
    path = UpdatePath(leaf(LeafNodeSource.COMMIT), ())
    refused("tls.optional", lambda: Commit.decode(opaque(b"") + u8(octet), TYPES))
    refused("tls.optional", lambda: Commit.decode(opaque(b"") + u8(octet) + path.encode(), TYPES))
    secrets = GroupSecrets(b"joiner", b"path", ()).encode()
    refused("tls.optional", lambda: GroupSecrets.decode(secrets.replace(b"\x01\x04path", u8(octet) + b"\x04path")))
    node = u8(octet) + u8(1) + leaf().encoded
    refused("tls.optional", lambda: decode_ratchet_tree(opaque(node), LIMIT))


# --- MLSMessage ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [0, 2, 0x0A0A, 0xFFFF])
def test_version(version: int) -> None:
    raw = encode_message(key_package())
    refused("mls.version", lambda: decode_message(u16(version) + raw[2:], TYPES, LIMIT))
    context = GroupContext(1, b"g", 0, b"", b"", ()).encoded
    refused("mls.version", lambda: GroupContext.decode(u16(version) + context[2:]))
    # A key package names its version twice; only in an MLSMessage can they differ.
    refused("mls.version", lambda: decode_message(encode_message(key_package(version)), TYPES, LIMIT))
    assert KeyPackage.decode(key_package(version).encoded).version == version


@pytest.mark.parametrize("wire_format", [0, 6, 0x0A0A, 0xF001, 0xFFFF])
def test_wire_format(wire_format: int) -> None:
    raw = encode_message(key_package())
    refused("mls.wire_format", lambda: decode_message(raw[:2] + u16(wire_format) + raw[4:], TYPES, LIMIT))


def test_one_wire_format_is_not_another() -> None:
    """KeyPackage and Welcome both begin with a number of 16 bits; each other format has to fail or differ."""
    raw = encode_message(key_package())
    for wire_format in registries.WIRE_FORMAT_NAMES:
        if wire_format == registries.KEY_PACKAGE:
            continue
        with pytest.raises(DecodeError):
            decode_message(raw[:2] + u16(wire_format) + raw[4:], TYPES, LIMIT)


def test_the_limit_comes_first() -> None:
    raw = encode_message(key_package())
    assert decode_message(raw, TYPES, len(raw)) == key_package()
    with pytest.raises(LimitExceeded) as raised:
        decode_message(raw, TYPES, len(raw) - 1)
    assert raised.value.code == "mls.limit"
    with pytest.raises(LimitExceeded):
        decode_message(b"\xff" * 10, TYPES, 9)
    tree = encode_ratchet_tree([leaf()])
    assert decode_ratchet_tree(tree, len(tree)) == [leaf()]
    with pytest.raises(LimitExceeded):
        decode_ratchet_tree(tree, len(tree) - 1)


def test_a_length_inside_a_structure_in_its_longer_form() -> None:
    encoded = key_package().encoded
    longer = encoded.replace(opaque(b"init"), b"\x40\x04init", 1)
    assert len(longer) == len(encoded) + 1
    refused("tls.varint", lambda: KeyPackage.decode(longer))


def test_a_length_over_what_is_left() -> None:
    encoded = key_package().encoded
    assert encoded.endswith(opaque(b"s"))
    for header in (b"\x02", b"\x3f", b"\x40\x40", b"\x7f\xff", b"\x80\x00\x40\x00", b"\xbf\xff\xff\xff"):
        refused("tls.truncated", lambda header=header: KeyPackage.decode(encoded[:-2] + header + b"s"))


# --- private content --------------------------------------------------------------------------------------
def test_padding() -> None:
    inside = PrivateMessageContent.of(_framed(b"hello"), FramedContentAuthData(b"signature", None))
    for padding in (0, 1, 2, 255, 1000):
        raw = inside.encode(padding)
        assert PrivateMessageContent.decode(raw, ContentType.APPLICATION, TYPES) == inside
        for at in range(len(raw) - padding, len(raw)):
            hostile = bytearray(raw)
            hostile[at] = 0x80
            refused(
                "mls.padding",
                lambda hostile=hostile: PrivateMessageContent.decode(bytes(hostile), ContentType.APPLICATION, TYPES),
            )


def test_users_words_are_in_no_repr() -> None:
    framed = _framed(b"meet me at noon")
    auth = FramedContentAuthData(b"signature", None)
    for value in (framed, PrivateMessageContent.of(framed, auth), PublicMessage(framed, auth, b"tag")):
        assert "noon" not in repr(value)
    secrets = repr(GroupSecrets(b"joiner-secret", b"path-secret", ()))
    assert "-secret" not in secrets


# --- credentials and extensions -----------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 3, 4, 0x0A0A, 0xF000])
def test_unknown_credential_types(number: int) -> None:
    refused("mls.credential", lambda: whole(u16(number) + opaque(b"x"), Credential.read))
    encoded = leaf().encoded.replace(Credential.basic(b"ana").encode(), u16(number) + opaque(b"ana"))
    refused("mls.credential", lambda: LeafNode.decode(encoded))


def test_x509_credentials() -> None:
    chain = Credential.x509((b"own", b"issuer"))
    assert whole(chain.encode(), Credential.read) == chain
    assert (chain.identity, chain.certificates) == (b"", (b"own", b"issuer"))
    refused("tls.truncated", lambda: whole(u16(registries.X509) + opaque(b"\x05own"), Credential.read))


def test_unknown_numbers_survive() -> None:
    """GREASE: unknown extensions stay as bytes, unknown capabilities as numbers."""
    extensions = tuple(Extension(number, bytes([at])) for at, number in enumerate(sorted(registries.GREASE_VALUES)))
    grease = tuple(sorted(registries.GREASE_VALUES))
    value = leaf(capabilities=Capabilities((1,), grease, grease, grease, (1, *grease)), extensions=extensions)
    back = LeafNode.decode(value.encoded)
    assert back.extensions == extensions
    assert back.capabilities == value.capabilities
    assert find_extension(back.extensions, 0x1A1A) == b"\x01"
    assert find_extension(back.extensions, 0x1A1B) is None


def test_a_duplicate_extension_is_for_others_to_refuse() -> None:
    twice = (Extension(7, b"a"), Extension(7, b"b"))
    assert whole(encode_extensions(twice), read_extensions) == twice
    assert find_extension(twice, 7) == b"a"


def test_an_extension_may_not_reach_over_its_list() -> None:
    refused("tls.truncated", lambda: whole(opaque(u16(7) + b"\x03ab") + b"c", read_extensions))
    refused("tls.truncated", lambda: whole(opaque(b"\x00"), read_extensions))


def test_bodies_of_extensions() -> None:
    required = RequiredCapabilities((1,), (), (2, 0x0A0A))
    assert RequiredCapabilities.decode(required.encode()) == required
    refused("tls.trailing", lambda: RequiredCapabilities.decode(required.encode() + b"\x00"))
    refused("tls.truncated", lambda: RequiredCapabilities.decode(opaque(b"\x00") + opaque(b"") + opaque(b"")))
    sender = ExternalSender(b"key", Credential.basic(b"server"))
    assert decode_external_senders(encode_external_senders((sender, sender))) == (sender, sender)
    assert decode_external_senders(b"\x00") == ()
    refused("tls.trailing", lambda: decode_external_senders(encode_external_senders((sender,)) + b"\x00"))
    # Without the length of the whole list, as some write it.
    with pytest.raises(DecodeError):
        decode_external_senders(sender.encode())


def test_equal_capabilities_are_one_object() -> None:
    one, other = (LeafNode.decode(leaf(source).encoded) for source in (LeafNodeSource.UPDATE, LeafNodeSource.COMMIT))
    assert one.capabilities is other.capabilities
    long = Capabilities((1,), tuple(range(400)), (), (), ())
    first, second = (LeafNode.decode(leaf(capabilities=long).encoded) for _ in range(2))
    assert first.capabilities == second.capabilities == long
    assert first.capabilities is not second.capabilities, "what a peer sends is not kept without bound"


@pytest.mark.parametrize("which", range(5))
def test_capabilities_that_end_inside_a_number(which: int) -> None:
    lists = [u16_vector((1,))] * 5
    lists[which] = opaque(b"\x00\x01\x00")
    encoded = leaf().encoded.replace(CAPABILITIES.encode(), b"".join(lists))
    refused("tls.truncated", lambda: LeafNode.decode(encoded))


def test_a_leaf_has_what_belongs_to_its_source() -> None:
    for source in LeafNodeSource:
        back = LeafNode.decode(leaf(source).encoded)
        assert (back.lifetime is not None) == (source == LeafNodeSource.KEY_PACKAGE)
        assert (back.parent_hash is not None) == (source == LeafNodeSource.COMMIT)
    for source, lifetime, parent_hash in (
        (LeafNodeSource.KEY_PACKAGE, None, None),
        (LeafNodeSource.UPDATE, Lifetime(0, 0), None),
        (LeafNodeSource.UPDATE, None, b""),
        (LeafNodeSource.COMMIT, None, None),
        (LeafNodeSource.COMMIT, Lifetime(0, 0), b""),
    ):
        with pytest.raises(InputError):
            LeafNode.build(
                encryption_key=b"",
                signature_key=b"",
                credential=Credential.basic(b""),
                capabilities=CAPABILITIES,
                leaf_node_source=source,
                extensions=(),
                sign=lambda tbs: b"",
                lifetime=lifetime,
                parent_hash=parent_hash,
            )


def test_only_a_leaf_of_a_group_signs_the_group() -> None:
    for source in LeafNodeSource:
        value = leaf(source)
        group_part = value.tbs(b"group", 5).removeprefix(value.encoded[: -len(opaque(value.signature))])
        assert group_part == (b"" if source == LeafNodeSource.KEY_PACKAGE else opaque(b"group") + u32(5))


# --- ratchet tree ---------------------------------------------------------------------------------------------
PARENT = ParentNode(b"key", b"hash", (1, 2))


def test_trees() -> None:
    a, b = leaf(), leaf(LeafNodeSource.UPDATE)
    for nodes in ([a], [a, PARENT, b], [None, PARENT, b], [a, None, b], [a, PARENT], [None, None, None, PARENT]):
        encoded = encode_ratchet_tree(nodes)
        assert decode_ratchet_tree(encoded, LIMIT) == nodes
        assert encode_ratchet_tree([*nodes, None, None]) == encoded
        refused("tls.trailing", lambda encoded=encoded: decode_ratchet_tree(encoded + b"\x00", LIMIT))


def test_the_last_node_is_not_blank() -> None:
    whole_tree = b"\x01\x01" + leaf().encoded
    assert decode_ratchet_tree(opaque(whole_tree), LIMIT) == [leaf()]
    for inside in (b"", b"\x00", whole_tree + b"\x00", whole_tree + b"\x00" * 6):
        refused("mls.ratchet_tree", lambda inside=inside: decode_ratchet_tree(opaque(inside), LIMIT))


@pytest.mark.parametrize("node_type", [0, 3, 255])
def test_node_type(node_type: int) -> None:
    refused("mls.ratchet_tree", lambda: decode_ratchet_tree(opaque(b"\x01" + u8(node_type) + leaf().encoded), LIMIT))


def test_a_leaf_at_an_odd_place_and_a_parent_at_an_even_one() -> None:
    as_leaf, as_parent = b"\x01\x01" + leaf().encoded, b"\x01\x02" + PARENT.encode()
    for inside in (as_parent, as_leaf + as_leaf, as_leaf + as_parent + as_parent, b"\x00" + as_leaf):
        refused("mls.ratchet_tree", lambda inside=inside: decode_ratchet_tree(opaque(inside), LIMIT))


# --- proposals --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 8, 9, 0x0A0A, 0x1A1A, 0xF0FF, 0xFFFF])
def test_unknown_proposal_types(number: int) -> None:
    refused("mls.proposal_type", lambda: proposal(u16(number)))
    refused("mls.proposal_type", lambda: proposal(u16(number) + opaque(b"body")))


def test_custom_proposals() -> None:
    """An opaque body has a length; a bare one is what its reader takes, here nothing or one uint32."""
    forms = {
        CustomProposal(OPAQUE.proposal_type, b"body"): u16(0xF100) + b"\x04body",
        CustomProposal(BARE_EMPTY.proposal_type, b""): u16(0xF101),
        CustomProposal(BARE_UINT32.proposal_type, u32(9)): u16(0xF102) + u32(9),
    }
    for value, encoded in forms.items():
        assert encode_proposal(value, TYPES) == encoded
        assert proposal(encoded) == value
        assert proposal_type_of(value, TYPES) == value.proposal_type
        refused("tls.trailing", lambda encoded=encoded: proposal(encoded + b"\x00"))
        refused("mls.proposal_type", lambda encoded=encoded: proposal(encoded, RFC_PROPOSALS))
        with pytest.raises(InputError):
            encode_proposal(value, RFC_PROPOSALS)
    refused("tls.truncated", lambda: proposal(u16(0xF102) + bytes(3)))
    refused("tls.truncated", lambda: proposal(u16(0xF100) + b"\x05body"))


def test_custom_proposals_one_after_the_other() -> None:
    """Nothing but their own reader says where a bare body ends."""
    value = Commit(
        (
            CustomProposal(BARE_EMPTY.proposal_type, b""),
            CustomProposal(BARE_UINT32.proposal_type, u32(1)),
            Remove(3),
            CustomProposal(BARE_EMPTY.proposal_type, b""),
            CustomProposal(OPAQUE.proposal_type, b""),
            SelfRemove(),
            ExternalInit(b"kem"),
        ),
        None,
    )
    assert Commit.decode(value.encode(TYPES), TYPES) == value


def test_self_remove_may_have_another_number() -> None:
    types = ProposalTypes(self_remove=0xF00A)
    assert encode_proposal(SelfRemove(), types) == u16(0xF00A)
    assert proposal(u16(0xF00A), types) == SelfRemove()
    refused("mls.proposal_type", lambda: proposal(u16(registries.SELF_REMOVE), types))
    assert proposal_type_of(SelfRemove(), RFC_PROPOSALS) == 0x000A


def test_a_reader_of_a_body_gives_back_what_it_read() -> None:
    wrong = CustomProposalType(0xF103, "wrong", lambda reader: reader.take(2)[::-1], True, False, False)
    types = ProposalTypes(custom={0xF103: wrong})
    with pytest.raises(InputError):
        proposal(u16(0xF103) + b"ab", types)


@pytest.mark.parametrize("number", [0, 1, 7, registries.SELF_REMOVE])
def test_numbers_that_are_taken(number: int) -> None:
    kind = CustomProposalType(number, "taken", None, True, False, False)
    with pytest.raises(InputError):
        ProposalTypes(custom={number: kind})


def test_a_number_is_registered_as_what_it_is() -> None:
    with pytest.raises(InputError):
        ProposalTypes(custom={0xF105: OPAQUE})


# --- framing ------------------------------------------------------------------------------------------------------
def test_content_knows_its_type() -> None:
    contents: dict[ContentType, bytes | Proposal | Commit] = {
        ContentType.APPLICATION: b"hello",
        ContentType.PROPOSAL: Remove(1),
        ContentType.COMMIT: Commit((), None),
    }
    for content_type, content in contents.items():
        framed = _framed(content)
        assert framed.content_type == content_type
        assert framed.encoded.endswith(u8(content_type) + framed.encoded_content)
        auth = FramedContentAuthData(b"s", b"tag" if content_type == ContentType.COMMIT else None)
        message = PublicMessage(framed, auth, b"membership")
        assert PublicMessage.decode(message.encode(), TYPES) == message


def test_only_a_member_has_a_membership_tag() -> None:
    framed = FramedContent.build(
        group_id=b"g", epoch=3, sender=Sender.external(1), authenticated_data=b"", content=Remove(1)
    )
    auth = FramedContentAuthData(b"signature", None)
    encoded = PublicMessage(framed, auth, None).encode()
    assert PublicMessage.decode(encoded, TYPES).membership_tag is None
    refused("tls.trailing", lambda: PublicMessage.decode(encoded + opaque(b"tag"), TYPES))


def test_a_commit_has_a_confirmation_tag() -> None:
    framed = _framed(Commit((), None))
    without = framed.encoded + opaque(b"signature") + opaque(b"membership")
    refused("tls.truncated", lambda: PublicMessage.decode(without, TYPES))


def test_what_is_signed_is_all_before_the_signature() -> None:
    context = GroupContext(1, b"g", 7, b"tree", b"transcript", (Extension(9, b"x"),))
    info = GroupInfo(context, (), b"tag", 3, b"signature")
    assert info.encode() == info.tbs() + opaque(b"signature")
    assert info.tbs().startswith(context.encoded)
    assert info.tbs().endswith(opaque(b"tag") + u32(3))
    package = key_package()
    assert package.encoded == package.tbs() + opaque(b"s")
