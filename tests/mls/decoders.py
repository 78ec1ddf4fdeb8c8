"""The MLS decoders for tests/decoders.py: what each reads, with honest examples (published messages, and forms
that those do not hold)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterlock.codec.tls import Reader, opaque, whole
from letterlock.mls.wire.commit import Commit, UpdatePath
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import (
    Extension,
    ExternalPub,
    ExternalSender,
    RequiredCapabilities,
    decode_external_senders,
    encode_external_senders,
)
from letterlock.mls.wire.framing import (
    AuthenticatedContent,
    ContentType,
    FramedContent,
    FramedContentAuthData,
    PrivateMessageContent,
    Sender,
    SenderData,
)
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import Capabilities, LeafNode, LeafNodeSource, Lifetime
from letterlock.mls.wire.message import decode_message
from letterlock.mls.wire.proposals import (
    Add,
    CustomProposal,
    PreSharedKey,
    ProposalRef,
    Remove,
    SelfRemove,
    encode_proposal,
    read_proposal,
)
from letterlock.mls.wire.psk import PreSharedKeyID, ResumptionPSKUsage
from letterlock.mls.wire.tree_nodes import ParentNode, decode_ratchet_tree, encode_ratchet_tree
from letterlock.mls.wire.welcome import GroupContext, GroupInfo, GroupSecrets, Welcome
from mls.vectors import load
from mls.wire_values import BARE_EMPTY, BARE_UINT32, OPAQUE, TYPES

__all__ = ["mls_decoders"]

LIMIT = 1 << 20

_MESSAGES = (
    "mls_welcome",
    "mls_group_info",
    "mls_key_package",
    "public_message_application",
    "public_message_proposal",
    "public_message_commit",
    "private_message",
)


def mls_decoders() -> tuple[tuple[str, Callable[[bytes], Any], tuple[bytes, ...]], ...]:
    """(name, function, examples) of each."""
    official = {field: bytes.fromhex(text) for field, text in load("messages")[1].items()}
    group_info = official["mls_group_info"][4:]
    key_package = official["mls_key_package"][4:]
    leaves = tuple(_leaf(source) for source in LeafNodeSource)
    psks = (
        PreSharedKeyID.external(b"id", bytes(32)),
        PreSharedKeyID.resumption(ResumptionPSKUsage.BRANCH, b"group", 7, bytes(32)),
    )
    commit = Commit(
        (
            Add(KeyPackage.decode(key_package)),
            ProposalRef(bytes(32)),
            PreSharedKey(psks[1]),
            SelfRemove(),
            CustomProposal(BARE_EMPTY.proposal_type, b""),
            CustomProposal(BARE_UINT32.proposal_type, bytes(4)),
            CustomProposal(OPAQUE.proposal_type, b"body"),
        ),
        None,
    )
    framed = FramedContent.build(
        group_id=b"group",
        epoch=7,
        sender=Sender.member(3),
        authenticated_data=b"aad",
        content=commit,
        types=TYPES,
    )
    auth = FramedContentAuthData(bytes(64), bytes(32))
    tree = encode_ratchet_tree([leaves[0], ParentNode(bytes(32), bytes(32), (1,)), leaves[1], None, leaves[2]])
    senders = encode_external_senders((ExternalSender(bytes(32), Credential.x509((b"own", b"issuer"))),))
    proposals = [b"\x00\x01" + official["add_proposal"], b"\x00\x05" + official["re_init_proposal"]]
    proposals += [encode_proposal(value, TYPES) for value in (PreSharedKey(psks[0]), Remove(3), *commit.proposals[3:])]

    return (
        ("mls message", lambda raw: decode_message(raw, TYPES, LIMIT), tuple(official[name] for name in _MESSAGES)),
        ("mls ratchet tree", lambda raw: decode_ratchet_tree(raw, LIMIT), (official["ratchet_tree"], tree)),
        ("mls leaf node", LeafNode.decode, tuple(leaf.encoded for leaf in leaves)),
        ("mls parent node", ParentNode.decode, (ParentNode(bytes(32), bytes(32), (1, 2)).encode(),)),
        ("mls key package", KeyPackage.decode, (key_package,)),
        ("mls psk id", PreSharedKeyID.decode, tuple(psk.encode() for psk in psks)),
        ("mls proposal", lambda raw: whole(raw, _proposal), tuple(proposals)),
        ("mls commit", lambda raw: Commit.decode(raw, TYPES), (official["commit"], commit.encode(TYPES))),
        ("mls update path", UpdatePath.decode, (UpdatePath(leaves[2], ()).encode(), _published_path())),
        ("mls framed content", lambda raw: FramedContent.decode(raw, TYPES), (framed.encoded,)),
        (
            "mls authenticated content",
            lambda raw: AuthenticatedContent.decode(raw, TYPES),
            (AuthenticatedContent(1, framed, auth).encode(),),
        ),
        (
            "mls private content",
            lambda raw: PrivateMessageContent.decode(raw, ContentType.COMMIT, TYPES),
            (PrivateMessageContent.of(framed, auth).encode(20),),
        ),
        (
            "mls application content",
            lambda raw: PrivateMessageContent.decode(raw, ContentType.APPLICATION, TYPES),
            (opaque(b"hello") + opaque(bytes(64)) + bytes(50),),
        ),
        ("mls sender data", SenderData.decode, (SenderData(3, 9, bytes(4)).encode(),)),
        ("mls group context", GroupContext.decode, (GroupInfo.decode(group_info).group_context.encoded,)),
        ("mls group info", GroupInfo.decode, (group_info,)),
        (
            "mls group secrets",
            GroupSecrets.decode,
            (official["group_secrets"], GroupSecrets(bytes(32), bytes(32), psks).encode()),
        ),
        ("mls welcome", Welcome.decode, (official["mls_welcome"][4:],)),
        ("mls required capabilities", RequiredCapabilities.decode, (RequiredCapabilities((1,), (2,), (3,)).encode(),)),
        ("mls external senders", decode_external_senders, (senders,)),
        ("mls external pub", ExternalPub.decode, (ExternalPub(bytes(32)).encode(),)),
    )


def _proposal(reader: Reader) -> Any:
    return read_proposal(reader, TYPES)


def _leaf(source: LeafNodeSource) -> LeafNode:
    return LeafNode.build(
        encryption_key=bytes(32),
        signature_key=bytes(65),
        credential=Credential.basic(b"ana"),
        capabilities=Capabilities((1,), (1, 2, 0x0A0A), (0x0A0A,), (10,), (1, 2)),
        leaf_node_source=source,
        extensions=(Extension(0x0A0A, b"grease"),),
        sign=lambda tbs: bytes(64),
        lifetime=Lifetime(1, 2) if source == LeafNodeSource.KEY_PACKAGE else None,
        parent_hash=bytes(32) if source == LeafNodeSource.COMMIT else None,
    )


def _published_path() -> bytes:
    """A path with its nodes and what is sealed to them."""
    case = next(case for case in load("treekem") if case["cipher_suite"] == 1 and len(case["update_paths"]) > 4)
    return bytes.fromhex(case["update_paths"][0]["update_path"])
