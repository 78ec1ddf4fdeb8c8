"""Broken messages from somebody who has every key that it takes: a member with bad intentions, or an outsider.

What an honest client would refuse to make is made here with the rules switched off, and otherwise as the library
does it, so that the signature, the membership tag and, where it can be computed at all, the confirmation tag are
right: what refuses the message can only be the rule that it breaks.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from letterlock.ids import Rng
from letterlock.mls.client import Client, Sign
from letterlock.mls.evolution.group_info import check_group_info
from letterlock.mls.evolution.next_epoch import (
    Applied,
    NextEpoch,
    apply_proposals,
    conclude,
    confirmed_context,
    next_state,
)
from letterlock.mls.evolution.proposal_list import QueuedProposal
from letterlock.mls.evolution.state import PublicState
from letterlock.mls.group.epoch import EpochState
from letterlock.mls.group.following import FreshSecrets, advance
from letterlock.mls.protect.content import sign_content
from letterlock.mls.protect.private_message import ratchet_kind, seal_private
from letterlock.mls.protect.public_message import _authenticated_content_tbm
from letterlock.mls.registries import PRIVATE_MESSAGE, PROTOCOL_VERSION_MLS10, PUBLIC_MESSAGE
from letterlock.mls.schedule.transcript import confirmation_tag
from letterlock.mls.suites import CipherSuite
from letterlock.mls.tree.update_path import OwnPath, create_path, encrypt_path
from letterlock.mls.wire.commit import Commit, ProposalRef, UpdatePath
from letterlock.mls.wire.credential import Credential
from letterlock.mls.wire.extensions import ExternalPub, find_extension
from letterlock.mls.wire.framing import (
    NEW_MEMBER_COMMIT,
    AuthenticatedContent,
    FramedContent,
    FramedContentAuthData,
    PublicMessage,
    Sender,
    SenderType,
)
from letterlock.mls.wire.key_package import KeyPackage
from letterlock.mls.wire.leaf_node import LeafNode, LeafNodeSource, Lifetime
from letterlock.mls.wire.message import decode_message, encode_message
from letterlock.mls.wire.proposals import RFC_PROPOSALS, ExternalInit, Proposal
from letterlock.mls.wire.psk import ResumptionPSKUsage
from letterlock.mls.wire.welcome import GroupInfo

from .lab import NOW, Person
from .refusing import switched_off

__all__ = [
    "ANY_PSK",
    "Fields",
    "Forged",
    "by_reference",
    "certificate",
    "certified",
    "external_commit",
    "key_package",
    "leaf",
    "member_commit",
    "message",
]

Fields = dict[str, Any]

ANY_PSK = b"a secret that everybody knows"


# --- leaves and key packages ---------------------------------------------------------------------------------
def leaf(
    client: Client,
    rng: Rng,
    source: LeafNodeSource = LeafNodeSource.KEY_PACKAGE,
    *,
    group_id: bytes = b"",
    leaf_index: int = 0,
    sign: Sign | None = None,
    **fields: Any,
) -> LeafNode:
    """A leaf of the client with other `fields`, rightly signed unless `signature` or `sign` says otherwise."""
    suite = client.suite
    signature = fields.pop("signature", None)
    values: Fields = {
        "encryption_key": suite.generate_key_pair(rng)[1],
        "signature_key": client.signature_key,
        "credential": client.credential,
        "capabilities": client.capabilities,
        "leaf_node_source": source,
        "extensions": (),
        **fields,
    }
    if values["leaf_node_source"] == LeafNodeSource.KEY_PACKAGE:
        values.setdefault("lifetime", Lifetime(NOW // 1000 - 3600, NOW // 1000 + 80 * 86_400))
    else:
        values.pop("lifetime", None)
    if values["leaf_node_source"] == LeafNodeSource.COMMIT:
        values.setdefault("parent_hash", b"")
    else:
        values.pop("parent_hash", None)

    def signed(tbs: bytes) -> bytes:
        return signature if signature is not None else suite.sign_with_label(sign or client.sign, "LeafNodeTBS", tbs)

    return LeafNode.build(**values, sign=signed, group_id=group_id, leaf_index=leaf_index)


def key_package(
    client: Client, rng: Rng, in_leaf: Fields | None = None, *, sign: Sign | None = None, **fields: Any
) -> KeyPackage:
    """A key package of the client with other `fields`, those of its leaf in `in_leaf`."""
    suite = client.suite
    signature = fields.pop("signature", None)
    values: Fields = {
        "version": PROTOCOL_VERSION_MLS10,
        "cipher_suite": suite.number,
        "init_key": suite.generate_key_pair(rng)[1],
        "leaf_node": leaf(client, rng, **{"sign": sign, **(in_leaf or {})}),
        "extensions": (),
        **fields,
    }

    def signed(tbs: bytes) -> bytes:
        return signature if signature is not None else suite.sign_with_label(sign or client.sign, "KeyPackageTBS", tbs)

    return KeyPackage.build(**values, sign=signed)


def certificate(private: bytes, *, issuer_private: bytes | None = None) -> bytes:
    """A certificate (DER) for an Ed25519 key."""
    own = ed25519.Ed25519PrivateKey.from_private_bytes(private)
    issuer = own if issuer_private is None else ed25519.Ed25519PrivateKey.from_private_bytes(issuer_private)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "member")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2046, 1, 1))
        .sign(issuer, None)
    )
    return built.public_bytes(serialization.Encoding.DER)


def certified(private: bytes) -> Credential:
    return Credential.x509([certificate(private)])


# --- messages ------------------------------------------------------------------------------------------------
def message(
    person: Person,
    content: bytes | Proposal | Commit,
    *,
    sender: Sender | None = None,
    group_id: bytes | None = None,
    epoch: int | None = None,
    public: bool = True,
    sign: Sign | None = None,
    signature: bytes | None = None,
    tag: bytes | None = None,
    membership_tag: bytes | None = None,
    sender_leaf: int | None = None,
) -> bytes:
    """An MLSMessage from a member who holds the keys of the epoch, rightly signed and protected but for what is given.

    `sender_leaf` is what the sender data of a PrivateMessage name; `tag` is the confirmation tag.
    """
    group = person.g
    state, secrets = group.state, group._member.active()
    suite = state.suite
    wire_format = PUBLIC_MESSAGE if public else PRIVATE_MESSAGE
    framed = FramedContent.build(
        group_id=state.group_id if group_id is None else group_id,
        epoch=state.epoch if epoch is None else epoch,
        sender=sender or Sender.member(secrets.own_leaf if sender_leaf is None else sender_leaf),
        authenticated_data=b"",
        content=content,
        types=person.client.policy.proposal_types,
    )
    if signature is None:
        signature = sign_content(suite, sign or person.client.sign, wire_format, framed, state.context.encoded)
    if isinstance(content, Commit) and tag is None:
        tag = bytes(suite.hash_length)
    auth = FramedContentAuthData(signature, tag)
    if public:
        return encode_message(_public(suite, framed, auth, state, secrets, membership_tag))
    # Every member can derive the message keys of all others.
    ratchet = secrets.own_leaf if sender_leaf is None or sender_leaf >= state.tree.leaf_count else sender_leaf
    key = secrets.messages.next_key(ratchet, ratchet_kind(framed.content_type))
    signed = AuthenticatedContent(wire_format, framed, auth)
    return encode_message(seal_private(suite, signed, key, secrets.keys.sender_data_secret, 0, person.rng))


def _public(
    suite: CipherSuite,
    framed: FramedContent,
    auth: FramedContentAuthData,
    state: PublicState,
    secrets: EpochState,
    membership_tag: bytes | None,
) -> PublicMessage:
    if framed.sender.sender_type != SenderType.MEMBER:
        return PublicMessage(framed, auth, None)
    if membership_tag is None:
        tbm = _authenticated_content_tbm(framed, auth, state.context.encoded)
        membership_tag = suite.mac(secrets.keys.membership_key, tbm)
    return PublicMessage(framed, auth, membership_tag)


def by_reference(person: Person, reference: bytes) -> QueuedProposal:
    """A proposal that the person has received or sent, for a commit to refer to."""
    return person.g._member.proposals[reference].queued


# --- commits ---------------------------------------------------------------------------------------------------
@dataclass
class Forged:
    """A commit with all that its maker knows about the epoch that it opens."""

    message: bytes
    applied: Applied
    next_epoch: NextEpoch
    own_path: OwnPath | None
    fresh: FreshSecrets
    state: PublicState


Queue = Sequence[Proposal | QueuedProposal]
ChangePath = Callable[[UpdatePath], UpdatePath]


def member_commit(
    person: Person,
    proposals: Queue = (),
    *,
    shown: Sequence[Proposal | ProposalRef] | None = None,
    path: bool = True,
    in_leaf: Fields | None = None,
    sealed: Callable[[OwnPath], OwnPath] | None = None,
    change_path: ChangePath | None = None,
    linking: ResumptionPSKUsage | None = None,
    public: bool = True,
    tag: bytes | None = None,
    sign: Sign | None = None,
    leaf_sign: Sign | None = None,
    signature: bytes | None = None,
) -> Forged:
    """A commit of a member for whom no rule holds; the member's own state stays as it is.

    `shown` are the proposals that it names, if others than are applied; `in_leaf` fields of the path's leaf,
    `sealed` changes the secrets before they are encrypted and `change_path` the path after that.
    """
    group = person.g
    member = group._member
    secrets = member.active()
    client, state, rng = person.client, group.state, person.rng
    own = secrets.own_leaf
    queued = [p if isinstance(p, QueuedProposal) else QueuedProposal(p, Sender.member(own), None) for p in proposals]
    with switched_off():
        applied = apply_proposals(
            state, member.index, queued, own, client.authentication, client.policy, NOW, linking=linking
        )
        tree, own_path, update_path = applied.tree, None, None
        if path:
            tree, own_path = create_path(tree, own, _builder(client, rng, state, own, in_leaf, leaf_sign), rng)
        next_epoch = conclude(applied, member.index, tree, client.policy)
        if own_path is not None:
            update_path = _encrypted(next_epoch, own_path, own, rng, sealed, change_path)
        commit = Commit(tuple(shown) if shown is not None else _named(queued), update_path)
        framed = _framed(client, state, Sender.member(own), commit)
        wire_format = PUBLIC_MESSAGE if public else PRIVATE_MESSAGE
        if signature is None:
            signature = sign_content(state.suite, sign or client.sign, wire_format, framed, state.context.encoded)
        signed = AuthenticatedContent(wire_format, framed, FramedContentAuthData(signature, None))
        fresh, after, tag = _followed(
            state, next_epoch, signed, own, secrets.keys.init_secret, own_path, group._find_psk(), tag
        )
        auth = FramedContentAuthData(signature, tag)
        if public:
            data = encode_message(_public(state.suite, framed, auth, state, secrets, None))
        else:
            key = secrets.messages.next_key(own, ratchet_kind(framed.content_type))
            confirmed = AuthenticatedContent(wire_format, framed, auth)
            data = encode_message(seal_private(state.suite, confirmed, key, secrets.keys.sender_data_secret, 0, rng))
    return Forged(data, applied, next_epoch, own_path, fresh, after)


def external_commit(
    person: Person,
    group_info: bytes,
    proposals: Queue = (),
    *,
    shown: Sequence[Proposal | ProposalRef] | None = None,
    inits: int = 1,
    path: bool = True,
    sender: Sender = NEW_MEMBER_COMMIT,
    in_leaf: Fields | None = None,
    change_path: ChangePath | None = None,
    sign: Sign | None = None,
) -> Forged:
    """An external commit of somebody for whom no rule holds. `proposals` come behind the ExternalInit."""
    client, rng = person.client, person.rng
    info = decode_message(group_info, RFC_PROPOSALS, 1 << 24)
    assert isinstance(info, GroupInfo)
    with switched_off():
        state, index = check_group_info(client.suite, info, None, client.authentication, client.policy, NOW)
        data = find_extension(info.extensions, 4)
        assert data is not None
        kem_output, init_secret = client.suite.export_sender(ExternalPub.decode(data).external_pub, rng)
        queued = [
            *(QueuedProposal(ExternalInit(kem_output), NEW_MEMBER_COMMIT, None) for _ in range(inits)),
            *(p if isinstance(p, QueuedProposal) else QueuedProposal(p, NEW_MEMBER_COMMIT, None) for p in proposals),
        ]
        applied = apply_proposals(state, index, queued, None, client.authentication, client.policy, NOW)
        own = applied.committer
        tree, own_path = create_path(applied.tree, own, _builder(client, rng, state, own, in_leaf, None), rng)
        next_epoch = conclude(applied, index, tree, client.policy)
        update_path = _encrypted(next_epoch, own_path, own, rng, None, change_path)
        named: Any = _named(queued) if shown is None else (*_named(queued[:inits]), *shown)
        framed = _framed(client, state, sender, Commit(tuple(named), update_path if path else None))
        signature = sign_content(client.suite, sign or client.sign, PUBLIC_MESSAGE, framed, state.context.encoded)
        signed = AuthenticatedContent(PUBLIC_MESSAGE, framed, FramedContentAuthData(signature, None))
        fresh, after, tag = _followed(state, next_epoch, signed, own, init_secret, own_path, lambda psk: ANY_PSK, None)
    data = encode_message(PublicMessage(framed, FramedContentAuthData(signature, tag), None))
    return Forged(data, applied, next_epoch, own_path, fresh, after)


def _builder(
    client: Client, rng: Rng, state: PublicState, own: int, in_leaf: Fields | None, sign: Sign | None
) -> Callable[[bytes, bytes], LeafNode]:
    def build(encryption_key: bytes, parent_hash: bytes) -> LeafNode:
        fields = {"encryption_key": encryption_key, "parent_hash": parent_hash, **(in_leaf or {})}
        where: Fields = {"group_id": state.group_id, "leaf_index": own, "sign": sign}
        return leaf(client, rng, LeafNodeSource.COMMIT, **{**where, **fields})

    return build


def _encrypted(
    next_epoch: NextEpoch,
    own_path: OwnPath,
    own: int,
    rng: Rng,
    sealed: Callable[[OwnPath], OwnPath] | None,
    change_path: ChangePath | None,
) -> UpdatePath:
    made = encrypt_path(
        next_epoch.tree,
        own_path if sealed is None else sealed(own_path),
        own,
        next_epoch.provisional.encoded,
        frozenset(next_epoch.applied.added),
        rng,
    )
    return made if change_path is None else change_path(made)


def _named(queued: Sequence[QueuedProposal]) -> tuple[Proposal | ProposalRef, ...]:
    return tuple(q.proposal if q.reference is None else ProposalRef(q.reference) for q in queued)


def _framed(client: Client, state: PublicState, sender: Sender, commit: Commit) -> FramedContent:
    return FramedContent.build(
        group_id=state.group_id,
        epoch=state.epoch,
        sender=sender,
        authenticated_data=b"",
        content=commit,
        types=client.policy.proposal_types,
    )


def _followed(
    state: PublicState,
    next_epoch: NextEpoch,
    signed: AuthenticatedContent,
    own: int,
    init_secret: bytes,
    own_path: OwnPath | None,
    find_psk: Any,
    tag: bytes | None,
) -> tuple[FreshSecrets, PublicState, bytes]:
    """The epoch behind the commit, and its confirmation tag."""
    suite = state.suite
    context = confirmed_context(next_epoch, signed)
    commit_secret = suite.zero if own_path is None else own_path.commit_secret
    private_keys = {} if own_path is None else own_path.private_keys
    fresh = advance(suite, next_epoch, context, own, init_secret, commit_secret, private_keys, find_psk)
    if tag is None:
        tag = confirmation_tag(suite, fresh.epoch.keys.confirmation_key, context.confirmed_transcript_hash)
    return fresh, next_state(next_epoch, context, tag), tag
