"""Random values of every MLS structure (Hypothesis strategies), and `FORMS`: how each is written and read.

Numbers and lengths are drawn around their borders on purpose: 63/64 bytes is where a length gets two bytes.
The values follow the grammar and nothing else; hardly any would be accepted by a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from letterlock.codec.tls import Reader, whole
from letterlock.mls import registries
from letterlock.mls.wire.commit import Commit, HPKECiphertext, UpdatePath, UpdatePathNode
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import (
    Extension,
    ExternalPub,
    ExternalSender,
    RequiredCapabilities,
    decode_external_senders,
    encode_extensions,
    encode_external_senders,
    read_extensions,
)
from letterlock.mls.wire.framing import (
    NEW_MEMBER_COMMIT,
    NEW_MEMBER_PROPOSAL,
    AuthenticatedContent,
    ContentType,
    FramedContent,
    FramedContentAuthData,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderData,
    SenderType,
)
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode, LeafNodeSource, Lifetime
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import (
    Add,
    CustomProposal,
    CustomProposalType,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ProposalRef,
    ProposalTypes,
    ReInit,
    Remove,
    SelfRemove,
    Update,
    encode_proposal,
    read_proposal,
)
from letterlock.mls.wire.psk import PreSharedKeyID, ResumptionPSKUsage
from letterlock.mls.wire.tree_nodes import ParentNode, decode_ratchet_tree, encode_ratchet_tree
from letterlock.mls.wire.welcome import EncryptedGroupSecrets, GroupContext, GroupInfo, GroupSecrets, Welcome

__all__ = ["BARE_EMPTY", "BARE_UINT32", "FORMS", "LIMIT", "OPAQUE", "TYPES", "Form"]

LIMIT = 1 << 20

OPAQUE = CustomProposalType(0xF100, "opaque", None, True, False, False)
BARE_EMPTY = CustomProposalType(0xF101, "bare, empty", lambda reader: b"", True, False, True)
BARE_UINT32 = CustomProposalType(0xF102, "bare, one uint32", lambda reader: reader.take(4), True, True, False)

TYPES = ProposalTypes(custom={kind.proposal_type: kind for kind in (OPAQUE, BARE_EMPTY, BARE_UINT32)})
"""What a decoder in these tests knows."""


@dataclass(frozen=True)
class Form:
    """One structure: values of it, and the two directions."""

    name: str
    values: st.SearchStrategy[Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _border(bits: int) -> st.SearchStrategy[int]:
    top = (1 << bits) - 1
    return st.sampled_from((0, 1, top)) | st.integers(0, top)


u8, u16, u32, u64 = _border(8), _border(16), _border(32), _border(64)
data = st.binary(max_size=40) | st.sampled_from((63, 64, 65, 255)).map(bytes)
numbers = st.lists(u16 | st.sampled_from(sorted(registries.GREASE_VALUES)), max_size=5).map(tuple)

extension = st.builds(Extension, u16, data)
extensions = st.lists(extension, max_size=3).map(tuple)
credential = st.builds(Credential.basic, data) | st.builds(Credential.x509, st.lists(data, max_size=3))
capabilities = st.builds(Capabilities, numbers, numbers, numbers, numbers, numbers)
lifetime = st.builds(Lifetime, u64, u64)


@st.composite
def _leaf_node(draw: st.DrawFn) -> LeafNode:
    source = draw(st.sampled_from(LeafNodeSource))
    signature = draw(data)
    group_id, leaf_index = draw(data), draw(u32)
    signed: list[bytes] = []

    def sign(tbs: bytes) -> bytes:
        signed.append(tbs)
        return signature

    leaf = LeafNode.build(
        encryption_key=draw(data),
        signature_key=draw(data),
        credential=draw(credential),
        capabilities=draw(capabilities),
        leaf_node_source=source,
        extensions=draw(extensions),
        sign=sign,
        lifetime=draw(lifetime) if source == LeafNodeSource.KEY_PACKAGE else None,
        parent_hash=draw(data) if source == LeafNodeSource.COMMIT else None,
        group_id=group_id,
        leaf_index=leaf_index,
    )
    assert signed == [leaf.tbs(group_id, leaf_index)]
    return leaf


leaf_node = _leaf_node()


@st.composite
def _key_package(draw: st.DrawFn) -> KeyPackage:
    signature = draw(data)
    signed: list[bytes] = []

    def sign(tbs: bytes) -> bytes:
        signed.append(tbs)
        return signature

    package = KeyPackage.build(
        version=draw(u16),
        cipher_suite=draw(u16),
        init_key=draw(data),
        leaf_node=draw(leaf_node),
        extensions=draw(extensions),
        sign=sign,
    )
    assert signed == [package.tbs()]
    return package


key_package = _key_package()
psk_id = st.builds(PreSharedKeyID.external, data, data) | st.builds(
    PreSharedKeyID.resumption, st.sampled_from(ResumptionPSKUsage), data, u64, data
)
parent_node = st.builds(ParentNode, data, data, st.lists(u32, max_size=4).map(tuple))


@st.composite
def _ratchet_tree(draw: st.DrawFn) -> list[LeafNode | ParentNode | None]:
    count = draw(st.integers(1, 8))
    nodes = [draw(st.none() | (parent_node if at % 2 else leaf_node)) for at in range(count)]
    nodes[-1] = nodes[-1] or draw(leaf_node if count % 2 else parent_node)
    return nodes


proposal = st.one_of(
    st.builds(Add, key_package),
    st.builds(Update, leaf_node),
    st.builds(Remove, u32),
    st.builds(PreSharedKey, psk_id),
    st.builds(ReInit, data, u16, u16, extensions),
    st.builds(ExternalInit, data),
    st.builds(GroupContextExtensions, extensions),
    st.just(SelfRemove()),
    st.builds(CustomProposal, st.just(OPAQUE.proposal_type), data),
    st.just(CustomProposal(BARE_EMPTY.proposal_type, b"")),
    st.builds(CustomProposal, st.just(BARE_UINT32.proposal_type), st.binary(min_size=4, max_size=4)),
)

hpke_ciphertext = st.builds(HPKECiphertext, data, data)
update_path_node = st.builds(UpdatePathNode, data, st.lists(hpke_ciphertext, max_size=3).map(tuple))
update_path = st.builds(UpdatePath, leaf_node, st.lists(update_path_node, max_size=3).map(tuple))
commit = st.builds(
    Commit, st.lists(proposal | st.builds(ProposalRef, data), max_size=3).map(tuple), st.none() | update_path
)

sender = (
    st.builds(Sender.member, u32)
    | st.builds(Sender.external, u32)
    | st.sampled_from((NEW_MEMBER_COMMIT, NEW_MEMBER_PROPOSAL))
)
framed_content = st.builds(
    lambda group_id, epoch, sender, aad, content: FramedContent.build(
        group_id=group_id, epoch=epoch, sender=sender, authenticated_data=aad, content=content, types=TYPES
    ),
    data,
    u64,
    sender,
    data,
    data | proposal | commit,
)


def _auth(content: FramedContent) -> st.SearchStrategy[FramedContentAuthData]:
    tag = data if content.content_type == ContentType.COMMIT else st.none()
    return st.builds(FramedContentAuthData, data, tag)


@st.composite
def _authenticated_content(draw: st.DrawFn) -> AuthenticatedContent:
    content = draw(framed_content)
    return AuthenticatedContent(draw(u16), content, draw(_auth(content)))


@st.composite
def _public_message(draw: st.DrawFn) -> PublicMessage:
    content = draw(framed_content)
    member = content.sender.sender_type == SenderType.MEMBER
    return PublicMessage(content, draw(_auth(content)), draw(data) if member else None)


authenticated_content = _authenticated_content()
public_message = _public_message()
private_message = st.builds(PrivateMessage, data, u64, st.sampled_from(ContentType), data, data, data)
sender_data = st.builds(SenderData, u32, u32, st.binary(min_size=4, max_size=4))

group_context = st.builds(GroupContext, u16, data, u64, data, data, extensions)
group_info = st.builds(GroupInfo, group_context, extensions, data, u32, data)
group_secrets = st.builds(GroupSecrets, data, st.none() | data, st.lists(psk_id, max_size=3).map(tuple))
welcome = st.builds(
    Welcome, u16, st.lists(st.builds(EncryptedGroupSecrets, data, hpke_ciphertext), max_size=3).map(tuple), data
)

required_capabilities = st.builds(RequiredCapabilities, numbers, numbers, numbers)
external_sender = st.builds(ExternalSender, data, credential)


def _of_our_version(package: KeyPackage) -> KeyPackage:
    """The same in version mls10, the only one that an MLSMessage carries."""
    return KeyPackage.build(
        cipher_suite=package.cipher_suite,
        init_key=package.init_key,
        leaf_node=package.leaf_node,
        extensions=package.extensions,
        sign=lambda tbs: package.signature,
    )


message = public_message | private_message | welcome | group_info | key_package.map(_of_our_version)


def _structure(name: str, values: st.SearchStrategy[Any], kind: Any) -> Form:
    return Form(name, values, lambda value: value.encode(), lambda raw: whole(raw, kind.read))


def _with_types(name: str, values: st.SearchStrategy[Any], kind: Any) -> Form:
    return Form(name, values, lambda value: value.encode(), lambda raw: kind.decode(raw, TYPES))


def _read_proposal(reader: Reader) -> Any:
    return read_proposal(reader, TYPES)


FORMS = (
    _structure("Extension", extension, Extension),
    Form("extensions", extensions, encode_extensions, lambda raw: whole(raw, read_extensions)),
    _structure("RequiredCapabilities", required_capabilities, RequiredCapabilities),
    _structure("ExternalSender", external_sender, ExternalSender),
    Form(
        "external_senders",
        st.lists(external_sender, max_size=3).map(tuple),
        encode_external_senders,
        decode_external_senders,
    ),
    Form("ExternalPub", st.builds(ExternalPub, data), ExternalPub.encode, ExternalPub.decode),
    _structure("Credential", credential, Credential),
    _structure("Capabilities", capabilities, Capabilities),
    _structure("Lifetime", lifetime, Lifetime),
    _structure("LeafNode", leaf_node, LeafNode),
    _structure("KeyPackage", key_package, KeyPackage),
    _structure("ParentNode", parent_node, ParentNode),
    Form("ratchet_tree", _ratchet_tree(), encode_ratchet_tree, lambda raw: decode_ratchet_tree(raw, LIMIT)),
    _structure("PreSharedKeyID", psk_id, PreSharedKeyID),
    Form("Proposal", proposal, lambda value: encode_proposal(value, TYPES), lambda raw: whole(raw, _read_proposal)),
    _structure("HPKECiphertext", hpke_ciphertext, HPKECiphertext),
    _structure("UpdatePathNode", update_path_node, UpdatePathNode),
    _structure("UpdatePath", update_path, UpdatePath),
    Form("Commit", commit, lambda value: value.encode(TYPES), lambda raw: Commit.decode(raw, TYPES)),
    _structure("Sender", sender, Sender),
    _with_types("FramedContent", framed_content, FramedContent),
    _with_types("AuthenticatedContent", authenticated_content, AuthenticatedContent),
    _with_types("PublicMessage", public_message, PublicMessage),
    _structure("PrivateMessage", private_message, PrivateMessage),
    _structure("SenderData", sender_data, SenderData),
    _structure("GroupContext", group_context, GroupContext),
    _structure("GroupInfo", group_info, GroupInfo),
    _structure("GroupSecrets", group_secrets, GroupSecrets),
    _structure("EncryptedGroupSecrets", st.builds(EncryptedGroupSecrets, data, hpke_ciphertext), EncryptedGroupSecrets),
    _structure("Welcome", welcome, Welcome),
    Form("MLSMessage", message, encode_message, lambda raw: decode_message(raw, TYPES, LIMIT)),
)
"""Every structure whose bytes end where the grammar says: all but PrivateMessageContent, which has padding."""
